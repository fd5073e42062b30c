//! The model card (Mitchell et al. 2019, "Model cards for model reporting").

use super::figures::{bounds, intervals, on_board, rows, trained_in};
use super::page::summary;
use super::{CARD, PAGE, Reported};
use crate::data::Spec;
use crate::data::espeak::Kind;
use crate::data::made::Maker;
use crate::data::speech::Task;
use crate::recipe::Recipe;

/// Where samples come from and under which licence.
pub(super) fn data(recipe: &Recipe) -> String {
    let data = &recipe.data;
    let main = source(&data.source, data.name.as_deref(), data.licence.as_deref());
    data.also.iter().fold(main, |told, also| {
        format!("{told}. Training along: {}", source(&also.source, also.name.as_deref(), also.licence.as_deref()))
    })
}

/// The identities that choose the threshold.
pub(super) fn threshold(recipe: &Recipe) -> String {
    let of = recipe.data.threshold_source.as_ref().map_or(String::new(), |source| format!(" of `{source}`"));
    format!("`{}`{of}", recipe.data.split.threshold)
}

fn source(source: &Spec, name: Option<&str>, licence: Option<&str>) -> String {
    let name = match name {
        Some(name) => name.to_string(),
        None => match source {
            Spec::Glyphs => "Glyphs, drawn by this program".to_string(),
            Spec::Letters => "Letters, written by this program".to_string(),
            Spec::Utterances(_) => "Utterances, spoken by this program".to_string(),
            Spec::Espeak(Kind::Words) => "Words, spoken by espeak-ng".to_string(),
            Spec::Espeak(Kind::Voices) => "Voices of espeak-ng".to_string(),
            files => files.to_string(),
        },
    };
    let licence = match licence {
        Some(licence) => licence,
        None if Maker::of(source).is_some() => "the project's own, MIT or Apache-2.0",
        None => "not stated in the recipe (`licence` beside its `source`)",
    };
    format!("{name}; licence: {licence}")
}

/// The commands that make the model again.
pub(super) fn commands(recipe: &Recipe) -> String {
    let model = format!("models/{}", recipe.name);
    ["train {}", "export {}", "report {}"]
        .map(|command| format!("cargo run --release -- {}", command.replace("{}", &model)))
        .join("\n")
}

/// What the model tells apart.
#[derive(Clone, Copy)]
enum Subject {
    /// Characters and other things.
    Things,
    /// Words, whoever says them.
    Words,
    /// Words as one speaker says them.
    SpokenBy,
    /// People.
    People,
    /// Whatever is in the folders.
    Unknown,
}

fn subject(recipe: &Recipe) -> Subject {
    match &recipe.data.source {
        Spec::Glyphs | Spec::Letters | Spec::Mnist(_) | Spec::Omniglot(_) => Subject::Things,
        Spec::Utterances(Task::Word) | Spec::Speech(_, Task::Word) | Spec::Espeak(Kind::Words) => Subject::Words,
        Spec::Utterances(Task::Both) | Spec::Speech(_, Task::Both) => Subject::SpokenBy,
        Spec::Utterances(Task::Speaker)
        | Spec::Speech(_, Task::Speaker)
        | Spec::Espeak(Kind::Voices)
        | Spec::Signatures(_) => Subject::People,
        Spec::Images(_) => Subject::Unknown,
    }
}

fn intended(subject: &Subject) -> &'static str {
    match subject {
        Subject::Things => {
            "Telling drawn characters apart from one example each, on a microcontroller or a desktop: demonstrations, teaching, \
             tests of the tool chain, and a start for training on similar data."
        }
        Subject::Words => {
            "Telling spoken words apart from one example each, whoever says them: a command or a wake word that its user chooses, \
             where taking one word for another does no harm."
        }
        Subject::SpokenBy => {
            "Recognizing a word as one consenting person said it at enrolment, on a device that they know of, for convenience and \
             at low stakes."
        }
        Subject::People => {
            "Verifying consenting people who enrolled themselves, on a device that they know of, for convenience and at low \
             stakes; a start for training on data of one's own."
        }
        Subject::Unknown => {
            "Telling apart identities of the kind that it was trained on, from few examples each. Where these are people: \
             consenting ones who enrolled themselves, for convenience and at low stakes."
        }
    }
}

fn misuse(subject: &Subject) -> Vec<&'static str> {
    let mut list = match subject {
        Subject::Things => vec!["Verifying or identifying people: it has never seen any."],
        Subject::Words => vec![
            "Verifying or identifying speakers: it was trained to take no notice of who speaks.",
            "Listening to people without their knowledge and consent, or starting anything that could harm when a word is mistaken.",
            "Languages, accents, microphones or surroundings unlike those of its data: rates were not measured by group.",
        ],
        Subject::People | Subject::SpokenBy | Subject::Unknown => vec![
            "Identifying people without their knowledge and consent, surveillance, or sorting people by any trait.",
            "Evidence in court, border control, payment, or a lock that guards more than convenience: it does not tell a living \
             person from a recording, a photograph or a practised imitation.",
            "People, sensors or surroundings unlike those of its data: so few identities say nothing about groups of people, \
             and rates were not measured by group.",
        ],
    };
    list.push("A claim of error rates below the bounds stated here, or at another threshold than a measured one.");
    list
}

/// The model card as Markdown.
pub fn card(reported: &Reported) -> String {
    let Reported { report, recipe } = reported;
    let subject = subject(recipe);
    let (split, facts) = (&recipe.data.split, &report.facts);
    let mut card = format!("# {}\n\n{}\n\n", report.name, summary(recipe));
    card += &format!("This card is generated by `doppel report`; [{PAGE}]({PAGE}) shows the same in pictures.\n\n");
    card += &format!("## Intended use\n\n{}\n\n## It must not be used for\n\n", intended(&subject));
    for item in misuse(&subject) {
        card += &format!("- {item}\n");
    }
    card += &format!(
        "\n## Data\n\n{}.\n\n| part | identities |\n|---|---|\n| trains | `{}` |\n| chooses the threshold | {} |\n| tests | `{}` |\n\n",
        data(recipe),
        split.train,
        threshold(recipe),
        split.test
    );
    card += &format!(
        "## Figures\n\nProtocol: {}.\n\n| figure | int8 | 95 % | float |\n|---|---|---|---|\n",
        report.protocol
    );
    for row in rows(report) {
        card += &format!("| {} | {} | {} | {} |\n", row.name, row.value, row.interval, row.float);
    }
    card += &format!("\n{} {}\n\n", bounds(&report.int8), intervals(report));
    if let Some(note) = &recipe.data.note {
        card += &format!("{note}\n\n");
    }
    if let Some((_, evidence)) = &facts.threshold {
        card += &format!("Threshold: {evidence}.\n\n");
    }
    card += &format!(
        "## Sizes and time\n\n| | |\n|---|---|\n| bundle | {} bytes |\n| ONNX | {} bytes |\n| arena | {} bytes |\n| multiply-accumulates | {} |\n\
         | input | {} |\n| embedding | {} bytes |\n| emulated Cortex-M4F | {} |\n",
        facts.bundle,
        facts.onnx,
        facts.arena,
        facts.macs,
        facts.input,
        facts.embedding,
        on_board(report)
    );
    if let Some(time) = trained_in(report, recipe) {
        card += &format!("| trained in | {time} |\n");
    }
    card.push('\n');
    card += &format!("## Train it again\n\n```sh\n{}\n```\n\n", commands(recipe));
    card += &format!("The last command writes this `{CARD}`.\n");
    card
}
