//! The main loop of a board: every source asks the one app, and decisions go to the outputs.

use embedded_hal::digital::OutputPin;
use shared::gallery::Decision;
use shared::wire::{Request, Response};

use crate::capture::Source;
use crate::pins::{Millis, Outputs};

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

/// What somebody asks, and who answers.
pub trait Answer {
    /// Carries `request` out.
    fn answer(&mut self, request: &Request<'_>) -> Response<'_>;
}

/// Answers `host` and `pad` for ever: `now` is the time, and `idle` sleeps until there may be something to do.
pub fn serve<A: Answer, O: OutputPin, R: OutputPin<Error = O::Error>>(
    app: &mut A,
    mut host: impl Source,
    mut pad: Option<impl Source>,
    mut outputs: Outputs<O, R>,
    now: impl Fn() -> Millis,
    idle: impl Fn(),
    mut tell: impl FnMut(Event<'_>),
) -> ! {
    loop {
        let time = now();
        let mut is_busy = false;
        match turn(app, &mut host, &mut outputs, time, &mut tell) {
            Ok(busy) => is_busy |= busy,
            Err(_) => tell(Event::Link),
        }
        match pad.as_mut().map(|pad| turn(app, pad, &mut outputs, time, &mut tell)) {
            None => {}
            Some(Ok(busy)) => is_busy |= busy,
            Some(Err(_)) => {
                pad = None;
                tell(Event::Pad);
            }
        }
        if outputs.tick(now()).is_err() {
            tell(Event::Output);
        }
        if !is_busy {
            idle();
        }
    }
}

/// Answers what `source` asks, if it asks; whether it did.
fn turn<A: Answer, S: Source, O: OutputPin, R: OutputPin<Error = O::Error>>(
    app: &mut A,
    source: &mut S,
    outputs: &mut Outputs<O, R>,
    now: Millis,
    tell: &mut impl FnMut(Event<'_>),
) -> Result<bool, S::Error> {
    let Some(request) = source.poll(now)? else {
        return Ok(false);
    };
    let response = app.answer(&request);
    tell(Event::Answer(&response));
    if let Response::Decision(decision) = &response
        && outputs.show(matches!(decision, Decision::Match(_)), now).is_err()
    {
        tell(Event::Output);
    }
    source.answer(&response)?;
    Ok(true)
}
