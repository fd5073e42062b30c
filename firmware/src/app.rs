//! The app: one sample, one gallery, and an answer to every message.

use embedded_io::{Read, Write};
use shared::embedding::Embedding;
use shared::frontend::{Image, MAX_SIDE, Raw};
use shared::gallery::{Decision, EnrolError, Gallery, Label, NotEnrolled};
use shared::wire::{
    self, Decoder, Fault, Info, MAX_CHUNK, MAX_FRAME, MAX_LABELS, PROTOCOL, Picture, Request, Response,
};
use thiserror::Error;

use crate::device::Answer;
use crate::engine::Engine;

/// Identities that the app has room for where a board does not say otherwise.
pub const IDENTITIES: usize = 64;
/// Bytes of the largest raw sample where a board does not say otherwise: a grey picture of 256x192, three times 128x128.
pub const SAMPLE_BYTES: usize = 48 * 1024;

/// The model's embeddings are longer than the gallery's templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the model's embeddings have {dim} elements, this program has room for {room}: build it for this model")]
pub struct TooLong {
    /// Elements of the model's embeddings.
    pub dim: u16,
    /// Elements that a template has room for.
    pub room: usize,
}

/// What the app keeps: a gallery of up to `ROOM` identities of up to `DIM` elements, and a raw sample of up to `BYTES` bytes.
#[derive(Debug)]
pub struct Memory<const ROOM: usize, const DIM: usize, const BYTES: usize> {
    /// None where the model has no threshold.
    gallery: Option<Gallery<ROOM, DIM>>,
    sample: [u8; BYTES],
}

impl<const ROOM: usize, const DIM: usize, const BYTES: usize> Memory<ROOM, DIM, BYTES> {
    /// Nobody enrolled, no sample. Inlined, it is written in place: a constant of it would be copied from flash.
    #[inline(always)]
    pub fn new() -> Self {
        Memory { gallery: None, sample: [0; BYTES] }
    }
}

impl<const ROOM: usize, const DIM: usize, const BYTES: usize> Default for Memory<ROOM, DIM, BYTES> {
    fn default() -> Self {
        Memory::new()
    }
}

/// The app, in a [`Memory`] that someone else keeps.
#[derive(Debug)]
pub struct App<'m, E, const ROOM: usize, const DIM: usize, const BYTES: usize> {
    engine: E,
    memory: &'m mut Memory<ROOM, DIM, BYTES>,
    sample: Option<Sample>,
    /// The sample's embedding, once it was asked for.
    embedding: Option<Embedding>,
}

/// How much of a picture has come.
#[derive(Clone, Copy, Debug)]
struct Sample {
    picture: Picture,
    len: usize,
    received: usize,
}

impl<'m, E: Engine, const ROOM: usize, const DIM: usize, const BYTES: usize> App<'m, E, ROOM, DIM, BYTES> {
    /// An app of `engine`'s model with nobody enrolled.
    pub fn new(engine: E, memory: &'m mut Memory<ROOM, DIM, BYTES>) -> Result<Self, TooLong> {
        let dim = engine.header().dim;
        if usize::from(dim) > DIM {
            return Err(TooLong { dim, room: DIM });
        }
        memory.gallery = Gallery::new(engine.header());
        Ok(App { engine, memory, sample: None, embedding: None })
    }

