//! Shapes: what a layer computes, and the sizes that follow from it for host and board alike.
//!
//! Every tensor lies as planes: `[channel][row][column]`, one byte each.

use crate::winograd::{PRODUCTS, TILE};

/// Extent of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows.
    pub height: u16,
    /// Columns.
    pub width: u16,
    /// Channels.
    pub channels: u16,
}

impl Shape {
    /// Elements of the tensor, one byte each.
    pub fn len(&self) -> usize {
        usize::from(self.height) * usize::from(self.width) * usize::from(self.channels)
    }

    /// Whether a side is zero.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Elements of one channel.
    pub fn plane_len(&self) -> usize {
        usize::from(self.height) * usize::from(self.width)
    }

    /// The same bytes as one pixel with all elements as channels, as a fully connected layer takes them.
    pub fn flattened(&self) -> Option<Shape> {
        Some(Shape { height: 1, width: 1, channels: u16::try_from(self.len()).ok()? })
    }
}

/// The families of layers that every network here is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Every output channel sees every input channel: convolution, 1x1 convolution, and fully connected as a 1x1 convolution
    /// of a flattened tensor.
    Dense = 0,
    /// Every output channel sees one plane: its own in a depthwise convolution, the only one in the convolution of a
    /// single-channel picture.
    Planar = 1,
    /// A depthwise convolution without padding whose weights are all one: the sums of an average pool.
    Pool = 2,
    /// A dense 3x3 convolution of stride 1 whose weights are stored as [`crate::winograd`] needs them: 2.25 times fewer
    /// products for 3.6 times the weights.
    Winograd = 3,
}

/// Most elements of a tensor, of a layer's weights and of its padded input.
pub const MAX_ELEMENTS: u64 = 1 << 26;

/// Most bytes of an arena: several of the largest tensors, and still less than a 32-bit machine counts.
pub const MAX_ARENA: u64 = 1 << 28;

/// Most kernel rows of a dense layer: its row ring is an array of so many rows.
pub const MAX_DENSE_ROWS: usize = 7;

/// Columns of a dense layer's kernel at most: the products of a pair of channels with so many are summed exactly in packed form.
pub const MAX_DENSE_COLUMNS: usize = 128;

/// Most input channels of a Winograd layer: four times any sum of products stays within 32 bits.
pub const MAX_WINOGRAD_CHANNELS: u16 = 1024;

/// Columns of the input of a Winograd layer: a strip is filled four at a time, and a row of padding fits the sums' place.
pub const WINOGRAD_WIDTHS: core::ops::RangeInclusive<u16> = 4..=512;

/// Tiles that a Winograd layer multiplies at a time.
pub const WINOGRAD_TILES: usize = 4;

/// Output channels that it multiplies at a time.
pub const WINOGRAD_OUTPUTS: usize = 2;

/// Pixels that a pointwise layer widens at a time.
pub const POINTWISE_PIXELS: usize = 16;

/// The shape of a layer's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Dense or planar.
    pub kind: Kind,
    /// Kernel rows and columns.
    pub kernel: [u8; 2],
    /// Step of the kernel, the same for rows and columns.
    pub stride: u8,
    /// Padding above, left, below, right.
    pub pad: [u8; 4],
    /// The input tensor.
    pub input: Shape,
    /// The output tensor.
    pub output: Shape,
}

impl Geometry {
    /// Whether the numbers fit together: the output's sides are what kernel, stride and padding give, no side is zero, and
    /// the channels suit the kind.
    pub fn is_consistent(&self) -> bool {
        let [kh, kw] = self.kernel;
        let channels_fit = match self.kind {
            Kind::Dense => usize::from(kh) <= MAX_DENSE_ROWS && usize::from(kw) <= MAX_DENSE_COLUMNS,
            Kind::Planar => [1, self.output.channels].contains(&self.input.channels),
            Kind::Pool => self.input.channels == self.output.channels && self.pad == [0; 4],
            Kind::Winograd => self.is_winograd_shape(),
        };
        let [top, left, bottom, right] = self.pad;
        channels_fit
            && self.is_within_limits()
            && !self.input.is_empty()
            && !self.output.is_empty()
            && steps(self.input.height, top, bottom, kh, self.stride) == Some(self.output.height)
            && steps(self.input.width, left, right, kw, self.stride) == Some(self.output.width)
    }

