//! The integer kernels: `portable` defines what each computes, a core's own file computes the same faster.
//!
//! The choice is made here, once, by a cfg; every variant faces the same tests.

#[cfg(armv7em)]
mod armv7em;
pub mod portable;
#[cfg(any(armv6m, riscv32m))]
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(armv7em)]
use armv7em as chosen;
#[cfg(not(any(armv6m, armv7em, riscv32m, target_arch = "x86_64")))]
use portable as chosen;
#[cfg(any(armv6m, riscv32m))]
use scalar as chosen;
#[cfg(target_arch = "x86_64")]
use x86_64 as chosen;

pub use chosen::{
    Probe, Room, dense_row, depthwise, dot, interleave, planar_rows, pool, squared_distance, widen_rows, winograd,
};

use crate::bundle::{Order, TABLE_LEN};
use crate::geometry::Geometry;
use crate::quant::Requantizer;

/// Words of a widened row whose products with packed weights may be summed before the sum of the upper channel is taken out:
/// twice as many products of at most 127 * 255 stay below 2^23.
#[cfg(any(armv6m, armv7em, riscv32m))]
const SEGMENT_WORDS: usize = 128;

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

/// Where rows are widened to.
#[derive(Debug)]
pub struct WideRows<'a> {
    /// From the first row's first element.
    pub wide: &'a mut [i16],
    /// Elements from one row to the next one.
    pub pitch: usize,
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

/// A layer that computes each output plane from the input plane of the same channel.
#[derive(Clone, Copy, Debug)]
pub struct PlaneByPlane<'a> {
    /// Its shapes.
    pub geometry: &'a Geometry,
    /// The weights, `[channel][row][column]`; none for a pool.
    pub weights: &'a [i8],
    /// The channels.
    pub channels: &'a [Requantizer],
    /// What follows the requantisation.
    pub table: Table<'a>,
}

impl PlaneByPlane<'_> {
    /// Elements of the widened plane before the first one of the input.
    fn first_inside(&self) -> usize {
        let [top, left, ..] = self.geometry.pad.map(usize::from);
        top * self.geometry.row_len() + left
    }
}

/// A Winograd layer.
#[derive(Clone, Copy, Debug)]
pub struct Winograd<'a> {
    /// Its shapes.
    pub geometry: &'a Geometry,
    /// The input's byte for the real number 0.
    pub padding: u8,
    /// The layer's stored weights (see [`crate::bundle`]).
    pub weights: &'a [i16],
    /// The layer's stored channels.
    pub channels: &'a [Requantizer],
    /// What follows the requantisation.
    pub table: Table<'a>,
}

/// An input and an output tensor that may lie over each other, as [`Entry::order`](crate::bundle::Entry::order) allows.
#[derive(Debug)]
pub struct Tensors<'a> {
    /// Both of them.
    pub bytes: &'a mut [u8],
    /// Where the input begins.
    pub input: usize,
    /// Where the output begins.
    pub output: usize,
    /// Which plane comes first.
    pub order: Order,
}

impl Order {
    /// The channels of `count` in this order.
    fn channels(self, count: usize) -> impl Iterator<Item = usize> {
        (0..count).map(move |step| match self {
            Order::Ascending => step,
            Order::Descending => count - 1 - step,
        })
    }
}

/// What the dot product of a vector with a [`Probe`] must be for the vector to be found, by the vector's key: at least
/// `-offset - floor(key * slope / 2^32)`, where both terms are within `+-2^30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Bar {
    /// Change with the key, in units of 2^-32.
    pub slope: i32,
    /// What is added to every dot product.
    pub offset: i32,
}

impl Bar {
    /// Every vector reaches it.
    pub const NONE: Bar = Bar { slope: 0, offset: 1 << 30 };

    /// What is added to the dot product of a vector of this key; it reaches the bar where the sum is not negative.
    fn start(self, key: i32) -> i32 {
        self.offset.wrapping_add(((i64::from(key) * i64::from(self.slope)) >> 32) as i32)
    }
}

/// A vector whose dot product with a [`Probe`] reaches its [`Bar`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reaching {
    /// Which one it is.
    pub index: usize,
    /// The dot product.
    pub dot: i32,
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

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::geometry::{Kind, Shape};
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    /// Halfwords from a seed, in `-bound..=bound`.
    fn halfwords(seed: u64, len: usize, bound: u64) -> Vec<i16> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (((state >> 33) % (2 * bound + 1)) as i64 - bound as i64) as i16
        };
        (0..len).map(|_| next()).collect()
    }

    proptest! {
        #[test]
        fn dense_rows_are_the_portable_ones(
            (height, columns, stride, extra) in (1usize..=3, 1usize..=4, 1usize..=3, 0usize..=3),
            (pairs, outputs, pixels, seed) in (1usize..=5, 1usize..=9, 1usize..=20, any::<u64>()),
        ) {
            let (pairs, groups) = (2 * pairs, outputs.div_ceil(4));
            let pitch = if pixels * columns * height == 1 { 1 } else { (pixels - 1) * stride + columns + extra };
            let elements = halfwords(seed, height * pairs * pitch * 2, 127);
            let rows: Vec<&[i16]> = elements.chunks_exact(pairs * pitch * 2).collect();
            let weights = halfwords(seed ^ 1, groups * height * pairs * columns * 4, 32_000);
            let channels = vec![Requantizer { multiplier: 3, offset: 128 << 16 }; groups * 4];
            let layer = DenseRow {
                rows: &rows,
                columns,
                pitch,
                pairs,
                stride,
                weights: &weights,
                channels: &channels,
                outputs,
                pixels,
                table: None,
            };
            let (mut got, mut expected) = (vec![0; outputs * (pixels + extra)], vec![0; outputs * (pixels + extra)]);
            dense_row(&layer, &mut got, pixels + extra);
            portable::dense_row(&layer, &mut expected, pixels + extra);
            prop_assert_eq!(got, expected);
        }

        #[test]
        fn winograd_layers_are_the_portable_ones(
            (height, width, inputs, outputs) in (3u16..=9, 4u16..=11, 1u16..=9, 1u16..=5),
            (pad, padding, seed) in (0u8..=2, any::<u8>(), any::<u64>()),
        ) {
            let side = |n: u16| n + 2 * u16::from(pad) - 2;
            let geometry = Geometry {
                kind: Kind::Winograd,
                kernel: [3, 3],
                stride: 1,
                pad: [pad; 4],
                input: Shape { height, width, channels: inputs },
                output: Shape { height: side(height), width: side(width), channels: outputs },
            };
            let weights = halfwords(seed, geometry.stored_channels() * geometry.weights_per_channel(), 1143);
            let channels = vec![Requantizer { multiplier: 3, offset: 128 << 16 }; geometry.stored_channels()];
            let layer = Winograd { geometry: &geometry, padding, weights: &weights, channels: &channels, table: None };
            let input: Vec<u8> = halfwords(seed ^ 1, geometry.input.len(), 127).iter().map(|&x| x as u8).collect();
            let mut scratch = vec![0; geometry.scratch_len() / 4];
            let (mut got, mut expected) = (vec![0; geometry.output.len()], vec![0; geometry.output.len()]);
            winograd(&layer, &input, &mut got, &mut scratch);
            portable::winograd(&layer, &input, &mut expected, &mut scratch);
            prop_assert_eq!(got, expected);
        }
    }
}
