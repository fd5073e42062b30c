//! Holds an engine against the golden vectors of its model: input tensors, embeddings, distances and decisions.

use core::fmt;

use shared::embedding::{Distance, Embedding};
use shared::frontend::FrontendError;
use shared::gallery::{Gallery, NotEnrolled, Template};
use shared::golden::{Golden, Outcome, Sample, Step, label};
use thiserror::Error;

use crate::engine::Engine;

/// Why golden vectors cannot be replayed at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// The vectors belong to another model.
    #[error("the golden file belongs to model {golden:016x}, but model {model:016x} is here: export the model again")]
    Model {
        /// The model of the vectors.
        golden: u64,
        /// The model of the engine.
        model: u64,
    },
    /// The script decides, and the model cannot.
    #[error("the golden file has decisions, but the model has no threshold or too long embeddings")]
    Gallery,
}

/// How many comparisons of a kind agreed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Comparisons that agreed.
    pub passed: u32,
    /// Comparisons that did not.
    pub failed: u32,
}

impl Tally {
    fn count(&mut self, agrees: bool) {
        *if agrees { &mut self.passed } else { &mut self.failed } += 1;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.passed, self.passed + self.failed)
    }
}

/// The first place at which an engine differs from the golden vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Difference {
    /// The front end refused the sample.
    #[error("sample {sample}: {error}")]
    Refused {
        /// Index of the sample.
        sample: usize,
        /// What the front end said.
        error: FrontendError,
    },
    /// A byte of an input tensor.
    #[error("sample {sample}: byte {at} of the input tensor is {got}, not {expected}")]
    Input {
        /// Index of the sample.
        sample: usize,
        /// Index in the tensor.
        at: usize,
        /// What the front end gave.
        got: u8,
        /// What the golden file says.
        expected: u8,
    },
    /// The engine failed on the sample.
    #[error("sample {sample}: the network did not run")]
    Failed {
        /// Index of the sample.
        sample: usize,
    },
    /// An element of an embedding.
    #[error("sample {sample}: element {at} of the embedding is {got}, not {expected}")]
    Embedding {
        /// Index of the sample.
        sample: usize,
        /// Index in the embedding.
        at: usize,
        /// What the network gave.
        got: i8,
        /// What the golden file says.
        expected: i8,
    },
    /// A decision of the script.
    #[error("step {step}: the decision is {}, not {}", Shown(*got), Shown(*expected))]
    Decision {
        /// Index of the step.
        step: usize,
        /// What the gallery decided; none where there was nothing to decide.
        got: Option<Outcome>,
        /// What the golden file says.
        expected: Option<Outcome>,
    },
    /// The gallery could not be changed as the script says.
    #[error("step {step}: the gallery refused it")]
    Gallery {
        /// Index of the step.
        step: usize,
    },
}

struct Shown(Option<Outcome>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(outcome) = self.0 else {
            return f.write_str("nobody");
        };
        let verb = if outcome.accepted { "match" } else { "no match" };
        let (identity, Distance(distance)) = (outcome.identity, outcome.distance);
        write!(f, "{verb} with {identity} at distance {distance}")?;
        match outcome.runner_up {
            Some(Distance(next)) => write!(f, " before {next}"),
            None => Ok(()),
        }
    }
}

/// What a replay found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Input tensors.
    pub inputs: Tally,
    /// Embeddings.
    pub embeddings: Tally,
    /// Steps of the script.
    pub decisions: Tally,
    /// The first difference.
    pub first: Option<Difference>,
}

impl Report {
    /// Whether everything agreed, and there was something to agree on.
    pub fn is_clean(&self) -> bool {
        self.first.is_none() && self.embeddings.passed > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} input tensors, {} embeddings, {} decisions agree", self.inputs, self.embeddings, self.decisions)
    }
}

