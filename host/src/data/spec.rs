//! A data source by its name.

use std::fmt;
use std::mem;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::espeak::{self, Kind};
use super::made::{self, Maker};
use super::mnist::{self, DIGITS, Half};
use super::speech::{self, Task};
use super::{DataError, Dataset, Part, Pattern, Split, images, letters, omniglot, signatures};

/// Where samples come from, written as `glyphs`, `letters`, `utterances`, `espeak`, `mnist:DIR`, `omniglot:DIR`, `images:DIR`,
/// `signatures:DIR` or `speech:DIR`; `#word` and `#both` behind `utterances` and `speech:DIR` name another [`Task`] than the
/// speaker, `#speaker` behind `espeak` another one than the word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Spec {
    /// Drawn by the program: see [`super::glyphs`]. Identities are numbers from 0 to [`made::LAST`].
    Glyphs,
    /// Written by the program: see [`super::letters`]. Identities are the numbers of [`letters::identities`].
    Letters,
    /// Spoken by the program: see [`super::utterances`]. Identities are numbers as those of glyphs.
    Utterances(Task),
    /// Spoken by the program espeak-ng: see [`espeak`]. Identities are the numbers of [`espeak::identities`].
    Espeak(Kind),
    /// The folder of MNIST's four files: see [`mnist`]. Identities are the digits.
    Mnist(PathBuf),
    /// A folder of alphabets: see [`omniglot`]. Identities are characters.
    Omniglot(PathBuf),
    /// A folder with a folder an identity: see [`images`].
    Images(PathBuf),
    /// A folder of writers with genuine and forged signatures: see [`signatures`].
    Signatures(PathBuf),
    /// A folder of recordings: see [`speech`].
    Speech(PathBuf, Task),
}

impl Spec {
    /// Whether its samples are recordings; else they are pictures.
    pub fn is_sound(&self) -> bool {
        matches!(self, Spec::Speech(..) | Spec::Utterances(_) | Spec::Espeak(_))
    }

