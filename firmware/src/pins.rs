//! What a lock is wired to: an output for yes, one for no, and a button, by the traits of embedded-hal.
//!
//! Nothing here waits. Whoever runs the main loop passes the time in milliseconds, which may wrap, and calls
//! [`Outputs::tick`] and [`Button::poll`] at least every few milliseconds.

use core::convert::Infallible;

use embedded_hal::digital::{self, InputPin, OutputPin, PinState};
use embedded_hal::spi::{self, Operation, SpiDevice};
use shared::wire::{Request, Response};

use crate::capture::Source;

/// Milliseconds since some moment; wraps after 49 days.
pub type Millis = u32;

/// How long the accept output stays on where a board does not say otherwise: a door's strike.
pub const ACCEPT_MS: Millis = 3000;
/// How long the reject output stays on where a board does not say otherwise: a lamp.
pub const REJECT_MS: Millis = 1000;
/// How long a button's level has to last to count.
pub const DEBOUNCE_MS: Millis = 20;

/// Which level of a pin means on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Active {
    /// A high level.
    High,
    /// A low level.
    Low,
}

impl Active {
    fn level(self, on: bool) -> PinState {
        PinState::from(on == (self == Active::High))
    }
}

/// One output that turns itself off again.
#[derive(Debug)]
pub struct Pulse<P> {
    pin: P,
    active: Active,
    length: Millis,
    since: Option<Millis>,
}

impl<P: OutputPin> Pulse<P> {
    /// An output that is off; `length` is how long it stays on, in milliseconds.
    pub fn new(pin: P, active: Active, length: Millis) -> Result<Self, P::Error> {
        let mut pulse = Pulse { pin, active, length, since: None };
        pulse.off()?;
        Ok(pulse)
    }

    /// Turns the output on until `length` milliseconds after `now`, however long it was on before.
    pub fn on(&mut self, now: Millis) -> Result<(), P::Error> {
        self.since = Some(now);
        self.pin.set_state(self.active.level(true))
    }

    /// Turns the output off.
    pub fn off(&mut self) -> Result<(), P::Error> {
        self.since = None;
        self.pin.set_state(self.active.level(false))
    }

    /// Turns the output off where its time is over.
    pub fn tick(&mut self, now: Millis) -> Result<(), P::Error> {
        match self.since {
            Some(since) if now.wrapping_sub(since) >= self.length => self.off(),
            _ => Ok(()),
        }
    }
}

/// The two outputs of a decision; never both are on.
#[derive(Debug)]
pub struct Outputs<A, R> {
    accept: Pulse<A>,
    reject: Pulse<R>,
}

impl<A: OutputPin, R: OutputPin<Error = A::Error>> Outputs<A, R> {
    /// Both outputs, off.
    pub fn new(accept: Pulse<A>, reject: Pulse<R>) -> Self {
        Outputs { accept, reject }
    }

    /// Shows a decision from `now` on, in place of the one before.
    pub fn show(&mut self, accepted: bool, now: Millis) -> Result<(), A::Error> {
        if accepted {
            self.reject.off()?;
            self.accept.on(now)
        } else {
            self.accept.off()?;
            self.reject.on(now)
        }
    }

    /// Turns off what was on for long enough.
    pub fn tick(&mut self, now: Millis) -> Result<(), A::Error> {
        self.accept.tick(now)?;
        self.reject.tick(now)
    }
}

/// A button; its level counts once it has lasted [`DEBOUNCE_MS`].
#[derive(Debug)]
pub struct Button<P> {
    pin: P,
    active: Active,
    pressed: bool,
    /// Since when the pin has been at the other level than `pressed` says.
    changed: Option<Millis>,
}

impl<P: InputPin> Button<P> {
    /// A button that is not pressed.
    pub fn new(pin: P, active: Active) -> Self {
        Button { pin, active, pressed: false, changed: None }
    }

    /// Reads the pin; true once a press, as soon as its level has lasted.
    pub fn poll(&mut self, now: Millis) -> Result<bool, P::Error> {
        let level = PinState::from(self.pin.is_high()?) == self.active.level(true);
        if level == self.pressed {
            self.changed = None;
            return Ok(false);
        }
        let since = *self.changed.get_or_insert(now);
        if now.wrapping_sub(since) < DEBOUNCE_MS {
            return Ok(false);
        }
        self.changed = None;
        self.pressed = level;
        Ok(level)
    }
}

/// A pin or bus that nothing is wired to: it takes everything, and always reads low.
#[derive(Clone, Copy, Debug)]
pub struct Unwired;

impl digital::ErrorType for Unwired {
    type Error = Infallible;
}

impl OutputPin for Unwired {
    fn set_low(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl InputPin for Unwired {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(false)
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(true)
    }
}

impl spi::ErrorType for Unwired {
    type Error = Infallible;
}

impl SpiDevice for Unwired {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), Infallible> {
        for operation in operations {
            if let Operation::Read(bytes) | Operation::Transfer(bytes, _) | Operation::TransferInPlace(bytes) =
                operation
            {
                bytes.fill(0);
            }
        }
        Ok(())
    }
}

/// The bus and the pad of a board that has none: there is no value of this type, so that nothing is compiled of what would
/// use it.
#[derive(Debug)]
pub enum Absent {}

impl spi::ErrorType for Absent {
    type Error = Infallible;
}

impl Source for Absent {
    type Error = Infallible;

    fn poll(&mut self, _now: Millis) -> Result<Option<Request<'_>>, Infallible> {
        match *self {}
    }

    fn answer(&mut self, _response: &Response<'_>) -> Result<(), Infallible> {
        match *self {}
    }
}

impl SpiDevice for Absent {
    fn transaction(&mut self, _operations: &mut [Operation<'_, u8>]) -> Result<(), Infallible> {
        match *self {}
    }
}
