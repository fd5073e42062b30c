//! The gallery: enrolled templates, and the decisions over them.

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::bundle::Header;
use crate::embedding::{Distance, Metric};
use crate::search::{self, Nearest};

/// Longest label of an identity, in bytes of UTF-8.
pub const MAX_LABEL: usize = 24;

/// Stands for the spread of one sample: no distance of two embeddings, nor a mean of some.
pub const NO_SPREAD: Distance = Distance(u32::MAX);

/// The name under which an identity is enrolled.
pub type Label = String<MAX_LABEL>;

/// One enrolled identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template<'a> {
    /// Whose template it is.
    pub label: &'a str,
    /// The embedding that was enrolled.
    pub embedding: &'a [i8],
    /// How much the samples differ that it was made of: see [`Metric::spread`].
    pub spread: Option<Distance>,
}

impl<'a> Template<'a> {
    /// The template of one sample.
    pub fn of_one(label: &'a str, embedding: &'a [i8]) -> Self {
        Template { label, embedding, spread: None }
    }
}

/// What a probe turned out to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decision {
    /// The probe is within the threshold of this identity.
    Match(Candidate),
    /// No identity is within the threshold; the nearest one, if any is enrolled.
    Unknown(Option<Candidate>),
}

/// An identity and its distance from the probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The identity.
    pub label: Label,
    /// Its distance from the probe, less the template's allowance: see [`Gallery`].
    pub distance: Distance,
    /// The next identity and its distance, where all were compared and there is one.
    pub runner_up: Option<(Label, Distance)>,
}

/// Why an identity could not be enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EnrolError {
    /// The gallery is full.
    #[error("the gallery is full: delete an identity first")]
    Full,
    /// The label is taken.
    #[error("an identity of that label is enrolled already: delete it first")]
    Duplicate,
    /// The embedding is of another length than the model's.
    #[error("the embedding does not have the model's length")]
    Dimension,
    /// The label is empty or too long.
    #[error("a label has from 1 to {MAX_LABEL} bytes")]
    Label,
}

/// No identity of that label is enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no identity of that label is enrolled")]
pub struct NotEnrolled;

/// Up to `IDENTITIES` templates of up to `DIM` elements, one model's.
///
/// Where the model says how much samples of one identity usually differ ([`Header::spread`]), half of what a template's own
/// samples differ more than that is taken off its distances from probes, and half of what they differ less is added: who
/// always does the same is held to it. A template of one sample has no such allowance.
#[derive(Clone, Debug)]
pub struct Gallery<const IDENTITIES: usize, const DIM: usize> {
    metric: Metric,
    dim: usize,
    threshold: Distance,
    usual_spread: Option<Distance>,
    labels: Vec<Label, IDENTITIES>,
    /// One of each label; behind the model's elements come zeros.
    embeddings: Vec<[i8; DIM], IDENTITIES>,
    /// [`NO_SPREAD`] where there is none.
    spreads: Vec<Distance, IDENTITIES>,
    /// What a search knows of each beforehand.
    keys: Vec<i32, IDENTITIES>,
}

impl<const IDENTITIES: usize, const DIM: usize> Gallery<IDENTITIES, DIM> {
    /// An empty gallery for the model of `header`; none where the model's embeddings are longer than `DIM` or its threshold
    /// was never measured.
    pub fn new(header: &Header) -> Option<Self> {
        let dim = usize::from(header.dim);
        let threshold = header.threshold?.distance;
        (dim <= DIM).then_some(Gallery {
            metric: header.metric,
            dim,
            threshold,
            usual_spread: header.spread,
            labels: Vec::new(),
            embeddings: Vec::new(),
            spreads: Vec::new(),
            keys: Vec::new(),
        })
    }

