//! Who may do what, and how soon again: the admin session and the delay after comparisons that failed.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use shared::wire::{CHALLENGE_LEN, KEY_LEN, PROOF_CONTEXT, PROOF_LEN, SESSION_SECONDS};

/// Comparisons that may fail in a row before there is a delay.
pub const FREE_FAILURES: u8 = 4;
/// The longest delay, in seconds; each failure doubles it, from one second on.
pub const MAX_DELAY: u64 = 300;
/// Doublings of a second that pass [`MAX_DELAY`].
const MAX_DOUBLINGS: u8 = 9;

const SECOND: u64 = 1_000_000;
const CHALLENGE_CONTEXT: &[u8] = b"doppel challenge 2";

/// The state of sessions since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Session {
    /// Challenges given since the start.
    given: u32,
    challenge: Option<[u8; CHALLENGE_LEN]>,
    /// Until when the admin session is open, in microseconds since the start.
    open_until: Option<u64>,
    /// From when on a comparison is carried out.
    compare_from: u64,
}

impl Session {
    /// Whether an admin session is open.
    pub fn is_open(&self, now: u64) -> bool {
        self.open_until.is_some_and(|until| now < until)
    }

    /// Opens the admin session, or keeps it open.
    pub fn open(&mut self, now: u64) {
        self.open_until = Some(now.saturating_add(u64::from(SESSION_SECONDS) * SECOND));
    }

    /// Ends the admin session, and forgets the challenge.
    pub fn close(&mut self) {
        self.open_until = None;
        self.challenge = None;
    }

    /// Whether this start has given a challenge.
    pub fn has_challenged(&self) -> bool {
        self.given > 0
    }

    /// A challenge that this board has never given before under `key`: `boots` counts the starts that gave any. Another board under
    /// the same key gives the same ones.
    pub fn challenge(&mut self, key: &[u8; KEY_LEN], boots: u32) -> [u8; CHALLENGE_LEN] {
        self.given = self.given.wrapping_add(1);
        let code = mac(key, &[CHALLENGE_CONTEXT, &boots.to_le_bytes(), &self.given.to_le_bytes()]);
        let bytes = code.finalize().into_bytes();
        let mut challenge = [0; CHALLENGE_LEN];
        for (place, byte) in challenge.iter_mut().zip(bytes) {
            *place = byte;
        }
        self.challenge = Some(challenge);
        challenge
    }

    /// Whether `proof` answers the last challenge, which then serves no more. Takes the same time for every wrong proof.
    pub fn check(&mut self, key: &[u8; KEY_LEN], proof: &[u8; PROOF_LEN]) -> bool {
        let Some(challenge) = self.challenge.take() else {
            return false;
        };
        mac(key, &[PROOF_CONTEXT, &challenge]).verify_slice(proof).is_ok()
    }

    /// Seconds until a comparison is carried out, rounded up; none where it is now.
    pub fn wait(&self, now: u64) -> Option<u32> {
        let left = self.compare_from.saturating_sub(now).div_ceil(SECOND);
        (left > 0).then_some(left.min(MAX_DELAY) as u32)
    }

    /// `failures` comparisons have failed in a row, the last one now.
    pub fn failed(&mut self, failures: u8, now: u64) {
        self.compare_from = now.saturating_add(delay(failures) * SECOND);
    }

    /// A comparison succeeded.
    pub fn succeeded(&mut self) {
        self.compare_from = 0;
    }
}

/// Seconds of delay after `failures` in a row: `2^(failures - FREE_FAILURES - 1)`, up to [`MAX_DELAY`].
fn delay(failures: u8) -> u64 {
    match failures.checked_sub(FREE_FAILURES + 1) {
        Some(doublings) => (1 << doublings.min(MAX_DOUBLINGS)).min(MAX_DELAY),
        None => 0,
    }
}

/// What proves that `key` is known.
pub fn proof(key: &[u8; KEY_LEN], challenge: &[u8; CHALLENGE_LEN]) -> [u8; PROOF_LEN] {
    mac(key, &[PROOF_CONTEXT, challenge]).finalize().into_bytes().into()
}

fn mac(key: &[u8; KEY_LEN], parts: &[&[u8]]) -> Hmac<Sha256> {
    // A key shorter than the hash's block counts as filled up with zeros.
    let mut block = [0; 64];
    for (place, &byte) in block.iter_mut().zip(key) {
        *place = byte;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_serves_one_challenge_once() {
        let key = [7; KEY_LEN];
        let mut session = Session::default();
        assert!(!session.check(&key, &proof(&key, &[0; CHALLENGE_LEN])));
        let first = session.challenge(&key, 1);
        assert!(session.check(&key, &proof(&key, &first)));
        assert!(!session.check(&key, &proof(&key, &first)));
        let second = session.challenge(&key, 1);
        assert_ne!(first, second);
        assert!(!session.check(&key, &proof(&key, &first)));
        let third = session.challenge(&key, 1);
        assert!(!session.check(&key, &proof(&[8; KEY_LEN], &third)));
        // Another start counts from one again.
        assert_ne!(Session::default().challenge(&key, 2), first);
    }

    /// RFC 4231, test case 2, whose key is shorter than 32 bytes, which zeros fill up.
    #[test]
    fn the_code_is_hmac_sha256() {
        let mut key = [0; KEY_LEN];
        key[..4].copy_from_slice(b"Jefe");
        let code = mac(&key, &[b"what do ya want ", b"for nothing?"]).finalize().into_bytes();
        assert_eq!(code[..8], [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]);
    }

    #[test]
    fn the_delay_grows_to_its_bound() {
        let delays: [u64; 8] = core::array::from_fn(|index| delay(index as u8 + 3));
        assert_eq!(delays, [0, 0, 1, 2, 4, 8, 16, 32]);
        assert_eq!((delay(13), delay(14), delay(u8::MAX)), (256, 300, 300));
        let mut session = Session::default();
        session.failed(FREE_FAILURES + 2, 1_000_000);
        assert_eq!(
            (session.wait(1_000_000), session.wait(2_000_001), session.wait(3_000_000)),
            (Some(2), Some(1), None)
        );
    }

    #[test]
    fn a_session_ends_when_it_is_idle() {
        let mut session = Session::default();
        assert!(!session.is_open(0));
        session.open(5);
        assert!(session.is_open(u64::from(SESSION_SECONDS) * 1_000_000));
        assert!(!session.is_open(u64::from(SESSION_SECONDS) * 1_000_000 + 5));
        session.close();
        assert!(!session.is_open(6));
    }
}
