//! Shapes: what a layer computes, and the sizes that follow from it for host and board alike.

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

    /// The same bytes as one pixel with all elements as channels, as a fully connected layer takes an HWC tensor.
    pub fn flattened(&self) -> Option<Shape> {
        Some(Shape {
            height: 1,
            width: 1,
            channels: u16::try_from(self.len()).ok()?,
        })
    }
}

/// How a tensor lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Layout {
    /// Rows of pixels, the channels of a pixel side by side.
    Hwc = 0,
    /// One plane a channel, each with rows of single bytes.
    Chw = 1,
}

/// Where element (row, column, channel) of a tensor lies: `row * rows + column * pixels + channel * planes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strides {
    /// Distance of one row to the next.
    pub row: usize,
    /// Distance of one pixel to the next in its row.
    pub pixel: usize,
    /// Distance of one channel to the next in its pixel.
    pub channel: usize,
}

impl Strides {
    /// The strides of a tensor of `shape` in `layout`.
    pub fn of(shape: Shape, layout: Layout) -> Self {
        let (h, w, c) = (
            usize::from(shape.height),
            usize::from(shape.width),
            usize::from(shape.channels),
        );
        match layout {
            Layout::Hwc => Strides {
                row: w * c,
                pixel: c,
                channel: 1,
            },
            Layout::Chw => Strides {
                row: w,
                pixel: 1,
                channel: h * w,
            },
        }
    }
}

/// The two families of layers that every network here is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Every output channel sees every input channel: convolution, 1x1 convolution, and fully connected as a 1x1 convolution
    /// of a flattened tensor. Reads HWC.
    Dense = 0,
    /// Every output channel sees one plane: depthwise convolution, average pool (weights of one), and the convolution of a
    /// single-channel picture. Reads CHW.
    Planar = 1,
}

/// Most elements of a tensor, of a layer's weights and of its padded input.
pub const MAX_ELEMENTS: u64 = 1 << 26;

/// Most kernel rows of a dense layer: its row ring is an array of so many rows.
pub const MAX_DENSE_ROWS: usize = 7;

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
        let area = |shape: Shape| {
            u64::from(shape.height) * u64::from(shape.width) * u64::from(shape.channels)
        };
        let padding = self.pad.iter().map(|&p| u64::from(p)).sum::<u64>() + 4;
        let sides = u64::from(self.input.height) + padding + u64::from(self.kernel[0]);
        let row = (u64::from(self.input.width) + padding) * (u64::from(self.input.channels) + 4);
        let window = u64::from(self.kernel[0]) * u64::from(self.kernel[1]);
        let weights =
            (u64::from(self.output.channels) + 4) * window * (u64::from(self.input.channels) + 4);
        [area(self.input), area(self.output), sides * row, weights]
            .iter()
            .all(|&n| n <= MAX_ELEMENTS)
    }

    /// Multiplications by a weight in one inference.
    pub fn macs(&self) -> u64 {
        let inputs = match self.kind {
            Kind::Dense => u64::from(self.input.channels),
            Kind::Planar => 1,
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

    /// 16-bit elements of one pixel in the row ring of a dense layer: its channels rounded up to four.
    pub fn ring_pixel(&self) -> usize {
        usize::from(self.input.channels).next_multiple_of(4)
    }

    /// 16-bit elements of one widened, padded input row: of a ring row of a dense layer, of a plane row of a planar one.
    pub fn row_len(&self) -> usize {
        match self.kind {
            Kind::Dense => self.padded_width() * self.ring_pixel(),
            Kind::Planar => self.padded_width().next_multiple_of(2),
        }
    }

    /// Rows held widened at a time: the kernel's for a dense layer, all of one plane for a planar one.
    pub fn rows_held(&self) -> usize {
        match self.kind {
            Kind::Dense => usize::from(self.kernel[0]),
            Kind::Planar => self.padded_height(),
        }
    }

    /// Bytes of scratch that the layer needs beside its input and output, a multiple of four.
    pub fn scratch_len(&self) -> usize {
        (self.row_len() * self.rows_held() * 2).next_multiple_of(4)
    }

    /// Output channels as stored: dense layers store whole groups of four, the missing ones with weights of zero.
    pub fn stored_channels(&self) -> usize {
        match self.kind {
            Kind::Dense => usize::from(self.output.channels).next_multiple_of(4),
            Kind::Planar => usize::from(self.output.channels),
        }
    }

    /// Weights of one stored output channel.
    pub fn weights_per_channel(&self) -> usize {
        let window = usize::from(self.kernel[0]) * usize::from(self.kernel[1]);
        match self.kind {
            Kind::Dense => window * self.ring_pixel(),
            Kind::Planar => window,
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
