//! What the command line says to input that it cannot use: one sentence, status 1, nothing half-written.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{DOPPEL, committed, contents, doppel, glyphs, refused, square, text};

#[test]
fn a_missing_folder() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("m");
    let output = doppel(&["train", "--data", "images:/no/such/folder", "--out", text(&out)]);
    refused(&output, &["/no/such/folder"]);
    assert!(!out.exists(), "nothing is left behind");
    refused(&doppel(&["evaluate", text(&out)]), &["no model folder", text(&out)]);
}

#[test]
fn sources_without_what_they_need() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (empty, broken, out) = (dir.path().join("empty"), dir.path().join("broken"), dir.path().join("m"));
    fs::create_dir(&empty).expect("a folder");
    let write = |file: String, bytes: &[u8]| {
        let path = broken.join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    };
    for writer in 1..=6 {
        for kind in ["genuine", "forged"] {
            // Pictures of one grey pixel.
            write(format!("{writer:03}/{kind}/1.pgm"), b"P5 1 1 255\n0");
            write(format!("{writer:03}/{kind}/2.pgm"), b"P5 1 1 255\n9");
        }
    }
    let train = |data: &str, folder: &Path| {
        doppel(&["train", "--data", &format!("{data}:{}", text(folder)), "--out", text(&out)])
    };
    for source in ["omniglot", "signatures"] {
        refused(&train(source, Path::new("/no/such/folder")), &["there is no folder /no/such/folder"]);
    }
    refused(&train("omniglot", &empty), &["empty", "ALPHABET/CHARACTER"]);
    refused(&train("signatures", &empty), &["empty", "folder"]);
    for writer in ["001", "002"] {
        fs::create_dir_all(empty.join(writer).join("forged")).expect("a folder");
    }
    refused(&train("omniglot", &empty), &["empty", "ALPHABET/CHARACTER"]);
    refused(&train("signatures", &empty), &["001", "genuine"]);

    // A forgery of the threshold part, then a genuine signature of it; as characters they are read alike.
    for broken_file in ["004/forged/3.png", "004/genuine/3.png"] {
        write(broken_file.into(), b"not a picture");
        for source in ["signatures", "omniglot"] {
            let data = format!("{source}:{}", text(&broken));
            let [train, threshold, test] = match source {
                "signatures" => ["001-002", "003-004", "005-006"],
                _ => ["001/genuine,001/forged", "004/genuine,004/forged", "005/genuine,005/forged"],
            };
            let parts = ["--train-on", train, "--threshold-on", threshold, "--test-on", test];
            let asked: Vec<_> = ["train", "--data", &data, "--out", text(&out)].into_iter().chain(parts).collect();
            refused(&doppel(&asked), &["004", "3.png", "PNG"]);
        }
        fs::remove_file(broken.join(broken_file)).expect("the file");
    }
    assert!(!out.exists(), "nothing is left behind");
}

#[test]
fn a_truncated_idx_file() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let header: Vec<u8> = [2051u32, 100, 28, 28].iter().flat_map(|n| n.to_be_bytes()).collect();
    fs::write(dir.path().join("train-images-idx3-ubyte"), [header, vec![0; 1000]].concat()).expect("a file");
    fs::write(dir.path().join("train-labels-idx1-ubyte"), [0, 0, 8, 1, 0, 0, 0, 100]).expect("a file");
    let (data, out) = (format!("mnist:{}", text(dir.path())), dir.path().join("m"));
    refused(&doppel(&["train", "--data", &data, "--out", text(&out)]), &["idx"]);
    assert!(!out.exists(), "nothing is left behind");
}

#[test]
fn a_png_that_is_not_one() {
    let (dir, model) = glyphs();
    let picture = dir.path().join("portrait.png");
    fs::write(&picture, b"not a picture").expect("a file");
    refused(&doppel(&["embed", text(&model), text(&picture)]), &["portrait.png"]);
}

