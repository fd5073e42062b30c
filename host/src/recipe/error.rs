//! Why a recipe is of no use.

use std::path::PathBuf;

use shared::frontend::SettingsError;
use thiserror::Error;

use crate::data::Part;
use crate::net::ArchitectureError;

/// Why a recipe is of no use.
#[derive(Debug, Error)]
pub enum RecipeError {
    /// The file cannot be read.
    #[error("cannot read the recipe {}: {source}; name a folder that `doppel train` has made, or a recipe file", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the recipe {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The text is no recipe.
    #[error("{} is no recipe: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// A value that was given by its name.
    #[error("--set {key}={value}: {message}; recipe.toml has the names and what is allowed")]
    Set {
        /// The name.
        key: String,
        /// The value.
        value: String,
        /// Why it cannot be set.
        message: String,
    },
    /// A value is out of its range.
    #[error("`{key}` is {value}; it must be {expected}")]
    Range {
        /// The value's name.
        key: &'static str,
        /// The value.
        value: String,
        /// What is accepted.
        expected: &'static str,
    },
    /// The file asks for what no training can use.
    #[error("{}: {cause}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: Box<RecipeError>,
    },
    /// What trains along chooses the threshold or tests.
    #[error(
        "`data.also` trains with `{name}` of {source_name}, which is one of the {part} identities; choose them without overlap"
    )]
    Also {
        /// An identity of both, or `*`.
        name: String,
        /// The source of both, as its spec is written.
        source_name: String,
        /// The part.
        part: Part,
    },
    /// What trains along holds the files of those that choose the threshold or test, under other names.
    #[error(
        "`data.also` trains with {source_name}, whose files are those of the {part} identities under other names; use other files"
    )]
    AlsoFiles {
        /// The source, as its spec is written.
        source_name: String,
        /// The part.
        part: Part,
    },
    /// The sound front end's settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The network does not fit its input.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    /// The data source does not fit.
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
}
