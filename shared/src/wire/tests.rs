extern crate std;

use super::*;
use crate::bundle::Evidence;
use crate::gallery::{Candidate, MAX_LABEL};
use proptest::prelude::*;
use std::vec;
use std::vec::Vec as Bytes;

const LABEL: &str = "[a-zé]{0,12}";
const REQUESTS: u8 = 25;
const RESPONSES: u8 = 15;

fn request<'a>(kind: u8, number: u32, label: &'a str, bytes: &'a [u8]) -> Request<'a> {
    let filled = [number as u8; 32];
    match kind {
        0 => Request::Info,
        1 => Request::Begin(RawHeader::Image { width: number as u16, height: (number >> 16) as u16, channels: kind }),
        2 => Request::Begin(RawHeader::Sound { rate: number, samples: !number }),
        3 => Request::Chunk { offset: number, bytes },
        4 => Request::Embed,
        5 => Request::Collect,
        6 => Request::Enrol { label },
        7 => Request::Verify { label },
        8 => Request::Identify,
        9 => Request::List { first: number as u16 },
        10 => Request::Delete { label },
        11 => Request::Wipe,
        12 => Request::Threshold(None),
        13 => {
            Request::Threshold(Some(Adjustment { distance: Some(Distance(number)), loosen: number.is_multiple_of(2) }))
        }
        14 => Request::Adapt(number.is_multiple_of(2)),
        15 => Request::Challenge,
        16 => Request::Unlock { proof: filled },
        17 => Request::Lock,
        18 => Request::Provision { key: filled },
        19 => Request::SelfTest,
        20 => Request::Bench,
        21 => Request::Board,
        22 => Request::Log(LogLevel::Trace),
        23 => Request::Events { after: number },
        _ => Request::Update(match number % 4 {
            0 => Update::Begin { bytes: number },
            1 => Update::Chunk { offset: number, bytes },
            2 => Update::Finish,
            _ => Update::Revert,
        }),
    }
}

fn info(number: u32, name: &str) -> Info<'_> {
    Info {
        protocol: PROTOCOL,
        firmware: name,
        model_id: u64::MAX - u64::from(number),
        name,
        slot: 1,
        input: RawHeader::Sound { rate: 16000, samples: number },
        metric: Metric::Cosine,
        dim: number as u16,
        embedding_scale: 0.125,
        threshold: number.is_multiple_of(2).then_some(Threshold {
            distance: Distance(number),
            gate: Distance(number / 2),
            evidence: Evidence { impostor: u32::MAX, unseen: true, ..Evidence::default() },
        }),
        adjusted: number.is_multiple_of(3).then_some(Distance(5)),
        adapt: true,
        arena: number,
        identities: 3,
        capacity: u16::MAX,
        store: StoreState::OtherModel(u64::MAX),
        provisioned: true,
        unlocked: false,
    }
}

fn response<'a>(kind: u8, number: u32, label: &'a str, bytes: &'a [u8]) -> Response<'a> {
    let candidate = Candidate {
        label: label.parse().unwrap(),
        distance: Distance(number),
        runner_up: number.is_multiple_of(3).then(|| (label.parse().unwrap(), Distance(!number))),
    };
    match kind {
        0 => Response::Info(info(number, label)),
        1 => Response::Received(number),
        2 => Response::Embedding(bytes),
        3 => Response::Done(number as u16),
        4 => Response::Enrolled { identities: 3, resembles: Some(candidate) },
        5 => Response::Decision(Decision::Match(candidate)),
        6 => Response::Decision(Decision::Unknown(number.is_multiple_of(2).then_some(candidate))),
        7 => Response::Identities {
            total: number as u16,
            labels: core::iter::repeat_n(label.parse().unwrap(), number as usize % 9).collect(),
        },
        8 => Response::Threshold { sealed: Distance(number), used: Distance(!number) },
        9 => Response::Challenge([number as u8; CHALLENGE_LEN]),
        10 => Response::SelfTest { samples: 12, agree: number as u16 },
        11 => Response::Bench { embed: number, identify: 1, identities: 2 },
        12 => {
            Response::Board(Hardware { name: label, ram: number, flash: 1, slot: 2, store_pages: 3, store_erased: 4 })
        }
        13 => Response::Events(
            core::iter::repeat_n(
                Event { number, accepted: true, nearest: Some((label.parse().unwrap(), Distance(1))) },
                4,
            )
            .collect(),
        ),
        _ => Response::Fault(Fault::Incomplete { received: number, expected: !number }),
    }
}

