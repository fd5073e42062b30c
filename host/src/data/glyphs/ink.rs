//! From polylines to pixels, with smooth edges.

use super::SIDE;
use super::hand::Writing;
use super::trace::Point;

/// Dark ink on white paper, `SIDE * SIDE` bytes. A pixel's ink is `clamp(r + 1/2 - d, 0, 1)` for a pen of radius `r` whose
/// middle passes the pixel's centre at distance `d`; where strokes cross, the darker counts.
pub(super) fn render(writing: &Writing) -> Vec<u8> {
    let side = usize::from(SIDE);
    let mut cover = vec![0.0; side * side];
    for stroke in &writing.strokes {
        for (from, to) in stroke.iter().zip(&stroke[1..]) {
            segment(&mut cover, *from, *to);
        }
    }
    cover.iter().map(|cover| (255.5 - writing.ink * cover) as u8).collect()
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
