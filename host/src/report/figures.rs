//! The figures of a report as rows of a table, for page and card alike.

use super::chart::short;
use super::charts::grouped;
use super::{OnBoard, Report, Task};
use crate::cmd::numbers::percent;
use crate::evaluate::{Interval, Verification, no_interval};
use crate::recipe::Recipe;

/// One figure.
pub(super) struct Row {
    /// What it is.
    pub(super) name: String,
    /// Of the bundle.
    pub(super) value: String,
    /// Its interval.
    pub(super) interval: String,
    /// Of the float network.
    pub(super) float: String,
}

impl Row {
    fn rate(name: impl Into<String>, value: f64, interval: Option<Interval>, float: Option<f64>) -> Row {
        Row {
            name: name.into(),
            value: percent(value),
            interval: range(interval),
            float: float.map_or(String::new(), percent),
        }
    }
}

/// `low – high %`, or that there are too few identities for it.
pub(super) fn range(interval: Option<Interval>) -> String {
    range_by("identities", interval)
}

fn range_by(groups: &str, interval: Option<Interval>) -> String {
    let range = |[low, high]: Interval| format!("{:.2} – {}", low * 100.0, percent(high));
    interval.map_or_else(|| no_interval(groups), range)
}

/// The interval of a task's error.
pub(super) fn task_range(task: &Task) -> String {
    range_by(if task.by_run { "runs" } else { "identities" }, task.error_interval)
}

/// What intervals are, in a sentence.
pub(super) fn intervals(report: &Report) -> String {
    let by_run = report.tasks.iter().any(|task| task.by_run);
    let runs = if by_run { ", that of Lake's runs by run" } else { "" };
    format!("Intervals are bootstraps by identity{runs}.")
}

/// What one sample costs on the emulated board, or how to learn it.
pub(super) fn on_board(report: &Report) -> String {
    let model = format!("models/{}", report.name);
    match &report.facts.board {
        Some(OnBoard { instructions, network, stack, .. }) => format!(
            "{} instructions from raw sample to embedding, {} of them the network's; {} bytes of stack",
            grouped(*instructions),
            grouped(*network),
            grouped(*stack)
        ),
        None => format!("not counted; `tests/run.sh bench --save {model}` does"),
    }
}

/// How long the training took, if there is a log of it.
pub(super) fn trained_in(report: &Report, recipe: &Recipe) -> Option<String> {
    let minutes = report.training.seconds? / 60.0;
    let time = if minutes < 10.0 { format!("{minutes:.1} minutes") } else { format!("{minutes:.0} minutes") };
    let start =
        recipe.net.start.as_ref().map_or(String::new(), |start| format!(", after that of `{}`", start.display()));
    Some(format!("{time} of steps{start}"))
}

/// The rates of verification, of identification, and of the other questions.
pub(super) fn rows(report: &Report) -> Vec<Row> {
    let (int8, float) = (&report.int8, &report.float);
    let mut rows = vec![Row::rate("EER", int8.eer, int8.eer_interval, Some(float.eer))];
    for (fmr, fnmr) in int8.fnmr_at_fmr.iter().rev() {
        let name = format!("FNMR at FMR {} %", short(fmr.parse::<f64>().unwrap_or(0.0) * 100.0, 3));
        let interval = int8.fnmr_at_fmr_interval.as_ref().and_then(|all| all.get(fmr)).copied();
        rows.push(Row::rate(name, *fnmr, interval, float.fnmr_at_fmr.get(fmr).copied()));
    }
    if let Some(at) = &int8.threshold {
        rows.push(Row::rate("FMR at the sealed threshold", at.fmr, at.fmr_interval, None));
        rows.push(Row::rate("FNMR at the sealed threshold", at.fnmr, at.fnmr_interval, None));
    }
    rows.push(plain("AUC", int8, float, |rates| Some(rates.auc), int8.auc_interval, 5));
    rows.push(plain("d′", int8, float, |rates| rates.d_prime, int8.d_prime_interval, 2));
    if let Some(forgeries) = &report.forgeries {
        let skilled = &forgeries.skilled;
        rows.push(Row::rate("EER, random forgeries", forgeries.eer_random, forgeries.eer_random_interval, None));
        rows.push(Row::rate("EER, skilled forgeries", forgeries.eer_skilled, forgeries.eer_skilled_interval, None));
        let own = (forgeries.eer_random_user, forgeries.eer_random_user_interval);
        rows.push(Row::rate("EER, random, a threshold for each writer", own.0, own.1, None));
        let own = (forgeries.eer_skilled_user, forgeries.eer_skilled_user_interval);
        rows.push(Row::rate("EER, skilled, a threshold for each writer", own.0, own.1, None));
        if let Some(at) = &skilled.threshold {
            rows.push(Row::rate("skilled forgeries accepted at the sealed threshold", at.fmr, at.fmr_interval, None));
        }
    }
    if let Some(found) = &report.identification {
        let name = format!("rank 1 among {}", found.identities);
        rows.push(Row::rate(name, found.rank1, found.rank1_interval, None));
    }
    for task in &report.tasks {
        let name = format!("{}, error", task.name);
        rows.push(Row { interval: task_range(task), ..Row::rate(name, task.error, task.error_interval, None) });
    }
    rows
}

fn plain(
    name: &str,
    int8: &Verification,
    float: &Verification,
    of: impl Fn(&Verification) -> Option<f64>,
    interval: Option<Interval>,
    digits: usize,
) -> Row {
    let text = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.digits$}"));
    let range = |[low, high]: Interval| format!("{low:.digits$} – {high:.digits$}");
    // A value that there is none of has no interval whatever the identities.
    let interval = of(int8).map_or(String::new(), |_| interval.map_or_else(|| no_interval("identities"), range));
    Row { name: name.to_string(), value: text(of(int8)), interval, float: text(of(float)) }
}

/// What so few identities can show at most.
pub(super) fn bounds(rates: &Verification) -> String {
    format!(
        "{} genuine comparisons of {} identities support no claim below an FNMR of {} % at 95 % (rule of three), {} impostor \
         comparisons of {} none below an FMR of {} %.",
        rates.genuine,
        rates.genuine_identities,
        short(rates.fnmr_bound * 100.0, 2),
        rates.impostor,
        rates.impostor_identities,
        short(rates.fmr_bound * 100.0, 4)
    )
}
