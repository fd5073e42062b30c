//! What a recipe is made of where nothing else is asked for.

use crate::data::augment::Augment;
use crate::data::espeak::Kind;
use crate::data::sound::SoundAugment;
use crate::data::speech::Task;
use crate::data::{Part, Sampling, Spec, Split};
use crate::mining::Mining;

use super::{
    Data, Export, Family, Impostors, Input, Keep, Loss, Method, Metric, Network, Optimizer, Phase, Pool, Recipe,
    RecipeError, SoundInput, Validation,
};

/// The choices that most decide a recipe; the others follow from them.
#[derive(Clone, Debug)]
pub struct Choices {
    /// The model's name.
    pub name: String,
    /// The data source.
    pub source: Spec,
    /// The split, if not the source's own.
    pub split: Option<Split>,
    /// Family of the network.
    pub family: Family,
    /// What the first training minimizes.
    pub method: Method,
    /// What a second training minimizes.
    pub then: Option<Method>,
    /// Values of an embedding.
    pub embedding: usize,
    /// How embeddings are compared, if not as suits their size.
    pub metric: Option<Metric>,
    /// Input, if not as suits the source.
    pub input: Option<Input>,
}

impl Choices {
    /// The compact network with triplets and 64 values.
    pub fn new(source: Spec, name: &str) -> Choices {
        Choices {
            name: name.to_string(),
            source,
            split: None,
            family: Family::Compact,
            method: Method::Triplet,
            then: None,
            embedding: 64,
            metric: None,
            input: None,
        }
    }

    /// The recipe; reads a little of the source to see what it has.
    pub fn recipe(&self) -> Result<Recipe, RecipeError> {
        let split = match &self.split {
            Some(split) => split.clone(),
            None => self.source.default_split()?,
        };
        let input = match self.input {
            Some(input) => input,
            None => self.default_input(&split)?,
        };
        // A plane or a space to look at has no use for angles alone.
        let angular = matches!(self.method, Method::Sphereface | Method::Cosface | Method::Arcface);
        let metric = self.metric.unwrap_or(match self.embedding {
            ..=3 if !angular => Metric::Euclidean,
            _ => Metric::Cosine,
        });
        let identities = self.source.identities(&split.train)?.len();
        let methods = [Some(self.method), self.then];
        let phases = methods.into_iter().flatten();
        let recipe = Recipe {
            name: self.name.clone(),
            seed: 1,
            data: Data {
                source: self.source.clone(),
                name: None,
                licence: None,
                note: None,
                world: 0,
                // A turned character is another one; a turned face is not.
                rotations_as_classes: matches!(self.source, Spec::Omniglot(_)) && input.width == input.height,
                mirrors_as_classes: false,
                forgeries_as_classes: matches!(self.source, Spec::Signatures(_)),
                halves_as_classes: matches!(self.source, Spec::Speech(_, Task::Word)),
                reversals_as_classes: matches!(self.source, Spec::Speech(_, Task::Word)),
                // A word stays the same word at any pitch.
                voices_as_classes: match self.source {
                    Spec::Speech(_, Task::Speaker | Task::Both) => 8,
                    _ => 0,
                },
                threshold_source: None,
                threshold_inverted: false,
                split,
                also: Vec::new(),
            },
            input,
            net: Network {
                family: self.family,
                width_multiplier: 1.0,
                pool: Pool::Average,
                embedding: self.embedding,
                metric,
                start: None,
            },
            augment: self.default_augment(),
            sound_augment: self.default_sound_augment(),
            optimizer: match self.source {
                Spec::Mnist(_) => Optimizer { weight_decay: 5e-4, average: 0.999 },
                _ => Optimizer { weight_decay: 1e-4, average: 0.0 },
            },
            validation: Validation { every_steps: 100, samples: 1000, pairs: 20_000, patience: 0, keep: Keep::Best },
            export: Export {
                target_fmr: 0.01,
                against: Impostors::Others,
                references: 0,
                calibration_samples: 500,
                spread: false,
            },
            phases: phases.map(|method| self.default_phase(method, metric, identities)).collect(),
        };
        recipe.check()?;
        Ok(recipe)
    }

    fn default_input(&self, split: &Split) -> Result<Input, RecipeError> {
        let plain = Input { width: 28, height: 28, channels: 1, invert: false, stretch: false, sound: None };
        Ok(match self.source {
            // The article's convolutions see 13 rows and columns, and only a weighted sum is behind them: of 16 they see nearly all,
            // without which a plane has too little room for ten classes.
            Spec::Mnist(_) if self.family == Family::Article && self.embedding <= 3 => {
                Input { width: 16, height: 16, ..plain }
            }
            Spec::Mnist(_) => plain,
            Spec::Glyphs | Spec::Letters => Input { invert: true, ..plain },
            Spec::Omniglot(_) => Input { width: 40, height: 40, invert: true, ..plain },
            Spec::Signatures(_) => Input { width: 128, height: 88, invert: true, stretch: true, ..plain },
            Spec::Speech(..) | Spec::Utterances(_) | Spec::Espeak(_) => {
                Input { width: 48, height: 40, sound: Some(SoundInput::default()), ..plain }
            }
            Spec::Images(_) => {
                let samples = self.source.load(Part::Threshold, split, 0)?.samples;
                let first = samples.first().map(|sample| sample.raw.as_raw());
                Input { stretch: true, ..first.map_or(plain, |raw| Input::like(raw, 40)) }
            }
        })
    }

