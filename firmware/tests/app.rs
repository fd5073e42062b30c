//! The app by messages: decisions, who may do what, and what stays over a restart.

mod common;

use common::SimFlash;
use common::board::{
    DIM, KEY, PICTURE, ROOM, TestApp, TestMemory, TestPlatform, app, enrolled, fault, header, send, start, unlock,
};
use firmware::app::StartError;
use firmware::session;
use shared::bundle::Header;
use shared::embedding::Distance;
use shared::frontend::RawHeader;
use shared::gallery::{Candidate, Decision};
use shared::wire::{Adjustment, Fault, Request, Response, StoreState, Update};

fn candidate(label: &str, distance: u32, runner_up: Option<(&str, u32)>) -> Candidate {
    let runner_up = runner_up.map(|(label, distance)| (label.parse().unwrap(), Distance(distance)));
    Candidate { label: label.parse().unwrap(), distance: Distance(distance), runner_up }
}

fn matched(label: &str, distance: u32, runner_up: Option<(&str, u32)>) -> Response<'static> {
    Response::Decision(Decision::Match(candidate(label, distance, runner_up)))
}

fn unknown(label: &str, distance: u32, runner_up: Option<(&str, u32)>) -> Response<'static> {
    Response::Decision(Decision::Unknown(Some(candidate(label, distance, runner_up))))
}

#[test]
fn enrols_verifies_identifies_and_deletes() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let mut app = app(&mut flash, &mut memory, Some(10));
    unlock(&mut app);
    send(&mut app, &[1, 2, 3, 40]);
    assert_eq!(app.answer(&Request::Embed), Response::embedding(&[1, 2, 3, 40]));
    assert_eq!(app.answer(&Request::Identify), Response::Decision(Decision::Unknown(None)));
    assert_eq!(app.answer(&Request::Enrol { label: "ann" }), enrolled(1));
    send(&mut app, &[9, 2, 3, 40]);
    assert_eq!(app.answer(&Request::Enrol { label: "bob" }), enrolled(2));
    send(&mut app, &[4, 2, 3, 40]);
    assert_eq!(app.answer(&Request::Verify { label: "ann" }), matched("ann", 9, None));
    assert_eq!(app.answer(&Request::Verify { label: "bob" }), unknown("bob", 25, None));
    assert_eq!(app.answer(&Request::Identify), matched("ann", 9, Some(("bob", 25))));
    // It is within the threshold of somebody else.
    let resembles = Some(candidate("ann", 9, Some(("bob", 25))));
    assert_eq!(app.answer(&Request::Enrol { label: "eve" }), Response::Enrolled { identities: 3, resembles });
    assert_eq!(app.answer(&Request::Delete { label: "ann" }), Response::Done(2));
    assert_eq!(app.answer(&Request::Delete { label: "eve" }), Response::Done(1));
    assert_eq!(app.answer(&Request::Identify), unknown("bob", 25, None));
    assert_eq!(fault(&mut app, Request::Verify { label: "ann" }), Fault::NotEnrolled);
    assert_eq!(fault(&mut app, Request::Delete { label: "ann" }), Fault::NotEnrolled);
    let Response::Events(events) = app.answer(&Request::Events { after: 2 }) else { panic!("no events") };
    let told: Vec<_> = events.iter().map(|event| (event.number, event.accepted)).collect();
    assert_eq!(told, [(3, false), (4, true), (5, false)]);
}

/// Half of what the samples of a template differ more than usual is taken off its distances, before and after a restart.
#[test]
fn a_template_of_several_samples_has_an_allowance() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let usual = |spread| Header { spread: Some(Distance(spread)), ..header(7, Some(40)) };
    let mut app = start(&mut flash, &mut memory, usual(4), TestPlatform::default());
    unlock(&mut app);
    for value in [10, 12, 14] {
        send(&mut app, &[value, 2, 3, 40]);
        app.answer(&Request::Collect);
    }
    assert_eq!(app.answer(&Request::Enrol { label: "ann" }), enrolled(1));
    send(&mut app, &[100, 2, 3, 40]);
    assert_eq!(app.answer(&Request::Enrol { label: "bob" }), enrolled(2));
    // (4 + 4 + 16) / 3 = 8 is 4 above the usual.
    let asked = |value, answer: Response<'static>, app: &mut TestApp<'_>| {
        send(app, &[value, 2, 3, 40]);
        assert_eq!(app.answer(&Request::Verify { label: "ann" }), answer);
    };
    asked(18, matched("ann", 36 - 2, None), &mut app);
    asked(13, matched("ann", 0, None), &mut app);
    send(&mut app, &[18, 2, 3, 40]);
    assert_eq!(app.answer(&Request::Identify), matched("ann", 34, Some(("bob", 82 * 82))));
    drop(app);
    let mut app = start(&mut flash, &mut memory, usual(16), TestPlatform::default());
    asked(18, matched("ann", 36 + 4, None), &mut app);
    asked(19, unknown("ann", 49 + 4, None), &mut app);
}

