//! The board in the emulator: it replays its golden vectors, it tells what is wrong, and it talks as the desktop does.

use std::collections::HashSet;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use firmware::desktop::{DesktopApp, DesktopMemory, DesktopPlatform, FlashImage, TractEngine, serve_stream};
use firmware::image::SLOT_LEN;
use firmware::onnx::OnnxModel;
use firmware::store::Store;
use host::data::Spec;
use host::data::speech::Task;
use host::device::{Client, DeviceError, Emulator};
use host::net::{Architecture, Shape};
use host::report::OnBoard;
use parity::board::{Device, build, footprint, run};
use parity::conversation::{Item, KEY, hold, script, script_of_recordings, second_script, second_script_of_recordings};
use parity::exported::{Exported, export};
use parity::model::{Aligned, pictures};
use shared::bundle::Bundle;
use shared::embedding::Distance;
use shared::gallery::Decision;
use shared::golden::{self, Golden};
use shared::wire::{Adjustment, Decoder, Fault, Request, Response, StoreState, Update};

/// A model of random weights in its own folder.
fn model() -> (PathBuf, Exported) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("random-28x28");
    let architecture = Architecture::compact(Shape::new(1, 28, 28), 0.5, 32);
    let exported = export(&architecture, 11).unwrap();
    exported.write(&dir).unwrap();
    (dir, exported)
}

/// Where `part` lies in `whole`, which holds it once.
fn find(whole: &[u8], part: &[u8]) -> usize {
    let mut places = (0..whole.len() - part.len()).filter(|&at| whole[at..].starts_with(part));
    let at = places.next().expect("the program holds the file");
    assert_eq!(places.next(), None);
    at
}

/// The place of the vector table in `elf`: where the segment for address 0 starts.
fn vector_table(elf: &[u8]) -> usize {
    let word = |at: usize| u32::from_le_bytes(elf[at..at + 4].try_into().unwrap()) as usize;
    let half = |at: usize| u16::from_le_bytes(elf[at..at + 2].try_into().unwrap()) as usize;
    let (table, size, count) = (word(28), half(42), half(44));
    let segments = (0..count).map(|index| table + index * size);
    let loaded = |&at: &usize| word(at) == 1 && word(at + 12) == 0 && word(at + 16) > 0;
    word(segments.into_iter().find(loaded).unwrap() + 4)
}

#[test]
fn selftest_tells_right_from_wrong() {
    let (dir, exported) = model();
    let elf = build("selftest", &dir).unwrap();
    let outcome = run(&elf).unwrap();
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let told = "12 of 12 input tensors, 12 of 12 embeddings, 54 of 54 decisions agree\npassed\n";
    assert!(outcome.output.ends_with(told), "{}", outcome.output);

    // One element of one embedding, with a checksum that fits.
    let golden = Golden::check(&exported.golden).unwrap();
    let mut samples: Vec<_> = golden.samples().collect();
    let steps: Vec<_> = golden.steps().collect();
    let mut embedding = samples[2].embedding.to_vec();
    embedding[5] ^= 1;
    samples[2].embedding = &embedding;
    let mut wrong = vec![0; exported.golden.len()];
    golden::encode(golden.model_id(), &samples, &steps, &mut wrong).unwrap();
    let mut changed = elf.clone();
    let at = find(&elf, &exported.golden);
    changed[at..at + wrong.len()].copy_from_slice(&wrong);
    let outcome = run(&changed).unwrap();
    assert_eq!(outcome.status, 1, "{outcome:?}");
    let told = format!(
        "first difference: sample 2: element 5 of the embedding is {}, not {}\nfailed\n",
        embedding[5] ^ 1,
        embedding[5]
    );
    assert!(outcome.output.ends_with(&told), "{}", outcome.output);
    assert!(outcome.output.contains("11 of 12 embeddings"));

    // A flipped bit in the model.
    let mut changed = elf.clone();
    changed[find(&elf, exported.bundle.bytes()) + 1000] ^= 1;
    let outcome = run(&changed).unwrap();
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(outcome.output.contains("checksum"), "{}", outcome.output);

    // A reset vector into nowhere.
    let mut changed = elf;
    let reset = vector_table(&changed) + 4;
    changed[reset..reset + 4].copy_from_slice(&0xe000_0001u32.to_le_bytes());
    let outcome = run(&changed).unwrap();
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(outcome.errors.contains("hard fault at 0xe0000000"), "{}", outcome.errors);
}

