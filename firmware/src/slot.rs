//! What a slot holds: a bundle at an address that is a multiple of four, zeros up to the next one, golden vectors.

use shared::bundle::BundleError;
use shared::golden::Golden;
use shared::network;
use shared::wire::Fault;

use crate::engine;

/// Bundle and golden vectors in the `bytes` of a slot, which may go on behind them; none where nothing was written.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    /// Where both formats have their length.
    const LENGTH_AT: usize = 8;
    let length = |bytes: &[u8]| {
        let field = bytes.get(LENGTH_AT..)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*field)).ok()
    };
    let (bundle, rest) = bytes.split_at_checked(length(bytes)?)?;
    let padding = bundle.len().checked_next_multiple_of(4)? - bundle.len();
    let golden = rest.get(padding..)?;
    Some((bundle, golden.get(..length(golden)?)?))
}

/// A model that can run where there is room for it.
#[derive(Clone, Copy, Debug)]
pub struct SlotModel<'m> {
    /// The bundle, which passes its check.
    pub bundle: &'m [u8],
    /// The golden vectors, which pass theirs.
    pub golden: &'m [u8],
    /// Words of the arena that it needs.
    pub words: usize,
    /// Elements of its embedding.
    pub dim: u16,
}

/// The model in the `bytes` of a slot, which has a threshold and a front end that this program has.
#[inline(never)]
pub fn check(bytes: &[u8]) -> Result<SlotModel<'_>, Fault> {
    let (bundle, golden) = parts(bytes).ok_or(Fault::Model)?;
    let checked = engine::check(bundle).map_err(|error| match error {
        BundleError::FrontEnd => Fault::ModelKind,
        _ => Fault::Model,
    })?;
    let header = checked.header();
    header.threshold.ok_or(Fault::NoThreshold)?;
    if !Golden::check(golden).is_ok_and(|golden| golden.model_id() == header.model_id) {
        return Err(Fault::ModelTest);
    }
    Ok(SlotModel { bundle, golden, words: network::arena_words(&checked), dim: header.dim })
}
