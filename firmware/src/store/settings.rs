//! What the store keeps beside templates.

use core::ops::RangeInclusive;
use core::slice;

use heapless::Vec;
use shared::embedding::Distance;
use shared::wire::KEY_LEN;

/// Keys of the records that they make up.
pub(super) const KEYS: RangeInclusive<u16> = ADMIN..=SLOT;
const ADMIN: u16 = 1;
/// What an admin has chosen.
pub(super) const CHOICES: u16 = 2;
const BOOTS: u16 = 3;
const FAILURES: u16 = 4;
const SLOT: u16 = 5;

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

    /// The value of the record of `key`; empty where there is none.
    #[inline(never)]
    pub(super) fn value(&self, key: u16) -> Vec<u8, KEY_LEN> {
        let [a, b, c, d] = self.threshold.unwrap_or(NO_THRESHOLD).to_le_bytes();
        let choices = [a, b, c, d, (u8::from(self.adapt) * ADAPT) | (u8::from(self.loosened) * LOOSENED)];
        let boots = self.boots.to_le_bytes();
        let bytes: &[u8] = match key {
            ADMIN => self.admin.as_ref().map_or(&[], |admin| admin),
            CHOICES => &choices,
            BOOTS => &boots,
            FAILURES => slice::from_ref(&self.failures),
            SLOT => slice::from_ref(&self.slot),
            _ => &[],
        };
        // The key is the longest.
        Vec::from_slice(bytes).unwrap_or_default()
    }

    /// Takes over what the record of `key` holds.
    pub(super) fn take(&mut self, key: u16, value: &[u8]) {
        match (key, value) {
            (ADMIN, value) => self.admin = value.try_into().ok(),
            (CHOICES, &[a, b, c, d, flags]) => {
                self.threshold = Some(u32::from_le_bytes([a, b, c, d])).filter(|&value| value != NO_THRESHOLD);
                self.adapt = flags & ADAPT != 0;
                self.loosened = flags & LOOSENED != 0;
            }
            (BOOTS, &[a, b, c, d]) => self.boots = u32::from_le_bytes([a, b, c, d]),
            (FAILURES, &[failures]) => self.failures = failures,
            (SLOT, &[slot]) => self.slot = slot,
            _ => (),
        }
    }
}
