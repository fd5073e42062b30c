//! [`Graph`] -> the board's bundle.

use shared::bundle::{Entry, HEADER_LEN, Header, LayerSource, NAME_LEN, WriteError, encode, encoded_len};
use shared::embedding::Metric;
use shared::frontend::FrontEnd;
use shared::geometry::Kind;
use shared::plan::plan;
use shared::quant::Channel;

use crate::checksum::crc64;
use crate::model::BundleBytes;
use crate::quantize::{Graph, QuantLayer};

/// The bundle of `graph`, its threshold not yet sealed.
///
/// The model id is the CRC-64 of front end, metric and everything behind the header: templates of two models are mistaken
/// for each other only if the models are the same.
pub fn bundle_bytes(graph: &Graph, name: &str, frontend: FrontEnd, metric: Metric) -> Result<BundleBytes, WriteError> {
    let mut entries: Vec<Entry> = graph.layers.iter().map(entry).collect();
    let plan = plan(&mut entries);
    let channels: Vec<Vec<Channel>> = graph.layers.iter().map(folded_channels).collect();
    let sources: Vec<LayerSource<'_>> = graph
        .layers
        .iter()
        .zip(entries)
        .zip(&channels)
        .map(|((layer, entry), channels)| LayerSource {
            entry,
            weights: if layer.geometry.kind == Kind::Pool { &[] } else { &layer.weights },
            channels,
            table: layer.table.as_ref().map(|table| &*table.bytes),
        })
        .collect();
    let mut header = Header {
        model_id: 0,
        name: padded(name),
        frontend,
        metric,
        dim: graph.layers.last().map_or(0, |layer| layer.bias.len() as u16),
        arena: plan.arena,
        input_at: plan.input_at,
        embedding_scale: graph.embedding_scale(),
        threshold: None,
        spread: None,
    };
    let mut bytes = BundleBytes::zeroed(encoded_len(&header, &sources));
    encode(&header, &sources, bytes.as_mut_slice())?;
    header.model_id = crc64(&[&bytes.as_slice()[24..34], &bytes.as_slice()[HEADER_LEN..]]);
    encode(&header, &sources, bytes.as_mut_slice())?;
    Ok(bytes)
}

fn entry(layer: &QuantLayer) -> Entry {
    Entry::new(layer.geometry, layer.input.zero_point, layer.sum_scale().zero_point)
}

/// `bias - zero_point * sum(w)`: the kernels multiply bytes, not their distance from the zero point.
fn folded_channels(layer: &QuantLayer) -> Vec<Channel> {
    let fold = |(channel, (&bias, &multiplier)): (usize, (&i32, &i32))| {
        let weights: i32 = layer.channel_weights(channel).iter().map(|&w| i32::from(w)).sum();
        Channel { bias: bias - i32::from(layer.input.zero_point) * weights, multiplier }
    };
    layer.bias.iter().zip(&layer.multipliers).enumerate().map(fold).collect()
}

/// As much of `name` as fits, cut between characters.
pub(super) fn padded(name: &str) -> [u8; NAME_LEN] {
    let mut padded = [0; NAME_LEN];
    let fits = (0..=NAME_LEN.min(name.len())).rev().find(|&len| name.is_char_boundary(len)).unwrap_or(0);
    padded[..fits].copy_from_slice(&name.as_bytes()[..fits]);
    padded
}
