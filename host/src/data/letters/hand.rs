//! One hand's writing of a letter.

use std::f32::consts::PI;

use super::forms::{GRID, Stroke};
use crate::data::dice::Dice;
use crate::data::page::{Box2, Point, SIDE, Writing, lean, taper, turned};

/// Part of the page's side that the longer side of a letter takes, its ink included, as of MNIST's digits.
const FILL: f32 = 5.0 / 7.0;

/// Points of a curve between two of the form's.
const STEPS: usize = 10;

/// How often a letter has a bar that is not in its form.
const BARRED: f32 = 0.25;

/// How often a stroke is not drawn to its end.
const LIFTED: f32 = 0.3;

pub(super) fn write(dice: &mut Dice, ways: &[Vec<Stroke>]) -> Writing {
    if ways.is_empty() {
        return Writing { strokes: Vec::new(), ink: 0.0 };
    }
    let way = dice.choose(ways).clone();
    // From neat to careless.
    let care = dice.between(0.35, 1.0);
    let proportions = [dice.bell(0.25 * care), dice.bell(0.25 * care)];
    let hooks = dice.chance(0.35);
    let mut lines: Vec<Vec<Point>> =
        way.into_iter().map(|stroke| draw(dice, stroke, care, proportions, hooks)).collect();
    if dice.chance(LIFTED) {
        lift(dice, &mut lines);
    }
    if dice.chance(BARRED) {
        lines.extend(bar(dice, &lines));
    }
    let (turn, slant) = (dice.bell(0.09), 0.05 + dice.bell(0.2));
    lean(&mut lines, turn, slant, 1.0 + dice.bell(0.16));
    let pen = dice.between(1.4, 3.4);
    place(&mut lines, pen);
    let strokes = taper(dice, lines, pen);
    Writing { strokes, ink: 255.0 }
}

/// The polyline of one stroke, in units of the form's grid.
fn draw(dice: &mut Dice, mut stroke: Stroke, care: f32, proportions: [f32; 2], hooks: bool) -> Vec<Point> {
    for point in &mut stroke.points {
        for (value, bend) in point.iter_mut().zip(proportions) {
            // From 0 to 1 upon itself, the middle moved; it rises everywhere, as the bend is within ±1.
            let part = *value / GRID;
            *value = GRID * (part + bend * part * (1.0 - part)) + dice.bell(0.6 * care);
        }
    }
    bulge(dice, &mut stroke.points, care);
    displace(dice, &mut stroke.points, care);
    let last = stroke.points.len() - 1;
    for (end, before) in [(0, 1), (last, last - 1)] {
        let further = dice.bell(1.2 * care);
        let [dx, dy] = direction(stroke.points[before], stroke.points[end]);
        let [x, y] = &mut stroke.points[end];
        (*x, *y) = (*x + further * dx, *y + further * dy);
    }
    for corner in &mut stroke.corners {
        *corner &= !dice.chance(0.25 * care);
    }
    let mut line = curve(&stroke);
    if hooks {
        if dice.chance(0.5) {
            line.insert(0, hook(dice, stroke.points[1], stroke.points[0]));
        }
        if dice.chance(0.3) {
            line.push(hook(dice, stroke.points[last - 1], stroke.points[last]));
        }
    }
    line
}

/// Leaves off up to a fifth of one stroke at its start or its end: a loop stays open, a stem hangs free.
fn lift(dice: &mut Dice, lines: &mut [Vec<Point>]) {
    let which = dice.below(lines.len());
    let line = &mut lines[which];
    let drawn = (1.0 - dice.between(0.05, 0.2)) * length(line);
    let backwards = dice.chance(0.5);
    if backwards {
        line.reverse();
    }
    let (last, end) = along(line, drawn);
    line.truncate(last);
    line.push(end);
    if backwards {
        line.reverse();
    }
}

