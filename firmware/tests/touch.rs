//! The touch controller against the bytes on its bus, and the signature pad by what somebody writes on it.

mod common;

use std::cell::RefCell;
use std::convert::Infallible;

use common::SimFlash;
use common::board::{KEY, PICTURE, TestMemory, TestPlatform, enrolled, header, send, start, unlock};
use embedded_hal_mock::eh1::digital::{Mock as Pin, State, Transaction as Level};
use embedded_hal_mock::eh1::spi::{Mock as Spi, Transaction as Bus};
use firmware::capture::Source;
use firmware::capture::drawing::{Drawing, Touch};
use firmware::capture::pad::{FINISHED_MS, LIFT_MS, Pad, SAMPLE_MS};
use firmware::capture::xpt2046::{Panel, Xpt2046};
use firmware::device::Event;
use firmware::pins::{ACCEPT_MS, Active, Button, DEBOUNCE_MS, Outputs, Pulse, REJECT_MS, Unwired};
use shared::bundle::Header;
use shared::embedding::Distance;
use shared::frontend::{FrontEnd, Pixels, RawHeader};
use shared::gallery::{Candidate, Decision};
use shared::wire::{Fault, LogLevel, Request, Response};

/// What the controller measures: Z1, Z2, four times X, four times Y, Z1, Z2.
type Results = [u16; 12];

/// A pen's touch, with the noise that a panel of this kind has.
const PRESSED: Results = [412, 1630, 1390, 2047, 2051, 2046, 3105, 1024, 1021, 1022, 420, 1618];
const INPUT: Pixels = Pixels { width: 28, height: 28, channels: 1, invert: true, stretch: false };
/// Readings of the pad that a press of the button lasts.
const PRESS: usize = 3 + (DEBOUNCE_MS / SAMPLE_MS) as usize;

/// One place over SPI: control bytes of the data sheet, and the results one clock after each of them.
fn conversation(results: Results) -> [Bus<u8>; 3] {
    let controls = [0xb0, 0xc0, 0xd0, 0xd0, 0xd0, 0xd0, 0x90, 0x90, 0x90, 0x90, 0xb0, 0xc0];
    let mut sent = vec![];
    let mut received = vec![0x55];
    for (control, result) in controls.into_iter().zip(results) {
        sent.extend([control, 0]);
        // The clock before the twelve bits and the three after them carry nothing.
        received.extend((0x8005 | result << 3).to_be_bytes());
    }
    sent.push(0);
    [Bus::transaction_start(), Bus::transfer_in_place(sent, received), Bus::transaction_end()]
}

/// Where a panel is touched whose controller measures `results`.
fn touch(results: Results, panel: Panel) -> Option<Touch> {
    let mut spi = Spi::new(&conversation(results));
    let mut pen = Pin::new(&[Level::get(State::Low)]);
    let touch = Xpt2046::new(spi.clone(), pen.clone(), panel).touch().unwrap();
    spi.done();
    pen.done();
    touch
}

fn at(x: u16, y: u16) -> Results {
    let mut results = PRESSED;
    results[2..6].fill(x);
    results[6..10].fill(y);
    results
}

#[test]
fn the_place_is_the_median_without_the_first_conversion_of_an_axis() {
    // x = (2047 - 200) * 5760 / 3700, y = (1022 - 240) * 4320 / 3560.
    assert_eq!(touch(PRESSED, Panel::INCHES_2_8), Some(Touch { x: 2875, y: 948 }));
    for spike in [3, 4, 5] {
        let mut results = at(2047, 1022);
        results[spike] = 4095;
        results[spike + 4] = 0;
        assert_eq!(touch(results, Panel::INCHES_2_8), Some(Touch { x: 2875, y: 948 }), "spike in {spike}");
    }
}