/// What a desktop board with its flash in `flash` answers.
fn on_the_desktop(exported: &Exported, flash: &Path, script: &[Item]) -> Vec<Vec<u8>> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut flash = FlashImage::open(flash).unwrap();
            let (store, slots) = flash.parts().unwrap();
            let mut memory = DesktopMemory::new();
            let engine = TractEngine::new(OnnxModel::from_bytes(&exported.onnx).unwrap());
            let platform = DesktopPlatform::new(exported.golden.clone(), slots, 0);
            let mut app = DesktopApp::new(engine, Store::open(store).unwrap(), platform, &mut memory).unwrap();
            let (stream, _) = listener.accept().unwrap();
            serve_stream(&mut app, stream, |_| ()).unwrap();
        });
        hold(&mut TcpStream::connect(address).unwrap(), script).unwrap()
    })
}

#[test]
fn board_and_desktop_answer_alike_and_after_the_power_was_off() {
    let (dir, exported) = model();
    let mut pictures = pictures(5, 12, 1);
    // The smallest ones are not to be enrolled.
    pictures.retain(|picture| picture.width >= 7 && picture.height >= 7);
    pictures.truncate(6);
    assert_eq!(pictures.len(), 6);
    let seen = alike(&dir, &exported, &[script(&pictures), second_script(&pictures)]);
    // Two that only ever failed would agree as well.
    let expected = [
        "info",
        "received",
        "embedding",
        "done",
        "enrolled",
        "match",
        "unknown",
        "nobody",
        "identities",
        "threshold",
        "challenge",
        "self-test",
        "events",
        "frame",
        "request",
        "size",
        "channels",
        "not image",
        "chunk",
        "no sample",
        "incomplete",
        "label",
        "duplicate",
        "not enrolled",
        "blank",
        "locked",
        "not provisioned",
        "provisioned",
        "proof",
        "looser",
        "no update",
        "slot room",
    ];
    assert_eq!(seen, expected.into_iter().map(String::from).collect());
}

/// From the samples of recordings to decisions.
#[test]
fn board_and_desktop_hear_alike() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/voices");
    let voices = Spec::Utterances(Task::Speaker).load_all(&"0-1".parse().unwrap(), 7).unwrap();
    let of = |voice| voices.samples.iter().filter(move |sample| sample.identity == voice).take(3);
    // Two of each to enrol, then one more of each.
    let (known, new): (Vec<_>, Vec<_>) =
        (0..2).flat_map(|voice| of(voice).enumerate()).partition(|&(index, _)| index < 2);
    let recordings: Vec<_> = known.iter().chain(&new).map(|(_, sample)| sample.raw.as_raw()).collect();
    assert_eq!(recordings.len(), 6);
    let scripts = [script_of_recordings(&recordings), second_script_of_recordings(&recordings)];
    let seen = alike(&dir, &Exported::read(&dir).unwrap(), &scripts);
    let expected = [
        "info",
        "received",
        "embedding",
        "done",
        "enrolled",
        "match",
        "unknown",
        "identities",
        "challenge",
        "self-test",
        "not sound",
        "incomplete",
        "blank",
        "short",
    ];
    assert_eq!(seen, expected.into_iter().map(String::from).collect());
}

/// Plays `scripts` one after the other on the emulated board and on the desktop, which begin with nobody enrolled; the kinds of
/// their answers, which are the same, as is what stays in their flashes.
fn alike(dir: &Path, exported: &Exported, scripts: &[Vec<Item>]) -> HashSet<String> {
    let flashes = tempfile::tempdir().unwrap();
    let (board_flash, desktop_flash) = (flashes.path().join("board"), flashes.path().join("desktop"));
    let elf = build("device", dir).unwrap();
    let mut seen = HashSet::new();
    for script in scripts {
        // The emulator is killed at the end of each, which is as hard as pulling the plug.
        let board = hold(&mut Device::start(&elf, &board_flash).unwrap().link, script).unwrap();
        let desktop = on_the_desktop(exported, &desktop_flash, script);
        assert_eq!(board.len(), script.len());
        for (index, (board, desktop)) in board.iter().zip(&desktop).enumerate() {
            assert_eq!(kind(board), kind(desktop), "answer {index}");
            assert_eq!(board, desktop, "answer {index}");
        }
        seen.extend(board.iter().map(|answer| kind(answer)));
    }
    assert_eq!(fs::read(&board_flash).unwrap(), fs::read(&desktop_flash).unwrap());
    seen
}

