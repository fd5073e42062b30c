//! What a training shows of itself while it goes on.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::train::Event;

/// A bar on a terminal, plain lines elsewhere.
pub(in crate::cmd) struct Progress {
    bar: ProgressBar,
    plain: bool,
    phase: Option<Timing>,
    pub(super) kept: Option<Kept>,
}

/// The measurement whose network is kept.
pub(super) struct Kept {
    pub(super) phase: usize,
    pub(super) step: usize,
    pub(super) eer: f64,
}

/// Rate and time left are reckoned from this much of the past at least, and twice as much at most: what came before, as a GPU's
/// kernels that are compiled in the first step, says little about what comes.
const WINDOW: Duration = Duration::from_secs(30);

/// What rate and time left are reckoned from.
struct Timing {
    /// When the window before this one and this one began, and how many steps were done then.
    marks: [(Instant, usize); 2],
    steps: usize,
    batch: usize,
}

impl Progress {
    pub(in crate::cmd) fn new() -> Progress {
        Progress { bar: ProgressBar::hidden(), plain: !std::io::stderr().is_terminal(), phase: None, kept: None }
    }

    pub(in crate::cmd) fn show(&mut self, event: Event<'_>) {
        match event {
            Event::Phase { done, steps, batch, .. } => {
                self.finish();
                self.phase = Some(Timing::new(Instant::now(), done, steps, batch));
                if !self.plain {
                    self.bar = ProgressBar::new(steps as u64).with_position(done as u64);
                    let template = "{bar:30} {pos}/{len} steps, {eta} left, {msg}";
                    if let Ok(style) = ProgressStyle::with_template(template) {
                        self.bar.set_style(style);
                    }
                }
            }
            Event::Step { step, loss, .. } => {
                self.bar.set_position(step as u64);
                if let Some(timing) = &mut self.phase {
                    let (rate, _) = timing.at(Instant::now(), step);
                    self.bar.set_message(format!("{rate:.0} images/s, loss {loss:.4}"));
                }
            }
            Event::Validation { phase, step, loss, eer, lowest, kept } => {
                if kept {
                    self.kept = Some(Kept { phase, step, eer });
                }
                let (rate, left, steps) = match &mut self.phase {
                    Some(timing) => {
                        let (rate, left) = timing.at(Instant::now(), step);
                        (rate, left, timing.steps)
                    }
                    None => (0.0, Duration::ZERO, step),
                };
                let mark = if lowest { ", the best so far" } else { "" };
                self.line(format!(
                    "step {step}/{steps}: loss {loss:.4}, validation EER {:.2} %{mark}, {rate:.0} images/s, {} left",
                    100.0 * eer,
                    HumanDuration(left)
                ));
            }
            Event::Warning(text) => self.line(format!("warning: {text}")),
        }
    }

    fn line(&self, text: String) {
        if self.plain {
            note!("{text}");
        } else {
            self.bar.println(text);
        }
    }

    pub(in crate::cmd) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Timing {
    fn new(now: Instant, done: usize, steps: usize, batch: usize) -> Timing {
        Timing { marks: [(now, done); 2], steps, batch }
    }

    /// Images a second of late, and the time that is left, when `step` steps are done.
    fn at(&mut self, now: Instant, step: usize) -> (f64, Duration) {
        if now.duration_since(self.marks[1].0) >= WINDOW {
            self.marks = [self.marks[1], (now, step)];
        }
        let (since, first) = self.marks[0];
        let done = step.saturating_sub(first).max(1) as f64;
        let elapsed = now.duration_since(since).as_secs_f64();
        let left = elapsed / done * self.steps.saturating_sub(step) as f64;
        let rate = done * self.batch as f64 / elapsed.max(1e-9);
        (rate, Duration::from_secs_f64(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_first_step_is_forgotten() {
        let start = Instant::now();
        let mut timing = Timing::new(start, 100, 1100, 8);
        // A minute for the first step, ten steps a second from then on.
        let mut at = |step: usize| timing.at(start + Duration::from_millis(60_000 + 100 * (step as u64 - 101)), step);
        let (rate, left) = at(101);
        assert_eq!((rate, left), (8.0 / 60.0, Duration::from_secs(60 * 999)));
        let (rate, left) = (102..=800).map(&mut at).last().expect("steps");
        assert!((rate - 80.0).abs() < 1e-6 && (left.as_secs_f64() - 30.0).abs() < 1e-6, "{rate} {left:?}");
    }
}
