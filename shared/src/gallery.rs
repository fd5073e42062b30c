//! The gallery: enrolled templates, and the decisions over them.

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::bundle::Header;
use crate::embedding::{Distance, Metric};

/// Longest label of an identity, in bytes of UTF-8.
pub const MAX_LABEL: usize = 24;

/// The name under which an identity is enrolled.
pub type Label = String<MAX_LABEL>;

/// One enrolled identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template<const DIM: usize> {
    /// Whose template it is.
    pub label: Label,
    /// The embedding that was enrolled.
    pub embedding: Vec<i8, DIM>,
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
    /// Its distance from the probe.
    pub distance: Distance,
    /// The distance of the next identity, where there is one.
    pub runner_up: Option<Distance>,
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
    /// The label is empty.
    #[error("the label is empty")]
    Label,
}

/// No identity of that label is enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no identity of that label is enrolled")]
pub struct NotEnrolled;

/// Up to `IDENTITIES` templates of up to `DIM` elements, one model's.
#[derive(Clone, Debug)]
pub struct Gallery<const IDENTITIES: usize, const DIM: usize> {
    metric: Metric,
    dim: usize,
    threshold: Distance,
    templates: Vec<Template<DIM>, IDENTITIES>,
}

impl<const IDENTITIES: usize, const DIM: usize> Gallery<IDENTITIES, DIM> {
    /// An empty gallery for the model of `header`; none where the model's embeddings are longer than `DIM` or its threshold
    /// was never measured.
    pub fn new(header: &Header) -> Option<Self> {
        let dim = usize::from(header.dim);
        let threshold = header.threshold?.distance;
        (dim <= DIM).then_some(Gallery { metric: header.metric, dim, threshold, templates: Vec::new() })
    }

    /// The templates, in the order in which they were enrolled.
    pub fn templates(&self) -> &[Template<DIM>] {
        &self.templates
    }

    /// The largest distance that is accepted.
    pub fn threshold(&self) -> Distance {
        self.threshold
    }

    /// Enrols `embedding` as `label`.
    pub fn enrol(&mut self, label: &Label, embedding: &[i8]) -> Result<(), EnrolError> {
        if label.is_empty() {
            return Err(EnrolError::Label);
        }
        if self.find(label).is_some() {
            return Err(EnrolError::Duplicate);
        }
        if embedding.len() != self.dim {
            return Err(EnrolError::Dimension);
        }
        let embedding = Vec::from_slice(embedding).map_err(|_| EnrolError::Dimension)?;
        let template = Template { label: label.clone(), embedding };
        self.templates.push(template).map_err(|_| EnrolError::Full)
    }

    /// Removes the identity `label`; the order of the others stays.
    pub fn delete(&mut self, label: &str) -> Result<(), NotEnrolled> {
        let index = self.find(label).ok_or(NotEnrolled)?;
        self.templates.remove(index);
        Ok(())
    }

    /// Compares `probe` with the identity that it claims to be.
    pub fn verify(&self, label: &str, probe: &[i8]) -> Result<Decision, NotEnrolled> {
        let template = self.find(label).and_then(|index| self.templates.get(index)).ok_or(NotEnrolled)?;
        let distance = self.metric.distance(&template.embedding, probe);
        Ok(self.decide(Candidate { label: template.label.clone(), distance, runner_up: None }))
    }

    /// Compares `probe` with every identity; the nearest one decides, the one enrolled earlier among equals.
    pub fn identify(&self, probe: &[i8]) -> Decision {
        let mut nearest: Option<(&Template<DIM>, Distance)> = None;
        let mut runner_up = None;
        let probe = self.metric.probe(probe);
        for template in &self.templates {
            let distance = probe.distance(&template.embedding);
            match nearest {
                Some((_, best)) if distance >= best => {
                    if runner_up.is_none_or(|second| distance < second) {
                        runner_up = Some(distance);
                    }
                }
                _ => {
                    runner_up = nearest.map(|(_, best)| best);
                    nearest = Some((template, distance));
                }
            }
        }
        match nearest {
            Some((template, distance)) => self.decide(Candidate { label: template.label.clone(), distance, runner_up }),
            None => Decision::Unknown(None),
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
        self.templates.iter().position(|template| template.label == label)
    }
}
