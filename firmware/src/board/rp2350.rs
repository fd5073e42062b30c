//! Raspberry Pi Pico 2 (RP2350A).
//!
//! | what | where |
//! |---|---|
//! | link | GP0 sends, GP1 receives: the UART of a Debug Probe, 115200 baud |
//! | accept, reject | GP25 (the LED) and GP15, high is on |
//! | button | GP14 to ground |
//! | touch panel | GP18 clock, GP19 to the panel, GP16 from it, GP17 select, GP20 pen |

use embassy_rp::flash::{self, Blocking};
use embassy_rp::gpio::{Input, Level, Output, Pull};
use embassy_rp::spi::{self, Spi};
use embassy_rp::uart::{self, BufferedInterruptHandler, BufferedUart};
use embassy_rp::{bind_interrupts, config, peripherals};
use embedded_hal_bus::spi::{ExclusiveDevice, NoDelay};

use super::Wiring;
use super::embassy::{Region, Shared, Uart, buffers, regions, share, singleton};
pub(super) use super::embassy::{micros, slot_memory};
use crate::capture::xpt2046::{Panel, Xpt2046};
use crate::pins::{ACCEPT_MS, Active, Button, Outputs, Pulse, REJECT_MS};

bind_interrupts!(struct Interrupts {
    UART0_IRQ => BufferedInterruptHandler<peripherals::UART0>;
});

/// Where the flash begins in the core's memory.
const FLASH: u32 = 0x1000_0000;
/// Bytes of the board's flash.
const FLASH_SIZE: usize = 4 << 20;
/// Clock of the panel's bus, in Hz.
const BUS_HZ: u32 = 2_000_000;

/// The link.
pub type Link = Uart<BufferedUart>;
/// The board's name.
pub(super) const NAME: &str = "Raspberry Pi Pico 2";
/// The flash's driver.
type Driver = flash::Flash<'static, peripherals::FLASH, Blocking, FLASH_SIZE>;
/// A part of the flash: the store's, or a slot.
pub type SlotFlash = Region<Driver>;
/// An output.
pub type Out = Output<'static>;
/// The touch panel's bus.
pub type Bus = ExclusiveDevice<Spi<'static, peripherals::SPI0, spi::Blocking>, Output<'static>, NoDelay>;
/// An input.
pub type In = Input<'static>;

/// Everything that is wired to the board, for the first caller.
pub fn take() -> Option<Wiring> {
    let (rx, tx) = buffers()?;
    let p = embassy_rp::init(config::Config::default());
    let link = BufferedUart::new(p.UART0, p.PIN_0, p.PIN_1, Interrupts, tx, rx, uart::Config::default());
    let mut bus = spi::Config::default();
    bus.frequency = BUS_HZ;
    let bus = Spi::new_blocking(p.SPI0, p.PIN_18, p.PIN_19, p.PIN_16, bus);
    let Ok(bus) = ExclusiveDevice::new_no_delay(bus, Output::new(p.PIN_17, Level::High));
    let flash = singleton!(: Shared<Driver> = share(flash::Flash::new_blocking(p.FLASH)))?;
    Some(Wiring {
        link: Uart::new(link),
        flash: regions(flash, FLASH),
        outputs: Outputs::new(
            Pulse::new(Output::new(p.PIN_25, Level::Low), Active::High, ACCEPT_MS).ok()?,
            Pulse::new(Output::new(p.PIN_15, Level::Low), Active::High, REJECT_MS).ok()?,
        ),
        panel: Some(Xpt2046::new(bus, Input::new(p.PIN_20, Pull::Up), Panel::INCHES_2_8)),
        button: Button::new(Input::new(p.PIN_14, Pull::Up), Active::Low),
    })
}
