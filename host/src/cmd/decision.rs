//! What a decision looks like, on the desktop as by a board.

use serde::Serialize;
use serde_json::{Value, json};
use shared::embedding::{Distance, Metric};
use shared::gallery::{Candidate, Decision};

use super::print_json;

/// What a model's distances are measured by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Yardstick {
    pub(super) metric: Metric,
    pub(super) embedding_scale: f32,
    /// The largest distance that is accepted.
    pub(super) threshold: Distance,
}

/// A line of JSON.
#[derive(Serialize)]
struct Row<'a> {
    file: &'a str,
    accepted: bool,
    label: Option<&'a str>,
    distance: Option<u32>,
    runner_up: Option<Next<'a>>,
    /// What the runner-up is farther.
    margin: Option<u32>,
    threshold: u32,
}

#[derive(Serialize)]
struct Next<'a> {
    label: &'a str,
    distance: u32,
}

/// Prints what `file` turned out to be.
pub(super) fn print(json: bool, file: &str, decision: &Decision, by: Yardstick) -> anyhow::Result<()> {
    let (accepted, candidate) = match decision {
        Decision::Match(candidate) => (true, Some(candidate)),
        Decision::Unknown(candidate) => (false, candidate.as_ref()),
    };
    if json {
        let runner_up = candidate.and_then(|candidate| candidate.runner_up.as_ref());
        return print_json(&Row {
            file,
            accepted,
            label: candidate.map(|candidate| candidate.label.as_str()),
            distance: candidate.map(|candidate| candidate.distance.0),
            runner_up: runner_up.map(|(label, distance)| Next { label, distance: distance.0 }),
            margin: candidate.and_then(margin),
            threshold: by.threshold.0,
        });
    }
    say!("{file}: {}", sentence(accepted, candidate, by))?;
    Ok(())
}

/// What an enrolment of `label` from so many samples looks like in JSON, and whom its template would be accepted as.
pub(super) fn enrolled(label: &str, samples: usize, identities: usize, resembles: Option<(&str, u32)>) -> Value {
    let resembles = resembles.map(|(label, distance)| json!({ "label": label, "distance": distance }));
    json!({ "label": label, "samples": samples, "identities": identities, "resembles": resembles })
}

/// How much farther the runner-up is.
fn margin(candidate: &Candidate) -> Option<u32> {
    candidate.runner_up.as_ref().map(|(_, next)| next.0.saturating_sub(candidate.distance.0))
}

fn sentence(accepted: bool, candidate: Option<&Candidate>, by: Yardstick) -> String {
    let verdict = if accepted { "accepted" } else { "rejected" };
    let Some(candidate) = candidate else {
        return format!("{verdict}, nobody is enrolled");
    };
    let Candidate { label, distance, runner_up } = candidate;
    let real = by.metric.real(*distance, by.embedding_scale);
    let next = runner_up.as_ref().zip(margin(candidate));
    let next = next.map(|((next, _), margin)| format!(", then {next}, {margin} farther")).unwrap_or_default();
    format!("{verdict}, {label} at {real:.4} (distance {}, threshold {}){next}", distance.0, by.threshold.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_the_two_nearest() {
        let by = Yardstick { metric: Metric::Euclidean, embedding_scale: 0.5, threshold: Distance(40) };
        let runner_up = Some(("bob".parse().unwrap(), Distance(25)));
        let candidate = Candidate { label: "ann".parse().unwrap(), distance: Distance(9), runner_up };
        let expected = "accepted, ann at 1.5000 (distance 9, threshold 40), then bob, 16 farther";
        assert_eq!(sentence(true, Some(&candidate), by), expected);
        let alone = Candidate { runner_up: None, ..candidate };
        assert_eq!(sentence(false, Some(&alone), by), "rejected, ann at 1.5000 (distance 9, threshold 40)");
        assert_eq!(sentence(false, None, by), "rejected, nobody is enrolled");
    }
}
