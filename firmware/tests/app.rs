//! The app by messages, over an engine that is easy to foresee: the embedding is the input tensor's first bytes.

use std::collections::VecDeque;
use std::convert::Infallible;

use firmware::app::{App, Memory};
use firmware::engine::Engine;
use proptest::prelude::*;
use shared::bundle::{Evidence, Header, NAME_LEN, Threshold};
use shared::embedding::{Distance, Embedding, Metric};
use shared::frontend::{FrontendError, Pixels, Raw};
use shared::gallery::{Candidate, Decision};
use shared::wire::{Decoder, Fault, MAX_FRAME, Picture, Request, Response, encode};

const ROOM: usize = 10;
const DIM: usize = 4;
const BYTES: usize = 16;

type TestMemory = Memory<ROOM, DIM, BYTES>;
type TestApp<'m> = App<'m, FirstBytes, ROOM, DIM, BYTES>;

struct FirstBytes {
    header: Header,
}

impl Engine for FirstBytes {
    type Error = FrontendError;

    fn header(&self) -> &Header {
        &self.header
    }

    fn embed(&mut self, raw: Raw<'_>) -> Result<Embedding, FrontendError> {
        let mut tensor = [0; DIM];
        self.header.frontend.run(raw, &mut tensor, &mut [0; 3 * DIM])?;
        Ok(tensor.iter().map(|&byte| byte as i8).collect())
    }
}

fn header(threshold: Option<u32>) -> Header {
    Header {
        model_id: 7,
        name: [b'x'; NAME_LEN],
        frontend: Pixels { width: 2, height: 2, channels: 1, invert: false, stretch: false }.into(),
        metric: Metric::Euclidean,
        dim: DIM as u16,
        arena: 64,
        input_at: 0,
        embedding_scale: 1.0,
        threshold: threshold.map(|distance| Threshold { distance: Distance(distance), evidence: Evidence::default() }),
    }
}

fn app(memory: &mut TestMemory, threshold: Option<u32>) -> TestApp<'_> {
    let engine = FirstBytes { header: header(threshold) };
    App::new(engine, memory).unwrap()
}

const PICTURE: Picture = Picture { width: 2, height: 2, channels: 1 };

fn send(app: &mut TestApp<'_>, bytes: &[u8]) {
    assert_eq!(app.answer(&Request::Begin(PICTURE)), Response::Received(0));
    let chunk = Request::Chunk { offset: 0, bytes };
    assert_eq!(app.answer(&chunk), Response::Received(4));
}

fn fault(app: &mut TestApp<'_>, request: Request<'_>) -> Fault {
    match app.answer(&request) {
        Response::Fault(fault) => fault,
        response => panic!("{request:?} was answered with {response:?}"),
    }
}

#[test]
fn enrols_verifies_identifies_and_deletes() {
    let mut memory = TestMemory::new();
    let mut app = app(&mut memory, Some(10));
    send(&mut app, &[1, 2, 3, 4]);
    assert_eq!(app.answer(&Request::Embed), Response::embedding(&[1, 2, 3, 4]));
    assert_eq!(app.answer(&Request::Identify), Response::Decision(Decision::Unknown(None)));
    assert_eq!(app.answer(&Request::Enrol { label: "ann" }), Response::Done(1));
    send(&mut app, &[9, 2, 3, 4]);
    assert_eq!(app.answer(&Request::Enrol { label: "bob" }), Response::Done(2));
    send(&mut app, &[4, 2, 3, 4]);
    let candidate = |label: &str, distance, runner_up: Option<u32>| Candidate {
        label: label.parse().unwrap(),
        distance: Distance(distance),
        runner_up: runner_up.map(Distance),
    };
    let decision = |decision| Response::Decision(decision);
    assert_eq!(app.answer(&Request::Verify { label: "ann" }), decision(Decision::Match(candidate("ann", 9, None))));
    assert_eq!(
        app.answer(&Request::Verify { label: "bob" }),
        decision(Decision::Unknown(Some(candidate("bob", 25, None))))
    );
    assert_eq!(app.answer(&Request::Identify), decision(Decision::Match(candidate("ann", 9, Some(25)))));
    assert_eq!(app.answer(&Request::Delete { label: "ann" }), Response::Done(1));
    assert_eq!(app.answer(&Request::Identify), decision(Decision::Unknown(Some(candidate("bob", 25, None)))));
    assert_eq!(fault(&mut app, Request::Verify { label: "ann" }), Fault::NotEnrolled);
    assert_eq!(fault(&mut app, Request::Delete { label: "ann" }), Fault::NotEnrolled);
}

