//! What a board keeps over a power cut: templates and settings, in a region of NOR flash.
//!
//! The region is cut into two halves of whole erase pages. One half at a time is in use: a log, to which every change is
//! appended as a record under a key, and of the records of a key the last one counts. When the half is full, those that count
//! are copied to the other half, so that all pages wear alike. To delete, what stays is written to the other half. Either way
//! the half that was in use is then erased as a whole: after a deletion no byte of the template is left, and the flash needs
//! no second write to a word.
//!
//! ```text
//! region   half 0, half 1: each half the region's pages, rounded down
//! half     records from its beginning on, then erased bytes
//! record   key u16, length of the value u16, value, CRC-32 of all that u32, ones up to a whole word; numbers little-endian
//!
//! key      value
//!   0      commit      version u8 = 3, reserved u8[3], model id u64, generation u32, pages erased u32
//!   1      admin key   32 bytes
//!   2      settings    threshold u32 (none: u32::MAX), flags u8 (1: adapt, 2: loosened)
//!   3      boots       u32: boots that gave challenges
//!   4      failures    u8: comparisons that failed in a row
//!   5      slot        u8: the model slot in use, 0 for the program's own model
//! 256 + i  template i  label length u8, label (UTF-8), spread u32 (of one sample: u32::MAX), embedding (int8)
//! ```
//!
//! A copy ends with a commit, so a half without one is a copy that was cut short. Of two halves
//! with a commit the one of the higher generation holds, and the other one is erased when the store is opened. Templates and
//! threshold belong to the last commit's model id; the rest belongs to the board. A record that was cut short ends its half:
//! what is kept next goes to the other one. A region that holds something else, or a commit of another version, is left as it
//! is until [`Store::rewrite`] replaces it.

mod log;
mod settings;

use embedded_storage::nor_flash::NorFlash;
use shared::embedding::{Distance, MAX_DIM};
use shared::gallery::{Gallery, MAX_LABEL, NO_SPREAD, Template};
use thiserror::Error;

use log::Tail;
pub use settings::{MAX_THRESHOLD, Settings};

/// The version of the format.
pub const VERSION: u8 = 3;

const COMMIT: u16 = 0;
const TEMPLATES: u16 = 256;

const COMMIT_LEN: usize = 20;
const SPREAD_LEN: usize = 4;
/// Longest value of a record: a template of the longest label and embedding.
const MAX_VALUE: usize = 1 + MAX_LABEL + SPREAD_LEN + MAX_DIM;
/// Where the first two records of a region have ended: a first commit that was cut short leaves the flash erased from there on.
const FIRST_ITEMS_END: u32 = 256;
/// Bytes that all settings take at most, with their overhead, in a flash of words of up to 32 bytes.
const SETTINGS_ROOM: usize = 512;

/// Why the store cannot be used or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The region has too few pages, or pages too small for a record.
    #[error("the store needs a flash region of at least four erase pages of 1 KiB: give it a larger one")]
    Region,
    /// The flash could not be read, written or erased.
    #[error("the store's flash failed: the board needs repair")]
    Flash,
    /// What was to be kept is kept, but the flash still holds what was before: it could not be erased.
    #[error("the store's flash could not be erased: the board needs repair")]
    Unerased,
    /// There is no room for the record.
    #[error("the store's flash is full: delete an identity first")]
    Full,
    /// The store holds something that may not be overwritten: see [`Contents`].
    #[error("the store holds what this program did not write: wipe it first")]
    Refused,
}

/// Whether a change of the store stands, though it may not have gone well to its end.
pub fn stands(result: Result<(), StoreError>) -> bool {
    matches!(result, Ok(()) | Err(StoreError::Unerased))
}

/// What a store was found to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Nothing, or what a first write that was cut short left.
    Empty,
    /// Templates of the model of this number.
    Model(u64),
    /// A store of this version of the format, which is not this program's.
    Version(u32),
    /// Something else.
    Foreign,
}

/// The store in its region of flash.
#[derive(Debug)]
pub struct Store<F> {
    flash: F,
    contents: Contents,
    tail: Tail,
    generation: u32,
    /// Pages erased up to the commit, and since the store was opened.
    erased: u32,
    /// One more than the highest number of a template.
    templates: u16,
    settings: Settings,
}

