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

/// What the time left is reckoned from.
struct Timing {
    started: Instant,
    first: usize,
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
                self.phase = Some(Timing { started: Instant::now(), first: done, steps, batch });
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
                if let Some(timing) = &self.phase {
                    let (rate, _) = timing.at(step);
                    self.bar.set_message(format!("{rate:.0} images/s, loss {loss:.4}"));
                }
            }
            Event::Validation { phase, step, loss, eer, lowest, kept } => {
                if kept {
                    self.kept = Some(Kept { phase, step, eer });
                }
                let (rate, left, steps) = match &self.phase {
                    Some(timing) => {
                        let (rate, left) = timing.at(step);
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
    /// Images a second so far, and the time that is left, when `step` steps are done.
    fn at(&self, step: usize) -> (f64, Duration) {
        let done = step.saturating_sub(self.first).max(1) as f64;
        let elapsed = self.started.elapsed().as_secs_f64();
        let left = elapsed / done * self.steps.saturating_sub(step) as f64;
        let rate = done * self.batch as f64 / elapsed.max(1e-9);
        (rate, Duration::from_secs_f64(left))
    }
}
