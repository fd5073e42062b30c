//! The page that glyphs and letters are drawn on: points, and from lines that a pen follows to pixels with smooth edges.
//!
//! Only exactly rounded float operations, so that a drawing is the same on every platform.

use super::RawSample;
use super::dice::Dice;

/// Rows and columns of a drawing.
pub(super) const SIDE: u16 = 48;

/// x to the right, y down.
pub(super) type Point = [f32; 2];

/// Strokes on the page, in pixels, each point with the pen's radius there; darkness of the ink from 0 to 255.
pub(super) struct Writing {
    pub(super) strokes: Vec<Vec<(Point, f32)>>,
    pub(super) ink: f32,
}

impl Writing {
    /// The page as a sample: `SIDE x SIDE`, 8-bit grey, dark ink on white.
    pub(super) fn sample(&self) -> RawSample {
        RawSample::Image { width: SIDE, height: SIDE, channels: 1, pixels: self.render() }
    }

    /// Dark ink on white paper, `SIDE * SIDE` bytes. A pixel's ink is `clamp(r + 1/2 - d, 0, 1)` for a pen of radius `r` whose
    /// middle passes the pixel's centre at distance `d`; where strokes cross, the darker counts.
    fn render(&self) -> Vec<u8> {
        let side = usize::from(SIDE);
        let mut cover = vec![0.0; side * side];
        for stroke in &self.strokes {
            for (from, to) in stroke.iter().zip(&stroke[1..]) {
                segment(&mut cover, *from, *to);
            }
        }
        cover.iter().map(|cover| (255.5 - self.ink * cover) as u8).collect()
    }
}

/// The lines with a pen of about the radius `pen`, which grows or shrinks a little from the start of each to its end.
pub(super) fn taper(dice: &mut Dice, lines: Vec<Vec<Point>>, pen: f32) -> Vec<Vec<(Point, f32)>> {
    let stroke = |line: Vec<Point>| {
        let (from, to) = (pen * (1.0 + dice.bell(0.12)), pen * (1.0 + dice.bell(0.12)));
        let last = (line.len() - 1).max(1) as f32;
        let radius = |i: usize| from + (to - from) * (i as f32 / last);
        line.into_iter().enumerate().map(|(i, point)| (point, radius(i))).collect()
    };
    lines.into_iter().map(stroke).collect()
}

/// The page turned by `turn` radians, the letters slanted by `slant` columns a row and widened by the factor `wide`.
pub(super) fn lean(lines: &mut [Vec<Point>], turn: f32, slant: f32, wide: f32) {
    for point in lines.iter_mut().flatten() {
        let [x, y] = turned(*point, turn);
        *point = [(x - slant * y) * wide, y];
    }
}

/// `v` turned by `angle` radians from x towards y, by exactly rounded operations only.
///
/// An eighth of the angle is turned by its half's tangent `t` (cosine `(1 - t²) / (1 + t²)`, sine `2t / (1 + t²)`, of unit
/// length whatever `t` is) and squared three times; `t` is the tangent's series, within 1e-4 radians up to a whole turn.
pub(super) fn turned(v: Point, angle: f32) -> Point {
    let half = angle / 16.0;
    let square = half * half;
    let t = half * (1.0 + square * (1.0 / 3.0 + square * (2.0 / 15.0 + square * (17.0 / 315.0))));
    let norm = 1.0 + t * t;
    let (mut c, mut s) = ((1.0 - t * t) / norm, 2.0 * t / norm);
    for _ in 0..3 {
        (c, s) = (c * c - s * s, 2.0 * c * s);
    }
    [v[0] * c - v[1] * s, v[0] * s + v[1] * c]
}

/// The smallest upright rectangle around some lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Box2 {
    pub(super) low: Point,
    pub(super) high: Point,
}

impl Box2 {
    pub(super) fn of(lines: &[Vec<Point>]) -> Self {
        let mut bounds = Box2 { low: [f32::MAX; 2], high: [f32::MIN; 2] };
        for &[x, y] in lines.iter().flatten() {
            bounds.low = [bounds.low[0].min(x), bounds.low[1].min(y)];
            bounds.high = [bounds.high[0].max(x), bounds.high[1].max(y)];
        }
        bounds
    }

    pub(super) fn width(&self) -> f32 {
        self.high[0] - self.low[0]
    }

    pub(super) fn height(&self) -> f32 {
        self.high[1] - self.low[1]
    }

    pub(super) fn middle(&self) -> Point {
        [(self.low[0] + self.high[0]) / 2.0, (self.low[1] + self.high[1]) / 2.0]
    }
}

fn segment(cover: &mut [f32], (a, from): (Point, f32), (b, to): (Point, f32)) {
    let side = usize::from(SIDE);
    let reach = from.max(to) + 0.5;
    // Pixel i has its centre at i + 1/2; the casts saturate, so that nothing lies outside the page.
    let pixels = |p: f32, q: f32| {
        let first = (p.min(q) - reach + 0.5) as usize;
        let end = (p.max(q) + reach + 0.5) as usize;
        first.min(side)..end.clamp(first.min(side), side)
    };
    let columns = pixels(a[0], b[0]);
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let inverse = 1.0 / (dx * dx + dy * dy).max(1e-9);
    let left = columns.start as f32 + 0.5 - a[0];
    for y in pixels(a[1], b[1]) {
        let py = y as f32 + 0.5 - a[1];
        let row = &mut cover[y * side..][columns.clone()];
        for (i, pixel) in row.iter_mut().enumerate() {
            let px = left + i as u16 as f32;
            let t = ((px * dx + py * dy) * inverse).clamp(0.0, 1.0);
            let (ex, ey) = (px - t * dx, py - t * dy);
            let distance = (ex * ex + ey * ey).sqrt();
            let own = from + t * (to - from) + 0.5 - distance;
            *pixel = pixel.max(own.min(1.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::PI;

    #[test]
    fn turns_by_the_angle() {
        for i in -20..=20 {
            let angle = i as f32 * 0.1 * PI;
            let [c, s] = turned([1.0, 0.0], angle);
            assert!((c - angle.cos()).abs() < 2e-4 && (s - angle.sin()).abs() < 2e-4, "{angle}");
            assert!((c * c + s * s - 1.0).abs() < 1e-5);
        }
    }
}