#[test]
fn what_is_enrolled_survives_a_restart_and_what_is_deleted_does_not() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    for round in 0..20u8 {
        let mut app = app(&mut flash, &mut memory, Some(10));
        unlock(&mut app);
        send(&mut app, &[round * 10, 2, 3, 100]);
        assert_eq!(
            app.answer(&Request::Enrol { label: &format!("id {round}") }),
            enrolled(if round == 0 { 1 } else { 2 })
        );
        if round > 0 {
            let old = format!("id {}", round - 1);
            assert_eq!(app.answer(&Request::Delete { label: &old }), Response::Done(1));
        }
        app.answer(&Request::Threshold(Some(Adjustment { distance: Some(Distance(5)), loosen: false })));
    }
    let mut app = app(&mut flash, &mut memory, Some(10));
    send(&mut app, &[192, 2, 3, 100]);
    assert_eq!(app.answer(&Request::Identify), matched("id 19", 4, None));
    send(&mut app, &[193, 2, 3, 100]);
    assert_eq!(app.answer(&Request::Identify), unknown("id 19", 9, None));
    assert_eq!(app.answer(&Request::Threshold(None)), Response::Threshold { sealed: Distance(10), used: Distance(5) });
    unlock(&mut app);
    assert_eq!(app.answer(&Request::Wipe), Response::Done(0));
    assert_eq!(app.answer(&Request::Threshold(None)), Response::Threshold { sealed: Distance(10), used: Distance(10) });
    drop(app);
    assert!(!flash.holds(b"id "));
}

#[test]
fn a_sample_must_be_whole() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let mut app = app(&mut flash, &mut memory, Some(10));
    unlock(&mut app);
    for request in [Request::Embed, Request::Identify, Request::Enrol { label: "a" }, Request::Collect] {
        assert_eq!(fault(&mut app, request), Fault::NoSample);
    }
    let chunk = |offset, bytes| Request::Chunk { offset, bytes };
    assert_eq!(fault(&mut app, chunk(0, &[1])), Fault::NoSample);
    app.answer(&Request::Begin(PICTURE));
    assert_eq!(app.answer(&chunk(0, &[5, 6])), Response::Received(2));
    let short = Fault::Incomplete { received: 2, expected: 4 };
    assert_eq!(fault(&mut app, Request::Embed), short);
    let next = Fault::Chunk { received: 2 };
    assert_eq!(fault(&mut app, chunk(3, &[4])), next); // a gap
    assert_eq!(fault(&mut app, chunk(2, &[3, 4, 5])), next); // past the end
    assert_eq!(fault(&mut app, chunk(2, &[])), next);
    assert_eq!(fault(&mut app, chunk(u32::MAX, &[3, 4])), next);
    assert_eq!(app.answer(&chunk(0, &[5, 6])), Response::Received(2)); // the same again
    assert_eq!(app.answer(&chunk(1, &[6, 7])), Response::Received(3)); // partly the same
    assert_eq!(app.answer(&chunk(3, &[8])), Response::Received(4));
    assert_eq!(app.answer(&Request::Embed), Response::embedding(&[5, 6, 7, 8]));
    // Another sample replaces it.
    app.answer(&Request::Begin(PICTURE));
    assert_eq!(fault(&mut app, Request::Embed), Fault::Incomplete { received: 0, expected: 4 });
}

