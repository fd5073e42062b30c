//! What makes an identity: the strokes that every hand means to draw.

use std::f32::consts::{FRAC_PI_4, PI};

use super::trace;
use crate::data::dice::Dice;
use crate::data::page::{Box2, Point, turned};

/// Part of a stroke: a corner, then an arc. Angles are in radians, clockwise as the picture is seen; lengths are in units
/// of about the glyph's height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece {
    /// Turn on the spot before the arc.
    pub(super) corner: f32,
    pub(super) length: f32,
    /// Turn along the arc.
    pub(super) turn: f32,
    /// How much more of the turn comes late (-1: all early, 1: all late).
    pub(super) ramp: f32,
}

/// Where a stroke is put down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Start {
    /// With its middle this far from the first stroke's middle.
    Free { dx: f32, dy: f32 },
    /// With its own point at `own` of its way upon the point at `other` of stroke `on`'s way, from 0 to 1.
    On { on: usize, other: f32, own: f32 },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stroke {
    pub(super) start: Start,
    /// Direction in which the first piece sets out, of unit length.
    pub(super) heading: Point,
    pub(super) pieces: Vec<Piece>,
}

pub(super) type Plan = Vec<Stroke>;

/// One identity in four is a relative of its predecessor, as O and Q or i and l are: some must be near.
const KIN_EVERY: u32 = 4;

pub(super) fn plan(seed: u64, identity: u32) -> Plan {
    let mut dice = Dice::new(seed, identity, 0);
    if identity % KIN_EVERY == KIN_EVERY - 1 {
        let base = plan(seed, identity - 1);
        return until_sound(&mut dice, |dice| kin(dice, &base));
    }
    until_sound(&mut dice, fresh)
}

/// The first of a few tries that makes a letter of fair size and detail; the last one in any case.
fn until_sound(dice: &mut Dice, make: impl Fn(&mut Dice) -> Plan) -> Plan {
    let mut plan = make(dice);
    for _ in 0..20 {
        if sound(&plan) {
            break;
        }
        plan = make(dice);
    }
    plan
}

/// Neither a mere line nor a tangle: the ink is 1.6 to 5 times as long as the larger side, and the sides are not too unequal.
fn sound(plan: &Plan) -> bool {
    let traced = trace::trace(plan);
    let bounds = Box2::of(&traced);
    let (large, small) = (bounds.width().max(bounds.height()), bounds.width().min(bounds.height()));
    let ink: f32 = traced.iter().map(|line| trace::length(line)).sum();
    let bends: f32 =
        plan.iter().flat_map(|stroke| &stroke.pieces).map(|piece| 0.5 + piece.turn.abs().min(3.0) * 0.5).sum();
    (1.6 * large..5.0 * large).contains(&ink) && small > 0.3 * large && bends > 1.6
}

fn fresh(dice: &mut Dice) -> Plan {
    let count = dice.pick(&[1, 1, 2, 2, 2, 2, 3, 3, 3, 4]);
    let mut plan = vec![Stroke {
        start: Start::Free { dx: 0.0, dy: 0.0 },
        heading: heading(dice),
        pieces: pieces(dice, if count == 1 { 3 } else { 2 }, 1.0),
    }];
    while plan.len() < count {
        let next = another(dice, &plan);
        plan.push(next);
    }
    plan
}

/// A stroke beside, upon or parallel to those that are there.
fn another(dice: &mut Dice, plan: &Plan) -> Stroke {
    let on = dice.pick(&[0, plan.len() - 1]);
    let size = dice.between(0.45, 0.9);
    if dice.chance(0.15) {
        let side = dice.pick(&[-1.0, 1.0]) * dice.between(0.25, 0.5);
        let [along, down] = plan[on].heading;
        return Stroke { start: Start::Free { dx: -down * side, dy: along * side }, ..plan[on].clone() };
    }
    if dice.chance(0.2) {
        return Stroke {
            start: Start::Free { dx: dice.between(-0.6, 0.6), dy: dice.between(-0.6, 0.6) },
            heading: heading(dice),
            pieces: pieces(dice, 2, size),
        };
    }
    let other = dice.pick(&[0.0, 0.25, 0.5, 0.5, 0.75, 1.0]);
    let (towards, _) = trace::along(&trace::trace(plan)[on], other);
    let across = dice.pick(&[-1.0, 1.0]) * dice.between(0.25 * PI, 0.75 * PI);
    Stroke {
        start: Start::On { on, other, own: dice.pick(&[0.0, 0.0, 0.0, 0.35, 0.5, 1.0]) },
        heading: turned(towards, across),
        pieces: pieces(dice, 2, size),
    }
}

/// One of eight directions, more often down or to the right, with a little play.
fn heading(dice: &mut Dice) -> Point {
    let eighths = dice.pick(&[0.0, 0.0, 1.0, 2.0, 2.0, 2.0, 3.0, 4.0, 5.0, 7.0]);
    turned([1.0, 0.0], eighths * FRAC_PI_4 + dice.bell(0.12))
}

/// One to `most` lines, bows, bends and loops of total length about `size`.
fn pieces(dice: &mut Dice, most: usize, size: f32) -> Vec<Piece> {
    let count = if dice.chance(0.45) {
        most.min(2)
    } else if dice.chance(0.5) {
        1
    } else {
        most
    };
    let mut pieces: Vec<Piece> = Vec::new();
    while pieces.len() < count {
        let side = dice.pick(&[-1.0, 1.0]);
        let kind = dice.between(0.0, 1.0);
        let (turn, length) = if kind < 0.38 {
            (dice.bell(0.1), dice.between(0.5, 1.0))
        } else if kind < 0.66 {
            (side * dice.between(0.25 * PI, 0.7 * PI), dice.between(0.6, 1.1))
        } else if kind < 0.86 {
            (side * dice.between(0.8 * PI, 1.25 * PI), dice.between(0.7, 1.3))
        } else {
            (side * dice.between(1.6 * PI, 2.2 * PI), dice.between(1.0, 1.8))
        };
        let smooth = turn.abs() > 0.3 && dice.chance(0.5);
        let corner =
            if pieces.is_empty() || smooth { 0.0 } else { dice.pick(&[-1.0, 1.0]) * dice.between(0.3 * PI, 0.8 * PI) };
        pieces.push(Piece { corner, length: length * size, turn, ramp: dice.bell(0.3) });
    }
    pieces
}

/// `base` with one thing changed.
fn kin(dice: &mut Dice, base: &Plan) -> Plan {
    let mut plan = base.clone();
    let at = dice.pick(&[0, plan.len() - 1]);
    match dice.pick(&[0, 0, 1, 2, 3]) {
        0 => {
            let size = dice.between(0.35, 0.6);
            let mut extra = another(dice, &plan);
            extra.pieces = pieces(dice, 1, size);
            plan.push(extra);
        }
        1 if plan.len() > 1 => {
            plan.pop();
        }
        2 => {
            let last = plan[at].pieces.len() - 1;
            let piece = &mut plan[at].pieces[last];
            piece.turn = -piece.turn + dice.pick(&[-1.0, 1.0]) * dice.between(0.6, 1.2);
        }
        _ => {
            let extra = pieces(dice, 1, 0.5);
            plan[at].pieces.extend(extra);
        }
    }
    plan
}
