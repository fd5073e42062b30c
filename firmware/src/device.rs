//! The main loop of a board: every source asks the one app, and decisions go to the outputs.

use embedded_hal::digital::OutputPin;
use shared::gallery::Decision;
use shared::wire::{LogLevel, Request, Response};

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

    /// Carries out `request` of somebody who stands at the board and has pressed its button, which is as good as the admin key.
    fn answer_here(&mut self, request: &Request<'_>) -> Response<'_>;

    /// From which level on is logged.
    fn log_level(&self) -> LogLevel;

    /// Whether the app is to be started again.
    fn is_over(&self) -> bool;
}

/// Answers `host` and `pad` until the app is to be started again: `now` is the time, and `idle` sleeps until there may be
/// something to do. A pad that fails is taken away.
pub fn serve<A: Answer, O: OutputPin, R: OutputPin<Error = O::Error>>(
    app: &mut A,
    host: &mut impl Source,
    pad: &mut Option<impl Source>,
    outputs: &mut Outputs<O, R>,
    now: impl Fn() -> Millis,
    idle: impl Fn(),
    tell: impl Fn(Event<'_>, LogLevel),
) {
    while !app.is_over() {
        let time = now();
        let mut is_busy = false;
        match turn(app, host, A::answer, outputs, time, &tell) {
            Ok(busy) => is_busy |= busy,
            Err(_) => tell(Event::Link, app.log_level()),
        }
        match pad.as_mut().map(|pad| turn(app, pad, A::answer_here, outputs, time, &tell)) {
            None => {}
            Some(Ok(busy)) => is_busy |= busy,
            Some(Err(_)) => {
                *pad = None;
                tell(Event::Pad, app.log_level());
            }
        }
        if outputs.tick(now()).is_err() {
            tell(Event::Output, app.log_level());
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
    answer: impl for<'a> Fn(&'a mut A, &Request<'_>) -> Response<'a>,
    outputs: &mut Outputs<O, R>,
    now: Millis,
    tell: &impl Fn(Event<'_>, LogLevel),
) -> Result<bool, S::Error> {
    let Some(request) = source.poll(now)? else {
        return Ok(false);
    };
    let level = app.log_level();
    let response = answer(app, &request);
    tell(Event::Answer(&response), level);
    if let Response::Decision(decision) = &response
        && outputs.show(matches!(decision, Decision::Match(_)), now).is_err()
    {
        tell(Event::Output, level);
    }
    source.answer(&response)?;
    Ok(true)
}
