//! What turns a raw sample into an embedding.

use shared::bundle::{Bundle, BundleError, Header};
use shared::embedding::Embedding;
#[cfg(not(any(pictures, recordings)))]
use shared::frontend::All as Built;
#[cfg(pictures)]
use shared::frontend::Pictures as Built;
#[cfg(recordings)]
use shared::frontend::Recordings as Built;
use shared::frontend::{FrontendError, Quality, Raw, RawHeader, Stream};
use shared::network::{self, NetworkError};

/// Raw sample -> embedding, the same bytes from every engine of a model.
///
/// A sample comes by [`Engine::start`], any number of [`Engine::push`] and [`Engine::finish`]; [`Engine::forward`] then runs
/// the network once on the input tensor that they left.
pub trait Engine {
    /// Why a sample could not be embedded.
    type Error: core::error::Error + From<FrontendError>;

    /// What the model says of itself.
    fn header(&self) -> &Header;

    /// Begins a sample; what came of another one is dropped.
    fn start(&mut self, header: RawHeader) -> Result<(), FrontendError>;

    /// Takes the sample's next bytes.
    fn push(&mut self, bytes: &[u8]) -> Result<(), FrontendError>;

    /// Completes the input tensor once all bytes have come.
    fn finish(&mut self) -> Result<Quality, FrontendError>;

    /// The input tensor, until the network runs.
    fn tensor(&mut self) -> &[u8];

    /// Runs the network; the input tensor is gone then.
    fn forward(&mut self) -> Result<Embedding, Self::Error>;

    /// Lends the engine's working memory, at least `words` of it; none where it has not as much. A sample in it is lost.
    fn lend<T>(&mut self, words: usize, work: impl FnOnce(&mut [u32]) -> T) -> Option<T>;

    /// All of it on a sample that is at hand.
    fn embed(&mut self, raw: Raw<'_>) -> Result<Embedding, Self::Error> {
        self.start(raw.header())?;
        self.push(raw.bytes())?;
        self.finish()?;
        self.forward()
    }
}

/// Checks the bundle in `bytes` for this program: a board's has the front end of the model that it is built with, and no other.
pub fn check(bytes: &[u8]) -> Result<Bundle<'_>, BundleError> {
    Bundle::check_for::<Built>(bytes)
}

/// The engine of every board: the integer kernels, in an arena that someone else keeps.
#[derive(Debug)]
pub struct KernelEngine<'m> {
    bundle: &'m Bundle<'m>,
    arena: &'m mut [u32],
    stream: Option<Stream<Built>>,
}

impl<'m> KernelEngine<'m> {
    /// Runs `bundle` in `arena`, which has to have the words of [`network::arena_words`].
    pub fn new(bundle: &'m Bundle<'m>, arena: &'m mut [u32]) -> Result<Self, NetworkError> {
        let (needed, given) = (network::arena_words(bundle) * 4, size_of_val(arena));
        if given < needed {
            return Err(NetworkError::Arena { needed, given });
        }
        Ok(KernelEngine { bundle, arena, stream: None })
    }

    /// The input tensor and the front end's memory; empty where the arena is too small, which `new` excludes.
    fn memory(&mut self) -> (&mut [u8], &mut [u32]) {
        network::front_memory(self.bundle, self.arena).unwrap_or_default()
    }
}

impl Engine for KernelEngine<'_> {
    type Error = NetworkError;

    fn header(&self) -> &Header {
        self.bundle.header()
    }

    fn start(&mut self, header: RawHeader) -> Result<(), FrontendError> {
        let front = &self.bundle.header().frontend;
        let (tensor, work) = self.memory();
        self.stream = Some(Stream::start(front, header, tensor, work)?);
        Ok(())
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), FrontendError> {
        let stream = self.stream.as_mut().ok_or(NOTHING)?;
        let (tensor, work) = network::front_memory(self.bundle, self.arena).unwrap_or_default();
        let result = stream.push(bytes, tensor, work);
        if result.is_err() {
            self.stream = None;
        }
        result
    }

    fn finish(&mut self) -> Result<Quality, FrontendError> {
        let stream = self.stream.take().ok_or(NOTHING)?;
        let (tensor, work) = self.memory();
        stream.finish(tensor, work)
    }

    fn tensor(&mut self) -> &[u8] {
        self.memory().0
    }

    fn forward(&mut self) -> Result<Embedding, NetworkError> {
        network::forward(self.bundle, self.arena)
    }

    fn lend<T>(&mut self, words: usize, work: impl FnOnce(&mut [u32]) -> T) -> Option<T> {
        self.stream = None;
        (words <= self.arena.len()).then(|| work(self.arena))
    }
}

/// No sample was started.
pub const NOTHING: FrontendError = FrontendError::Length { got: 0, expected: 0 };