    fn is_winograd_shape(&self) -> bool {
        self.kernel == [3, 3]
            && self.stride == 1
            && self.input.channels <= MAX_WINOGRAD_CHANNELS
            && WINOGRAD_WIDTHS.contains(&self.input.width)
    }

    /// Whether a dense layer is faster as a Winograd layer: enough channels on both sides to pay for the transforms, and
    /// enough pixels to fill the tiles.
    pub fn suits_winograd(&self) -> bool {
        self.kind == Kind::Dense
            && self.is_winograd_shape()
            && self.input.channels >= 8
            && self.output.channels >= 8
            && self.output.plane_len() >= 16
    }

    /// Rows and columns of a Winograd layer's tiles; the last ones may reach past the output.
    pub fn tiles(&self) -> [usize; 2] {
        [self.output.height, self.output.width].map(|side| usize::from(side).div_ceil(TILE))
    }

    /// Columns of the strip of input under a row of tiles.
    pub fn strip_columns(&self) -> usize {
        self.tiles()[1] * TILE + 2
    }

    /// Words of scratch of a Winograd layer: the strip, four rows to a word; the transformed input of some tiles, a pair of
    /// channels to a word; the sums of their products.
    pub fn winograd_words(&self) -> [usize; 3] {
        let strip = self.pairs() * 2 * self.strip_columns();
        [strip, self.pairs() * PRODUCTS * WINOGRAD_TILES, PRODUCTS * WINOGRAD_TILES * WINOGRAD_OUTPUTS]
    }

    /// Whether every size below stays under [`MAX_ELEMENTS`], so that none of them overflows on a 32-bit machine.
    fn is_within_limits(&self) -> bool {
        let area = |shape: Shape| u64::from(shape.height) * u64::from(shape.width) * u64::from(shape.channels);
        let padding = self.pad.iter().map(|&p| u64::from(p)).sum::<u64>() + 4;
        let sides = u64::from(self.input.height) + padding + u64::from(self.kernel[0]);
        let width = (u64::from(self.input.width) + padding).max(POINTWISE_PIXELS as u64);
        let row = width * (u64::from(self.input.channels) + 4);
        let window = u64::from(self.kernel[0]) * u64::from(self.kernel[1]);
        let weights = (u64::from(self.output.channels) + 4) * window * (u64::from(self.input.channels) + 4);
        [area(self.input), area(self.output), sides * row, weights].iter().all(|&n| n <= MAX_ELEMENTS)
    }

    /// Multiplications by a weight in one inference.
    pub fn macs(&self) -> u64 {
        let inputs = match self.kind {
            Kind::Dense | Kind::Winograd => u64::from(self.input.channels),
            Kind::Planar | Kind::Pool => 1,
        };
        self.output.len() as u64 * u64::from(self.kernel[0]) * u64::from(self.kernel[1]) * inputs
    }

    /// Rows of the padded input.
    pub fn padded_height(&self) -> usize {
        usize::from(self.input.height) + usize::from(self.pad[0]) + usize::from(self.pad[2])
    }

    /// Columns of the padded input.
    pub fn padded_width(&self) -> usize {
        usize::from(self.input.width) + usize::from(self.pad[1]) + usize::from(self.pad[3])
    }

    /// Whether this is a dense layer that sees one pixel at a time: rows mean nothing to it, so it takes the whole plane as
    /// one row, [`POINTWISE_PIXELS`] at a time.
    pub fn is_pointwise(&self) -> bool {
        self.kind == Kind::Dense && self.kernel == [1, 1] && self.stride == 1 && self.pad == [0; 4]
    }

