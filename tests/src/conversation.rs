//! A conversation with a board, whoever plays it: every request, in good order and in bad.

use std::io::{self, Read, Write};

use firmware::session;
use shared::embedding::Distance;
use shared::frontend::{Raw, RawHeader, Sound};
use shared::wire::{
    Adjustment, Decoder, KEY_LEN, LogLevel, MAX_CHUNK, MAX_FRAME, Request, Response, Update, Wire, encode,
};

use crate::model::Picture;

/// The admin key that the conversation provisions.
pub const KEY: [u8; KEY_LEN] = [0x5a; KEY_LEN];
/// Who is enrolled.
const NAMES: [&str; 5] = ["ann", "bob", "Zoë", "dan", "eve"];

/// What is sent; every item is answered by one frame.
#[derive(Clone, Debug)]
pub enum Item {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The proof that answers the challenge of the answer before, under this sequence number.
    Proof(u8),
}

/// The first conversation with an empty board: enrols five, verifies, identifies, deletes, lists. It leaves four enrolled and an
/// adjusted threshold.
pub fn script(pictures: &[Picture]) -> Vec<Item> {
    let mut script = Script::default();
    let long = "x".repeat(25);
    script.say(Request::Info);
    script.say(Request::Embed);
    script.say(Request::Verify { label: "ann" });
    script.say(Request::Chunk { offset: 0, bytes: &[1] });
    for (width, height, channels) in [(0, 5, 1), (5, 9000, 1), (5, 5, 3)] {
        script.say(Request::Begin(RawHeader::Image { width, height, channels }));
    }
    script.say(Request::Begin(RawHeader::Sound { rate: 16000, samples: 100 }));
    // Who may do what.
    script.send(pictures[0].raw());
    script.say(Request::Enrol { label: "ann" });
    script.say(Request::Challenge);
    script.say(Request::Provision { key: KEY });
    script.say(Request::Provision { key: [0; KEY_LEN] });
    script.say(Request::Enrol { label: "ann" });
    script.say(Request::Unlock { proof: [0; 32] });
    script.unlock();
    for (picture, label) in pictures.iter().zip(NAMES) {
        script.send(picture.raw());
        script.say(Request::Embed);
        script.say(Request::Identify);
        script.say(Request::Collect);
        script.say(Request::Collect);
        script.say(Request::Enrol { label });
    }
    script.blank();
    script.say(Request::Enrol { label: "nobody" });
    script.say(Request::Enrol { label: "ann" });
    script.say(Request::Enrol { label: "" });
    script.say(Request::Enrol { label: &long });
    script.say(Request::List { first: 0 });
    script.say(Request::List { first: 2 });
    for picture in pictures {
        script.send(picture.raw());
        script.say(Request::Identify);
        for label in NAMES {
            script.say(Request::Verify { label });
        }
    }
    script.say(Request::Events { after: 30 });
    script.say(Request::Delete { label: "bob" });
    script.say(Request::Delete { label: "bob" });
    script.say(Request::Verify { label: "bob" });
    script.say(Request::Identify);
    script.say(Request::Threshold(None));
    let adjust = |distance, loosen| Request::Threshold(Some(Adjustment { distance: Some(Distance(distance)), loosen }));
    script.say(adjust(u32::MAX - 1, false));
    script.say(adjust(u32::MAX - 1, true));
    script.say(Request::Identify);
    script.say(adjust(3, false));
    script.say(Request::Identify);
    script.say(Request::SelfTest);
    script.say(Request::Log(LogLevel::Trace));
    script.say(Request::Update(Update::Finish));
    script.say(Request::Update(Update::Begin { bytes: u32::MAX }));
    // A part of a sample, then requests that need the whole.
    script.say(Request::Begin(pictures[0].raw().header()));
    script.say(Request::Chunk { offset: 0, bytes: &pictures[0].pixels[..7] });
    script.say(Request::Chunk { offset: 9, bytes: &[0] });
    script.say(Request::Identify);
    // Noise, a frame that is too long, a damaged frame, and a frame of no message.
    script.0.push(Item::Bytes(vec![7, 1, 2, 3, 0]));
    script.0.push(Item::Bytes([vec![1; 3 * MAX_FRAME], vec![0]].concat()));
    let mut damaged = frame(1, &Request::Info);
    damaged[3] ^= 4;
    script.0.push(Item::Bytes(damaged));
    script.0.push(Item::Bytes(frame(9, &0xffu8)));
    script.say(Request::Lock);
    script.say(Request::Delete { label: "ann" });
    script.say(Request::List { first: 0 });
    script.0
}

