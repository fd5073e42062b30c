//! Plays the touch panel and the button of a board, reading after reading, so that every board finds the same at its readings
//! however fast it makes them.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use embedded_hal::digital::{self, InputPin};
use embedded_hal::spi::{self, Operation, SpiDevice};
use firmware::capture::pad::{FINISHED_MS, LIFT_MS, SAMPLE_MS};
use firmware::capture::xpt2046::{MEASURE_X, MEASURE_Y, MEASURE_Z1};

/// A place on the panel as the controller measures it: across and down.
pub type Place = [u16; 2];

/// Readings of the button that a press lasts, and as many after it: longer than it bounces.
const PRESSED: usize = 40;
/// Readings of the panel between two strokes, which end one, and after the last, which end the drawing.
const LIFTED: usize = 1 + (LIFT_MS / SAMPLE_MS) as usize;
const FINISHED: usize = 1 + (FINISHED_MS / SAMPLE_MS) as usize;
/// Readings from one place of a stroke to the next.
const STEPS: u16 = 12;
/// What the controller measures of a pen's pressure.
const PRESSURE: [u16; 2] = [1000, 1600];

/// What a hand does next.
#[derive(Debug, Default)]
struct Doing {
    button: VecDeque<bool>,
    pen: VecDeque<Option<Place>>,
    touched: Option<Place>,
}

/// A hand at a board.
#[derive(Clone, Debug, Default)]
pub struct Hand(Arc<Mutex<Doing>>);

impl Hand {
    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Presses the button, and draws no more until that is done.
    pub fn press(&self) {
        let readings = (0..2 * PRESSED).map(|reading| reading < PRESSED);
        self.doing().button.extend(readings);
    }

    /// Draws strokes from place to place, and waits until the drawing counts as finished.
    pub fn draw(&self, strokes: &[&[Place]]) {
        let mut doing = self.doing();
        for stroke in strokes {
            for ends in stroke.windows(2) {
                let between = |k: usize, step: u16| {
                    let [from, to] = [ends[0][k], ends[1][k]].map(i32::from);
                    (from + (to - from) * i32::from(step) / i32::from(STEPS)) as u16
                };
                doing.pen.extend((0..=STEPS).map(|step| Some([between(0, step), between(1, step)])));
            }
            doing.pen.extend([None; LIFTED]);
        }
        doing.pen.extend([None; FINISHED]);
    }

    /// Whether everything was read.
    pub fn is_idle(&self) -> bool {
        let doing = self.doing();
        doing.button.is_empty() && doing.pen.is_empty()
    }

    /// The level of the button's line.
    fn button(&self) -> bool {
        self.doing().button.pop_front().unwrap_or(false)
    }

    /// The level of the pen interrupt's line, low while the panel is touched.
    fn interrupt(&self) -> bool {
        let mut doing = self.doing();
        doing.touched = if doing.button.is_empty() { doing.pen.pop_front().flatten() } else { None };
        doing.touched.is_none()
    }

    /// What comes over SPI while `bytes` go out: to every control byte the result, one clock later.
    fn transfer(&self, bytes: &mut [u8]) {
        let [x, y] = self.doing().touched.unwrap_or_default();
        let results: Vec<u16> = bytes
            .iter()
            .step_by(2)
            .map(|&control| match control {
                MEASURE_X => x,
                MEASURE_Y => y,
                MEASURE_Z1 => PRESSURE[0],
                _ => PRESSURE[1],
            })
            .collect();
        bytes.fill(0);
        for (word, result) in bytes[1..].chunks_exact_mut(2).zip(results) {
            word.copy_from_slice(&(result << 3).to_be_bytes());
        }
    }

    /// Answers the emulated board over its second UART until that is closed.
    pub fn play(&self, mut board: UnixStream) -> io::Result<()> {
        let mut question = [0];
        while board.read(&mut question)? > 0 {
            match &question {
                b"P" => board.write_all(&[self.interrupt().into()])?,
                b"B" => board.write_all(&[self.button().into()])?,
                _ => {
                    let mut count = [0];
                    board.read_exact(&mut count)?;
                    let mut bytes = vec![0; count[0].into()];
                    board.read_exact(&mut bytes)?;
                    self.transfer(&mut bytes);
                    board.write_all(&bytes)?;
                }
            }
        }
        Ok(())
    }

    /// The panel's bus, the line of its interrupt and that of the button, of a board on the desktop.
    pub fn wires(&self) -> (Bus, Line, Line) {
        let line = |read| Line { hand: self.clone(), read };
        (Bus(self.clone()), line(Hand::interrupt), line(Hand::button))
    }
}

/// The panel's bus.
#[derive(Debug)]
pub struct Bus(Hand);

impl spi::ErrorType for Bus {
    type Error = Infallible;
}

impl SpiDevice for Bus {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), Infallible> {
        for operation in operations {
            match operation {
                Operation::TransferInPlace(bytes) => self.0.transfer(bytes),
                _ => unreachable!("the driver transfers in place"),
            }
        }
        Ok(())
    }
}

/// A line that is read.
#[derive(Debug)]
pub struct Line {
    hand: Hand,
    read: fn(&Hand) -> bool,
}

impl digital::ErrorType for Line {
    type Error = Infallible;
}

impl InputPin for Line {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok((self.read)(&self.hand))
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        self.is_high().map(|high| !high)
    }
}
