//! The emulated board's flash: the last megabyte of its code memory, which the emulator lets a program write, kept over the end
//! of the emulator in a file of the host that semihosting opens: `-append flash=PATH` names it.
#![allow(unsafe_code)] // memory beside the program's, and calls of the emulator

use core::slice;

use cortex_m_semihosting::{nr, syscall};

use crate::engine;
use crate::image::{self, Flash, Keep, Unkept};
use crate::platform::{Platform, SlotFailed, parts};
use crate::store::{Settings, Store};
use embedded_storage::nor_flash::NorFlash;
use shared::bundle::Bundle;
use shared::golden::Golden;
use shared::network;

/// Where the flash lies; the memory map ends the program's part there.
const BASE: *mut u8 = 0x0030_0000 as *mut u8;
/// What the emulator's command line calls the file.
const OPTION: &[u8] = b"flash=";
/// `SYS_GET_CMDLINE` of the semihosting specification.
const GET_COMMAND_LINE: usize = 0x15;

/// A part of the flash.
pub type QemuFlash = Flash<'static, Part>;
/// Slots 1 and 2.
pub type Slots = [QemuFlash; 2];

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
pub(super) fn flash() -> Option<(QemuFlash, Slots)> {
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

/// Registers of the board's FPGA: seconds since the start, a counter of the core's clock, and its divider less one.
const SECONDS: *const u32 = 0x4002_8010 as *const u32;
const COUNTER: *mut u32 = 0x4002_8018 as *mut u32;
const PRESCALE: *mut u32 = 0x4002_801c as *mut u32;
/// Ticks of the core's clock a microsecond.
const MHZ: u32 = 25;

/// The emulated board to the app.
#[derive(Debug)]
pub struct QemuPlatform {
    slots: [QemuFlash; 2],
    golden: &'static [u8],
    in_use: u8,
}

impl QemuPlatform {
    /// A board whose model, in slot `in_use`, has the vectors `golden`.
    pub fn new(slots: [QemuFlash; 2], golden: &'static [u8], in_use: u8) -> Self {
        // SAFETY: the registers are nobody else's.
        unsafe { PRESCALE.write_volatile(MHZ - 1) };
        QemuPlatform { slots, golden, in_use }
    }

    /// The slots, to start again with.
    pub fn stop(self) -> [QemuFlash; 2] {
        self.slots
    }

    fn slot_mut(&mut self, slot: u8) -> Result<&mut QemuFlash, SlotFailed> {
        self.slots.get_mut(usize::from(slot).wrapping_sub(1)).ok_or(SlotFailed)
    }
}

/// The model of the slot that `store` names with its golden vectors, where that slot holds one that can run here; else the
/// store names the program's own from now on. Generic, so that the store is compiled once, in the program.
pub fn slot_model<F: NorFlash>(store: &mut Store<F>) -> Option<(u8, Bundle<'static>, &'static [u8])> {
    let slot @ 1..=2 = store.settings().slot else {
        return None;
    };
    let range = image::slot(slot);
    // SAFETY: the range lies in the flash, and the app erases and writes the slot that is not in use only.
    let bytes = unsafe { slice::from_raw_parts(BASE.add(range.start), range.len()) };
    let (bundle, golden) = parts(bytes)?;
    if let (Ok(bundle), Ok(_)) = (Bundle::check(bundle), Golden::check(golden))
        && network::arena_words(&bundle) <= super::ARENA_WORDS
        && usize::from(bundle.header().dim) <= super::DIM
        && engine::has(&bundle.header().frontend)
    {
        return Some((slot, bundle, golden));
    }
    // Where that cannot be kept, the next start finds it out again.
    let _ = store.put(Settings { slot: 0, ..*store.settings() });
    None
}

impl Platform for QemuPlatform {
    const NAME: &'static str = "qemu mps2-an386";

    fn micros(&mut self) -> u64 {
        // SAFETY: as in `new`; reads only.
        let (seconds, counter) = unsafe { (SECONDS.read_volatile(), COUNTER.read_volatile()) };
        // The counter turns over every 71 minutes; the seconds say how often it has.
        let behind = (u64::from(seconds) * 1_000_000).saturating_sub(counter.into());
        let turns = (behind + (1 << 31)) >> 32;
        (turns << 32) + u64::from(counter)
    }

    fn footprint(&self) -> (u32, u32) {
        super::footprint()
    }

    fn golden(&self) -> Option<&[u8]> {
        Some(self.golden)
    }

    fn slot_in_use(&self) -> u8 {
        self.in_use
    }

    fn slot_len(&self) -> u32 {
        image::SLOT_LEN as u32
    }

    fn erase_slot(&mut self, slot: u8) -> Result<(), SlotFailed> {
        self.slot_mut(slot)?.erase(0, image::SLOT_LEN as u32).map_err(|_| SlotFailed)
    }

    fn write_slot(&mut self, slot: u8, offset: u32, bytes: &[u8]) -> Result<(), SlotFailed> {
        self.slot_mut(slot)?.write(offset, bytes).map_err(|_| SlotFailed)
    }

    fn slot(&self, slot: u8) -> &[u8] {
        self.slots.get(usize::from(slot).wrapping_sub(1)).map_or(&[], Flash::bytes)
    }
}
