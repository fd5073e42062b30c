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
        "letters",
        "espeak",
        "espeak#speaker",
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
                 glyphs, letters, utterances, espeak, mnist:DIR, omniglot:DIR, images:DIR, signatures:DIR and speech:DIR"
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
    assert_eq!((test.identities.as_slice(), values(&test)), (["8".to_string(), "9".into()].as_slice(), vec![108, 109]));
    let all = spec.load_all(&"8,9".parse().expect("pattern"), 0).expect("sound");
    assert_eq!(values(&all), [8, 9, 18, 19, 108, 109]);
}

#[test]
fn identities_are_not_shared_except_by_all_of_mnist() {
    let (_folder, mnist) = digits();
    assert!(mnist.check(&split("0-9", "*", "0-3")).is_ok());
    let error = mnist.check(&split("0-8", "9", "7-8")).expect_err("7 in both");
    assert_eq!(error.to_string(), "the train and the test identities both include `7`; choose them without overlap");
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
fn letters_come_by_number_or_all() {
    let names = Spec::Letters.identities(&Pattern::all()).expect("a table");
    assert_eq!(names[..3], ["0", "1", "2"]);
    let load = |text: &str| Spec::Letters.load_all(&text.parse().expect("a pattern"), 5);
    assert_eq!(load("3-5").expect("letters"), Maker::Letters.dataset(5, &[3, 4, 5], made::SAMPLES));
    let error = load("3-5,1000").expect_err("no such letter").to_string();
    assert!(error.contains("`1000` names no identity of letters, where they go from `0` to"), "{error}");
    let split = Spec::Letters.resolve(Spec::Letters.default_split().expect("many")).expect("all there");
    let counts = Part::ALL.map(|part| Spec::Letters.identities(split.part(part)).expect("a table").len());
    assert_eq!(counts.iter().sum::<usize>(), names.len());
    let whole = Maker::Letters.identities(0, &Pattern::all()).expect("a table");
    assert!(whole.iter().map(|made| made.number().to_string()).eq(names));
}

#[test]
fn patterns_that_miss_are_named() {
    let (_folder, spec) = faces(3);
    let error = |text: &str| spec.load_all(&text.parse().expect(text), 0).expect_err(text).to_string();
    assert_eq!(error("s1-s2,s4"), format!("`s4` names no identity of {spec}, where they go from `s1` to `s3`"));
    assert!(error("s2").contains("`s2` leaves 1 of the identities"), "{}", error("s2"));
    assert!(Spec::Glyphs.load_all(&"5".parse().expect("pattern"), 0).is_err());
}

#[test]
fn a_split_that_names_nobody_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["s1", "s2", "s3", "s4", "s5", "s6"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let spec = Spec::Images(folder.path().to_path_buf());
    // A range may be longer than the names that there are.
    let resolved = spec.resolve(split("s1-s2", "s3-s4", "s5-s9")).unwrap();
    assert_eq!(resolved.test.to_string(), "s5-s6");
    for (test, item) in [("s5-s6,carl", "`carl`"), ("5-6", "`5-6`")] {
        let error = spec.resolve(split("s1-s2", "s3-s4", test)).unwrap_err().to_string();
        assert!(error.contains(item), "{error}");
    }
    let mnist = Spec::Mnist(folder.path().to_path_buf());
    assert!(mnist.resolve(split("0-6", "7", "x")).is_err());
    assert!(mnist.resolve(split("0-6", "7", "8-11")).is_ok());
}
