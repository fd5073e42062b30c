//! What the bench measures with: a counter of the core, and the stack painted.
#![allow(unsafe_code)] // the stack below the caller's is read and written, and a few single instructions

use core::arch::asm;

/// Counts cycles on a real core; under the emulator's `-icount shift=0` instructions, on Cortex-M within a tick of SysTick.
#[derive(Debug)]
pub struct Counter(());

#[cfg(feature = "embassy")]
mod source {
    use cortex_m::peripheral::DWT;

    pub(super) fn start() -> Option<()> {
        let mut core = cortex_m::Peripherals::take()?;
        core.DCB.enable_trace();
        core.DWT.enable_cycle_counter();
        Some(())
    }

    pub(super) fn now() -> u32 {
        DWT::cycle_count()
    }

    pub(super) fn between(before: u32, after: u32) -> u32 {
        after.wrapping_sub(before)
    }
}

#[cfg(any(feature = "qemu", feature = "qemu-m33"))]
mod source {
    use cortex_m::peripheral::SYST;
    use cortex_m::peripheral::syst::SystClkSource;

    /// Instructions in one tick of SysTick: an instruction takes 1 ns, and the board's clock runs at 25 or 20 MHz.
    const PER_TICK: u32 = if cfg!(feature = "qemu") { 40 } else { 50 };
    const TICKS: u32 = 0x00ff_ffff;

    pub(super) fn start() -> Option<()> {
        let mut timer = cortex_m::Peripherals::take()?.SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(TICKS);
        timer.clear_current();
        timer.enable_counter();
        Some(())
    }

    pub(super) fn now() -> u32 {
        SYST::get_current()
    }

    /// SysTick counts down.
    pub(super) fn between(before: u32, after: u32) -> u32 {
        (before.wrapping_sub(after) & TICKS) * PER_TICK
    }
}

#[cfg(target_arch = "riscv32")]
mod source {
    pub(super) fn start() -> Option<()> {
        Some(())
    }

    pub(super) fn now() -> u32 {
        riscv::register::instret::read() as u32
    }

    pub(super) fn between(before: u32, after: u32) -> u32 {
        after.wrapping_sub(before)
    }
}

impl Counter {
    /// The core's counter; none where someone has it already.
    pub fn take() -> Option<Self> {
        source::start().map(Counter)
    }

    /// What `work` takes.
    pub fn count(&self, work: impl FnOnce()) -> u32 {
        let before = source::now();
        work();
        source::between(before, source::now())
    }
}

/// Runs `work` between two no-ops, `mov r10, r10` and `mov r11, r11`, that an emulator's plugin can count from and to.
#[inline(always)]
pub fn region(work: impl FnOnce()) {
    #[cfg(target_arch = "arm")]
    // SAFETY: a register is moved to itself.
    unsafe {
        asm!("mov r10, r10")
    };
    work();
    #[cfg(target_arch = "arm")]
    // SAFETY: as above.
    unsafe {
        asm!("mov r11, r11")
    };
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
        let top: *mut u32;
        #[cfg(target_arch = "arm")]
        // SAFETY: reads a register.
        unsafe {
            asm!("mov {}, sp", out(reg) top)
        };
        #[cfg(target_arch = "riscv32")]
        // SAFETY: reads a register.
        unsafe {
            asm!("mv {}, sp", out(reg) top)
        };
        for word in 1..=PAINTED {
            // SAFETY: below the stack pointer lies unused RAM; the function is inlined, so it has no frame of its own there, and
            // a handler has returned before the next word is written. What one leaves there counts as used.
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
