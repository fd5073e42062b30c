//! The planner against brute force: no placement of the same chain in whole words fits into a smaller arena.
#![allow(missing_docs)]

use proptest::prelude::*;
use shared::bundle::Entry;
use shared::geometry::{Geometry, Kind, Shape, steps};
use shared::plan::plan;

const WORD: usize = 4;

fn entry(kind: Kind, kernel: u8, stride: u8, pad: u8, outputs: u16, input: Shape) -> Option<Entry> {
    let channels = match kind {
        Kind::Planar if input.channels > 1 => input.channels,
        Kind::Pool => input.channels,
        _ => outputs,
    };
    let pad = if kind == Kind::Pool { 0 } else { pad };
    let side = |n| steps(n, pad, pad, kernel, stride);
    let output = Shape { height: side(input.height)?, width: side(input.width)?, channels };
    let geometry = Geometry { kind, kernel: [kernel; 2], stride, pad: [pad; 4], input, output };
    geometry.is_consistent().then(|| Entry::new(geometry, 0, 0))
}

fn chain() -> impl Strategy<Value = Vec<Entry>> {
    let kind = prop_oneof![2 => Just(Kind::Dense), 2 => Just(Kind::Planar), 1 => Just(Kind::Pool)];
    let layer = (kind, 1u8..=3, 1u8..=2, 0u8..=1, 1u16..=9);
    let layers = prop::collection::vec(layer, 1..=4);
    (1u16..=6, 1u16..=6, prop_oneof![Just(1u16), 1u16..=9], layers).prop_map(|(height, width, channels, layers)| {
        let mut shape = Shape { height, width, channels };
        let mut entries = vec![];
        for (kind, kernel, stride, pad, outputs) in layers {
            let Some(entry) = entry(kind, kernel, stride, pad, outputs, shape) else { break };
            shape = entry.geometry.output;
            entries.push(entry);
        }
        entries
    })
}

/// A convolution of one plane and a dense layer that walks its rows.
fn fronted() -> impl Strategy<Value = Vec<Entry>> {
    (3u16..=9, 3u16..=9, 1u8..=2, 1u16..=7, 2u8..=3, 1u16..=7).prop_filter_map(
        "the kernels fit",
        |(height, width, stride, middle, kernel, outputs)| {
            let front = entry(Kind::Planar, 3, stride, 1, middle, Shape { height, width, channels: 1 })?;
            Some(vec![front, entry(Kind::Dense, kernel, 1, 0, outputs, front.geometry.output)?])
        },
    )
}

fn words(len: usize) -> usize {
    len.div_ceil(WORD)
}

/// Whether the chain fits into `arena` words: which places (in words) the tensor can have is carried from step to step.
fn fits(entries: &[Entry], arena: usize) -> bool {
    let mut places: Vec<usize> = match entries.first() {
        Some(first) => (0..=arena.saturating_sub(words(first.geometry.input.len()))).collect(),
        None => return true,
    };
    let mut rest = entries;
    while let [first, ..] = rest {
        let (front, layer) = if first.fused { (Some(first), &rest[1]) } else { (None, first) };
        rest = &rest[1 + usize::from(front.is_some())..];
        let (input, output) = (words(first.geometry.input.len()), words(layer.geometry.output.len()));
        let scratch = words(layer.scratch_len(front));
        let mut next = vec![];
        for to in 0..=arena.saturating_sub(output) {
            let possible = places.iter().any(|&from| {
                let apart = |a: (usize, usize), b: (usize, usize)| a.0 + a.1 <= b.0 || b.0 + b.1 <= a.0;
                let placed = Entry {
                    input_at: (from * WORD) as u32,
                    output_at: (to * WORD) as u32,
                    geometry: Geometry { input: first.geometry.input, ..layer.geometry },
                    ..*layer
                };
                let tensors = apart((from, input), (to, output)) || front.is_none() && placed.order().is_some();
                let free = |at: usize| {
                    apart((at, scratch), (from, input)) && apart((at, scratch), (to, output)) || scratch == 0
                };
                tensors
                    && from + input <= arena
                    && to + output <= arena
                    && (0..=arena.saturating_sub(scratch)).any(|at| at + scratch <= arena && free(at))
            });
            if possible {
                next.push(to);
            }
        }
        places = next;
    }
    !places.is_empty()
}

proptest! {
    #[test]
    fn no_placement_needs_less(mut entries in chain()) {
        prop_assume!(!entries.is_empty());
        let plan = plan(&mut entries);
        let arena = plan.arena as usize / WORD;
        prop_assert!(fits(&entries, arena));
        prop_assert!(!fits(&entries, arena - 1), "{} bytes are more than it takes", plan.arena);
    }

    #[test]
    fn a_front_is_fused_where_that_saves_memory(mut entries in fronted()) {
        let planned = plan(&mut entries);
        let mut other = entries.clone();
        other[0].fused = !entries[0].fused;
        let arena = planned.arena as usize / WORD;
        prop_assert!(!fits(&other, arena - usize::from(!entries[0].fused)));
    }
}

#[test]
fn the_articles_net_fits_26_kilobytes() {
    let input = Shape { height: 28, width: 28, channels: 1 };
    let mut entries = vec![entry(Kind::Planar, 3, 1, 1, 32, input).unwrap()];
    for (stride, outputs) in [(2, 32), (1, 64), (2, 64)] {
        let shape = entries.last().unwrap().geometry.output;
        entries.push(entry(Kind::Dense, 3, stride, 1, outputs, shape).unwrap());
    }
    let flat = entries.last().unwrap().geometry.output.flattened().unwrap();
    entries.push(entry(Kind::Dense, 1, 1, 0, 64, flat).unwrap());
    let plan = plan(&mut entries);
    assert!(entries[0].fused && entries[2].geometry.kind == Kind::Winograd);
    assert_eq!(plan.arena, 25_472);
}
