//! Strokes to a picture of any small size, anti-aliased, in exact integer arithmetic and without further memory.
//!
//! Coordinates are in [`UNIT`]ths of a pixel; pixel `(i, j)` has its centre at `((i + 1/2) UNIT, (j + 1/2) UNIT)`. A pen of
//! radius `r` covers a pixel at distance `d` from the line by `clamp(r + UNIT / 2 - floor(d), 0, UNIT)` parts in `UNIT`;
//! where strokes meet, the larger cover counts, so order and direction of the strokes do not matter.

/// Parts of a pixel that coordinates are given in.
pub const UNIT: i32 = 64;
/// The largest side of a picture in pixels; keeps the squares that the distance needs within 64 bits.
pub const MAX_SIDE: u16 = 256;

/// A place in the picture, in [`UNIT`]ths of a pixel from its top left corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// To the right.
    pub x: i32,
    /// Down.
    pub y: i32,
}

/// A pen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pen {
    /// Half of the line's width, in [`UNIT`]ths of a pixel.
    pub radius: i32,
}

/// A picture that ink is put on: `height` rows of `width` bytes, 0 where there is none.
#[derive(Debug)]
pub struct Canvas<'a> {
    width: i32,
    ink: &'a mut [u8],
    rows: i32,
}

impl<'a> Canvas<'a> {
    /// An empty picture in the first `width * height` bytes of `ink`; none where those are not there, or a side is zero or
    /// longer than [`MAX_SIDE`].
    pub fn new(width: u16, height: u16, ink: &'a mut [u8]) -> Option<Self> {
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) {
            return None;
        }
        let ink = ink.get_mut(..usize::from(width) * usize::from(height))?;
        ink.fill(0);
        Some(Canvas { width: i32::from(width), ink, rows: i32::from(height) })
    }

    /// Draws the line from `from` to `to`; a dot where they are the same. What lies outside of the picture is left out.
    pub fn line(&mut self, pen: Pen, from: Place, to: Place) {
        let (from, to) = (self.near(from), self.near(to));
        let reach = pen.radius.clamp(0, MAX_COORDINATE) + UNIT / 2;
        let columns = cells(from.x.min(to.x) - reach, from.x.max(to.x) + reach, self.width);
        for y in cells(from.y.min(to.y) - reach, from.y.max(to.y) + reach, self.rows) {
            let row = self.ink.iter_mut().skip((y * self.width) as usize);
            for (x, pixel) in columns.clone().zip(row.skip(columns.start as usize)) {
                let centre = Place { x: x * UNIT + UNIT / 2, y: y * UNIT + UNIT / 2 };
                let cover = (reach - distance(centre, from, to)).clamp(0, UNIT);
                *pixel = (*pixel).max(((cover * 255 + UNIT / 2) / UNIT) as u8);
            }
        }
    }

    /// Places far outside are drawn nearer: nothing of them is seen, and the products below stay within 64 bits.
    fn near(&self, place: Place) -> Place {
        let bound = |v: i32| v.clamp(-MAX_COORDINATE, 2 * MAX_COORDINATE);
        Place { x: bound(place.x), y: bound(place.y) }
    }
}

/// The far end of the largest picture.
const MAX_COORDINATE: i32 = MAX_SIDE as i32 * UNIT;

/// The pixels, of `count`, whose centres lie within `low..=high`.
fn cells(low: i32, high: i32, count: i32) -> core::ops::Range<i32> {
    let first = (low - UNIT / 2).div_euclid(UNIT).max(0);
    let last = (high - UNIT / 2).div_euclid(UNIT) + 1;
    first..last.clamp(first, count.max(first))
}

/// The distance of `p` from the line between `a` and `b`, rounded down.
fn distance(p: Place, a: Place, b: Place) -> i32 {
    let between = |from: Place, to: Place| (i64::from(to.x - from.x), i64::from(to.y - from.y));
    let ((dx, dy), (px, py), (qx, qy)) = (between(a, b), between(a, p), between(b, p));
    let length = dx * dx + dy * dy;
    let along = px * dx + py * dy;
    let square = if along <= 0 {
        (px * px + py * py).unsigned_abs()
    } else if along >= length {
        (qx * qx + qy * qy).unsigned_abs()
    } else {
        // The distance is |cross| / sqrt(length), and the root of a quotient rounded down is the root rounded down. A side of
        // the line has at most 3 * 2^14 units, a place in the picture is at most 2^15 away: the square stays below 2^64.
        let cross = (px * dy - py * dx).unsigned_abs();
        cross * cross / length.unsigned_abs()
    };
    shared::isqrt(square) as i32
}