#[test]
fn samples_that_do_not_suit_are_refused() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let mut app = app(&mut flash, &mut memory, Some(10));
    let begin = |width, height, channels| Request::Begin(RawHeader::Image { width, height, channels });
    assert_eq!(fault(&mut app, begin(0, 2, 1)), Fault::Size);
    assert_eq!(fault(&mut app, begin(2, 9000, 1)), Fault::Size);
    assert_eq!(fault(&mut app, begin(2, 2, 3)), Fault::Channels { expected: 1 });
    assert_eq!(fault(&mut app, Request::Begin(RawHeader::Sound { rate: 16000, samples: 9 })), Fault::NotImage);
    // Nothing of it is kept, so its size does not matter.
    assert_eq!(app.answer(&begin(8192, 8192, 1)), Response::Received(0));
}

#[test]
fn the_quality_gate() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let mut app = app(&mut flash, &mut memory, Some(100));
    unlock(&mut app);
    send(&mut app, &[7, 7, 8, 8]);
    assert_eq!(fault(&mut app, Request::Enrol { label: "a" }), Fault::Blank);
    assert_eq!(fault(&mut app, Request::Collect), Fault::Blank);
    // A blank sample may be compared: it is somebody's or nobody's.
    assert_eq!(app.answer(&Request::Identify), Response::Decision(Decision::Unknown(None)));
    for (samples, bytes) in [(1, [0, 50, 0, 0]), (2, [3, 50, 0, 0]), (3, [4, 50, 0, 1])] {
        send(&mut app, &bytes);
        assert_eq!(app.answer(&Request::Collect), Response::Done(samples));
    }
    send(&mut app, &[0, 61, 0, 0]);
    let unlike = Fault::Unlike { distance: Distance(4 + 121), gate: Distance(100) };
    assert_eq!(fault(&mut app, Request::Collect), unlike);
    for samples in [4, 5] {
        send(&mut app, &[4, 50, 0, 1]);
        assert_eq!(app.answer(&Request::Collect), Response::Done(samples));
    }
    assert_eq!(fault(&mut app, Request::Collect), Fault::Samples);
    assert_eq!(app.answer(&Request::Enrol { label: "a" }), enrolled(1));
    // The mean, halves up: 15 / 5, 250 / 5, 0, 3 / 5.
    send(&mut app, &[3, 50, 0, 1]);
    assert_eq!(app.answer(&Request::Verify { label: "a" }), matched("a", 0, None));
    // What was collected is used up.
    send(&mut app, &[90, 0, 0, 0]);
    assert_eq!(app.answer(&Request::Enrol { label: "b" }), enrolled(2));
    assert_eq!(app.answer(&Request::Verify { label: "b" }), matched("b", 0, None));
}

#[test]
fn labels_and_room_have_bounds() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let mut app = app(&mut flash, &mut memory, Some(10));
    unlock(&mut app);
    send(&mut app, &[1, 2, 3, 40]);
    let long = "x".repeat(25);
    assert_eq!(fault(&mut app, Request::Enrol { label: "" }), Fault::Label);
    assert_eq!(fault(&mut app, Request::Enrol { label: &long }), Fault::Label);
    let labels: Vec<String> = (0..ROOM).map(|index| format!("id {index}")).collect();
    for (index, label) in labels.iter().enumerate() {
        send(&mut app, &[index as u8 * 10, 2, 3, 100]);
        assert_eq!(app.answer(&Request::Enrol { label }), enrolled(index as u16 + 1));
        assert_eq!(fault(&mut app, Request::Enrol { label }), Fault::Duplicate);
    }
    assert_eq!(fault(&mut app, Request::Enrol { label: "one more" }), Fault::Full { capacity: 10 });
    let mut listed = vec![];
    for first in [0, 8, 10, u16::MAX] {
        let Response::Identities { total, labels } = app.answer(&Request::List { first }) else {
            panic!("List was answered with something else");
        };
        assert_eq!(total, 10);
        listed.extend(labels.iter().map(|label| label.to_string()));
    }
    assert_eq!(listed, labels);
}

#[test]
fn without_a_threshold_nothing_is_decided() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let mut app = app(&mut flash, &mut memory, None);
    unlock(&mut app);
    send(&mut app, &[1, 2, 3, 40]);
    assert_eq!(app.answer(&Request::Embed), Response::embedding(&[1, 2, 3, 40]));
    for request in [
        Request::Enrol { label: "a" },
        Request::Verify { label: "a" },
        Request::Identify,
        Request::Delete { label: "a" },
        Request::Threshold(None),
    ] {
        assert_eq!(fault(&mut app, request), Fault::NoThreshold);
    }
    let Response::Info(info) = app.answer(&Request::Info) else {
        panic!("Info was answered with something else");
    };
    assert_eq!((info.threshold, info.capacity, info.unlocked), (None, 10, true));
}