#[test]
fn a_panel_may_be_turned_and_mirrored_and_ends_at_its_edges() {
    let panel = Panel { across: [3900, 200], down: [240, 3800], turned: true, lightest: 2000, ..Panel::INCHES_2_8 };
    // The controller's Y runs across, from right to left: x = (3900 - 2047) * 5760 / 3700.
    assert_eq!(touch(at(1022, 2047), panel), Some(Touch { x: 2884, y: 948 }));
    assert_eq!(touch(at(4000, 10), panel), Some(Touch { x: 5760, y: 4320 }));
    assert_eq!(touch(at(10, 4000), panel), Some(Touch { x: 0, y: 0 }));
    assert_eq!(touch(at(10, 4000), Panel { across: [7, 7], down: [9, 9], ..panel }), Some(Touch { x: 0, y: 0 }));
}

#[test]
fn a_light_or_a_lifted_pen_has_no_place() {
    let light = |z1, z2, at: usize| {
        let mut results = PRESSED;
        results[at] = z1;
        results[at + 1] = z2;
        touch(results, Panel::INCHES_2_8)
    };
    for at in [0, 10] {
        // 400 * 2047 / 4096 * (z2 / z1 - 1) ohms: the limit is 1000.
        assert!(light(400, 2400, at).is_some(), "999.5 ohms");
        assert!(light(400, 2403, at).is_none(), "1001 ohms");
        assert!(light(0, 4095, at).is_none(), "no contact");
        assert!(light(4095, 0, at).is_some(), "a short circuit");
    }
    let mut spi = Spi::new(&[]);
    let mut pen = Pin::new(&[Level::get(State::High)]);
    assert_eq!(Xpt2046::new(spi.clone(), pen.clone(), Panel::INCHES_2_8).touch().unwrap(), None);
    spi.done();
    pen.done();
}

/// Raw places of a capital L with a dot, one every [`SAMPLE_MS`], none where the pen is up: somebody's hand, wobbling.
fn written() -> Vec<Option<(u16, u16)>> {
    let wobble = |n: u16| n * 37 % 11;
    let down = (0..60).map(|n| Some((1200 + wobble(n), 800 + 30 * n + wobble(n + 3))));
    let lost = [None];
    let right = (0..50).map(|n| Some((1200 + 26 * n + wobble(n), 2600 + wobble(n + 5))));
    let up = std::iter::repeat_n(None, (LIFT_MS / SAMPLE_MS) as usize + 20);
    let dot = (0..4).map(|n| Some((2500 + wobble(n), 900 + wobble(n))));
    let done = std::iter::repeat_n(None, (FINISHED_MS / SAMPLE_MS) as usize);
    down.chain(lost).chain(right).chain(up).chain(dot).chain(done).collect()
}

struct Recording {
    spi: Spi<u8>,
    pen: Pin,
    button: Pin,
    pad: Pad<Spi<u8>, Pin, Pin, 784>,
}

/// A pad on which `places` are written, while the button has the levels of `presses`, one each time the pad is read.
fn recording(places: &[Option<(u16, u16)>], presses: &[bool]) -> Recording {
    let mut bus = vec![];
    let mut levels = vec![];
    for place in places {
        levels.push(Level::get(if place.is_some() { State::Low } else { State::High }));
        bus.extend(place.iter().flat_map(|&(x, y)| conversation(at(x, y))));
    }
    let pressed = (0..places.len()).map(|n| presses.get(n).copied().unwrap_or(false));
    let pressed = pressed.map(|pressed| Level::get(if pressed { State::Low } else { State::High }));
    let (spi, pen, button) = (Spi::new(&bus), Pin::new(&levels), Pin::new(&pressed.collect::<Vec<_>>()));
    let panel = Xpt2046::new(spi.clone(), pen.clone(), Panel::INCHES_2_8);
    let pad = Pad::new(panel, Button::new(button.clone(), Active::Low), &INPUT).unwrap();
    Recording { spi, pen, button, pad }
}

