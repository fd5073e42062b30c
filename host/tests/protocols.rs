//! `doppel evaluate`: every protocol by every engine, on drawn glyphs.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{committed, copy, doppel, refused, text};
use serde_json::Value;

/// What `evaluate models/glyphs --json` says with `args` besides.
fn evaluate(args: &[&str]) -> Value {
    let model = committed("glyphs");
    let all = [&["evaluate", text(&model), "--json"], args].concat();
    let output = doppel(&all);
    assert!(output.status.success(), "{all:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a line of JSON")
}

fn rate(answer: &Value, name: &str) -> f64 {
    let rate = answer[name].as_f64().unwrap_or_else(|| panic!("{name} is missing: {answer}"));
    assert!((0.0..=1.0).contains(&rate), "{name} of {answer}");
    rate
}

/// Folders of a few samples each of glyphs that the model never saw, in the order of their numbers.
fn drawn(dir: &Path, identities: &str) -> Vec<PathBuf> {
    let out = dir.join("drawn");
    let output = doppel(&["draw", text(&out), "--identities", identities, "--samples", "6"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut folders: Vec<PathBuf> =
        fs::read_dir(&out).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    folders.sort();
    folders
}

#[test]
fn engines_measure_alike() {
    let unseen = ["--data", "glyphs", "--identities", "1000000-1000011", "--replicates", "20"];
    let protocols: [(&[&str], &str); 3] = [
        (&["--protocol", "verify", "--references", "2"], "eer"),
        (&["--protocol", "nway", "--ways", "5", "--trials", "500"], "accuracy"),
        (&["--protocol", "identify"], "rank1"),
    ];
    for (protocol, figure) in protocols {
        let by = |engine: &str| evaluate(&[&unseen[..], protocol, &["--engine", engine]].concat());
        let [mut int8, mut onnx, float] = ["int8", "onnx", "float"].map(by);
        assert!((rate(&int8, figure) - rate(&float, figure)).abs() < 0.02, "{int8} {float}");
        assert_eq!((int8["engine"].take(), onnx["engine"].take()), ("int8".into(), "onnx".into()));
        assert_eq!(int8, onnx);
        assert_eq!(int8["identities"], 12);
        assert_eq!((int8["model"].as_str().map(str::len), float["model"].as_str()), (Some(16), None));
        let nway = figure == "accuracy";
        for (name, value) in [("ways", 5), ("shots", 1), ("trials", 500), ("seed", 1)] {
            assert_eq!(int8[name].as_u64(), nway.then_some(value), "{name} of {int8}");
        }
        // The curve of what is accepted, up to everything.
        let det = int8["det"].as_array();
        assert_eq!(det.is_some(), figure == "eer");
        if let Some(last) = det.and_then(|curve| curve.last()) {
            assert_eq!((rate(last, "fmr"), rate(last, "fnmr")), (1.0, 0.0));
            assert_eq!(last["interval"], serde_json::json!([0.0, 0.0]));
        }
    }
}

#[test]
fn neighbours_name_what_the_gallery_holds() {
    let answer = evaluate(&["--data", "glyphs", "--identities", "0-5", "--protocol", "knn", "--k", "3"]);
    // Among 2,000 that trained; a query is not its own neighbour.
    assert!((0.7..0.9).contains(&rate(&answer, "accuracy")), "{answer}");
    assert_eq!(answer["k"], 3);
}

/// Forgeries that are the genuine samples of somebody else deceive as rarely as these do.
#[test]
fn forgeries_are_told_from_others() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let folders = drawn(dir.path(), "5");
    let writers = dir.path().join("writers");
    for (number, folder) in folders.iter().enumerate() {
        let writer = writers.join(format!("{number:03}"));
        copy(folder, &writer.join("genuine"));
        copy(&folders[(number + 1) % folders.len()], &writer.join("forged"));
    }
    let data = format!("signatures:{}", text(&writers));
    let answer = evaluate(&["--data", &data, "--identities", "*", "--protocol", "signatures", "--references", "3"]);
    assert_eq!(answer["references"], 3);
    for figure in ["eer_skilled", "eer_random", "eer_skilled_user", "eer_random_user"] {
        assert!(rate(&answer, figure) < 0.2, "{answer}");
    }
    // Three templates of three samples are compared with three others of their own, and with six forgeries or 24 of others.
    let count = |kind: &str| (answer[kind]["genuine"].as_u64(), answer[kind]["impostor"].as_u64());
    let templates = 5 * 2;
    assert_eq!(count("skilled"), (Some(templates * 3), Some(templates * 6)));
    assert_eq!(count("random"), (Some(templates * 3), Some(templates * 24)));
}

#[test]
fn runs_are_right_where_the_labels_are() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let folders = drawn(dir.path(), "4");
    let runs = dir.path().join("runs");
    // In the first run every question is its own answer, in the second one the answers are moved by one.
    for (run, moved) in [("run01", 0), ("run02", 1)] {
        let mut labels = String::new();
        for (number, folder) in folders.iter().enumerate() {
            for part in ["training", "test"] {
                let to = runs.join(run).join(part);
                fs::create_dir_all(&to).expect("a folder");
                fs::copy(folder.join("0.png"), to.join(format!("{number}.png"))).expect("a copy");
            }
            let answer = (number + moved) % folders.len();
            labels += &format!("{run}/test/{number}.png {run}/training/{answer}.png\n");
        }
        fs::write(runs.join(run).join("class_labels.txt"), labels).expect("a file");
    }
    let data = format!("omniglot:{}", text(&runs));
    let model = committed("glyphs");
    refused(&doppel(&["evaluate", text(&model), "--data", &data]), &["--protocol one-shot-runs"]);
    let answer = evaluate(&["--data", &data, "--protocol", "one-shot-runs"]);
    assert_eq!(rate(&answer, "error"), 0.5, "{answer}");
    assert_eq!((answer["runs"].as_u64(), answer["trials"].as_u64()), (Some(2), Some(8)), "{answer}");
    assert_eq!((answer["seen"].as_u64(), answer["compared"].as_bool()), (Some(0), Some(true)), "{answer}");
}
