//! What turns a raw sample into an embedding.

use shared::bundle::{Bundle, Header};
use shared::embedding::Embedding;
use shared::frontend::Raw;
use shared::network::{self, NetworkError};

/// Raw sample -> embedding, the same bytes from every engine of a model.
pub trait Engine {
    /// Why a sample could not be embedded.
    type Error: core::error::Error;

    /// What the model says of itself.
    fn header(&self) -> &Header;

    /// Runs front end and network.
    fn embed(&mut self, raw: Raw<'_>) -> Result<Embedding, Self::Error>;
}

/// The engine of every board: the integer kernels, in an arena that someone else keeps.
#[derive(Debug)]
pub struct KernelEngine<'m> {
    bundle: Bundle<'m>,
    arena: &'m mut [u32],
}

impl<'m> KernelEngine<'m> {
    /// Runs `bundle` in `arena`, which has to have the words of [`network::arena_words`].
    pub fn new(bundle: Bundle<'m>, arena: &'m mut [u32]) -> Result<Self, NetworkError> {
        let (needed, given) = (network::arena_words(&bundle) * 4, size_of_val(arena));
        if given < needed {
            return Err(NetworkError::Arena { needed, given });
        }
        Ok(KernelEngine { bundle, arena })
    }
}

impl Engine for KernelEngine<'_> {
    type Error = NetworkError;

    fn header(&self) -> &Header {
        self.bundle.header()
    }

    fn embed(&mut self, raw: Raw<'_>) -> Result<Embedding, NetworkError> {
        network::embed(&self.bundle, raw, self.arena)
    }
}
