//! Outputs and button against recorded levels.

use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};
use firmware::pins::{Active, Button, DEBOUNCE_MS, Outputs, Pulse};

fn sets(levels: &[bool]) -> Mock {
    let levels = levels.iter().map(|&high| Transaction::set(if high { State::High } else { State::Low }));
    Mock::new(&levels.collect::<Vec<_>>())
}

#[test]
fn a_pulse_ends_by_itself_also_where_the_time_wraps() {
    let mut pin = sets(&[false, true, false, true, true, false]);
    let mut pulse = Pulse::new(pin.clone(), Active::High, 100).unwrap();
    let start = u32::MAX - 49;
    pulse.on(start).unwrap();
    for later in [0, 50, 99] {
        pulse.tick(start.wrapping_add(later)).unwrap();
    }
    pulse.tick(start.wrapping_add(100)).unwrap();
    pulse.tick(start.wrapping_add(101)).unwrap();
    // A second decision starts the time anew.
    pulse.on(1000).unwrap();
    pulse.on(1060).unwrap();
    pulse.tick(1159).unwrap();
    pulse.tick(1160).unwrap();
    pin.done();
}

#[test]
fn never_both_outputs_are_on() {
    let mut accept = sets(&[false, false, true, false]);
    // Active low: high means off.
    let mut reject = sets(&[true, false, true, false, true]);
    let mut outputs = Outputs::new(
        Pulse::new(accept.clone(), Active::High, 3000).unwrap(),
        Pulse::new(reject.clone(), Active::Low, 1000).unwrap(),
    );
    outputs.show(false, 0).unwrap();
    outputs.tick(999).unwrap();
    outputs.show(true, 999).unwrap();
    outputs.show(false, 1500).unwrap();
    outputs.tick(2499).unwrap();
    outputs.tick(2500).unwrap();
    accept.done();
    reject.done();
}

/// A contact that bounces for some milliseconds, one level a millisecond.
#[test]
fn a_bouncing_contact_counts_once() {
    let mut levels = vec![false; 5];
    levels.extend([true, false, true, true, false, false, true, false]);
    levels.extend([true; 60]);
    levels.extend([false, true, false, false, true]);
    levels.extend([false; 40]);
    // A spike that is shorter than a press.
    levels.extend([true; DEBOUNCE_MS as usize]);
    levels.extend([false; 5]);
    let reads = levels.iter().map(|&pressed| Transaction::get(if pressed { State::Low } else { State::High }));
    let mut pin = Mock::new(&reads.collect::<Vec<_>>());
    let mut button = Button::new(pin.clone(), Active::Low);
    let presses: Vec<u32> = (0..levels.len() as u32).filter(|&now| button.poll(now).unwrap()).collect();
    // The contact rests from 13 on.
    assert_eq!(presses, [13 + DEBOUNCE_MS]);
    pin.done();
}
