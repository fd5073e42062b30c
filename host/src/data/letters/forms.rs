//! The letters' shapes, from `letters.txt`.

use std::sync::LazyLock;

use crate::data::page::Point;

/// Columns and rows of the grid, less one.
pub(super) const GRID: f32 = 15.0;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stroke {
    pub(super) points: Vec<Point>,
    /// Whether the stroke has a corner at this point; one for every point.
    pub(super) corners: Vec<bool>,
}

#[derive(Debug)]
pub(super) struct Letter {
    name: &'static str,
    /// One or more; each has one stroke or more, and a stroke two points or more.
    pub(super) ways: Vec<Vec<Stroke>>,
}

/// All letters, in the order of the table.
pub(super) static LETTERS: LazyLock<Vec<Letter>> = LazyLock::new(|| {
    let mut letters: Vec<Letter> = Vec::new();
    for line in include_str!("letters.txt").lines().filter(|line| !line.starts_with('#')) {
        let (name, way) = line.split_once(' ').unwrap_or((line, ""));
        let way = way.split(" / ").map(stroke).collect();
        match letters.last_mut() {
            Some(letter) if letter.name == name => letter.ways.push(way),
            _ => letters.push(Letter { name, ways: vec![way] }),
        }
    }
    letters
});

fn stroke(text: &str) -> Stroke {
    let (points, corners) = text.split(' ').filter_map(point).unzip();
    Stroke { points, corners }
}

/// `7f+`: column 7, row 15, a corner.
fn point(text: &str) -> Option<(Point, bool)> {
    let (place, corner) = text.strip_suffix('+').map_or((text, false), |place| (place, true));
    let mut digits = place.chars().map(|digit| digit.to_digit(16));
    match (digits.next(), digits.next(), digits.next()) {
        (Some(Some(column)), Some(Some(row)), None) => Some(([column as f32, row as f32], corner)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_table_is_sound() {
        let lines: Vec<&str> = include_str!("letters.txt").lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(LETTERS.iter().map(|letter| letter.ways.len()).sum::<usize>(), lines.len());
        let names: HashSet<&str> = LETTERS.iter().map(|letter| letter.name).collect();
        assert_eq!(names.len(), LETTERS.len(), "lines of one name stand together");
        let items = lines.iter().map(|line| line.split(' ').filter(|&item| item != "/").count() - 1).sum::<usize>();
        let strokes: Vec<&Stroke> = LETTERS.iter().flat_map(|letter| letter.ways.iter().flatten()).collect();
        assert_eq!(strokes.iter().map(|stroke| stroke.points.len()).sum::<usize>(), items, "every item is a point");
        for stroke in strokes {
            assert!(stroke.points.len() >= 2 && stroke.points.len() == stroke.corners.len(), "{stroke:?}");
            assert!(stroke.points.windows(2).all(|pair| pair[0] != pair[1]), "{stroke:?}");
        }
    }

    #[test]
    fn a_stroke_is_its_points() {
        let stroke = stroke("0f 70+ ef");
        assert_eq!(stroke.points, [[0.0, 15.0], [7.0, 0.0], [14.0, 15.0]]);
        assert_eq!(stroke.corners, [false, true, false]);
        assert_eq!(["7", "7g", "70f", ""].map(point), [None; 4]);
    }
}
