//! Enrolling and deleting: what changes the gallery and its store, both or neither.

use embedded_storage::nor_flash::NorFlash;
use shared::embedding::{self, Distance};
use shared::gallery::{Decision, Template, is_label};
use shared::wire::{Fault, Response};

use super::{App, kept};
use crate::engine::Engine;
use crate::platform::Platform;
use crate::store::{Contents, stands};

impl<E: Engine, F: NorFlash, P: Platform, const ROOM: usize, const DIM: usize> App<'_, E, F, P, ROOM, DIM> {
    pub(super) fn collect(&mut self) -> Result<Response<'static>, Fault> {
        self.add_sample()?;
        Ok(Response::Done(self.memory.collected.len() as u16))
    }

    /// Adds the sample to those that the next template is made of.
    #[inline(never)]
    fn add_sample(&mut self) -> Result<(), Fault> {
        self.admin()?;
        self.gallery()?;
        let mut padded = [0; DIM];
        for (place, &element) in padded.iter_mut().zip(self.embed()?) {
            *place = element;
        }
        if let Some(fault) = self.sample.flaw() {
            return Err(fault);
        }
        if self.memory.collected.is_full() {
            return Err(Fault::Samples);
        }
        if !self.memory.collected.is_empty() {
            let mean = mean(&self.memory.collected);
            let gate = self.engine.header().threshold.unwrap_or_default().gate;
            let distance = self.gallery()?.distance(&mean, &padded);
            if distance > gate {
                return Err(Fault::Unlike { distance, gate });
            }
        }
        self.memory.collected.push(padded).map_err(|_| Fault::Samples)
    }

    #[inline(never)]
    pub(super) fn enrol(&mut self, label: &str) -> Result<Response<'static>, Fault> {
        self.admin()?;
        if !is_label(label) {
            return Err(Fault::Label);
        }
        let capacity = self.capacity();
        let gallery = self.gallery()?;
        let count = gallery.templates().len();
        if gallery.position(label).is_some() {
            return Err(Fault::Duplicate);
        }
        if count >= usize::from(capacity) {
            return Err(Fault::Full { capacity: capacity.into() });
        }
        if self.memory.collected.is_empty() {
            self.add_sample()?;
        }
        let mean = mean(&self.memory.collected);
        let header = self.engine.header();
        let template = Template {
            label,
            embedding: mean.get(..usize::from(header.dim)).unwrap_or_default(),
            spread: header.metric.spread(&self.memory.collected),
        };
        let resembles = match self.gallery()?.identify(template.embedding) {
            Decision::Match(candidate) => Some(candidate),
            Decision::Unknown(_) => None,
        };
        self.bind()?;
        kept(self.store.put_template(count, template))?;
        self.gallery()?.enrol(template).map_err(|_| Fault::Engine)?;
        self.memory.collected.clear();
        Ok(Response::Enrolled { identities: self.enrolled(), resembles })
    }

    #[inline(never)]
    pub(super) fn delete(&mut self, label: &str) -> Result<Response<'static>, Fault> {
        self.admin()?;
        let model = self.engine.header().model_id;
        let gallery = self.gallery()?;
        gallery.position(label).ok_or(Fault::NotEnrolled)?;
        if let Some(gallery) = &mut self.memory.gallery {
            let stay = gallery.templates().filter(|template| template.label != label);
            let rewritten = self.store.rewrite(model, stay);
            if stands(rewritten) {
                let _ = gallery.delete(label);
            }
            kept(rewritten)?;
        }
        Ok(Response::Done(self.enrolled()))
    }

    /// Removes everybody, whatever the store holds. A store that is not this program's holds no key, so nobody could prove it.
    #[inline(never)]
    pub(super) fn wipe(&mut self) -> Result<Response<'static>, Fault> {
        if matches!(self.store.contents(), Contents::Model(_) | Contents::Empty) {
            self.admin()?;
        }
        let header = self.engine.header();
        let (model, sealed) = (header.model_id, header.threshold);
        let wiped = self.store.wipe(model);
        if stands(wiped) {
            self.memory.collected.clear();
            if let Some(gallery) = &mut self.memory.gallery {
                gallery.clear();
                gallery.set_threshold(sealed.map_or(Distance(0), |sealed| sealed.distance));
            }
        }
        kept(wiped)?;
        Ok(Response::Done(0))
    }
}

/// The mean of `samples`, element by element.
fn mean<const DIM: usize>(samples: &[[i8; DIM]]) -> [i8; DIM] {
    let mut mean = [0; DIM];
    for (at, place) in mean.iter_mut().enumerate() {
        *place = embedding::mean(samples.iter().filter_map(|sample| sample.get(at)).copied());
    }
    mean
}