    /// The labels, in the order in which they were enrolled.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The templates, in the order in which they were enrolled.
    pub fn templates(&self) -> impl ExactSizeIterator<Item = Template<'_>> {
        (0..self.labels.len()).map(|index| self.template(index))
    }

    fn template(&self, index: usize) -> Template<'_> {
        // The lists are always of one length.
        Template {
            label: &self.labels[index],
            embedding: &self.embeddings[index][..self.dim],
            spread: Some(self.spreads[index]).filter(|&spread| spread != NO_SPREAD),
        }
    }

    /// The largest distance that is accepted.
    pub fn threshold(&self) -> Distance {
        self.threshold
    }

    /// Enrols `template`.
    pub fn enrol(&mut self, template: Template<'_>) -> Result<(), EnrolError> {
        if self.find(template.label).is_some() {
            return Err(EnrolError::Duplicate);
        }
        self.restore(self.labels.len(), template)
    }

    /// Puts back the `template` that was stored as the `index`-th, in the place of what stands there. Until
    /// [`Gallery::close_gaps`], missing ones before it stand empty.
    pub fn restore(&mut self, index: usize, template: Template<'_>) -> Result<(), EnrolError> {
        if !is_label(template.label) {
            return Err(EnrolError::Label);
        }
        if template.embedding.len() != self.dim {
            return Err(EnrolError::Dimension);
        }
        if index >= IDENTITIES {
            return Err(EnrolError::Full);
        }
        while self.labels.len() <= index {
            // There is room in all of them.
            let _ = (self.labels.push(Label::new()), self.spreads.push(NO_SPREAD));
            let _ = (self.keys.push(0), self.embeddings.push([0; DIM]));
        }
        self.labels[index] = copy(template.label);
        self.spreads[index] = template.spread.unwrap_or(NO_SPREAD);
        self.keys[index] = search::key(self.metric, template.embedding);
        for (place, &element) in self.embeddings[index].iter_mut().zip(template.embedding) {
            *place = element;
        }
        Ok(())
    }

    /// Drops the empty places that [`Gallery::restore`] left.
    pub fn close_gaps(&mut self) {
        while let Some(index) = self.labels.iter().position(|label| label.is_empty()) {
            self.remove(index);
        }
    }

    /// The place of `label` in the order of enrolment.
    pub fn position(&self, label: &str) -> Option<usize> {
        self.find(label)
    }

    /// Removes everybody.
    pub fn clear(&mut self) {
        self.labels.clear();
        self.embeddings.clear();
        self.spreads.clear();
        self.keys.clear();
    }

    /// Decides by `threshold` from now on.
    pub fn set_threshold(&mut self, threshold: Distance) {
        self.threshold = threshold;
    }

    /// The distance of two of the model's embeddings.
    pub fn distance(&self, a: &[i8], b: &[i8]) -> Distance {
        self.metric.distance(a, b)
    }

    /// Removes the identity `label`; the order of the others stays.
    pub fn delete(&mut self, label: &str) -> Result<(), NotEnrolled> {
        let index = self.find(label).ok_or(NotEnrolled)?;
        self.remove(index);
        Ok(())
    }

    fn remove(&mut self, index: usize) {
        self.labels.remove(index);
        self.embeddings.remove(index);
        self.spreads.remove(index);
        self.keys.remove(index);
    }

    /// Compares `probe` with the identity that it claims to be.
    pub fn verify(&self, label: &str, probe: &[i8]) -> Result<Decision, NotEnrolled> {
        let template = self.find(label).map(|index| self.template(index)).ok_or(NotEnrolled)?;
        let distance = self.distance_from(&template, probe);
        Ok(self.decide(Candidate { label: copy(template.label), distance, runner_up: None }))
    }

    /// Compares `probe` with every identity; the nearest one decides, the one enrolled earlier among equals.
    pub fn identify(&self, probe: &[i8]) -> Decision {
        let plain = self.usual_spread.is_none() || self.spreads.iter().all(|&spread| spread == NO_SPREAD);
        let nearest = if plain && probe.len() == self.dim {
            search::nearest(self.metric, probe, self.embeddings.as_flattened(), DIM, &self.keys)
        } else {
            Nearest::of(self.templates().map(|template| self.distance_from(&template, probe).0))
        };
        match nearest {
            Some(Nearest { index, distance, runner_up }) => self.decide(Candidate {
                label: copy(&self.labels[index]),
                distance: Distance(distance),
                runner_up: runner_up.map(|(index, distance)| (copy(&self.labels[index]), Distance(distance))),
            }),
            None => Decision::Unknown(None),
        }
    }

    fn distance_from(&self, template: &Template<'_>, probe: &[i8]) -> Distance {
        let distance = self.metric.distance(template.embedding, probe);
        match (self.usual_spread, template.spread) {
            (Some(usual), Some(own)) => distance.with_allowance(own, usual),
            _ => distance,
        }
    }

    fn decide(&self, candidate: Candidate) -> Decision {
        if candidate.distance <= self.threshold {
            Decision::Match(candidate)
        } else {
            Decision::Unknown(Some(candidate))
        }
    }

    fn find(&self, label: &str) -> Option<usize> {
        self.labels.iter().position(|enrolled| enrolled == label)
    }
}

