//! What the boards by embassy's HALs share.
#![allow(unsafe_code)] // two symbols of the memory map, and a timer

use core::future::Future;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use defmt_rtt as _;
use embassy_time::Instant;
use embedded_io::{ErrorType, Read, ReadReady, Write};
use embedded_storage::nor_flash::{self, NorFlash, ReadNorFlash};
use shared::bundle::Bundle;

use crate::platform::Platform;

pub use cortex_m::singleton;
pub use cortex_m_rt::entry;
pub use cortex_m_semihosting::hprintln as println;

use crate::pins::Millis;

/// Sets the board's clocks up, for those who measure.
pub fn prepare() {
    core::mem::forget(super::take());
}

/// Bytes that the link takes in while the core is busy: the longest frame fits.
const RX_BYTES: usize = shared::wire::MAX_FRAME.next_multiple_of(4);
/// Bytes that the link sends by itself.
const TX_BYTES: usize = 64;
/// Cycles of a millisecond of the slowest core.
const TICK: u32 = 64_000;

/// Memory of the link, for receiving and sending; once.
pub(super) fn buffers() -> Option<(&'static mut [u8; RX_BYTES], &'static mut [u8; TX_BYTES])> {
    Some((singleton!(: [u8; RX_BYTES] = [0; RX_BYTES])?, singleton!(: [u8; TX_BYTES] = [0; TX_BYTES])?))
}

/// The time since the board was started; wraps.
pub fn millis() -> Millis {
    Instant::now().as_millis() as Millis
}

/// Sleeps until something happens, a millisecond at most.
pub fn idle() {
    static TICKS: AtomicBool = AtomicBool::new(false);
    if !TICKS.swap(true, Ordering::Relaxed) {
        // SAFETY: nothing else on these boards uses SysTick.
        let mut timer = unsafe { cortex_m::Peripherals::steal() }.SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(TICK - 1);
        timer.clear_current();
        timer.enable_interrupt();
        timer.enable_counter();
    }
    cortex_m::asm::wfi();
}

/// Wakes [`idle`].
#[exception]
fn SysTick() {}

/// A UART with interrupts; reading and writing sleep meanwhile.
#[derive(Debug)]
pub struct Uart<U>(pub(super) U);

/// Polls `future`, and sleeps between. An interrupt that comes after the poll stays pending while masked, and ends the sleep.
fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        let poll = cortex_m::interrupt::free(|_| {
            let poll = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if poll.is_pending() {
                cortex_m::asm::wfi();
            }
            poll
        });
        if let Poll::Ready(output) = poll {
            return output;
        }
    }
}

impl<U: embedded_io_async::ErrorType> ErrorType for Uart<U> {
    type Error = U::Error;
}

impl<U: embedded_io_async::Read> Read for Uart<U> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, U::Error> {
        wait(self.0.read(bytes))
    }
}

impl<U: embedded_io_async::ReadReady> ReadReady for Uart<U> {
    fn read_ready(&mut self) -> Result<bool, U::Error> {
        self.0.read_ready()
    }
}

impl<U: embedded_io_async::Write> Write for Uart<U> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, U::Error> {
        wait(self.0.write(bytes))
    }

    fn flush(&mut self) -> Result<(), U::Error> {
        wait(self.0.flush())
    }
}

/// The part of a flash that the memory map calls `STORE`.
#[derive(Debug)]
pub struct Region<F> {
    flash: F,
    /// Of the region in `flash`.
    start: u32,
    len: u32,
}

unsafe extern "C" {
    /// The region's ends, by the memory map; nothing lies there that Rust knows.
    static __store_start: u8;
    static __store_end: u8;
}

impl<F> Region<F> {
    /// The region in `flash`, which the core sees from the address `base` on.
    pub(super) fn new(flash: F, base: u32) -> Self {
        let (start, end) = (&raw const __store_start as u32, &raw const __store_end as u32);
        Region { flash, start: start - base, len: end - start }
    }

    /// Where `offset` lies in the flash; past its end where it lies outside of the region.
    fn at(&self, offset: u32) -> u32 {
        if offset <= self.len { self.start + offset } else { u32::MAX }
    }
}

impl<F: nor_flash::ErrorType> nor_flash::ErrorType for Region<F> {
    type Error = F::Error;
}

impl<F: ReadNorFlash> ReadNorFlash for Region<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.flash.read(self.at(offset), bytes)
    }

    fn capacity(&self) -> usize {
        self.len as usize
    }
}

impl<F: NorFlash> NorFlash for Region<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        self.flash.erase(self.at(from), self.at(to))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.flash.write(self.at(offset), bytes)
    }
}

/// These boards have no slots: another model is built in.
pub type Slots = ();

/// None: there are no slots.
pub fn slot_model<F>(_store: &mut crate::store::Store<F>) -> Option<(u8, Bundle<'static>, &'static [u8])> {
    None
}

/// The board to the app.
#[derive(Debug)]
pub struct BoardPlatform {
    golden: &'static [u8],
    /// Milliseconds that the counter has turned over, and what it showed last.
    turned: u64,
    last: Millis,
}

impl BoardPlatform {
    /// A board whose model has the vectors `golden`.
    pub fn new(_slots: Slots, golden: &'static [u8], _in_use: u8) -> Self {
        BoardPlatform { golden, turned: 0, last: 0 }
    }

    /// The slots, to start again with.
    pub fn stop(self) -> Slots {}
}

impl Platform for BoardPlatform {
    const NAME: &'static str = super::chosen::NAME;

    fn micros(&mut self) -> u64 {
        let now = millis();
        if now < self.last {
            self.turned += 1 << 32;
        }
        self.last = now;
        (self.turned + u64::from(now)) * 1000
    }

    fn footprint(&self) -> (u32, u32) {
        super::footprint()
    }

    fn golden(&self) -> Option<&[u8]> {
        Some(self.golden)
    }
}