impl Recording {
    /// Reads the pad until it asks, and returns the picture that it sends.
    fn picture(&mut self, now: &mut u32) -> Vec<u8> {
        loop {
            *now += SAMPLE_MS;
            match self.pad.poll(*now).unwrap() {
                None => {}
                Some(Request::Begin(picture)) => {
                    assert_eq!(picture, RawHeader::Image { width: 28, height: 28, channels: 1 });
                    break;
                }
                Some(other) => panic!("{other:?} before the sample"),
            }
        }
        let mut picture = vec![];
        self.pad.answer(&Response::Received(0)).unwrap();
        while picture.len() < 784 {
            let Some(Request::Chunk { offset, bytes }) = self.pad.poll(*now).unwrap() else { panic!("no chunk") };
            assert_eq!(offset as usize, picture.len());
            picture.extend_from_slice(bytes);
            self.pad.answer(&Response::Received(picture.len() as u32)).unwrap();
        }
        picture
    }

    fn done(mut self) {
        self.spi.done();
        self.pen.done();
        self.button.done();
    }
}

#[test]
fn what_is_written_becomes_the_picture_and_is_identified() {
    let places = written();
    let mut recording = recording(&places, &[]);
    let mut now = 0;
    let picture = recording.picture(&mut now);
    let ink = |x: usize, y: usize| 255 - picture[y * 28 + x];
    // The L: 1300 of the controller's steps across and 1800 down are 20.2 by 21.8 mm, the picture has 28 - 2 * (2.8 + 1) rows.
    let rows: Vec<usize> = (0..28).filter(|&y| (0..28).any(|x| ink(x, y) > 0)).collect();
    let columns: Vec<usize> = (0..28).filter(|&x| (0..28).any(|y| ink(x, y) > 0)).collect();
    assert_eq!((rows[0], rows[rows.len() - 1]), (2, 25));
    assert!(columns[0] >= 2 && columns[columns.len() - 1] <= 25 && columns.len() >= 20, "{columns:?}");
    let left = columns[0] + 1;
    assert!((4..22).all(|y| ink(left, y) == 255), "the stroke down has no gap");
    assert!((4..20).all(|y| ink(left + 8, y) == 0), "the L is open to the right");
    let bottom = rows[rows.len() - 1] - 1;
    assert!((left..left + 16).all(|x| ink(x, bottom) == 255), "a touch that is lost for one sample breaks no stroke");
    let dot = (0..10).any(|y| (18..26).any(|x| ink(x, y) == 255));
    assert!(dot, "the dot is there, joined to nothing");
    assert!((4..20).all(|y| ink(14, y) == 0));
    assert_eq!(recording.pad.poll(now).unwrap(), Some(Request::Identify));
    recording.pad.answer(&Response::Decision(Decision::Unknown(None))).unwrap();
    recording.done();
}

/// The same hand before and after a change of the model from dark on light to light on dark.
#[test]
fn a_pad_draws_for_the_model_in_use() {
    let mut recording = recording(&written().repeat(2), &[]);
    let mut now = 0;
    let dark = recording.picture(&mut now);
    recording.pad.suit(&Pixels { invert: false, ..INPUT });
    let light = recording.picture(&mut now);
    assert!(dark.iter().zip(&light).all(|(&dark, &light)| dark == 255 - light));
    recording.done();
}

#[test]
fn after_a_press_the_drawing_is_enrolled_under_a_number_that_is_free() {
    let mut places = vec![None; 30];
    places.extend(written());
    places.extend(written());
    let mut recording = recording(&places, &[true; PRESS]);
    let mut now = 0;
    recording.picture(&mut now);
    assert!(recording.pad.enrols());
    assert_eq!(recording.pad.poll(now).unwrap(), Some(Request::Enrol { label: "pad 1" }));
    recording.pad.answer(&Response::Fault(Fault::Duplicate)).unwrap();
    assert_eq!(recording.pad.poll(now).unwrap(), Some(Request::Enrol { label: "pad 2" }));
    recording.pad.answer(&Response::Done(2)).unwrap();
    assert!(!recording.pad.enrols());
    // The same is written once more: the same picture, and now the question who it was.
    let _ = recording.picture(&mut now);
    assert_eq!(recording.pad.poll(now).unwrap(), Some(Request::Identify));
    recording.pad.answer(&Response::Fault(Fault::NoThreshold)).unwrap();
    recording.done();
}