/// Every frame in `bytes`: its sequence number and message, or why it is none.
fn frames(bytes: &[u8]) -> Bytes<Result<(u8, Bytes<u8>), FrameError>> {
    let mut decoder = Decoder::new();
    let mut frames = vec![];
    for &byte in bytes {
        if let Some(frame) = decoder.push(byte) {
            frames.push(frame.map(|frame| (frame.sequence, frame.message.to_vec())));
        }
    }
    frames
}

fn is_postcard(bytes: &[u8], message: &impl Serialize) -> bool {
    bytes == postcard::to_slice(message, &mut [0; MAX_FRAME]).unwrap()
}

proptest! {
    #[test]
    fn messages_come_back(
        kind: u8, sequence: u8, number: u32, label in LABEL,
        bytes in prop::collection::vec(any::<u8>(), 0..=MAX_DIM),
    ) {
        let mut out = [0; MAX_FRAME];
        let mut decoder = Decoder::new();
        let sent = request(kind % REQUESTS, number, &label, &bytes[..bytes.len().min(MAX_CHUNK)]);
        let bytes_sent = encode(sequence, &sent, &mut out).unwrap();
        let (last, rest) = bytes_sent.split_last().unwrap();
        prop_assert!(rest.iter().all(|&byte| decoder.push(byte).is_none()));
        let frame = decoder.push(*last).unwrap().unwrap();
        prop_assert_eq!(frame.sequence, sequence);
        prop_assert_eq!(frame.message::<Request>().unwrap(), sent);
        prop_assert!(is_postcard(frame.message, &sent));

        let answer = response(kind % RESPONSES, number, &label, &bytes);
        let mut decoder = Decoder::new();
        let bytes_sent = encode(sequence, &answer, &mut out).unwrap();
        let (last, rest) = bytes_sent.split_last().unwrap();
        prop_assert!(rest.iter().all(|&byte| decoder.push(byte).is_none()));
        let frame = decoder.push(*last).unwrap().unwrap();
        prop_assert!(is_postcard(frame.message, &answer));
        prop_assert_eq!(frame.message::<Response>().unwrap(), answer);
    }

    #[test]
    fn finds_the_frame_after_garbage(garbage in prop::collection::vec(any::<u8>(), 0..1500)) {
        let mut out = [0; MAX_FRAME];
        let mut bytes = garbage;
        bytes.push(0);
        bytes.extend(encode(9, &Request::Identify, &mut out).unwrap());
        prop_assert_eq!(frames(&bytes).pop(), Some(Ok((9, vec![7]))));
    }

    /// A frame of which bytes are missing is never taken for one, and the next one is found.
    #[test]
    fn finds_the_frame_after_one_that_was_cut(
        from: usize, count in 1usize..300, bytes in prop::collection::vec(any::<u8>(), 1..=MAX_CHUNK),
    ) {
        let mut out = [0; MAX_FRAME];
        let mut sent = encode(7, &Request::Chunk { offset: 300, bytes: &bytes }, &mut out).unwrap().to_vec();
        let from = from % (sent.len() - 1);
        let end = (from + count).min(sent.len() - 1);
        sent.drain(from..end);
        sent.extend(encode(9, &Request::Identify, &mut out).unwrap());
        let found = frames(&sent);
        let (last, rest) = found.split_last().unwrap();
        prop_assert_eq!(last, &Ok((9, vec![7])));
        prop_assert!(rest.iter().all(|frame| frame.is_err()));
    }

    #[test]
    fn finds_every_flipped_bit(at: usize, bit in 0u8..8, bytes in prop::collection::vec(any::<u8>(), 1..=MAX_CHUNK)) {
        let mut out = [0; MAX_FRAME];
        let mut sent = encode(7, &Request::Chunk { offset: 300, bytes: &bytes }, &mut out).unwrap().to_vec();
        let at = at % (sent.len() - 1);
        sent[at] ^= 1 << bit;
        prop_assert!(frames(&sent).iter().all(|frame| frame.is_err()));
    }

    /// Nothing panics, and what is a message is one in postcard's format.
    #[test]
    fn any_bytes_are_read_as_by_postcard(
        kind in 0u8..32, small: bool, message in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut message = message;
        // Small bytes are more often tags, counts and text.
        message.iter_mut().filter(|_| small).for_each(|byte| *byte %= 8);
        message.insert(0, kind);
        fn whole<M>(read: postcard::Result<(M, &[u8])>) -> Option<M> {
            read.ok().and_then(|(read, rest)| rest.is_empty().then_some(read))
        }
        for len in 1..=message.len() {
            let frame = Frame { sequence: 0, message: &message[..len] };
            prop_assert_eq!(frame.message::<Request>().ok(), whole(postcard::take_from_bytes(frame.message)));
            let (got, expected) = (frame.message::<Response>().ok(), whole(postcard::take_from_bytes(frame.message)));
            // An f32 may be no number.
            prop_assert_eq!(std::format!("{got:?}"), std::format!("{expected:?}"));
            let _: Option<Response> = expected;
        }
    }
}

