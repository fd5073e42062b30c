//! Refuses recipes that no training can use.

use shared::embedding::MAX_DIM;
use shared::frontend::FrontEnd;

use super::{Contrast, Data, Family, Impostors, Input, Loss, Pool, Recipe, RecipeError};
use crate::data::made::Maker;
use crate::data::{DataError, Part, Sampling, Spec};

/// Most samples of a batch.
const MAX_BATCH: usize = 65_536;
/// Most rows and columns of an input tensor.
const MAX_INPUT: u16 = 1024;

impl Recipe {
    /// Refuses values that no training can use.
    pub fn check(&self) -> Result<(), RecipeError> {
        let positive = |key, value: f64| match value {
            value if value > 0.0 && value.is_finite() => Ok(()),
            _ => range(key, value, "a positive number"),
        };
        let share = |key, value: f64| match value {
            value if (0.0..=1.0).contains(&value) => Ok(()),
            _ => range(key, value, "between 0 and 1"),
        };
        let at_least_one = |key, value: usize| match value {
            0 => range(key, value, "at least 1"),
            _ => Ok(()),
        };
        if self.input.channels != 1 {
            return range("input.channels", self.input.channels, "1: pictures are read in grey");
        }
        for (key, side) in [("input.height", self.input.height), ("input.width", self.input.width)] {
            if !(1..=MAX_INPUT).contains(&side) {
                return range(key, side, "between 1 and 1024");
            }
        }
        let (sounds, recordings) = (self.input.sound.is_some(), self.data.source.is_sound());
        if sounds != recordings {
            let expected = "there for sources of recordings, and for no other source";
            return range("input.sound", if sounds { "there" } else { "missing" }, expected);
        }
        // What is spoken anew in every epoch is neither reversed nor given other voices.
        let stored = recordings && Maker::of(&self.data.source).is_none();
        if self.data.reversals_as_classes && !stored {
            return range("data.reversals_as_classes", true, "false for pictures and for utterances");
        }
        let voices = self.data.voices_as_classes;
        if voices > 0 && !stored {
            return range("data.voices_as_classes", voices, "0 for pictures and for utterances");
        }
        let is_forged = |source: &Spec| matches!(source, Spec::Signatures(_));
        if self.data.forgeries_as_classes && !is_forged(&self.data.source) {
            return range("data.forgeries_as_classes", true, "false for a source without forgeries");
        }
        let threshold_source = self.data.threshold_source.as_ref().unwrap_or(&self.data.source);
        if self.export.against == Impostors::Forgeries && !is_forged(threshold_source) {
            return range("export.against", "forgeries", "others for a source without forgeries");
        }
        if let FrontEnd::LogMel(log_mel) = self.front_end() {
            log_mel.check()?;
            for (key, value) in [("input.invert", self.input.invert), ("input.stretch", self.input.stretch)] {
                if value {
                    return range(key, value, "false for recordings");
                }
            }
        }
        self.sound_augment.check()?;
        if !(1.0 / 16.0..=16.0).contains(&self.net.width_multiplier) {
            let value = self.net.width_multiplier;
            return range("net.width_multiplier", value, "between 0.0625 and 16");
        }
        if self.net.family == Family::Article {
            if self.net.width_multiplier != 1.0 {
                return range("net.width_multiplier", self.net.width_multiplier, "1 for the article's network");
            }
            if self.net.pool != Pool::Average {
                return range("net.pool", "weighted", "average for the article's network");
            }
        }
        if !(1..=MAX_DIM).contains(&self.net.embedding) {
            return range("net.embedding", self.net.embedding, "between 1 and 512, the most that a bundle holds");
        }
        share("optimizer.weight_decay", self.optimizer.weight_decay.into())?;
        if !(0.0..1.0).contains(&self.optimizer.average) {
            return range("optimizer.average", self.optimizer.average, "at least 0 and below 1");
        }
        at_least_one("validation.every_steps", self.validation.every_steps)?;
        at_least_one("validation.samples", self.validation.samples)?;
        at_least_one("validation.pairs", self.validation.pairs)?;
        share("export.target_fmr", self.export.target_fmr)?;
        at_least_one("export.calibration_samples", self.export.calibration_samples)?;
        at_least_one("the number of [[phase]] tables", self.phases.len())?;
        for phase in &self.phases {
            at_least_one("phase.epochs", phase.epochs)?;
            positive("phase.learning_rate", phase.learning_rate)?;
            share("phase.final_learning_rate", phase.final_learning_rate)?;
            match phase.loss {
                Loss::Contrastive { margin, .. } | Loss::Triplet { margin, .. } => {
                    positive("phase.loss.margin", margin.into())?;
                }
                Loss::Softmax {} => {}
                Loss::Sphereface { margin, lambda_min } => {
                    if !(1..=8).contains(&margin) {
                        return range("phase.loss.margin", margin, "from 1 to 8 for sphereface");
                    }
                    positive("phase.loss.lambda_min", f64::from(lambda_min) + f64::MIN_POSITIVE)?;
                }
                Loss::Cosface { scale, margin } | Loss::Arcface { scale, margin } => {
                    positive("phase.loss.scale", scale.into())?;
                    share("phase.loss.margin", margin.into())?;
                }
            }
            if let Some(Contrast { weight, temperature }) = phase.contrast {
                positive("phase.contrast.weight", weight.into())?;
                positive("phase.contrast.temperature", temperature.into())?;
            }
            sampling("phase.sampling", phase.sampling)?;
            match phase.sampling {
                Sampling::Balanced { samples: 2.., .. } => {}
                _ if phase.loss.method().classifies() && phase.contrast.is_none() => {}
                sampling => {
                    let expected = "balanced with at least 2 samples an identity, for a loss on pairs or triplets";
                    return range("phase.sampling", sampling, expected);
                }
            }
        }
        for also in &self.data.also {
            sampling("data.also.sampling", also.sampling)?;
            if !matches!(also.sampling, Sampling::Balanced { samples: 2.., .. }) {
                let expected = "balanced with at least 2 samples an identity";
                return range("data.also.sampling", also.sampling, expected);
            }
            if also.rotations_as_classes && self.input.height != self.input.width {
                let size = format!("{}x{}", self.input.height, self.input.width);
                return range("input with data.also.rotations_as_classes", size, "square");
            }
        }
        self.augment.check()?;
        let Input { height, width, .. } = self.input;
        if self.data.rotations_as_classes && height != width {
            return Err(DataError::Rotations { height: height.into(), width: width.into() }.into());
        }
        // Of a recording, halves are joined before there is a picture that could be turned.
        let turned = self.data.rotations_as_classes || self.data.mirrors_as_classes;
        if turned && self.data.halves_as_classes && matches!(self.front_end(), FrontEnd::LogMel(_)) {
            return range("data.halves_as_classes", "true", "false for recordings that are turned or mirrored");
        }
        self.data.source.check(&self.data.split)?;
        self.check_also()?;
        self.architecture().shapes()?;
        Ok(())
    }