    /// The folder of its files; none of what the program makes.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Spec::Glyphs | Spec::Letters | Spec::Utterances(_) | Spec::Espeak(_) => None,
            Spec::Mnist(folder)
            | Spec::Omniglot(folder)
            | Spec::Images(folder)
            | Spec::Signatures(folder)
            | Spec::Speech(folder, _) => Some(folder),
        }
    }

    /// Its folder, however it is written.
    fn real_folder(&self) -> Option<PathBuf> {
        self.folder().map(|folder| folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf()))
    }

    /// Whether both read one folder, or, of alphabets, which are merged, one of them a folder within the other's.
    pub fn shares_files(&self, other: &Spec) -> bool {
        let merged = matches!((self, other), (Spec::Omniglot(_), Spec::Omniglot(_)));
        match (self.real_folder(), other.real_folder()) {
            (Some(a), Some(b)) => a == b || merged && (a.starts_with(&b) || b.starts_with(&a)),
            _ => false,
        }
    }

    /// Whether an identity's name means the same samples in both.
    pub fn is_at(&self, other: &Spec) -> bool {
        let is_alike = match (self, other) {
            (Spec::Speech(_, task), Spec::Speech(_, other)) => task == other,
            _ => mem::discriminant(self) == mem::discriminant(other),
        };
        self == other || is_alike && self.folder().is_some() && self.real_folder() == other.real_folder()
    }

    /// The split that is used where none is asked for.
    ///
    /// - Glyphs, utterances: 2,000 identities train, 400 choose the threshold, 400 test.
    /// - MNIST: all ten digits in every part, which differ by their files (see [`Spec::load`]).
    /// - Omniglot: by alphabet, so that no script is in two parts; in natural order the last eighth (rounded to the nearest,
    ///   at least one) tests and the eighth before chooses the threshold. Fewer than three alphabets are split as images are.
    /// - Images: in natural order the first 60 % train, the next 20 % choose the threshold and the last 20 % test (rounded
    ///   to the nearest, at least two each).
    /// - Signatures: of the writers that there are 001-034 train, 035-040 choose the threshold and 041-059 test; writers with other
    ///   names are split as images are.
    /// - Letters, speech, what espeak-ng speaks: as images are; of words by speakers see [`speech::split_both`].
    pub fn default_split(&self) -> Result<Split, DataError> {
        match self {
            Spec::Glyphs | Spec::Utterances(_) => Ok(Split {
                train: "0-1999".parse()?,
                threshold: "100000-100399".parse()?,
                test: "200000-200399".parse()?,
            }),
            Spec::Mnist(_) => Ok(Split { train: Pattern::all(), threshold: Pattern::all(), test: Pattern::all() }),
            Spec::Omniglot(folder) => {
                let names = omniglot::identities(folder)?;
                let alphabets = omniglot::alphabets(&names);
                if alphabets.len() < 3 {
                    return self.by_proportion(&names);
                }
                let eighth = ((alphabets.len() + 4) / 8).max(1);
                let (train, rest) = alphabets.split_at(alphabets.len() - 2 * eighth);
                let (threshold, test) = rest.split_at(eighth);
                let characters = |alphabets: &[(&str, &[String])]| -> Vec<String> {
                    alphabets.iter().flat_map(|(_, names)| names.to_vec()).collect()
                };
                Ok(Split {
                    train: Pattern::of_names(&characters(train)),
                    threshold: Pattern::of_names(&characters(threshold)),
                    test: Pattern::of_names(&characters(test)),
                })
            }
            Spec::Letters => self.by_proportion(&letters::identities()),
            Spec::Espeak(kind) => self.by_proportion(&espeak::identities(*kind)),
            Spec::Images(folder) => self.by_proportion(&images::identities(folder)?),
            Spec::Speech(folder, Task::Both) => speech::split_both(folder),
            Spec::Speech(folder, task) => self.by_proportion(&speech::identities(folder, *task)?),
            Spec::Signatures(folder) => {
                let names = signatures::identities(folder)?;
                let split =
                    Split { train: "001-034".parse()?, threshold: "035-040".parse()?, test: "041-059".parse()? };
                let of = |part| names.iter().filter(|name| split.part(part).matches(name)).count();
                let counts = Part::ALL.map(of);
                let fits = counts.iter().sum::<usize>() == names.len() && counts.iter().all(|&count| count >= 2);
                if fits { Ok(split.among(&names)) } else { self.by_proportion(&names) }
            }
        }
    }

    /// The first 60 % of `names` train, the next 20 % choose the threshold, the last 20 % test.
    fn by_proportion(&self, names: &[String]) -> Result<Split, DataError> {
        if names.len() < 6 {
            return Err(DataError::TooFewToSplit { source_name: self.to_string(), identities: names.len() });
        }
        let fifth = ((names.len() * 2 + 5) / 10).max(2);
        let (train, rest) = names.split_at(names.len() - 2 * fifth);
        let (threshold, test) = rest.split_at(fifth);
        Ok(Split {
            train: Pattern::of_names(train),
            threshold: Pattern::of_names(threshold),
            test: Pattern::of_names(test),
        })
    }

    /// The samples of one part.
    ///
    /// Parts never share an identity, with one exception: where all ten digits of MNIST train, the threshold and test parts
    /// may name digits too. In either case MNIST's parts share no picture: of `train-*` the first eleven twelfths (55,000)
    /// train and the others (5,000) choose the threshold, `t10k-*` tests.
    ///
    /// `seed` chooses the world of what the program makes (see [`Maker::identity`]); files do not heed it.
    pub fn load(&self, part: Part, split: &Split, seed: u64) -> Result<Dataset, DataError> {
        self.check(split)?;
        let pattern = split.part(part);
        let Spec::Mnist(folder) = self else {
            return self.load_all(pattern, seed);
        };
        let dataset = match part {
            Part::Test => mnist::load(folder, Half::Testing)?,
            Part::Train | Part::Threshold => {
                let mut dataset = mnist::load(folder, Half::Training)?;
                let held_out = dataset.samples.len() / 12;
                let first = dataset.samples.len() - held_out;
                if part == Part::Train {
                    dataset.samples.truncate(first);
                } else {
                    dataset.samples.drain(..first);
                }
                dataset
            }
        };
        self.choose(dataset, pattern)
    }

    /// All samples of the identities that `pattern` means, whatever part they belong to (of MNIST the training half, then
    /// the testing half; either alone is had from [`mnist::load`]).
    pub fn load_all(&self, pattern: &Pattern, seed: u64) -> Result<Dataset, DataError> {
        let made = |maker: Maker| {
            let numbers = maker.numbers(pattern)?;
            self.at_least_two(pattern, numbers.len())?;
            Ok(maker.dataset(seed, &numbers, made::SAMPLES))
        };
        match self {
            Spec::Glyphs => made(Maker::Glyphs),
            Spec::Letters => made(Maker::Letters),
            Spec::Utterances(task) => made(Maker::Utterances(*task)),
            Spec::Espeak(kind) => {
                self.foresee(pattern, &espeak::identities(*kind))?;
                espeak::load(*kind, |name| pattern.matches(name), seed)
            }
            Spec::Mnist(folder) => {
                let mut dataset = mnist::load(folder, Half::Training)?;
                dataset.samples.append(&mut mnist::load(folder, Half::Testing)?.samples);
                self.choose(dataset, pattern)
            }
            Spec::Omniglot(folder) => {
                self.foresee(pattern, &omniglot::identities(folder)?)?;
                omniglot::load(folder, |name| pattern.matches(name))
            }
            Spec::Images(folder) => {
                self.foresee(pattern, &images::identities(folder)?)?;
                images::load(folder, |name| pattern.matches(name))
            }
            Spec::Signatures(folder) => {
                self.foresee(pattern, &signatures::identities(folder)?)?;
                signatures::load(folder, |name| pattern.matches(name))
            }
            Spec::Speech(folder, task) => {
                self.foresee(pattern, &speech::identities(folder, *task)?)?;
                speech::load(folder, *task, |name| pattern.matches(name))
            }
        }
    }

    /// The names of the identities that `pattern` means.
    pub fn identities(&self, pattern: &Pattern) -> Result<Vec<String>, DataError> {
        let mut names = match self {
            Spec::Glyphs => return Ok(names_of(Maker::Glyphs.numbers(pattern)?)),
            Spec::Utterances(task) => return Ok(names_of(Maker::Utterances(*task).numbers(pattern)?)),
            Spec::Letters => letters::identities(),
            Spec::Espeak(kind) => espeak::identities(*kind),
            Spec::Mnist(_) => DIGITS.map(String::from).to_vec(),
            Spec::Omniglot(folder) => omniglot::identities(folder)?,
            Spec::Images(folder) => images::identities(folder)?,
            Spec::Signatures(folder) => signatures::identities(folder)?,
            Spec::Speech(folder, task) => speech::identities(folder, *task)?,
        };
        names.retain(|name| pattern.matches(name));
        Ok(names)
    }

    /// Refuses a split whose parts share an identity, unless all of MNIST's digits train.
    pub fn check(&self, split: &Split) -> Result<(), DataError> {
        let all_digits = DIGITS.iter().all(|digit| split.train.matches(digit));
        if matches!(self, Spec::Mnist(_)) && all_digits {
            return Ok(());
        }
        match split.overlap() {
            None => Ok(()),
            Some((first, second, name)) => Err(DataError::Overlap { first, second, name }),
        }
    }

    /// `split` with the names of the identities that there really are, so that it claims no other's; of what the program makes, and
    /// of MNIST, the digits. A name, or a whole range, of nobody is refused; but a threshold part of nobody at all may be of another
    /// source.
    pub fn resolve(&self, split: Split) -> Result<Split, DataError> {
        if matches!(self, Spec::Glyphs | Spec::Utterances(_)) {
            return Ok(split);
        }
        let names = self.identities(&Pattern::all())?;
        let elsewhere = !names.iter().any(|name| split.threshold.matches(name));
        for part in Part::ALL.into_iter().filter(|&part| part != Part::Threshold || !elsewhere) {
            self.know(split.part(part), &names)?;
        }
        Ok(if matches!(self, Spec::Mnist(_)) { split } else { split.among(&names) })
    }

    /// The samples of `dataset` whose identities `pattern` means, of at least two of them.
    pub(crate) fn choose(&self, dataset: Dataset, pattern: &Pattern) -> Result<Dataset, DataError> {
        self.know(pattern, &dataset.identities)?;
        let chosen = dataset.retain(|name| pattern.matches(name));
        self.at_least_two(pattern, chosen.identities.len())?;
        Ok(chosen)
    }

    /// Refuses a pattern that leaves fewer than two of `names`, before their samples are read.
    fn foresee(&self, pattern: &Pattern, names: &[String]) -> Result<(), DataError> {
        self.know(pattern, names)?;
        self.at_least_two(pattern, names.iter().filter(|name| pattern.matches(name)).count())
    }

    pub(super) fn know(&self, pattern: &Pattern, names: &[String]) -> Result<(), DataError> {
        match pattern.unmatched(names) {
            None => Ok(()),
            Some(item) => Err(DataError::NoSuchIdentity {
                item,
                source_name: self.to_string(),
                first: names.first().cloned().unwrap_or_default(),
                last: names.last().cloned().unwrap_or_default(),
            }),
        }
    }

    fn at_least_two(&self, pattern: &Pattern, left: usize) -> Result<(), DataError> {
        if left < 2 {
            return Err(DataError::TooFewIdentities {
                pattern: pattern.to_string(),
                left,
                source_name: self.to_string(),
            });
        }
        Ok(())
    }
}

