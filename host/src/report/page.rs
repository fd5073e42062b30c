//! `report.html`: one file that loads nothing.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::short;
use super::charts::{self, grouped};
use super::figures::{bounds, intervals, on_board, range, rows, task_range, trained_in};
use super::mistakes::gallery;
use super::{Report, Reported};
use crate::evaluate::Interval;
use crate::recipe::Recipe;

const STYLE: &str = include_str!("page.css");

/// The page of one model.
pub fn page(reported: &Reported) -> String {
    let Reported { report, recipe } = reported;
    let body = html! {
        header {
            div.eyebrow { "Doppel model report" }
            h1 { (report.name) }
            p.lead { (summary(recipe)) }
        }
        (hero(report))
        section id="figures" {
            h2 { "Figures" }
            p.caption { (protocol(report)) }
            (figures(report))
            p.caption { (bounds(&report.int8)) " " (intervals(report)) }
            @if let Some(note) = &recipe.data.note { p.caption { (note) } }
        }
        section id="map" {
            h2 { "Embedding map" }
            p.caption { (report.map.caption()) " A dot is a sample." }
            div.split { (report.map.draw()) (report.map.legend()) }
        }
        section id="distances" {
            h2 { "Distances" }
            p.caption { "How far samples of one identity lie apart, and samples of two." }
            div.key { span { "one identity" } span.k2 { "two identities" } }
            div.scroll {
                (charts::histogram(&report.histogram, report.facts.threshold.as_ref().map(|(real, _)| *real)))
            }
        }
        section id="errors" {
            h2 { "Error rates" }
            div.key {
                span { "int8 bundle" }
                @if report.curve.iter().any(|point| point.rates.interval.is_some()) { span.kb { "95 % by identity" } }
                span."k2 dash" { "float network" }
                span.kx { "fewer false matches than so few identities can show" }
            }
            div.columns {
                div { h3 { "DET, on normal deviate axes" } (charts::det(report)) }
                div { h3 { "ROC" } (charts::roc(report)) }
            }
        }
        (training(report))
        (layers(report))
        (mistakes(report))
        (facts(report, recipe))
    };
    document(&report.name, body)
}

/// A whole page.
pub(super) fn document(title: &str, body: Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – Doppel report" }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) footer { "Made by " code { "doppel report" } ". Rates are of identities that the model was not trained on, unless the figures' caption says otherwise." } } }
        }
    };
    page.into_string()
}

/// What the rates are of, in a sentence.
pub(super) fn protocol(report: &Report) -> String {
    let text = report.protocol.replace('`', "");
    let mut letters = text.chars();
    let capitalized: String =
        letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect());
    capitalized + "."
}

/// What the model is, in a sentence.
pub(super) fn summary(recipe: &Recipe) -> String {
    let family = format!("{:?}", recipe.net.family).to_lowercase();
    let metric = format!("{:?}", recipe.net.metric).to_lowercase();
    let methods: Vec<String> = recipe.phases.iter().map(|phase| phase.loss.method().to_string()).collect();
    format!(
        "The {family} network with {} values an embedding ({metric} distance), trained by {} on {}.",
        recipe.net.embedding,
        methods.join(", then "),
        recipe.data.source
    )
}

fn hero(report: &Report) -> Markup {
    let card = |what: &str, figure: &str, unit: &str, range: String| {
        html! {
            div { div.what { (what) } div.figure { (figure) @if !unit.is_empty() { " " small { (unit) } } } div.range { (range) } }
        }
    };
    let rate =
        |what: &str, value: f64, interval: Option<Interval>| card(what, &short(value * 100.0, 2), "%", range(interval));
    let (int8, facts) = (&report.int8, &report.facts);
    html! {
        div.hero {
            @match report.tasks.first().filter(|task| !task.name.contains("-shot") || task.name.starts_with("Lake")) {
                Some(task) => {
                    (card(&format!("error, {}", task.name), &short(task.error * 100.0, 2), "%", task_range(task)))
                },
                None => {},
            }
            @match &report.forgeries {
                Some(forgeries) => {
                    (rate("EER, random forgeries", forgeries.eer_random, forgeries.eer_random_interval))
                    (rate("EER, skilled forgeries", forgeries.eer_skilled, forgeries.eer_skilled_interval))
                },
                None => {
                    (rate("equal error rate", int8.eer, int8.eer_interval))
                    @if let Some(fnmr) = int8.fnmr_at_fmr.get("0.01") {
                        @let interval = int8.fnmr_at_fmr_interval.as_ref().and_then(|all| all.get("0.01")).copied();
                        (rate("missed at 1 % false matches", *fnmr, interval))
                    }
                },
            }
            (card("bundle", &short(facts.bundle as f64 / 1024.0, 1), "KiB", format!("arena {} KiB", short(f64::from(facts.arena) / 1024.0, 1))))
            (card("one embedding", &short(facts.macs as f64 / 1e6, 2), "M MACs", format!("{} values", facts.embedding)))
        }
    }
}