#[test]
fn a_model_that_is_too_long_is_refused() {
    use common::board::FirstBytes;
    let mut flash = SimFlash::new(8);
    let mut memory = firmware::app::Memory::<1, 3>::new();
    let store = firmware::store::Store::open(&mut flash).unwrap();
    let engine = FirstBytes::new(header(7, Some(1)));
    let error = firmware::app::App::new(engine, store, TestPlatform::default(), &mut memory).err().unwrap();
    assert_eq!(error, StartError::TooLong { dim: DIM as u16, room: 3 });
}

/// What changes the board, and what asks for the key.
#[test]
fn only_an_admin_changes_anything() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let platform = TestPlatform { slots: vec![vec![0; 1024]; 2], ..TestPlatform::default() };
    let clock = platform.micros.clone();
    let mut app = start(&mut flash, &mut memory, header(7, Some(10)), platform);
    let looser = Request::Threshold(Some(Adjustment { distance: Some(Distance(11)), loosen: true }));
    let guarded = [
        Request::Enrol { label: "a" },
        Request::Collect,
        Request::Delete { label: "a" },
        Request::Wipe,
        looser,
        Request::Adapt(true),
        Request::Update(Update::Begin { bytes: 64 }),
        Request::Update(Update::Revert),
    ];
    send(&mut app, &[1, 2, 3, 40]);
    for request in guarded {
        assert_eq!(fault(&mut app, request), Fault::NotProvisioned);
    }
    assert_eq!(fault(&mut app, Request::Challenge), Fault::NotProvisioned);
    assert_eq!(app.answer(&Request::Provision { key: KEY }), Response::Done(0));
    assert_eq!(fault(&mut app, Request::Provision { key: [1; 32] }), Fault::Provisioned);
    for request in guarded {
        assert_eq!(fault(&mut app, request), Fault::Locked);
    }
    // Without a challenge, with the wrong key, twice.
    assert_eq!(fault(&mut app, Request::Unlock { proof: [0; 32] }), Fault::Proof);
    let Response::Challenge(challenge) = app.answer(&Request::Challenge) else { panic!("no challenge") };
    assert_eq!(fault(&mut app, Request::Unlock { proof: session::proof(&[1; 32], &challenge) }), Fault::Proof);
    assert_eq!(fault(&mut app, Request::Unlock { proof: session::proof(&KEY, &challenge) }), Fault::Proof);
    unlock(&mut app);
    assert_eq!(app.answer(&Request::Enrol { label: "a" }), enrolled(1));
    let stricter =
        |distance, loosen| Request::Threshold(Some(Adjustment { distance: Some(Distance(distance)), loosen }));
    assert_eq!(fault(&mut app, stricter(11, false)), Fault::Looser { sealed: Distance(10) });
    let used = |used| Response::Threshold { sealed: Distance(10), used: Distance(used) };
    assert_eq!(app.answer(&stricter(11, true)), used(11));
    assert_eq!(app.answer(&stricter(3, false)), used(3));
    assert_eq!(app.answer(&Request::Threshold(Some(Adjustment { distance: None, loosen: false }))), used(10));
    // Comparing, listing and reading need no session; the session ends when it is idle, or at once.
    clock.set(299_000_000);
    assert_eq!(app.answer(&Request::Adapt(false)), Response::Done(0));
    clock.set(600_000_000);
    assert_eq!(fault(&mut app, Request::Delete { label: "a" }), Fault::Locked);
    assert_eq!(app.answer(&Request::Verify { label: "a" }), matched("a", 0, None));
    unlock(&mut app);
    app.answer(&Request::Lock);
    assert_eq!(fault(&mut app, Request::Wipe), Fault::Locked);
    drop(app);
    // The key stays.
    let mut app = common::board::app(&mut flash, &mut memory, Some(10));
    assert_eq!(fault(&mut app, Request::Provision { key: [1; 32] }), Fault::Provisioned);
    assert_eq!(fault(&mut app, Request::Wipe), Fault::Locked);
}

