//! The writer of a bundle.

use bytemuck::cast_slice;
use thiserror::Error;

use super::{
    Bundle, BundleError, CHECKED_FROM, DRAWN_OUT, Entry, FORGED, FUSED, HAS_TABLE, HEADER_LEN, Header, INVERT,
    LAYER_LEN, LOG_MEL, LOG_MEL_LEN, MAGIC, PIXELS, PRE_EMPHASIS, REPEAT, SEALED, STRETCH, TABLE_LEN, Threshold,
    UNSEEN, VERSION, pack, put, winograd_place,
};
use crate::checksum::crc32;
use crate::embedding::Distance;
use crate::frontend::{Fill, FrontEnd, LogMel, Pixels};
use crate::geometry::{Kind, Shape};
use crate::quant::{Channel, Requantizer};
use crate::winograd::transform_kernel;

/// A layer as the writer takes it: weights in plain order.
#[derive(Clone, Copy, Debug)]
pub struct LayerSource<'a> {
    /// Shape and places.
    pub entry: Entry,
    /// `[output][input][row][column]` for a dense or Winograd layer, `[output][row][column]` for a planar one, none for a pool; no
    /// channel is stored extra.
    pub weights: &'a [i8],
    /// One entry an output channel.
    pub channels: &'a [Channel],
    /// The table that follows the requantisation.
    pub table: Option<&'a [u8; TABLE_LEN]>,
}

/// Why a bundle could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The buffer is too short.
    #[error("the bundle needs {0} bytes")]
    Space(usize),
    /// A layer's weights or channels are not as many as its shape asks for.
    #[error("layer {0} does not have the weights that its shape asks for")]
    Weights(usize),
    /// What was written does not pass the reader's check.
    #[error(transparent)]
    Check(#[from] BundleError),
}

/// Bytes of the bundle of `header` and `layers`.
pub fn encoded_len(header: &Header, layers: &[LayerSource<'_>]) -> usize {
    let sections: usize = layers.iter().map(|layer| section_lens(layer).iter().sum::<usize>()).sum();
    header.encoded_len() + layers.len() * LAYER_LEN + sections
}

/// Writes a bundle to the start of `out`, which begins at a multiple of four, and returns its checked view.
pub fn encode<'o>(header: &Header, layers: &[LayerSource<'_>], out: &'o mut [u8]) -> Result<Bundle<'o>, WriteError> {
    let len = encoded_len(header, layers);
    let out = out.get_mut(..len).ok_or(WriteError::Space(len))?;
    out.fill(0);
    let mut at = header.encoded_len() + layers.len() * LAYER_LEN;
    for (index, layer) in layers.iter().enumerate() {
        let geometry = &layer.entry.geometry;
        let inputs = match geometry.kind {
            Kind::Dense | Kind::Winograd => usize::from(geometry.input.channels),
            Kind::Planar => 1,
            Kind::Pool => 0,
        };
        let window = usize::from(geometry.kernel[0]) * usize::from(geometry.kernel[1]);
        let outputs = usize::from(geometry.output.channels);
        if layer.weights.len() != outputs * window * inputs || layer.channels.len() != outputs {
            return Err(WriteError::Weights(index));
        }
        let [weights_len, channels_len, table_len] = section_lens(layer);
        let places = [at, at + weights_len, at + weights_len + channels_len];
        put_weights(layer, window, inputs, out.get_mut(places[0]..places[1]).unwrap_or_default());
        let zero_point = layer.entry.output_zero_point;
        for (index, &channel) in layer.channels.iter().enumerate() {
            let stored = [Requantizer::new(channel, zero_point)];
            put(out, places[1] + index * size_of::<Requantizer>(), cast_slice(&stored));
        }
        put(out, places[2], layer.table.map_or(&[], |table| table.as_slice()));
        put_entry(layer, places, out.get_mut(header.encoded_len() + index * LAYER_LEN..).unwrap_or_default());
        at += weights_len + channels_len + table_len;
    }
    put_header(header, layers.len(), out);
    Ok(Bundle::check(out)?)
}

fn section_lens(layer: &LayerSource<'_>) -> [usize; 3] {
    let geometry = &layer.entry.geometry;
    let table = if layer.table.is_some() { TABLE_LEN } else { 0 };
    [geometry.weights_len(), geometry.stored_channels() * size_of::<Requantizer>(), table]
}

fn put_weights(layer: &LayerSource<'_>, window: usize, inputs: usize, out: &mut [u8]) {
    let geometry = &layer.entry.geometry;
    match geometry.kind {
        Kind::Dense => {}
        Kind::Planar | Kind::Pool => return put(out, 0, cast_slice(layer.weights)),
        Kind::Winograd => return put_winograd(layer, inputs, out),
    }
    let columns = usize::from(geometry.kernel[1]);
    let weight = |output: usize, k: usize| {
        let (column, pair) = (k / 2 % columns, k / 2 / columns % geometry.pairs());
        let (row, input) = (k / 2 / columns / geometry.pairs(), pair * 2 + k % 2);
        let stored = input < inputs && output < usize::from(geometry.output.channels);
        let at = (output * inputs + input) * window + row * columns + column;
        stored.then(|| layer.weights.get(at).copied()).flatten().unwrap_or(0)
    };
    let per_channel = geometry.weights_per_channel();
    for (at, half) in out.chunks_exact_mut(2).enumerate() {
        let (group, within) = (at / (2 * per_channel), at % (2 * per_channel));
        let (pair, k) = (within / 2 % 2, within / 4 * 2 + within % 2);
        let output = group * 4 + pair * 2;
        half.copy_from_slice(&pack(weight(output, k), weight(output + 1, k)).to_le_bytes());
    }
}

