//! A data source by its name.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::made::{self, Maker};
use super::mnist::{self, DIGITS, Half};
use super::speech::{self, Task};
use super::{DataError, Dataset, Part, Pattern, Split, espeak, images, omniglot, signatures};

/// Where samples come from, written as `glyphs`, `utterances`, `espeak`, `mnist:DIR`, `omniglot:DIR`, `images:DIR`,
/// `signatures:DIR` or `speech:DIR`; `#word` and `#both` behind `utterances` and `speech:DIR` name another [`Task`] than the
/// speaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Spec {
    /// Drawn by the program: see [`super::glyphs`]. Identities are numbers from 0 to [`made::LAST`].
    Glyphs,
    /// Spoken by the program: see [`super::utterances`]. Identities are such numbers as well.
    Utterances(Task),
    /// Words spoken by the program espeak-ng: see [`espeak`].
    Espeak,
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
        matches!(self, Spec::Speech(..) | Spec::Utterances(_) | Spec::Espeak)
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
    /// - Speech, words by espeak-ng: as images are; of words by speakers see [`speech::split_both`].
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
            Spec::Espeak => self.by_proportion(&espeak::identities()),
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
            let numbers = made::numbers(pattern)?;
            self.at_least_two(pattern, numbers.len())?;
            Ok(maker.dataset(seed, &numbers, made::SAMPLES))
        };
        match self {
            Spec::Glyphs => made(Maker::Glyphs),
            Spec::Utterances(task) => made(Maker::Utterances(*task)),
            Spec::Espeak => {
                self.foresee(pattern, &espeak::identities())?;
                espeak::load(|name| pattern.matches(name), seed)
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
            Spec::Glyphs | Spec::Utterances(_) => {
                return Ok(made::numbers(pattern)?.iter().map(u32::to_string).collect());
            }
            Spec::Espeak => espeak::identities(),
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
    /// of MNIST, all are there.
    pub fn resolve(&self, split: Split) -> Result<Split, DataError> {
        match self {
            Spec::Glyphs | Spec::Utterances(_) | Spec::Mnist(_) => Ok(split),
            files => Ok(split.among(&files.identities(&Pattern::all())?)),
        }
    }

    fn choose(&self, dataset: Dataset, pattern: &Pattern) -> Result<Dataset, DataError> {
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

    fn know(&self, pattern: &Pattern, names: &[String]) -> Result<(), DataError> {
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

impl FromStr for Spec {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        match text.split_once(':') {
            None if text == "glyphs" => Ok(Spec::Glyphs),
            None if text == "espeak" => Ok(Spec::Espeak),
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
            Spec::Espeak => f.write_str("espeak"),
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
mod tests {
    use super::*;
    use image::{GrayImage, Luma};
    use std::fs;
    use tempfile::TempDir;

    /// Identities `s1` to `s{count}` with two pictures each.
    fn faces(count: usize) -> (TempDir, Spec) {
        let folder = tempfile::tempdir().expect("a folder");
        for identity in 1..=count {
            let own = folder.path().join(format!("s{identity}"));
            fs::create_dir(&own).expect("a folder");
            for sample in 1..=2 {
                let value = Luma([(10 * identity + sample) as u8]);
                let path = own.join(format!("{sample}.pgm"));
                GrayImage::from_pixel(1, 1, value).save(path).expect("a file");
            }
        }
        let spec = Spec::Images(folder.path().to_path_buf());
        (folder, spec)
    }

    /// 24 training and 10 testing pictures of one pixel, their digits counting up; the pixel tells the picture's place.
    fn digits() -> (TempDir, Spec) {
        let folder = tempfile::tempdir().expect("a folder");
        for (prefix, count, first) in [("train", 24u8, 0u8), ("t10k", 10, 100)] {
            let counted = [0, 0, 0, count];
            let images = [&[0, 0, 8, 3][..], &counted, &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
            let pixels: Vec<u8> = (first..first + count).collect();
            let labels: Vec<u8> = (0..count).map(|i| i % 10).collect();
            let files = [
                ("images-idx3", [images, pixels].concat()),
                ("labels-idx1", [&[0, 0, 8, 1][..], &counted, &labels].concat()),
            ];
            for (name, bytes) in files {
                let path = folder.path().join(format!("{prefix}-{name}-ubyte"));
                fs::write(path, bytes).expect(name);
            }
        }
        let spec = Spec::Mnist(folder.path().to_path_buf());
        (folder, spec)
    }

    fn split(train: &str, threshold: &str, test: &str) -> Split {
        let pattern = |text: &str| text.parse().expect("a pattern");
        Split { train: pattern(train), threshold: pattern(threshold), test: pattern(test) }
    }

    fn values(dataset: &Dataset) -> Vec<u8> {
        dataset.samples.iter().map(|sample| sample.raw.pixels()[0]).collect()
    }

    #[test]
    fn text_names_a_source() {
        for text in [
            "glyphs",
            "espeak",
            "mnist:some/dir",
            "omniglot:o",
            "images:C:\\faces",
            "signatures:s",
            "speech:a",
            "speech:a#word",
            "utterances",
            "utterances#both",
            "speech:a#both",
        ] {
            let spec: Spec = text.parse().expect(text);
            assert_eq!(spec.to_string(), text);
            let json = serde_json::to_string(&spec).expect("json");
            assert_eq!(serde_json::from_str::<Spec>(&json).expect("spec"), spec);
        }
        for text in ["glyph", "glyphs:x", "mnist", "mnist:", "faces:dir", "speech:", "speech:#word", ""] {
            let error = text.parse::<Spec>().expect_err(text);
            assert_eq!(
                error.to_string(),
                format!(
                    "`{text}` is no data source; the accepted ones are \
                     glyphs, utterances, espeak, mnist:DIR, omniglot:DIR, images:DIR, signatures:DIR and speech:DIR"
                )
            );
        }
    }

    #[test]
    fn pictures_are_split_by_identity() {
        let (_folder, spec) = faces(12);
        let split = spec.default_split().expect("twelve identities");
        assert_eq!(split, self::split("s1-s8", "s9-s10", "s11-s12"));
        let test = spec.load(Part::Test, &split, 0).expect("sound");
        assert_eq!(test.identities, ["s11", "s12"]);
        assert_eq!(values(&test), [111, 112, 121, 122]);
        assert_eq!(spec.identities(&split.test).expect("sound"), test.identities);
        let all = spec.load_all(&Pattern::all(), 0).expect("sound");
        assert_eq!(all.identities.len(), 12);
        assert_eq!(all.retain(|name| split.unseen(name)), test);

        let (_folder, few) = faces(6);
        assert_eq!(few.default_split().expect("six"), self::split("s1-s2", "s3-s4", "s5-s6"));
        let (_folder, fewer) = faces(5);
        assert!(matches!(fewer.default_split(), Err(DataError::TooFewToSplit { identities: 5, .. })));
    }

    /// A folder with a picture at each of `files`.
    fn pictures(files: impl IntoIterator<Item = String>) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = folder.path().join(&file);
            fs::create_dir_all(path.parent().expect("a parent")).expect(&file);
            GrayImage::from_pixel(1, 1, Luma([0])).save(&path).expect(&file);
        }
        folder
    }

    #[test]
    fn characters_are_split_by_alphabet() {
        let of = |alphabets: &[&str]| {
            pictures(alphabets.iter().flat_map(|a| (1..=3).map(move |c| format!("{a}/character{c:02}/1.png"))))
        };
        let folder = of(&["Aramaic", "Greek", "Korean", "Latin"]);
        let spec = Spec::Omniglot(folder.path().to_path_buf());
        let split = spec.default_split().expect("four alphabets");
        let counts = Part::ALL.map(|part| spec.load(part, &split, 0).expect("sound").identities);
        assert_eq!(counts.each_ref().map(Vec::len), [6, 3, 3]);
        assert!(counts[1].iter().all(|name| name.starts_with("Korean/")), "{:?}", counts[1]);
        assert!(counts[2].iter().all(|name| name.starts_with("Latin/")), "{:?}", counts[2]);
        assert_eq!(split.overlap(), None);

        let folder = of(&["Greek", "Latin"]);
        let spec = Spec::Omniglot(folder.path().to_path_buf());
        let split = spec.default_split().expect("six characters");
        assert!(split.threshold.matches("Greek/character03") && split.threshold.matches("Latin/character01"));
    }

    #[test]
    fn writers_are_split_by_number_or_proportion() {
        let split = |writers: &[usize]| {
            let folder = pictures(writers.iter().map(|w| format!("{w:03}/genuine/1.png")));
            Spec::Signatures(folder.path().to_path_buf()).default_split().expect("enough writers")
        };
        let known: Vec<usize> = (1..=59).filter(|w| w % 7 != 0).collect();
        let there = ["001-006,008-013,015-020,022-027,029-034", "036-040", "041,043-048,050-055,057-059"];
        assert_eq!(split(&known), self::split(there[0], there[1], there[2]));
        assert_eq!(split(&[1, 2, 3, 4, 5, 6, 60]), self::split("001-003", "004-005", "006,060"));
    }

    #[test]
    fn mnist_parts_share_no_picture() {
        let (_folder, spec) = digits();
        let split = spec.default_split().expect("fixed");
        let part = |part| values(&spec.load(part, &split, 0).expect("sound"));
        assert_eq!(part(Part::Train), (0..22).collect::<Vec<u8>>());
        assert_eq!(part(Part::Threshold), [22, 23]);
        assert_eq!(part(Part::Test), (100..110).collect::<Vec<u8>>());
        let open = self::split("0-5", "6,7", "8-9");
        let test = spec.load(Part::Test, &open, 0).expect("sound");
        assert_eq!(
            (test.identities.as_slice(), values(&test)),
            (["8".to_string(), "9".into()].as_slice(), vec![108, 109])
        );
        let all = spec.load_all(&"8,9".parse().expect("pattern"), 0).expect("sound");
        assert_eq!(values(&all), [8, 9, 18, 19, 108, 109]);
    }

    #[test]
    fn identities_are_not_shared_except_by_all_of_mnist() {
        let (_folder, mnist) = digits();
        assert!(mnist.check(&split("0-9", "*", "0-3")).is_ok());
        let error = mnist.check(&split("0-8", "9", "7-8")).expect_err("7 in both");
        assert_eq!(
            error.to_string(),
            "the train and the test identities both include `7`; choose them without overlap"
        );
        for split in [split("0-9", "9-12", "20-30"), split("0-9", "10-20", "20-30")] {
            let error = Spec::Glyphs.load(Part::Train, &split, 0).expect_err("shared");
            assert!(matches!(error, DataError::Overlap { .. }));
        }
        for spec in [Spec::Glyphs, mnist] {
            let split = spec.default_split().expect("fixed");
            assert!(spec.check(&split).is_ok());
        }
    }

    #[test]
    fn glyphs_come_by_number() {
        let split = split("0-1", "2-3", "4,6");
        let test = Spec::Glyphs.load(Part::Test, &split, 5).expect("numbers");
        assert_eq!(test, Maker::Glyphs.dataset(5, &[4, 6], made::SAMPLES));
    }

    #[test]
    fn patterns_that_miss_are_named() {
        let (_folder, spec) = faces(3);
        let error = |text: &str| spec.load_all(&text.parse().expect(text), 0).expect_err(text).to_string();
        assert_eq!(error("s1-s2,s4"), format!("`s4` names no identity of {spec}, where they go from `s1` to `s3`"));
        assert!(error("s2").contains("`s2` leaves 1 of the identities"), "{}", error("s2"));
        assert!(Spec::Glyphs.load_all(&"5".parse().expect("pattern"), 0).is_err());
    }
}
