//! The touch controller XPT2046 (compatible: ADS7843, TSC2046) of resistive panels, by embedded-hal's SPI and its pen
//! interrupt line.
//!
//! A control byte starts a conversion: start bit, three address bits, 12 bits, differential reference, and power down after it
//! with the pen interrupt on. The result follows one clock later, 12 bits from the top; the next control byte goes out while
//! its last bits come in, so a conversion takes 16 clocks. SPI mode 0, at most 2.5 MHz.
//!
//! Several conversions are made of each axis, in one transaction. The first after a change of axis finds the panel still
//! charging and is dropped, the median of the rest is the place. The pressure is measured before and after them: a pen that
//! was lifted in between leaves no place.

use embedded_hal::digital::InputPin;
use embedded_hal::spi::SpiDevice;
use thiserror::Error;

use super::drawing::Touch;

/// The control byte that measures across, `X+` to `X-`.
pub const MEASURE_X: u8 = 0xd0;
/// The control byte that measures down, `Y+` to `Y-`.
pub const MEASURE_Y: u8 = 0x90;
/// The control byte of the first value for the pressure.
pub const MEASURE_Z1: u8 = 0xb0;
/// The control byte of the second value for the pressure.
pub const MEASURE_Z2: u8 = 0xc0;

/// Conversions of an axis whose median counts; one more is made before them.
const ROUNDS: usize = 3;
/// Every conversion of a place, in their order.
const SEQUENCE: [u8; 12] = [
    MEASURE_Z1, MEASURE_Z2, MEASURE_X, MEASURE_X, MEASURE_X, MEASURE_X, MEASURE_Y, MEASURE_Y, MEASURE_Y, MEASURE_Y,
    MEASURE_Z1, MEASURE_Z2,
];
const X_AT: usize = 3;
const Y_AT: usize = 7;
const Z_AFTER_AT: usize = 10;
/// Bytes of a transaction: a control byte each, a byte of result between them, and two after the last.
const BYTES: usize = 2 * SEQUENCE.len() + 1;
/// Steps of a conversion.
const FULL: u32 = 1 << 12;

/// How a panel is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panel {
    /// Results of the controller's X at the picture's left and right edge; of its Y where `turned`.
    pub across: [u16; 2],
    /// Results at the picture's top and bottom edge.
    pub down: [u16; 2],
    /// The controller's X runs down, its Y across.
    pub turned: bool,
    /// Width of the panel in hundredths of a millimetre.
    pub width: u16,
    /// Height of the panel in hundredths of a millimetre.
    pub height: u16,
    /// Ohms of the plate that X is measured along, from edge to edge.
    pub plate: u16,
    /// Ohms between the two plates above which nothing touches them: a finger or pen makes 100 to 1000.
    pub lightest: u16,
}

impl Panel {
    /// A panel of 2.8 inches, 320 by 240 pixels, as most modules have it.
    pub const INCHES_2_8: Panel = Panel {
        across: [200, 3900],
        down: [240, 3800],
        turned: false,
        width: 5760,
        height: 4320,
        plate: 400,
        lightest: 1000,
    };

    /// The resistance between the plates is `plate * x / 4096 * (z2 / z1 - 1)` (data sheet, "pressure measurement").
    fn is_pressed(&self, x: u16, z1: u16, z2: u16) -> bool {
        let [x, z1, z2] = [x, z1, z2].map(u64::from);
        let resistance = u64::from(self.plate) * x * z2.saturating_sub(z1);
        z1 > 0 && resistance <= u64::from(self.lightest) * u64::from(FULL) * z1
    }

    fn place(&self, x: u16, y: u16) -> Touch {
        let (across, down) = if self.turned { (y, x) } else { (x, y) };
        Touch { x: scale(across, self.across, self.width), y: scale(down, self.down, self.height) }
    }
}

/// `value` between the two `edges`, the second of which may be the lower, as a part of `side`; rounded down, within the side.
fn scale(value: u16, edges: [u16; 2], side: u16) -> u16 {
    let [value, low, high] = [value, edges[0], edges[1]].map(i32::from);
    let (part, whole) = if low <= high { (value - low, high - low) } else { (low - value, low - high) };
    let part = part.clamp(0, whole) as u32;
    // Both factors are below 2^16.
    (part * u32::from(side)).checked_div(whole as u32).unwrap_or_default() as u16
}

/// The panel cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TouchError<S, P> {
    /// By the bus.
    #[error("the touch panel does not answer over SPI")]
    Bus(S),
    /// By the pin of the pen interrupt.
    #[error("the touch panel's interrupt pin cannot be read")]
    Pin(P),
}

/// The controller of a panel.
#[derive(Debug)]
pub struct Xpt2046<S, P> {
    spi: S,
    interrupt: P,
    panel: Panel,
}

impl<S: SpiDevice, P: InputPin> Xpt2046<S, P> {
    /// The controller behind `spi`; `interrupt` is low while the panel is touched.
    pub fn new(spi: S, interrupt: P, panel: Panel) -> Self {
        Xpt2046 { spi, interrupt, panel }
    }

    /// Where the panel is touched with enough pressure; none where it is not. Without a touch nothing goes over the bus.
    pub fn touch(&mut self) -> Result<Option<Touch>, TouchError<S::Error, P::Error>> {
        if self.interrupt.is_high().map_err(TouchError::Pin)? {
            return Ok(None);
        }
        let mut bytes = [0; BYTES];
        for (byte, control) in bytes.iter_mut().step_by(2).zip(SEQUENCE) {
            *byte = control;
        }
        self.spi.transfer_in_place(&mut bytes).map_err(TouchError::Bus)?;
        let mut results = [0; SEQUENCE.len()];
        for (result, bytes) in results.iter_mut().zip(bytes.get(1..).unwrap_or_default().chunks_exact(2)) {
            let word = bytes.iter().fold(0, |word, &byte| word << 8 | u16::from(byte));
            // One clock of conversion, then 12 bits, then three of the next control byte's time.
            *result = word >> 3 & (FULL as u16 - 1);
        }
        let at = |index: usize| results.get(index).copied().unwrap_or_default();
        let (x, y) = (median(X_AT, &results), median(Y_AT, &results));
        let pressed = [0, Z_AFTER_AT].iter().all(|&z| self.panel.is_pressed(x, at(z), at(z + 1)));
        Ok(pressed.then(|| self.panel.place(x, y)))
    }
}

/// The median of the [`ROUNDS`] results from `start` on.
fn median(start: usize, results: &[u16; SEQUENCE.len()]) -> u16 {
    let mut values = [0; ROUNDS];
    values.iter_mut().zip(results.iter().skip(start)).for_each(|(value, &result)| *value = result);
    values.sort_unstable();
    values.get(ROUNDS / 2).copied().unwrap_or_default()
}
