//! Which samples judge a model: those of identities that it has not seen.

use std::collections::HashSet;

use serde::Serialize;
use thiserror::Error;

use crate::data::made::Maker;
use crate::data::mnist::{self, Half};
use crate::data::speech::Task;
use crate::data::{DataError, Dataset, Part, Pattern, RawSample, Spec};
use crate::recipe::{Data, Lineage, Recipe};

/// What a person should know where samples could not be compared with those that trained.
pub const NOT_COMPARED: &str = "the data that the model was trained on, or the model that it started from, is not where the recipe says, \
                                seen from the current folder, so that these samples were not compared with it: they may be of \
                                identities that it was trained on";

/// What a person asks to judge with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selection<'a> {
    /// The source; by default the recipe's.
    pub source: Option<&'a Spec>,
    /// The identities; by default those that the recipe neither trains on nor chooses the threshold with.
    pub identities: Option<&'a Pattern>,
}

/// Why no samples can be had.
#[derive(Debug, Error)]
pub enum SelectionError {
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// All of them were seen.
    #[error(
        "every identity of {0} is one that the model was trained on or that chose its threshold: give other data, or name some \
         with --identities to judge by them all the same"
    )]
    AllSeen(Spec),
    /// The program makes identities without end.
    #[error("{0} has identities without end: name some with --identities, as 200000-200399")]
    NotNamed(Spec),
    /// A k-NN gallery lacks identities of the queries.
    #[error(
        "the training part of {source_name} has no samples of `{first}` ({missing} of the {asked} identities asked for), so no \
         neighbour can name them: use --protocol nway or identify, or name trained ones with --identities"
    )]
    NotInGallery {
        /// The source of the gallery, as its spec is written.
        source_name: String,
        /// The first identity that is missing.
        first: String,
        /// Identities that are missing.
        missing: usize,
        /// Identities of the queries.
        asked: usize,
    },
}

/// The samples of a selection.
#[derive(Debug)]
pub struct Selected {
    /// The samples.
    pub data: Dataset,
    /// How they were chosen.
    pub choice: Choice,
}

/// How samples were chosen, as JSON gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// The source.
    pub data: Spec,
    /// Identities that were left out as the model has seen them.
    pub left_out: usize,
    /// Identities that are there though their samples or names are those that the recipe trains on or chooses the threshold with;
    /// of one-shot runs their pictures.
    pub seen: usize,
    /// Whether samples could be compared with those that trained or chose the threshold, where that had to be done.
    pub compared: bool,
}

impl Choice {
    /// What a person should know of it, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.left_out > 0 {
            notes.push(format!(
                "left out {} identities whose samples or names are those that the recipe trains on or chooses the threshold with",
                self.left_out
            ));
        }
        if self.seen > 0 {
            notes.push(format!(
                "{} of the identities have samples or names that the recipe, or one that it starts from, trains on or chooses the \
                 threshold with",
                self.seen
            ));
        }
        if !self.compared {
            notes.push(NOT_COMPARED.to_string());
        }
        notes
    }
}

/// The samples that `selection` asks for.
///
/// - Named identities are taken whatever they are; those that were seen are counted.
/// - Of the recipe's own source, the test part. So too of any folder of MNIST, whose files tell its parts, and of what the program makes.
/// - Of another source, all that is not seen: an identity is left out if one of its samples is a sample of the training or
///   threshold part. If the source is of the recipe's kind, names count too: always where a name is a class (a character, a
///   word), for people only while the recipe's own source is not there to compare samples with.
pub fn unseen(selection: Selection, recipe: &Recipe) -> Result<Selected, SelectionError> {
    let (own, split, world) = (&recipe.data.source, &recipe.data.split, recipe.data.world);
    let spec = selection.source.unwrap_or(own);
    let maker = Maker::of(spec);
    let made = maker.is_some();
    let parts_by_file = (made || matches!(spec, Spec::Mnist(_))) && kind(spec) == kind(own);
    let in_parts = parts_by_file || spec.is_at(own);
    let data = match selection.identities {
        Some(pattern) => match spec {
            Spec::Mnist(folder) => spec.choose(mnist::load(folder, Half::Testing)?, pattern)?,
            _ => spec.load_all(pattern, world)?,
        },
        None if in_parts => spec.load(Part::Test, split, world)?,
        None if maker.is_some_and(Maker::is_endless) => return Err(SelectionError::NotNamed(spec.clone())),
        None => spec.load_all(&Pattern::all(), world)?,
    };
    let lineage = recipe.lineage();
    // Where names tell who is in which part, samples of the same place need not.
    let elsewhere = |source: &Spec| source.is_sound() == spec.is_sound() && !(in_parts && source.is_at(spec));
    let seen_samples = if made { Some(HashSet::new()) } else { samples_seen(&lineage, elsewhere) };
    let compared = lineage.whole && seen_samples.is_some();
    let by_name = in_parts || !(people(spec) && compared);
    let seen_samples = seen_samples.unwrap_or_default();
    let is_seen = |name: &String| by_name && (seen_by_name(spec, recipe, name) || lineage.trains_on(spec, name));
    let mut seen: Vec<bool> = data.identities.iter().map(is_seen).collect();
    for sample in &data.samples {
        seen[sample.identity] |= seen_samples.contains(&sample.raw);
    }
    let count = seen.iter().filter(|seen| **seen).count();
    let choice = Choice { data: spec.clone(), left_out: 0, seen: 0, compared };
    if in_parts || selection.identities.is_some() {
        return Ok(Selected { data, choice: Choice { seen: count, ..choice } });
    }
    let names: HashSet<String> =
        data.identities.iter().zip(&seen).filter(|(_, seen)| **seen).map(|(name, _)| name.clone()).collect();
    let data = data.retain(|name| !names.contains(name));
    if data.identities.is_empty() {
        return Err(SelectionError::AllSeen(spec.clone()));
    }
    Ok(Selected { data, choice: Choice { left_out: count, ..choice } })
}