/// A host that asks nothing.
struct Silent;

impl Source for Silent {
    type Error = Infallible;

    fn poll(&mut self, _now: u32) -> Result<Option<Request<'_>>, Infallible> {
        Ok(None)
    }

    fn answer(&mut self, _response: &Response<'_>) -> Result<(), Infallible> {
        panic!("the host was answered")
    }
}

/// An output that is set to these levels, one after the other.
fn output(levels: &[State]) -> Pin {
    Pin::new(&levels.iter().map(|&level| Level::set(level)).collect::<Vec<_>>())
}

/// Three drawings before the app: the button is pressed before the first, which is refused as no session is open, and before
/// the second, which is enrolled; the third is identified.
#[test]
fn the_button_enrols_in_an_admin_session_only() {
    use State::{High, Low};
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let model = Header { frontend: FrontEnd::Pixels(INPUT), ..header(7, Some(10)) };
    let mut app = start(&mut flash, &mut memory, model, TestPlatform::default());
    assert_eq!(app.answer(&Request::Provision { key: KEY }), Response::Done(0));

    let drawing = [vec![None; 30], written()].concat();
    let press = |pressed: bool| (0..drawing.len()).map(move |n| pressed && n < PRESS);
    let presses: Vec<bool> = [true, true, false].into_iter().flat_map(press).collect();
    let Recording { mut spi, pen, button, pad } = recording(&drawing.repeat(3), &presses);
    let mut pad = Some(pad);
    // No goes on at the refusal and off by itself; yes goes on at the match, which turns the other one off.
    let (accept, reject) = (output(&[Low, Low, High]), output(&[Low, High, Low, Low]));
    let mut outputs = Outputs::new(
        Pulse::new(accept.clone(), Active::High, ACCEPT_MS).unwrap(),
        Pulse::new(reject.clone(), Active::High, REJECT_MS).unwrap(),
    );

    let answers = RefCell::new(vec![]);
    let tell = |event: Event<'_>, _: LogLevel| match event {
        Event::Answer(Response::Received(_)) => {}
        Event::Answer(response) => answers.borrow_mut().push(format!("{response:?}")),
        event => panic!("{event:?}"),
    };
    let candidate = Candidate { label: "pad 1".parse().unwrap(), distance: Distance(0), runner_up: None };
    let expected = [Response::Fault(Fault::Locked), enrolled(1), Response::Decision(Decision::Match(candidate))];
    let mut now = 0;
    for (index, expected) in expected.iter().enumerate() {
        match index {
            1 => unlock(&mut app),
            2 => assert_eq!(app.answer(&Request::Lock), Response::Done(0)),
            _ => {}
        }
        while answers.borrow().is_empty() {
            now += SAMPLE_MS;
            app.turn(&mut Silent, &mut pad, &mut outputs, &|| now, &tell);
        }
        assert_eq!(answers.take(), [format!("{expected:?}")]);
    }
    for mut pin in [pen, button, accept, reject] {
        pin.done();
    }
    spi.done();
}

/// A source that asks one of these a turn, or nothing, and keeps what it is answered.
struct Script {
    requests: Vec<Option<Request<'static>>>,
    answers: Vec<String>,
}

impl Script {
    fn new(mut requests: Vec<Option<Request<'static>>>) -> Script {
        requests.reverse();
        Script { requests, answers: vec![] }
    }
}

impl Source for Script {
    type Error = Infallible;

    fn poll(&mut self, _now: u32) -> Result<Option<Request<'_>>, Infallible> {
        Ok(self.requests.pop().flatten())
    }

    fn answer(&mut self, response: &Response<'_>) -> Result<(), Infallible> {
        self.answers.push(format!("{response:?}"));
        Ok(())
    }
}

