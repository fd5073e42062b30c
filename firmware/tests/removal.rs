//! Removals whose flash fails on the way.

mod common;

use common::SimFlash;
use common::board::{TestMemory, app, enrolled, send, unlock};
use shared::wire::Request;

/// What the board says after a removal whose flash failed is what it says after the next start.
#[test]
fn a_removal_that_failed_is_known_for_what_it_did() {
    let (mut ready, mut memory) = (SimFlash::new(8), TestMemory::new());
    {
        let mut app = app(&mut ready, &mut memory, Some(10));
        unlock(&mut app);
        for (index, label) in ["a", "b", "c"].into_iter().enumerate() {
            send(&mut app, &[90 * index as u8, 2, 3, 100]);
            assert_eq!(app.answer(&Request::Enrol { label }), enrolled(index as u16 + 1));
        }
    }
    let mut probe = ready.clone();
    unlock(&mut app(&mut probe, &mut memory, Some(10)));
    for request in [Request::Delete { label: "a" }, Request::Wipe] {
        let mut failures = 0;
        for fails_after in probe.work.. {
            let mut flash = ready.clone();
            flash.fails_after = Some(fails_after);
            let mut board = app(&mut flash, &mut memory, Some(10));
            unlock(&mut board);
            let removed = format!("{:?}", board.answer(&request));
            let told = format!("{:?}", board.answer(&Request::List { first: 0 }));
            drop(board);
            let failed = flash.fails_after.take().is_none();
            assert_eq!(removed.contains("Fault"), failed, "{fails_after}: {removed}");
            let mut again = app(&mut flash, &mut memory, Some(10));
            assert_eq!(format!("{:?}", again.answer(&Request::List { first: 0 })), told, "{fails_after}: {removed}");
            failures += u32::from(failed);
            if !failed {
                break;
            }
        }
        assert!(failures > 100, "{request:?} failed {failures} times");
    }
}
