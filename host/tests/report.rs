//! `doppel report`: pages that are whole, load nothing, and show every section; figures and card beside them.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{committed, copy, doppel, refused, text};

const SECTIONS: [&str; 8] = ["figures", "map", "distances", "errors", "training", "layers", "mistakes", "model"];

/// A copy of the committed model that is tested on few glyphs.
fn glyphs(dir: &Path, name: &str) -> PathBuf {
    let to = dir.join(name);
    copy(&committed("glyphs"), &to);
    let recipe = to.join("recipe.toml");
    let text = fs::read_to_string(&recipe).expect("a recipe").replace("200000-200399", "200000-200013");
    fs::write(&recipe, text.replace("[data]\n", "[data]\nnote = \"Drawn by a steady hand.\"\n")).expect("a file");
    for file in ["report.html", "report.json", "README.md"] {
        let _ = fs::remove_file(to.join(file));
    }
    to
}

/// Asserts that every element is closed in its order, and that nothing is loaded from anywhere.
fn whole_and_alone(page: &str) {
    let mut open = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a doctype");
    while let Some(at) = rest.find('<') {
        let end = at + rest[at..].find('>').expect("every tag ends");
        let tag = &rest[at + 1..end];
        let name = tag.trim_start_matches('/').split([' ', '>']).next().unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "near {tag}");
        } else if !["meta", "img", "br"].contains(&name) {
            open.push(name);
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    for forbidden in ["http:", "https:", "//", "@import", "url(", "<script", "<link", "<iframe", "srcset"] {
        // Base64 may hold two slashes.
        let plain: String =
            page.split("base64,").map(|part| part.split_once('"').map_or(part, |(_, after)| after)).collect();
        assert!(!plain.contains(forbidden), "{forbidden} is in the page");
    }
    for source in page.split("src=\"").skip(1) {
        assert!(source.starts_with("data:image/png;base64,"), "{}", &source[..40.min(source.len())]);
    }
    assert!(!page.contains("NaN") && !page.contains("inf\""), "every number is one");
}

#[test]
fn a_model_gets_page_figures_and_card() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let model = glyphs(dir.path(), "glyphs");
    let output = doppel(&["report", text(&model), "--replicates", "50", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let page = fs::read_to_string(model.join("report.html")).expect("a page");
    whole_and_alone(&page);
    for section in SECTIONS {
        let at = page.find(&format!("<section id=\"{section}\">")).unwrap_or_else(|| panic!("no section {section}"));
        let body = &page[at..at + page[at..].find("</section>").expect("it ends")];
        let shown = ["<svg", "<table", "<img"].iter().any(|element| body.contains(element));
        assert!(shown, "nothing is shown in {section}");
    }
    assert!(page.contains("prefers-color-scheme: dark"));
    assert!(page.len() < 600_000, "{} bytes", page.len());

    let figures: serde_json::Value =
        serde_json::from_slice(&fs::read(model.join("report.json")).expect("figures")).expect("JSON");
    assert_eq!(figures, serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON"));
    let (eer, interval) = (&figures["int8"]["eer"], &figures["int8"]["eer_interval"]);
    let number = |value: &serde_json::Value| value.as_f64().expect("a number");
    assert!(number(&interval[0]) <= number(eer) && number(eer) <= number(&interval[1]));
    assert_eq!(figures["int8"]["identities"], 14);
    assert_eq!(figures["curve"][63]["fnmr"], 0.0);

    let card = fs::read_to_string(model.join("README.md")).expect("a card");
    for heading in ["Intended use", "It must not be used for", "Data", "Figures", "Sizes and time", "Train it again"] {
        assert!(card.contains(&format!("## {heading}\n")), "no heading {heading}");
    }
    assert!(card.contains(&format!("| EER | {:.2} % |", number(eer) * 100.0)), "{card}");
    assert!(card.contains("| trained in | ") && card.contains(" instructions from raw sample to embedding"), "{card}");
    assert!(card.contains("200000-200013") && card.contains("licence"));
    let under_figures = card.split("## Figures\n").nth(1).and_then(|rest| rest.split("## Sizes and time\n").next());
    assert!(under_figures.is_some_and(|text| text.contains("\nDrawn by a steady hand.\n")), "{card}");
}

#[test]
fn two_identities_are_reported_without_intervals() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let model = glyphs(dir.path(), "glyphs");
    let recipe = model.join("recipe.toml");
    let few = fs::read_to_string(&recipe).expect("a recipe").replace("200000-200013", "200000-200001");
    fs::write(&recipe, few).expect("a file");
    let output = doppel(&["report", text(&model), "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures = String::from_utf8(output.stdout).expect("JSON");
    assert!(figures.contains("\"eer\"") && !figures.contains("interval"), "{figures}");
    for file in ["report.html", "README.md"] {
        let shown = fs::read_to_string(model.join(file)).expect("a file");
        assert!(shown.contains("too few identities for an interval"), "{file}: {shown}");
    }

    let evaluate = |more: &[&str]| {
        let output = doppel(&[&["evaluate", text(&model)][..], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    for protocol in ["verify", "identify"] {
        let table = evaluate(&["--protocol", protocol]);
        assert!(table.contains("too few identities for an interval") && !table.contains("% to "), "{table}");
        let json = evaluate(&["--protocol", protocol, "--json"]);
        assert!(!json.contains("interval"), "{json}");
    }
    let table = evaluate(&["--protocol", "identify", "--identities", "200000-200005"]);
    let rows = |start: &str| table.lines().filter(|line| line.starts_with(start) && line.contains("% to ")).count();
    assert_eq!((rows("rank"), rows("FNIR at FPIR")), (2, 2), "{table}");
}

#[test]
fn templates_of_all_samples_leave_nothing_to_report() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let model = glyphs(dir.path(), "glyphs");
    let output = doppel(&["report", text(&model), "--references", "20"]);
    refused(&output, &["fewer than 2 identities of at least 21 samples", "--references"]);
}

#[test]
fn several_models_stand_side_by_side() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (one, two) = (glyphs(dir.path(), "one"), glyphs(dir.path(), "two"));
    let unnamed = doppel(&["report", text(&one), text(&two)]);
    let said = String::from_utf8_lossy(&unnamed.stderr);
    assert!(unnamed.status.code() == Some(2) && said.contains("--out"), "{said}");

    let out = dir.path().join("pages").join("both.html");
    let output = doppel(&["report", text(&one), text(&two), "--replicates", "20", "--out", text(&out)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = fs::read_to_string(&out).expect("a page");
    whole_and_alone(&page);
    assert_eq!(page.matches("<svg").count(), 3, "a map each, and the curves");
    assert!(page.contains("class=\"curve c0\"") && page.contains("class=\"curve c1\""), "a curve each");
    let figures: serde_json::Value =
        serde_json::from_slice(&fs::read(out.with_extension("json")).expect("figures")).expect("JSON");
    assert_eq!(figures.as_array().map(Vec::len), Some(2));
    assert!(!one.join("report.html").exists(), "the models' folders stay as they were");
}
