//! Where everything lies in the arena, decided at export.
//!
//! A chain of layers needs its input, its output and its scratch at one time. Tensors take turns at the two ends of the arena
//! with the scratch between them, and a layer that [runs in place](crate::geometry::Geometry::runs_in_place) stays at its
//! end; so the arena is as large as the hungriest step, and no order-preserving plan needs less (each tensor and each
//! scratch counted in whole words).

use crate::bundle::Entry;
use crate::geometry::Kind;

/// What the header says of the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Bytes of the arena, a multiple of four.
    pub arena: u32,
    /// The input tensor's place.
    pub input_at: u32,
}

/// Sets `fused`, `input_at`, `output_at` and `scratch_at` of every entry. The geometries must be consistent and chained.
///
/// A convolution of a single-channel picture is fused into the dense layer behind it where that makes the arena smaller.
/// Every other dense layer that [suits](crate::geometry::Geometry::suits_winograd) it becomes a Winograd layer.
pub fn plan(entries: &mut [Entry]) -> Plan {
    entries.iter_mut().for_each(|entry| entry.fused = false);
    let mut arena = needed(entries);
    for index in 0..entries.len() {
        if entries.get(index..).is_some_and(is_fusible) {
            set_fused(entries, index, true);
            let fused = needed(entries);
            if fused < arena {
                arena = fused;
            } else {
                set_fused(entries, index, false);
            }
        }
    }
    let mut after_front = false;
    for entry in entries.iter_mut() {
        if !after_front && entry.geometry.suits_winograd() {
            entry.geometry.kind = Kind::Winograd;
        }
        after_front = entry.fused;
    }
    let arena = needed(entries);
    place(entries, arena);
    Plan { arena: arena as u32, input_at: entries.first().map_or(0, |entry| entry.input_at) }
}

/// Whether the first of `entries` can hand its rows to the second one.
fn is_fusible(entries: &[Entry]) -> bool {
    match entries {
        [front, layer, ..] => front.fits_front_of(layer),
        _ => false,
    }
}

fn set_fused(entries: &mut [Entry], index: usize, fused: bool) {
    if let Some(entry) = entries.get_mut(index) {
        entry.fused = fused;
    }
}

/// Bytes of the hungriest step.
fn needed(entries: &[Entry]) -> usize {
    Steps(entries).map(|step| step.bytes()).max().unwrap_or_default()
}

/// The bytes that one step needs at a time.
struct Needs {
    input: usize,
    output: usize,
    scratch: usize,
    in_place: bool,
    layers: usize,
}

impl Needs {
    fn bytes(&self) -> usize {
        let (input, output) = (self.input.next_multiple_of(4), self.output.next_multiple_of(4));
        let tensors = match self.in_place {
            true => input.max(output),
            false => input + output,
        };
        tensors + self.scratch
    }
}

/// The steps of a chain: a fused front counts with the layer behind it.
struct Steps<'a>(&'a [Entry]);

impl Iterator for Steps<'_> {
    type Item = Needs;

    fn next(&mut self) -> Option<Needs> {
        let (front, layer, rest) = match self.0 {
            [front, layer, rest @ ..] if front.fused => (Some(front), layer, rest),
            [layer, rest @ ..] => (None, layer, rest),
            [] => return None,
        };
        self.0 = rest;
        let first = front.unwrap_or(layer);
        Some(Needs {
            input: first.geometry.input.len(),
            output: layer.geometry.output.len(),
            scratch: layer.scratch_len(front),
            in_place: layer.geometry.runs_in_place(),
            layers: 1 + usize::from(front.is_some()),
        })
    }
}

/// Lays the tensors at the two ends in turn.
fn place(entries: &mut [Entry], arena: usize) {
    // Of the tensor that the next step reads: whether it ends where the arena ends.
    let mut at_end = false;
    let mut index = 0;
    while let Some(needs) = entries.get(index..).and_then(|rest| Steps(rest).next()) {
        let to_end = at_end == needs.in_place;
        let at = |at_end: bool, len: usize| if at_end { arena - len } else { 0 };
        let (input, output) = (at(at_end, needs.input), at(to_end, needs.output));
        let at_start = |at_end: bool, len: usize| if at_end { 0 } else { len.next_multiple_of(4) };
        let scratch = at_start(at_end, needs.input).max(at_start(to_end, needs.output));
        for entry in entries.iter_mut().skip(index).take(needs.layers) {
            entry.input_at = input as u32;
            entry.output_at = output as u32;
            entry.scratch_at = scratch as u32;
        }
        index += needs.layers;
        at_end = to_end;
    }
}