impl<F: NorFlash> Store<F> {
    /// Opens the store in `flash` and finishes what a power cut left half done.
    #[inline(never)]
    pub fn open(flash: F) -> Result<Self, StoreError> {
        let mut store = Store {
            flash,
            contents: Contents::Empty,
            tail: Tail::default(),
            generation: 0,
            erased: 0,
            templates: 0,
            settings: Settings::default(),
        };
        store.recover()?;
        Ok(store)
    }

    /// Finds out what the flash holds, and finishes what was left half done.
    fn recover(&mut self) -> Result<(), StoreError> {
        if self.pages() < 2 || F::ERASE_SIZE < 1024 {
            return Err(StoreError::Region);
        }
        let mut held = None;
        for half in 0..2 {
            if self.read_commit(half, held.is_some())? {
                held = Some(half);
            }
        }
        match (held, self.contents) {
            (None, _) => self.begin(),
            (Some(half), Contents::Model(_)) => {
                self.clear(1 - half)?;
                self.read_settings(half)
            }
            // What another version counted means nothing here.
            _ => {
                (self.generation, self.erased) = (0, 0);
                Ok(())
            }
        }
    }

    /// Begins a store where nothing is committed.
    fn begin(&mut self) -> Result<(), StoreError> {
        let end = 2 * self.half_len();
        if self.is_erased(FIRST_ITEMS_END, end)? {
            self.clear(0)?;
            self.tail.room = self.half_len();
        } else {
            self.contents = Contents::Foreign;
        }
        Ok(())
    }

    /// What the store was found to hold.
    pub fn contents(&self) -> Contents {
        self.contents
    }

    /// The board's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether templates are stored, of whichever model.
    pub fn has_templates(&self) -> bool {
        self.templates > 0
    }

    /// Pages erased since the flash was new, up to those that a power cut kept from being counted, and the pages of the
    /// region, which share them.
    pub fn wear(&self) -> (u32, u32) {
        (self.erased, 2 * self.pages())
    }

    /// Templates of `dim` elements that the region has room for.
    pub fn capacity(&self, dim: u16) -> u16 {
        let room = (self.half_len() as usize).saturating_sub(SETTINGS_ROOM);
        // A template that replaces another one needs room beside it.
        let capacity = (room / Self::record_len(1 + MAX_LABEL + SPREAD_LEN + usize::from(dim))).saturating_sub(1);
        u16::try_from(capacity).unwrap_or(u16::MAX).min(u16::MAX - TEMPLATES)
    }

    /// Puts the stored templates into `gallery`, in the order in which they were enrolled; those that are not of its length,
    /// or whose label is none, are passed over.
    pub fn load<const ROOM: usize, const DIM: usize>(
        &mut self,
        gallery: &mut Gallery<ROOM, DIM>,
    ) -> Result<(), StoreError> {
        self.scan(self.tail.half, &mut |key, value| {
            if let Some((index, (label, spread, embedding))) = key.checked_sub(TEMPLATES).zip(template(value)) {
                // A template that the gallery has no room for was not enrolled here.
                let _ = gallery.restore(usize::from(index), Template { label, embedding, spread });
            }
        })?;
        gallery.close_gaps();
        Ok(())
    }

    /// Makes the store one of `model`: needed once before anything is kept, and after a change of the model where no template
    /// is stored.
    pub fn bind(&mut self, model: u64) -> Result<(), StoreError> {
        match self.contents {
            Contents::Model(bound) if bound == model => return Ok(()),
            Contents::Model(_) if self.templates == 0 => (),
            Contents::Empty => self.generation = 1,
            _ => return Err(StoreError::Refused),
        }
        (self.settings.threshold, self.settings.loosened) = (None, false);
        self.keep(settings::CHOICES, &[&self.settings.value(settings::CHOICES)])?;
        let commit = self.commit_of(model);
        self.keep(COMMIT, &[&commit])?;
        self.contents = Contents::Model(model);
        Ok(())
    }

    /// Keeps `template` as template `index`, in the place of what was kept there.
    pub fn put_template(&mut self, index: usize, template: Template<'_>) -> Result<(), StoreError> {
        let index = u16::try_from(index).map_err(|_| StoreError::Full)?;
        let key = TEMPLATES.checked_add(index).ok_or(StoreError::Full)?;
        self.keep(key, &template_parts(&template, &[template.label.len() as u8], &spread_bytes(template.spread)))?;
        self.templates = self.templates.max(index + 1);
        Ok(())
    }

