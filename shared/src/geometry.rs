//! Shapes: what a layer computes, and the sizes that follow from it for host and board alike.
//!
//! Every tensor lies as planes: `[channel][row][column]`, one byte each.

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
}

/// Most elements of a tensor, of a layer's weights and of its padded input.
pub const MAX_ELEMENTS: u64 = 1 << 26;

/// Most kernel rows of a dense layer: its row ring is an array of so many rows.
pub const MAX_DENSE_ROWS: usize = 7;

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
            Kind::Dense => usize::from(kh) <= MAX_DENSE_ROWS,
            Kind::Planar => [1, self.output.channels].contains(&self.input.channels),
            Kind::Pool => self.input.channels == self.output.channels && self.pad == [0; 4],
        };
        let [top, left, bottom, right] = self.pad;
        channels_fit
            && self.is_within_limits()
            && !self.input.is_empty()
            && !self.output.is_empty()
            && steps(self.input.height, top, bottom, kh, self.stride) == Some(self.output.height)
            && steps(self.input.width, left, right, kw, self.stride) == Some(self.output.width)
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
            Kind::Dense => u64::from(self.input.channels),
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
            Kind::Pool => 0,
        }
    }

    /// Rows held widened at a time: the kernel's for a dense layer, all of one plane for a planar one.
    pub fn rows_held(&self) -> usize {
        match self.kind {
            Kind::Dense => usize::from(self.kernel[0]),
            Kind::Planar => self.padded_height(),
            Kind::Pool => 0,
        }
    }

    /// Bytes of scratch that the layer needs beside its input and output, a multiple of four.
    pub fn scratch_len(&self) -> usize {
        (self.row_len() * self.rows_held() * 2).next_multiple_of(4)
    }

    /// Whether the output may lie over the input, their starts or their ends together: each plane is read before its own
    /// output is written (see [`crate::bundle::Entry::order`]).
    pub fn runs_in_place(&self) -> bool {
        match self.kind {
            Kind::Dense => false,
            Kind::Planar => true,
            Kind::Pool => self.output.plane_len() == 1,
        }
    }

    /// Output channels as stored: dense layers store whole groups of four, the missing ones with weights of zero.
    pub fn stored_channels(&self) -> usize {
        match self.kind {
            Kind::Dense => usize::from(self.output.channels).next_multiple_of(4),
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
        }
    }

    /// Bytes of the stored weights, a multiple of four.
    pub fn weights_len(&self) -> usize {
        (self.stored_channels() * self.weights_per_channel()).next_multiple_of(4)
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