fn figures(report: &Report) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { th { "" } th.num { "int8" } th.num { "95 %" } th.num { "float" } } }
                tbody {
                    @for row in rows(report) {
                        tr {
                            td { (row.name) }
                            td."num strong" { (row.value) }
                            td."num muted" { (row.interval) }
                            td."num muted" { (row.float) }
                        }
                    }
                }
            }
        }
    }
}

fn training(report: &Report) -> Markup {
    html! {
        section id="training" {
            h2 { "Training" }
            @if report.training.loss.is_empty() {
                p.caption { "The log of the training is not there." }
            } @else {
                p.caption { "The equal error rate is that of the float network on validation samples." }
                div.columns {
                    div { h3 { "Loss" } (charts::loss(&report.training)) }
                    @if !report.training.eer.is_empty() {
                        div { h3 { "Validation equal error rate" } (charts::validation(&report.training)) }
                    }
                }
            }
        }
    }
}

fn layers(report: &Report) -> Markup {
    html! {
        section id="layers" {
            h2 { "Layers and quantization" }
            @if report.layers.is_empty() {
                p.caption { "The trained network or its data is not there to compare with." }
            } @else {
                p.caption { "How far the int8 outputs are from the float ones behind each layer, over calibration samples." }
                div.scroll { (charts::layers(report)) }
            }
        }
    }
}

fn mistakes(report: &Report) -> Markup {
    let worst = &report.mistakes;
    html! {
        section id="mistakes" {
            h2 { "Nearest and farthest" }
            p.caption { "What goes most wrong, as the network sees it: no pair of identities is shown twice." }
            h3 { "Two identities, nearest" }
            (gallery(&worst.impostors, true))
            h3 { "One identity, farthest apart" }
            (gallery(&worst.genuine, false))
            @if !worst.forgeries.is_empty() {
                h3 { "Skilled forgery and genuine sample, nearest" }
                (gallery(&worst.forgeries, true))
            }
        }
    }
}

fn facts(report: &Report, recipe: &Recipe) -> Markup {
    let facts = &report.facts;
    let split = &recipe.data.split;
    html! {
        section id="model" {
            h2 { "The model" }
            div.scroll { table.facts { tbody {
                tr { td { "bundle" } td { (grouped(facts.bundle as u64)) " bytes; ONNX " (grouped(facts.onnx)) " bytes" } }
                tr { td { "arena" } td { (grouped(facts.arena.into())) " bytes" } }
                tr { td { "multiply-accumulates" } td { (grouped(facts.macs)) } }
                tr { td { "emulated Cortex-M4F" } td { (on_board(report).replace('`', "")) } }
                @if let Some(time) = trained_in(report, recipe) {
                    tr { td { "trained in" } td { (time.replace('`', "")) } }
                }
                tr { td { "input, embedding" } td { (facts.input.replace('x', "×")) "; " (facts.embedding) " values" } }
                tr { td { "model id" } td { code { (facts.model_id) } } }
                @if let Some((real, evidence)) = &facts.threshold {
                    tr { td { "threshold" } td { (short(*real, 4)) " as people see distances; " (evidence) "." } }
                }
                tr { td { "data" } td { (super::card::data(recipe)) } }
                tr { td { "split" } td { "train " code { (split.train) } ", threshold " (super::card::threshold(recipe).replace('`', "")) ", test " code { (split.test) } } }
            } } }
            h3 { "Train it again" }
            pre { code { (super::card::commands(recipe)) } }
        }
    }
}