/// The host's sample and what it has collected, then the pad's sample between the host's requests.
#[test]
fn neither_source_acts_on_the_sample_of_the_other() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let mut app = start(&mut flash, &mut memory, header(7, Some(10)), TestPlatform::default());
    unlock(&mut app);
    let sample = |bytes| [Some(Request::Begin(PICTURE)), Some(Request::Chunk { offset: 0, bytes })];
    let host =
        [&sample(&[1, 2, 3, 40])[..], &[Some(Request::Collect), None, None, Some(Request::Verify { label: "a" })]];
    let pad = [&[None, None, None], &sample(&[70, 2, 3, 40])[..], &[Some(Request::Enrol { label: "pad 1" })]];
    let (mut host, mut pad) = (Script::new(host.concat()), Some(Script::new(pad.concat())));
    let silent = || output(&[State::Low]);
    let (accept, reject) = (silent(), silent());
    let mut outputs = Outputs::new(
        Pulse::new(accept.clone(), Active::High, ACCEPT_MS).unwrap(),
        Pulse::new(reject.clone(), Active::High, REJECT_MS).unwrap(),
    );
    for _ in 0..6 {
        app.turn(&mut host, &mut pad, &mut outputs, &|| 0, &|_, _| ());
    }
    assert_eq!(host.answers.pop(), Some(format!("{:?}", Response::Fault(Fault::NoSample))));
    assert_eq!(pad.unwrap().answers.pop(), Some(format!("{:?}", enrolled(1))));
    // Enrolled is what was written on the pad.
    send(&mut app, &[70, 2, 3, 40]);
    let candidate = Candidate { label: "pad 1".parse().unwrap(), distance: Distance(0), runner_up: None };
    assert_eq!(app.answer(&Request::Identify), Response::Decision(Decision::Match(candidate)));
    for mut pin in [accept, reject] {
        pin.done();
    }
}

#[test]
fn a_fault_ends_the_sample() {
    let places = [written(), vec![None]].concat();
    let mut recording = recording(&places, &[]);
    let mut now = SAMPLE_MS;
    while recording.pad.poll(now).unwrap().is_none() {
        now += SAMPLE_MS;
    }
    recording.pad.answer(&Response::Fault(Fault::Channels { expected: 3 })).unwrap();
    assert_eq!(recording.pad.poll(now + SAMPLE_MS).unwrap(), None, "the pad is read again");
    recording.done();
}

#[test]
fn a_model_of_other_pictures_has_no_pad() {
    let pad = |input: Pixels| {
        let panel = Xpt2046::new(Unwired, Unwired, Panel::INCHES_2_8);
        Pad::<_, _, _, 784>::new(panel, Button::new(Unwired, Active::Low), &input).is_some()
    };
    assert!(pad(INPUT));
    assert!(!pad(Pixels { channels: 3, ..INPUT }));
    assert!(!pad(Pixels { width: 29, ..INPUT }));
}

#[test]
fn a_drawing_longer_than_its_memory_keeps_its_shape() {
    let spiral = |turns: u32, n: u32| {
        let angle = f64::from(n) / 60.0;
        let radius = 20.0 + f64::from(n) * 1900.0 / f64::from(turns * 377);
        Touch { x: (2880.0 + radius * angle.cos()) as u16, y: (2160.0 + radius * angle.sin()) as u16 }
    };
    let draw = |drawing: &mut dyn FnMut(Touch)| (0..3 * 377).for_each(|n| drawing(spiral(3, n)));
    let (mut short, mut long) = (Drawing::<128>::new(), Drawing::<2048>::new());
    draw(&mut |touch| short.down(touch));
    draw(&mut |touch| long.down(touch));
    let (mut few, mut many) = ([0; 784], [0; 784]);
    short.draw(28, 28, 800, &mut few).unwrap();
    long.draw(28, 28, 800, &mut many).unwrap();
    let apart: u32 = few.iter().zip(many).map(|(&a, b)| u32::from(a.abs_diff(b))).sum();
    let ink: u32 = many.iter().map(|&v| u32::from(v)).sum();
    assert!(apart * 20 < ink, "{apart} of {ink}");
}
