//! The emulated board's flash: the last megabyte of its code memory, which the emulator lets a program write, kept over the end
//! of the emulator in a file of the host that semihosting opens: `-append flash=PATH` names it.
#![allow(unsafe_code)] // memory beside the program's, and calls of the emulator

use core::{ptr, slice};

use cortex_m_semihosting::{nr, syscall};

use crate::image::{self, Flash, Keep, Unkept};

/// Where the flash lies; the memory map ends the program's part there.
const BASE: *mut u8 = 0x0030_0000 as *mut u8;
/// What the emulator's command line calls the file.
const OPTION: &[u8] = b"flash=";
/// `SYS_GET_CMDLINE` of the semihosting specification.
const GET_COMMAND_LINE: usize = 0x15;

/// A part of the flash.
pub type QemuFlash = Flash<'static, Part>;

/// Where a part of the flash lies in the file, if there is one.
#[derive(Debug)]
pub struct Part {
    file: Option<usize>,
    offset: usize,
}

impl Keep for Part {
    fn keep(&mut self, offset: usize, bytes: &[u8]) -> Result<(), Unkept> {
        let Some(file) = self.file else {
            return Ok(());
        };
        // SAFETY: the calls read the arguments and `bytes`, and nothing else of this program.
        let left = unsafe {
            if syscall!(SEEK, file, self.offset + offset) != 0 {
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
    let bytes = unsafe { slice::from_raw_parts_mut(BASE, image::LEN) };
    bytes.fill(0xff);
    let mut line = [0u8; 512];
    let file = match path(&mut line) {
        Some(path) => Some(open(path, bytes)?),
        None => None,
    };
    let (slots, store) = bytes.split_at_mut_checked(image::STORE.start)?;
    let (first, second) = slots.split_at_mut_checked(image::SLOT_LEN)?;
    let part = |offset| Part { file, offset };
    Some((
        Flash::new(store, part(image::STORE.start)),
        [Flash::new(first, part(image::slot(1).start)), Flash::new(second, part(image::slot(2).start))],
    ))
}

/// The memory of slot 1 or 2.
pub(super) fn slot_memory(slot: u8) -> *const [u8] {
    let range = image::slot(slot);
    ptr::slice_from_raw_parts(BASE.wrapping_add(range.start), range.len())
}

/// The file's path on the emulator's command line, ended by a zero.
fn path(line: &mut [u8; 512]) -> Option<&[u8]> {
    let mut block = [line.as_mut_ptr() as usize, line.len()];
    // SAFETY: the call writes to `line`, whose length it is given, and to `block`.
    let failed = unsafe { cortex_m_semihosting::syscall1(GET_COMMAND_LINE, block.as_mut_ptr() as usize) };
    let len = block.get(1).copied()?;
    let at = line.windows(OPTION.len()).position(|window| window == OPTION)? + OPTION.len();
    let end = line.iter().position(|&byte| byte == 0)?;
    (failed == 0 && len < line.len()).then(|| line.get(at..=end))?
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
