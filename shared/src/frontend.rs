//! Raw sample -> input tensor: integer arithmetic only, so that host and board feed their networks the same bytes.

use thiserror::Error;

/// The largest side of a raw image, in pixels; keeps every sum of the resampling within 64 bits.
pub const MAX_SIDE: u16 = 8192;

/// A raw sample, as it comes from a file, a sensor or the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw<'a> {
    /// A picture.
    Image(Image<'a>),
}

/// A picture of 8-bit samples: rows from the top, pixels from the left, channels interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Samples a pixel: 1 for grey, 3 for RGB.
    pub channels: u8,
    /// `height * width * channels` bytes.
    pub pixels: &'a [u8],
}

/// Why a raw sample cannot become an input tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrontendError {
    /// A side is zero or longer than [`MAX_SIDE`].
    #[error("the picture is {width}x{height} pixels; sides from 1 to {MAX_SIDE} are accepted")]
    Size {
        /// Columns of the picture.
        width: u16,
        /// Rows of the picture.
        height: u16,
    },
    /// The picture's channels are not the model's.
    #[error("the picture has {got} channels, the model takes {expected}")]
    Channels {
        /// Channels of the picture.
        got: u8,
        /// Channels of the model's input.
        expected: u8,
    },
    /// The bytes are not as many as the picture's shape says.
    #[error("the picture's shape asks for {expected} bytes, but {got} came")]
    Length {
        /// Bytes that came.
        got: usize,
        /// Bytes that the shape asks for.
        expected: usize,
    },
    /// The output buffer is not as long as the input tensor.
    #[error("the input tensor has {expected} bytes, the buffer {got}")]
    Tensor {
        /// Bytes of the buffer.
        got: usize,
        /// Bytes of the tensor.
        expected: usize,
    },
}

/// The picture front end: letterbox into the net's input by area averaging, optionally inverted and stretched.
///
/// A tensor byte `t` stands for the real number `t / 255` (scale 1/255, zero point 0), so the border of the letterbox and
/// the convolutions' padding are both the real number 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// Columns of the input tensor.
    pub width: u16,
    /// Rows of the input tensor.
    pub height: u16,
    /// Channels of the input tensor, 1 or 3.
    pub channels: u8,
    /// Dark on light becomes light on dark: `t = 255 - t`, before the border is laid.
    pub invert: bool,
    /// The darkest value of the picture becomes 0 and the lightest 255 (a flat picture becomes 0), before the border is laid.
    pub stretch: bool,
}

impl Pixels {
    /// Bytes of the input tensor.
    pub fn tensor_len(&self) -> usize {
        usize::from(self.width) * usize::from(self.height) * usize::from(self.channels)
    }

    /// Writes the input tensor of `raw` to `tensor`, CHW: one plane a channel.
    ///
    /// The picture keeps its proportions: it is scaled to `cw x ch`, the largest size that fits, and centred. Output column
    /// `i` averages the source interval `[i * w / cw, (i + 1) * w / cw)`, rows alike, each source pixel weighted by the area
    /// that the interval covers; the quotient is rounded half up. All of it is exact integer arithmetic.
    pub fn run(&self, raw: Raw<'_>, tensor: &mut [u8]) -> Result<(), FrontendError> {
        let Raw::Image(image) = raw;
        self.check(&image, tensor.len())?;
        let (w, h) = (u32::from(image.width), u32::from(image.height));
        let (tw, th) = (u32::from(self.width), u32::from(self.height));
        // cw / w = ch / h = min(tw / w, th / h); the shorter side is rounded and never vanishes.
        let (cw, ch) = if u64::from(tw) * u64::from(h) <= u64::from(th) * u64::from(w) {
            (tw, scaled(h, tw, w).clamp(1, th))
        } else {
            (scaled(w, th, h).clamp(1, tw), th)
        };
        let (left, top) = ((tw - cw) / 2, (th - ch) / 2);
        let channels = usize::from(self.channels);
        tensor.fill(0);
        let (mut low, mut high) = (u8::MAX, u8::MIN);
        let plane = tw as usize * th as usize;
        for c in 0..channels {
            for y in 0..ch {
                let at = c * plane + ((top + y) * tw + left) as usize;
                for (x, out) in (0..cw).zip(tensor.iter_mut().skip(at)) {
                    *out = area_average(&image, c, (x, cw), (y, ch));
                    low = low.min(*out);
                    high = high.max(*out);
                }
            }
        }
        for c in 0..channels {
            for y in 0..ch {
                let at = c * plane + ((top + y) * tw + left) as usize;
                for out in tensor.iter_mut().skip(at).take(cw as usize) {
                    *out = self.tone(*out, low, high);
                }
            }
        }
        Ok(())
    }

    fn check(&self, image: &Image<'_>, tensor_len: usize) -> Result<(), FrontendError> {
        let (width, height) = (image.width, image.height);
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(FrontendError::Size { width, height });
        }
        if image.channels != self.channels {
            return Err(FrontendError::Channels { got: image.channels, expected: self.channels });
        }
        let expected = usize::from(width) * usize::from(height) * usize::from(image.channels);
        if image.pixels.len() != expected {
            return Err(FrontendError::Length { got: image.pixels.len(), expected });
        }
        if tensor_len != self.tensor_len() {
            return Err(FrontendError::Tensor { got: tensor_len, expected: self.tensor_len() });
        }
        Ok(())
    }

    fn tone(&self, value: u8, low: u8, high: u8) -> u8 {
        let stretched = match (self.stretch, high - low) {
            (false, _) => value,
            (true, 0) => return 0,
            (true, range) => ((u32::from(value - low) * 255 + u32::from(range) / 2) / u32::from(range)) as u8,
        };
        if self.invert { 255 - stretched } else { stretched }
    }
}

