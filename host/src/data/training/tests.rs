use super::*;
use crate::data::input_tensor;
use crate::data::sound::SoundAugment;
use shared::frontend::Pixels;
use std::collections::HashSet;

const PIXELS: Pixels = Pixels { width: 16, height: 16, channels: 1, invert: true, stretch: false };
const FRONT: FrontEnd = FrontEnd::Pixels(PIXELS);

fn batching(sampling: Sampling) -> Batching {
    Batching {
        classes: Classes::default(),
        sampling,
        augment: Augment::default(),
        sound: SoundAugment::default(),
        seed: 4,
    }
}

const BALANCED: Sampling = Sampling::Balanced { identities: 3, samples: 4 };

/// Six identities with five tensors of one byte, which tells the sample.
fn stored(augment: Augment, sampling: Sampling) -> TrainingData {
    let tensors = Tensors {
        shape: Shape { height: 1, width: 1, channels: 1 },
        data: (0..30).collect(),
        identities: (0..30).map(|i| i / 5).collect(),
    };
    let batching = Batching { augment, ..batching(sampling) };
    TrainingData::stored(tensors, batching).expect("fits")
}

fn epoch(data: &TrainingData, number: u64) -> Vec<Batch> {
    let batches: Result<Vec<_>, _> = data.epoch(number).collect();
    let batches = batches.expect("fits");
    assert_eq!(batches.len(), data.batches());
    batches
}

#[test]
fn stored_tensors_keep_their_identities() {
    for sampling in [BALANCED, Sampling::Shuffled { batch: 7 }] {
        let data = stored(Augment::default(), sampling);
        assert_eq!(data.identities(), 6);
        for batch in epoch(&data, 1) {
            let own = batch.data.iter().map(|&value| usize::from(value) / 5);
            assert!(own.eq(batch.identities));
        }
    }
}

#[test]
fn turns_are_classes() {
    let tensors = Tensors {
        shape: Shape { height: 2, width: 2, channels: 2 },
        data: vec![1, 2, 3, 4, 11, 12, 13, 14, 5, 6, 7, 8, 15, 16, 17, 18],
        identities: vec![0, 1],
    };
    let classes = Classes { rotations: true, ..Classes::default() };
    let asked = Batching { classes, ..batching(Sampling::Shuffled { batch: 8 }) };
    let data = TrainingData::stored(tensors.clone(), asked).expect("square");
    assert_eq!((data.identities(), data.batches()), (8, 1));
    let batch = epoch(&data, 0).remove(0);
    let mut seen: Vec<_> = batch.identities.into_iter().zip(batch.data.chunks(8).map(<[u8]>::to_vec)).collect();
    seen.sort();
    let (own, other) = (&seen[..4], &seen[4..]);
    assert_eq!(own[0], (0, vec![1, 2, 3, 4, 11, 12, 13, 14]));
    assert_eq!(own[1], (1, vec![2, 4, 1, 3, 12, 14, 11, 13]));
    assert_eq!(own[2], (2, vec![4, 3, 2, 1, 14, 13, 12, 11]));
    assert_eq!(own[3], (3, vec![3, 1, 4, 2, 13, 11, 14, 12]));
    assert_eq!(other[0], (4, vec![5, 6, 7, 8, 15, 16, 17, 18]));

    let flat = Tensors { shape: Shape { height: 1, width: 4, channels: 2 }, ..tensors };
    let error = TrainingData::stored(flat, asked).err().expect("not square").to_string();
    assert!(error.contains("1x4") && error.contains("rotations_as_classes"), "{error}");
}

#[test]
fn forgeries_are_classes_only_where_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["1/genuine/a.png", "1/genuine/b.png", "2/genuine/a.png", "2/forged/a.png"] {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect(file);
        image::GrayImage::from_pixel(1, 1, image::Luma([0])).save(&path).expect(file);
    }
    let spec = Spec::Signatures(folder.path().to_path_buf());
    let pattern = |text: &str| text.parse().expect("pattern");
    let split = Split { train: pattern("1,2"), threshold: pattern("3"), test: pattern("4") };
    let load = |forgeries| {
        let classes = Classes { forgeries, ..Classes::default() };
        let asked = Batching { classes, ..batching(Sampling::Shuffled { batch: 9 }) };
        let data = TrainingData::load(&spec, &split, 0, FRONT, asked).expect("sound");
        let mut labels = epoch(&data, 0).remove(0).identities;
        labels.sort();
        (data.identities(), labels)
    };
    assert_eq!(load(false), (2, vec![0, 0, 1]));
    assert_eq!(load(true), (3, vec![0, 0, 1, 2]));
}

