//! What `doppel device` asks of a board.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use shared::bundle::Bundle;
use shared::embedding::Distance;
use shared::wire::{
    Adjustment, Event, Fault, Info, LogLevel, MAX_SAMPLES, Request, Response, SESSION_SECONDS, StoreState,
};

use super::{Action, Args, Level, Switch, key, reconnect, show};
use crate::cmd::decision::{self, Yardstick};
use crate::cmd::print_json;
use crate::data;
use crate::device::{Client, DeviceError, open_tcp};
use crate::gallery;
use crate::model::{BUNDLE, BundleBytes, GOLDEN};

/// How often a board that is watched is asked.
const POLL: Duration = Duration::from_millis(200);

pub(super) fn run(mut client: Client, args: &Args) -> anyhow::Result<()> {
    let json = args.json;
    match &args.action {
        Action::Info => info(&mut client, json),
        Action::Provision => provision(&mut client, args),
        Action::Unlock => open_session(&mut client, args),
        Action::Enroll { files, label } => enroll(&mut client, args, files, label),
        Action::Verify { files, label } => decide(&mut client, json, files, &Request::Verify { label }),
        Action::Identify { files } => decide(&mut client, json, files, &Request::Identify),
        Action::Embed { files } => embed(&mut client, json, files),
        Action::List => list(&mut client, json),
        Action::Delete { label } => delete(&mut client, args, label),
        Action::Wipe => wipe(&mut client, args),
        Action::Threshold { set, reset, loosen } => {
            let distance = set.map(Distance);
            let adjustment = (set.is_some() || *reset).then_some(Adjustment { distance, loosen: *loosen });
            threshold(&mut client, args, adjustment)
        }
        Action::Adapt { switch } => adapt(&mut client, args, *switch),
        Action::Selftest => self_test(&mut client, json),
        Action::Bench => bench(&mut client, json),
        Action::Watch { seconds } => watch(client, args, *seconds),
        Action::Log { level } => log(&mut client, json, *level),
        Action::Update { model } => update(&mut client, args, model),
        Action::Revert => revert(&mut client, args),
    }
}

fn unlock(client: &mut Client, args: &Args) -> anyhow::Result<()> {
    let provisioned = client.ask(&Request::Info, |response| match response {
        Response::Info(info) => Ok(info.provisioned),
        _ => Err(DeviceError::Answer),
    })?;
    anyhow::ensure!(provisioned, "the board has no admin key yet: run `doppel device provision` once");
    client.unlock(&key::read(&args.key)?)?;
    Ok(())
}

/// Does `work` in an admin session of its own.
fn as_admin<T>(
    client: &mut Client,
    args: &Args,
    work: impl FnOnce(&mut Client) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    unlock(client, args)?;
    let done = or_lock(client, work)?;
    client
        .done(&Request::Lock)
        .with_context(|| format!("it is done, but the admin session may stay open for {SESSION_SECONDS} s"))?;
    Ok(done)
}

/// Does `work` in the admin session that is open, which ends where that fails.
fn or_lock<T>(client: &mut Client, work: impl FnOnce(&mut Client) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let done = work(client);
    if let Err(error) = &done
        && !matches!(error.downcast_ref(), Some(DeviceError::Link(_) | DeviceError::Silent(_)))
    {
        // What is told is the error; a session that cannot be ended ends by itself.
        let _ = client.done(&Request::Lock);
    }
    done
}

fn provision(client: &mut Client, args: &Args) -> anyhow::Result<()> {
    let path = args.key.display();
    let key = key::make(&args.key)?;
    match client.done(&Request::Provision { key }) {
        Ok(_) => (),
        // The answer to the request before it may have been lost.
        Err(DeviceError::Fault(Fault::Provisioned)) if client.unlock(&key).is_ok() => {
            client.done(&Request::Lock)?;
        }
        Err(DeviceError::Fault(fault)) => {
            fs::remove_file(&args.key).with_context(|| format!("{fault}, and {path} holds a key of no board"))?;
            return Err(DeviceError::Fault(fault).into());
        }
        Err(error) => return Err(error).with_context(|| format!("keep {path}, whose key the board may have")),
    }
    show::done(args.json, &format!("the board has its admin key; keep {path}"), json!({ "provisioned": true }))
}