/// Whether an identity of `spec` is a person, so that the same name in another folder may be somebody else.
fn people(spec: &Spec) -> bool {
    matches!(spec, Spec::Images(_) | Spec::Signatures(_) | Spec::Speech(_, Task::Speaker))
}

/// Whether the recipe trains on, or chooses the threshold with, the identity `name` of a source of the kind of `spec`.
fn seen_by_name(spec: &Spec, recipe: &Recipe, name: &str) -> bool {
    let Data { source, threshold_source, split, .. } = &recipe.data;
    let threshold = threshold_source.as_ref().unwrap_or(source);
    kind(spec) == kind(source) && split.train.matches(name)
        || kind(spec) == kind(threshold) && split.threshold.matches(name)
}

/// The labelled samples of a k-NN gallery: the training part, of MNIST the whole training file. They are numbered as in `names`,
/// the identities of the queries, each of which must have samples here.
pub fn gallery(source: Option<&Spec>, recipe: &Recipe, names: &[String]) -> Result<Dataset, SelectionError> {
    let source = source.unwrap_or(&recipe.data.source);
    let gallery = match source {
        Spec::Mnist(folder) => mnist::load(folder, Half::Training)?,
        spec => spec.load(Part::Train, &recipe.data.split, recipe.data.world)?,
    };
    let known: HashSet<&String> = gallery.identities.iter().collect();
    let missing: Vec<&String> = names.iter().filter(|name| !known.contains(name)).collect();
    match missing.first() {
        None => Ok(gallery.numbered_as(names)),
        Some(first) => Err(SelectionError::NotInGallery {
            source_name: source.to_string(),
            first: first.to_string(),
            missing: missing.len(),
            asked: names.len(),
        }),
    }
}

/// The word before the colon of a source.
fn kind(spec: &Spec) -> String {
    let text = spec.to_string();
    text.split(':').next().unwrap_or_default().to_string()
}

/// How many of `samples` trained the network or chose its threshold; none where what it was trained on is not there to compare.
pub fn count_seen<'a>(recipe: &Recipe, samples: impl Iterator<Item = &'a RawSample>) -> Option<usize> {
    let lineage = recipe.lineage();
    let seen = samples_seen(&lineage, |_| true).filter(|_| lineage.whole)?;
    Some(samples.filter(|sample| seen.contains(*sample)).count())
}

/// Whether an identity of `part`, the recipe's threshold part, trained the network or one that it started from: one of its name
/// from the same place, or one of its samples from another. None where what trained them is not there to compare.
pub fn threshold_trained(recipe: &Recipe, part: &Dataset) -> Option<bool> {
    let lineage = recipe.lineage();
    let source = recipe.data.threshold_source.as_ref().unwrap_or(&recipe.data.source);
    if part.identities.iter().any(|name| lineage.trains_on(source, name)) {
        return Some(true);
    }
    let trained = trained_samples(&lineage, |other| other.is_sound() == source.is_sound() && !other.is_at(source))?;
    lineage.whole.then(|| in_files(recipe, part.clone()).any(|sample| trained.contains(&sample)))
}

