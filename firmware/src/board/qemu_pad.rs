//! A touch panel and a button of the emulated board, which somebody plays at the other end of its UART1:
//!
//! ```text
//! the board asks       and is answered
//! P                    1 where the line of the pen interrupt is high, else 0
//! B                    1 where the button's line is high, else 0
//! S, a number, bytes   as many bytes, which came over SPI while those went out
//! ```
#![allow(unsafe_code)] // the UART's registers

use embedded_hal::digital::{self, InputPin};
use embedded_hal::spi::{self, Operation, SpiDevice};

use super::qemu::{Port, millis};
use crate::capture::xpt2046::{Panel, Xpt2046};

/// Where UART1's registers lie.
const UART1: usize = 0x4000_5000;
/// How long an answer may take, in milliseconds.
const PATIENCE: u32 = 10_000;

/// Who plays panel and button does not answer, or is asked for what there is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered;

impl digital::Error for Unanswered {
    fn kind(&self) -> digital::ErrorKind {
        digital::ErrorKind::Other
    }
}

impl spi::Error for Unanswered {
    fn kind(&self) -> spi::ErrorKind {
        spi::ErrorKind::Other
    }
}

/// Who plays panel and button, at the other end of UART1.
#[derive(Clone, Copy, Debug)]
struct Player(Port<UART1>);

impl Player {
    fn tell(self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0.put_byte(byte));
    }

    fn hear(self, bytes: &mut [u8]) -> Result<(), Unanswered> {
        let since = millis();
        for byte in bytes {
            while !self.0.is_ready() {
                if millis().wrapping_sub(since) > PATIENCE {
                    return Err(Unanswered);
                }
            }
            *byte = self.0.take_byte();
        }
        Ok(())
    }
}

/// The panel's bus.
#[derive(Debug)]
pub struct Bus(Player);

impl spi::ErrorType for Bus {
    type Error = Unanswered;
}

impl SpiDevice for Bus {
    /// Transfers in place are all that the panel's driver asks for.
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), Unanswered> {
        for operation in operations {
            let Operation::TransferInPlace(bytes) = operation else {
                return Err(Unanswered);
            };
            let count = u8::try_from(bytes.len()).map_err(|_| Unanswered)?;
            self.0.tell(&[b'S', count]);
            self.0.tell(bytes);
            self.0.hear(bytes)?;
        }
        Ok(())
    }
}

/// The panel's pen interrupt, or the button.
#[derive(Debug)]
pub struct In {
    player: Player,
    question: u8,
}

impl digital::ErrorType for In {
    type Error = Unanswered;
}

impl InputPin for In {
    fn is_high(&mut self) -> Result<bool, Unanswered> {
        let mut level = [0];
        self.player.tell(&[self.question]);
        self.player.hear(&mut level)?;
        Ok(level != [0])
    }

    fn is_low(&mut self) -> Result<bool, Unanswered> {
        self.is_high().map(|high| !high)
    }
}

/// The panel and the button.
pub(super) fn take() -> (Option<Xpt2046<Bus, In>>, In) {
    // SAFETY: the board has a UART1, which this call alone opens; `qemu::take` makes it once.
    let player = Player(unsafe { Port::open(0) });
    let line = |question| In { player, question };
    (Some(Xpt2046::new(Bus(player), line(b'P'), Panel::INCHES_2_8)), line(b'B'))
}