#[test]
fn a_sample_must_be_whole() {
    let mut memory = TestMemory::new();
    let mut app = app(&mut memory, Some(10));
    for request in [Request::Embed, Request::Identify, Request::Enrol { label: "a" }] {
        assert_eq!(fault(&mut app, request), Fault::NoSample);
    }
    let chunk = |offset, bytes| Request::Chunk { offset, bytes };
    assert_eq!(fault(&mut app, chunk(0, &[1])), Fault::NoSample);
    app.answer(&Request::Begin(PICTURE));
    assert_eq!(app.answer(&chunk(0, &[1, 2])), Response::Received(2));
    let short = Fault::Incomplete { received: 2, expected: 4 };
    assert_eq!(fault(&mut app, Request::Embed), short);
    let next = Fault::Chunk { received: 2 };
    assert_eq!(fault(&mut app, chunk(3, &[4])), next); // a gap
    assert_eq!(fault(&mut app, chunk(2, &[3, 4, 5])), next); // past the end
    assert_eq!(fault(&mut app, chunk(2, &[])), next);
    assert_eq!(fault(&mut app, chunk(u32::MAX, &[3, 4])), next);
    assert_eq!(app.answer(&chunk(0, &[5, 6])), Response::Received(2)); // the same again
    assert_eq!(app.answer(&chunk(2, &[7, 8])), Response::Received(4));
    assert_eq!(app.answer(&Request::Embed), Response::embedding(&[5, 6, 7, 8]));
    // Another sample replaces it.
    app.answer(&Request::Begin(PICTURE));
    assert_eq!(fault(&mut app, Request::Embed), Fault::Incomplete { received: 0, expected: 4 });
}

#[test]
fn pictures_that_do_not_suit_are_refused() {
    let mut memory = TestMemory::new();
    let mut app = app(&mut memory, Some(10));
    let begin = |width, height, channels| Request::Begin(Picture { width, height, channels });
    assert_eq!(fault(&mut app, begin(0, 2, 1)), Fault::Size);
    assert_eq!(fault(&mut app, begin(2, 9000, 1)), Fault::Size);
    assert_eq!(fault(&mut app, begin(2, 2, 3)), Fault::Channels { expected: 1 });
    assert_eq!(fault(&mut app, begin(17, 1, 1)), Fault::Capacity { capacity: 16 });
    assert_eq!(app.answer(&begin(16, 1, 1)), Response::Received(0));
}

#[test]
fn labels_and_room_have_bounds() {
    let mut memory = TestMemory::new();
    let mut app = app(&mut memory, Some(10));
    send(&mut app, &[1, 2, 3, 4]);
    let long = "x".repeat(25);
    assert_eq!(fault(&mut app, Request::Enrol { label: "" }), Fault::Label);
    assert_eq!(fault(&mut app, Request::Enrol { label: &long }), Fault::Label);
    let labels: Vec<String> = (0..ROOM).map(|index| format!("id {index}")).collect();
    for (index, label) in labels.iter().enumerate() {
        let done = Response::Done(index as u16 + 1);
        assert_eq!(app.answer(&Request::Enrol { label }), done);
        assert_eq!(fault(&mut app, Request::Enrol { label }), Fault::Duplicate);
    }
    assert_eq!(fault(&mut app, Request::Enrol { label: "one more" }), Fault::Full { capacity: 10 });
    let mut listed = vec![];
    for first in [0, 8, 10, u16::MAX] {
        let Response::Identities { total, labels } = app.answer(&Request::List { first }) else {
            panic!("List was answered with something else");
        };
        assert_eq!(total, 10);
        listed.extend(labels.iter().map(|label| label.to_string()));
    }
    assert_eq!(listed, labels);
}

