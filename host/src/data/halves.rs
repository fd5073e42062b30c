//! Classes made of the halves of two others.

use rand::Rng;

use super::{RawSample, Shape};

/// Halves of two classes as a class: number `i` is sample `i / n` of the content with a second half of class `i % n`.
pub(super) struct Halves {
    /// The class of every sample of the content.
    labels: Vec<usize>,
    /// The samples of each of the `n` classes.
    members: Vec<Vec<usize>>,
}

impl Halves {
    pub(super) fn new(labels: Vec<usize>) -> Halves {
        let mut members = vec![Vec::new(); labels.iter().max().map_or(0, |&last| last + 1)];
        for (sample, &label) in labels.iter().enumerate() {
            members[label].push(sample);
        }
        Halves { labels, members }
    }

    /// The class of every pair.
    pub(super) fn classes(&self) -> Vec<usize> {
        let n = self.members.len();
        self.labels.iter().flat_map(|&first| (0..n).map(move |second| first * n + second)).collect()
    }

    /// The sample that pair `index` begins with, and any one of the class that it ends with; none where that is its own.
    pub(super) fn pair(&self, index: usize, rng: &mut impl Rng) -> (usize, Option<usize>) {
        let (first, class) = (index / self.members.len(), index % self.members.len());
        let second = (class != self.labels[first]).then(|| &self.members[class]).filter(|members| !members.is_empty());
        (first, second.map(|members| members[rng.random_range(0..members.len())]))
    }
}

/// How much of two recordings is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// The first half of the one and the second half of the other.
    Half,
    /// All of both.
    Whole,
}

/// One recording and another behind it, at the rate of the first.
pub(super) fn one_after_the_other(first: &RawSample, second: &RawSample, share: Share) -> RawSample {
    match (first, second) {
        (RawSample::Sound { rate, samples: first }, RawSample::Sound { samples: second, .. }) => {
            let (end, start) = match share {
                Share::Half => (first.len() / 2, second.len() / 2),
                Share::Whole => (first.len(), 0),
            };
            let samples = first[..end].iter().chain(&second[start..]).copied().collect();
            RawSample::Sound { rate: *rate, samples }
        }
        _ => first.clone(),
    }
}

/// One picture's upper half above another's lower half, which moves sideways, by a quarter of the width at most, until the ink
/// of both meets: centre below centre in the rows at the seam. What it leaves takes the values at the edge.
pub(super) fn one_above_the_other(shape: Shape, upper: &[u8], lower: &[u8]) -> Vec<u8> {
    let Shape { height, width, .. } = shape;
    let mut whole = upper.to_vec();
    let (seam, plane) = (height / 2 * width, (height * width).max(1));
    for (whole, lower) in whole.chunks_exact_mut(plane).zip(lower.chunks_exact(plane)) {
        let above = centre(whole[..seam].rchunks_exact(width).next());
        let below = centre(lower[seam..].chunks_exact(width).next());
        let most = (width / 4) as f32;
        let moved = above.zip(below).map_or(0, |(above, below)| (above - below).round().clamp(-most, most) as isize);
        for (to, from) in whole[seam..].chunks_exact_mut(width).zip(lower[seam..].chunks_exact(width)) {
            for (x, value) in to.iter_mut().enumerate() {
                *value = from[x.saturating_add_signed(-moved).min(width - 1)];
            }
        }
    }
    whole
}

/// The mean column of a row's ink; none where there is no ink.
fn centre(row: Option<&[u8]>) -> Option<f32> {
    let (mut ink, mut moment) = (0.0, 0.0);
    for (x, &value) in row?.iter().enumerate() {
        ink += f32::from(value);
        moment += f32::from(value) * x as f32;
    }
    (ink > 0.0).then(|| moment / ink)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_joined_in_their_middles() {
        let sound = |rate, samples: &[i16]| RawSample::Sound { rate, samples: samples.to_vec() };
        let joined = |share| one_after_the_other(&sound(8000, &[1, 2, 3, 4]), &sound(16000, &[5, 6, 7, 8, 9]), share);
        assert_eq!(joined(Share::Half), sound(8000, &[1, 2, 7, 8, 9]));
        assert_eq!(joined(Share::Whole), sound(8000, &[1, 2, 3, 4, 5, 6, 7, 8, 9]));
    }

    #[test]
    fn pictures_meet_at_the_seam() {
        let shape = Shape { height: 4, width: 8, channels: 1 };
        let picture = |column: usize| (0..32).map(|i| u8::from(i % 8 == column)).collect::<Vec<u8>>();
        assert_eq!(one_above_the_other(shape, &picture(4), &picture(3)), picture(4));
        assert_eq!(one_above_the_other(shape, &picture(2), &picture(4)), picture(2));
        // Two columns are the most, and the column at the edge comes twice more.
        let far = one_above_the_other(shape, &picture(0), &picture(7));
        assert_eq!(far[..16], picture(0)[..16]);
        assert_eq!(far[16..24], [0, 0, 0, 0, 0, 1, 1, 1]);
        // Nothing moves where there is no ink to meet.
        assert_eq!(one_above_the_other(shape, &[0; 32], &picture(4))[16..], picture(4)[16..]);
    }
}
