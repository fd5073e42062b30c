//! What makes a sample: one hand's way of drawing the strokes that are meant.

use super::plan::{Plan, Start};
use super::trace;
use crate::data::dice::Dice;
use crate::data::page::{Box2, Point, SIDE, Writing, lean, taper, turned};

pub(super) fn write(dice: &mut Dice, mut plan: Plan) -> Writing {
    // From neat to careless.
    let care = dice.between(0.4, 1.0);
    wobble(dice, &mut plan, care);
    let mut lines = trace::trace(&plan);
    let (turn, slant) = (dice.bell(0.08), dice.bell(0.12));
    lean(&mut lines, turn, slant, 1.0 + dice.bell(0.1));
    // Part of the page that the letter fills; small letters are not written with a broad pen.
    let fill = dice.between(0.8, 0.98);
    let pen = dice.between(1.2, 1.9) * (0.3 + 0.7 * fill);
    place(dice, &mut lines, fill, pen);
    let strokes = taper(dice, lines, pen);
    Writing { strokes, ink: dice.between(180.0, 255.0) }
}

/// Every angle, length and joint a little off.
fn wobble(dice: &mut Dice, plan: &mut Plan, care: f32) {
    for stroke in plan {
        stroke.heading = turned(stroke.heading, dice.bell(0.09 * care));
        match &mut stroke.start {
            Start::Free { dx, dy } => {
                *dx += dice.bell(0.05 * care);
                *dy += dice.bell(0.05 * care);
            }
            Start::On { other, own, .. } => {
                *other += dice.bell(0.06 * care);
                *own += dice.bell(0.06 * care);
            }
        }
        let size = 1.0 + dice.bell(0.08 * care);
        let mut off = 0.0;
        for piece in &mut stroke.pieces {
            // A hand that has turned too far corrects most of it at the next piece.
            let corner = piece.corner * dice.bell(0.1 * care);
            let turn = piece.turn * dice.bell(0.08 * care) + dice.bell(0.1 * care);
            piece.corner += corner - 0.7 * off;
            piece.turn += turn;
            off = 0.3 * off + corner + turn;
            piece.length *= size * (1.0 + dice.bell(0.1 * care));
            piece.ramp += dice.bell(0.25 * care);
        }
    }
}

/// Onto the page, near the middle, `fill` of the size that fits.
fn place(dice: &mut Dice, lines: &mut [Vec<Point>], fill: f32, pen: f32) {
    let bounds = Box2::of(lines);
    let room = f32::from(SIDE) - 2.0 * (1.4 * pen + 1.0);
    let scale = room * fill / bounds.width().max(bounds.height()).max(1e-3);
    let mut shift = |size: f32, middle: f32| {
        let free = room - scale * size;
        let centre = f32::from(SIDE) / 2.0 + free * dice.bell(0.14).clamp(-0.5, 0.5);
        centre - scale * middle
    };
    let middle = bounds.middle();
    let (dx, dy) = (shift(bounds.width(), middle[0]), shift(bounds.height(), middle[1]));
    for point in lines.iter_mut().flatten() {
        *point = [scale * point[0] + dx, scale * point[1] + dy];
    }
}
