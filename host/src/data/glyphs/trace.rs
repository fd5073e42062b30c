//! From strokes to polylines.

use super::plan::{Start, Stroke};
use crate::data::page::{Box2, Point, turned};

/// The polyline of every stroke, x to the right and y down.
pub(super) fn trace(strokes: &[Stroke]) -> Vec<Vec<Point>> {
    let mut lines: Vec<Vec<Point>> = Vec::with_capacity(strokes.len());
    let mut middle = [0.0, 0.0];
    for stroke in strokes {
        let target = match stroke.start {
            Start::Free { dx, dy } => [middle[0] + dx, middle[1] + dy],
            Start::On { on, other, .. } => lines.get(on).map_or(middle, |line| along(line, other).1),
        };
        let mut line = follow(stroke);
        let anchor = match stroke.start {
            Start::Free { .. } => Box2::of(std::slice::from_ref(&line)).middle(),
            Start::On { own, .. } => along(&line, own).1,
        };
        for point in &mut line {
            *point = [point[0] - anchor[0] + target[0], point[1] - anchor[1] + target[1]];
        }
        if lines.is_empty() {
            middle = Box2::of(std::slice::from_ref(&line)).middle();
        }
        lines.push(line);
    }
    lines
}

/// The stroke from the origin in steps of nearly equal turn and length.
fn follow(stroke: &Stroke) -> Vec<Point> {
    let (mut at, mut towards) = ([0.0, 0.0], stroke.heading);
    let mut line = vec![at];
    for piece in &stroke.pieces {
        towards = turned(towards, piece.corner);
        let steps = (piece.length / 0.12 + piece.turn.abs() / 0.35).clamp(1.0, 32.0) as usize;
        let (step, turn) = (piece.length / steps as f32, piece.turn / steps as f32);
        for i in 0..steps {
            // Goes evenly from -1 to 1, so that the ramp leaves the whole turn as it is.
            let late = (2 * i + 1) as f32 / steps as f32 - 1.0;
            towards = turned(towards, turn * (1.0 + piece.ramp * late));
            at = [at[0] + step * towards[0], at[1] + step * towards[1]];
            line.push(at);
        }
    }
    line
}

/// Direction and place at `part` (0 to 1) of the points of `line`.
pub(super) fn along(line: &[Point], part: f32) -> (Point, Point) {
    let last = line.len() - 1;
    let at = (part.clamp(0.0, 1.0) * last as f32) as usize;
    let (from, to) = (line[at.max(1) - 1], line[at.max(1).min(last)]);
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let norm = (dx * dx + dy * dy).sqrt().max(1e-6);
    ([dx / norm, dy / norm], line[at])
}

pub(super) fn length(line: &[Point]) -> f32 {
    let step = |(a, b): (&Point, &Point)| {
        let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
        (dx * dx + dy * dy).sqrt()
    };
    line.iter().zip(&line[1..]).map(step).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::PI;

    #[test]
    fn a_full_turn_closes_and_a_joint_holds() {
        use super::super::plan::Piece;
        let piece = |turn| Piece { corner: 0.0, length: 1.0, turn, ramp: 0.0 };
        let ring =
            Stroke { start: Start::Free { dx: 0.0, dy: 0.0 }, heading: [1.0, 0.0], pieces: vec![piece(2.0 * PI)] };
        let bar =
            Stroke { start: Start::On { on: 0, other: 1.0, own: 0.0 }, heading: [0.0, 1.0], pieces: vec![piece(0.0)] };
        let lines = trace(&[ring, bar]);
        let (first, last) = (lines[0][0], lines[0][lines[0].len() - 1]);
        assert!((first[0] - last[0]).abs() + (first[1] - last[1]).abs() < 1e-3);
        assert!((length(&lines[0]) - 1.0).abs() < 1e-4);
        let bounds = Box2::of(&lines[..1]);
        assert!((bounds.width() - 1.0 / PI).abs() < 0.01 && bounds.middle()[0].abs() < 1e-6);
        assert_eq!(lines[1][0], last);
    }
}
