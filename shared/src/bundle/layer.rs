//! What a bundle says of a layer.

use super::TABLE_LEN;
use crate::geometry::{Geometry, Kind};
use crate::quant::Requantizer;

/// Shape, places and zero points of a layer: what its entry in the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is computed.
    pub geometry: Geometry,
    /// The input's byte for the real number 0; padding is filled with it.
    pub input_zero_point: u8,
    /// The zero point that requantisation adds, even (see [`Requantizer`]).
    pub output_zero_point: u8,
    /// The output rows go straight into the next layer's ring and never lie in the arena as a whole.
    pub fused: bool,
    /// The input tensor's place in the arena.
    pub input_at: u32,
    /// The output tensor's place in the arena.
    pub output_at: u32,
    /// The scratch's place in the arena, a multiple of four.
    pub scratch_at: u32,
}

impl Entry {
    /// A layer that is fused with none and has no places yet; [`plan`](crate::plan::plan) gives them.
    pub fn new(geometry: Geometry, input_zero_point: u8, output_zero_point: u8) -> Self {
        Entry { geometry, input_zero_point, output_zero_point, fused: false, input_at: 0, output_at: 0, scratch_at: 0 }
    }

    /// Scratch of the step that ends with this layer; `front` is the layer fused into it. The front's own scratch and one of
    /// its output rows follow the ring.
    pub fn scratch_len(&self, front: Option<&Entry>) -> usize {
        let front = front.map_or(0, |f| f.geometry.scratch_len() + f.row_bytes().next_multiple_of(4));
        self.geometry.scratch_len() + front
    }

    /// Bytes of one output row of all channels.
    pub fn row_bytes(&self) -> usize {
        usize::from(self.geometry.output.width) * usize::from(self.geometry.output.channels)
    }

    /// Whether the layer may hand its rows to `next`: a convolution of one plane into a dense layer that walks rows.
    pub fn fits_front_of(&self, next: &Entry) -> bool {
        self.geometry.kind == Kind::Planar
            && self.geometry.input.channels == 1
            && next.geometry.kind == Kind::Dense
            && next.geometry.input == self.geometry.output
            && !next.geometry.is_pointwise()
    }

    /// The region of the arena from the first to the last byte of input and output.
    pub fn hull(&self) -> core::ops::Range<usize> {
        let (input, output) = (self.input_at as usize, self.output_at as usize);
        let end = (input + self.geometry.input.len()).max(output + self.geometry.output.len());
        input.min(output)..end
    }

    /// The order in which the output planes can be written without hurting an input plane that is still to be read; none
    /// where input and output lie over each other in a way that no order serves.
    pub fn order(&self) -> Option<Order> {
        let Geometry { input, output, .. } = self.geometry;
        let (reads, writes) = (self.input_at as usize, self.output_at as usize);
        let (read, written) = (input.plane_len(), output.plane_len());
        if writes + output.len() <= reads || reads + input.len() <= writes {
            return Some(Order::Ascending);
        }
        if !self.geometry.runs_in_place() {
            return None;
        }
        if self.geometry.is_pointwise() {
            // Every plane lies over a whole plane, so that a pixel is written where it was read.
            return reads.abs_diff(writes).is_multiple_of(read).then_some(Order::Ascending);
        }
        let channels = usize::from(input.channels);
        let others = || 1..channels; // the planes on either side of a boundary between two
        if others().all(|c| writes + c * written <= reads + c * read) {
            Some(Order::Ascending)
        } else if others().all(|c| writes + c * written >= reads + c * read) {
            Some(Order::Descending)
        } else {
            None
        }
    }
}

/// Which output plane is written first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The first channel's.
    Ascending,
    /// The last channel's.
    Descending,
}

/// A layer, ready to run.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Shape and places.
    pub entry: Entry,
    /// Stored weights of a dense layer, two channels a halfword, or of a Winograd layer; empty for the others.
    pub packed: &'a [i16],
    /// Weights of a planar layer; empty for the others.
    pub planar: &'a [i8],
    /// One entry a stored channel.
    pub channels: &'a [Requantizer],
    /// The table that follows the requantisation.
    pub table: Option<&'a [u8; TABLE_LEN]>,
}