    fn default_augment(&self) -> Augment {
        match self.source {
            // Every epoch draws them anew.
            Spec::Glyphs | Spec::Letters => Augment::default(),
            Spec::Mnist(_) => Augment { shift: 0.07, scale: 0.1, rotation: 10.0, shear: 0.1, ..Augment::default() },
            Spec::Omniglot(_) => Augment {
                shift: 0.07,
                scale: 0.15,
                stretch: 0.1,
                rotation: 12.0,
                shear: 0.15,
                elastic: 0.03,
                stroke: 0.5,
                ..Augment::default()
            },
            Spec::Signatures(_) => Augment {
                shift: 0.05,
                scale: 0.1,
                stretch: 0.08,
                rotation: 5.0,
                shear: 0.08,
                elastic: 0.02,
                stroke: 0.4,
                contrast: 0.2,
                ..Augment::default()
            },
            // See `default_sound_augment`.
            Spec::Speech(..) | Spec::Utterances(_) | Spec::Espeak(_) => Augment::default(),
            Spec::Images(_) => Augment {
                shift: 0.08,
                scale: 0.12,
                stretch: 0.08,
                rotation: 10.0,
                contrast: 0.2,
                brightness: 0.1,
                ..Augment::default()
            },
        }
    }

    fn default_sound_augment(&self) -> SoundAugment {
        let task = match self.source {
            Spec::Speech(_, task) | Spec::Utterances(task) => task,
            Spec::Espeak(Kind::Words) => Task::Word,
            Spec::Espeak(Kind::Voices) => Task::Speaker,
            _ => return SoundAugment::default(),
        };
        SoundAugment {
            // A voice is its pitch and its colour; a word is neither.
            speed: if task == Task::Word { 0.2 } else { 0.02 },
            resonance: if task == Task::Word { 6.0 } else { 0.0 },
            gain: 3.0,
            noise: 0.1,
            mix: 0.1,
            shift: 0.1,
            time_mask: 0.15,
            frequency_mask: 0.15,
        }
    }

    fn default_phase(&self, method: Method, metric: Metric, identities: usize) -> Phase {
        // About 128 samples.
        let identities = identities.clamp(1, 32);
        let samples = (128usize.div_ceil(identities)).min(16);
        let epochs = match self.source {
            Spec::Mnist(_) => 12,
            Spec::Glyphs | Spec::Utterances(_) | Spec::Espeak(_) => 10,
            Spec::Letters => 300,
            Spec::Omniglot(_) => 40,
            Spec::Signatures(_) => 150,
            Spec::Speech(..) => 10,
            Spec::Images(_) => 200,
        };
        // In a plane or a space, where classes have few directions to part in, a step's noise must be small beside the margin.
        let few = self.embedding <= 3;
        let loss = match (method, metric) {
            (Method::Contrastive, Metric::Euclidean) => {
                Loss::Contrastive { margin: if few { 10.0 } else { 1.0 }, mining: Mining::Random }
            }
            (Method::Contrastive, Metric::Cosine) => Loss::Contrastive { margin: 1.0, mining: Mining::Hard },
            (Method::Triplet, Metric::Euclidean) => {
                Loss::Triplet { margin: if few { 100.0 } else { 1.0 }, mining: Mining::SemiHard }
            }
            (Method::Triplet, Metric::Cosine) => Loss::Triplet { margin: 0.3, mining: Mining::SemiHard },
            (Method::Softmax, _) => Loss::Softmax {},
            (Method::Sphereface, _) => Loss::Sphereface { margin: 4, lambda_min: 5.0 },
            // With fewer directions classes are nearer to each other, and a wide margin cannot be kept.
            (Method::Cosface, _) if few => Loss::Cosface { scale: 64.0, margin: 0.1 },
            (Method::Cosface, _) => Loss::Cosface { scale: 30.0, margin: 0.35 },
            (Method::Arcface, _) if few => Loss::Arcface { scale: 64.0, margin: 0.1 },
            (Method::Arcface, _) => Loss::Arcface { scale: 30.0, margin: 0.3 },
        };
        Phase {
            epochs,
            steps: 0,
            learning_rate: match self.source {
                Spec::Mnist(_) if method.classifies() => 4e-3,
                Spec::Mnist(_) => 2e-3,
                _ => 6e-3,
            },
            warmup_steps: 50,
            final_learning_rate: 0.01,
            sampling: Sampling::Balanced { identities, samples },
            loss,
            contrast: None,
        }
    }
}
