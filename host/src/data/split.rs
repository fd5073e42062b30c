//! Which identities train, which choose the threshold and which test.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Pattern;

/// What a part of the data is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Trains the network.
    Train,
    /// Chooses the decision threshold.
    Threshold,
    /// Measures the finished model.
    Test,
}

impl Part {
    /// All parts, in the order of their use.
    pub const ALL: [Part; 3] = [Part::Train, Part::Threshold, Part::Test];
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Train => "train",
            Part::Threshold => "threshold",
            Part::Test => "test",
        })
    }
}

/// The identities of each part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Identities that train.
    pub train: Pattern,
    /// Identities that choose the threshold.
    pub threshold: Pattern,
    /// Identities that test.
    pub test: Pattern,
}

impl Split {
    /// The identities of `part`.
    pub fn part(&self, part: Part) -> &Pattern {
        match part {
            Part::Train => &self.train,
            Part::Threshold => &self.threshold,
            Part::Test => &self.test,
        }
    }

    /// The same split with the names that there really are: see [`Pattern::among`].
    pub fn among(&self, names: &[String]) -> Split {
        let [train, threshold, test] = Part::ALL.map(|part| self.part(part).among(names));
        Split { train, threshold, test }
    }

    /// Two parts that mean the same identity and its name, if there are any.
    pub fn overlap(&self) -> Option<(Part, Part, String)> {
        use Part::{Test, Threshold, Train};
        [(Train, Threshold), (Train, Test), (Threshold, Test)]
            .into_iter()
            .find_map(|(a, b)| Some((a, b, self.part(a).overlap(self.part(b))?)))
    }

    /// Whether a model made with this split has neither trained on `name` nor chosen its threshold with it.
    ///
    /// `dataset.retain(|name| split.unseen(name))` leaves what may test the model fairly.
    pub fn unseen(&self, name: &str) -> bool {
        !self.train.matches(name) && !self.threshold.matches(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(train: &str, threshold: &str, test: &str) -> Split {
        let pattern = |text: &str| text.parse().expect("a pattern");
        Split { train: pattern(train), threshold: pattern(threshold), test: pattern(test) }
    }

    #[test]
    fn overlap_names_the_parts() {
        assert_eq!(split("0-4", "5,6", "7-9").overlap(), None);
        assert_eq!(split("0-4", "5", "4-9").overlap(), Some((Part::Train, Part::Test, "4".into())));
        assert_eq!(split("a", "*", "b").overlap(), Some((Part::Train, Part::Threshold, "a".into())));
    }

    #[test]
    fn serde_is_text() {
        let text = r#"{"train":"s1-s20","threshold":"s21","test":"*"}"#;
        let split = split("s1-s20", "s21", "*");
        assert_eq!(serde_json::to_string(&split).expect("json"), text);
        assert_eq!(serde_json::from_str::<Split>(text).expect("split"), split);
        let error = serde_json::from_str::<Split>(r#"{"train":"9-1","threshold":"a","test":"b"}"#);
        assert!(error.expect_err("backwards").to_string().contains("`9-1` is no range"));
    }

    proptest! {
        #[test]
        fn disjoint_splits_share_no_identity(ends in prop::collection::vec(0u32..40, 6)) {
            let range = |i: usize| {
                format!("s{}-s{}", ends[i].min(ends[i + 1]), ends[i].max(ends[i + 1]))
            };
            let split = split(&range(0), &range(2), &range(4));
            let shared = (0..40).map(|n| format!("s{n}")).any(|name| {
                Part::ALL.iter().filter(|&&part| split.part(part).matches(&name)).count() > 1
            });
            prop_assert_eq!(split.overlap().is_some(), shared);
        }
    }
}