#[test]
fn failures_in_a_row_are_delayed_longer_and_longer() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let platform = TestPlatform::default();
    let clock = platform.micros.clone();
    let mut app = start(&mut flash, &mut memory, header(7, Some(10)), platform.clone());
    unlock(&mut app);
    send(&mut app, &[1, 2, 3, 40]);
    app.answer(&Request::Enrol { label: "a" });
    app.answer(&Request::Lock);
    let seconds = |seconds: u64| clock.set(clock.get() + seconds * 1_000_000);
    send(&mut app, &[90, 2, 3, 40]);
    for _ in 0..5 {
        assert_eq!(app.answer(&Request::Verify { label: "a" }), unknown("a", 89 * 89, None));
    }
    for delay in [1, 2, 4, 8] {
        assert_eq!(fault(&mut app, Request::Verify { label: "a" }), Fault::Wait { seconds: delay });
        assert_eq!(fault(&mut app, Request::Identify), Fault::Wait { seconds: delay });
        seconds(delay.into());
        assert_eq!(app.answer(&Request::Identify), unknown("a", 89 * 89, None));
    }
    drop(app);
    // Pulling the plug does not help.
    let mut app = start(&mut flash, &mut memory, header(7, Some(10)), platform);
    assert_eq!(fault(&mut app, Request::Identify), Fault::Wait { seconds: 16 });
    seconds(16);
    send(&mut app, &[1, 2, 3, 40]);
    assert_eq!(app.answer(&Request::Identify), matched("a", 0, None));
    send(&mut app, &[90, 2, 3, 40]);
    for _ in 0..5 {
        assert_eq!(app.answer(&Request::Verify { label: "a" }), unknown("a", 89 * 89, None));
    }
    assert_eq!(fault(&mut app, Request::Identify), Fault::Wait { seconds: 1 });
    // An admin session is no way around it: others may stand at the pad meanwhile.
    unlock(&mut app);
    assert_eq!(fault(&mut app, Request::Identify), Fault::Wait { seconds: 1 });
}

/// What a session has collected is not enrolled in the next one.
#[test]
fn a_session_begins_with_nothing_collected() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let mut app = app(&mut flash, &mut memory, Some(10));
    unlock(&mut app);
    send(&mut app, &[1, 2, 3, 40]);
    assert_eq!(app.answer(&Request::Collect), Response::Done(1));
    unlock(&mut app);
    send(&mut app, &[90, 2, 3, 40]);
    assert_eq!(app.answer(&Request::Enrol { label: "a" }), enrolled(1));
    assert_eq!(app.answer(&Request::Verify { label: "a" }), matched("a", 0, None));
}

/// The row goes on where the power is cut after every failure, and an accepted sample ends it.
#[test]
fn a_power_cut_begins_no_new_row_of_failures() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let platform = TestPlatform::default();
    let clock = platform.micros.clone();
    let seconds = |seconds: u32| clock.set(clock.get() + u64::from(seconds) * 1_000_000);
    let mut app = start(&mut flash, &mut memory, header(7, Some(10)), platform.clone());
    unlock(&mut app);
    send(&mut app, &[1, 2, 3, 40]);
    app.answer(&Request::Enrol { label: "a" });
    drop(app);
    for delay in [0, 0, 0, 0, 0, 1, 2, 4] {
        let mut app = start(&mut flash, &mut memory, header(7, Some(10)), platform.clone());
        send(&mut app, &[90, 2, 3, 40]);
        if delay > 0 {
            assert_eq!(fault(&mut app, Request::Identify), Fault::Wait { seconds: delay });
            seconds(delay);
        }
        assert_eq!(app.answer(&Request::Identify), unknown("a", 89 * 89, None));
    }
    let mut app = start(&mut flash, &mut memory, header(7, Some(10)), platform.clone());
    seconds(8);
    send(&mut app, &[1, 2, 3, 40]);
    assert_eq!(app.answer(&Request::Identify), matched("a", 0, None));
    drop(app);
    let work = flash.work;
    let mut app = start(&mut flash, &mut memory, header(7, Some(10)), platform);
    send(&mut app, &[1, 2, 3, 40]);
    for _ in 0..3 {
        assert_eq!(app.answer(&Request::Identify), matched("a", 0, None));
    }
    drop(app);
    assert_eq!(flash.work, work, "where the count stays, nothing is written");
}

