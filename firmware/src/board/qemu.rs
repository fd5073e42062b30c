//! QEMU's `mps2-an386`: a Cortex-M4F whose console is semihosting, whose link is a CMSDK UART, and whose two lamps show decisions:
//! bits 0 (yes) and 1 (no) of the register at 0x40028000. With the feature `qemu-pad` it has a panel to write on and a button.
#![allow(unsafe_code)] // registers, and handlers that the vector table calls

use core::convert::Infallible;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{NVIC, SCB};
use defmt_semihosting as _;
use embedded_hal::digital::{self, OutputPin};
use embedded_io::{ErrorType, Read, ReadReady, Write};

pub use cortex_m::singleton;
pub use cortex_m_rt::entry;
pub use cortex_m_semihosting::hprintln as println;

use super::Wiring;
pub(super) use super::qemu_flash::{QemuFlash as SlotFlash, slot_memory};
#[cfg(feature = "qemu-pad")]
use super::qemu_pad as pad;
use crate::pins::{ACCEPT_MS, Active, Button, Millis, Outputs, Pulse, REJECT_MS};

/// The link.
pub type Link = Uart;
/// An output.
pub type Out = Lamp;
/// The touch panel's bus.
pub type Bus = pad::Bus;
/// An input.
pub type In = pad::In;

/// The board's name.
pub(super) const NAME: &str = "qemu mps2-an386";

/// Registers of the board's FPGA: the lamps, one a bit, seconds and hundredths of them since the start, a counter of the core's clock, and its divider
/// less one.
const LAMPS: *mut u32 = 0x4002_8000 as *mut u32;
const SECONDS: *const u32 = 0x4002_8010 as *const u32;
const CENTISECONDS: *const u32 = 0x4002_8014 as *const u32;
const COUNTER: *mut u32 = 0x4002_8018 as *mut u32;
const PRESCALE: *mut u32 = 0x4002_801c as *mut u32;
/// Ticks of the core's clock a microsecond.
const MHZ: u32 = 25;
/// The longest sleep, in microseconds.
const NAP: u32 = 10_000;

/// Where UART0's registers lie.
const UART0: usize = 0x4000_4000;
/// A UART's registers: data, state, control, interrupt status and clear, baud divider; one word each.
const DATA: usize = 0;
const STATE: usize = 1;
const CONTROL: usize = 2;
const INTERRUPT: usize = 3;
const BAUD_DIVIDER: usize = 4;

const STATE_TX_FULL: u32 = 1;
const STATE_RX_FULL: u32 = 2;
const CONTROL_TX_RX: u32 = 0b11;
const CONTROL_RX_INTERRUPT: u32 = 0b1000;
const INTERRUPT_RX: u32 = 2;
/// The smallest divider that the UART accepts; the emulator moves bytes at any speed.
const FASTEST: u32 = 16;

/// The receive interrupt of UART0.
#[derive(Clone, Copy)]
struct Received;

// SAFETY: 0 is the number of UART0's receive interrupt on this board, and it is within the vector table.
unsafe impl InterruptNumber for Received {
    fn number(self) -> u16 {
        0
    }
}

unsafe extern "C" {
    /// The handler of whatever has none.
    safe fn DefaultHandler();
}

/// The vector table behind the exceptions: interrupts are masked from the start, so no other one is ever taken.
// SAFETY: the section and the name are those that the linker script of `cortex-m-rt` reads.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [extern "C" fn(); 1] = [DefaultHandler];

/// A UART, whose registers lie at `AT`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port<const AT: usize>(());

impl<const AT: usize> Port<AT> {
    /// The UART at `AT`, turned on, with these bits in its control register besides.
    ///
    /// # Safety
    ///
    /// A UART has its registers there, and nothing but this port and its copies uses it.
    pub(super) unsafe fn open(control: u32) -> Self {
        let port = Port(());
        port.set(BAUD_DIVIDER, FASTEST);
        port.set(CONTROL, CONTROL_TX_RX | control);
        port
    }

    fn get(&self, register: usize) -> u32 {
        // SAFETY: `register` is one of the constants above, all within the page of a UART that is this port's, by `open`.
        unsafe { (AT as *mut u32).add(register).read_volatile() }
    }

    fn set(&self, register: usize, value: u32) {
        // SAFETY: as in `get`.
        unsafe { (AT as *mut u32).add(register).write_volatile(value) }
    }

    /// Whether a byte has come.
    pub(super) fn is_ready(&self) -> bool {
        self.get(STATE) & STATE_RX_FULL != 0
    }

