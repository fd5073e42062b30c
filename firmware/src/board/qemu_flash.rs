//! The emulated board's flash: the last megabyte of its code memory, which the emulator lets a program write, kept over the end
//! of the emulator in a file of the host that semihosting opens: `-append flash=PATH` names it.
#![allow(unsafe_code)] // memory beside the program's, and calls of the emulator

use core::ops::Range;
use core::ptr;

use cortex_m_semihosting::{nr, syscall};

use crate::image::{self, Flash, Memory, Unkept};

/// Where the flash lies; the memory map ends the program's part there.
const BASE: *mut u8 = 0x0030_0000 as *mut u8;
/// What the emulator's command line calls the file.
const OPTION: &[u8] = b"flash=";
/// `SYS_GET_CMDLINE` of the semihosting specification.
const GET_COMMAND_LINE: usize = 0x15;

/// A part of the flash.
pub type QemuFlash = Flash<Part>;

/// A part of the flash: its memory, and where it lies in the file, if there is one.
#[derive(Debug)]
pub struct Part {
    memory: *mut [u8],
    file: Option<usize>,
    offset: usize,
}

impl Part {
    fn new(range: Range<usize>, file: Option<usize>) -> Self {
        Part { memory: memory(&range), file, offset: range.start }
    }
}

impl Memory for Part {
    fn bytes(&self) -> &[u8] {
        // SAFETY: as below, and `self` is borrowed, so nobody changes it.
        unsafe { &*self.memory }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: no other part has this memory, and `self` is borrowed alone. Who asks `slot_memory` reads only, of a slot
        // that is not changed meanwhile.
        unsafe { &mut *self.memory }
    }

    fn keep(&mut self, range: Range<usize>) -> Result<(), Unkept> {
        let Some(file) = self.file else {
            return Ok(());
        };
        let offset = self.offset + range.start;
        let bytes = self.bytes().get(range).ok_or(Unkept)?;
        // SAFETY: the calls read the arguments and `bytes`, and nothing else of this program.
        let left = unsafe {
            if syscall!(SEEK, file, offset) != 0 {
                return Err(Unkept);
            }
            syscall!(WRITE, file, bytes.as_ptr(), bytes.len())
        };
        if left == 0 { Ok(()) } else { Err(Unkept) }
    }
}

/// The store's part and the slots, for the first caller: what the file holds, or else erased. None where the file cannot be
/// used, or someone has them already.
pub(super) fn flash() -> Option<(QemuFlash, [QemuFlash; 2])> {
    cortex_m::singleton!(TAKEN: () = ())?;
    // SAFETY: the memory map gives this memory to nobody else, and the line above passes once.
    let bytes = unsafe { &mut *memory(&(0..image::LEN)) };
    bytes.fill(0xff);
    let mut line = [0u8; 512];
    let file = match path(&mut line) {
        Some(path) => Some(open(path, bytes)?),
        None => None,
    };
    let part = |range| Flash(Part::new(range, file));
    Some((part(image::STORE), [part(image::slot(1)), part(image::slot(2))]))
}

/// The memory of slot 1 or 2.
pub(super) fn slot_memory(slot: u8) -> *const [u8] {
    memory(&image::slot(slot))
}

/// What lies at `range` of the flash.
fn memory(range: &Range<usize>) -> *mut [u8] {
    ptr::slice_from_raw_parts_mut(BASE.wrapping_add(range.start), range.len())
}

/// The file's path on the emulator's command line, ended by a zero.
fn path(line: &mut [u8; 512]) -> Option<&[u8]> {
    let mut block = [line.as_mut_ptr() as usize, line.len()];
    // SAFETY: the call writes to `line`, whose length it is given, and to `block`.
    let failed = unsafe { cortex_m_semihosting::syscall1(GET_COMMAND_LINE, block.as_mut_ptr() as usize) };
    let [_, len] = block;
    let line = line.get(..=len).filter(|_| failed == 0)?;
    let at = line.windows(OPTION.len()).position(|window| window == OPTION)?;
    line.get(at + OPTION.len()..)
}

/// Opens the file and reads it into `bytes`, or makes it with what they are.
fn open(path: &[u8], bytes: &mut [u8]) -> Option<usize> {
    let len = path.len() - 1;
    // SAFETY: the calls read `path` and write to `bytes`, whose lengths they are given.
    unsafe {
        let file = syscall!(OPEN, path.as_ptr(), nr::open::RW_BINARY, len) as isize;
        if file >= 0 {
            let file = file as usize;
            let missing = syscall!(READ, file, bytes.as_mut_ptr(), bytes.len());
            return (missing == 0).then_some(file);
        }
        let file = syscall!(OPEN, path.as_ptr(), nr::open::RW_TRUNC_BINARY, len) as isize;
        let file = usize::try_from(file).ok()?;
        (syscall!(WRITE, file, bytes.as_ptr(), bytes.len()) == 0).then_some(file)
    }
}