/// The raw samples from files of the sources that are `wanted`, that trained the network, or one that it started from, or chose its
/// threshold; none where one of these sources is not there.
fn samples_seen(lineage: &Lineage, wanted: impl Fn(&Spec) -> bool) -> Option<HashSet<RawSample>> {
    let recipe = lineage.recipes.first()?;
    let mut seen = trained_samples(lineage, &wanted)?;
    let threshold = recipe.data.threshold_source.as_ref().unwrap_or(&recipe.data.source);
    if threshold.folder().is_some() && wanted(threshold) {
        seen.extend(in_files(recipe, recipe.threshold_part().ok()?));
    }
    Some(seen)
}

/// Those of them that trained.
fn trained_samples(lineage: &Lineage, wanted: impl Fn(&Spec) -> bool) -> Option<HashSet<RawSample>> {
    let wanted = |source: &Spec| source.folder().is_some() && wanted(source);
    let mut seen = HashSet::new();
    for Data { source, split, also, world, .. } in lineage.recipes.iter().map(|recipe| &recipe.data) {
        if wanted(source) {
            seen.extend(raw(source.load(Part::Train, split, *world).ok()?));
        }
        for also in also.iter().filter(|also| wanted(&also.source)) {
            seen.extend(raw(also.source.load_all(&also.identities, *world).ok()?));
        }
    }
    Some(seen)
}

/// The samples of `part`, the recipe's threshold part, as they lie in their files.
fn in_files(recipe: &Recipe, part: Dataset) -> impl Iterator<Item = RawSample> {
    raw(if recipe.data.threshold_inverted { part.inverted() } else { part })
}

