//! Classes made of the halves of two others.

use rand::Rng;

use super::RawSample;

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
}
