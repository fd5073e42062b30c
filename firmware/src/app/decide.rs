//! Comparing: decisions, the delay after failed ones, and what confident ones may change.

use embedded_storage::nor_flash::NorFlash;
use shared::embedding::Distance;
use shared::gallery::{Candidate, Decision, Label, NotEnrolled, Template};
use shared::wire::{Event, Fault, Response};

use super::{App, outcome};
use crate::engine::Engine;
use crate::platform::Platform;

/// A match is confident within this part of the threshold, with no other identity within the threshold.
const CONFIDENT_DIVISOR: u32 = 2;
/// A confident match moves its template by this part of the way.
const ADAPT_DIVISOR: i32 = 8;

impl<E: Engine, F: NorFlash, P: Platform, const ROOM: usize, const DIM: usize> App<'_, E, F, P, ROOM, DIM> {
    pub(super) fn verify(&mut self, label: &str) -> Result<Response<'static>, Fault> {
        self.compare(Some(label))
    }

    pub(super) fn identify(&mut self) -> Result<Response<'static>, Fault> {
        self.compare(None)
    }

    /// Compares with the identity `label`, or with every one.
    fn compare(&mut self, label: Option<&str>) -> Result<Response<'static>, Fault> {
        let now = self.platform.micros();
        if let Some(seconds) = self.session.wait(now) {
            return Err(Fault::Wait { seconds });
        }
        self.gallery()?;
        let embedding = self.sample.embed(&mut self.engine)?;
        let gallery = self.memory.gallery.as_ref().ok_or(Fault::NoThreshold)?;
        let decision = match label {
            Some(label) => gallery.verify(label, embedding).map_err(|NotEnrolled| Fault::NotEnrolled)?,
            None => gallery.identify(embedding),
        };
        let (accepted, nearest) = outcome(&decision);
        self.count(accepted, nearest.is_some());
        self.remember(accepted, nearest);
        if let (true, Some(candidate)) = (accepted && self.store.settings().adapt, nearest) {
            self.move_template(candidate);
        }
        Ok(Response::Decision(decision))
    }

    /// Counts failures in a row, in an admin session as well, since others may stand at the pad meanwhile. One over an empty gallery
    /// tells nobody anything.
    fn count(&mut self, accepted: bool, anybody: bool) {
        if accepted {
            self.failures = 0;
            self.session.succeeded();
        } else if anybody {
            self.failures = self.failures.saturating_add(1);
            let now = self.platform.micros();
            self.session.failed(self.failures, now);
        }
        // Kept from the first failure on: a power cut begins no new row. Only a change is written, once a comparison at most;
        // without an accepted one between, the delay soon bounds how often.
        let failures = self.failures;
        // Where the store cannot be written, the delay still holds until the power is cut.
        let _ = self.change(&|settings| settings.failures = failures);
    }

    fn remember(&mut self, accepted: bool, nearest: Option<&Candidate>) {
        self.decisions = self.decisions.wrapping_add(1);
        let nearest = nearest.map(|candidate| (candidate.label.clone(), candidate.distance));
        if self.memory.events.is_full() {
            self.memory.events.remove(0);
        }
        // There is room now.
        let _ = self.memory.events.push(Event { number: self.decisions, accepted, nearest });
    }

    #[inline(never)]
    pub(super) fn events(&self, after: u32) -> Response<'static> {
        Response::Events(self.memory.events.iter().filter(|event| event.number > after).cloned().collect())
    }

    /// Moves the template of a confident match towards the sample; a template that cannot be stored stays as it is.
    #[inline(never)]
    fn move_template(&mut self, candidate: &Candidate) {
        let Some(gallery) = &mut self.memory.gallery else {
            return;
        };
        let threshold = gallery.threshold();
        let far = |next: &Option<(Label, Distance)>| next.as_ref().is_none_or(|&(_, distance)| distance > threshold);
        let alone = match candidate.runner_up {
            Some(_) => far(&candidate.runner_up),
            // A verification compares with one identity only.
            None => match self.sample.embed(&mut self.engine).map(|embedding| gallery.identify(embedding)) {
                Ok(Decision::Match(nearest)) => nearest.label == candidate.label && far(&nearest.runner_up),
                _ => false,
            },
        };
        let Some(index) = gallery.position(&candidate.label) else {
            return;
        };
        let Ok(embedding) = self.sample.embed(&mut self.engine) else {
            return;
        };
        if !alone || candidate.distance.0 > threshold.0 / CONFIDENT_DIVISOR {
            return;
        }
        let Some(template) = gallery.templates().nth(index) else {
            return;
        };
        let mut moved = [0; DIM];
        for (place, (&old, &new)) in moved.iter_mut().zip(template.embedding.iter().zip(embedding)) {
            *place = towards(old, new);
        }
        let moved = moved.get(..template.embedding.len()).unwrap_or_default();
        let moved = Template { label: &candidate.label, embedding: moved, ..template };
        if moved != template && self.store.put_template(index, moved).is_ok() {
            // The gallery has this place and this length.
            let _ = gallery.restore(index, moved);
        }
    }
}

/// `old + (new - old) / ADAPT_DIVISOR`, rounded away from zero, so that a template arrives where all samples lie.
fn towards(old: i8, new: i8) -> i8 {
    let way = i32::from(new) - i32::from(old);
    (i32::from(old) + (way.abs() + ADAPT_DIVISOR - 1) / ADAPT_DIVISOR * way.signum()) as i8
}
