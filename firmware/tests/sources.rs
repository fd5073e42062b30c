//! The link as a source of requests: frames, noise, and answers under the right number.

use std::collections::VecDeque;
use std::convert::Infallible;

use embedded_io::{ErrorType, Read, ReadReady, Write};
use firmware::capture::Source;
use firmware::capture::link::Link;
use shared::wire::{Decoder, Fault, MAX_FRAME, Request, Response, encode};

/// What the host sent, and what it was sent.
#[derive(Default)]
struct Cable {
    to_board: VecDeque<u8>,
    to_host: Vec<u8>,
}

impl ErrorType for &mut Cable {
    type Error = Infallible;
}

impl Read for &mut Cable {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        let count = bytes.len().min(self.to_board.len());
        bytes.iter_mut().zip(self.to_board.drain(..count)).for_each(|(byte, sent)| *byte = sent);
        Ok(count)
    }
}

impl ReadReady for &mut Cable {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(!self.to_board.is_empty())
    }
}

impl Write for &mut Cable {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.to_host.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn frame(sequence: u8, request: &Request<'_>) -> Vec<u8> {
    encode(sequence, request, &mut [0; MAX_FRAME]).unwrap().to_vec()
}

/// The answers in what the host was sent, with their numbers.
fn answers(sent: &[u8]) -> Vec<(u8, String)> {
    let mut decoder = Decoder::new();
    let mut answers = vec![];
    for &byte in sent {
        if let Some(frame) = decoder.push(byte) {
            let frame = frame.unwrap();
            answers.push((frame.sequence, format!("{:?}", frame.message::<Response<'_>>().unwrap())));
        }
    }
    answers
}

#[test]
fn nothing_is_asked_before_a_frame_has_ended() {
    let bytes = frame(7, &Request::Identify);
    for end in 0..=bytes.len() {
        let mut cable = Cable { to_board: bytes[..end].iter().copied().collect(), ..Cable::default() };
        let whole = end == bytes.len();
        assert_eq!(Link::new(&mut cable).poll(0), Ok(whole.then_some(Request::Identify)), "{end} bytes");
    }
}

#[test]
fn each_request_is_answered_under_its_number_and_noise_by_a_fault() {
    let mut cable = Cable::default();
    cable.to_board.extend(frame(7, &Request::Identify));
    cable.to_board.extend([1, 2, 3, 0, 0, 0]);
    cable.to_board.extend(vec![0xaa; 2 * MAX_FRAME]);
    cable.to_board.push_back(0);
    cable.to_board.extend(encode(8, &[200u8, 0], &mut [0; MAX_FRAME]).unwrap());
    cable.to_board.extend(frame(9, &Request::List { first: 3 }));
    let mut link = Link::new(&mut cable);
    let mut asked = vec![];
    for _ in 0..10 {
        let Some(request) = link.poll(0).unwrap() else { continue };
        asked.push(format!("{request:?}"));
        link.answer(&Response::Done(asked.len() as u16)).unwrap();
    }
    assert_eq!(asked, [format!("{:?}", Request::Identify), format!("{:?}", Request::List { first: 3 })]);
    let fault = |fault: Fault| format!("{:?}", Response::Fault(fault));
    let done = |number: u16| format!("{:?}", Response::Done(number));
    let expected =
        [(7, done(1)), (0, fault(Fault::Frame)), (0, fault(Fault::Frame)), (8, fault(Fault::Request)), (9, done(2))];
    assert_eq!(answers(&cable.to_host), expected);
}
