//! The width of strokes.

use crate::data::Shape;

/// Parts of a pixel that are told apart.
const FRACTION: u16 = 256;

/// Dilates (`pixels` > 0) or erodes light strokes by that many pixels on each side, in every plane.
///
/// One pixel replaces a value by the largest (smallest) of itself and its four neighbours within the plane; a part of a pixel
/// mixes the value before with that one.
pub(super) fn widen(shape: Shape, pixels: f32, tensor: &mut [u8]) {
    let mut left = (pixels.abs() * f32::from(FRACTION)).round() as u16;
    let mut before = vec![0; shape.width * shape.height];
    while left > 0 {
        let part = left.min(FRACTION);
        left -= part;
        for plane in tensor.chunks_exact_mut(before.len().max(1)) {
            before.copy_from_slice(plane);
            match pixels > 0.0 {
                true => step(shape.width, part, u8::max, &before, plane),
                false => step(shape.width, part, u8::min, &before, plane),
            }
        }
    }
}

/// Mixes `part` of 256 of the `extreme` of the neighbourhood into every value of a plane.
fn step(width: usize, part: u16, extreme: impl Fn(u8, u8) -> u8, from: &[u8], to: &mut [u8]) {
    let take = |to: &mut [u8], from: &[u8]| {
        for (to, from) in to.iter_mut().zip(from) {
            *to = extreme(*to, *from);
        }
    };
    // `to` holds the values of `from` before.
    let after = width.min(to.len());
    take(&mut to[after..], from);
    take(to, &from[after..]);
    for (from, to) in from.chunks_exact(width.max(1)).zip(to.chunks_exact_mut(width.max(1))) {
        take(&mut to[1..], from);
        take(to, &from[1..]);
        for (to, from) in to.iter_mut().zip(from) {
            let sum = u16::from(*to) * part + u16::from(*from) * (FRACTION - part);
            *to = ((sum + FRACTION / 2) / FRACTION) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { height: 5, width: 5, channels: 2 };

    fn dot() -> Vec<u8> {
        (0..50).map(|i| if i % 25 == 12 { 200 } else { 0 }).collect()
    }

    fn widened(pixels: f32, mut tensor: Vec<u8>) -> Vec<u8> {
        widen(SHAPE, pixels, &mut tensor);
        tensor
    }

    #[test]
    fn a_dot_grows_by_its_neighbours_and_shrinks_back() {
        let cross = widened(1.0, dot());
        for (i, value) in cross.iter().enumerate() {
            let (x, y) = ((i % 5) as i32 - 2, (i % 25 / 5) as i32 - 2);
            assert_eq!(*value, if x.abs() + y.abs() <= 1 { 200 } else { 0 }, "{i}");
        }
        assert_eq!(widened(-1.0, cross.clone()), dot());
        assert_eq!(widened(2.0, dot()), widened(1.0, cross));
        assert_eq!(widened(-0.5, dot()), dot().iter().map(|v| v / 2).collect::<Vec<_>>());
        assert_eq!(widened(0.5, dot())[7], 100);
    }

    #[test]
    fn edges_count_for_nothing() {
        let full = vec![90; 50];
        assert_eq!(widened(-2.0, full.clone()), full);
        let mut corner = vec![0; 50];
        corner[4] = 80;
        let grown = widened(1.0, corner);
        let lit: Vec<usize> = (0..50).filter(|&i| grown[i] > 0).collect();
        assert_eq!(lit, [3, 4, 9]);
    }
}
