//! The app: one sample, one gallery with its store, and an answer to every message.

mod admin;
mod decide;
mod enrol;
mod sample;
mod update;

use embedded_io::{Read, Write};
use embedded_storage::nor_flash::NorFlash;
use heapless::Vec;
use shared::frontend::{FrontEnd, RawHeader};
use shared::gallery::{Decision, Gallery};
use shared::wire::{
    self, Decoder, Event, Fault, Hardware, Info, LogLevel, MAX_EVENTS, MAX_FRAME, MAX_LABELS, MAX_SAMPLES, PROTOCOL,
    Request, Response, StoreState,
};
use thiserror::Error;

use crate::engine::Engine;
use crate::platform::Platform;
use crate::session::Session;
use crate::store::{Contents, Settings, Store, StoreError};

/// Identities that the app has room for where a board does not say otherwise.
pub const IDENTITIES: usize = 64;

/// Why the app cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StartError {
    /// The model's embeddings are longer than the gallery's templates.
    #[error("the model's embeddings have {dim} elements, this program has room for {room}: build it for this model")]
    TooLong {
        /// Elements of the model's embeddings.
        dim: u16,
        /// Elements that a template has room for.
        room: usize,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the app keeps in RAM: a gallery of up to `ROOM` identities of up to `DIM` elements, and what is collected for another.
#[derive(Debug)]
pub struct Memory<const ROOM: usize, const DIM: usize> {
    /// None where the model has no threshold.
    gallery: Option<Gallery<ROOM, DIM>>,
    collected: Vec<[i8; DIM], MAX_SAMPLES>,
    /// The last decisions, in their order.
    events: Vec<Event, MAX_EVENTS>,
}

impl<const ROOM: usize, const DIM: usize> Memory<ROOM, DIM> {
    /// Nobody enrolled. Inlined, it is written in place: a constant of it would be copied from flash.
    #[inline(always)]
    pub fn new() -> Self {
        Memory { gallery: None, collected: Vec::new(), events: Vec::new() }
    }
}

impl<const ROOM: usize, const DIM: usize> Default for Memory<ROOM, DIM> {
    fn default() -> Self {
        Memory::new()
    }
}

/// Why the app stopped to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The link ended.
    Link,
    /// Another model is in use from now on: start again with the one of the store's slot.
    Restart,
}

/// Who asks the app. The sample of one is none of the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// A host, over the link.
    Link,
    /// The board's own pad.
    Pad,
}

/// The app, in a [`Memory`] that someone else keeps.
#[derive(Debug)]
pub struct App<'m, E, F, P, const ROOM: usize, const DIM: usize> {
    engine: E,
    store: Store<F>,
    platform: P,
    memory: &'m mut Memory<ROOM, DIM>,
    sample: sample::Sample<DIM>,
    /// Who began the sample.
    owner: Asker,
    session: Session,
    /// Comparisons that failed in a row.
    failures: u8,
    /// Decisions since the start.
    decisions: u32,
    log: LogLevel,
    update: Option<update::Progress>,
    restart: bool,
}

impl<'m, E: Engine, F: NorFlash, P: Platform, const ROOM: usize, const DIM: usize> App<'m, E, F, P, ROOM, DIM> {
    /// An app of `engine`'s model with whom `store` holds.
    #[inline(never)] // what it is made of is moved as a whole, rather than word by word
    pub fn new(
        engine: E,
        mut store: Store<F>,
        mut platform: P,
        memory: &'m mut Memory<ROOM, DIM>,
    ) -> Result<Self, StartError> {
        let header = engine.header();
        if usize::from(header.dim) > DIM {
            return Err(StartError::TooLong { dim: header.dim, room: DIM });
        }
        memory.collected.clear();
        memory.events.clear();
        memory.gallery = Gallery::new(header);
        let settings = *store.settings();
        if let (Some(gallery), Contents::Model(model)) = (&mut memory.gallery, store.contents())
            && model == header.model_id
        {
            store.load(gallery)?;
            if let Some(threshold) = settings.adjusted(gallery.threshold()) {
                gallery.set_threshold(threshold);
            }
        }
        let mut session = Session::default();
        session.failed(settings.failures, platform.micros());
        Ok(App {
            engine,
            store,
            platform,
            memory,
            sample: sample::Sample::None,
            owner: Asker::Link,
            session,
            failures: settings.failures,
            decisions: 0,
            log: LogLevel::default(),
            update: None,
            restart: false,
        })
    }