#[test]
fn without_a_threshold_nothing_is_decided() {
    let mut memory = TestMemory::new();
    let mut app = app(&mut memory, None);
    send(&mut app, &[1, 2, 3, 4]);
    assert_eq!(app.answer(&Request::Embed), Response::embedding(&[1, 2, 3, 4]));
    for request in [
        Request::Enrol { label: "a" },
        Request::Verify { label: "a" },
        Request::Identify,
        Request::Delete { label: "a" },
    ] {
        assert_eq!(fault(&mut app, request), Fault::NoThreshold);
    }
    let Response::Info(info) = app.answer(&Request::Info) else {
        panic!("Info was answered with something else");
    };
    assert_eq!((info.threshold, info.capacity, info.sample_capacity), (None, 10, 16));
}

#[test]
fn a_model_that_is_too_long_is_refused() {
    let mut memory = Memory::<1, 3, 1>::new();
    let engine = FirstBytes { header: header(Some(1)) };
    let error = App::new(engine, &mut memory).err().unwrap();
    assert_eq!((error.dim, error.room), (4, 3));
}

/// A link that gives what was put in, a few bytes at a time, and keeps what comes out.
struct Link {
    input: VecDeque<u8>,
    output: Vec<u8>,
}

impl embedded_io::ErrorType for Link {
    type Error = Infallible;
}

impl embedded_io::Read for Link {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        let count = bytes.len().min(self.input.len()).min(7);
        for place in &mut bytes[..count] {
            *place = self.input.pop_front().unwrap();
        }
        Ok(count)
    }
}

impl embedded_io::Write for Link {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.output.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// What a fresh app sends back for `input`: sequence numbers and answers, in their debug form.
fn serve(input: &[u8]) -> Vec<(u8, String)> {
    let mut memory = TestMemory::new();
    let mut link = Link { input: input.iter().copied().collect(), output: vec![] };
    let Ok(()) = app(&mut memory, Some(10)).serve(&mut link, |_| ());
    let mut decoder = Decoder::new();
    let mut answers = vec![];
    for byte in link.output {
        if let Some(frame) = decoder.push(byte) {
            let frame = frame.expect("the app sends whole frames");
            let answer = frame.message::<Response<'_>>().expect("of its protocol");
            answers.push((frame.sequence, format!("{answer:?}")));
        }
    }
    answers
}

#[test]
fn frames_that_cannot_be_read_are_answered_and_passed_over() {
    let mut out = [0; MAX_FRAME];
    let mut input = encode(1, &Request::Embed, &mut out).unwrap().to_vec();
    input[2] ^= 1;
    input.extend(encode(2, &200u8, &mut out).unwrap());
    input.extend([0, 0]);
    input.extend(encode(3, &Request::List { first: 0 }, &mut out).unwrap());
    let fault = |fault| format!("{:?}", Response::Fault(fault));
    let nobody = Response::Identities { total: 0, labels: Default::default() };
    let expected = [(0, fault(Fault::Frame)), (2, fault(Fault::Request)), (3, format!("{nobody:?}"))];
    assert_eq!(serve(&input), expected);
}

fn request() -> impl Strategy<Value = (u8, u16, u16, u8, u32, Vec<u8>)> {
    let side = prop_oneof![0u16..6, any::<u16>()];
    let bytes = prop::collection::vec(any::<u8>(), 0..6);
    (0u8..9, side.clone(), side, 0u8..3, 0u32..6, bytes)
}

proptest! {
    #[test]
    fn any_order_of_requests_is_answered(requests in prop::collection::vec(request(), 0..60)) {
        let mut memory = TestMemory::new();
        let mut app = app(&mut memory, Some(10));
        for (kind, width, height, channels, offset, bytes) in &requests {
            let label = ["", "a", "b", "c", "d", "e"][*offset as usize];
            let answer = app.answer(&match kind {
                0 => Request::Info,
                1 => Request::Begin(Picture { width: *width, height: *height, channels: *channels }),
                2 => Request::Chunk { offset: *offset, bytes },
                3 => Request::Embed,
                4 => Request::Enrol { label },
                5 => Request::Verify { label },
                6 => Request::Identify,
                7 => Request::List { first: *width },
                _ => Request::Delete { label },
            });
            let mut out = [0; MAX_FRAME];
            prop_assert!(encode(1, &answer, &mut out).is_ok());
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut out = [0; MAX_FRAME];
        let mut input = bytes;
        input.push(0);
        input.extend(encode(3, &Request::Embed, &mut out).unwrap());
        let expected = (3, format!("{:?}", Response::Fault(Fault::NoSample)));
        prop_assert_eq!(serve(&input).pop(), Some(expected));
    }
}
