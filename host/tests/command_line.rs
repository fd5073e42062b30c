//! How the command line behaves whatever is asked of it: output that nobody takes, arguments that make no command, a board that
//! hears.

mod common;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use common::{DOPPEL, committed, doppel, glyphs, refused, refused_with, square, text};

#[test]
fn output_that_nobody_reads_ends_the_program_quietly() {
    let (dir, model) = glyphs();
    let picture = dir.path().join("square.png");
    square(&picture);
    let mut child = Command::new(DOPPEL)
        .args(["embed", text(&model), text(&picture), text(&picture)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("doppel starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[cfg(target_os = "linux")]
fn output_that_takes_no_more_is_told() {
    let (dir, model) = glyphs();
    let picture = dir.path().join("square.png");
    square(&picture);
    let full = File::options().write(true).open("/dev/full").expect("every Linux has it");
    let output = Command::new(DOPPEL)
        .args(["embed", text(&model), text(&picture), "--json"])
        .stdout(full)
        .output()
        .expect("doppel starts");
    refused(&output, &["standard output", "space"]);
}

#[test]
#[cfg(unix)]
fn a_full_disk_while_drawing() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("drawn");
    let script = format!("trap '' XFSZ; ulimit -f 0; exec {DOPPEL} draw {}", text(&out));
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    refused(&output, &["cannot write", ".png"]);
    assert!(doppel(&["draw", text(&out), "--identities", "2"]).status.success());
    let drawn = fs::read_dir(out.join("1000001")).expect("a folder");
    assert!(drawn.into_iter().all(|file| image::open(file.expect("an entry").path()).is_ok()));
}

#[test]
fn letters_are_drawn_up_to_the_last() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("drawn");
    assert!(
        doppel(&["draw", text(&out), "--source", "letters", "--first", "111", "--identities", "2"]).status.success()
    );
    for file in ["111/0.png", "112/3.png"] {
        let picture = image::open(out.join(file)).expect("a picture").to_luma8();
        assert!(picture.pixels().any(|pixel| pixel.0[0] < 128), "{file} has no ink");
    }
}

#[test]
fn a_recipe_alone_is_written() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("mine");
    let line = ["train", "--data", "glyphs", "--out", text(&out), "--recipe-only", "--set", "augment.erase=0.25"];
    assert!(doppel(&line).status.success());
    let files: Vec<_> =
        fs::read_dir(&out).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(files, ["recipe.toml"]);
    assert!(fs::read_to_string(out.join("recipe.toml")).expect("a recipe").contains("\nerase = 0.25\n"));
    let model = committed("glyphs");
    refused_with(2, &doppel(&["train", text(&model), "--recipe-only"]), &["trained model"]);
}

#[test]
fn arguments_that_make_no_command_end_with_status_2() {
    let two = |line: &str, words: &[&str]| {
        let output = doppel(&line.split(' ').collect::<Vec<_>>());
        refused_with(2, &output, words);
    };
    two("train", &["--data"]);
    two("train --data glyphs", &["--out"]);
    two("train --data glyphs --out x --embedding 513", &["--embedding is 513", "512"]);
    two("train --data glyphs --out x --batch 4x18446744073709551615", &["--batch", "65536"]);
    two("train --data glyphs --out x --input 60000x60000", &["--input", "1024"]);
    two("train --data glyphs --out x --method softmax --margin 0.3", &["--margin", "softmax"]);
    two("train --data glyphs --out x --method arcface --then triplet --margin 0.3", &["--margin", "recipe"]);
    two("train --data glyphs --out x --net article --width 2", &["--width", "compact"]);
    two("train --data glyphs --out x --fill silence", &["--fill", "recordings"]);
    two("evaluate m --k 3", &["--k", "knn"]);
    two("evaluate m --protocol knn --k 3 --ways 5", &["--ways", "nway"]);
    two("evaluate m --protocol nway --references 2", &["--references", "identify"]);
    two("evaluate m --protocol one-shot-runs --identities 1", &["--identities", "one-shot-runs"]);
    two("device info", &["--port", "--tcp", "--qemu"]);
    two("report models/a models/b", &["--out"]);
    two("draw x --first 4294967295 --identities 3", &["--identities 3", "the last of the glyphs"]);
    two("draw x --source letters --first 112 --identities 2", &["--first 112", "112, the last of the letters"]);
    assert!(!Path::new("x").exists(), "nothing is left behind");
    // These clap refuses, in its own lines.
    for line in [
        "evaluate m --replicates 18446744073709551615",
        "evaluate m --references 18446744073709551615",
        "evaluate m --shots 0",
        "evaluate m --ways 1",
        "evaluate m --k 0",
        "report m --replicates 1000000000",
        "export m --max-eer-gap nan",
    ] {
        let output = doppel(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn neighbours_need_names_that_they_know() {
    let (_dir, model) = glyphs();
    let output = doppel(&["evaluate", text(&model), "--protocol", "knn", "--identities", "200000-200002"]);
    refused(&output, &["200000", "nway"]);
}

/// A program that ends with the test: the board on the desktop, or who watches it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The desktop's board with `model`, and where it listens.
fn served(model: &Path) -> (Running, String) {
    let mut child = Command::new(DOPPEL)
        .args(["serve", text(model), "--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("doppel starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
    let board = Running(child);
    let told = lines.find_map(|line| line.strip_prefix("listening at ").map(String::from));
    // What it says later is read as well, or it would end at a closed pipe.
    thread::spawn(move || lines.for_each(drop));
    (board, told.expect("it says where it listens"))
}

/// To a smaller model, to the larger one and back, then to the one that the board was started with, over connections that the
/// board drops when it starts again.
#[test]
fn a_board_is_updated_over_tcp() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let key = dir.path().join("key");
    let (faces, glyphs) = (committed("faces"), committed("glyphs"));
    let (board, address) = served(&faces);
    let device = |args: &[&str]| {
        let output = doppel(&[&["device", "--tcp", &address, "--key", text(&key), "--json"], args].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let line: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
        line
    };
    device(&["provision"]);
    let updated = [(&glyphs, 1), (&faces, 2), (&glyphs, 1)].map(|(model, slot)| {
        let updated = device(&["update", text(model)]);
        assert_eq!(updated["slot"], slot, "{updated}");
        updated["model"].clone()
    });
    assert_ne!(updated[1], updated[2]);
    let reverted = device(&["revert"]);
    assert_eq!((&reverted["slot"], &reverted["model"]), (&0.into(), &updated[1]), "{reverted}");
    drop(board);
}

/// Whoever watches a board leaves it to others in between, and sees what they are told.
#[test]
fn a_board_is_watched_beside_others() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (key, picture) = (dir.path().join("key"), dir.path().join("square.png"));
    square(&picture);
    let (board, address) = served(&committed("glyphs"));
    let to = ["device", "--tcp", &address, "--key", text(&key), "--json"];
    // Should it see nothing, it ends all the same.
    let mut watch = Command::new(DOPPEL);
    watch.args(to).args(["watch", "--seconds", "60"]).stdout(Stdio::piped());
    let mut watch = Running(watch.spawn().expect("doppel starts"));
    for args in [&["provision"][..], &["enroll", text(&picture), "--as", "ann"], &["identify", text(&picture)]] {
        let output = doppel(&[&to, args].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let mut seen = BufReader::new(watch.0.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    let decision = seen.next().expect("a decision is seen");
    assert!(decision.contains("ann"), "{decision}");
    drop((watch, board));
}

/// Programs that enrol at once into one gallery.
#[test]
fn no_enrolment_is_lost() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (model, gallery) = (committed("glyphs"), dir.path().join("gallery.json"));
    let picture = dir.path().join("square.png");
    square(&picture);
    let labels = ["ann", "bob", "cy", "dee"];
    thread::scope(|scope| {
        for label in labels {
            let args = ["enroll", text(&model), text(&picture), "--as", label, "--gallery", text(&gallery), "--json"];
            scope.spawn(move || assert!(doppel(&args).status.success(), "{label} is enrolled"));
        }
    });
    let kept = fs::read_to_string(&gallery).expect("a gallery");
    assert!(labels.iter().all(|label| kept.contains(&format!("\"{label}\""))), "{kept}");
}

#[test]
fn a_board_is_sent_recordings() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let model = committed("words");
    let path = dir.path().join("tone.wav");
    let spec =
        hound::WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut tone = hound::WavWriter::create(&path, spec).expect("a file");
    for n in 0..4000 {
        let rising = f64::from(n) * (0.1 + f64::from(n) / 16000.0);
        tone.write_sample((8000.0 * rising.sin()) as i16).expect("a sample");
    }
    tone.finalize().expect("a recording");

    let (board, address) = served(&model);
    let embedding = |args: &[&str]| {
        let output = doppel(args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let line: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
        line["embedding"].clone()
    };
    let heard = embedding(&["device", "--tcp", &address, "--json", "embed", text(&path)]);
    assert!(heard.is_array());
    assert_eq!(heard, embedding(&["embed", text(&model), text(&path), "--json"]));
    drop(board);
}