    /// Answers the frames that come over `link` until it ends or fails; `observe` sees every answer before it is sent.
    pub fn serve<L: Read + Write>(
        &mut self,
        link: &mut L,
        mut observe: impl FnMut(&Response<'_>),
    ) -> Result<(), L::Error> {
        let mut decoder = Decoder::new();
        let mut out = [0; MAX_FRAME];
        let mut bytes = [0; 64];
        loop {
            let count = link.read(&mut bytes)?;
            if count == 0 {
                return Ok(());
            }
            for &byte in bytes.iter().take(count) {
                let Some(frame) = decoder.push(byte) else {
                    continue;
                };
                let (sequence, response) = match frame {
                    Err(_) => (0, Response::Fault(Fault::Frame)),
                    Ok(frame) => match frame.message() {
                        Err(_) => (frame.sequence, Response::Fault(Fault::Request)),
                        Ok(request) => (frame.sequence, self.answer(&request)),
                    },
                };
                observe(&response);
                // Every answer fits: the longest is an embedding of MAX_DIM elements.
                if let Ok(frame) = wire::encode(sequence, &response, &mut out) {
                    link.write_all(frame)?;
                    link.flush()?;
                }
            }
        }
    }

    /// Carries `request` out.
    pub fn answer(&mut self, request: &Request<'_>) -> Response<'_> {
        let answer = match *request {
            Request::Info => return Response::Info(self.info()),
            Request::Embed => {
                return match self.embed() {
                    Ok(embedding) => Response::embedding(embedding),
                    Err(fault) => Response::Fault(fault),
                };
            }
            Request::Begin(picture) => self.begin(picture),
            Request::Chunk { offset, bytes } => self.chunk(offset, bytes),
            Request::Enrol { label } => self.enrol(label),
            Request::Verify { label } => self.compare(|gallery, embedding| {
                let decision = gallery.verify(label, embedding);
                decision.map_err(|NotEnrolled| Fault::NotEnrolled)
            }),
            Request::Identify => self.compare(|gallery, embedding| Ok(gallery.identify(embedding))),
            Request::List { first } => self.list(first),
            Request::Delete { label } => self.delete(label),
        };
        answer.unwrap_or_else(Response::Fault)
    }

    fn info(&self) -> Info<'_> {
        let header = self.engine.header();
        let input = header.input();
        Info {
            protocol: PROTOCOL,
            firmware: env!("CARGO_PKG_VERSION"),
            model_id: header.model_id,
            name: header.name(),
            input: Picture { width: input.width, height: input.height, channels: header.frontend.channels },
            metric: header.metric,
            dim: header.dim,
            embedding_scale: header.embedding_scale,
            threshold: header.threshold,
            arena: header.arena,
            identities: self.enrolled(),
            capacity: ROOM as u16,
            sample_capacity: BYTES as u32,
        }
    }

    fn enrolled(&self) -> u16 {
        self.memory.gallery.as_ref().map_or(0, |gallery| gallery.templates().len() as u16)
    }

    fn begin(&mut self, picture: Picture) -> Result<Response<'static>, Fault> {
        self.sample = None;
        self.embedding = None;
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&picture.width) || !sides.contains(&picture.height) {
            return Err(Fault::Size);
        }
        let expected = self.engine.header().frontend.channels;
        if picture.channels != expected {
            return Err(Fault::Channels { expected });
        }
        match usize::try_from(picture.len()) {
            Ok(len) if len <= BYTES => {
                self.sample = Some(Sample { picture, len, received: 0 });
                Ok(Response::Received(0))
            }
            _ => Err(Fault::Capacity { capacity: BYTES as u32 }),
        }
    }

    fn chunk(&mut self, offset: u32, bytes: &[u8]) -> Result<Response<'static>, Fault> {
        let sample = self.sample.as_mut().ok_or(Fault::NoSample)?;
        let fault = Fault::Chunk { received: sample.received as u32 };
        let start = offset as usize;
        let end = start.checked_add(bytes.len()).ok_or(fault)?;
        if !(1..=MAX_CHUNK).contains(&bytes.len()) || start > sample.received || end > sample.len {
            return Err(fault);
        }
        self.memory.sample.get_mut(start..end).ok_or(fault)?.copy_from_slice(bytes);
        self.embedding = None;
        sample.received = sample.received.max(end);
        Ok(Response::Received(sample.received as u32))
    }

    /// The sample's embedding; the network runs once a sample.
    fn embed(&mut self) -> Result<&Embedding, Fault> {
        let sample = self.sample.ok_or(Fault::NoSample)?;
        if sample.received < sample.len {
            return Err(Fault::Incomplete { received: sample.received as u32, expected: sample.len as u32 });
        }
        let embedding = match self.embedding.take() {
            Some(embedding) => embedding,
            None => {
                let raw = Raw::Image(Image {
                    width: sample.picture.width,
                    height: sample.picture.height,
                    channels: sample.picture.channels,
                    pixels: self.memory.sample.get(..sample.len).unwrap_or_default(),
                });
                self.engine.embed(raw).map_err(|_| Fault::Engine)?
            }
        };
        Ok(self.embedding.insert(embedding))
    }

    fn enrol(&mut self, label: &str) -> Result<Response<'static>, Fault> {
        let label = Label::try_from(label).map_err(|_| Fault::Label)?;
        self.embed()?;
        let gallery = self.memory.gallery.as_mut().ok_or(Fault::NoThreshold)?;
        let embedding = self.embedding.as_ref().ok_or(Fault::NoSample)?;
        gallery.enrol(&label, embedding).map_err(|e| match e {
            EnrolError::Full => Fault::Full { capacity: ROOM as u16 },
            EnrolError::Duplicate => Fault::Duplicate,
            EnrolError::Dimension => Fault::Engine,
            EnrolError::Label => Fault::Label,
        })?;
        Ok(Response::Done(self.enrolled()))
    }

    fn compare(
        &mut self,
        decide: impl FnOnce(&Gallery<ROOM, DIM>, &[i8]) -> Result<Decision, Fault>,
    ) -> Result<Response<'static>, Fault> {
        self.embed()?;
        let gallery = self.memory.gallery.as_ref().ok_or(Fault::NoThreshold)?;
        let embedding = self.embedding.as_ref().ok_or(Fault::NoSample)?;
        decide(gallery, embedding).map(Response::Decision)
    }

    fn list(&self, first: u16) -> Result<Response<'static>, Fault> {
        let templates = self.memory.gallery.iter().flat_map(Gallery::templates);
        let page = templates.skip(usize::from(first)).take(MAX_LABELS);
        Ok(Response::Identities {
            total: self.enrolled(),
            labels: page.map(|template| template.label.clone()).collect(),
        })
    }

    fn delete(&mut self, label: &str) -> Result<Response<'static>, Fault> {
        let gallery = self.memory.gallery.as_mut().ok_or(Fault::NoThreshold)?;
        gallery.delete(label).map_err(|NotEnrolled| Fault::NotEnrolled)?;
        Ok(Response::Done(self.enrolled()))
    }
}

impl<E: Engine, const ROOM: usize, const DIM: usize, const BYTES: usize> Answer for App<'_, E, ROOM, DIM, BYTES> {
    fn answer(&mut self, request: &Request<'_>) -> Response<'_> {
        App::answer(self, request)
    }
}