#[test]
fn a_bundle_with_a_flipped_bit() {
    let (dir, model) = glyphs();
    let (bundle, picture) = (model.join("model.bundle"), dir.path().join("white.png"));
    image::GrayImage::from_pixel(48, 48, image::Luma([255])).save(&picture).expect("a picture");
    assert!(doppel(&["embed", text(&model), text(&picture)]).status.success());
    let good = fs::read(&bundle).expect("a bundle");
    // A bit of the header, of the layer table, of a weight, and of the last byte.
    for at in [20, 100, good.len() / 2, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[at] ^= 4;
        fs::write(&bundle, bytes).expect("a file");
        refused(&doppel(&["embed", text(&model), text(&picture)]), &["model.bundle", "export"]);
    }
    fs::write(&bundle, &good[..good.len() - 3]).expect("a file");
    refused(&doppel(&["embed", text(&model), text(&picture)]), &["model.bundle"]);
}

#[test]
fn an_onnx_file_that_is_foreign_or_harmed() {
    let (dir, model) = glyphs();
    let (onnx, picture) = (model.join("model.onnx"), dir.path().join("white.png"));
    image::GrayImage::from_pixel(48, 48, image::Luma([255])).save(&picture).expect("a picture");
    let embed = || doppel(&["embed", text(&model), text(&picture), "--engine", "onnx"]);
    assert!(embed().status.success());
    let good = fs::read(&onnx).expect("an ONNX file");
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    // ir_version 7 and a producer: the beginning of any exporter's file.
    let foreign = b"\x08\x07\x12\x07pytorch".to_vec();
    for bytes in [flipped, foreign, good[..good.len() / 3].to_vec(), b"GIF89a".to_vec()] {
        fs::write(&onnx, bytes).expect("a file");
        refused(&embed(), &["model.onnx"]);
    }
}

#[test]
fn files_of_several_models() {
    let (dir, model) = glyphs();
    let picture = dir.path().join("white.png");
    image::GrayImage::from_pixel(48, 48, image::Luma([255])).save(&picture).expect("a picture");
    let evaluate = || doppel(&["evaluate", text(&model), "--identities", "200000-200003", "--json"]);
    assert!(evaluate().status.success());
    let put = |file: &str| fs::copy(committed("characters").join(file), model.join(file)).expect("a copy");
    put("model.onnx");
    refused(&doppel(&["embed", text(&model), text(&picture), "--engine", "onnx"]), &["model.onnx", "doppel export"]);
    put("model.bundle");
    refused(&evaluate(), &["model.bundle", "recipe", "doppel export"]);
}

#[test]
fn an_export_of_another_training() {
    let (_dir, model) = glyphs();
    let recipe = model.join("recipe.toml");
    let own = fs::read_to_string(&recipe).expect("a recipe").replace("100000-100399", "100000-100019");
    fs::write(&recipe, &own).expect("a file");
    let evaluate = || doppel(&["evaluate", text(&model), "--identities", "200000-200003", "--json"]);
    assert!(doppel(&["export", text(&model)]).status.success());
    assert!(evaluate().status.success());
    // What trained is called the test part.
    let swapped = own
        .replace("train = \"0-1999\"", "train = \"200000-200399\"")
        .replace("test = \"200000-200399\"", "test = \"0-1999\"");
    fs::write(&recipe, swapped).expect("a file");
    refused(&evaluate(), &["exported before the recipe", "doppel export"]);
    fs::write(&recipe, own).expect("a file");
    let network = model.join("checkpoint/best-000002200/network.bpk");
    let mut bytes = fs::read(&network).expect("a checkpoint");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(&network, bytes).expect("a file");
    refused(&evaluate(), &["exported before the checkpoint", "doppel export"]);
}

#[test]
fn a_checkpoint_of_another_network() {
    let (_dir, model) = glyphs();
    let recipe = model.join("recipe.toml");
    let changed = fs::read_to_string(&recipe).expect("a recipe").replace("embedding = 64", "embedding = 32");
    fs::write(&recipe, changed).expect("a file");
    let before = contents(&model);
    refused(&doppel(&["export", text(&model)]), &["checkpoint"]);
    assert_eq!(contents(&model), before, "nothing was changed");
}