#[test]
fn the_longest_messages_fit() {
    let mut out = [0; MAX_FRAME];
    let elements = [1i8; MAX_DIM];
    assert_eq!(encode(1, &Response::embedding(&elements), &mut out).unwrap().len(), MAX_FRAME);
    let full: Label = core::iter::repeat_n('x', MAX_LABEL).collect();
    let labels = core::iter::repeat_n(full.clone(), MAX_LABELS).collect();
    assert!(encode(1, &Response::Identities { total: 8, labels }, &mut out).is_ok());
    let event = Event { number: u32::MAX, accepted: true, nearest: Some((full, Distance(u32::MAX))) };
    assert!(encode(1, &Response::Events(core::iter::repeat_n(event, MAX_EVENTS).collect()), &mut out).is_ok());
    assert!(encode(1, &Response::Info(info(u32::MAX, "sixteen letters.")), &mut out).is_ok());
    let bytes = [1; MAX_BODY];
    assert_eq!(encode(1, &Response::Embedding(&bytes), &mut out), Err(FrameError::Long));
}

#[test]
fn a_frame_that_is_too_long_is_told_apart() {
    let mut bytes = vec![1; MAX_FRAME + 1];
    bytes.push(0);
    assert_eq!(frames(&bytes), [Err(FrameError::Long)]);
    assert_eq!(frames(&[0, 0, 0]), []);
    assert_eq!(frames(&[2, 1, 0]), [Err(FrameError::Checksum)]);
}

#[test]
fn bytes_behind_a_message_are_refused() {
    let frame = Frame { sequence: 1, message: &[7, 0] };
    assert_eq!(frame.message::<Request>(), Err(FrameError::Message));
}

/// The numbers that the module's documentation gives.
#[test]
fn variants_have_their_numbers() {
    assert_eq!(Request::Challenge.tag(), 13);
    assert_eq!(Request::Update(Update::Finish).tag(), 22);
    assert_eq!(Response::Fault(Fault::Frame).tag(), 13);
    assert_eq!(Fault::Frame.code(), 0);
    assert_eq!(Fault::NotSound.code(), 2);
}