fn open_session(client: &mut Client, args: &Args) -> anyhow::Result<()> {
    anyhow::ensure!(!args.target.qemu, "the emulated board ends with this command: open a session of one that stays");
    unlock(client, args)?;
    let text = format!("an admin session is open for {SESSION_SECONDS} s, in which the board's button enrols");
    show::done(args.json, &text, json!({ "unlocked": true, "seconds": SESSION_SECONDS }))
}

fn delete(client: &mut Client, args: &Args, label: &str) -> anyhow::Result<()> {
    let left = as_admin(client, args, |client| Ok(client.done(&Request::Delete { label })?))?;
    let text = format!("deleted {label}; {left} identities left");
    show::done(args.json, &text, json!({ "deleted": label, "identities": left }))
}

fn wipe(client: &mut Client, args: &Args) -> anyhow::Result<()> {
    // A store that the board cannot read has no key to ask for.
    if key_is_needed(client)? {
        as_admin(client, args, |client| Ok(client.done(&Request::Wipe)?))?;
    } else {
        client.done(&Request::Wipe)?;
    }
    show::done(args.json, "wiped: nobody is enrolled", json!({ "identities": 0 }))
}

fn threshold(client: &mut Client, args: &Args, adjustment: Option<Adjustment>) -> anyhow::Result<()> {
    let ask = |client: &mut Client| -> anyhow::Result<(u32, u32)> {
        Ok(client.ask(&Request::Threshold(adjustment), |response| match response {
            Response::Threshold { sealed, used } => Ok((sealed.0, used.0)),
            _ => Err(DeviceError::Answer),
        })?)
    };
    let (sealed, used) = match adjustment {
        Some(_) => as_admin(client, args, ask)?,
        None => ask(client)?,
    };
    show::done(
        args.json,
        &format!("accepts up to distance {used}; the model's sealed threshold is {sealed}"),
        json!({ "sealed": sealed, "used": used }),
    )
}

fn adapt(client: &mut Client, args: &Args, switch: Switch) -> anyhow::Result<()> {
    let on = switch == Switch::On;
    as_admin(client, args, |client| Ok(client.done(&Request::Adapt(on))?))?;
    let text = if on { "confident matches move their template" } else { "templates stay as they were enrolled" };
    show::done(args.json, text, json!({ "adapt": on }))
}

fn log(client: &mut Client, json: bool, level: Level) -> anyhow::Result<()> {
    let asked = match level {
        Level::Off => LogLevel::Off,
        Level::Warn => LogLevel::Warn,
        Level::Info => LogLevel::Info,
        Level::Trace => LogLevel::Trace,
    };
    client.done(&Request::Log(asked))?;
    let name = format!("{level:?}");
    show::done(json, &format!("logs from {name} on"), json!({ "level": name.to_lowercase() }))
}

/// The board's model, and whether its store is of it.
/// What a board runs.
struct Running {
    model: u64,
    /// 0 for the program's own.
    slot: u8,
    /// Whether its templates are of another model.
    stale: bool,
}

fn running(client: &mut Client) -> Result<Running, DeviceError> {
    client.ask(&Request::Info, |response| match response {
        Response::Info(info) => {
            let stale = matches!(info.store, StoreState::OtherModel(_));
            Ok(Running { model: info.model_id, slot: info.slot, stale })
        }
        _ => Err(DeviceError::Answer),
    })
}

fn key_is_needed(client: &mut Client) -> anyhow::Result<bool> {
    Ok(client.ask(&Request::Info, |response| match response {
        Response::Info(info) => Ok(matches!(info.store, StoreState::Ready | StoreState::OtherModel(_))),
        _ => Err(DeviceError::Answer),
    })?)
}

fn info(client: &mut Client, json: bool) -> anyhow::Result<()> {
    let mut fields = client.ask(&Request::Info, |response| match response {
        Response::Info(info) => Ok(show::info(&info)),
        _ => Err(DeviceError::Answer),
    })?;
    fields.extend(client.ask(&Request::Board, |response| match response {
        Response::Board(hardware) => Ok(show::hardware(&hardware)),
        _ => Err(DeviceError::Answer),
    })?);
    show::fields(json, fields)
}

/// Sends the sample in `path`, with a bar where somebody looks.
fn send(client: &mut Client, path: &Path) -> anyhow::Result<()> {
    let raw = data::read(path)?;
    let raw = raw.as_raw();
    let bar = progress(raw.bytes().len(), path);
    let sent = client.send(raw, |bytes| bar.set_position(bytes));
    bar.finish_and_clear();
    sent.with_context(|| path.display().to_string())
}

