//! What the store keeps beside templates.

use shared::embedding::Distance;
use shared::wire::KEY_LEN;

/// Bytes of the record of what an admin has chosen.
pub(super) const LEN: usize = 5;
const NO_THRESHOLD: u32 = u32::MAX;
/// The largest threshold that can be kept.
pub const MAX_THRESHOLD: u32 = NO_THRESHOLD - 1;
/// Its flags.
const ADAPT: u8 = 1;
const LOOSENED: u8 = 2;

/// What belongs to the board and to nobody who is enrolled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The key that admin sessions are opened with, once it was provisioned.
    pub admin: Option<[u8; KEY_LEN]>,
    /// The largest accepted distance, where it is not the model's.
    pub threshold: Option<u32>,
    /// Whether that may be larger than the model's.
    pub loosened: bool,
    /// Whether confident matches move their template.
    pub adapt: bool,
    /// Boots that gave challenges.
    pub boots: u32,
    /// Comparisons that failed in a row.
    pub failures: u8,
    /// The model slot in use.
    pub slot: u8,
}

impl Settings {
    /// The largest accepted distance where it is not `sealed`, the model's; one that is larger has to have been asked for as such,
    /// and is not once a model is sealed anew with a smaller one.
    pub fn adjusted(&self, sealed: Distance) -> Option<Distance> {
        self.threshold.map(Distance).filter(|&distance| self.loosened || distance <= sealed)
    }

    /// The record of what an admin has chosen.
    #[inline(never)]
    pub(super) fn choices(&self) -> [u8; LEN] {
        let [a, b, c, d] = self.threshold.unwrap_or(NO_THRESHOLD).to_le_bytes();
        [a, b, c, d, (u8::from(self.adapt) * ADAPT) | (u8::from(self.loosened) * LOOSENED)]
    }

    /// Takes over what such a record holds.
    pub(super) fn choose(&mut self, [a, b, c, d, flags]: [u8; LEN]) {
        self.threshold = Some(u32::from_le_bytes([a, b, c, d])).filter(|&value| value != NO_THRESHOLD);
        self.adapt = flags & ADAPT != 0;
        self.loosened = flags & LOOSENED != 0;
    }
}
