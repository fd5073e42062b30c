//! Boards with an STM32F405 or F407 of 1 MB, the STM32F4DISCOVERY among them. No crystal is needed: the core runs at 168 MHz
//! from the internal oscillator. While a sector of the flash is erased, for one to four seconds, the clock stands still: delays,
//! outputs and the admin session last that much longer.
//!
//! | what | where |
//! |---|---|
//! | link | PA2 sends, PA3 receives: USART2, 115200 baud |
//! | accept, reject | PC8 and PC9, high is on |
//! | button | PA0 to the supply (the Discovery's blue button) |
//! | touch panel | PB13 clock, PB15 to the panel, PB14 from it, PB12 select, PB11 pen |

use embassy_stm32::flash::{self, Bank1Region3, Blocking};
use embassy_stm32::gpio::{Input, Level, Output, Pull, Speed};
use embassy_stm32::rcc::{AHBPrescaler, APBPrescaler, Pll, PllMul, PllPDiv, PllPreDiv, PllSource, Sysclk};
use embassy_stm32::spi::{self, Spi};
use embassy_stm32::time::Hertz;
use embassy_stm32::usart::{self, BufferedInterruptHandler, BufferedUart};
use embassy_stm32::{Config, bind_interrupts, mode, pac, peripherals};
use embedded_hal_bus::spi::{ExclusiveDevice, NoDelay};

use super::Wiring;
use super::embassy::{Region, Shared, Uart, buffers, regions, share, singleton};
pub(super) use super::embassy::{micros, slot_memory};
use crate::capture::xpt2046::{Panel, Xpt2046};
use crate::pins::{ACCEPT_MS, Active, Button, Outputs, Pulse, REJECT_MS};

bind_interrupts!(struct Interrupts {
    USART2 => BufferedInterruptHandler<peripherals::USART2>;
});

/// Where the sectors of 128 KB begin in the core's memory: the store needs sectors of one size.
const FLASH: u32 = 0x0802_0000;
/// Clock of the panel's bus.
const BUS: Hertz = Hertz(2_000_000);

/// The link.
pub type Link = Uart<BufferedUart<'static>>;
/// The board's name.
pub(super) const NAME: &str = "STM32F4";
/// The flash's driver.
type Driver = Bank1Region3<'static, Blocking>;
/// A part of the flash: the store's, or a slot.
pub type SlotFlash = Region<Driver>;
/// An output.
pub type Out = Output<'static>;
/// The touch panel's bus.
pub type Bus = ExclusiveDevice<Spi<'static, mode::Blocking, spi::mode::Master>, Output<'static>, NoDelay>;
/// An input.
pub type In = Input<'static>;

/// 16 MHz / 8 * 168 / 2 = 168 MHz, and what its buses bear.
fn clocks() -> Config {
    let mut config = Config::default();
    config.rcc.hsi = true;
    config.rcc.pll_src = PllSource::HSI;
    config.rcc.pll =
        Some(Pll { prediv: PllPreDiv::DIV8, mul: PllMul::MUL168, divp: Some(PllPDiv::DIV2), divq: None, divr: None });
    config.rcc.ahb_pre = AHBPrescaler::DIV1;
    config.rcc.apb1_pre = APBPrescaler::DIV4;
    config.rcc.apb2_pre = APBPrescaler::DIV2;
    config.rcc.sys = Sysclk::PLL1_P;
    config
}

/// Everything that is wired to the board, for the first caller.
pub fn take() -> Option<Wiring> {
    let (rx, tx) = buffers()?;
    let p = embassy_stm32::init(clocks());
    // The flash needs five wait states at this clock; its caches hide them from loops.
    pac::FLASH.acr().modify(|w| {
        w.set_prften(true);
        w.set_icen(true);
        w.set_dcen(true);
    });
    let uart = usart::Config::default();
    let link = BufferedUart::new(p.USART2, p.PA3, p.PA2, tx, rx, Interrupts, uart).ok()?;
    let mut bus = spi::Config::default();
    bus.frequency = BUS;
    let bus = Spi::new_blocking(p.SPI2, p.PB13, p.PB15, p.PB14, bus);
    let Ok(bus) = ExclusiveDevice::new_no_delay(bus, Output::new(p.PB12, Level::High, Speed::Low));
    let flash = flash::Flash::new_blocking(p.FLASH).into_blocking_regions().bank1_region3;
    let flash = singleton!(: Shared<Driver> = share(flash))?;
    Some(Wiring {
        link: Uart::new(link),
        flash: regions(flash, FLASH),
        outputs: Outputs::new(
            Pulse::new(Output::new(p.PC8, Level::Low, Speed::Low), Active::High, ACCEPT_MS).ok()?,
            Pulse::new(Output::new(p.PC9, Level::Low, Speed::Low), Active::High, REJECT_MS).ok()?,
        ),
        panel: Some(Xpt2046::new(bus, Input::new(p.PB11, Pull::Up), Panel::INCHES_2_8)),
        button: Button::new(Input::new(p.PA0, Pull::Down), Active::High),
    })
}