#[test]
#[cfg(unix)]
fn a_full_disk_while_exporting() {
    let (_dir, model) = glyphs();
    let recipe = model.join("recipe.toml");
    let fewer = fs::read_to_string(&recipe).expect("a recipe").replace("100000-100399", "100000-100019");
    fs::write(&recipe, fewer).expect("a file");
    let before = contents(&model);
    // A limit of 16 blocks on the size of any file, in place of a full disk: writing fails in the middle.
    let script = format!("trap '' XFSZ; ulimit -f 16; exec {DOPPEL} export {}", text(&model));
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    refused(&output, &["cannot write", "nothing was changed"]);
    assert_eq!(contents(&model), before, "nothing was changed");
}

#[test]
fn templates_of_another_model() {
    let (dir, model) = glyphs();
    let (white, picture) = (dir.path().join("white.png"), dir.path().join("square.png"));
    image::GrayImage::from_pixel(48, 48, image::Luma([255])).save(&white).expect("a picture");
    square(&picture);
    let enroll = |files: &[&Path], label: &str, more: &[&str]| {
        let files: Vec<&str> = files.iter().map(|path| text(path)).collect();
        doppel(&[&["enroll", text(&model)][..], &files, &["--as", label], more].concat())
    };
    refused(&enroll(&[&white], "anna", &[]), &["white.png", "blank"]);
    let small = dir.path().join("small.png");
    image::GrayImage::from_fn(6, 6, |x, y| image::Luma([if x == y { 0 } else { 255 }]))
        .save(&small)
        .expect("a picture");
    refused(&enroll(&[&small], "anna", &[]), &["small.png", "too small"]);
    assert!(!model.join("gallery.json").exists(), "nothing is left behind");
    assert!(enroll(&[&picture, &picture], "anna", &[]).status.success());
    refused(&enroll(&[&picture], "anna", &[]), &["anna", "already", "--replace"]);
    assert!(enroll(&[&picture], "anna", &["--replace"]).status.success());
    refused(&enroll(&[&picture], "an\nna", &[]), &["label", "control characters"]);
    let gallery = model.join("gallery.json");
    let other = fs::read_to_string(&gallery).expect("a gallery").replacen("\"model\":\"", "\"model\":\"f", 1);
    fs::write(&gallery, other).expect("a file");
    refused(&doppel(&["identify", text(&model), text(&picture)]), &["gallery.json", "enrol again"]);
}

#[test]
fn files_that_are_another_thing() {
    let (dir, model) = glyphs();
    let picture = dir.path().join("square.png");
    square(&picture);
    let [short, missing, program] = ["short.bin", "missing.bin", "program"].map(|name| dir.path().join(name));
    fs::write(&short, [0xff; 100]).expect("a file");
    fs::write(&program, b"\x7fELF and so on").expect("a file");
    let device =
        |elf: &Path, flash: &Path| doppel(&["device", "--qemu", "--elf", text(elf), "--flash", text(flash), "info"]);
    refused(&device(&picture, &missing), &["square.png", "--elf"]);
    refused(&device(&program, &short), &["short.bin", "--flash"]);
    refused(&device(&program, dir.path()), &["--flash"]);
    let enroll =
        |gallery: &Path| doppel(&["enroll", text(&model), text(&picture), "--as", "ann", "--gallery", text(gallery)]);
    refused(&enroll(dir.path()), &["is a folder", "--gallery"]);
    refused(&enroll(Path::new("..")), &["is a folder", "--gallery"]);
    assert!(!Path::new("..lock").exists(), "nothing is left behind");
    // A report's figures would take the place of who is enrolled.
    let out = model.join("gallery.html");
    refused(&doppel(&["report", text(&model), "--out", text(&out), "--replicates", "1"]), &["gallery.json", "--out"]);
}