/// The kind of an answer.
fn kind(answer: &[u8]) -> String {
    let mut decoder = Decoder::new();
    let mut kinds = vec![];
    for &byte in answer {
        if let Some(frame) = decoder.push(byte) {
            kinds.push(match frame.unwrap().message().unwrap() {
                Response::Info(_) => "info",
                Response::Received(_) => "received",
                Response::Embedding(_) => "embedding",
                Response::Done(_) => "done",
                Response::Enrolled { .. } => "enrolled",
                Response::Decision(Decision::Match(_)) => "match",
                Response::Decision(Decision::Unknown(Some(_))) => "unknown",
                Response::Decision(Decision::Unknown(None)) => "nobody",
                Response::Identities { .. } => "identities",
                Response::Threshold { .. } => "threshold",
                Response::Challenge(_) => "challenge",
                Response::SelfTest { samples, agree } => {
                    assert_eq!(samples, agree);
                    "self-test"
                }
                Response::Events(events) => {
                    assert_eq!(events.len(), 4);
                    "events"
                }
                Response::Fault(Fault::Frame) => "frame",
                Response::Fault(Fault::Request) => "request",
                Response::Fault(Fault::Size) => "size",
                Response::Fault(Fault::Channels { .. }) => "channels",
                Response::Fault(Fault::NotImage) => "not image",
                Response::Fault(Fault::NotSound) => "not sound",
                Response::Fault(Fault::Short) => "short",
                Response::Fault(Fault::Chunk { .. }) => "chunk",
                Response::Fault(Fault::NoSample) => "no sample",
                Response::Fault(Fault::Incomplete { .. }) => "incomplete",
                Response::Fault(Fault::Label) => "label",
                Response::Fault(Fault::Duplicate) => "duplicate",
                Response::Fault(Fault::NotEnrolled) => "not enrolled",
                Response::Fault(Fault::Blank) => "blank",
                Response::Fault(Fault::Locked) => "locked",
                Response::Fault(Fault::NotProvisioned) => "not provisioned",
                Response::Fault(Fault::Provisioned) => "provisioned",
                Response::Fault(Fault::Proof) => "proof",
                Response::Fault(Fault::Looser { .. }) => "looser",
                Response::Fault(Fault::NoUpdate) => "no update",
                Response::Fault(Fault::SlotRoom { .. }) => "slot room",
                response => panic!("{response:?}"),
            });
        }
    }
    assert_eq!(kinds.len(), 1);
    kinds[0].to_string()
}

