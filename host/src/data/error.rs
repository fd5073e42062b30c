use std::io;
use std::path::PathBuf;

use shared::frontend::FrontendError;
use thiserror::Error;

use super::{Part, PatternError};

/// Why data cannot be had.
#[derive(Debug, Error)]
pub enum DataError {
    /// A text that names no source.
    #[error(
        "`{0}` is no data source; the accepted ones are glyphs, letters, utterances, espeak, mnist:DIR, omniglot:DIR, images:DIR, signatures:DIR and speech:DIR"
    )]
    Spec(String),
    /// Words cannot be spoken.
    #[error("espeak-ng cannot speak ({0}); install it (Debian: apt install espeak-ng, macOS: brew install espeak-ng)")]
    Espeak(io::Error),
    /// A text that is no pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Two parts mean the same identity.
    #[error("the {first} and the {second} identities both include `{name}`; choose them without overlap")]
    Overlap {
        /// The earlier part.
        first: Part,
        /// The later part.
        second: Part,
        /// An identity of both, or `*`.
        name: String,
    },
    /// An item of a pattern means none of the source's identities.
    #[error("`{item}` names no identity of {source_name}, where they go from `{first}` to `{last}`")]
    NoSuchIdentity {
        /// The item.
        item: String,
        /// The source, as its spec is written.
        source_name: String,
        /// The first identity that there is.
        first: String,
        /// The last.
        last: String,
    },
    /// Fewer than two identities are left.
    #[error(
        "`{pattern}` leaves {left} of the identities of {source_name}; name at least 2, verification needs someone to tell apart"
    )]
    TooFewIdentities {
        /// What was asked for.
        pattern: String,
        /// Identities that it means.
        left: usize,
        /// The source, as its spec is written.
        source_name: String,
    },
    /// Too few identities to cut into three parts of at least two.
    #[error(
        "{source_name} has {identities} identities, too few to be split by themselves (at least 6); name the identities of each part"
    )]
    TooFewToSplit {
        /// The source, as its spec is written.
        source_name: String,
        /// Identities that it has.
        identities: usize,
    },
    /// A pattern of identities that the program makes is not made of numbers, or means too many.
    #[error("`{item}` cannot choose what the program makes: name up to {limit} numbers from 0 to {last}, as 0-1999")]
    Numbers {
        /// The item or pattern.
        item: String,
        /// The most identities in one part.
        limit: u64,
        /// The largest number.
        last: u32,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder that is not there.
    #[error("there is no folder {}; check the path in --data, or in the recipe's `source`, which starts at the current folder", .0.display())]
    NoFolder(PathBuf),
    /// A file of a set that is not there.
    #[error("there is no {} (nor with .gz at its end); put the set's four files into that folder", .0.display())]
    NoFile(PathBuf),
    /// A folder or file name that is not Unicode.
    #[error("the name of {} is not valid UTF-8; rename it", .0.display())]
    Name(PathBuf),
    /// An IDX file does not hold what it should.
    #[error("{} is no sound IDX file: expected {expected}, found {found}; fetch it again", path.display())]
    Idx {
        /// The file.
        path: PathBuf,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A folder of identities without any.
    #[error("{} has {found} folders with pictures; put each identity's pictures into a folder of its own, at least 2", path.display())]
    Identities {
        /// The folder.
        path: PathBuf,
        /// Identities that it has.
        found: usize,
    },
    /// A folder of alphabets without characters.
    #[error(
        "{} has {found} characters with pictures; name a folder laid out as ALPHABET/CHARACTER/*.png, or one that holds such folders", path.display()
    )]
    Characters {
        /// The folder.
        path: PathBuf,
        /// Characters that it has.
        found: usize,
    },
    /// A folder of Lake's one-shot runs in the place of alphabets.
    #[error(
        "{} holds one-shot runs, whose pictures are no characters: evaluate with --protocol one-shot-runs, or name a folder of alphabets", .0.display()
    )]
    OneShotRuns(PathBuf),
    /// A writer's folder without genuine signatures.
    #[error("the folder {} has no folder `genuine`; put the writer's own signatures there and imitations into `forged` beside it", .0.display())]
    NoGenuine(PathBuf),
    /// An identity without pictures.
    #[error("the folder {} holds no picture; put PNG, JPEG or PGM files into it or remove it", .0.display())]
    NoPictures(PathBuf),
    /// A file that is not the picture that its name promises.
    #[error("{} is no readable PNG, JPEG or PGM picture: {reason}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// A folder without recordings.
    #[error("there is no WAV file in {}, nor in folders in it", .0.display())]
    NoRecordings(PathBuf),
    /// A recording whose name does not say who speaks.
    #[error("the name of {} does not say who speaks: name recordings WORD_SPEAKER_INDEX.wav, or put those of each speaker into a folder of their own", .0.display())]
    RecordingName(PathBuf),
    /// Recordings both beside folders and within them.
    #[error(
        "{} lies beside a folder of recordings, {}: keep either all of them in folders, one an identity, or none",
        beside.display(), within.display()
    )]
    RecordingPlaces {
        /// A recording beside the folders.
        beside: PathBuf,
        /// One within a folder.
        within: PathBuf,
    },
    /// Recordings in folders have one name for speaker and word.
    #[error("{} has a folder an identity, whose name says a speaker or a word, not both: leave out #both", .0.display())]
    SpeechTask(PathBuf),
    /// A file that is not the recording that its name promises.
    #[error("{} is no readable WAV recording: {reason}", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// The front end refuses a sample.
    #[error("a sample of identity `{identity}` does not fit the model's input: {source}")]
    Frontend {
        /// The sample's identity.
        identity: String,
        /// What the front end said.
        source: FrontendError,
    },
    /// Batches cannot be dealt as asked.
    #[error("cannot deal batches of {asked}: {reason}")]
    Batches {
        /// What was asked for.
        asked: String,
        /// Why not.
        reason: String,
    },
    /// Turned samples are asked for as classes, but turning would change the tensor's shape.
    #[error(
        "rotations_as_classes needs a square input, and this one is {height}x{width}; change the input or leave it out"
    )]
    Rotations {
        /// Rows of the input tensor.
        height: usize,
        /// Its columns.
        width: usize,
    },
    /// An augmentation parameter is out of its range.
    #[error("the augmentation's {name} is {value}; it must be from 0 to {limit}")]
    Augment {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f32,
        /// The largest value that it may have.
        limit: f32,
    },
}
