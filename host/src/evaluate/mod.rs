//! Judging a model on samples: which engine embeds them, and what is counted on the embeddings.

mod engine;
mod knn;
mod nway;
mod verify;

pub(crate) use engine::float_tensor;
pub use engine::{Embedded, Engine, EngineError, EngineKind};
pub use knn::knn_accuracy;
pub use nway::{NWay, nway_accuracy};
pub use verify::{MAX_VERIFY_SAMPLES, Verification, scores, verify};
