//! Admin sessions, what they may set, and what a board tells of itself.

use embedded_storage::nor_flash::NorFlash;
use shared::embedding::Distance;
use shared::wire::{Adjustment, Fault, KEY_LEN, PROOF_LEN, Response, SESSION_SECONDS};

use super::App;
use crate::engine::Engine;
use crate::platform::Platform;
use crate::replay;
use crate::store::MAX_THRESHOLD;

impl<E: Engine, F: NorFlash, P: Platform, const ROOM: usize, const DIM: usize> App<'_, E, F, P, ROOM, DIM> {
    /// Passes in an open admin session, which then stays open.
    pub(super) fn admin(&mut self) -> Result<(), Fault> {
        if self.store.settings().admin.is_none() {
            return Err(Fault::NotProvisioned);
        }
        let now = self.platform.micros();
        if !self.session.is_open(now) {
            return Err(Fault::Locked);
        }
        self.session.open(now);
        Ok(())
    }

    #[inline(never)]
    pub(super) fn challenge(&mut self) -> Result<Response<'static>, Fault> {
        let key = self.store.settings().admin.ok_or(Fault::NotProvisioned)?;
        if !self.session.has_challenged() {
            self.change(&|settings| settings.boots = settings.boots.wrapping_add(1))?;
        }
        Ok(Response::Challenge(self.session.challenge(&key, self.store.settings().boots)))
    }

    #[inline(never)]
    pub(super) fn unlock(&mut self, proof: &[u8; PROOF_LEN]) -> Result<Response<'static>, Fault> {
        let key = self.store.settings().admin.ok_or(Fault::NotProvisioned)?;
        if !self.session.check(&key, proof) {
            return Err(Fault::Proof);
        }
        // What a session before has collected is not its.
        self.memory.collected.clear();
        let now = self.platform.micros();
        self.session.open(now);
        Ok(Response::Done(SESSION_SECONDS))
    }

    pub(super) fn lock(&mut self) -> Result<Response<'static>, Fault> {
        self.end_session();
        Ok(Response::Done(0))
    }

    /// Ends the admin session, and forgets what it has collected.
    pub(super) fn end_session(&mut self) {
        self.session.close();
        self.memory.collected.clear();
    }

    #[inline(never)]
    pub(super) fn provision(&mut self, key: [u8; KEY_LEN]) -> Result<Response<'static>, Fault> {
        if self.store.settings().admin.is_some() {
            return Err(Fault::Provisioned);
        }
        self.bind()?;
        self.change(&|settings| settings.admin = Some(key))?;
        Ok(Response::Done(0))
    }

    #[inline(never)]
    pub(super) fn threshold(&mut self, adjustment: Option<Adjustment>) -> Result<Response<'static>, Fault> {
        let sealed = self.engine.header().threshold.ok_or(Fault::NoThreshold)?.distance;
        if let Some(Adjustment { distance, loosen }) = adjustment {
            self.admin()?;
            if distance.is_some_and(|distance| distance > sealed) && !loosen {
                return Err(Fault::Looser { sealed });
            }
            self.bind()?;
            let threshold = distance.map(|Distance(distance)| distance.min(MAX_THRESHOLD));
            self.change(&|settings| (settings.threshold, settings.loosened) = (threshold, loosen))?;
            self.gallery()?.set_threshold(threshold.map_or(sealed, Distance));
        }
        Ok(Response::Threshold { sealed, used: self.gallery()?.threshold() })
    }

    #[inline(never)]
    pub(super) fn adapt(&mut self, adapt: bool) -> Result<Response<'static>, Fault> {
        self.admin()?;
        self.bind()?;
        self.change(&|settings| settings.adapt = adapt)?;
        Ok(Response::Done(adapt.into()))
    }

    #[inline(never)]
    pub(super) fn self_test(&mut self) -> Result<Response<'static>, Fault> {
        self.drop_sample();
        let golden = self.platform.golden().ok_or(Fault::NoGolden)?;
        let golden = shared::golden::Golden::check(golden).map_err(|_| Fault::NoGolden)?;
        if golden.model_id() != self.engine.header().model_id {
            return Err(Fault::NoGolden);
        }
        let (samples, agree) = replay::agreement(&mut self.engine, &golden);
        Ok(Response::SelfTest { samples, agree })
    }

    /// Times the network on whatever lies in its input tensor, and an identification of what comes out.
    #[inline(never)]
    pub(super) fn bench(&mut self) -> Result<Response<'static>, Fault> {
        self.drop_sample();
        let start = self.platform.micros();
        let Ok(embedding) = self.engine.forward() else {
            return Err(Fault::Engine);
        };
        let between = self.platform.micros();
        if let Some(gallery) = &self.memory.gallery {
            core::hint::black_box(gallery.identify(&embedding));
        }
        let end = self.platform.micros();
        let time = |from: u64, to: u64| u32::try_from(to.saturating_sub(from)).unwrap_or(u32::MAX);
        Ok(Response::Bench { embed: time(start, between), identify: time(between, end), identities: self.enrolled() })
    }
}
