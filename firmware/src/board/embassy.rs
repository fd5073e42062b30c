//! What the boards by embassy's HALs share.
#![allow(unsafe_code)] // two symbols of the memory map, and a timer

use core::cell::RefCell;
use core::future::Future;
use core::pin::pin;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use defmt_rtt as _;
use embassy_embedded_hal::flash::partition::BlockingPartition;
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_time::Instant;
use embedded_io::{ErrorType, Read, ReadReady, Write};
use embedded_storage::nor_flash::NorFlash;

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

/// Waits until something happens, a millisecond at most.
pub fn idle() {
    // The nRF52840's SysTick stands still while the core sleeps, and nothing else would wake it in time.
    if cfg!(feature = "nrf52840") {
        return;
    }
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
pub struct Uart<U> {
    hal: U,
    /// A byte that came when somebody asked whether there is one.
    held: Option<u8>,
}

impl<U> Uart<U> {
    pub(super) fn new(hal: U) -> Self {
        Uart { hal, held: None }
    }
}

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
        match (bytes.first_mut(), self.held.take()) {
            (Some(place), Some(byte)) => {
                *place = byte;
                Ok(1)
            }
            (_, held) => {
                self.held = held;
                wait(self.hal.read(bytes))
            }
        }
    }
}

impl<U: embedded_io_async::Read> ReadReady for Uart<U> {
    /// Reads a byte, if there is one. To ask the HAL is not enough: after noise on the line the RP2350's receives nothing more until
    /// its error has been read, and reading is what has the interrupt wake the core.
    fn read_ready(&mut self) -> Result<bool, U::Error> {
        if self.held.is_none() {
            let mut byte = [0];
            let read = pin!(self.hal.read(&mut byte)).poll(&mut Context::from_waker(Waker::noop()));
            self.held = match read {
                Poll::Ready(count) => (count? > 0).then_some(byte[0]),
                Poll::Pending => None,
            };
        }
        Ok(self.held.is_some())
    }
}

impl<U: embedded_io_async::Write> Write for Uart<U> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, U::Error> {
        wait(self.hal.write(bytes))
    }

    fn flush(&mut self) -> Result<(), U::Error> {
        wait(self.hal.flush())
    }
}

/// A flash whose parts have several owners.
pub(super) type Shared<F> = Mutex<NoopRawMutex, RefCell<F>>;
/// A part of the flash.
pub(super) type Region<F> = BlockingPartition<'static, NoopRawMutex, F>;

unsafe extern "C" {
    /// Where store and slots lie, by the memory map; there is nothing that Rust knows.
    static __store_start: u8;
    static __store_end: u8;
    static __slots_start: u8;
    static __slots_end: u8;
}

/// Where the memory map puts both slots, and how long each is.
fn slots() -> (u32, u32) {
    let (start, end) = (&raw const __slots_start as u32, &raw const __slots_end as u32);
    (start, (end - start) / 2)
}

/// A flash that is cut in parts.
pub(super) fn share<F>(flash: F) -> Shared<F> {
    Mutex::new(RefCell::new(flash))
}

/// The store's part and the slots of `flash`, which the core sees from the address `base` on.
pub(super) fn regions<F: NorFlash>(flash: &'static Shared<F>, base: u32) -> (Region<F>, [Region<F>; 2]) {
    let (start, end) = (&raw const __store_start as u32, &raw const __store_end as u32);
    let (first, len) = slots();
    let part = |start: u32, len| Region::new(flash, start - base, len);
    (part(start, end - start), [part(first, len), part(first + len, len)])
}

/// The memory of slot 1 or 2.
pub(super) fn slot_memory(slot: u8) -> *const [u8] {
    let (start, len) = slots();
    let start = if slot == 2 { start + len } else { start };
    ptr::slice_from_raw_parts(start as *const u8, len as usize)
}

/// Microseconds since the board was started.
pub(super) fn micros() -> u64 {
    Instant::now().as_micros()
}
