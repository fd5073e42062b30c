//! What `doppel device` prints.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::thread;

use serde_json::{Value, json};
use shared::frontend::RawHeader;
use shared::wire::{Event, Hardware, Info, StoreState};

use crate::cmd::print_json;

/// A line of a table: its name there and in JSON, the text, the value.
pub(super) type Field = (&'static str, String, Value);

pub(super) fn done(json: bool, text: &str, value: Value) -> anyhow::Result<()> {
    if json {
        return print_json(&value);
    }
    say!("{text}")?;
    Ok(())
}

pub(super) fn fields(json: bool, fields: Vec<Field>) -> anyhow::Result<()> {
    if json {
        let object: serde_json::Map<_, _> =
            fields.into_iter().map(|(name, _, value)| (name.replace(' ', "_"), value)).collect();
        return print_json(&object);
    }
    for (name, text, _) in fields {
        say!("{name:<16}{text}")?;
    }
    Ok(())
}

pub(super) fn info(info: &Info<'_>) -> Vec<Field> {
    let id = format!("{:016x}", info.model_id);
    let input = match info.input {
        RawHeader::Image { width, height, channels } => format!("pictures, {width}x{height}x{channels}"),
        RawHeader::Sound { rate, samples } => format!("recordings, {samples} samples at {rate} Hz"),
    };
    let threshold = match info.threshold {
        Some(threshold) => {
            let evidence = threshold.evidence;
            format!(
                "{}, {} of {} {} accepted",
                threshold.distance.0,
                evidence.false_matches,
                evidence.impostor,
                if evidence.forged { "skilled forgeries" } else { "impostor comparisons" }
            )
        }
        None => "none: the model was not sealed".to_string(),
    };
    let store = match info.store {
        StoreState::Ready => "ready".to_string(),
        StoreState::OtherModel(model) => format!("templates of model {model:016x}: wipe, and enrol again"),
        StoreState::OtherVersion(version) => format!("of format {version}: wipe, and enrol again"),
        StoreState::Foreign => "the flash holds something else: wipe it to use it".to_string(),
    };
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_string();
    vec![
        ("firmware", info.firmware.to_string(), json!(info.firmware)),
        ("protocol", info.protocol.to_string(), json!(info.protocol)),
        ("model", format!("{} {id}", info.name), json!(id)),
        ("name", info.name.to_string(), json!(info.name)),
        ("model slot", info.slot.to_string(), json!(info.slot)),
        ("input", input.clone(), json!(input)),
        ("embedding", format!("{} x int8, {:?}", info.dim, info.metric), json!(info.dim)),
        ("threshold", threshold, json!(info.threshold.map(|threshold| threshold.distance.0))),
        (
            "adjusted",
            info.adjusted.map_or("no".to_string(), |distance| format!("to {}", distance.0)),
            json!(info.adjusted.map(|distance| distance.0)),
        ),
        ("adapts", yes(info.adapt), json!(info.adapt)),
        ("enrolled", format!("{} of {}", info.identities, info.capacity), json!(info.identities)),
        ("capacity", info.capacity.to_string(), json!(info.capacity)),
        ("store", store.clone(), json!(store)),
        ("admin key", yes(info.provisioned), json!(info.provisioned)),
        ("arena", format!("{} bytes", info.arena), json!(info.arena)),
    ]
}

pub(super) fn hardware(hardware: &Hardware<'_>) -> Vec<Field> {
    let each = f64::from(hardware.store_erased) / f64::from(hardware.store_pages.max(1));
    vec![
        ("board", hardware.name.to_string(), json!(hardware.name)),
        ("ram", format!("{} bytes besides arena and stack", hardware.ram), json!(hardware.ram)),
        ("flash", format!("{} bytes with its model", hardware.flash), json!(hardware.flash)),
        ("slot", format!("{} bytes", hardware.slot), json!(hardware.slot)),
        (
            "wear",
            format!("{} pages erased, {each:.1} times each of {}", hardware.store_erased, hardware.store_pages),
            json!(hardware.store_erased),
        ),
    ]
}

pub(super) fn event(json: bool, event: &Event) -> anyhow::Result<()> {
    let nearest = event.nearest.as_ref().map(|(label, distance)| (label.as_str(), distance.0));
    if json {
        return print_json(&json!({
            "number": event.number, "accepted": event.accepted,
            "label": nearest.map(|(label, _)| label), "distance": nearest.map(|(_, distance)| distance),
        }));
    }
    let verdict = if event.accepted { "accepted" } else { "rejected" };
    match nearest {
        Some((label, distance)) => say!("{}: {verdict}, {label} at distance {distance}", event.number)?,
        None => say!("{}: {verdict}, nobody is enrolled", event.number)?,
    }
    Ok(())
}

/// Prints what an emulated board logs, where `defmt-print` is there to decode it.
pub(super) fn decode_log(log: ChildStdout, elf: &Path) {
    let decoder = Command::new("defmt-print").arg("-e").arg(elf).stdin(log).stdout(Stdio::piped()).spawn();
    let Ok(mut decoder) = decoder else {
        note!("the board's log stays unread: `cargo install defmt-print` makes it readable");
        return;
    };
    let Some(lines) = decoder.stdout.take() else {
        return;
    };
    thread::spawn(move || {
        for line in BufReader::new(lines).lines().map_while(Result::ok) {
            note!("{line}");
        }
        let _ = decoder.wait();
    });
}