fn raw(data: Dataset) -> impl Iterator<Item = RawSample> {
    data.samples.into_iter().map(|sample| sample.raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Choices;
    use image::{GrayImage, Luma};
    use tempfile::TempDir;

    /// Folders of two pictures each; the pixel tells them apart.
    fn people(names: &[(&str, u8)]) -> (TempDir, Spec) {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in names {
            let own = folder.path().join(name);
            std::fs::create_dir(&own).unwrap();
            for n in 0..2 {
                GrayImage::from_pixel(16, 16, Luma([value + n])).save(own.join(format!("{n}.png"))).unwrap();
            }
        }
        let spec = Spec::Images(folder.path().to_path_buf());
        (folder, spec)
    }

    fn recipe(source: &Spec) -> Recipe {
        let mut choices = Choices::new(source.clone(), "people");
        let pattern = |text: &str| text.parse().unwrap();
        choices.split =
            Some(crate::data::Split { train: pattern("a,b"), threshold: pattern("c,d"), test: pattern("e,f") });
        choices.recipe().unwrap()
    }

    fn names(selected: &Selected) -> Vec<&str> {
        selected.data.identities.iter().map(String::as_str).collect()
    }

    const SIX: [(&str, u8); 6] = [("a", 10), ("b", 20), ("c", 30), ("d", 40), ("e", 50), ("f", 60)];

    #[test]
    fn the_recipes_own_source_gives_its_test_part() {
        let (folder, spec) = people(&SIX);
        let recipe = recipe(&spec);
        assert_eq!(names(&unseen(Selection::default(), &recipe).unwrap()), ["e", "f"]);
        let roundabout = Spec::Images(folder.path().join("a/.."));
        let selection = Selection { source: Some(&roundabout), identities: None };
        assert_eq!(names(&unseen(selection, &recipe).unwrap()), ["e", "f"]);
    }

    #[test]
    fn other_people_of_the_same_names_are_judged_and_old_samples_of_new_names_are_not() {
        let (folder, spec) = people(&SIX);
        let recipe = recipe(&spec);
        // a and b are others here, y and z are the trained a and the threshold's d again.
        let (_other, source) = people(&[("a", 110), ("b", 120), ("y", 10), ("z", 40)]);
        let selection = Selection { source: Some(&source), identities: None };
        let selected = unseen(selection, &recipe).unwrap();
        assert_eq!(names(&selected), ["a", "b"]);
        assert!(selected.choice.notes()[0].contains("left out 2 identities"), "{:?}", selected.choice);
        assert!(selected.choice.compared);
        // Without the recipe's own data only names can tell.
        drop(folder);
        let selected = unseen(selection, &recipe).unwrap();
        assert_eq!(names(&selected), ["y", "z"]);
        assert!(selected.choice.notes().iter().any(|note| note.contains("not compared")), "{:?}", selected.choice);
    }

    #[test]
    fn named_people_of_another_folder_are_known_by_their_samples() {
        let (folder, spec) = people(&SIX);
        let recipe = recipe(&spec);
        let (_other, source) = people(&[("a", 110), ("y", 10), ("z", 40)]);
        let all = Pattern::all();
        let selection = Selection { source: Some(&source), identities: Some(&all) };
        let selected = unseen(selection, &recipe).unwrap();
        assert_eq!(names(&selected), ["a", "y", "z"]);
        assert_eq!((selected.choice.seen, selected.choice.left_out, selected.choice.compared), (2, 0, true));
        drop(folder);
        let selected = unseen(selection, &recipe).unwrap();
        assert_eq!((names(&selected).len(), selected.choice.seen, selected.choice.compared), (3, 1, false));
    }

    #[test]
    fn who_trained_the_network_that_a_training_started_from_is_seen() {
        let (_folder, spec) = people(&SIX);
        let (start, mut own) = (tempfile::tempdir().unwrap(), recipe(&spec));
        let mut first = own.clone();
        std::mem::swap(&mut first.data.split.train, &mut first.data.split.test);
        first.save(start.path()).unwrap();
        own.net.start = Some(start.path().to_path_buf());
        let selected = unseen(Selection::default(), &own).unwrap();
        assert_eq!((names(&selected), selected.choice.seen, selected.choice.compared), (vec!["e", "f"], 2, true));
        assert_eq!(count_seen(&own, selected.data.samples.iter().map(|sample| &sample.raw)), Some(4));
        // The same people in another folder.
        let (_copy, copy) = people(&SIX);
        first.data.source = copy;
        first.save(start.path()).unwrap();
        assert_eq!(unseen(Selection::default(), &own).unwrap().choice.seen, 2);
        own.net.start = Some(start.path().join("none"));
        let selected = unseen(Selection::default(), &own).unwrap();
        assert_eq!((selected.choice.seen, selected.choice.compared), (0, false));
        assert_eq!(count_seen(&own, std::iter::empty()), None);
    }

    #[test]
    fn a_threshold_of_those_who_trained_is_known_by_names_and_samples() {
        let (_folder, spec) = people(&SIX);
        let trained = |recipe: &Recipe| threshold_trained(recipe, &recipe.threshold_part().unwrap());
        let mut own = recipe(&spec);
        assert_eq!(trained(&own), Some(false));
        // The trained a and b under other names, as they are and inverted.
        let (_copy, copy) = people(&[("y", 10), ("z", 20)]);
        own.data.threshold_source = Some(copy);
        own.data.split.threshold = "y,z".parse().unwrap();
        assert_eq!(trained(&own), Some(true));
        own.data.threshold_inverted = true;
        assert_eq!(trained(&own), Some(true));
        // Who trained the start, of the same folder.
        let start = tempfile::tempdir().unwrap();
        let mut first = recipe(&spec);
        std::mem::swap(&mut first.data.split.train, &mut first.data.split.threshold);
        first.save(start.path()).unwrap();
        let mut own = recipe(&spec);
        own.net.start = Some(start.path().to_path_buf());
        assert_eq!(trained(&own), Some(true));
        own.net.start = Some(start.path().join("none"));
        assert_eq!(trained(&own), None);
    }

    #[test]
    fn strangers_may_have_a_trained_speakers_name() {
        let speakers = |names: &[(&str, i16)]| {
            let folder = tempfile::tempdir().unwrap();
            for (name, value) in names {
                std::fs::create_dir(folder.path().join(name)).unwrap();
                for n in 0..2 {
                    let format = hound::SampleFormat::Int;
                    let spec =
                        hound::WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: format };
                    let path = folder.path().join(name).join(format!("{n}.wav"));
                    let mut recording = hound::WavWriter::create(path, spec).unwrap();
                    recording.write_sample(value + n).unwrap();
                    recording.finalize().unwrap();
                }
            }
            let spec = Spec::Speech(folder.path().to_path_buf(), Task::Speaker);
            (folder, spec)
        };
        let (_folder, spec) = speakers(&SIX.map(|(name, value)| (name, i16::from(value))));
        let recipe = recipe(&spec);
        let (_other, source) = speakers(&[("a", 110), ("b", 120), ("y", 10)]);
        let selected = unseen(Selection { source: Some(&source), identities: None }, &recipe).unwrap();
        assert_eq!((names(&selected), selected.choice.left_out), (vec!["a", "b"], 1));
    }

    #[test]
    fn digits_that_trained_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, sizes: &[u32], content: &[u8]| {
            let mut file = vec![0, 0, 8, sizes.len() as u8];
            file.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
            file.extend(content);
            std::fs::write(folder.path().join(name), file).unwrap();
        };
        write("t10k-images-idx3-ubyte", &[20, 28, 28], &[0; 20 * 28 * 28]);
        write("t10k-labels-idx1-ubyte", &[20], &std::array::from_fn::<u8, 20, _>(|n| n as u8 % 10));
        let recipe = Choices::new(Spec::Mnist(folder.path().to_path_buf()), "digits").recipe().unwrap();
        let all = Pattern::all();
        for identities in [None, Some(&all)] {
            let choice = unseen(Selection { source: None, identities }, &recipe).unwrap().choice;
            assert_eq!((choice.seen, choice.left_out, choice.compared), (10, 0, true), "{identities:?}");
        }
    }

    #[test]
    fn a_gallery_is_numbered_as_the_queries_and_holds_them_all() {
        let (_folder, spec) = people(&SIX);
        let recipe = recipe(&spec);
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        // The recipe trains on a and b.
        let gallery = |asked: &[&str]| super::gallery(None, &recipe, &names(asked));
        for asked in [["a", "b"], ["b", "a"]] {
            let found = gallery(&asked).unwrap();
            assert_eq!(found.identities, asked);
            let darker = found.samples.iter().find(|sample| sample.raw.pixels()[0] < 20).unwrap();
            assert_eq!(asked[darker.identity], "a");
        }
        let error = gallery(&["a", "e", "f"]).unwrap_err().to_string();
        assert!(error.contains("`e`") && error.contains("2 of the 3") && error.contains("nway"), "{error}");
    }

    fn along(source: &Spec, identities: &str) -> crate::recipe::Also {
        crate::recipe::Also {
            source: source.clone(),
            name: None,
            licence: None,
            identities: identities.parse().unwrap(),
            invert: false,
            rotations_as_classes: false,
            sampling: crate::data::Sampling::Balanced { identities: 2, samples: 2 },
        }
    }

    #[test]
    fn letters_that_trained_are_known_by_their_numbers() {
        let (_folder, spec) = people(&SIX);
        let mut recipe = recipe(&spec);
        let letters = Selection { source: Some(&Spec::Letters), identities: None };
        let all = unseen(letters, &recipe).unwrap().data.identities.len();
        recipe.data.also.push(along(&Spec::Letters, "0-99"));
        let selected = unseen(letters, &recipe).unwrap();
        assert_eq!((selected.data.identities.len(), selected.choice.left_out), (all - 100, 100));
        recipe.data.also.push(along(&Spec::Letters, "*"));
        assert!(matches!(unseen(letters, &recipe), Err(SelectionError::AllSeen(_))));
    }

    #[test]
    fn what_trains_along_is_known_by_name_or_sample() {
        let (_folder, spec) = people(&SIX);
        let mut recipe = recipe(&spec);
        let (_other, others) = people(&[("m", 110), ("n", 120)]);
        recipe.data.also = vec![along(&Spec::Glyphs, "0-9"), along(&others, "*")];
        let pattern: Pattern = "8-11".parse().unwrap();
        let glyphs = Selection { source: Some(&Spec::Glyphs), identities: Some(&pattern) };
        assert_eq!(unseen(glyphs, &recipe).unwrap().choice.seen, 2);
        let without_names = unseen(Selection { identities: None, ..glyphs }, &recipe).unwrap_err().to_string();
        assert!(without_names.contains("--identities"), "{without_names}");
        let (_new, new) = people(&[("x", 110), ("y", 130), ("z", 140)]);
        let selected = unseen(Selection { source: Some(&new), identities: None }, &recipe).unwrap();
        assert_eq!((names(&selected), selected.choice.left_out), (vec!["y", "z"], 1));
        // Also where the main source is one that the program makes.
        recipe.data.source = Spec::Glyphs;
        let selected = unseen(Selection { source: Some(&new), identities: None }, &recipe).unwrap();
        assert_eq!(selected.choice.left_out, 1);
    }

    #[test]
    fn nobody_left_is_said() {
        let (_folder, spec) = people(&SIX);
        let recipe = recipe(&spec);
        let (_other, source) = people(&[("x", 10), ("y", 20)]);
        let error = unseen(Selection { source: Some(&source), identities: None }, &recipe).unwrap_err().to_string();
        assert!(error.contains("--identities") && !error.contains('\n'), "{error}");
        let pattern: Pattern = "a,e".parse().unwrap();
        let named = unseen(Selection { source: None, identities: Some(&pattern) }, &recipe).unwrap();
        assert_eq!(names(&named), ["a", "e"]);
        assert!(named.choice.notes()[0].contains("1 of the identities"), "{:?}", named.choice);
    }
}