    /// Changes the settings; only those that differ are written.
    #[inline(never)]
    pub fn change(&mut self, change: &dyn Fn(&mut Settings)) -> Result<(), StoreError> {
        let Contents::Model(_) = self.contents else {
            return Err(StoreError::Refused);
        };
        let old = self.settings;
        change(&mut self.settings);
        let kept = self.put_changes(&old);
        if kept.is_err() {
            self.settings = old;
        }
        kept
    }

    fn put_changes(&mut self, old: &Settings) -> Result<(), StoreError> {
        for key in settings::KEYS {
            let value = self.settings.value(key);
            if !value.is_empty() && value != old.value(key) {
                self.keep(key, &[&value])?;
            }
        }
        Ok(())
    }

    /// Keeps no template and no threshold but the model's, of `model`, all at once as [`rewrite`](Store::rewrite) does.
    pub fn wipe(&mut self, model: u64) -> Result<(), StoreError> {
        let old = self.settings;
        (self.settings.threshold, self.settings.loosened) = (None, false);
        let wiped = self.rewrite_by(model, &mut core::iter::empty());
        if !stands(wiped) {
            self.settings = old;
        }
        wiped
    }

    /// Keeps `templates` of `model` and the settings, and nothing else: when this returns, the flash holds no byte of any
    /// other template. A power cut before leaves all of what was kept or all of what is kept now.
    pub fn rewrite<'t>(
        &mut self,
        model: u64,
        mut templates: impl Iterator<Item = Template<'t>>,
    ) -> Result<(), StoreError> {
        self.rewrite_by(model, &mut templates)
    }

    fn rewrite_by(&mut self, model: u64, templates: &mut dyn Iterator<Item = Template<'_>>) -> Result<(), StoreError> {
        if !matches!(self.contents, Contents::Model(_)) {
            // What lies there is nobody's: no half of it is worth keeping.
            self.settings = Settings::default();
            self.clear(0)?;
        }
        if self.contents != Contents::Model(model) {
            self.settings.threshold = None;
        }
        let mut tail = self.other_half()?;
        for key in settings::KEYS {
            let value = self.settings.value(key);
            if !value.is_empty() {
                self.append(&mut tail, key, &[&value])?;
            }
        }
        let mut count = 0;
        for template in templates {
            let key = TEMPLATES.checked_add(count).ok_or(StoreError::Full)?;
            let (len, spread) = ([template.label.len() as u8], spread_bytes(template.spread));
            self.append(&mut tail, key, &template_parts(&template, &len, &spread))?;
            count += 1;
        }
        self.switch(tail, model, count)
    }

    fn pages(&self) -> u32 {
        (self.flash.capacity() / F::ERASE_SIZE / 2) as u32
    }

    fn half_len(&self) -> u32 {
        self.pages() * F::ERASE_SIZE as u32
    }

    /// Takes over the last commit of `half`, if there is one, and if it is newer than the one that was read before; whether it
    /// was.
    fn read_commit(&mut self, half: u32, other: bool) -> Result<bool, StoreError> {
        let mut commit: Option<[u8; COMMIT_LEN]> = None;
        self.scan(half, &mut |key, value| {
            if key == COMMIT {
                commit = value.first_chunk().copied();
            }
        })?;
        let Some([version, _, _, _, model @ .., g0, g1, g2, g3, e0, e1, e2, e3]) = commit else {
            return Ok(false);
        };
        let generation = u32::from_le_bytes([g0, g1, g2, g3]);
        if other && generation <= self.generation {
            return Ok(false);
        }
        self.contents = match version {
            VERSION => Contents::Model(u64::from_le_bytes(model)),
            version => Contents::Version(version.into()),
        };
        (self.generation, self.erased) = (generation, u32::from_le_bytes([e0, e1, e2, e3]));
        Ok(true)
    }

    fn commit_of(&self, model: u64) -> [u8; COMMIT_LEN] {
        let mut bytes = [0; COMMIT_LEN];
        bytes[0] = VERSION;
        bytes[4..12].copy_from_slice(&model.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.generation.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.erased.to_le_bytes());
        bytes
    }

    /// Keeps a record in the half in use, or, where that is full, with those that count in the other one.
    fn keep(&mut self, key: u16, parts: &[&[u8]]) -> Result<(), StoreError> {
        if !self.fits(parts) {
            self.compact()?;
        }
        let mut tail = self.tail;
        let result = self.append(&mut tail, key, parts);
        self.tail = tail;
        result
    }

    /// Copies the records that count to the other half, which is then in use.
    fn compact(&mut self) -> Result<(), StoreError> {
        let Contents::Model(model) = self.contents else {
            return Err(StoreError::Flash);
        };
        let mut tail = self.other_half()?;
        self.copy_last(&mut tail)?;
        self.switch(tail, model, self.templates)
    }

    /// The other half, erased.
    fn other_half(&mut self) -> Result<Tail, StoreError> {
        let half = 1 - self.tail.half;
        self.clear(half)?;
        Ok(Tail { half, end: 0, room: self.half_len() })
    }

    /// Commits the half of `tail`, which holds so many templates and is then in use, and erases the one that was.
    fn switch(&mut self, mut tail: Tail, model: u64, templates: u16) -> Result<(), StoreError> {
        let from = self.tail.half;
        self.generation = self.generation.wrapping_add(1);
        // Counted before the commit: the pages are erased after it.
        self.erased = self.erased.saturating_add(self.used_pages(from)?);
        let commit = self.commit_of(model);
        self.append(&mut tail, COMMIT, &[&commit])?;
        self.contents = Contents::Model(model);
        (self.tail, self.templates) = (tail, templates);
        self.erase(from).map_err(|_| StoreError::Unerased)
    }

    fn read_settings(&mut self, half: u32) -> Result<(), StoreError> {
        let (mut settings, mut templates) = (Settings::default(), 0);
        let end = self.scan(half, &mut |key, value| match key {
            TEMPLATES.. => templates = templates.max(key - TEMPLATES + 1),
            key => settings.take(key, value),
        })?;
        let (start, len) = (half * self.half_len(), self.half_len());
        // Bytes that are not erased are a record that was cut short: nothing can be written there.
        let room = if self.is_erased(start + end, start + len)? { len } else { end };
        self.tail = Tail { half, end, room };
        (self.settings, self.templates) = (settings, templates);
        Ok(())
    }

    /// Erases the pages of `half` that are not erased, and counts them.
    fn clear(&mut self, half: u32) -> Result<(), StoreError> {
        self.erased = self.erased.saturating_add(self.used_pages(half)?);
        self.erase(half)
    }

    /// Erases the pages of `half` that are not erased.
    fn erase(&mut self, half: u32) -> Result<(), StoreError> {
        let page = F::ERASE_SIZE as u32;
        for start in self.page_starts(half) {
            if !self.is_erased(start, start + page)? {
                self.flash.erase(start, start + page).map_err(|_| StoreError::Flash)?;
            }
        }
        Ok(())
    }

    fn used_pages(&mut self, half: u32) -> Result<u32, StoreError> {
        let mut used = 0;
        for start in self.page_starts(half) {
            used += u32::from(!self.is_erased(start, start + F::ERASE_SIZE as u32)?);
        }
        Ok(used)
    }

    fn page_starts(&self, half: u32) -> impl Iterator<Item = u32> + use<F> {
        let pages = self.pages();
        (half * pages..(half + 1) * pages).map(|index| index * F::ERASE_SIZE as u32)
    }

    fn is_erased(&mut self, start: u32, end: u32) -> Result<bool, StoreError> {
        let mut bytes = log::Buffer::new();
        let mut at = start;
        while at < end {
            let count = (end - at).min(128);
            let bytes = bytes.0.get_mut(..count as usize).unwrap_or_default();
            self.flash.read(at, bytes).map_err(|_| StoreError::Flash)?;
            if bytes.iter().any(|&byte| byte != 0xff) {
                return Ok(false);
            }
            at += count;
        }
        Ok(true)
    }
}

/// The value of a template's record, whose label has `len` bytes.
fn template_parts<'t>(template: &Template<'t>, len: &'t [u8], spread: &'t [u8]) -> [&'t [u8]; 4] {
    [len, template.label.as_bytes(), spread, bytemuck::cast_slice(template.embedding)]
}

fn spread_bytes(spread: Option<Distance>) -> [u8; SPREAD_LEN] {
    spread.unwrap_or(NO_SPREAD).0.to_le_bytes()
}

/// Label, spread and embedding in the value of a template's record.
fn template(value: &[u8]) -> Option<(&str, Option<Distance>, &[i8])> {
    let (&len, rest) = value.split_first()?;
    let (label, rest) = rest.split_at_checked(usize::from(len))?;
    let (spread, embedding) = rest.split_first_chunk()?;
    let label = core::str::from_utf8(label).ok()?;
    let spread = Some(Distance(u32::from_le_bytes(*spread))).filter(|&spread| spread != NO_SPREAD);
    Some((label, spread, shared::embedding::signed(embedding)))
}
