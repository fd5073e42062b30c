//! What the bench measures with: a counter of the core, and the stack painted.
#![allow(unsafe_code)] // the stack below the caller's is read and written, and two markers are single instructions

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;

/// Instructions of the emulator in one tick of SysTick, under `-icount shift=0`: an instruction takes 1 ns there, and the
/// board's clock runs at 25 MHz.
const PER_TICK: u32 = 40;

/// Counts instructions in the emulator, within one tick.
#[derive(Debug)]
pub struct Counter(());

impl Counter {
    /// The core's counter; none where someone took the core's peripherals already.
    pub fn take() -> Option<Self> {
        let mut timer = cortex_m::Peripherals::take()?.SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(0x00ff_ffff);
        timer.clear_current();
        timer.enable_counter();
        Some(Counter(()))
    }

    /// What `work` takes.
    pub fn count(&self, work: impl FnOnce()) -> u32 {
        let before = SYST::get_current();
        work();
        (before.wrapping_sub(SYST::get_current()) & 0x00ff_ffff) * PER_TICK
    }
}

/// Runs `work` between the markers of the emulator's plugin `m4cycles`; the core takes them for no-ops.
#[inline(always)]
pub fn region(work: impl FnOnce()) {
    // SAFETY: a register is moved to itself.
    unsafe { core::arch::asm!("mov r10, r10") };
    work();
    // SAFETY: as above.
    unsafe { core::arch::asm!("mov r11, r11") };
}

/// Words of stack that are painted, more than any network takes.
const PAINTED: usize = 1024;
const PAINT: u32 = 0x5aa5_c33c;

/// The stack below the caller of [`Stack::paint`], painted.
#[derive(Debug)]
pub struct Stack {
    top: *mut u32,
}

impl Stack {
    /// Paints what lies below the stack pointer.
    #[inline(always)]
    pub fn paint() -> Self {
        let top = cortex_m::register::msp::read() as *mut u32;
        for word in 1..=PAINTED {
            // SAFETY: below the stack pointer lies unused RAM, which no handler uses while interrupts have no source; the
            // function is inlined, so it has no frame of its own there.
            unsafe { top.sub(word).write_volatile(PAINT) };
        }
        Stack { top }
    }

    /// Bytes from the stack pointer that was painted at down to the lowest word that has changed since.
    pub fn used(&self) -> usize {
        let untouched = (1..=PAINTED).rev().take_while(|&word| {
            // SAFETY: as in `paint`; reads only.
            unsafe { self.top.sub(word).read_volatile() == PAINT }
        });
        (PAINTED - untouched.count()) * 4
    }
}
