//! Several models side by side: their maps, their figures, their curves.

use maud::{Markup, html};

use super::chart::short;
use super::charts::{COLOURS, dets};
use super::figures::range;
use super::page::{document, protocol, summary};
use super::{Report, Reported};
use crate::cmd::numbers::percent;

/// The page of several models.
pub fn comparison(all: &[Reported]) -> String {
    let body = html! {
        header {
            div.eyebrow { "Doppel comparison" }
            h1 { (all.len()) " models side by side" }
            p.lead { "Embedding maps, figures and curves of the int8 bundles, each on the test part of its own recipe." }
        }
        section id="map" {
            h2 { "Embedding maps" }
            p.caption { "A dot is a sample, a colour is an identity." }
            div.maps {
                @for Reported { report, recipe } in all {
                    figure {
                        (report.map.draw())
                        figcaption { b { (report.name) } " · " (methods(recipe)) " · EER " (percent(report.int8.eer)) }
                    }
                }
            }
        }
        section id="figures" { h2 { "Figures" } (table(all)) }
        section id="errors" {
            h2 { "Error rates" }
            p.caption { "DET, on normal deviate axes." }
            div.split {
                (dets(&all.iter().map(|one| &one.report).collect::<Vec<&Report>>()))
                (legend(all))
            }
        }
        section id="model" {
            h2 { "The models" }
            div.scroll { table.facts { tbody {
                @for Reported { report, recipe } in all {
                    tr { td { (report.name) } td { (summary(recipe)) " " (protocol(report)) } }
                }
            } } }
        }
    };
    document("comparison", body)
}

/// Which curve is whose.
fn legend(all: &[Reported]) -> Markup {
    html! {
        ul.legend {
            @for (number, Reported { report, .. }) in all.iter().enumerate() {
                li { span class=(format!("swatch c{}", number % COLOURS)) {} span { (report.name) } }
            }
        }
    }
}

fn methods(recipe: &crate::recipe::Recipe) -> String {
    let methods: Vec<String> = recipe.phases.iter().map(|phase| phase.loss.method().to_string()).collect();
    methods.join(", then ")
}

fn table(all: &[Reported]) -> Markup {
    // Questions that any of the models was asked, in their order.
    let mut tasks: Vec<&str> = Vec::new();
    for task in all.iter().flat_map(|one| &one.report.tasks) {
        if !tasks.contains(&task.name.as_str()) {
            tasks.push(&task.name);
        }
    }
    html! {
        div.scroll {
            table {
                thead { tr {
                    th { "model" } th { "method" } th.num { "EER" } th.num { "95 %" } th.num { "float" } th.num { "FNMR at FMR 1 %" } th.num { "d′" }
                    @for task in &tasks { th.num { (task) ", error" } }
                    th.num { "bundle, KiB" }
                } }
                tbody {
                    @for Reported { report, recipe } in all {
                        tr {
                            td { (report.name) }
                            td { (methods(recipe)) }
                            td."num strong" { (percent(report.int8.eer)) }
                            td."num muted" { (range(report.int8.eer_interval)) }
                            td."num muted" { (percent(report.float.eer)) }
                            td.num { (report.int8.fnmr_at_fmr.get("0.01").copied().map_or(String::new(), percent)) }
                            td.num { (report.int8.d_prime.map_or(String::new(), |d| short(d, 2))) }
                            @for name in &tasks {
                                @let found = report.tasks.iter().find(|task| task.name == *name);
                                td.num { (found.map_or(String::new(), |task| percent(task.error))) }
                            }
                            td.num { (short(report.facts.bundle as f64 / 1024.0, 1)) }
                        }
                    }
                }
            }
        }
    }
}