/// A short level bar across a steep stroke: about the middle of one that is curved, at the end of a straight piece as a serif is; none
/// where the stroke that chance picks is not steep there.
fn bar(dice: &mut Dice, lines: &[Vec<Point>]) -> Option<Vec<Point>> {
    let line = dice.choose(lines);
    let middle = dice.between(0.35, 0.65) * length(line);
    let (reach, aside, tilt) = (dice.between(2.0, 4.0), dice.bell(0.6), dice.bell(0.6));
    let (next, _) = along(line, middle);
    let ([x, y], [dx, dy]) = (line[next], direction(line[next - 1], line[next]));
    let steep = dy.abs() > dx.abs();
    steep.then(|| vec![[x - reach - aside, y + tilt], [x + reach - aside, y - tilt]])
}

/// The place on a polyline that is `way` from its start, and the index of the point behind it; the last point where it is shorter.
fn along(line: &[Point], way: f32) -> (usize, Point) {
    let mut passed = 0.0;
    for (i, ends) in line.windows(2).enumerate() {
        let piece = length(ends);
        if passed + piece > way {
            let ([x, y], [to_x, to_y], part) = (ends[0], ends[1], (way - passed) / piece);
            return (i + 1, [x + part * (to_x - x), y + part * (to_y - y)]);
        }
        passed += piece;
    }
    (line.len() - 1, line[line.len() - 1])
}

/// Of a polyline.
fn length(line: &[Point]) -> f32 {
    let piece = |ends: &[Point]| {
        let [dx, dy] = [ends[1][0] - ends[0][0], ends[1][1] - ends[0][1]];
        (dx * dx + dy * dy).sqrt()
    };
    line.windows(2).map(piece).sum()
}

/// Bows and loops deeper or flatter.
fn bulge(dice: &mut Dice, points: &mut [Point], care: f32) {
    let depth = 1.0 + dice.bell(0.18 * care);
    let (first, last) = (points[0], points[points.len() - 1]);
    if points.len() < 4 {
        return;
    }
    let [dx, dy] = [last[0] - first[0], last[1] - first[1]];
    let closed = dx * dx + dy * dy < 16.0;
    let middle = mean(points);
    let count = (points.len() - 1) as f32;
    for (i, [x, y]) in points.iter_mut().enumerate() {
        let part = i as f32 / count;
        let [from_x, from_y] = if closed { middle } else { [first[0] + part * dx, first[1] + part * dy] };
        (*x, *y) = (from_x + depth * (*x - from_x), from_y + depth * (*y - from_y));
    }
}

/// Turned, stretched and shifted about the stroke's own middle.
fn displace(dice: &mut Dice, points: &mut [Point], care: f32) {
    let turn = dice.bell(0.12 * care);
    let size = [1.0 + dice.bell(0.09 * care), 1.0 + dice.bell(0.09 * care)];
    let shift = [dice.bell(0.6 * care), dice.bell(0.6 * care)];
    let middle = mean(points);
    for point in points {
        let [x, y] = turned([point[0] - middle[0], point[1] - middle[1]], turn);
        *point = [x * size[0] + middle[0] + shift[0], y * size[1] + middle[1] + shift[1]];
    }
}

/// Where a short hook ends that sets out from `end`, at an angle of 57 to 137 degrees with the stroke that comes there from `before`.
fn hook(dice: &mut Dice, before: Point, end: Point) -> Point {
    let angle = dice.pick(&[-1.0, 1.0]) * dice.between(1.0, 0.76 * PI);
    let [dx, dy] = turned(direction(before, end), angle);
    let length = dice.between(1.5, 4.0);
    [end[0] + length * dx, end[1] + length * dy]
}

/// Of unit length; none where both points are one.
fn direction(from: Point, to: Point) -> Point {
    let [dx, dy] = [to[0] - from[0], to[1] - from[1]];
    let length = (dx * dx + dy * dy).sqrt().max(1e-6);
    [dx / length, dy / length]
}