fn put_winograd(layer: &LayerSource<'_>, inputs: usize, out: &mut [u8]) {
    let pairs = layer.entry.geometry.pairs();
    for (at, kernel) in layer.weights.as_chunks::<9>().0.iter().enumerate() {
        let (output, input) = (at / inputs, at % inputs);
        for (product, weight) in transform_kernel(*kernel).into_iter().enumerate() {
            put(out, 2 * winograd_place(pairs, output, product, input), &weight.to_le_bytes());
        }
    }
}

fn put_entry(layer: &LayerSource<'_>, places: [usize; 3], out: &mut [u8]) {
    let entry = &layer.entry;
    let geometry = &entry.geometry;
    let [kh, kw] = geometry.kernel;
    put(out, 0, &[geometry.kind as u8, kh, kw, geometry.stride]);
    put(out, 4, &geometry.pad);
    let sides = [geometry.input, geometry.output].map(|s| [s.height, s.width, s.channels]);
    for (index, side) in sides.as_flattened().iter().enumerate() {
        put(out, 8 + 2 * index, &side.to_le_bytes());
    }
    let flags = if layer.table.is_some() { HAS_TABLE } else { 0 } | if entry.fused { FUSED } else { 0 };
    put(out, 20, &[entry.input_zero_point, entry.output_zero_point, 0, flags]);
    let arena = [entry.input_at, entry.output_at, entry.scratch_at];
    for (index, place) in places.iter().map(|&p| p as u32).chain(arena).enumerate() {
        put(out, 24 + 4 * index, &place.to_le_bytes());
    }
}

fn put_header(header: &Header, layers: usize, out: &mut [u8]) {
    let (invert, stretch) = match header.frontend {
        FrontEnd::Pixels(Pixels { invert, stretch, .. }) => (invert, stretch),
        FrontEnd::LogMel(_) => (false, false),
    };
    let threshold = header.threshold.unwrap_or_default();
    let evidence = threshold.evidence;
    let flags = [
        (invert, INVERT),
        (stretch, STRETCH),
        (header.threshold.is_some(), SEALED),
        (evidence.unseen, UNSEEN),
        (evidence.forged, FORGED),
    ];
    let flags = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum();
    put(out, 0, &MAGIC);
    put(out, 4, &VERSION.to_le_bytes());
    put(out, 6, &(layers as u16).to_le_bytes());
    put(out, 8, &(out.len() as u32).to_le_bytes());
    put(out, 16, &header.model_id.to_le_bytes());
    let Shape { height, width, channels } = header.input();
    put(out, 24, &height.to_le_bytes());
    put(out, 26, &width.to_le_bytes());
    let kind = match &header.frontend {
        FrontEnd::Pixels(_) => PIXELS,
        FrontEnd::LogMel(log_mel) => {
            put(out, HEADER_LEN, &log_mel_bytes(log_mel));
            LOG_MEL
        }
    };
    put(out, 28, &[channels as u8, kind, flags, header.metric.code()]);
    put(out, 32, &header.dim.to_le_bytes());
    let words = [
        (36, header.arena),
        (40, header.input_at),
        (44, threshold.distance.0),
        (48, evidence.target_fmr_ppm),
        (52, evidence.identities),
        (56, evidence.genuine),
        (60, evidence.false_non_matches),
        (64, evidence.impostor),
        (68, evidence.false_matches),
        (72, header.embedding_scale.to_bits()),
        (76, header.spread.map_or(0, |spread| spread.0)),
        (96, threshold.gate.0),
    ];
    for (at, word) in words {
        put(out, at, &word.to_le_bytes());
    }
    put(out, 80, &header.name);
    let checksum = crc32(out.get(CHECKED_FROM..).unwrap_or_default());
    put(out, 12, &checksum.to_le_bytes());
}

fn log_mel_bytes(log_mel: &LogMel) -> [u8; LOG_MEL_LEN] {
    let mut bytes = [0; LOG_MEL_LEN];
    let LogMel { rate, window, hop, low, high, .. } = *log_mel;
    for (index, value) in [rate, window, hop, low, high].into_iter().enumerate() {
        put(&mut bytes, 2 * index, &value.to_le_bytes());
    }
    let pre_emphasis = if log_mel.pre_emphasis { PRE_EMPHASIS } else { 0 };
    let fill = match log_mel.fill {
        Fill::Silence => 0,
        Fill::Repeat => REPEAT,
        Fill::Stretch => DRAWN_OUT,
    };
    put(&mut bytes, 10, &[log_mel.range, log_mel.trim, pre_emphasis | fill]);
    bytes
}

/// Seals `threshold` and [`Header::spread`] into the bundle in `bytes`, in place: the same network, front end and id.
pub fn seal(bytes: &mut [u8], threshold: Threshold, spread: Option<Distance>) -> Result<(), BundleError> {
    let bundle = Bundle::check(bytes)?;
    let (header, layers) = (Header { threshold: Some(threshold), spread, ..*bundle.header() }, bundle.layers);
    put_header(&header, layers, bytes);
    Ok(())
}
