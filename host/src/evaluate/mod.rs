//! Judging a model on samples: which engine embeds them, what is compared, and what is counted.

mod bootstrap;
mod comparisons;
mod curve;
mod engine;
mod forgeries;
mod identify;
mod knn;
mod nway;
mod one_shot_runs;
mod samples;
mod templates;
mod verify;

pub use bootstrap::{Bootstrap, Interval, MIN_GROUPS, Resampling, mean_interval, no_interval};
pub use comparisons::{Block, Comparisons, MAX_SAMPLES, compared};
pub use curve::{RatePoint, det};
pub(crate) use engine::float_tensor;
pub use engine::{Embedded, Engine, EngineError, EngineKind};
pub use forgeries::{Forgeries, forgeries};
pub use identify::{Identification, SearchesAtThreshold, identify};
pub use knn::{knn, same_samples};
pub use nway::{NWay, nway, nway_accuracy};
pub use one_shot_runs::{Run, RunsError, runs};
pub use samples::{
    Choice, NOT_COMPARED, Selected, Selection, SelectionError, count_seen, gallery, threshold_trained, unseen,
};
pub use templates::{Enrolled, enrol};
pub use verify::{AtThreshold, OPERATING_POINTS, Verification, scores, verify, verify_resampled};