fn names_of(numbers: Vec<u32>) -> Vec<String> {
    numbers.iter().map(u32::to_string).collect()
}

impl FromStr for Spec {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        match text.split_once(':') {
            None if text == "glyphs" => Ok(Spec::Glyphs),
            None if text == "letters" => Ok(Spec::Letters),
            None if text == "espeak" => Ok(Spec::Espeak(Kind::Words)),
            None if text == "espeak#speaker" => Ok(Spec::Espeak(Kind::Voices)),
            None if Task::behind(text).0 == "utterances" => Ok(Spec::Utterances(Task::behind(text).1)),
            Some(("mnist", folder)) if !folder.is_empty() => Ok(Spec::Mnist(folder.into())),
            Some(("omniglot", folder)) if !folder.is_empty() => Ok(Spec::Omniglot(folder.into())),
            Some(("images", folder)) if !folder.is_empty() => Ok(Spec::Images(folder.into())),
            Some(("signatures", folder)) if !folder.is_empty() => Ok(Spec::Signatures(folder.into())),
            Some(("speech", text)) => {
                let (folder, task) = Task::behind(text);
                match folder.is_empty() {
                    true => Err(DataError::Spec(format!("speech:{text}"))),
                    false => Ok(Spec::Speech(folder.into(), task)),
                }
            }
            _ => Err(DataError::Spec(text.to_string())),
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spec::Glyphs => f.write_str("glyphs"),
            Spec::Letters => f.write_str("letters"),
            Spec::Espeak(Kind::Words) => f.write_str("espeak"),
            Spec::Espeak(Kind::Voices) => f.write_str("espeak#speaker"),
            Spec::Utterances(task) => write!(f, "utterances{}", task.suffix()),
            Spec::Mnist(folder) => write!(f, "mnist:{}", folder.display()),
            Spec::Omniglot(folder) => write!(f, "omniglot:{}", folder.display()),
            Spec::Images(folder) => write!(f, "images:{}", folder.display()),
            Spec::Signatures(folder) => write!(f, "signatures:{}", folder.display()),
            Spec::Speech(folder, task) => write!(f, "speech:{}{}", folder.display(), task.suffix()),
        }
    }
}

impl TryFrom<String> for Spec {
    type Error = DataError;

    fn try_from(text: String) -> Result<Self, DataError> {
        text.parse()
    }
}

impl From<Spec> for String {
    fn from(spec: Spec) -> String {
        spec.to_string()
    }
}

#[cfg(test)]
mod tests;