    /// Refuses to train along with identities that choose the threshold or test.
    fn check_also(&self) -> Result<(), RecipeError> {
        let Data { source, threshold_source, split, also, .. } = &self.data;
        let parts = [(Part::Threshold, threshold_source.as_ref().unwrap_or(source)), (Part::Test, source)];
        for also in also {
            for (part, source) in parts {
                let source_name = also.source.to_string();
                if also.source.is_at(source) {
                    if let Some(name) = also.identities.overlap(split.part(part)) {
                        return Err(RecipeError::Also { name, source_name, part });
                    }
                } else if also.source.shares_files(source) {
                    return Err(RecipeError::AlsoFiles { source_name, part });
                }
            }
        }
        Ok(())
    }
}

fn range<T>(key: &'static str, value: impl ToString, expected: &'static str) -> Result<T, RecipeError> {
    Err(RecipeError::Range { key, value: value.to_string(), expected })
}

/// Refuses batches of nothing and those that no memory holds.
fn sampling(key: &'static str, sampling: Sampling) -> Result<(), RecipeError> {
    let size = match sampling {
        Sampling::Balanced { identities, samples } => identities.saturating_mul(samples),
        Sampling::Shuffled { batch } => batch,
    };
    match size {
        1..=MAX_BATCH => Ok(()),
        _ => range(key, sampling, "of 1 to 65536 samples in all"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::tests::recipe;
    use crate::recipe::{Also, Choices, SoundInput};

    #[test]
    fn sources_without_files_have_recipes() {
        for text in ["glyphs", "utterances", "utterances#word", "utterances#both", "espeak"] {
            let recipe = Choices::new(text.parse().unwrap(), "made").recipe();
            let recipe = recipe.unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(recipe.input.sound.is_some(), text != "glyphs", "{text}");
        }
    }

    #[test]
    fn pictures_and_recordings_are_not_confused() {
        let with = |text: &str, change: fn(&mut Recipe)| {
            let mut recipe = Choices::new(text.parse().unwrap(), "made").recipe().unwrap();
            change(&mut recipe);
            recipe.check().map_err(|error| error.to_string())
        };
        let heard = with("glyphs", |r| r.input.sound = Some(SoundInput::default())).unwrap_err();
        let unheard = with("espeak", |r| r.input.sound = None).unwrap_err();
        for message in [heard, unheard] {
            assert!(message.contains("input.sound") && message.contains("sources of recordings"), "{message}");
        }
        type Change = (&'static str, fn(&mut Recipe));
        let changes: [Change; 2] = [
            ("data.reversals_as_classes", |r| r.data.reversals_as_classes = true),
            ("data.voices_as_classes", |r| r.data.voices_as_classes = 8),
        ];
        for (key, change) in changes {
            for text in ["glyphs", "utterances"] {
                assert!(with(text, change).unwrap_err().contains(key), "{key} of {text}");
            }
            assert_eq!(with("espeak", change), Ok(()));
        }
        let halves = with("espeak", |r| (r.data.halves_as_classes, r.data.mirrors_as_classes) = (true, true));
        assert!(halves.unwrap_err().contains("data.halves_as_classes"));
    }

    #[test]
    fn the_article_s_network_has_neither_width_nor_pool() {
        let wrong = |change: fn(&mut Recipe)| {
            let mut recipe = recipe();
            recipe.net.family = Family::Article;
            recipe.check().unwrap();
            change(&mut recipe);
            recipe.check().unwrap_err().to_string()
        };
        assert!(wrong(|r| r.net.width_multiplier = 2.0).contains("net.width_multiplier"));
        assert!(wrong(|r| r.net.pool = Pool::Weighted).contains("net.pool"));
    }

    #[test]
    fn what_trains_along_neither_chooses_the_threshold_nor_tests() {
        let with = |source: &str, identities: &str, threshold_source: Option<&str>| {
            let mut recipe = recipe();
            recipe.data.threshold_source = threshold_source.map(|text| text.parse().unwrap());
            recipe.data.also = vec![Also {
                source: source.parse().unwrap(),
                name: None,
                licence: None,
                identities: identities.parse().unwrap(),
                invert: false,
                rotations_as_classes: false,
                sampling: Sampling::Balanced { identities: 2, samples: 2 },
            }];
            recipe.check().map_err(|error| error.to_string())
        };
        assert_eq!(with("glyphs", "0-1999,300000-300009", None), Ok(()));
        let test = with("glyphs", "200399-200500", None).unwrap_err();
        assert!(test.contains("`200399` of glyphs") && test.contains("the test identities"), "{test}");
        let threshold = with("glyphs", "100000", None).unwrap_err();
        assert!(threshold.contains("`100000`") && threshold.contains("the threshold identities"), "{threshold}");
        // Of other sources the same names are others.
        assert_eq!(with("images:faces", "*", None), Ok(()));
        assert_eq!(with("glyphs", "100000", Some("images:faces")), Ok(()));
        let other = with("images:faces", "*", Some("images:faces")).unwrap_err();
        assert!(other.contains("of images:faces"), "{other}");
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("faces")).unwrap();
        let (short, long) =
            (format!("images:{}", folder.path().display()), format!("images:{}/faces/..", folder.path().display()));
        let roundabout = with(&long, "*", Some(&short)).unwrap_err();
        assert!(roundabout.contains("`data.also` trains with"), "{roundabout}");
        let words = with("speech:here#word", "*", Some("speech:here")).unwrap_err();
        assert!(words.contains("under other names"), "{words}");
    }

    #[test]
    fn values_out_of_range_are_named() {
        let wrong = |change: fn(&mut Recipe)| {
            let mut recipe = recipe();
            change(&mut recipe);
            recipe.check().unwrap_err().to_string()
        };
        assert!(wrong(|r| r.net.embedding = 0).contains("net.embedding"));
        assert!(wrong(|r| r.net.embedding = 513).contains("512"));
        assert!(wrong(|r| r.input.height = 5000).contains("input.height"));
        let batch = |r: &mut Recipe| r.phases[0].sampling = Sampling::Balanced { identities: 4, samples: usize::MAX };
        assert!(wrong(batch).contains("65536"));
        let single = |r: &mut Recipe| r.phases[0].sampling = Sampling::Balanced { identities: 4, samples: 1 };
        assert!(wrong(single).contains("is 4x1"));
        assert!(wrong(|r| r.input.channels = 3).contains("grey"));
        assert!(wrong(|r| r.input.channels = 2).contains("input.channels"));
        assert!(wrong(|r| r.phases.clear()).contains("[[phase]]"));
        assert!(wrong(|r| r.phases[0].learning_rate = f64::NAN).contains("learning_rate"));
        assert!(wrong(|r| r.input.width = 2).contains("too small"));
        let turned = |r: &mut Recipe| (r.data.rotations_as_classes, r.input.width) = (true, 40);
        assert!(wrong(turned).contains("square"));
        let shuffled = |r: &mut Recipe| r.phases[0].sampling = Sampling::Shuffled { batch: 9 };
        assert!(wrong(shuffled).contains("balanced"));
        assert!(wrong(|r| r.data.forgeries_as_classes = true).contains("data.forgeries_as_classes"));
        assert!(wrong(|r| r.export.against = Impostors::Forgeries).contains("export.against"));
    }
}
