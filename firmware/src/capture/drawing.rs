//! What a pen has drawn on a panel, and how it becomes the picture that a network takes.

use heapless::Vec;

use super::raster::{Canvas, MAX_SIDE, Pen, Place, UNIT};

/// Empty border on every side of the picture, as a part of its shorter side: a tenth, what training pictures have.
const BORDER: i32 = 10;
/// The pen's width as a part of the picture's shorter side.
const WIDTH: i32 = 14;

/// A place on the panel, in hundredths of a millimetre from its top left corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// To the right.
    pub x: u16,
    /// Down.
    pub y: u16,
}

impl Touch {
    fn is_within(self, distance: u16, other: Touch) -> bool {
        let [x, y, distance] = [self.x.abs_diff(other.x), self.y.abs_diff(other.y), distance].map(u64::from);
        x * x + y * y < distance * distance
    }
}

/// Movements below this many hundredths of a millimetre are the hand's and the panel's noise.
const NEAR: u16 = 30;

#[derive(Clone, Copy, Debug)]
struct Point {
    touch: Touch,
    /// The pen came down here.
    starts: bool,
}

/// Strokes of up to `POINTS` points; a longer drawing keeps its shape in fewer points.
#[derive(Debug)]
pub struct Drawing<const POINTS: usize> {
    points: Vec<Point, POINTS>,
    is_down: bool,
    /// Points of a stroke nearer to each other than this are one.
    near: u16,
}

impl<const POINTS: usize> Default for Drawing<POINTS> {
    fn default() -> Self {
        Drawing::new()
    }
}

impl<const POINTS: usize> Drawing<POINTS> {
    /// Nothing drawn.
    pub const fn new() -> Self {
        Drawing { points: Vec::new(), is_down: false, near: NEAR }
    }

    /// Whether nothing is drawn.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Forgets what was drawn.
    pub fn clear(&mut self) {
        self.points.clear();
        (self.is_down, self.near) = (false, NEAR);
    }

    /// The pen touches the panel.
    pub fn down(&mut self, touch: Touch) {
        let starts = !self.is_down;
        self.is_down = true;
        if !starts && self.points.last().is_some_and(|last| last.touch.is_within(self.near, touch)) {
            return;
        }
        if self.points.is_full() {
            self.thin();
        }
        // Where nothing could be thinned out, every point is a stroke of its own: the rest of such a drawing is dropped.
        let _ = self.points.push(Point { touch, starts });
    }

    /// The pen leaves the panel.
    pub fn up(&mut self) {
        self.is_down = false;
    }

    /// Drops every second point that is neither the first nor the last of its stroke; those to come are as far apart.
    fn thin(&mut self) {
        self.near = self.near.saturating_mul(2);
        let mut kept = 0;
        let mut drop = false;
        for index in 0..self.points.len() {
            let Some(&point) = self.points.get(index) else { break };
            let ends = self.points.get(index + 1).is_none_or(|next| next.starts);
            drop = !point.starts && !ends && !drop;
            if !drop {
                if let Some(place) = self.points.get_mut(kept) {
                    *place = point;
                }
                kept += 1;
            }
        }
        self.points.truncate(kept);
    }

    /// Draws the strokes into the first `width * height` bytes of `ink`, 255 where the pen was: as large as fits within the
    /// border, proportions kept, centred. A drawing smaller than `smallest` hundredths of a millimetre on both sides is
    /// drawn as if it were that large, so that a dot stays one. None where nothing is drawn or the picture has no place.
    pub fn draw(&self, width: u16, height: u16, smallest: u16, ink: &mut [u8]) -> Option<()> {
        let mut canvas = Canvas::new(width, height, ink)?;
        let first = self.points.first()?.touch;
        let (low, high) = self.points.iter().fold((first, first), |(low, high), Point { touch, .. }| {
            (
                Touch { x: low.x.min(touch.x), y: low.y.min(touch.y) },
                Touch { x: high.x.max(touch.x), y: high.y.max(touch.y) },
            )
        });
        let (width, height) = (i32::from(width) * UNIT, i32::from(height) * UNIT);
        let border = width.min(height) / BORDER;
        let pen = Pen { radius: (width.min(height) / WIDTH / 2).max(UNIT / 2) };
        let room = |side: i32| (side - 2 * (border + pen.radius)).max(0);
        let (across, down) = (i32::from(high.x - low.x), i32::from(high.y - low.y));
        let least = i32::from(smallest.max(1));
        // The scale is room / extent of the side that is tighter: with it the other fits, too.
        let (wide, tall) = (across.max(least), down.max(least));
        let (room, extent) = if i64::from(room(width)) * i64::from(tall) <= i64::from(room(height)) * i64::from(wide) {
            (room(width), wide)
        } else {
            (room(height), tall)
        };
        // Twice the distance from the drawing's middle, which is a whole number; at most 2^16 * 2^14 before the division.
        let place = |v: u16, low: u16, high: u16, side: i32| {
            let twice = 2 * i64::from(v) - i64::from(low) - i64::from(high);
            (i64::from(side) + (twice * i64::from(room)).div_euclid(i64::from(extent))).div_euclid(2) as i32
        };
        let place =
            |touch: Touch| Place { x: place(touch.x, low.x, high.x, width), y: place(touch.y, low.y, high.y, height) };
        let mut from = place(first);
        for point in &self.points {
            let to = place(point.touch);
            canvas.line(pen, if point.starts { to } else { from }, to);
            from = to;
        }
        Some(())
    }
}

const _: () = assert!(MAX_SIDE as i32 * UNIT <= 1 << 14);