/// Replays `golden` on `engine`.
///
/// The script decides over the golden embeddings, which the engine's were compared with byte by byte before.
pub fn replay<E: Engine, const ROOM: usize, const DIM: usize>(
    engine: &mut E,
    golden: &Golden<'_>,
) -> Result<Report, ReplayError> {
    let model = engine.header().model_id;
    if golden.model_id() != model {
        return Err(ReplayError::Model { golden: golden.model_id(), model });
    }
    let mut report = Report::default();
    for (index, sample) in golden.samples().enumerate() {
        let (input, embedding) = compare(engine, index, &sample);
        report.inputs.count(input.is_none());
        report.embeddings.count(embedding.is_none());
        report.first = report.first.or(input).or(embedding);
    }
    if golden.steps().next().is_some() {
        let gallery = Gallery::<ROOM, DIM>::new(engine.header()).ok_or(ReplayError::Gallery)?;
        decide(gallery, golden, &mut report);
    }
    Ok(report)
}

/// The samples of `golden`, and how many of them agree on `engine` in every byte of input tensor and embedding.
pub fn agreement<E: Engine>(engine: &mut E, golden: &Golden<'_>) -> (u16, u16) {
    let (mut samples, mut agree) = (0, 0);
    for (index, sample) in golden.samples().enumerate() {
        samples += 1;
        agree += u16::from(matches!(compare(engine, index, &sample), (None, None)));
    }
    (samples, agree)
}

/// Where input tensor and embedding of a sample differ from what they must be.
fn compare<E: Engine>(engine: &mut E, sample: usize, golden: &Sample<'_>) -> (Option<Difference>, Option<Difference>) {
    let raw = golden.raw;
    let started = engine.start(raw.header()).and_then(|()| engine.push(raw.bytes())).and_then(|()| engine.finish());
    if let Err(error) = started {
        return (Some(Difference::Refused { sample, error }), Some(Difference::Failed { sample }));
    }
    let input = first_difference(engine.tensor(), golden.input);
    let input = input.map(|(at, got, expected)| Difference::Input { sample, at, got, expected });
    let embedding = match engine.forward() {
        Ok(got) => first_difference(&got, golden.embedding).map(|(at, got, expected)| Difference::Embedding {
            sample,
            at,
            got,
            expected,
        }),
        Err(_) => Some(Difference::Failed { sample }),
    };
    (input, embedding)
}

fn decide<const ROOM: usize, const DIM: usize>(
    mut gallery: Gallery<ROOM, DIM>,
    golden: &Golden<'_>,
    report: &mut Report,
) {
    let embedding = |sample: u16| -> Embedding {
        let sample = golden.samples().nth(usize::from(sample));
        sample.map_or_else(Embedding::new, |s| s.embedding.iter().copied().collect())
    };
    for (index, step) in golden.steps().enumerate() {
        let (changed, got, expected) = match step {
            Step::Enrol { sample, identity } => {
                (gallery.enrol(Template::of_one(&label(identity), &embedding(sample))).is_ok(), None, None)
            }
            Step::Delete { identity } => (gallery.delete(&label(identity)).is_ok(), None, None),
            Step::Verify { sample, outcome } => match gallery.verify(&label(outcome.identity), &embedding(sample)) {
                Ok(decision) => (true, Outcome::of(&decision), Some(outcome)),
                Err(NotEnrolled) => (false, None, Some(outcome)),
            },
            Step::Identify { sample, outcome } => (true, Outcome::of(&gallery.identify(&embedding(sample))), outcome),
        };
        let difference = if !changed {
            Some(Difference::Gallery { step: index })
        } else {
            (got != expected).then_some(Difference::Decision { step: index, got, expected })
        };
        report.decisions.count(difference.is_none());
        report.first = report.first.or(difference);
    }
}

/// The first index at which `got` and `expected` differ, with what stands there; a missing element counts as the default.
fn first_difference<T: Copy + Default + PartialEq>(got: &[T], expected: &[T]) -> Option<(usize, T, T)> {
    let at = |items: &[T], index: usize| items.get(index).copied().unwrap_or_default();
    let differs = |&index: &usize| got.get(index) != expected.get(index);
    let index = (0..got.len().max(expected.len())).find(differs)?;
    Some((index, at(got, index), at(expected, index)))
}