fn progress(len: usize, path: &Path) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:40} {bytes}/{total_bytes} {eta}");
    let bar = ProgressBar::new(len as u64).with_message(path.display().to_string());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn enroll(client: &mut Client, args: &Args, files: &[PathBuf], label: &str) -> anyhow::Result<()> {
    anyhow::ensure!(files.len() <= MAX_SAMPLES, "a template is made of up to {MAX_SAMPLES} samples: name fewer files");
    gallery::label(label)?;
    let (identities, resembles) = as_admin(client, args, |client| {
        for path in files {
            send(client, path)?;
            client.done(&Request::Collect).with_context(|| path.display().to_string())?;
        }
        Ok(client.ask(&Request::Enrol { label }, |response| match response {
            Response::Enrolled { identities, resembles } => {
                Ok((identities, resembles.map(|candidate| (candidate.label.to_string(), candidate.distance.0))))
            }
            _ => Err(DeviceError::Answer),
        })?)
    })?;
    if let Some((other, distance)) = &resembles
        && !args.json
    {
        note!("warning: {label} would be accepted as {other}, at distance {distance}");
    }
    let resembles = resembles.as_ref().map(|(label, distance)| (label.as_str(), *distance));
    let value = decision::enrolled(label, files.len(), identities.into(), resembles);
    show::done(args.json, &format!("enrolled {label} from {} samples; {identities} identities", files.len()), value)
}

fn decide(client: &mut Client, json: bool, files: &[PathBuf], request: &Request<'_>) -> anyhow::Result<()> {
    let by = client.ask(&Request::Info, |response| match response {
        Response::Info(Info { metric, embedding_scale, threshold, adjusted, .. }) => {
            let threshold = adjusted.or(threshold.map(|sealed| sealed.distance)).unwrap_or(Distance(0));
            Ok(Yardstick { metric, embedding_scale, threshold })
        }
        _ => Err(DeviceError::Answer),
    })?;
    for path in files {
        send(client, path)?;
        let file = path.display().to_string();
        let decision = client.ask(request, |response| match response {
            Response::Decision(decision) => Ok(decision),
            _ => Err(DeviceError::Answer),
        });
        decision::print(json, &file, &decision.with_context(|| file.clone())?, by)?;
    }
    Ok(())
}

fn embed(client: &mut Client, json: bool, files: &[PathBuf]) -> anyhow::Result<()> {
    for path in files {
        send(client, path)?;
        let embedding = client.ask(&Request::Embed, |response| match response {
            Response::Embedding(bytes) => Ok(shared::embedding::signed(bytes).to_vec()),
            _ => Err(DeviceError::Answer),
        })?;
        let file = path.display().to_string();
        if json {
            print_json(&json!({ "file": file, "embedding": embedding }))?;
        } else {
            say!("{file}: {embedding:?}")?;
        }
    }
    Ok(())
}

fn list(client: &mut Client, json: bool) -> anyhow::Result<()> {
    let mut all: Vec<String> = vec![];
    loop {
        let first = all.len() as u16;
        let (total, labels) = client.ask(&Request::List { first }, |response| match response {
            Response::Identities { total, labels } => {
                Ok((usize::from(total), labels.iter().map(|label| label.to_string()).collect::<Vec<_>>()))
            }
            _ => Err(DeviceError::Answer),
        })?;
        let more = !labels.is_empty();
        all.extend(labels);
        if all.len() >= total || !more {
            break;
        }
    }
    if json {
        return print_json(&json!({ "identities": all }));
    }
    for label in &all {
        say!("{label}")?;
    }
    if all.is_empty() {
        note!("nobody is enrolled");
    }
    Ok(())
}

fn self_test(client: &mut Client, json: bool) -> anyhow::Result<()> {
    let (samples, agree) = client.ask(&Request::SelfTest, |response| match response {
        Response::SelfTest { samples, agree } => Ok((samples, agree)),
        _ => Err(DeviceError::Answer),
    })?;
    show::done(
        json,
        &format!("{agree} of {samples} golden samples agree in every byte"),
        json!({ "samples": samples, "agree": agree }),
    )?;
    anyhow::ensure!(samples > 0 && samples == agree, "the board failed its self-test: flash it again");
    Ok(())
}

fn bench(client: &mut Client, json: bool) -> anyhow::Result<()> {
    let (embed, identify, identities) = client.ask(&Request::Bench, |response| match response {
        Response::Bench { embed, identify, identities } => Ok((embed, identify, identities)),
        _ => Err(DeviceError::Answer),
    })?;
    let text = format!("an embedding takes {embed} us, an identification among {identities} {identify} us");
    show::done(json, &text, json!({ "embed_us": embed, "identify_us": identify, "identities": identities }))
}

