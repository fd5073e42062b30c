//! nRF52840-DK (PCA10056): its UART at the on-board probe, a touch panel at the Arduino header.
//!
//! | what | where |
//! |---|---|
//! | link | P0.06 sends, P0.08 receives: a serial port of the probe's USB, 115200 baud |
//! | accept, reject | P0.13 and P0.14: LED 1 and 2, low is on |
//! | button | P0.11: button 1, low is pressed |
//! | touch panel | P1.15 clock, P1.13 to the panel, P1.14 from it, P1.12 select, P1.11 pen (D13, D11, D12, D10, D9) |

use embassy_nrf::buffered_uarte::{self, BufferedUarte};
use embassy_nrf::config::HfclkSource;
use embassy_nrf::gpio::{Input, Level, Output, OutputDrive, Pull};
use embassy_nrf::nvmc::Nvmc;
use embassy_nrf::spim::{self, Spim};
use embassy_nrf::{bind_interrupts, config, peripherals, uarte};
use embedded_hal_bus::spi::{ExclusiveDevice, NoDelay};

use super::Wiring;
use super::embassy::{Region, Shared, Uart, buffers, regions, share, singleton};
pub(super) use super::embassy::{micros, slot_memory};
use crate::capture::xpt2046::{Panel, Xpt2046};
use crate::pins::{ACCEPT_MS, Active, Button, Outputs, Pulse, REJECT_MS};

bind_interrupts!(struct Interrupts {
    UARTE0 => buffered_uarte::InterruptHandler<peripherals::UARTE0>;
    SPI2 => spim::InterruptHandler<peripherals::SPI2>;
});

/// Where the flash begins in the core's memory.
const FLASH: u32 = 0;

/// The link.
pub type Link = Uart<BufferedUarte<'static>>;
/// The board's name.
pub(super) const NAME: &str = "nRF52840-DK";
/// The flash's driver.
type Driver = Nvmc<'static>;
/// A part of the flash: the store's, or a slot.
pub type SlotFlash = Region<Driver>;
/// An output.
pub type Out = Output<'static>;
/// The touch panel's bus.
pub type Bus = ExclusiveDevice<Spim<'static>, Output<'static>, NoDelay>;
/// An input.
pub type In = Input<'static>;

/// Everything that is wired to the board, for the first caller.
pub fn take() -> Option<Wiring> {
    let mut config = config::Config::default();
    config.hfclk_source = HfclkSource::ExternalXtal;
    let (rx, tx) = buffers()?;
    let p = embassy_nrf::init(config);
    let mut uart = uarte::Config::default();
    uart.baudrate = uarte::Baudrate::Baud115200;
    let link = BufferedUarte::new(
        p.UARTE0,
        p.TIMER1,
        p.PPI_CH0,
        p.PPI_CH1,
        p.PPI_GROUP0,
        p.P0_08,
        p.P0_06,
        Interrupts,
        uart,
        rx,
        tx,
    );
    let mut bus = spim::Config::default();
    bus.frequency = spim::Frequency::M2;
    let bus = Spim::new(p.SPI2, Interrupts, p.P1_15, p.P1_14, p.P1_13, bus);
    let select = Output::new(p.P1_12, Level::High, OutputDrive::Standard);
    let Ok(bus) = ExclusiveDevice::new_no_delay(bus, select);
    let pen = Input::new(p.P1_11, Pull::Up);
    let flash = singleton!(: Shared<Driver> = share(Nvmc::new(p.NVMC)))?;
    Some(Wiring {
        link: Uart::new(link),
        flash: regions(flash, FLASH),
        outputs: Outputs::new(
            Pulse::new(Output::new(p.P0_13, Level::High, OutputDrive::Standard), Active::Low, ACCEPT_MS).ok()?,
            Pulse::new(Output::new(p.P0_14, Level::High, OutputDrive::Standard), Active::Low, REJECT_MS).ok()?,
        ),
        panel: Some(Xpt2046::new(bus, pen, Panel::INCHES_2_8)),
        button: Button::new(Input::new(p.P0_11, Pull::Up), Active::Low),
    })
}
