//! Records in a half of the store's flash, one behind the other.
//!
//! The log is the project's own because of its size: the map of sequential-storage takes 6 KB more code, which the promise of 48 KiB
//! for a board's program does not leave.

use embedded_storage::nor_flash::NorFlash;
use shared::crc32;

use super::{COMMIT, MAX_VALUE, Store, StoreError};

/// Key and length before a value.
const HEAD_LEN: usize = 4;
const CHECKSUM_LEN: usize = 4;
/// Room for the longest record in whole words of any flash.
const BUFFER_LEN: usize = (HEAD_LEN + MAX_VALUE + CHECKSUM_LEN).next_multiple_of(32);

/// Where a half is written next; offsets count from the half's beginning.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tail {
    pub(super) half: u32,
    pub(super) end: u32,
    /// Up to where it can be written.
    pub(super) room: u32,
}

/// The longest word of a flash.
#[repr(align(4))]
struct Word([u8; 32]);

/// A record; some flashes are read and written from whole words of memory only.
#[repr(align(4))]
pub(super) struct Buffer(pub(super) [u8; BUFFER_LEN]);

impl Buffer {
    pub(super) fn new() -> Self {
        Buffer([0xff; BUFFER_LEN])
    }
}

impl<F: NorFlash> Store<F> {
    /// Bytes that no access may be a part of.
    const WORD: usize = {
        let words = [F::WRITE_SIZE, F::READ_SIZE, HEAD_LEN];
        let longer = if words[0] > words[1] { words[0] } else { words[1] };
        if longer > words[2] { longer } else { words[2] }
    };

    /// Bytes of the record of a value.
    pub(super) fn record_len(value_len: usize) -> usize {
        (HEAD_LEN + value_len + CHECKSUM_LEN).next_multiple_of(Self::WORD)
    }

    /// Shows every record of `half`, older ones of a key first, and returns where they end.
    pub(super) fn scan(&mut self, half: u32, visit: &mut dyn FnMut(u16, &[u8])) -> Result<u32, StoreError> {
        let mut buffer = Buffer::new();
        let mut end = 0;
        while let Some((key, len)) = self.read(half, end, &mut buffer)? {
            visit(key, buffer.0.get(HEAD_LEN..HEAD_LEN + len).unwrap_or_default());
            end += Self::record_len(len) as u32;
        }
        Ok(end)
    }

    /// Reads the record at `at` of `half` to `buffer`; its key, and the length of its value. None where none is, or one that was
    /// cut short.
    fn read(&mut self, half: u32, at: u32, buffer: &mut Buffer) -> Result<Option<(u16, usize)>, StoreError> {
        let Some((key, len)) = self.head(half, at)? else {
            return Ok(None);
        };
        let Some(record) = buffer.0.get_mut(..Self::record_len(len)) else {
            return Ok(None);
        };
        self.flash.read(half * self.half_len() + at, record).map_err(|_| StoreError::Flash)?;
        let (content, rest) = record.split_at(HEAD_LEN + len);
        let whole = rest.first_chunk() == Some(&crc32(content).to_le_bytes());
        Ok(whole.then_some((key, len)))
    }

    /// Key and length of the record at `at`, as far as its first bytes say.
    fn head(&mut self, half: u32, at: u32) -> Result<Option<(u16, usize)>, StoreError> {
        let half_len = self.half_len();
        if at + Self::WORD as u32 > half_len {
            return Ok(None);
        }
        let mut word = Word([0xff; 32]);
        let bytes = word.0.get_mut(..Self::WORD).unwrap_or_default();
        self.flash.read(half * half_len + at, bytes).map_err(|_| StoreError::Flash)?;
        let [a, b, c, d, ..] = word.0;
        let (key, len) = (u16::from_le_bytes([a, b]), usize::from(u16::from_le_bytes([c, d])));
        let fits = len <= MAX_VALUE && at + Self::record_len(len) as u32 <= half_len;
        Ok(fits.then_some((key, len)))
    }

    /// Whether the half in use has room for a record.
    pub(super) fn fits(&self, parts: &[&[u8]]) -> bool {
        let len = parts.iter().map(|part| part.len()).sum();
        self.tail.end + Self::record_len(len) as u32 <= self.tail.room
    }

    /// Appends a record of the value that `parts` make up.
    pub(super) fn append(&mut self, tail: &mut Tail, key: u16, parts: &[&[u8]]) -> Result<(), StoreError> {
        let mut buffer = Buffer::new();
        let mut len = HEAD_LEN;
        for part in parts {
            let place = buffer.0.get_mut(len..len + part.len()).ok_or(StoreError::Full)?;
            place.copy_from_slice(part);
            len += part.len();
        }
        let [a, b] = key.to_le_bytes();
        let [c, d] = ((len - HEAD_LEN) as u16).to_le_bytes();
        for (place, byte) in buffer.0.iter_mut().zip([a, b, c, d]) {
            *place = byte;
        }
        let checksum = crc32(buffer.0.get(..len).unwrap_or_default());
        let place = buffer.0.get_mut(len..len + CHECKSUM_LEN).ok_or(StoreError::Full)?;
        place.copy_from_slice(&checksum.to_le_bytes());
        self.put_record(tail, buffer.0.get(..Self::record_len(len - HEAD_LEN)).unwrap_or_default())
    }

    /// Copies the last record of every key but the commit.
    pub(super) fn copy_last(&mut self, tail: &mut Tail) -> Result<(), StoreError> {
        let mut buffer = Buffer::new();
        let from = self.tail;
        let mut at = 0;
        while at < from.end {
            let Some((key, len)) = self.read(from.half, at, &mut buffer)? else {
                return Err(StoreError::Flash);
            };
            at += Self::record_len(len) as u32;
            if key != COMMIT && !self.has(from, at, key)? {
                self.put_record(tail, buffer.0.get(..Self::record_len(len)).unwrap_or_default())?;
            }
        }
        Ok(())
    }

    /// Whether a record of `key` lies at or behind `at`.
    fn has(&mut self, from: Tail, mut at: u32, key: u16) -> Result<bool, StoreError> {
        while at < from.end {
            match self.head(from.half, at)? {
                Some((other, _)) if other == key => return Ok(true),
                Some((_, len)) => at += Self::record_len(len) as u32,
                None => break,
            }
        }
        Ok(false)
    }

    fn put_record(&mut self, tail: &mut Tail, record: &[u8]) -> Result<(), StoreError> {
        let end = tail.end + record.len() as u32;
        if end > tail.room {
            return Err(StoreError::Full);
        }
        // Where the write fails, nothing more is written to this half.
        let room = core::mem::take(&mut tail.room);
        self.flash.write(tail.half * self.half_len() + tail.end, record).map_err(|_| StoreError::Flash)?;
        (tail.end, tail.room) = (end, room);
        Ok(())
    }
}
