//! The gallery: enrolled templates, and the decisions over them.

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::bundle::Header;
use crate::embedding::{Distance, Metric};
use crate::kernels::{Nearest, Probe};

/// Longest label of an identity, in bytes of UTF-8.
pub const MAX_LABEL: usize = 24;

/// The name under which an identity is enrolled.
pub type Label = String<MAX_LABEL>;

/// One enrolled identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template<'a> {
    /// Whose template it is.
    pub label: &'a Label,
    /// The embedding that was enrolled.
    pub embedding: &'a [i8],
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
    labels: Vec<Label, IDENTITIES>,
    /// One of each label; behind the model's elements come zeros.
    embeddings: Vec<[i8; DIM], IDENTITIES>,
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
            labels: Vec::new(),
            embeddings: Vec::new(),
        })
    }

    /// The templates, in the order in which they were enrolled.
    pub fn templates(&self) -> impl ExactSizeIterator<Item = Template<'_>> {
        (0..self.labels.len()).map(|index| self.template(index))
    }

    fn template(&self, index: usize) -> Template<'_> {
        // The two lists are always of one length.
        Template { label: &self.labels[index], embedding: &self.embeddings[index][..self.dim] }
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
        let padded = self.padded(embedding)?;
        self.push(label, padded)
    }

    /// Puts back a template that was stored as the `index`-th, in the place of what stands there. Until
    /// [`Gallery::close_gaps`], missing ones before it stand empty.
    pub fn restore(&mut self, index: usize, label: &Label, embedding: &[i8]) -> Result<(), EnrolError> {
        if label.is_empty() {
            return Err(EnrolError::Label);
        }
        let padded = self.padded(embedding)?;
        if index >= IDENTITIES {
            return Err(EnrolError::Full);
        }
        while self.labels.len() <= index {
            self.push(&Label::new(), [0; DIM])?;
        }
        if let (Some(old), Some(place)) = (self.labels.get_mut(index), self.embeddings.get_mut(index)) {
            (*old, *place) = (label.clone(), padded);
        }
        Ok(())
    }

    /// Drops the empty places that [`Gallery::restore`] left.
    pub fn close_gaps(&mut self) {
        while let Some(index) = self.labels.iter().position(|label| label.is_empty()) {
            self.labels.remove(index);
            self.embeddings.remove(index);
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
    }

    /// Decides by `threshold` from now on.
    pub fn set_threshold(&mut self, threshold: Distance) {
        self.threshold = threshold;
    }

    /// The distance of two of the model's embeddings.
    pub fn distance(&self, a: &[i8], b: &[i8]) -> Distance {
        self.metric.distance(a, b)
    }

    fn padded(&self, embedding: &[i8]) -> Result<[i8; DIM], EnrolError> {
        if embedding.len() != self.dim {
            return Err(EnrolError::Dimension);
        }
        let mut padded = [0; DIM];
        for (element, &given) in padded.iter_mut().zip(embedding) {
            *element = given;
        }
        Ok(padded)
    }

    fn push(&mut self, label: &Label, embedding: [i8; DIM]) -> Result<(), EnrolError> {
        self.labels.push(label.clone()).map_err(|_| EnrolError::Full)?;
        // There is as much room as for labels.
        self.embeddings.push(embedding).map_err(|_| EnrolError::Full)
    }

    /// Removes the identity `label`; the order of the others stays.
    pub fn delete(&mut self, label: &str) -> Result<(), NotEnrolled> {
        let index = self.find(label).ok_or(NotEnrolled)?;
        self.labels.remove(index);
        self.embeddings.remove(index);
        Ok(())
    }

    /// Compares `probe` with the identity that it claims to be.
    pub fn verify(&self, label: &str, probe: &[i8]) -> Result<Decision, NotEnrolled> {
        let template = self.find(label).map(|index| self.template(index)).ok_or(NotEnrolled)?;
        let distance = self.metric.distance(template.embedding, probe);
        Ok(self.decide(Candidate { label: template.label.clone(), distance, runner_up: None }))
    }

    /// Compares `probe` with every identity; the nearest one decides, the one enrolled earlier among equals.
    pub fn identify(&self, probe: &[i8]) -> Decision {
        let nearest = match self.metric {
            Metric::Euclidean => Probe::new(probe).nearest(self.embeddings.as_flattened(), DIM),
            Metric::Cosine => {
                let distances = self.templates().map(|template| self.metric.distance(template.embedding, probe).0);
                Nearest::of(distances)
            }
        };
        match nearest {
            Some(Nearest { index, distance, runner_up }) => self.decide(Candidate {
                label: self.labels[index].clone(),
                distance: Distance(distance),
                runner_up: runner_up.map(Distance),
            }),
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
        self.labels.iter().position(|enrolled| enrolled == label)
    }
}