/// The second one, after the power was off: who is enrolled, the threshold and the key are as they were.
pub fn second_script(pictures: &[Picture]) -> Vec<Item> {
    let mut script = Script::default();
    script.say(Request::Info);
    script.say(Request::List { first: 0 });
    script.say(Request::Threshold(None));
    script.say(Request::Wipe);
    script.say(Request::Provision { key: KEY });
    script.unlock();
    for picture in pictures {
        script.send(picture.raw());
        script.say(Request::Identify);
    }
    script.say(Request::Threshold(Some(Adjustment { distance: None, loosen: false })));
    script.say(Request::Identify);
    script.say(Request::Verify { label: "Zoë" });
    script.say(Request::Wipe);
    script.say(Request::List { first: 0 });
    script.say(Request::Identify);
    script.0
}

/// The conversation with an empty board that was built for recordings: enrols two from two `recordings` each, verifies, identifies,
/// deletes, lists. It leaves the second one enrolled.
pub fn script_of_recordings(recordings: &[Raw<'_>]) -> Vec<Item> {
    let mut script = Script::default();
    script.say(Request::Info);
    script.say(Request::Provision { key: KEY });
    script.unlock();
    for (pair, label) in recordings.chunks(2).zip(NAMES).take(2) {
        for recording in pair {
            script.send(*recording);
            script.say(Request::Embed);
            script.say(Request::Collect);
        }
        script.say(Request::Enrol { label });
    }
    // Silence, a click, a picture, and half of a recording.
    for samples in [&[0; 16_000][..], &[0, 64, 0, 192][..]] {
        script.send(Raw::Sound(Sound { rate: 8000, samples }));
        script.say(Request::Enrol { label: "nobody" });
    }
    script.say(Request::Begin(RawHeader::Image { width: 28, height: 28, channels: 1 }));
    script.say(Request::Begin(RawHeader::Sound { rate: 8000, samples: 4000 }));
    script.say(Request::Chunk { offset: 0, bytes: &[3; 200] });
    script.say(Request::Identify);
    for recording in recordings {
        script.send(*recording);
        script.say(Request::Identify);
        script.say(Request::Verify { label: NAMES[0] });
    }
    script.say(Request::Delete { label: NAMES[0] });
    script.say(Request::List { first: 0 });
    script.say(Request::SelfTest);
    script.0
}

/// After the power was off.
pub fn second_script_of_recordings(recordings: &[Raw<'_>]) -> Vec<Item> {
    let mut script = Script::default();
    script.say(Request::List { first: 0 });
    for recording in recordings {
        script.send(*recording);
        script.say(Request::Identify);
    }
    script.0
}

fn frame<'m, M: Wire<'m>>(sequence: u8, message: &M) -> Vec<u8> {
    let mut out = [0; MAX_FRAME];
    encode(sequence, message, &mut out).expect("requests are short").to_vec()
}

#[derive(Default)]
struct Script(Vec<Item>);

impl Script {
    fn sequence(&self) -> u8 {
        (self.0.len() % 255 + 1) as u8
    }

    fn say(&mut self, request: Request<'_>) {
        self.0.push(Item::Bytes(frame(self.sequence(), &request)));
    }

    fn unlock(&mut self) {
        self.say(Request::Challenge);
        self.0.push(Item::Proof(self.sequence()));
    }

    fn send(&mut self, sample: Raw<'_>) {
        self.say(Request::Begin(sample.header()));
        for (index, bytes) in sample.bytes().chunks(MAX_CHUNK).enumerate() {
            let offset = (index * MAX_CHUNK) as u32;
            self.say(Request::Chunk { offset, bytes });
        }
    }

    /// A picture that shows nothing.
    fn blank(&mut self) {
        self.send(Picture { width: 28, height: 28, channels: 1, pixels: vec![200; 28 * 28] }.raw());
    }
}

/// Sends every item of `script` over `link` once the one before is answered; the answers as they came, closing zeros included.
pub fn hold(link: &mut (impl Read + Write), script: &[Item]) -> io::Result<Vec<Vec<u8>>> {
    let mut answers: Vec<Vec<u8>> = vec![];
    for item in script {
        match item {
            Item::Bytes(bytes) => link.write_all(bytes)?,
            Item::Proof(sequence) => {
                let challenge =
                    answers.last().and_then(|answer| challenge(answer)).ok_or(io::ErrorKind::InvalidData)?;
                link.write_all(&frame(*sequence, &Request::Unlock { proof: session::proof(&KEY, &challenge) }))?;
            }
        }
        let mut answer = vec![];
        while answer.last() != Some(&0) {
            let mut byte = [0];
            link.read_exact(&mut byte)?;
            answer.push(byte[0]);
        }
        answers.push(answer);
    }
    Ok(answers)
}

fn challenge(answer: &[u8]) -> Option<[u8; 16]> {
    let mut decoder = Decoder::new();
    for &byte in answer {
        if let Some(Ok(frame)) = decoder.push(byte)
            && let Ok(Response::Challenge(challenge)) = frame.message()
        {
            return Some(challenge);
        }
    }
    None
}