/// Another model over the link: used once it was checked, else the old one stays; over restarts, on the same flash.
#[test]
fn a_model_arrives_over_the_link_or_leaves_the_old_one() {
    let (dir, _) = model();
    let architecture = Architecture::compact(Shape::new(1, 28, 28), 0.5, 32);
    let other = export(&architecture, 12).unwrap();
    let elf = dir.parent().unwrap().join("device-for-update");
    fs::write(&elf, build("device", &dir).unwrap()).unwrap();
    let flashes = tempfile::tempdir().unwrap();
    let flash = flashes.path().join("flash");
    let start = || {
        let (emulator, link) = Emulator::start(&elf, &flash, Stdio::null()).unwrap();
        (emulator, Client::new(Box::new(link)).unwrap())
    };
    let running = |client: &mut Client| {
        let info = |response: Response<'_>| match response {
            Response::Info(info) => Ok((info.slot, info.store)),
            _ => Err(DeviceError::Answer),
        };
        client.ask(&Request::Info, info).unwrap()
    };
    let enrolled = |response: Response<'_>| match response {
        Response::Enrolled { identities, .. } => Ok(identities),
        _ => Err(DeviceError::Answer),
    };
    let picture = &pictures(5, 12, 1).into_iter().find(|picture| picture.width > 20 && picture.height > 20).unwrap();
    let mut bytes = other.bundle.bytes().to_vec();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let bundle_len = bytes.len();
    bytes.extend(&other.golden);

    let (emulator, mut client) = start();
    client.done(&Request::Provision { key: KEY }).unwrap();
    client.unlock(&KEY).unwrap();
    client.send(picture.raw(), |_| ()).unwrap();
    assert_eq!(client.ask(&Request::Enrol { label: "ann" }, enrolled).unwrap(), 1);
    // A bit of the model, and a bit of an embedding among its golden vectors.
    let mut refused = bytes.clone();
    refused[bundle_len / 2] ^= 1;
    assert!(matches!(client.update(&refused, |_| ()), Err(DeviceError::Fault(Fault::Model))));
    let mut refused = bytes.clone();
    refused[bundle_len + 4000] ^= 1;
    assert!(matches!(client.update(&refused, |_| ()), Err(DeviceError::Fault(Fault::ModelTest))));
    // A model of recordings: the program has the front end of pictures.
    let words = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/words");
    let mut recordings = fs::read(words.join("model.bundle")).unwrap();
    recordings.resize(recordings.len().next_multiple_of(4), 0);
    recordings.extend(fs::read(words.join("golden.bin")).unwrap());
    assert!(matches!(client.update(&recordings, |_| ()), Err(DeviceError::Fault(Fault::ModelKind))));
    assert_eq!(running(&mut client), (0, StoreState::Ready));
    // Pulled out in the middle of an update.
    client.ask(&Request::Update(Update::Begin { bytes: 5000 }), |_| Ok(())).unwrap();
    drop(emulator);
    let (emulator, mut client) = start();
    assert_eq!(running(&mut client), (0, StoreState::Ready));
    client.unlock(&KEY).unwrap();
    assert_eq!(client.update(&bytes, |_| ()).unwrap(), 1);
    let old = Bundle::check(exported_bundle(&dir).bytes()).unwrap().header().model_id;
    assert_eq!(running(&mut client), (1, StoreState::OtherModel(old)));
    drop(emulator);
    // It is in use after a restart as well, and nobody is taken for who was enrolled before.
    let (emulator, mut client) = start();
    assert_eq!(running(&mut client), (1, StoreState::OtherModel(old)));
    client.send(picture.raw(), |_| ()).unwrap();
    let answer = client.ask(&Request::Identify, |_| Ok(()));
    assert!(matches!(answer, Err(DeviceError::Fault(Fault::OtherModel { model })) if model == old), "{answer:?}");
    client.unlock(&KEY).unwrap();
    client.done(&Request::Wipe).unwrap();
    assert_eq!(client.ask(&Request::Enrol { label: "ann" }, enrolled).unwrap(), 1);
    assert!(client.done(&Request::Update(Update::Finish)).is_err());
    // The next one goes to the other slot.
    assert_eq!(client.update(&bytes, |_| ()).unwrap(), 2);
    assert_eq!(running(&mut client), (2, StoreState::Ready));
    // And back to the program's own, of which the store knows nobody.
    client.unlock(&KEY).unwrap();
    client.revert().unwrap();
    let new = Bundle::check(other.bundle.bytes()).unwrap().header().model_id;
    assert_eq!(running(&mut client), (0, StoreState::OtherModel(new)));
    drop(emulator);
    let (_emulator, mut client) = start();
    assert_eq!(running(&mut client), (0, StoreState::OtherModel(new)));
}

