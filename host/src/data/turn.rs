//! Pictures turned and mirrored, which makes other classes of them.

use std::borrow::Cow;

use super::Shape;

/// A way to lay a picture: turned against the clock by quarters of a circle, then mirrored left and right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    quarters: u8,
    mirrored: bool,
}

const fn turn(quarters: u8, mirrored: bool) -> Turn {
    Turn { quarters, mirrored }
}

const UPRIGHT: [Turn; 1] = [turn(0, false)];
const ROTATIONS: [Turn; 4] = [turn(0, false), turn(1, false), turn(2, false), turn(3, false)];
/// As it is, mirrored left and right, mirrored upside down, and both, which is half a turn.
const MIRRORS: [Turn; 4] = [turn(0, false), turn(0, true), turn(2, true), turn(2, false)];
const ALL: [Turn; 8] = [
    turn(0, false),
    turn(1, false),
    turn(2, false),
    turn(3, false),
    turn(0, true),
    turn(1, true),
    turn(2, true),
    turn(3, true),
];

impl Turn {
    /// The ways that count as classes, the first of which leaves a picture as it is.
    pub(super) fn all(rotations: bool, mirrors: bool) -> &'static [Turn] {
        match (rotations, mirrors) {
            (false, false) => &UPRIGHT,
            (true, false) => &ROTATIONS,
            (false, true) => &MIRRORS,
            (true, true) => &ALL,
        }
    }

    /// The tensor `from`, laid this way; a quarter of a circle needs a square one.
    pub(super) fn lay(self, shape: Shape, from: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
        if self == UPRIGHT[0] {
            return from;
        }
        let Shape { height, width, .. } = shape;
        let (bottom, right) = (height.saturating_sub(1), width.saturating_sub(1));
        let source = |y: usize, x: usize| {
            let x = if self.mirrored { right - x } else { x };
            match self.quarters {
                0 => y * width + x,
                1 => x * width + right - y,
                2 => (bottom - y) * width + right - x,
                _ => (bottom - x) * width + y,
            }
        };
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        let planes = from.chunks_exact((height * width).max(1));
        planes.flat_map(|plane| places.clone().map(|(y, x)| plane[source(y, x)])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_square_lies_in_eight_ways_and_a_rectangle_in_four() {
        let square = Shape { height: 2, width: 2, channels: 1 };
        let laid = |turn: &Turn, shape, from: &[u8]| turn.lay(shape, Cow::Borrowed(from)).into_owned();
        let all: Vec<_> = Turn::all(true, true).iter().map(|turn| laid(turn, square, &[1, 2, 3, 4])).collect();
        assert_eq!(all[..4], [[1, 2, 3, 4], [2, 4, 1, 3], [4, 3, 2, 1], [3, 1, 4, 2]]);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 8);
        let wide = Shape { height: 2, width: 3, channels: 2 };
        let two = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16];
        let all: Vec<_> = Turn::all(false, true).iter().map(|turn| laid(turn, wide, &two)).collect();
        assert_eq!(all[1], [3, 2, 1, 6, 5, 4, 13, 12, 11, 16, 15, 14]);
        assert_eq!(all[2], [4, 5, 6, 1, 2, 3, 14, 15, 16, 11, 12, 13]);
        assert_eq!(all[3], [6, 5, 4, 3, 2, 1, 16, 15, 14, 13, 12, 11]);
    }
}