fn mean(points: &[Point]) -> Point {
    let count = points.len() as f32;
    let sum = points.iter().fold([0.0, 0.0], |sum, point| [sum[0] + point[0], sum[1] + point[1]]);
    [sum[0] / count, sum[1] / count]
}

/// Through all points, from corner to corner as a Catmull-Rom spline (Catmull and Rom 1974).
fn curve(stroke: &Stroke) -> Vec<Point> {
    let (points, last) = (&stroke.points, stroke.points.len() - 1);
    let mut line = vec![points[0]];
    let mut start = 0;
    for end in 1..=last {
        if stroke.corners[end] || end == last {
            spline(&points[start..=end], &mut line);
            start = end;
        }
    }
    line
}

/// The spline of `points` behind its first one. An end goes on as its last two points do; one that closes upon the other end goes
/// on into it.
fn spline(points: &[Point], line: &mut Vec<Point>) {
    let last = points.len() - 1;
    if last == 1 {
        line.push(points[1]);
        return;
    }
    let mirrored = |end: Point, next: Point| [2.0 * end[0] - next[0], 2.0 * end[1] - next[1]];
    let [dx, dy] = [points[last][0] - points[0][0], points[last][1] - points[0][1]];
    let closed = last > 3 && dx.abs().max(dy.abs()) < 1.2;
    let before = if closed { points[last - 1] } else { mirrored(points[0], points[1]) };
    let after = if closed { points[1] } else { mirrored(points[last], points[last - 1]) };
    let at = |i: usize| if i == 0 { before } else { points.get(i - 1).copied().unwrap_or(after) };
    for i in 0..last {
        let [a, b, c, d] = [at(i), at(i + 1), at(i + 2), at(i + 3)];
        for step in 1..=STEPS {
            let t = step as f32 / STEPS as f32;
            line.push([0, 1].map(|k| {
                let (slope, bend) = (c[k] - a[k], 2.0 * a[k] - 5.0 * b[k] + 4.0 * c[k] - d[k]);
                let last = 3.0 * b[k] - a[k] - 3.0 * c[k] + d[k];
                b[k] + 0.5 * t * (slope + t * (bend + t * last))
            }));
        }
    }
}

/// The longer side, ink included, on [`FILL`] of the page; the middle of the lines on the page's, but nothing over its edge.
fn place(lines: &mut [Vec<Point>], pen: f32) {
    let side = f32::from(SIDE);
    let bounds = Box2::of(lines);
    let scale = (side * FILL - 2.0 * pen) / bounds.width().max(bounds.height()).max(1e-3);
    let middle = middle_of_ink(lines);
    // The pen at its broadest, and more than a pixel of white.
    let margin = 1.4 * pen + 1.5;
    let shift = [0, 1].map(|k| {
        let (low, high) = (margin - scale * bounds.low[k], side - margin - scale * bounds.high[k]);
        (side / 2.0 - scale * middle[k]).clamp(low.min(high), high.max(low))
    });
    for [x, y] in lines.iter_mut().flatten() {
        (*x, *y) = (scale * *x + shift[0], scale * *y + shift[1]);
    }
}

