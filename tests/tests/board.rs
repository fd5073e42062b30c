//! The board in the emulator: it replays its golden vectors, it tells what is wrong, and it talks as the desktop does.

use std::collections::HashSet;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

use firmware::desktop::{DesktopApp, DesktopMemory, TractEngine, serve_stream};
use firmware::onnx::OnnxModel;
use host::net::{Architecture, Shape};
use parity::board::{Device, build, run};
use parity::conversation::{hold, script};
use parity::exported::{Exported, export};
use parity::model::pictures;
use shared::gallery::Decision;
use shared::golden::{self, Golden};
use shared::wire::{Decoder, Fault, Response};

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

#[test]
fn board_and_desktop_answer_alike() {
    let (dir, exported) = model();
    let script = script(&pictures(5, 6, 1));

    let mut device = Device::start(&build("device", &dir).unwrap()).unwrap();
    let board = hold(&mut device.link, &script).unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let mut memory = DesktopMemory::new();
        let model = OnnxModel::from_bytes(&exported.onnx).unwrap();
        let mut app = DesktopApp::new(TractEngine::new(model), &mut memory).unwrap();
        let (stream, _) = listener.accept().unwrap();
        serve_stream(&mut app, stream, |_| ()).unwrap();
    });
    let mut link = TcpStream::connect(address).unwrap();
    let desktop = hold(&mut link, &script).unwrap();
    drop(link);
    server.join().unwrap();

    assert_eq!(board.len(), script.len());
    for (index, (board, desktop)) in board.iter().zip(&desktop).enumerate() {
        assert_eq!(board, desktop, "answer {index}");
    }
    is_varied(&board);
}

/// Whether the conversation saw every kind of answer: two that only ever failed would agree as well.
fn is_varied(answers: &[Vec<u8>]) {
    let mut seen = HashSet::new();
    for answer in answers {
        let mut decoder = Decoder::new();
        let frames: Vec<_> = answer
            .iter()
            .filter_map(|&byte| {
                let frame = decoder.push(byte)?.unwrap();
                Some(match frame.message().unwrap() {
                    Response::Info(_) => "info",
                    Response::Received(_) => "received",
                    Response::Embedding(_) => "embedding",
                    Response::Done(_) => "done",
                    Response::Decision(Decision::Match(_)) => "match",
                    Response::Decision(Decision::Unknown(Some(_))) => "unknown",
                    Response::Decision(Decision::Unknown(None)) => "nobody",
                    Response::Identities { .. } => "identities",
                    Response::Fault(Fault::Frame) => "frame",
                    Response::Fault(Fault::Request) => "request",
                    Response::Fault(Fault::Size) => "size",
                    Response::Fault(Fault::Channels { .. }) => "channels",
                    Response::Fault(Fault::Capacity { .. }) => "capacity",
                    Response::Fault(Fault::Chunk { .. }) => "chunk",
                    Response::Fault(Fault::NoSample) => "no sample",
                    Response::Fault(Fault::Incomplete { .. }) => "incomplete",
                    Response::Fault(Fault::Label) => "label",
                    Response::Fault(Fault::Duplicate) => "duplicate",
                    Response::Fault(Fault::NotEnrolled) => "not enrolled",
                    Response::Fault(fault) => panic!("{fault}"),
                })
            })
            .collect();
        assert_eq!(frames.len(), 1);
        seen.extend(frames);
    }
    assert_eq!(seen.len(), 19, "{seen:?}");
}

/// The committed model on the board.
#[test]
fn the_committed_model_replays_its_golden_vectors() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/glyphs");
    let outcome = run(&build("selftest", &dir).unwrap()).unwrap();
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(outcome.output.ends_with("agree\npassed\n"), "{}", outcome.output);
}