#[test]
fn glyphs_are_new_in_every_epoch() {
    let spec = Spec::Glyphs;
    let split = Split {
        train: "10-14".parse().expect("pattern"),
        threshold: "20".parse().expect("pattern"),
        test: "30".parse().expect("pattern"),
    };
    let data = TrainingData::load(&spec, &split, 1, FRONT, batching(BALANCED)).expect("fits");
    assert_eq!((data.identities(), data.batches(), data.shape().bytes()), (5, 100 / 12, 256));
    let mut seen = HashSet::new();
    for number in 0..2 {
        for batch in epoch(&data, number) {
            for (tensor, identity) in batch.data.chunks(256).zip(batch.identities) {
                assert!(seen.insert(tensor.to_vec()), "a drawing came twice");
                let mine = (0..40).any(|sample| {
                    let drawing = Maker::Glyphs.identity(1, 10 + identity as u32).sample(sample);
                    input_tensor(&FRONT, &drawing).is_ok_and(|own| own == tensor)
                });
                assert!(mine, "not identity {identity}");
            }
        }
    }
}

#[test]
fn an_epoch_comes_again_exactly() {
    let vary = Augment { brightness: 0.5, ..Augment::default() };
    let data = stored(vary, BALANCED);
    assert_eq!(epoch(&data, 3), epoch(&stored(vary, BALANCED), 3));
    assert_ne!(epoch(&data, 3), epoch(&data, 4));
    let plain = stored(Augment::default(), BALANCED);
    assert_ne!(epoch(&data, 3), epoch(&plain, 3));
}

#[test]
fn what_cannot_be_dealt_is_refused() {
    let glyphs = || [0, 1].map(|number| Maker::Glyphs.identity(0, number)).to_vec();
    assert!(TrainingData::made(glyphs(), FRONT, batching(BALANCED)).is_err());
    let mut wild = batching(Sampling::Shuffled { batch: 4 });
    wild.augment.shift = 7.0;
    assert!(TrainingData::made(glyphs(), FRONT, wild).is_err());
    let colour = FrontEnd::Pixels(Pixels { channels: 3, ..PIXELS });
    let data = TrainingData::made(glyphs(), colour, batching(Sampling::Shuffled { batch: 4 }));
    let first = data.expect("dealt").epoch(0).next();
    assert!(matches!(first, Some(Err(DataError::Frontend { .. }))));
}

#[test]
fn halves_of_two_classes_are_a_class() {
    // Three identities with two tensors of two rows; the byte tells the sample and the row.
    let tensors = Tensors {
        shape: Shape { height: 2, width: 1, channels: 1 },
        data: (0..6).flat_map(|sample| [10 * sample, 10 * sample + 1]).collect(),
        identities: vec![0, 0, 1, 1, 2, 2],
    };
    let classes = Classes { halves: true, ..Classes::default() };
    let sampling = Sampling::Shuffled { batch: 6 };
    let data = TrainingData::stored(tensors, Batching { classes, ..batching(sampling) }).expect("fits");
    assert_eq!((data.identities(), data.batches()), (9, 3));
    let mut seen = HashSet::new();
    for batch in epoch(&data, 0) {
        for (rows, class) in batch.data.chunks_exact(2).zip(batch.identities) {
            let (first, second) = (rows[0] / 10, rows[1] / 10);
            assert_eq!((rows[0] % 10, rows[1] % 10), (0, 1));
            assert_eq!(class, usize::from(first / 2) * 3 + usize::from(second / 2));
            assert!(class % 4 != 0 || first == second, "a class of one identity is its samples as they are");
            seen.insert((first, class));
        }
    }
    assert_eq!(seen.len(), 18, "every sample begins one of each class");
}

#[test]
fn halves_of_turned_classes_are_classes() {
    let tensors = Tensors {
        shape: Shape { height: 2, width: 1, channels: 1 },
        data: vec![10, 11, 20, 21],
        identities: vec![0, 1],
    };
    let classes = Classes { mirrors: true, halves: true, ..Classes::default() };
    let asked = Batching { classes, ..batching(Sampling::Shuffled { batch: 64 }) };
    let data = TrainingData::stored(tensors, asked).expect("fits");
    assert_eq!((data.identities(), data.batches()), (64, 1));
    let batch = epoch(&data, 0).remove(0);
    // Of one column, the second and the fourth way are upside down or as it is.
    let rows = |class: usize| {
        let first = 10 * (class / 4 + 1);
        if [0, 1].contains(&(class % 4)) { [first, first + 1] } else { [first + 1, first] }
    };
    for (made, class) in batch.data.chunks_exact(2).zip(batch.identities) {
        let (upper, lower) = (rows(class / 8)[0], rows(class % 8)[1]);
        assert_eq!(made.iter().map(|&row| usize::from(row)).collect::<Vec<_>>(), [upper, lower], "class {class}");
    }
}
