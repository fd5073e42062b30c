//! Where a convolution reads and writes, worked out once a batch: the kernels only follow these lists.

/// A convolution over images laid out `[row][column][channel]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Input channels, rows, columns.
    pub(super) input: [usize; 3],
    /// Output channels.
    pub(super) out: usize,
    /// Rows and columns of the kernel.
    pub(super) kernel: [usize; 2],
    pub(super) stride: usize,
    pub(super) pad: usize,
    pub(super) depthwise: bool,
}

impl Geometry {
    /// Output rows and columns; the input is at least as large as the kernel without the padding's two sides.
    pub(super) fn output(&self) -> [usize; 2] {
        let [_, height, width] = self.input;
        [(height, self.kernel[0]), (width, self.kernel[1])]
            .map(|(side, kernel)| (side + 2 * self.pad - kernel) / self.stride + 1)
    }

    /// Values of one input image.
    pub(super) fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    /// Positions of one output image.
    pub(super) fn positions(&self) -> usize {
        self.output().iter().product()
    }

    /// Values of one output image.
    pub(super) fn output_len(&self) -> usize {
        self.positions() * self.out
    }

    /// Input channels that one output channel sees.
    pub(super) fn depth(&self) -> usize {
        if self.depthwise { 1 } else { self.input[0] }
    }
}

/// An image with a border of zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Padded {
    pub(super) channels: usize,
    /// Rows and columns of the image.
    inner: [usize; 2],
    /// Rows above and columns to the left.
    before: [usize; 2],
    /// Rows and columns with the border.
    outer: [usize; 2],
}

impl Padded {
    /// Values of one image with its border.
    pub(super) fn len(&self) -> usize {
        self.outer[0] * self.outer[1] * self.channels
    }

    /// Whether there is no border, so that the image is used as it is.
    pub(super) fn is_plain(&self) -> bool {
        self.inner == self.outer
    }

    /// Copies `image` into `to`, borders included.
    pub(super) fn fill(&self, image: &[f32], to: &mut [f32]) {
        let row = self.outer[1] * self.channels;
        let inner = self.inner[1] * self.channels;
        let left = self.before[1] * self.channels;
        let (above, rest) = to.split_at_mut(self.before[0] * row);
        let (rows, below) = rest.split_at_mut(self.inner[0] * row);
        above.fill(0.0);
        below.fill(0.0);
        for (from, to) in image.chunks_exact(inner).zip(rows.chunks_exact_mut(row)) {
            to[..left].fill(0.0);
            to[left..left + inner].copy_from_slice(from);
            to[left + inner..].fill(0.0);
        }
    }

    /// Offset of each position of the image, `images` images one after the other.
    pub(super) fn positions(&self, images: usize) -> Vec<usize> {
        let [rows, columns] = self.inner;
        let mut list = Vec::with_capacity(images * rows * columns);
        for image in 0..images {
            for y in 0..rows {
                let row = (y + self.before[0]) * self.outer[1] + self.before[1];
                list.extend((0..columns).map(|x| image * self.len() + (row + x) * self.channels));
            }
        }
        list
    }
}

/// The outputs of a pass that read the same kernel positions.
#[derive(Clone, Debug)]
pub(super) struct Class {
    /// Where each output starts to read.
    pub(super) base: Vec<usize>,
    /// Where each output is written.
    pub(super) dest: Vec<usize>,
    /// What each kernel position adds to `base`.
    pub(super) taps: Vec<usize>,
    /// The kernel positions, row and column.
    pub(super) kernel: Vec<[usize; 2]>,
    /// Outputs of one image; the lists hold them image after image.
    pub(super) per_image: usize,
}

/// One pass over a padded source.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) source: Padded,
    pub(super) classes: Vec<Class>,
}

/// The forward pass of `images` images: one class, each output reads the whole kernel.
pub(super) fn forward(geometry: &Geometry, images: usize) -> Plan {
    let [channels, height, width] = geometry.input;
    let [out_height, out_width] = geometry.output();
    let (stride, pad) = (geometry.stride, geometry.pad);
    let [kernel_rows, kernel_columns] = geometry.kernel;
    let source =
        Padded { channels, inner: [height, width], before: [pad; 2], outer: [height + 2 * pad, width + 2 * pad] };
    let kernel: Vec<[usize; 2]> = (0..kernel_rows).flat_map(|ky| (0..kernel_columns).map(move |kx| [ky, kx])).collect();
    let at = |y: usize, x: usize| (y * source.outer[1] + x) * channels;
    let mut class = Class {
        base: Vec::new(),
        dest: Vec::new(),
        taps: kernel.iter().map(|&[ky, kx]| at(ky, kx)).collect(),
        kernel,
        per_image: geometry.positions(),
    };
    for image in 0..images {
        for y in 0..out_height {
            for x in 0..out_width {
                class.base.push(image * source.len() + at(y * stride, x * stride));
                class.dest.push(image * geometry.output_len() + (y * out_width + x) * geometry.out);
            }
        }
    }
    Plan { source, classes: vec![class] }
}

/// The pass that brings the gradient of the output back to the input, for `images` images.
///
/// Input position `i` (of rows, columns alike) was read through kernel position `k` by output `(i + pad - k) / stride`, where that
/// is whole. So the inputs whose `(i + pad) % stride` are equal share kernel positions: one class for each remainder, down and
/// across.
pub(super) fn backward(geometry: &Geometry, images: usize) -> Plan {
    let [channels, height, width] = geometry.input;
    let (stride, pad) = (geometry.stride, geometry.pad);
    let inner = geometry.output();
    let sides = [height, width];
    // Kernel position `remainder + t * stride` reads output `(i + pad) / stride - t`: from `-before` to `inner - 1 + after`.
    let before = geometry.kernel.map(|kernel| (kernel - 1) / stride);
    let after = [0, 1].map(|axis| ((sides[axis] - 1 + pad) / stride + 1).saturating_sub(inner[axis]));
    let source = Padded {
        channels: geometry.out,
        inner,
        before,
        outer: [0, 1].map(|axis| before[axis] + inner[axis] + after[axis]),
    };
    let at = |y: usize, x: usize| (y * source.outer[1] + x) * source.channels;
    // Kernel positions of a remainder, and what they add to an offset that starts `before` outputs back.
    let along = |axis: usize, remainder: usize| -> Vec<(usize, usize)> {
        (remainder..geometry.kernel[axis]).step_by(stride).enumerate().map(|(t, k)| (k, before[axis] - t)).collect()
    };
    let inputs = |axis: usize, remainder: usize| (0..sides[axis]).filter(move |i| (i + pad) % stride == remainder);
    let mut classes = Vec::new();
    for ry in 0..stride {
        for rx in 0..stride {
            let mut class = Class {
                base: Vec::new(),
                dest: Vec::new(),
                taps: Vec::new(),
                kernel: Vec::new(),
                per_image: inputs(0, ry).count() * inputs(1, rx).count(),
            };
            for (ky, dy) in along(0, ry) {
                for (kx, dx) in along(1, rx) {
                    class.kernel.push([ky, kx]);
                    class.taps.push(at(dy, dx));
                }
            }
            for image in 0..images {
                for y in inputs(0, ry) {
                    for x in inputs(1, rx) {
                        let from = at((y + pad) / stride, (x + pad) / stride);
                        class.base.push(image * source.len() + from);
                        let to = (y * width + x) * channels;
                        class.dest.push(image * geometry.input_len() + to);
                    }
                }
            }
            classes.push(class);
        }
    }
    Plan { source, classes }
}
