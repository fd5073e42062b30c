//! Where a recipe's samples come from.

use serde::{Deserialize, Serialize};

use super::{Recipe, is_default, is_false};
use crate::data::{DataError, Dataset, Part, Pattern, Sampling, Spec, Split};

/// Where samples come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The source: glyphs, letters, utterances, espeak, mnist:DIR, omniglot:DIR, images:DIR, signatures:DIR, speech:DIR.
    pub source: Spec,
    /// What people call the data, for the model card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The data's licence and where it is from, for the model card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// What must be known of the figures on this data, a sentence, for the model card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Which world of glyphs and letters is drawn, of utterances spoken; files do not heed it.
    pub world: u64,
    /// Every identity that trains becomes four: as it is and turned by 90, 180 and 270 degrees.
    #[serde(default)]
    pub rotations_as_classes: bool,
    /// Every identity that trains becomes four: as it is, mirrored left and right, upside down, and both; with rotations eight.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mirrors_as_classes: bool,
    /// The forgeries of every identity that trains become one more identity; without it they do not train.
    #[serde(default)]
    pub forgeries_as_classes: bool,
    /// The first half of one identity that trains and the second half of another become an identity as well: the upper and lower
    /// half of a picture, the beginning and end of a recording.
    #[serde(default, skip_serializing_if = "is_false")]
    pub halves_as_classes: bool,
    /// Every recording that trains is another identity played backwards.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reversals_as_classes: bool,
    /// Every voice that trains becomes so many: as it is, and at other pitches behind other filters. 0 for as it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub voices_as_classes: u16,
    /// The source of the identities that choose the threshold, where the main one has too few to spare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_source: Option<Spec>,
    /// Whether its dark on light becomes light on dark.
    #[serde(default, skip_serializing_if = "is_false")]
    pub threshold_inverted: bool,
    /// The identities that train, choose the threshold and test.
    pub split: Split,
    /// Other sources that train along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Also>,
}

/// A source that only trains: every batch holds some of its samples behind those of the main source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Also {
    /// The source.
    pub source: Spec,
    /// The data's name, for the model card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The data's licence and where it is from, for the model card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Its identities that train.
    pub identities: Pattern,
    /// Whether dark on light becomes light on dark; the rest of the front end is the recipe's.
    pub invert: bool,
    /// Every identity becomes four: as it is and turned by 90, 180 and 270 degrees.
    #[serde(default)]
    pub rotations_as_classes: bool,
    /// Its part of every batch.
    pub sampling: Sampling,
}

impl Recipe {
    /// The samples that choose the threshold.
    pub fn threshold_part(&self) -> Result<Dataset, DataError> {
        let Data { source, threshold_source, threshold_inverted, split, world, .. } = &self.data;
        let Some(other) = threshold_source else {
            return source.load(Part::Threshold, split, *world);
        };
        let part = other.load_all(&split.threshold, *world)?;
        Ok(if *threshold_inverted { part.inverted() } else { part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::tests::recipe;

    #[test]
    fn another_source_may_choose_the_threshold() {
        let mut recipe = recipe();
        recipe.data.split.threshold = "100007,100009".parse().unwrap();
        let own = recipe.threshold_part().unwrap();
        assert_eq!(own.identities, ["100007", "100009"]);
        recipe.data.threshold_inverted = true;
        recipe.data.threshold_source = Some(Spec::Glyphs);
        assert_eq!(recipe.threshold_part().unwrap(), own.inverted());
        let text = recipe.to_toml();
        assert!(text.contains("threshold_source = \"glyphs\"") && text.contains("threshold_inverted = true"), "{text}");
    }
}
