//! The picture front end: letterbox into the net's input by area averaging, optionally inverted and stretched.
//!
//! The picture keeps its proportions: it is scaled to `cw x ch`, the largest size that fits, and centred. Output column `i` averages
//! the source interval `[i * w / cw, (i + 1) * w / cw)`, rows alike, each source pixel weighted by the area that the interval
//! covers; the quotient is rounded half up. All of it is exact integer arithmetic.

use super::{FrontendError, Quality};

/// The largest side of a raw image, in pixels; keeps every sum of the resampling within 64 bits.
pub const MAX_SIDE: u16 = 8192;

/// Settings of the picture front end.
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
    /// Words that a stream works in: a sum of 32 and one of 64 bits for every column and channel.
    pub(super) fn work_words(&self) -> usize {
        3 * usize::from(self.width) * usize::from(self.channels)
    }

    fn tone(&self, value: u8, low: u8, high: u8) -> u8 {
        // Values are between both, unless the tensor was changed from outside.
        let stretched = match (self.stretch, high.saturating_sub(low)) {
            (false, _) => value,
            (true, 0) => return 0,
            (true, range) => {
                let above = u32::from(value.saturating_sub(low).min(range));
                ((above * 255 + u32::from(range) / 2) / u32::from(range)) as u8
            }
        };
        if self.invert { 255 - stretched } else { stretched }
    }
}

/// `round(side * numerator / denominator)`, halves up.
fn scaled(side: u32, numerator: u32, denominator: u32) -> u32 {
    let product = u64::from(side) * u64::from(numerator);
    ((product + u64::from(denominator) / 2) / u64::from(denominator)) as u32
}

/// Where a picture stands.
///
/// In units of `1 / cw` of a source pixel an output column covers `w` units and a source column `cw`: the overlaps are whole numbers
/// and add up to `w`. Rows alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PixelStream {
    /// Columns and rows of the picture.
    size: (u32, u32),
    /// Columns and rows of its part of the tensor, and of the border left of and above it.
    scaled: (u32, u32),
    border: (u32, u32),
    /// The next byte's source column and channel.
    column: u32,
    channel: usize,
    /// The output column that the next pixel falls into, and how many units of it are still free; rows alike.
    x: (u32, u32),
    y: (u32, u32),
    /// The extreme values of the scaled picture.
    low: u8,
    high: u8,
}

