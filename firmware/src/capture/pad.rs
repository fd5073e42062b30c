//! A signature pad: someone writes on a touch panel, and what was written is identified; after a press of the button it is
//! enrolled, which the app does in an open admin session only.

use embedded_hal::digital::{self, InputPin};
use embedded_hal::spi::{self, SpiDevice};
use shared::frontend::{Pixels, RawHeader};
use shared::gallery::Label;
use shared::wire::{Fault, MAX_CHUNK, Request, Response};
use thiserror::Error;

use super::Source;
use super::drawing::Drawing;
use super::xpt2046::{TouchError, Xpt2046};
use crate::pins::{Button, Millis};

/// The panel is read so often.
pub const SAMPLE_MS: Millis = 5;
/// A touch that is lost for less is the panel's noise, not the end of a stroke.
pub const LIFT_MS: Millis = 20;
/// Who has not touched the panel for so long has finished.
pub const FINISHED_MS: Millis = 1000;
/// Drawings smaller than this, in hundredths of a millimetre, are not enlarged to the whole picture.
const SMALLEST: u16 = 800;
/// Points of a drawing that are kept.
pub const POINTS: usize = 256;

/// The pad cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PadError<S, P, B> {
    /// Its panel.
    #[error(transparent)]
    Touch(TouchError<S, P>),
    /// Its button.
    #[error("the button's pin cannot be read")]
    Button(B),
}

/// What fails where the panel is on `S` and `P` and the button on `B`.
type Failure<S, P, B> =
    PadError<<S as spi::ErrorType>::Error, <P as digital::ErrorType>::Error, <B as digital::ErrorType>::Error>;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Write,
    Begin,
    Chunk(usize),
    Ask,
}

/// A touch panel with a button. `PIXELS` are the bytes of the largest picture that it makes.
#[derive(Debug)]
pub struct Pad<S, P, B, const PIXELS: usize> {
    panel: Xpt2046<S, P>,
    button: Button<B>,
    width: u16,
    height: u16,
    /// Dark on light, as on paper.
    dark: bool,
    drawing: Drawing<POINTS>,
    ink: [u8; PIXELS],
    step: Step,
    sampled: Millis,
    touched: Millis,
    enrols: bool,
    label: Label,
    /// Of the next identity.
    number: u16,
}

impl<S: SpiDevice, P: InputPin, B: InputPin, const PIXELS: usize> Pad<S, P, B, PIXELS> {
    /// A pad for a model of the front end `input`; none where that takes no grey pictures of up to `PIXELS` pixels.
    pub fn new(panel: Xpt2046<S, P>, button: Button<B>, input: &Pixels) -> Option<Self> {
        let fits = input.channels == 1 && usize::from(input.width) * usize::from(input.height) <= PIXELS;
        fits.then(|| Pad {
            panel,
            button,
            width: input.width,
            height: input.height,
            dark: input.invert,
            drawing: Drawing::new(),
            ink: [0; PIXELS],
            step: Step::Write,
            sampled: 0,
            touched: 0,
            enrols: false,
            label: Label::new(),
            number: 1,
        })
    }

    /// Draws for another model from now on; nothing is asked where its pictures have more than `PIXELS` pixels.
    pub fn suit(&mut self, input: &Pixels) {
        (self.width, self.height, self.dark) = (input.width, input.height, input.invert);
        (self.step, self.enrols) = (Step::Write, false);
        self.drawing.clear();
    }

    /// Whether the next drawing will be enrolled.
    pub fn enrols(&self) -> bool {
        self.enrols
    }

    #[inline(never)]
    fn write(&mut self, now: Millis) -> Result<(), Failure<S, P, B>> {
        if self.button.poll(now).map_err(PadError::Button)? {
            self.enrols = !self.enrols;
            self.drawing.clear();
        }
        if now.wrapping_sub(self.sampled) < SAMPLE_MS {
            return Ok(());
        }
        self.sampled = now;
        if let Some(touch) = self.panel.touch().map_err(PadError::Touch)? {
            self.drawing.down(touch);
            self.touched = now;
            return Ok(());
        }
        let since = now.wrapping_sub(self.touched);
        if since >= LIFT_MS {
            self.drawing.up();
        }
        if since >= FINISHED_MS && !self.drawing.is_empty() {
            self.finish();
        }
        Ok(())
    }

    fn finish(&mut self) {
        let drawn = self.drawing.draw(self.width, self.height, SMALLEST, &mut self.ink);
        self.drawing.clear();
        if self.dark {
            self.ink.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
        }
        if drawn.is_some() {
            self.step = Step::Begin;
        }
    }

    fn request(&mut self) -> Option<Request<'_>> {
        let len = usize::from(self.width) * usize::from(self.height);
        match self.step {
            Step::Write => None,
            Step::Begin => {
                Some(Request::Begin(RawHeader::Image { width: self.width, height: self.height, channels: 1 }))
            }
            Step::Chunk(start) => {
                let bytes = self.ink.get(start..len.min(start + MAX_CHUNK))?;
                Some(Request::Chunk { offset: start as u32, bytes })
            }
            Step::Ask if self.enrols => {
                self.label = numbered(self.number);
                Some(Request::Enrol { label: &self.label })
            }
            Step::Ask => Some(Request::Identify),
        }
    }
}

/// `pad` and the number, written without `core::fmt`, which would be most of a small program.
fn numbered(number: u16) -> Label {
    let mut label = Label::new();
    // A label has room for every number.
    let _ = label.push_str("pad ");
    let mut unit = 10_000;
    while unit > 0 {
        if unit == 1 || number >= unit {
            let _ = label.push(char::from(b'0' + (number / unit % 10) as u8));
        }
        unit /= 10;
    }
    label
}

impl<S: SpiDevice, P: InputPin, B: InputPin, const PIXELS: usize> Source for Pad<S, P, B, PIXELS> {
    type Error = PadError<S::Error, P::Error, B::Error>;

    fn poll(&mut self, now: Millis) -> Result<Option<Request<'_>>, Self::Error> {
        if self.step == Step::Write {
            self.write(now)?;
        }
        Ok(self.request())
    }

    fn answer(&mut self, response: &Response<'_>) -> Result<(), Self::Error> {
        let len = usize::from(self.width) * usize::from(self.height);
        self.step = match (self.step, response) {
            (Step::Begin | Step::Chunk(_), &Response::Received(received)) => match received as usize {
                received if received < len => Step::Chunk(received),
                _ => Step::Ask,
            },
            // Somebody has this number already: the next one is tried with the same sample.
            (Step::Ask, Response::Fault(Fault::Duplicate)) if self.number < u16::MAX => {
                self.number += 1;
                Step::Ask
            }
            (Step::Ask, _) => {
                self.enrols = false;
                Step::Write
            }
            _ => Step::Write,
        };
        Ok(())
    }
}