/// The mean of all places on the lines.
fn middle_of_ink(lines: &[Vec<Point>]) -> Point {
    let (mut sum, mut total) = ([0.0, 0.0], 1e-6);
    for (a, b) in lines.iter().flat_map(|line| line.iter().zip(&line[1..])) {
        let [dx, dy] = [b[0] - a[0], b[1] - a[1]];
        let length = (dx * dx + dy * dy).sqrt();
        sum = [sum[0] + length * (a[0] + b[0]) / 2.0, sum[1] + length * (a[1] + b[1]) / 2.0];
        total += length;
    }
    [sum[0] / total, sum[1] / total]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stroke(points: &[Point], corner: Option<usize>) -> Stroke {
        Stroke { points: points.to_vec(), corners: (0..points.len()).map(|i| corner == Some(i)).collect() }
    }

    #[test]
    fn a_curve_goes_through_its_points_and_breaks_at_corners() {
        let points = [[0.0, 0.0], [4.0, 1.0], [8.0, 8.0], [2.0, 9.0]];
        let line = curve(&stroke(&points, None));
        assert_eq!(line.len(), 1 + 3 * STEPS);
        for (i, point) in points.iter().enumerate() {
            let there = line[i * STEPS];
            assert!((there[0] - point[0]).abs() + (there[1] - point[1]).abs() < 1e-4, "{i}: {there:?}");
        }
        // Both sides of the corner are straight lines of two points.
        assert_eq!(curve(&stroke(&points[..3], Some(1))), points[..3]);
    }

    #[test]
    fn a_closed_curve_has_no_corner_where_it_closes() {
        let ring = [[8.0, 0.0], [0.0, 8.0], [8.0, 15.0], [15.0, 8.0], [8.0, 0.0]];
        let line = curve(&stroke(&ring, None));
        let (out, back) = (direction(line[0], line[1]), direction(line[line.len() - 2], line[line.len() - 1]));
        assert!(out[0] * back[0] + out[1] * back[1] > 0.9, "{out:?} {back:?}");
    }

    #[test]
    fn a_lifted_stroke_keeps_one_end() {
        let whole = vec![[0.0, 0.0], [0.0, 6.0], [4.0, 6.0]];
        for sample in 0..20 {
            let mut lines = [whole.clone()];
            lift(&mut Dice::new(1, 0, sample), &mut lines);
            let line = &lines[0];
            assert!((8.0 - 1e-4..=9.5 + 1e-4).contains(&length(line)), "{line:?}");
            assert!(line[0] == whole[0] || line[line.len() - 1] == whole[2], "{line:?}");
        }
    }

    #[test]
    fn a_bar_crosses_steep_strokes_only() {
        let mut dice = Dice::new(1, 0, 0);
        assert_eq!(bar(&mut dice, &[vec![[0.0, 0.0], [15.0, 3.0]]]), None);
        let curve: Vec<Point> = (0..=15).map(|y| [8.0, y as f32]).collect();
        for (line, rows) in [(curve, 4.5..=10.5), (vec![[8.0, 0.0], [8.0, 15.0]], 15.0..=15.0)] {
            for _ in 0..20 {
                let bar = bar(&mut dice, std::slice::from_ref(&line)).expect("the stroke is upright");
                let [from, to] = bar[..] else { panic!("{bar:?}") };
                assert!((4.0..=8.0).contains(&(to[0] - from[0])), "{bar:?}");
                assert!(rows.contains(&((from[1] + to[1]) / 2.0)), "{bar:?}");
            }
        }
    }

    #[test]
    fn a_place_along_a_line_is_found() {
        let line = [[0.0, 0.0], [0.0, 6.0], [4.0, 6.0]];
        assert_eq!(along(&line, 3.0), (1, [0.0, 3.0]));
        assert_eq!(along(&line, 7.0), (2, [1.0, 6.0]));
        assert_eq!(along(&line, 99.0), (2, [4.0, 6.0]));
    }

    #[test]
    fn a_letter_fills_its_part_of_the_page() {
        let mut lines = vec![vec![[0.0, 0.0], [0.0, 15.0]], vec![[0.0, 7.0], [8.0, 7.0]]];
        place(&mut lines, 2.0);
        let bounds = Box2::of(&lines);
        assert!((bounds.height() - (48.0 * FILL - 4.0)).abs() < 1e-3);
        let middle = middle_of_ink(&lines);
        assert!((middle[0] - 24.0).abs() < 1e-3 && (middle[1] - 24.0).abs() < 1e-3, "{middle:?}");
    }

    #[test]
    fn no_way_of_writing_is_an_empty_page() {
        assert!(write(&mut Dice::new(0, 0, 0), &[]).strokes.is_empty());
    }
}