    /// The byte that has come.
    pub(super) fn take_byte(&self) -> u8 {
        self.get(DATA) as u8
    }

    /// Waits until the byte before this one is on its way.
    pub(super) fn put_byte(&self, byte: u8) {
        self.drain();
        self.set(DATA, byte.into());
    }

    fn drain(&self) {
        while self.get(STATE) & STATE_TX_FULL != 0 {}
    }
}

/// UART0. A read sleeps until there is a byte.
#[derive(Debug)]
pub struct Uart(Port<UART0>);

impl Uart {
    /// Takes the UART; none where someone has it already.
    pub fn take() -> Option<Self> {
        // The core's peripherals can be taken once, and with them this one.
        let mut timer = cortex_m::Peripherals::take()?.SYST;
        // With interrupts masked, a pending one still ends `wfi`, and no handler runs.
        cortex_m::interrupt::disable();
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(NAP * MHZ - 1);
        timer.clear_current();
        timer.enable_interrupt();
        timer.enable_counter();
        // SAFETY: UART0 is there; the core's peripherals were taken above for it alone.
        let port = unsafe { Port::open(CONTROL_RX_INTERRUPT) };
        // SAFETY: interrupts are masked and stay so, hence no critical section can be broken.
        unsafe { NVIC::unmask(Received) };
        Some(Uart(port))
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = bytes.first_mut() else {
            return Ok(0);
        };
        while !self.0.is_ready() {
            cortex_m::asm::wfi();
        }
        // The next byte can come only once this one was taken, so nothing pending is lost here.
        self.0.set(INTERRUPT, INTERRUPT_RX);
        NVIC::unpend(Received);
        *first = self.0.take_byte();
        Ok(1)
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        bytes.iter().for_each(|&byte| self.0.put_byte(byte));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.0.drain();
        Ok(())
    }
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.is_ready())
    }
}

/// One of the board's lamps.
#[derive(Debug)]
pub struct Lamp {
    bit: u32,
}

impl Lamp {
    fn set(&self, on: bool) {
        // SAFETY: the register is the lamps' only, and nothing interrupts its change.
        unsafe {
            let others = LAMPS.read_volatile() & !self.bit;
            LAMPS.write_volatile(if on { others | self.bit } else { others });
        }
    }
}

impl digital::ErrorType for Lamp {
    type Error = Infallible;
}

impl OutputPin for Lamp {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.set(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.set(true);
        Ok(())
    }
}

/// No panel and no button.
#[cfg(not(feature = "qemu-pad"))]
mod pad {
    use crate::capture::xpt2046::Xpt2046;
    pub(super) use crate::pins::{Absent as Bus, Unwired as In};

    pub(super) fn take() -> (Option<Xpt2046<Bus, In>>, In) {
        (None, In)
    }
}

/// Everything that is wired to the board, for the first caller.
pub fn take() -> Option<Wiring> {
    // SAFETY: the register is nobody else's.
    unsafe { PRESCALE.write_volatile(MHZ - 1) };
    let link = Uart::take()?;
    let (panel, button) = pad::take();
    Some(Wiring {
        link,
        flash: super::qemu_flash::flash()?,
        outputs: Outputs::new(
            Pulse::new(Lamp { bit: 1 }, Active::High, ACCEPT_MS).ok()?,
            Pulse::new(Lamp { bit: 2 }, Active::High, REJECT_MS).ok()?,
        ),
        panel,
        button: Button::new(button, Active::High),
    })
}

/// The time since the board was started, in steps of 10 ms; wraps.
pub fn millis() -> Millis {
    // SAFETY: a counter of the board, read only.
    unsafe { CENTISECONDS.read_volatile() }.wrapping_mul(10)
}

/// Microseconds since the board was started.
pub(super) fn micros() -> u64 {
    // SAFETY: counters of the board, read only.
    let (seconds, counter) = unsafe { (SECONDS.read_volatile(), COUNTER.read_volatile()) };
    // The counter turns over every 71 minutes; the seconds say how often it has.
    let behind = (u64::from(seconds) * 1_000_000).saturating_sub(counter.into());
    let turns = (behind + (1 << 31)) >> 32;
    (turns << 32) + u64::from(counter)
}

/// Sleeps until a byte comes, for 10 ms at most.
pub fn idle() {
    // With interrupts masked, a pending one still ends the sleep; the byte's stays so until it is read.
    cortex_m::asm::wfi();
    SCB::clear_pendst();
}

/// The emulator needs no clocks.
pub fn prepare() {}
