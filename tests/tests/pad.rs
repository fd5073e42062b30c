//! A hand writes on the emulated board's panel: what it wrote is enrolled and recognised, and on the desktop likewise.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use firmware::capture::Source;
use firmware::capture::pad::{Pad, SAMPLE_MS};
use firmware::capture::xpt2046::{Panel, Xpt2046};
use firmware::desktop::{DesktopApp, DesktopMemory, DesktopPlatform, FlashImage, TractEngine};
use firmware::engine::Engine;
use firmware::onnx::OnnxModel;
use firmware::pins::{ACCEPT_MS, Active, Button, Millis, Outputs, Pulse, REJECT_MS, Unwired};
use firmware::session;
use firmware::store::Store;
use host::device::{Client, Emulator};
use parity::board::{EMULATED_WITH_PAD, Kernels, build_for};
use parity::conversation::KEY;
use parity::exported::Exported;
use parity::pad::{Hand, Place};
use shared::frontend::FrontEnd;
use shared::wire::{Request, Response};

/// A letter, the same again by a hand that is less sure, and another letter.
const WRITTEN: [&[&[Place]]; 3] = [
    &[&[[1000, 3200], [2000, 700], [3000, 3200]], &[[1400, 2200], [2600, 2200]]],
    &[&[[1100, 3300], [2060, 800], [3090, 3180]], &[[1500, 2300], [2640, 2180]]],
    &[&[[1000, 700], [3000, 900], [1050, 3100], [3100, 3200]]],
];

/// Enrols `one` after a press of the button, where that may be, then writes `another`.
fn write(hand: &Hand, one: &[&[Place]], another: &[&[Place]]) {
    hand.press();
    hand.draw(one);
    hand.draw(another);
}

/// What a board says of its decisions and of who is enrolled.
#[derive(Debug, PartialEq)]
struct Said {
    decisions: Vec<String>,
    labels: Vec<String>,
}

impl Said {
    /// By the answers to `Events` and `List`.
    fn of(mut answer: impl FnMut(&Request<'_>, &mut dyn FnMut(&Response<'_>))) -> Said {
        let mut said = Said { decisions: vec![], labels: vec![] };
        for request in [Request::Events { after: 0 }, Request::List { first: 0 }] {
            answer(&request, &mut |response| match response {
                Response::Events(events) => said.decisions = events.iter().map(|event| format!("{event:?}")).collect(),
                Response::Identities { labels, .. } => said.labels = labels.iter().map(ToString::to_string).collect(),
                _ => panic!("{response:?}"),
            });
        }
        said
    }

    fn counts(&self) -> (usize, usize) {
        (self.decisions.len(), self.labels.len())
    }
}

/// In an admin session a letter is enrolled after a press of the button, without one it is recognised, and another letter is not.
/// Once the session is over a press enrols nothing. The desktop's app says the same, to the last distance.
#[test]
fn who_writes_on_the_pad_is_enrolled_and_recognised() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/glyphs");
    let on_desktop = on_the_desktop(&dir);
    let elf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("device-with-pad");
    fs::write(&elf, build_for(EMULATED_WITH_PAD, Kernels::Chosen, "device", &dir).unwrap()).unwrap();
    let flash = tempfile::tempdir().unwrap();
    let (_emulator, link, pad) = Emulator::start_with_pad(&elf, &flash.path().join("flash"), Stdio::null()).unwrap();
    let hand = Hand::default();
    let player = hand.clone();
    thread::spawn(move || player.play(pad));
    let mut client = Client::new(Box::new(link)).unwrap();
    let until = |client: &mut Client, counts| {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let said = Said::of(|request, read| {
                let answered = client.ask(request, |response| {
                    read(&response);
                    Ok(())
                });
                answered.unwrap();
            });
            if said.counts() == counts {
                return said;
            }
            assert!(Instant::now() < deadline, "{said:?}");
            thread::sleep(Duration::from_millis(20));
        }
    };
    client.done(&Request::Provision { key: KEY }).unwrap();
    client.unlock(&KEY).unwrap();
    write(&hand, WRITTEN[0], WRITTEN[1]);
    until(&mut client, (1, 1));
    client.done(&Request::Lock).unwrap();
    write(&hand, WRITTEN[2], WRITTEN[2]);
    assert_eq!(until(&mut client, (2, 1)), on_desktop);
}

/// The same on the desktop, five milliseconds a turn.
fn on_the_desktop(dir: &Path) -> Said {
    let exported = Exported::read(dir).unwrap();
    let engine = TractEngine::new(OnnxModel::from_bytes(&exported.onnx).unwrap());
    let FrontEnd::Pixels(input) = engine.header().frontend else { panic!("the model takes no pictures") };
    let mut flash = FlashImage::volatile();
    let (store, slots) = flash.parts().unwrap();
    let mut memory = DesktopMemory::new();
    let platform = DesktopPlatform::new(exported.golden.clone(), slots, 0);
    let mut app = DesktopApp::new(engine, Store::open(store).unwrap(), platform, &mut memory).unwrap();
    let hand = Hand::default();
    let (bus, interrupt, button) = hand.wires();
    let panel = Xpt2046::new(bus, interrupt, Panel::INCHES_2_8);
    let mut pad = Pad::<_, _, _, 4096>::new(panel, Button::new(button, Active::High), &input);
    let pulse = |length| Pulse::new(Unwired, Active::High, length).unwrap();
    let mut outputs = Outputs::new(pulse(ACCEPT_MS), pulse(REJECT_MS));
    let mut now = 0;
    let mut wait = |app: &mut DesktopApp<'_, _>| {
        // What the last reading has finished is asked for in fewer turns than these.
        let mut turns = 30;
        while turns > 0 {
            app.turn(&mut Nobody, &mut pad, &mut outputs, &|| now, &|_, _| ());
            now += SAMPLE_MS;
            turns -= i32::from(hand.is_idle());
        }
    };
    app.answer(&Request::Provision { key: KEY });
    let Response::Challenge(challenge) = app.answer(&Request::Challenge) else { panic!("no challenge") };
    app.answer(&Request::Unlock { proof: session::proof(&KEY, &challenge) });
    write(&hand, WRITTEN[0], WRITTEN[1]);
    wait(&mut app);
    app.answer(&Request::Lock);
    write(&hand, WRITTEN[2], WRITTEN[2]);
    wait(&mut app);
    let said = Said::of(|request, read| read(&app.answer(request)));
    assert_eq!(said.labels, ["pad 1"]);
    let [own, other] = &said.decisions[..] else { panic!("{said:?}") };
    assert!(own.contains("accepted: true") && other.contains("accepted: false"), "{said:?}");
    said
}

/// A host that asks nothing.
struct Nobody;

impl Source for Nobody {
    type Error = ();

    fn poll(&mut self, _now: Millis) -> Result<Option<Request<'_>>, ()> {
        Ok(None)
    }

    fn answer(&mut self, _response: &Response<'_>) -> Result<(), ()> {
        Ok(())
    }
}
