//! The integer kernels: `portable` defines what each computes, a core's own file computes the same faster.
//!
//! The choice is made here, once, by a cfg; every variant faces the same tests.

pub mod portable;

pub use portable::{dense_row, dot, interleave, planar_rows, squared_distance, widen, window_sum};

use crate::bundle::TABLE_LEN;
use crate::quant::Requantizer;

/// The table of an activation that is not a plain saturation: it maps the requantized byte to the activation.
pub type Table<'a> = Option<&'a [u8; TABLE_LEN]>;

/// One row of every plane of a tensor.
#[derive(Clone, Copy, Debug)]
pub struct PlaneRows<'a> {
    /// The tensor, from the first plane's row.
    pub bytes: &'a [u8],
    /// Distance of one plane's row to the next plane's.
    pub plane: usize,
    /// Planes.
    pub channels: usize,
    /// Elements of each row.
    pub columns: usize,
}

/// One output row of a dense layer.
#[derive(Clone, Copy, Debug)]
pub struct DenseRow<'a> {
    /// The widened input rows under the kernel, from the top: pairs of channels side by side, `[pair][column][2]`.
    pub rows: &'a [&'a [i16]],
    /// Columns of the kernel.
    pub columns: usize,
    /// Columns of a widened row.
    pub pitch: usize,
    /// Pairs of channels, an even number.
    pub pairs: usize,
    /// Step of the kernel.
    pub stride: usize,
    /// The layer's stored weights (see [`crate::bundle`]).
    pub weights: &'a [i16],
    /// The layer's stored channels.
    pub channels: &'a [Requantizer],
    /// Output channels, at most the stored ones.
    pub outputs: usize,
    /// Output pixels.
    pub pixels: usize,
    /// What follows the requantisation.
    pub table: Table<'a>,
}

/// Output rows of some channels that share one input plane.
#[derive(Clone, Copy, Debug)]
pub struct PlanarRows<'a> {
    /// The widened, padded plane, from the first row under the kernel.
    pub plane: &'a [i16],
    /// Elements of one plane row, an even number.
    pub row_len: usize,
    /// Kernel rows and columns.
    pub kernel: [usize; 2],
    /// Step of the kernel.
    pub stride: usize,
    /// The weights, `[channel][row][column]`.
    pub weights: &'a [i8],
    /// The channels.
    pub channels: &'a [Requantizer],
    /// Output rows.
    pub rows: usize,
    /// Output pixels a row.
    pub pixels: usize,
    /// What follows the requantisation.
    pub table: Table<'a>,
}

/// The activation of `sum`: requantisation, then the table.
#[inline(always)]
pub fn finish(sum: i32, channel: &Requantizer, table: Table<'_>) -> u8 {
    let byte = channel.apply(sum);
    match table {
        Some(table) => table[usize::from(byte)],
        None => byte,
    }
}

/// Bytes of machine code that the variant of this core adds to the compiled program; 0 where the portable one runs.
pub fn code_len() -> usize {
    0
}
