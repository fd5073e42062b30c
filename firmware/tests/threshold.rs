//! The threshold that an admin has set, over restarts.

mod common;

use common::SimFlash;
use common::board::{TestApp, TestMemory, TestPlatform, app, fault, header, start, unlock};
use shared::embedding::Distance;
use shared::wire::{Adjustment, Fault, Request, Response};

/// A threshold that was set is none any more once the model is sealed anew with a smaller one, unless a looser one was asked for.
#[test]
fn a_threshold_outlives_a_stricter_seal_only_where_it_was_loosened() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let mut app = start(&mut flash, &mut memory, header(7, Some(100)), TestPlatform::default());
    unlock(&mut app);
    let set = |distance, loosen| Request::Threshold(Some(Adjustment { distance: Some(Distance(distance)), loosen }));
    app.answer(&set(80, false));
    let used = |app: &mut TestApp<'_>| match app.answer(&Request::Threshold(None)) {
        Response::Threshold { used, .. } => used.0,
        other => panic!("{other:?}"),
    };
    assert_eq!(used(&mut app), 80);
    drop(app);
    let mut app = start(&mut flash, &mut memory, header(7, Some(50)), TestPlatform::default());
    assert_eq!(used(&mut app), 50);
    drop(app);
    let mut app = start(&mut flash, &mut memory, header(7, Some(90)), TestPlatform::default());
    assert_eq!(used(&mut app), 80);
    assert_eq!(fault(&mut app, set(120, true)), Fault::Locked);
    unlock(&mut app);
    app.answer(&set(120, true));
    drop(app);
    let mut app = start(&mut flash, &mut memory, header(7, Some(50)), TestPlatform::default());
    assert_eq!(used(&mut app), 120);
}

/// In the store the largest number stands for none, so the one below it is kept.
#[test]
fn the_largest_threshold_is_the_same_after_a_restart() {
    let (mut flash, mut memory) = (SimFlash::new(8), TestMemory::new());
    let kept = Response::Threshold { sealed: Distance(10), used: Distance(u32::MAX - 1) };
    let mut board = app(&mut flash, &mut memory, Some(10));
    unlock(&mut board);
    let largest = Adjustment { distance: Some(Distance(u32::MAX)), loosen: true };
    assert_eq!(board.answer(&Request::Threshold(Some(largest))), kept);
    drop(board);
    let mut board = app(&mut flash, &mut memory, Some(10));
    assert_eq!(board.answer(&Request::Threshold(None)), kept);
}
