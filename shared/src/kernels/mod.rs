//! The integer kernels: `portable` defines what each computes, a core's own file computes the same faster.
//!
//! The choice is made here, once, by a cfg; every variant faces the same tests.

pub mod portable;

pub use portable::{dense_row, dot, planar_rows, squared_distance, widen};

use crate::bundle::TABLE_LEN;
use crate::quant::{Channel, requantize};

/// What follows the sum of a channel: requantisation, then the table of an activation that is not a plain saturation.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a> {
    /// The zero point that requantisation adds.
    pub zero_point: u8,
    /// Maps the requantized byte to the activation.
    pub table: Option<&'a [u8; TABLE_LEN]>,
}

impl Finish<'_> {
    /// The activation of `sum`, which lacks only the bias.
    #[inline(always)]
    pub fn apply(&self, sum: i32, channel: Channel) -> u8 {
        let byte = requantize(
            sum.wrapping_add(channel.bias),
            channel.multiplier,
            self.zero_point,
        );
        match self.table {
            Some(table) => table[usize::from(byte)],
            None => byte,
        }
    }
}

/// One output row of a dense layer.
#[derive(Clone, Copy, Debug)]
pub struct DenseRow<'a> {
    /// The widened input rows under the kernel, from the top.
    pub rows: &'a [&'a [i16]],
    /// Elements under the kernel in each row, a multiple of four.
    pub taps: usize,
    /// Elements from one output pixel's window to the next one's.
    pub step: usize,
    /// The layer's stored weights (see [`crate::bundle`]).
    pub weights: &'a [i16],
    /// The layer's stored channels.
    pub channels: &'a [Channel],
    /// Output channels, at most the stored ones.
    pub outputs: usize,
    /// Output pixels.
    pub pixels: usize,
    /// What follows the sums.
    pub finish: Finish<'a>,
}

/// Output rows of one channel of a planar layer.
#[derive(Clone, Copy, Debug)]
pub struct PlanarRows<'a> {
    /// The widened, padded plane, from the first row under the kernel.
    pub plane: &'a [i16],
    /// Elements of one plane row.
    pub row_len: usize,
    /// Kernel rows and columns.
    pub kernel: [usize; 2],
    /// Step of the kernel.
    pub stride: usize,
    /// The channel's weights, `[row][column]`.
    pub weights: &'a [i8],
    /// The channel.
    pub channel: Channel,
    /// Output rows.
    pub rows: usize,
    /// Output pixels a row.
    pub pixels: usize,
    /// What follows the sums.
    pub finish: Finish<'a>,
}

/// Where a kernel's results go in its output slice.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The first result.
    pub at: usize,
    /// Distance of one row to the next.
    pub row: usize,
    /// Distance of one pixel to the next.
    pub pixel: usize,
    /// Distance of one channel to the next.
    pub channel: usize,
}
