//! What a board takes for one sample: counted in the emulator, kept beside the model, told by its card.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::model::{ModelError, write_all};

/// The file in a model's folder.
pub const BOARD: &str = "board.json";

/// What the emulated Cortex-M4F takes for one sample of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnBoard {
    /// The model's id, hexadecimal.
    pub model_id: String,
    /// Instructions from raw sample to embedding, front end included.
    pub instructions: u64,
    /// Instructions of the network alone.
    pub network: u64,
    /// Bytes of stack that the network takes.
    pub stack: u64,
}

impl OnBoard {
    /// What was counted for the model in `dir`, if it is the one with this id.
    pub fn read(dir: &Path, model_id: &str) -> Option<OnBoard> {
        let text = fs::read(dir.join(BOARD)).ok()?;
        serde_json::from_slice::<OnBoard>(&text).ok().filter(|counted| counted.model_id == model_id)
    }

    /// Keeps it beside the model in `dir`.
    pub fn write(&self, dir: &Path) -> Result<(), ModelError> {
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        write_all(dir, &[(BOARD, text.as_bytes())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_another_model_are_not_told() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(OnBoard::read(dir.path(), "07"), None);
        let counted = OnBoard { model_id: "07".into(), instructions: 3, network: 2, stack: 1 };
        counted.write(dir.path()).unwrap();
        assert_eq!(OnBoard::read(dir.path(), "07"), Some(counted));
        assert_eq!(OnBoard::read(dir.path(), "08"), None);
    }
}