impl PixelStream {
    pub(super) fn new(settings: &Pixels, (width, height): (u16, u16), channels: u8) -> Result<Self, FrontendError> {
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(FrontendError::Size { width: width.into(), height: height.into() });
        }
        if channels != settings.channels {
            return Err(FrontendError::Channels { got: channels.into(), expected: settings.channels.into() });
        }
        let (w, h) = (u32::from(width), u32::from(height));
        let (tw, th) = (u32::from(settings.width), u32::from(settings.height));
        // cw / w = ch / h = min(tw / w, th / h); the shorter side is rounded and never vanishes.
        let (cw, ch) = if u64::from(tw) * u64::from(h) <= u64::from(th) * u64::from(w) {
            (tw, scaled(h, tw, w).max(1).min(th))
        } else {
            (scaled(w, th, h).max(1).min(tw), th)
        };
        Ok(PixelStream {
            size: (w, h),
            scaled: (cw, ch),
            border: ((tw - cw) / 2, (th - ch) / 2),
            column: 0,
            channel: 0,
            x: (0, w),
            y: (0, h),
            low: u8::MAX,
            high: u8::MIN,
        })
    }

    pub(super) fn push(&mut self, settings: &Pixels, bytes: &[u8], tensor: &mut [u8], work: &mut [u32]) {
        let channels = usize::from(settings.channels);
        let cells = self.scaled.0 as usize * channels;
        let Some((line, sums)) = work.split_at_mut_checked(cells) else { return };
        for &byte in bytes {
            let after = self.pixel(byte, channels, line);
            self.channel += 1;
            if self.channel < channels {
                continue;
            }
            self.channel = 0;
            self.x = after;
            self.column += 1;
            if self.column == self.size.0 {
                self.column = 0;
                self.x = (0, self.size.0);
                self.row(settings, tensor, line, sums);
                line.fill(0);
            }
        }
    }

    /// Adds one value to the cells of its row that its pixel overlaps, and returns where the next pixel falls.
    fn pixel(&self, value: u8, channels: usize, line: &mut [u32]) -> (u32, u32) {
        let ((mut cell, mut free), mut units) = (self.x, self.scaled.0);
        while units > 0 && free > 0 {
            let overlap = units.min(free);
            if let Some(sum) = line.get_mut(cell as usize * channels + self.channel) {
                *sum += overlap * u32::from(value);
            }
            (units, free) = (units - overlap, free - overlap);
            if free == 0 {
                (cell, free) = (cell + 1, self.size.0);
            }
        }
        (cell, free)
    }

    /// Adds a whole row to the output rows that it overlaps, and writes those that it completes.
    fn row(&mut self, settings: &Pixels, tensor: &mut [u8], line: &[u32], sums: &mut [u32]) {
        let mut units = self.scaled.1;
        while units > 0 && self.y.1 > 0 {
            let overlap = units.min(self.y.1);
            for (sum, &cells) in sums.as_chunks_mut::<2>().0.iter_mut().zip(line) {
                let total = join(*sum) + u64::from(overlap) * u64::from(cells);
                *sum = [total as u32, (total >> 32) as u32];
            }
            units -= overlap;
            self.y.1 -= overlap;
            if self.y.1 == 0 {
                self.write(settings, tensor, line.len(), sums);
                self.y = (self.y.0 + 1, self.size.1);
                sums.fill(0);
            }
        }
    }

    /// Writes an output row.
    fn write(&mut self, settings: &Pixels, tensor: &mut [u8], cells: usize, sums: &[u32]) {
        let channels = usize::from(settings.channels).max(1);
        let area = (u64::from(self.size.0) * u64::from(self.size.1)).max(1);
        let start = self.place(settings, self.y.0);
        let plane = usize::from(settings.width) * usize::from(settings.height);
        for (cell, &sum) in sums.as_chunks::<2>().0.iter().enumerate().take(cells) {
            let value = ((join(sum) + area / 2) / area) as u8;
            self.low = self.low.min(value);
            self.high = self.high.max(value);
            if let Some(place) = tensor.get_mut(cell % channels * plane + start + cell / channels) {
                *place = value;
            }
        }
    }

    /// Where row `y` of the scaled picture begins in a plane.
    fn place(&self, settings: &Pixels, y: u32) -> usize {
        (self.border.1 + y) as usize * usize::from(settings.width) + self.border.0 as usize
    }

    pub(super) fn finish(&mut self, settings: &Pixels, tensor: &mut [u8]) -> Quality {
        let (cw, ch) = self.scaled;
        let plane = usize::from(settings.width) * usize::from(settings.height);
        let mut ink = 0u32;
        for c in 0..usize::from(settings.channels) {
            for y in 0..ch {
                let at = c * plane + self.place(settings, y);
                for out in tensor.iter_mut().skip(at).take(cw as usize) {
                    *out = settings.tone(*out, self.low, self.high);
                    ink += u32::from(*out >= 128);
                }
            }
        }
        let cells = (u64::from(cw) * u64::from(ch) * u64::from(settings.channels)).max(1);
        let ink_permille = (u64::from(ink) * 1000 / cells) as u16;
        Quality::Image { low: self.low, high: self.high, ink_permille }
    }
}