#[test]
fn only_confident_matches_move_a_template_and_only_if_asked() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let mut app = app(&mut flash, &mut memory, Some(100));
    unlock(&mut app);
    send(&mut app, &[0, 0, 0, 40]);
    app.answer(&Request::Enrol { label: "a" });
    send(&mut app, &[7, 0, 0, 40]);
    assert_eq!(app.answer(&Request::Verify { label: "a" }), matched("a", 49, None));
    assert_eq!(app.answer(&Request::Verify { label: "a" }), matched("a", 49, None));
    assert_eq!(app.answer(&Request::Adapt(true)), Response::Done(1));
    // Each match moves it by an eighth, rounded up: 1, 1, 1, …
    for left in [7u32, 6, 5, 4, 3, 2, 1, 0, 0] {
        assert_eq!(app.answer(&Request::Verify { label: "a" }), matched("a", left * left, None));
    }
    // Not confident: accepted, and nothing moves.
    send(&mut app, &[15, 0, 0, 40]);
    assert_eq!(app.answer(&Request::Identify), matched("a", 64, None));
    assert_eq!(app.answer(&Request::Identify), matched("a", 64, None));
    // Somebody else is as near.
    app.answer(&Request::Enrol { label: "b" });
    send(&mut app, &[10, 0, 0, 40]);
    assert_eq!(app.answer(&Request::Identify), matched("a", 9, Some(("b", 25))));
    assert_eq!(app.answer(&Request::Identify), matched("a", 9, Some(("b", 25))));
    assert_eq!(app.answer(&Request::Verify { label: "a" }), matched("a", 9, None));
    assert_eq!(app.answer(&Request::Verify { label: "a" }), matched("a", 9, None));
    drop(app);
    // What moved was stored.
    let mut app = common::board::app(&mut flash, &mut memory, Some(100));
    send(&mut app, &[7, 0, 0, 40]);
    assert_eq!(app.answer(&Request::Verify { label: "a" }), matched("a", 0, None));
}

#[test]
fn templates_of_another_model_are_refused() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let mut app = common::board::app(&mut flash, &mut memory, Some(10));
    unlock(&mut app);
    send(&mut app, &[1, 2, 3, 40]);
    app.answer(&Request::Enrol { label: "a" });
    drop(app);
    let mut app = start(&mut flash, &mut memory, header(8, Some(10)), TestPlatform::default());
    send(&mut app, &[1, 2, 3, 40]);
    let refused = Fault::OtherModel { model: 7 };
    unlock(&mut app);
    for request in
        [Request::Identify, Request::Verify { label: "a" }, Request::Enrol { label: "b" }, Request::List { first: 0 }]
    {
        assert_eq!(fault(&mut app, request), refused);
    }
    let Response::Info(info) = app.answer(&Request::Info) else { panic!("no info") };
    assert_eq!((info.store, info.identities, info.provisioned), (StoreState::OtherModel(7), 0, true));
    assert_eq!(app.answer(&Request::Wipe), Response::Done(0));
    assert_eq!(app.answer(&Request::Enrol { label: "b" }), enrolled(1));
    drop(app);
    // Back to the first model: now it is the one that is refused.
    let mut app = common::board::app(&mut flash, &mut memory, Some(10));
    send(&mut app, &[1, 2, 3, 40]);
    assert_eq!(fault(&mut app, Request::Identify), Fault::OtherModel { model: 8 });
}

#[test]
fn a_strange_flash_is_left_alone_until_it_is_wiped() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    for (at, byte) in flash.bytes.iter_mut().enumerate() {
        *byte = ((at * at) >> 3) as u8;
    }
    let mut app = app(&mut flash, &mut memory, Some(10));
    assert_eq!(fault(&mut app, Request::Identify), Fault::Foreign);
    assert_eq!(fault(&mut app, Request::Provision { key: KEY }), Fault::Foreign);
    assert_eq!(app.answer(&Request::Wipe), Response::Done(0));
    unlock(&mut app);
    send(&mut app, &[1, 2, 3, 40]);
    assert_eq!(app.answer(&Request::Enrol { label: "a" }), enrolled(1));
}
