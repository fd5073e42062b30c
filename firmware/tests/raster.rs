//! The rasteriser against the definition in real numbers, and what follows from it.

use firmware::capture::raster::{Canvas, MAX_SIDE, Pen, Place, UNIT};
use proptest::prelude::*;

fn picture(width: u16, height: u16, pen: Pen, lines: &[(Place, Place)]) -> Vec<u8> {
    let mut ink = vec![7; usize::from(width) * usize::from(height)];
    let mut canvas = Canvas::new(width, height, &mut ink).unwrap();
    lines.iter().for_each(|&(from, to)| canvas.line(pen, from, to));
    ink
}

/// The distance of `p` from the line between `a` and `b`.
fn distance(p: (f64, f64), a: (f64, f64), b: (f64, f64)) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { ((p.0 - a.0) * dx + (p.1 - a.1) * dy) / length } else { 0.0 };
    let along = along.clamp(0.0, 1.0);
    (p.0 - a.0 - along * dx).hypot(p.1 - a.1 - along * dy)
}

fn place(width: u16, height: u16) -> impl Strategy<Value = Place> {
    let side = |pixels: u16| -2 * UNIT..(i32::from(pixels) + 2) * UNIT;
    (side(width), side(height)).prop_map(|(x, y)| Place { x, y })
}

fn scene() -> impl Strategy<Value = (u16, u16, Pen, Vec<(Place, Place)>)> {
    (1..24u16, 1..24u16, 0..3 * UNIT).prop_flat_map(|(width, height, radius)| {
        let line = (place(width, height), place(width, height));
        (Just(width), Just(height), Just(Pen { radius }), prop::collection::vec(line, 1..5))
    })
}

proptest! {
    #[test]
    fn every_pixel_has_the_cover_of_its_nearest_line((width, height, pen, lines) in scene()) {
        let picture = picture(width, height, pen, &lines);
        let real = |p: Place| (f64::from(p.x), f64::from(p.y));
        for (index, &pixel) in picture.iter().enumerate() {
            let centre = |at: usize| at as f64 * f64::from(UNIT) + f64::from(UNIT) / 2.0;
            let centre = (centre(index % usize::from(width)), centre(index / usize::from(width)));
            let nearest = lines.iter().map(|&(a, b)| distance(centre, real(a), real(b))).fold(f64::MAX, f64::min);
            let reach = f64::from(pen.radius) + f64::from(UNIT) / 2.0;
            // Distances round down: exact roots may fall to either side of a whole number in floating point.
            let covers = [nearest - 1e-6, nearest + 1e-6].map(|d| (reach - d.max(0.0).floor()).clamp(0.0, f64::from(UNIT)));
            let bytes = covers.map(|cover| (cover * 255.0 / f64::from(UNIT) + 0.5).floor() as u8);
            prop_assert!(bytes.contains(&pixel), "pixel {index}: {pixel}, not {bytes:?}");
        }
    }

    #[test]
    fn direction_and_order_do_not_matter((width, height, pen, lines) in scene()) {
        let turned: Vec<_> = lines.iter().rev().map(|&(a, b)| (b, a)).collect();
        prop_assert_eq!(picture(width, height, pen, &lines), picture(width, height, pen, &turned));
    }

    #[test]
    fn a_mirrored_drawing_is_the_mirrored_picture((width, height, pen, lines) in scene()) {
        let mirror = |p: Place| Place { x: i32::from(width) * UNIT - p.x, y: p.y };
        let mirrored: Vec<_> = lines.iter().map(|&(a, b)| (mirror(a), mirror(b))).collect();
        let mut back = picture(width, height, pen, &mirrored);
        back.chunks_mut(usize::from(width)).for_each(<[u8]>::reverse);
        prop_assert_eq!(picture(width, height, pen, &lines), back);
    }

    #[test]
    fn any_numbers_do(width in any::<u16>(), height in any::<u16>(), numbers in any::<[i32; 5]>()) {
        let [radius, a, b, c, d] = numbers;
        let mut ink = vec![0; 300];
        if let Some(mut canvas) = Canvas::new(width % 20, height % 20, &mut ink) {
            canvas.line(Pen { radius }, Place { x: a, y: b }, Place { x: c, y: d });
        }
    }
}

#[test]
fn the_corners_of_the_largest_picture_are_joined_within_64_bits() {
    let far = i32::from(MAX_SIDE) * UNIT;
    let (low, high) = (Place { x: -far, y: -far }, Place { x: 2 * far, y: 2 * far });
    let picture = picture(MAX_SIDE, MAX_SIDE, Pen { radius: UNIT / 2 }, &[(low, high)]);
    let side = usize::from(MAX_SIDE);
    for y in 0..side {
        assert_eq!(picture[y * side + y], 255);
        // sqrt(2) pixels away from the line's middle: 64 - floor(45.25) parts of 64.
        assert_eq!(picture.get(y * side + (y + 1) % side), Some(&if y + 1 < side { 76 } else { 0 }), "row {y}");
    }
}

#[test]
fn a_line_along_the_pixels_has_sharp_sides() {
    let middle = |pixel: i32| pixel * UNIT + UNIT / 2;
    let ends = (Place { x: middle(1), y: middle(2) }, Place { x: middle(4), y: middle(2) });
    #[rustfmt::skip]
    assert_eq!(picture(6, 5, Pen { radius: UNIT / 2 }, &[ends]), [
        0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0,
        0, 255, 255, 255, 255, 0,
        0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0,
    ]);
    // A pen of three quarters of a pixel's radius covers a quarter of the neighbours.
    let dot = (ends.0, ends.0);
    #[rustfmt::skip]
    assert_eq!(picture(3, 5, Pen { radius: UNIT * 3 / 4 }, &[dot]), [
        0, 0, 0,
        0, 64, 0,
        64, 255, 64,
        0, 64, 0,
        0, 0, 0,
    ]);
}

#[test]
fn a_picture_needs_its_memory() {
    assert!(Canvas::new(4, 4, &mut [0; 15]).is_none());
    assert!(Canvas::new(0, 4, &mut [0; 16]).is_none());
    assert!(Canvas::new(257, 1, &mut [0; 300]).is_none());
    assert!(Canvas::new(4, 4, &mut [0; 16]).is_some());
}