/// Shows decisions as the board makes them. One at a TCP port serves one client at a time, so it is left to others between two
/// questions.
fn watch(mut client: Client, args: &Args, seconds: Option<u64>) -> anyhow::Result<()> {
    // A time beyond all clocks is no end.
    let end = seconds.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
    client.done(&Request::Log(LogLevel::Trace))?;
    let mut last = 0;
    while end.is_none_or(|end| Instant::now() < end) {
        let events = events_after(&mut client, last)?;
        // A board keeps its last decision; one that has none of that number has started again, and counts from one.
        if events.is_empty() && last > 0 && events_after(&mut client, last - 1)?.is_empty() {
            last = 0;
            continue;
        }
        for event in &events {
            show::event(args.json, event)?;
            last = event.number;
        }
        client = match &args.target.tcp {
            None => {
                thread::sleep(POLL);
                client
            }
            Some(address) => {
                drop(client);
                thread::sleep(POLL);
                match call_again(address, end)? {
                    Some(client) => client,
                    None => break,
                }
            }
        };
    }
    Ok(())
}

/// The board at `address`, as soon as it has served whoever it serves; none where that takes until `end`.
fn call_again(address: &str, end: Option<Instant>) -> anyhow::Result<Option<Client>> {
    while end.is_none_or(|end| Instant::now() < end) {
        match Client::new(open_tcp(address)?) {
            Err(DeviceError::Silent(_)) => (),
            client => return Ok(Some(client?)),
        }
    }
    Ok(None)
}

fn events_after(client: &mut Client, number: u32) -> Result<Vec<Event>, DeviceError> {
    client.ask(&Request::Events { after: number }, |response| match response {
        Response::Events(events) => Ok(events.to_vec()),
        _ => Err(DeviceError::Answer),
    })
}

fn update(client: &mut Client, args: &Args, model: &Path) -> anyhow::Result<()> {
    let bundle = BundleBytes::open(model)?;
    let golden_path = model.join(GOLDEN);
    let golden = fs::read(&golden_path)
        .with_context(|| format!("cannot read {}: run `doppel export {}`", golden_path.display(), model.display()))?;
    let id = Bundle::check(bundle.as_slice())?.header().model_id;
    unlock(client, args)?;
    let mut bytes = bundle.as_slice().to_vec();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(golden);
    let bar = progress(bytes.len(), &model.join(BUNDLE));
    // Where it succeeds the board starts again, which ends the session.
    let slot = or_lock(client, |client| Ok(client.update(&bytes, |sent| bar.set_position(sent))?));
    bar.finish_and_clear();
    slot.with_context(|| model.display().to_string())?;
    let Running { model: now, slot, stale } = started_again(client, args)?;
    anyhow::ensure!(now == id, "the board checked the new model, but still runs {now:016x}: start it again");
    let text = format!("the board runs model {id:016x} from slot {slot}");
    tell_running(args, &text, now, slot, stale)
}

fn revert(client: &mut Client, args: &Args) -> anyhow::Result<()> {
    unlock(client, args)?;
    or_lock(client, |client| Ok(client.revert()?))?;
    let Running { model, slot, stale } = started_again(client, args)?;
    anyhow::ensure!(
        slot == 0,
        "the board took the request, but still runs model {model:016x} of slot {slot}: start it again"
    );
    tell_running(args, &format!("the board runs its program's own model, {model:016x}"), model, slot, stale)
}

/// What a board runs that has just started again with it.
fn started_again(client: &mut Client, args: &Args) -> anyhow::Result<Running> {
    Ok(match (running(client), &args.target.tcp) {
        // The desktop's board drops its connections when it starts again.
        (Err(DeviceError::Link(_)), Some(address)) => {
            *client = reconnect(address).context("the board took the change of models, but did not start again")?;
            running(client)
        }
        (answer, _) => answer,
    }?)
}

fn tell_running(args: &Args, text: &str, model: u64, slot: u8, stale: bool) -> anyhow::Result<()> {
    show::done(args.json, text, json!({ "model": format!("{model:016x}"), "slot": slot, "enrol_again": stale }))?;
    if stale && !args.json {
        note!("its templates belong to the model before: run `doppel device wipe`, and enrol everybody again");
    }
    Ok(())
}
