//! Bundles that no writer writes, under a right checksum: the check refuses what would mislead a kernel.
#![allow(missing_docs)]

use proptest::prelude::*;
use shared::bundle::{
    Bundle, BundleError, EMBEDDING_ZERO_POINT, Entry, HEADER_LEN, Header, LAYER_LEN, LayerSource, NAME_LEN, TABLE_LEN,
    encode, encoded_len,
};
use shared::embedding::Metric;
use shared::frontend::Pixels;
use shared::geometry::{Geometry, Kind, MAX_ARENA, Shape};
use shared::plan::plan;
use shared::quant::Channel;

const TAPS: usize = 9;
/// Words of the header up to height and width, to channels and flags, to the arena.
const SIDES: usize = 6;
const CHANNELS: usize = 7;
const ARENA: usize = 9;
/// Words up to the places of the first layer's weights, channels and table.
const PLACES: usize = HEADER_LEN / 4 + 6;

/// A bundle of a 3x3 layer of `kind` and a table over an input of 3x4, `inputs` -> `outputs` channels, and of a pool.
/// `weight(output, input, tap)` gives the layer's weights; a planar one has no other input than 0.
fn bundle(kind: Kind, inputs: u16, outputs: u16, weight: impl Fn(u16, u16, usize) -> i8) -> Vec<u32> {
    let input = Shape { height: 3, width: 4, channels: inputs };
    let output = Shape { height: 1, width: 2, channels: outputs };
    let geometry = Geometry { kind, kernel: [3, 3], stride: 1, pad: [0; 4], input, output };
    let pooled = Shape { width: 1, ..output };
    let pool = Geometry { kind: Kind::Pool, kernel: [1, 2], input: output, output: pooled, ..geometry };
    let mut entries = [Entry::new(geometry, 0, 0), Entry::new(pool, 0, EMBEDDING_ZERO_POINT)];
    let plan = plan(&mut entries);
    let seen = if kind == Kind::Planar { 1 } else { inputs };
    let mut weights = vec![];
    for (output, input) in (0..outputs).flat_map(|output| (0..seen).map(move |input| (output, input))) {
        weights.extend((0..TAPS).map(|tap| weight(output, input, tap)));
    }
    let channels = vec![Channel { bias: 0, multiplier: 1 }; outputs.into()];
    let table = core::array::from_fn(|byte| byte as u8);
    let sources = [
        LayerSource { entry: entries[0], weights: &weights, channels: &channels, table: Some(&table) },
        LayerSource { entry: entries[1], weights: &[], channels: &channels, table: None },
    ];
    let header = Header {
        model_id: 1,
        name: [0; NAME_LEN],
        frontend: Pixels { width: 4, height: 3, channels: inputs as u8, invert: false, stretch: false }.into(),
        metric: Metric::Euclidean,
        dim: outputs,
        arena: plan.arena,
        input_at: plan.input_at,
        embedding_scale: 1.0,
        spread: None,
        threshold: None,
    };
    let mut words = vec![0; encoded_len(&header, &sources) / 4];
    encode(&header, &sources, bytemuck::cast_slice_mut(&mut words)).expect("the bundle is consistent");
    words
}

/// What the check says of `words` once length and checksum are theirs.
fn check(mut words: Vec<u32>) -> Result<(), BundleError> {
    words[2] = 4 * words.len() as u32;
    words[3] = shared::crc32(bytemuck::cast_slice(&words[4..]));
    Bundle::check(bytemuck::cast_slice(&words)).map(|_| ())
}

/// A copy of a section behind all others serves in its stead, but only at a multiple of four.
#[test]
fn a_section_begins_at_a_multiple_of_four() {
    for kind in [Kind::Dense, Kind::Planar, Kind::Winograd] {
        let words = bundle(kind, 1, 3, |_, _, _| 1);
        let [weights, channels, table] = [0, 1, 2].map(|section| words[PLACES + section] as usize);
        assert_eq!(weights, HEADER_LEN + 2 * LAYER_LEN);
        let ends = [channels, table, table + TABLE_LEN];
        for (section, (start, end)) in [weights, channels, table].into_iter().zip(ends).enumerate() {
            for shift in 0..=4 {
                let place = 4 * words.len() + shift;
                let mut moved = words.clone();
                moved.resize((place + end - start).div_ceil(4), 0);
                moved[PLACES + section] = place as u32;
                bytemuck::cast_slice_mut::<u32, u8>(&mut moved).copy_within(start..end, place);
                let expected = if shift % 4 == 0 { Ok(()) } else { Err(BundleError::Layer(0)) };
                assert_eq!(check(moved), expected, "section {section} of a {kind:?} layer, {shift} bytes further");
            }
        }
    }
}

/// No more elements and no more arena than the sizes of a 32-bit machine hold.
#[test]
fn a_header_asks_for_no_more_than_there_can_be() {
    let words = bundle(Kind::Dense, 3, 2, |_, _, _| 1);
    let of_input = |height: u32, width: u32, channels: u32| {
        let mut words = words.clone();
        words[SIDES] = height | width << 16;
        words[CHANNELS] = words[CHANNELS] & !0xff | channels;
        check(words)
    };
    assert_eq!(of_input(3, 4, 3), Ok(()));
    assert_eq!(of_input(8192, 8192, 1), Err(BundleError::Layer(0))); // 2^26 elements, but not those that the layer reads
    assert_eq!(of_input(8192, 8193, 1), Err(BundleError::Header));
    assert_eq!(of_input(33025, 32513, 4), Err(BundleError::Header)); // 2^32 + 4
    let of_arena = |arena: u64| {
        let mut words = words.clone();
        words[ARENA] = arena as u32;
        check(words)
    };
    assert_eq!(of_arena(MAX_ARENA), Ok(()));
    assert_eq!(of_arena(MAX_ARENA + 1), Err(BundleError::Header));
    assert_eq!(of_arena(u32::MAX.into()), Err(BundleError::Header));
}

proptest! {
    /// Of the weights that are stored, those of channels that are not there are zero: they only fill up a group of four.
    #[test]
    fn a_channel_that_is_not_there_weighs_nothing(
        kind in prop::sample::select(vec![Kind::Dense, Kind::Winograd]),
        (inputs, outputs) in (1u16..=6, 1u16..=6),
        (output, input, tap) in (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..TAPS),
        weight in prop_oneof![-127i8..=-1, 1i8..=127],
    ) {
        let [stored_inputs, stored_outputs] = [inputs, outputs].map(|channels| channels.next_multiple_of(4));
        let output = output.index(stored_outputs.into()) as u16;
        let input = input.index(stored_inputs.into()) as u16;
        let is_there = |output, input| output < outputs && input < inputs;
        // As many channels as are stored, of which those that are not there weigh nothing but in one place.
        let full = bundle(kind, stored_inputs, stored_outputs, |o, i, t| match (o, i, t) == (output, input, tap) {
            true => weight,
            false => i8::from(is_there(o, i)),
        });
        let mut words = bundle(kind, inputs, outputs, |_, _, _| 1);
        let weights = words[PLACES] as usize / 4..words[PLACES + 1] as usize / 4;
        words[weights.clone()].copy_from_slice(&full[weights]);
        let expected = if is_there(output, input) { Ok(()) } else { Err(BundleError::Overflow(0)) };
        prop_assert_eq!(check(words), expected);
    }
}