/// `round(side * numerator / denominator)`, halves up.
fn scaled(side: u32, numerator: u32, denominator: u32) -> u32 {
    let product = u64::from(side) * u64::from(numerator);
    ((product + u64::from(denominator) / 2) / u64::from(denominator)) as u32
}

/// The mean of channel `c` over output cell `x` of `cw` columns and `y` of `ch` rows.
///
/// In units of `1 / cw` of a source pixel the cell covers `[x * w, (x + 1) * w)` and source column `s` covers
/// `[s * cw, (s + 1) * cw)`: the overlaps are whole numbers and add up to `w`.
fn area_average(image: &Image<'_>, c: usize, (x, cw): (u32, u32), (y, ch): (u32, u32)) -> u8 {
    let (w, h) = (u32::from(image.width), u32::from(image.height));
    let channels = usize::from(image.channels);
    let (x0, x1, y0, y1) = (x * w, (x + 1) * w, y * h, (y + 1) * h);
    let mut sum = 0u64;
    for sy in y0 / ch..y1.div_ceil(ch) {
        let row = sy as usize * w as usize * channels;
        let mut line = 0u32;
        for sx in x0 / cw..x1.div_ceil(cw) {
            let weight = (x1.min((sx + 1) * cw)) - x0.max(sx * cw);
            let pixel = image.pixels.get(row + sx as usize * channels + c).copied().unwrap_or(0);
            line += weight * u32::from(pixel);
        }
        let weight = (y1.min((sy + 1) * ch)) - y0.max(sy * ch);
        sum += u64::from(weight) * u64::from(line);
    }
    let area = u64::from(w) * u64::from(h);
    ((sum + area / 2) / area) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(width: u16, height: u16) -> Pixels {
        Pixels { width, height, channels: 1, invert: false, stretch: false }
    }

    fn run<const N: usize>(front: Pixels, width: u16, height: u16, raw: &[u8]) -> Result<[u8; N], FrontendError> {
        let mut tensor = [0xaa; N];
        front.run(Raw::Image(Image { width, height, channels: front.channels, pixels: raw }), &mut tensor)?;
        Ok(tensor)
    }

    #[test]
    fn same_size_is_a_copy() {
        assert_eq!(run(pixels(3, 2), 3, 2, &[1, 2, 3, 4, 5, 255]), Ok([1, 2, 3, 4, 5, 255]));
    }

    #[test]
    fn halving_averages_and_rounds_half_up() {
        assert_eq!(run(pixels(1, 1), 2, 2, &[0, 1, 0, 1]), Ok([1]));
        assert_eq!(run(pixels(2, 1), 4, 2, &[10, 20, 0, 0, 30, 40, 0, 255]), Ok([25, 64]));
    }

    #[test]
    fn a_narrow_picture_is_centred_on_zero() {
        assert_eq!(run(pixels(3, 3), 1, 3, &[7, 8, 9]), Ok([0, 7, 0, 0, 8, 0, 0, 9, 0]));
    }

    #[test]
    fn fractional_overlap_weights_by_area() {
        // Three columns into two: each cell covers one whole column and half of the middle one.
        assert_eq!(run(pixels(2, 1), 3, 1, &[0, 90, 90]), Ok([30, 90]));
    }

    #[test]
    fn colours_become_planes() {
        let front = Pixels { channels: 3, ..pixels(2, 1) };
        assert_eq!(run(front, 2, 1, &[1, 2, 3, 4, 5, 6]), Ok([1, 4, 2, 5, 3, 6]));
    }

    #[test]
    fn inversion_leaves_the_border_dark() {
        let front = Pixels { invert: true, ..pixels(3, 1) };
        assert_eq!(run(front, 1, 1, &[255]), Ok([0, 0, 0]));
        assert_eq!(run(front, 1, 1, &[0]), Ok([0, 255, 0]));
    }

    #[test]
    fn stretch_spans_the_range_and_blanks_a_flat_picture() {
        let front = Pixels { stretch: true, ..pixels(3, 1) };
        assert_eq!(run(front, 3, 1, &[10, 15, 20]), Ok([0, 128, 255]));
        assert_eq!(run(front, 3, 1, &[9, 9, 9]), Ok([0, 0, 0]));
    }

    #[test]
    fn refuses_what_it_cannot_take() {
        assert_eq!(run::<1>(pixels(1, 1), 0, 1, &[]), Err(FrontendError::Size { width: 0, height: 1 }));
        assert_eq!(run::<1>(pixels(1, 1), 2, 1, &[1]), Err(FrontendError::Length { got: 1, expected: 2 }));
        assert_eq!(run::<2>(pixels(1, 1), 1, 1, &[1]), Err(FrontendError::Tensor { got: 2, expected: 1 }));
    }
}