/// Whether an identity may be enrolled under `text`.
pub fn is_label(text: &str) -> bool {
    (1..=MAX_LABEL).contains(&text.len())
}

/// A copy of a label that was enrolled, made at once; a clone goes byte by byte.
#[inline(never)]
fn copy(label: &str) -> Label {
    let mut copied = Label::new();
    // It has the same room.
    let _ = copied.push_str(label);
    copied
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::bundle::{NAME_LEN, Threshold};
    use crate::frontend::{FrontEnd, Pixels};
    use proptest::prelude::*;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    const ROOM: usize = 12;
    const DIM: usize = 20;

    fn gallery(metric: Metric, dim: usize, spread: Option<Distance>) -> Gallery<ROOM, DIM> {
        let header = Header {
            model_id: 1,
            name: [0; NAME_LEN],
            frontend: FrontEnd::Pixels(Pixels { width: 2, height: 2, channels: 1, invert: false, stretch: false }),
            metric,
            dim: dim as u16,
            arena: 64,
            input_at: 0,
            embedding_scale: 1.0,
            spread,
            threshold: Some(Threshold { distance: Distance(30_000), ..Threshold::default() }),
        };
        Gallery::new(&header).unwrap()
    }

    fn label(number: u8) -> Label {
        Label::try_from(format!("{number}").as_str()).unwrap()
    }

    /// The decision by the definition: every distance.
    fn identified(
        (metric, usual): (Metric, Option<Distance>),
        enrolled: &[(String, Vec<i8>, Option<Distance>)],
        probe: &[i8],
    ) -> Decision {
        let mut best: Option<Candidate> = None;
        for (label, embedding, spread) in enrolled {
            let allowance = usual.zip(*spread).map_or(0, |(usual, own)| (i64::from(own.0) - i64::from(usual.0)) >> 1);
            let distance = (i64::from(metric.distance(embedding, probe).0) - allowance).max(0);
            let distance = Distance(distance as u32);
            let label = Label::try_from(label.as_str()).unwrap();
            best = match best {
                Some(best) if distance >= best.distance => {
                    let nearer = best.runner_up.filter(|(_, second)| *second <= distance);
                    Some(Candidate { runner_up: nearer.or(Some((label, distance))), ..best })
                }
                best => Some(Candidate { label, distance, runner_up: best.map(|best| (best.label, best.distance)) }),
            };
        }
        match best {
            Some(best) if best.distance <= Distance(30_000) => Decision::Match(best),
            best => Decision::Unknown(best),
        }
    }

    proptest! {
        /// Whatever enrolled, deleted, restored and cleared before.
        #[test]
        fn identify_is_the_definition(
            (dim, euclidean) in (1..=DIM, any::<bool>()),
            usual in prop::option::of((0u32..100_000).prop_map(Distance)),
            steps in prop::collection::vec((0u8..20, 0u8..8, prop::collection::vec(-4i8..=4, DIM), 0u8..4), 0..40),
            spreads in prop::collection::vec(prop::option::weighted(0.2, (0u32..200_000).prop_map(Distance)), 40),
        ) {
            let metric = if euclidean { Metric::Euclidean } else { Metric::Cosine };
            let mut gallery = gallery(metric, dim, usual);
            for ((what, number, elements, shift), spread) in steps.into_iter().zip(spreads) {
                let embedding: Vec<i8> = elements[..dim].iter().map(|&element| element << shift).collect();
                let name = label(number);
                let template = Template { label: &name, embedding: &embedding, spread };
                match what {
                    0 => gallery.clear(),
                    1..4 => {
                        let _ = gallery.delete(&label(number));
                    }
                    4..8 if gallery.position(&label(number)).is_none() => {
                        let _ = gallery.restore(usize::from(number) + 2, template);
                        gallery.close_gaps();
                    }
                    _ => {
                        let _ = gallery.enrol(template);
                    }
                }
                let templates = gallery.templates();
                let enrolled: Vec<_> =
                    templates.map(|t| (t.label.into(), t.embedding.to_vec(), t.spread)).collect();
                for probe in [&embedding[..], &elements[DIM - dim..], &elements[..], &elements[..dim / 2]] {
                    prop_assert_eq!(gallery.identify(probe), identified((metric, usual), &enrolled, probe));
                }
            }
        }
    }
}