    /// Pairs of input channels of a dense layer as stored: whole groups of four channels, the missing ones with weights of
    /// zero.
    pub fn pairs(&self) -> usize {
        usize::from(self.input.channels).next_multiple_of(4) / 2
    }

    /// Columns of one widened row: those of a padded row, or of one step of a pointwise layer.
    pub fn pitch(&self) -> usize {
        match self.is_pointwise() {
            true if self.input.plane_len() == 1 => 1,
            true => POINTWISE_PIXELS,
            // Where it costs little, a pitch that a kernel knows.
            false => match (self.kind, self.padded_width()) {
                (Kind::Dense, 9..=16) => 16,
                (Kind::Dense, 25..=32) => 32,
                (_, width) => width.next_multiple_of(2),
            },
        }
    }

    /// 16-bit elements of one widened row: of every pair of channels in a dense layer, of one plane in a planar one.
    pub fn row_len(&self) -> usize {
        match self.kind {
            Kind::Dense => self.pairs() * self.pitch() * 2,
            Kind::Planar => self.pitch(),
            Kind::Pool | Kind::Winograd => 0,
        }
    }

    /// Rows held widened at a time: the kernel's for a dense layer, all of one plane for a planar one.
    pub fn rows_held(&self) -> usize {
        match self.kind {
            Kind::Dense => usize::from(self.kernel[0]),
            Kind::Planar => self.padded_height(),
            Kind::Pool | Kind::Winograd => 0,
        }
    }

    /// Bytes of scratch that the layer needs beside its input and output, a multiple of four.
    pub fn scratch_len(&self) -> usize {
        if self.kind == Kind::Winograd {
            return self.winograd_words().iter().sum::<usize>() * 4;
        }
        (self.row_len() * self.rows_held() * 2).next_multiple_of(4)
    }

    /// Whether the output may lie over the input, their starts or their ends together: each plane is read before its own
    /// output is written, or, of a pointwise layer, each pixel (see [`crate::bundle::Entry::order`]).
    pub fn runs_in_place(&self) -> bool {
        match self.kind {
            Kind::Dense => self.is_pointwise(),
            Kind::Winograd => false,
            Kind::Planar => true,
            Kind::Pool => self.output.plane_len() == 1,
        }
    }

    /// Output channels as stored: dense layers store whole groups of four channels, the missing ones with weights of zero.
    pub fn stored_channels(&self) -> usize {
        match self.kind {
            Kind::Dense | Kind::Winograd => usize::from(self.output.channels).next_multiple_of(4),
            Kind::Planar | Kind::Pool => usize::from(self.output.channels),
        }
    }

    /// Stored weights of one stored output channel.
    pub fn weights_per_channel(&self) -> usize {
        let window = usize::from(self.kernel[0]) * usize::from(self.kernel[1]);
        match self.kind {
            Kind::Dense => window * self.pairs() * 2,
            Kind::Planar => window,
            Kind::Pool => 0,
            Kind::Winograd => PRODUCTS * self.pairs() * 2,
        }
    }

    /// Bytes of the stored weights, a multiple of four.
    pub fn weights_len(&self) -> usize {
        let size = if self.kind == Kind::Winograd { 2 } else { 1 };
        (self.stored_channels() * self.weights_per_channel() * size).next_multiple_of(4)
    }
}

/// Positions of a kernel of `kernel` along `side` with padding, or none where it does not fit.
pub fn steps(side: u16, before: u8, after: u8, kernel: u8, stride: u8) -> Option<u16> {
    let padded = u32::from(side) + u32::from(before) + u32::from(after);
    let room = padded.checked_sub(u32::from(kernel))?;
    if kernel == 0 {
        return None;
    }
    u16::try_from(room.checked_div(u32::from(stride))? + 1).ok()
}