    /// Answers the frames that come over `link` until it ends or fails, either of which ends the admin session, or another model is
    /// to be started; `observe` sees every answer that is to be logged before it is sent.
    pub fn serve<L: Read + Write>(
        &mut self,
        link: &mut L,
        observe: impl FnMut(&Response<'_>),
    ) -> Result<End, L::Error> {
        let end = self.converse(link, observe);
        self.end_session();
        // What one connection has sent is not the next one's.
        self.drop_sample();
        self.update = None;
        if self.restart { Ok(End::Restart) } else { end }
    }

    fn converse<L: Read + Write>(
        &mut self,
        link: &mut L,
        mut observe: impl FnMut(&Response<'_>),
    ) -> Result<End, L::Error> {
        let mut decoder = Decoder::new();
        let mut out = [0; MAX_FRAME];
        let mut bytes = [0; 64];
        loop {
            let count = link.read(&mut bytes)?;
            if count == 0 {
                return Ok(End::Link);
            }
            for &byte in bytes.iter().take(count) {
                let Some(frame) = decoder.push(byte) else {
                    continue;
                };
                let log = self.log;
                let (sequence, response) = match frame {
                    Err(_) => (0, Response::Fault(Fault::Frame)),
                    Ok(frame) => match frame.message() {
                        Err(_) => (frame.sequence, Response::Fault(Fault::Request)),
                        Ok(request) => (frame.sequence, self.answer(&request)),
                    },
                };
                if level(&response) <= log {
                    observe(&response);
                }
                // Every answer fits: the longest is an embedding of MAX_DIM elements.
                if let Ok(frame) = wire::encode(sequence, &response, &mut out) {
                    link.write_all(frame)?;
                    link.flush()?;
                }
                if self.restart {
                    return Ok(End::Restart);
                }
            }
        }
    }

    /// Gives the store back, to start again with it.
    pub fn stop(self) -> Store<F> {
        self.store
    }

    /// From which level on is logged.
    pub(crate) fn log_level(&self) -> LogLevel {
        self.log
    }

    /// Whether another model is to be started.
    pub(crate) fn is_over(&self) -> bool {
        self.restart
    }

    /// Carries `request` out.
    #[inline(never)]
    pub fn answer(&mut self, request: &Request<'_>) -> Response<'_> {
        let answer = match *request {
            Request::Info => return Response::Info(self.info()),
            Request::Embed => {
                return match self.embed() {
                    Ok(embedding) => Response::embedding(embedding),
                    Err(fault) => Response::Fault(fault),
                };
            }
            Request::Board => return Response::Board(self.hardware()),
            Request::Begin(header) => self.begin(header),
            Request::Chunk { offset, bytes } => self.chunk(offset, bytes),
            Request::Collect => self.collect(),
            Request::Enrol { label } => self.enrol(label),
            Request::Verify { label } => self.verify(label),
            Request::Identify => self.identify(),
            Request::List { first } => self.list(first),
            Request::Delete { label } => self.delete(label),
            Request::Wipe => self.wipe(),
            Request::Threshold(adjustment) => self.threshold(adjustment),
            Request::Adapt(adapt) => self.adapt(adapt),
            Request::Challenge => self.challenge(),
            Request::Unlock { ref proof } => self.unlock(proof),
            Request::Lock => self.lock(),
            Request::Provision { key } => self.provision(key),
            Request::SelfTest => self.self_test(),
            Request::Bench => self.bench(),
            Request::Log(level) => {
                self.log = level;
                Ok(Response::Done(0))
            }
            Request::Events { after } => Ok(self.events(after)),
            Request::Update(ref part) => self.update(part),
        };
        answer.unwrap_or_else(Response::Fault)
    }

    #[inline(never)]
    fn info(&mut self) -> Info<'_> {
        let unlocked = self.session.is_open(self.platform.micros());
        let header = self.engine.header();
        let settings = self.store.settings();
        let used = self.memory.gallery.as_ref().map(|gallery| gallery.threshold());
        Info {
            protocol: PROTOCOL,
            firmware: env!("CARGO_PKG_VERSION"),
            model_id: header.model_id,
            name: header.name(),
            slot: self.platform.slot_in_use(),
            input: natural_sample(&header.frontend),
            metric: header.metric,
            dim: header.dim,
            embedding_scale: header.embedding_scale,
            threshold: header.threshold,
            adjusted: used.filter(|&used| header.threshold.is_some_and(|sealed| sealed.distance != used)),
            adapt: settings.adapt,
            arena: header.arena,
            identities: self.enrolled(),
            capacity: self.capacity(),
            store: self.store_state(),
            provisioned: settings.admin.is_some(),
            unlocked,
        }
    }

    #[inline(never)]
    fn hardware(&self) -> Hardware<'static> {
        let (ram, flash) = self.platform.footprint();
        let (store_erased, store_pages) = self.store.wear();
        Hardware { name: P::NAME, ram, flash, slot: self.platform.slot_len(), store_pages, store_erased }
    }

    fn store_state(&self) -> StoreState {
        match self.store.contents() {
            Contents::Model(model) if model != self.engine.header().model_id && self.store.has_templates() => {
                StoreState::OtherModel(model)
            }
            Contents::Empty | Contents::Model(_) => StoreState::Ready,
            Contents::Version(version) => StoreState::OtherVersion(version),
            Contents::Foreign => StoreState::Foreign,
        }
    }

    /// Whether the store may be read for this model.
    fn ready(&self) -> Result<(), Fault> {
        match self.store_state() {
            StoreState::Ready => Ok(()),
            StoreState::OtherModel(model) => Err(Fault::OtherModel { model }),
            StoreState::OtherVersion(version) => Err(Fault::OtherVersion { version }),
            StoreState::Foreign => Err(Fault::Foreign),
        }
    }

    /// The gallery, where the store is [ready](App::ready).
    #[inline(never)]
    fn gallery(&mut self) -> Result<&mut Gallery<ROOM, DIM>, Fault> {
        self.ready()?;
        self.memory.gallery.as_mut().ok_or(Fault::NoThreshold)
    }

    /// Makes the store ready to be written.
    #[inline(never)]
    fn bind(&mut self) -> Result<(), Fault> {
        self.ready()?;
        kept(self.store.bind(self.engine.header().model_id))
    }

    /// Changes what is kept beside the templates.
    #[inline(never)]
    fn change(&mut self, change: &dyn Fn(&mut Settings)) -> Result<(), Fault> {
        kept(self.store.change(change))
    }

    fn enrolled(&self) -> u16 {
        self.memory.gallery.as_ref().map_or(0, |gallery| gallery.templates().len() as u16)
    }

    fn capacity(&self) -> u16 {
        self.store.capacity(self.engine.header().dim).min(ROOM as u16)
    }

    #[inline(never)]
    fn list(&mut self, first: u16) -> Result<Response<'static>, Fault> {
        let total = self.enrolled();
        let gallery = match self.gallery() {
            Err(Fault::NoThreshold) => return Ok(Response::Identities { total, labels: Vec::new() }),
            gallery => gallery?,
        };
        let page = gallery.labels().iter().skip(usize::from(first)).take(MAX_LABELS);
        Ok(Response::Identities { total, labels: page.cloned().collect() })
    }
}

