//! A board of memory and an engine that is easy to foresee: the embedding is the input tensor's first bytes.
#![allow(dead_code, unreachable_pub)] // every test uses its own part

use std::cell::Cell;
use std::rc::Rc;

use firmware::app::{App, Memory};
use firmware::engine::{Engine, NOTHING};
use firmware::platform::{Platform, SlotFailed};
use firmware::session;
use firmware::store::Store;
use shared::bundle::{Evidence, Header, NAME_LEN, Threshold};
use shared::embedding::{Distance, Embedding, Metric};
use shared::frontend::{FrontEnd, FrontendError, Pixels, Quality, RawHeader, Stream};
use shared::wire::{Fault, Request, Response};

use super::SimFlash;

pub const ROOM: usize = 10;
pub const DIM: usize = 4;
pub const KEY: [u8; 32] = [9; 32];
/// Bytes of a slot.
pub const SLOT: usize = 64 * 1024;

pub type TestMemory = Memory<ROOM, DIM>;
pub type TestApp<'m> = App<'m, FirstBytes, &'m mut SimFlash, TestPlatform, ROOM, DIM>;

pub struct FirstBytes {
    pub header: Header,
    tensor: Vec<u8>,
    work: Vec<u32>,
    stream: Option<Stream>,
}

impl FirstBytes {
    pub fn new(header: Header) -> Self {
        let front = header.frontend;
        FirstBytes { header, tensor: vec![0; front.tensor_len()], work: vec![0; front.work_words()], stream: None }
    }
}

impl Engine for FirstBytes {
    type Error = FrontendError;

    fn header(&self) -> &Header {
        &self.header
    }

    fn start(&mut self, header: RawHeader) -> Result<(), FrontendError> {
        self.stream = Some(self.header.frontend.start(header, &mut self.tensor, &mut self.work)?);
        Ok(())
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), FrontendError> {
        self.stream.as_mut().ok_or(NOTHING)?.push(bytes, &mut self.tensor, &mut self.work)
    }

    fn finish(&mut self) -> Result<Quality, FrontendError> {
        self.stream.take().ok_or(NOTHING)?.finish(&mut self.tensor, &mut self.work)
    }

    fn tensor(&mut self) -> &[u8] {
        &self.tensor
    }

    fn forward(&mut self) -> Result<Embedding, FrontendError> {
        Ok(self.tensor.iter().take(self.header.dim.into()).map(|&byte| byte as i8).collect())
    }

    fn lend<T>(&mut self, words: usize, work: impl FnOnce(&mut [u32]) -> T) -> Option<T> {
        // As much as a small net takes.
        (words <= 16 * 1024).then(|| work(&mut vec![0; words]))
    }
}

/// A clock that stands until it is moved, and two slots.
#[derive(Clone, Default)]
pub struct TestPlatform {
    pub micros: Rc<Cell<u64>>,
    pub slots: Vec<Vec<u8>>,
    pub in_use: u8,
}

impl Platform for TestPlatform {
    const NAME: &'static str = "test";

    fn micros(&mut self) -> u64 {
        self.micros.get()
    }

    fn slot_in_use(&self) -> u8 {
        self.in_use
    }

    fn slot_len(&self) -> u32 {
        self.slots.first().map_or(0, Vec::len) as u32
    }

    fn erase_slot(&mut self, slot: u8) -> Result<(), SlotFailed> {
        self.slots[usize::from(slot) - 1].fill(0xff);
        Ok(())
    }

    fn write_slot(&mut self, slot: u8, offset: u32, bytes: &[u8]) -> Result<(), SlotFailed> {
        let place = &mut self.slots[usize::from(slot) - 1][offset as usize..][..bytes.len()];
        assert!(place.iter().all(|&byte| byte == 0xff), "written twice");
        place.copy_from_slice(bytes);
        Ok(())
    }

    fn slot(&self, slot: u8) -> &[u8] {
        &self.slots[usize::from(slot) - 1]
    }
}

pub fn header(model_id: u64, threshold: Option<u32>) -> Header {
    Header {
        model_id,
        name: [b'x'; NAME_LEN],
        frontend: FrontEnd::Pixels(Pixels { width: 2, height: 2, channels: 1, invert: false, stretch: false }),
        metric: Metric::Euclidean,
        dim: DIM as u16,
        arena: 64,
        input_at: 0,
        embedding_scale: 1.0,
        spread: None,
        threshold: threshold.map(|distance| Threshold {
            distance: Distance(distance),
            gate: Distance(distance),
            evidence: Evidence::default(),
        }),
    }
}

/// An app of model 7, whatever `flash` holds.
pub fn app<'m>(flash: &'m mut SimFlash, memory: &'m mut TestMemory, threshold: Option<u32>) -> TestApp<'m> {
    start(flash, memory, header(7, threshold), TestPlatform::default())
}

pub fn start<'m>(
    flash: &'m mut SimFlash,
    memory: &'m mut TestMemory,
    header: Header,
    platform: TestPlatform,
) -> TestApp<'m> {
    App::new(FirstBytes::new(header), Store::open(flash).unwrap(), platform, memory).unwrap()
}

pub const PICTURE: RawHeader = RawHeader::Image { width: 2, height: 2, channels: 1 };

pub fn send(app: &mut TestApp<'_>, bytes: &[u8]) {
    assert_eq!(app.answer(&Request::Begin(PICTURE)), Response::Received(0));
    let chunk = Request::Chunk { offset: 0, bytes };
    assert_eq!(app.answer(&chunk), Response::Received(4));
}

pub fn fault(app: &mut TestApp<'_>, request: Request<'_>) -> Fault {
    match app.answer(&request) {
        Response::Fault(fault) => fault,
        response => panic!("{request:?} was answered with {response:?}"),
    }
}

/// Opens an admin session; the key is provisioned if there was none.
pub fn unlock(app: &mut TestApp<'_>) {
    app.answer(&Request::Provision { key: KEY });
    let Response::Challenge(challenge) = app.answer(&Request::Challenge) else {
        panic!("no challenge");
    };
    let proof = session::proof(&KEY, &challenge);
    assert_eq!(app.answer(&Request::Unlock { proof }), Response::Done(300));
}

pub fn enrolled(identities: u16) -> Response<'static> {
    Response::Enrolled { identities, resembles: None }
}