fn join([low, high]: [u32; 2]) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::frontend::{FrontEnd, Image, Raw};
    use proptest::prelude::*;
    use std::vec;

    fn pixels(width: u16, height: u16) -> Pixels {
        Pixels { width, height, channels: 1, invert: false, stretch: false }
    }

    fn run<const N: usize>(front: Pixels, width: u16, height: u16, raw: &[u8]) -> Result<[u8; N], FrontendError> {
        let mut tensor = [0xaa; N];
        let mut work = vec![0; front.work_words()];
        let image = Image { width, height, channels: front.channels, pixels: raw };
        FrontEnd::Pixels(front).run(Raw::Image(image), &mut tensor, &mut work)?;
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

    /// The definition, cell by cell: the mean of channel `c` over output cell `x` of `cw` columns and `y` of `ch` rows.
    fn area_average(image: &Image<'_>, c: usize, (x, cw): (u32, u32), (y, ch): (u32, u32)) -> u8 {
        let (w, h) = (u32::from(image.width), u32::from(image.height));
        let (x0, x1, y0, y1) = (x * w, (x + 1) * w, y * h, (y + 1) * h);
        let mut sum = 0u64;
        for sy in y0 / ch..y1.div_ceil(ch) {
            for sx in x0 / cw..x1.div_ceil(cw) {
                let across = (x1.min((sx + 1) * cw)) - x0.max(sx * cw);
                let down = (y1.min((sy + 1) * ch)) - y0.max(sy * ch);
                let at = (sy * w + sx) as usize * usize::from(image.channels) + c;
                sum += u64::from(across * down) * u64::from(image.pixels[at]);
            }
        }
        let area = u64::from(w) * u64::from(h);
        ((sum + area / 2) / area) as u8
    }

    proptest! {
        #[test]
        fn rows_that_come_one_by_one_average_as_the_whole(
            (width, height, channels) in (1u16..24, 1u16..24, prop::sample::select(vec![1u8, 3])),
            (tw, th) in (1u16..20, 1u16..20),
            pixels in prop::collection::vec(any::<u8>(), 24 * 24 * 3),
        ) {
            let len = usize::from(width) * usize::from(height) * usize::from(channels);
            let image = Image { width, height, channels, pixels: &pixels[..len] };
            let front = Pixels { width: tw, height: th, channels, invert: false, stretch: false };
            let mut tensor = vec![0; FrontEnd::Pixels(front).tensor_len()];
            let mut work = vec![0; front.work_words()];
            FrontEnd::Pixels(front).run(Raw::Image(image), &mut tensor, &mut work).unwrap();
            let stream = PixelStream::new(&front, (width, height), channels).unwrap();
            let ((cw, ch), (left, top)) = (stream.scaled, stream.border);
            let mut expected = vec![0; tensor.len()];
            for c in 0..usize::from(channels) {
                for (y, x) in (0..ch).flat_map(|y| (0..cw).map(move |x| (y, x))) {
                    let at = (c * usize::from(th) + (top + y) as usize) * usize::from(tw) + (left + x) as usize;
                    expected[at] = area_average(&image, c, (x, cw), (y, ch));
                }
            }
            prop_assert_eq!(tensor, expected);
        }
    }

    proptest! {
        /// Values outside the range that was measured are taken for its ends.
        #[test]
        fn another_tensor_than_was_pushed_into_is_stretched_without_a_fault(
            picture: [u8; 3],
            other: [u8; 3],
            invert: bool,
        ) {
            let front = FrontEnd::Pixels(Pixels { invert, stretch: true, ..pixels(3, 1) });
            let finish = |mut other: [u8; 3]| {
                let (mut tensor, mut work) = ([0; 3], vec![0; front.work_words()]);
                let raw = Raw::Image(Image { width: 3, height: 1, channels: 1, pixels: &picture });
                let mut stream = front.start(raw.header(), &mut tensor, &mut work).unwrap();
                stream.push(raw.bytes(), &mut tensor, &mut work).unwrap();
                stream.finish(&mut other, &mut work).unwrap();
                other
            };
            let (low, high) = (picture.into_iter().min().unwrap(), picture.into_iter().max().unwrap());
            prop_assert_eq!(finish(other), finish(other.map(|value| value.clamp(low, high))));
        }
    }

    #[test]
    fn tells_how_much_ink_there_is() {
        let front = Pixels { invert: true, ..pixels(4, 1) };
        let (mut tensor, mut work) = ([0; 4], [0; 12]);
        let raw = Raw::Image(Image { width: 4, height: 1, channels: 1, pixels: &[20, 255, 250, 255] });
        let quality = FrontEnd::Pixels(front).run(raw, &mut tensor, &mut work).unwrap();
        assert_eq!(quality, Quality::Image { low: 20, high: 255, ink_permille: 250 });
        assert_eq!(quality.flaw(), None);
        let raw = Raw::Image(Image { width: 4, height: 1, channels: 1, pixels: &[255, 250, 255, 255] });
        let quality = FrontEnd::Pixels(front).run(raw, &mut tensor, &mut work).unwrap();
        assert_eq!(quality.flaw(), Some(crate::frontend::Flaw::Blank));
    }

    #[test]
    fn the_largest_picture_fits_its_sums() {
        let front = FrontEnd::Pixels(pixels(1, 1));
        let header = crate::frontend::RawHeader::Image { width: MAX_SIDE, height: MAX_SIDE, channels: 1 };
        let (mut tensor, mut work) = ([0], [0; 3]);
        let mut stream = front.start(header, &mut tensor, &mut work).unwrap();
        let row = vec![255; usize::from(MAX_SIDE)];
        for _ in 0..MAX_SIDE {
            stream.push(&row, &mut tensor, &mut work).unwrap();
        }
        stream.finish(&mut tensor, &mut work).unwrap();
        assert_eq!(tensor, [255]);
    }
}