/// From which level on an answer is logged.
pub fn level(response: &Response<'_>) -> LogLevel {
    match response {
        Response::Fault(_) => LogLevel::Warn,
        Response::Decision(_) | Response::Enrolled { .. } | Response::Done(_) => LogLevel::Info,
        _ => LogLevel::Trace,
    }
}

/// A sample that the model's input shows in full.
fn natural_sample(front: &FrontEnd) -> RawHeader {
    match front {
        FrontEnd::Pixels(pixels) => {
            RawHeader::Image { width: pixels.width, height: pixels.height, channels: pixels.channels }
        }
        FrontEnd::LogMel(log_mel) => {
            let samples =
                u32::from(log_mel.window) + u32::from(log_mel.frames.saturating_sub(1)) * u32::from(log_mel.hop);
            RawHeader::Sound { rate: log_mel.rate.into(), samples }
        }
    }
}

/// The nearest candidate of a decision, and whether it was accepted.
fn outcome(decision: &Decision) -> (bool, Option<&shared::gallery::Candidate>) {
    match decision {
        Decision::Match(candidate) => (true, Some(candidate)),
        Decision::Unknown(candidate) => (false, candidate.as_ref()),
    }
}

/// The fault that an error of the store is.
fn kept(result: Result<(), StoreError>) -> Result<(), Fault> {
    result.map_err(|error| match error {
        StoreError::Full => Fault::StoreFull,
        StoreError::Region | StoreError::Flash | StoreError::Unerased => Fault::Flash,
        StoreError::Refused => Fault::Foreign,
    })
}
