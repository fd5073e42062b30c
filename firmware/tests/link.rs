//! The app behind a link: noise, damaged frames, and requests in any order.

mod common;

use std::collections::VecDeque;
use std::convert::Infallible;

use common::SimFlash;
use common::board::{TestMemory, TestPlatform, app, fault, header, send, start, unlock};
use firmware::app::End;
use firmware::store::Store;
use proptest::prelude::*;
use shared::embedding::Distance;
use shared::frontend::RawHeader;
use shared::wire::{Adjustment, Decoder, Fault, LogLevel, MAX_FRAME, Request, Response, Update, encode};

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
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let mut link = Link { input: input.iter().copied().collect(), output: vec![] };
    let Ok(_) = app(&mut flash, &mut memory, Some(10)).serve(&mut link, |_| ());
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

/// A link that breaks once it has given what was put in, and takes nothing.
struct Broken<'a>(&'a [u8]);

impl embedded_io::ErrorType for Broken<'_> {
    type Error = embedded_io::ErrorKind;
}

impl embedded_io::Read for Broken<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Self::Error> {
        match self.0.read(bytes) {
            Ok(0) => Err(embedded_io::ErrorKind::ConnectionReset),
            Ok(count) => Ok(count),
        }
    }
}

impl embedded_io::Write for Broken<'_> {
    fn write(&mut self, _: &[u8]) -> Result<usize, Self::Error> {
        Err(embedded_io::ErrorKind::ConnectionReset)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// An admin session, a sample and a half of an update outlive neither the end nor the failure of their link.
#[test]
fn what_came_over_one_link_is_not_the_next_ones() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let platform = TestPlatform { slots: vec![vec![0; 1024]; 2], ..TestPlatform::default() };
    let mut app = start(&mut flash, &mut memory, header(7, Some(10)), platform);
    for breaks in [true, false] {
        unlock(&mut app);
        send(&mut app, &[1, 2, 3, 40]);
        assert_eq!(app.answer(&Request::Update(Update::Begin { bytes: 64 })), Response::Received(0));
        if breaks {
            assert_eq!(app.serve(&mut Broken(&[]), |_| ()), Err(embedded_io::ErrorKind::ConnectionReset));
        } else {
            let ended = app.serve(&mut Link { input: VecDeque::new(), output: vec![] }, |_| ());
            assert_eq!(ended, Ok(End::Link));
        }
        assert_eq!(fault(&mut app, Request::Wipe), Fault::Locked);
        assert_eq!(fault(&mut app, Request::Embed), Fault::NoSample);
        unlock(&mut app);
        assert_eq!(fault(&mut app, Request::Update(Update::Finish)), Fault::NoUpdate);
    }
}

/// The other model is in use from then on, whether its host hears of it or not.
#[test]
fn a_revert_whose_answer_is_lost_restarts_the_board() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let mut store = Store::open(&mut flash).unwrap();
    store.bind(7).unwrap();
    store.change(&|settings| settings.slot = 2).unwrap();
    let mut app = app(&mut flash, &mut memory, Some(10));
    unlock(&mut app);
    let mut out = [0; MAX_FRAME];
    let revert = encode(1, &Request::Update(Update::Revert), &mut out).unwrap();
    assert_eq!(app.serve(&mut Broken(revert), |_| ()), Ok(End::Restart));
    drop(app);
    assert_eq!(Store::open(&mut flash).unwrap().settings().slot, 0);
}

fn request() -> impl Strategy<Value = (u8, u16, u16, u8, u32, Vec<u8>)> {
    let side = prop_oneof![0u16..6, any::<u16>()];
    let bytes = prop::collection::vec(any::<u8>(), 0..6);
    (0u8..28, side.clone(), side, 0u8..3, 0u32..6, bytes)
}

proptest! {
    /// With the key at hand or without: every request is answered, whatever came before.
    #[test]
    fn any_order_of_requests_is_answered(
        requests in prop::collection::vec(request(), 0..60),
        admin: bool,
    ) {
        let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
        let mut app = app(&mut flash, &mut memory, Some(10));
        if admin {
            unlock(&mut app);
        }
        for (kind, width, height, channels, offset, bytes) in &requests {
            let label = ["", "a", "b", "c", "d", "e"][*offset as usize];
            let distance = Some(Distance((*width).into()));
            let answer = app.answer(&match kind {
                0 => Request::Info,
                1 => Request::Begin(RawHeader::Image { width: *width, height: *height, channels: *channels }),
                2 => Request::Begin(RawHeader::Sound { rate: (*width).into(), samples: (*height).into() }),
                3..6 => Request::Chunk { offset: *offset, bytes },
                6 => Request::Embed,
                7 => Request::Collect,
                8..10 => Request::Enrol { label },
                10 => Request::Verify { label },
                11 => Request::Identify,
                12 => Request::List { first: *width },
                13 => Request::Delete { label },
                14 => Request::Wipe,
                15 => Request::Threshold(Some(Adjustment { distance, loosen: *height > 3 })),
                16 => Request::Threshold(None),
                17 => Request::Adapt(*height > 3),
                18 => Request::Challenge,
                19 => Request::Provision { key: [*channels; 32] },
                20 => Request::SelfTest,
                21 => Request::Bench,
                22 => Request::Board,
                23 => Request::Log(LogLevel::Info),
                24 => Request::Events { after: *offset },
                25 => Request::Update(Update::Begin { bytes: (*width).into() }),
                26 => Request::Update(Update::Finish),
                _ => Request::Update(Update::Revert),
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
