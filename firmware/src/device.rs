//! The main loop of a board: every source asks the one app, and decisions go to the outputs.

use embedded_hal::digital::OutputPin;
use embedded_storage::nor_flash::NorFlash;
use shared::gallery::Decision;
use shared::wire::{Fault, LogLevel, Response};

use crate::app::{App, Asker};
use crate::capture::Source;
use crate::engine::Engine;
use crate::pins::{Millis, Outputs};
use crate::platform::Platform;

/// What happened that a log may tell.
#[derive(Debug)]
pub enum Event<'a> {
    /// A request was answered.
    Answer(&'a Response<'a>),
    /// The link failed; the next frame is waited for.
    Link,
    /// The signature pad failed and is not asked again.
    Pad,
    /// An output could not be set.
    Output,
}

impl<E: Engine, F: NorFlash, P: Platform, const ROOM: usize, const DIM: usize> App<'_, E, F, P, ROOM, DIM> {
    /// Answers `host` and `pad` until another model is to be started: `now` is the time, and `idle` sleeps until there may be
    /// something to do.
    pub fn run<O: OutputPin, R: OutputPin<Error = O::Error>>(
        &mut self,
        host: &mut impl Source,
        pad: &mut Option<impl Source>,
        outputs: &mut Outputs<O, R>,
        now: impl Fn() -> Millis,
        idle: impl Fn(),
        tell: impl Fn(Event<'_>, LogLevel),
    ) {
        while !self.is_over() {
            if !self.turn(host, pad, outputs, &now, &tell) {
                idle();
            }
        }
    }

    /// Answers `host` and `pad` once; whether one of them asked. A pad that fails is taken away.
    pub fn turn<O: OutputPin, R: OutputPin<Error = O::Error>>(
        &mut self,
        host: &mut impl Source,
        pad: &mut Option<impl Source>,
        outputs: &mut Outputs<O, R>,
        now: &impl Fn() -> Millis,
        tell: &impl Fn(Event<'_>, LogLevel),
    ) -> bool {
        let mut is_busy = false;
        match self.ask((host, Asker::Link), decided, outputs, now, tell) {
            Ok(busy) => is_busy |= busy,
            Err(_) => tell(Event::Link, self.log_level()),
        }
        match pad.as_mut().map(|pad| self.ask((pad, Asker::Pad), decided_or_refused, outputs, now, tell)) {
            None => {}
            Some(Ok(busy)) => is_busy |= busy,
            Some(Err(_)) => {
                *pad = None;
                tell(Event::Pad, self.log_level());
            }
        }
        if outputs.tick(now()).is_err() {
            tell(Event::Output, self.log_level());
        }
        is_busy
    }

    /// Answers what `source` asks, if it asks; whether it did. `shown` says which output an answer turns on.
    fn ask<S: Source, O: OutputPin, R: OutputPin<Error = O::Error>>(
        &mut self,
        (source, asker): (&mut S, Asker),
        shown: impl Fn(&Response<'_>) -> Option<bool>,
        outputs: &mut Outputs<O, R>,
        now: &impl Fn() -> Millis,
        tell: &impl Fn(Event<'_>, LogLevel),
    ) -> Result<bool, S::Error> {
        let Some(request) = source.poll(now())? else {
            return Ok(false);
        };
        let level = self.log_level();
        let response = match self.heeds(asker, &request) {
            true => self.answer(&request),
            false => Response::Fault(Fault::NoSample),
        };
        tell(Event::Answer(&response), level);
        if let Some(accepted) = shown(&response)
            && outputs.show(accepted, now()).is_err()
        {
            tell(Event::Output, level);
        }
        source.answer(&response)?;
        Ok(true)
    }
}

/// Whether somebody was accepted; none where nothing was decided.
fn decided(response: &Response<'_>) -> Option<bool> {
    match response {
        Response::Decision(decision) => Some(matches!(decision, Decision::Match(_))),
        _ => None,
    }
}

/// The same for the pad, where nothing but the outputs tells of a fault. A number that is taken is none: the pad tries the next.
fn decided_or_refused(response: &Response<'_>) -> Option<bool> {
    match response {
        Response::Fault(Fault::Duplicate) => None,
        Response::Fault(_) => Some(false),
        _ => decided(response),
    }
}
