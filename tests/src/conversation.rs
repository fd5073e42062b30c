//! A conversation with a board, whoever plays it: every request, in good order and in bad.

use std::io::{self, Read, Write};

use shared::wire::{self, MAX_CHUNK, MAX_FRAME, Request, encode};

use crate::model::Picture;

/// What is sent; every item is answered by one frame.
pub fn script(pictures: &[Picture]) -> Vec<Vec<u8>> {
    let mut script = Script::default();
    let long = "x".repeat(25);
    script.say(Request::Info);
    script.say(Request::Embed);
    script.say(Request::Verify { label: "ann" });
    script.say(Request::Chunk { offset: 0, bytes: &[1] });
    for (width, height, channels) in [(0, 5, 1), (5, 9000, 1), (5, 5, 3), (4000, 4000, 1)] {
        script.say(Request::Begin(wire::Picture { width, height, channels }));
    }
    let names = ["ann", "bob", "Zoë", "dan"];
    for (picture, label) in pictures.iter().zip(names) {
        script.send(picture);
        script.say(Request::Embed);
        script.say(Request::Identify);
        script.say(Request::Enrol { label });
    }
    script.say(Request::Enrol { label: "ann" });
    script.say(Request::Enrol { label: "" });
    script.say(Request::Enrol { label: &long });
    script.say(Request::List { first: 0 });
    script.say(Request::List { first: 2 });
    for picture in pictures {
        script.send(picture);
        script.say(Request::Identify);
        for label in names {
            script.say(Request::Verify { label });
        }
    }
    script.say(Request::Delete { label: "bob" });
    script.say(Request::Delete { label: "bob" });
    script.say(Request::Verify { label: "bob" });
    script.say(Request::Identify);
    // A part of a sample, then requests that need the whole.
    script.begin(&pictures[0]);
    script.say(Request::Chunk { offset: 0, bytes: &pictures[0].pixels[..7] });
    script.say(Request::Chunk { offset: 9, bytes: &[0] });
    script.say(Request::Identify);
    // Noise, a frame that is too long, a damaged frame, and a frame of no message.
    script.0.push(vec![7, 1, 2, 3, 0]);
    script.0.push([vec![1; 3 * MAX_FRAME], vec![0]].concat());
    let mut damaged = frame(1, &Request::Info);
    damaged[3] ^= 4;
    script.0.push(damaged);
    script.0.push(frame(9, &0xffu8));
    script.say(Request::List { first: 0 });
    script.0
}

fn frame<M: serde::Serialize>(sequence: u8, message: &M) -> Vec<u8> {
    let mut out = [0; MAX_FRAME];
    encode(sequence, message, &mut out).expect("requests are short").to_vec()
}

#[derive(Default)]
struct Script(Vec<Vec<u8>>);

impl Script {
    fn say(&mut self, request: Request<'_>) {
        self.0.push(frame((self.0.len() % 255 + 1) as u8, &request));
    }

    fn begin(&mut self, picture: &Picture) {
        self.say(Request::Begin(wire::Picture {
            width: picture.width,
            height: picture.height,
            channels: picture.channels,
        }));
    }

    fn send(&mut self, picture: &Picture) {
        self.begin(picture);
        for (index, bytes) in picture.pixels.chunks(MAX_CHUNK).enumerate() {
            let offset = (index * MAX_CHUNK) as u32;
            self.say(Request::Chunk { offset, bytes });
        }
    }
}

/// Sends every item of `script` over `link` once the one before is answered; the answers as they came, closing zeros included.
pub fn hold(link: &mut (impl Read + Write), script: &[Vec<u8>]) -> io::Result<Vec<Vec<u8>>> {
    let mut answers = vec![];
    for item in script {
        link.write_all(item)?;
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