/// A decision reaches the board's outputs, one at a time, and these turn themselves off.
#[test]
fn a_decision_lights_a_lamp_for_its_time() {
    const LAMPS: u32 = 0x4002_8000;
    let (dir, _) = model();
    let elf = dir.parent().unwrap().join("device-with-lamps");
    fs::write(&elf, build("device", &dir).unwrap()).unwrap();
    let flash = tempfile::tempdir().unwrap();
    let (emulator, link) = Emulator::start(&elf, &flash.path().join("flash"), Stdio::null()).unwrap();
    let mut client = Client::new(Box::new(link)).unwrap();
    let lamps = || emulator.word(LAMPS).unwrap();
    let pictures: Vec<_> =
        pictures(5, 12, 1).into_iter().filter(|picture| picture.width.min(picture.height) > 20).collect();
    client.done(&Request::Provision { key: KEY }).unwrap();
    client.unlock(&KEY).unwrap();
    client.send(pictures[0].raw(), |_| ()).unwrap();
    client.ask(&Request::Enrol { label: "ann" }, |_| Ok(())).unwrap();
    let exact = Adjustment { distance: Some(Distance(0)), loosen: false };
    client.ask(&Request::Threshold(Some(exact)), |_| Ok(())).unwrap();
    assert_eq!(lamps(), 0);
    for (picture, lit) in [(&pictures[0], 1), (&pictures[1], 2)] {
        client.send(picture.raw(), |_| ()).unwrap();
        // A machine that is slow to look finds the lamp off again: it may be lit anew.
        let seen = (0..20).map(|_| {
            client.ask(&Request::Identify, |_| Ok(())).unwrap();
            lamps()
        });
        assert_eq!(seen.into_iter().find(|&seen| seen != 0), Some(lit));
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while lamps() != 0 {
        assert!(Instant::now() < deadline, "the lamp stays on");
        thread::sleep(Duration::from_millis(20));
    }
}

fn exported_bundle(dir: &Path) -> Aligned {
    Aligned::new(&fs::read(dir.join("model.bundle")).unwrap())
}

/// Bytes of flash that the app may take without its model.
const MOST_FLASH: u64 = 48 * 1024;
/// Bytes of a slot of the STM32F4.
const SMALLEST_SLOT: u64 = 128 * 1024;

/// What the app may take on a board, besides its model and the network's arena.
#[test]
fn the_device_is_small_and_links_neither_heap_nor_formatting() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/glyphs");
    let elf = build("device", &dir).unwrap();
    let size = footprint(&elf, &dir).unwrap();
    assert!(size.unwanted.is_empty(), "the device links {:?}: find who formats or allocates", size.unwanted);
    println!("{} bytes of flash without the model, {} of RAM beside arena and stack", size.flash, size.ram);
    assert!(size.flash <= MOST_FLASH, "{size:?}: the app takes more flash than {MOST_FLASH} bytes without its model");
    assert!(size.ram <= 8 * 1024, "{size:?}: the app takes more RAM than 8 KiB beside the arena");
}

/// The models that are committed; beside them may lie those that somebody trained.
const COMMITTED: [&str; 15] = [
    "characters",
    "digits",
    "digits2-arcface",
    "digits2-contrastive",
    "digits2-cosface",
    "digits2-softmax",
    "digits2-softmax-triplet",
    "digits2-sphereface",
    "digits2-triplet",
    "faces",
    "glyphs",
    "omniglot",
    "signatures",
    "voices",
    "words",
];

/// An update brings a model with its golden vectors; on the STM32F4, some are too large. What was counted for a model's card was
/// counted of that model.
#[test]
fn every_committed_model_fits_a_slot_and_was_counted() {
    let too_large = |name: &str| ["characters", "omniglot", "signatures"].contains(&name);
    for name in COMMITTED {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name);
        let [bundle, golden] = ["model.bundle", "golden.bin"].map(|name| fs::metadata(dir.join(name)).unwrap().len());
        let len = bundle.next_multiple_of(4) + golden;
        assert!(len <= SLOT_LEN as u64, "{name} takes {len} bytes");
        assert!(len <= SMALLEST_SLOT || too_large(name), "{name} takes {len} bytes, more than a slot of the STM32F4");
        let bundle = exported_bundle(&dir);
        let id = format!("{:016x}", Bundle::check(bundle.bytes()).unwrap().header().model_id);
        assert!(OnBoard::read(&dir, &id).is_some(), "count {name} again: tests/run.sh bench --save models/{name}");
    }
}

/// The committed model on the board.
#[test]
fn the_committed_model_replays_its_golden_vectors() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/glyphs");
    let outcome = run(&build("selftest", &dir).unwrap()).unwrap();
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(outcome.output.ends_with("agree\npassed\n"), "{}", outcome.output);
}
