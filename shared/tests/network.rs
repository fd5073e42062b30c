//! The executor on the host: random chains of layers against the naive definition.
#![allow(missing_docs)]

mod cases;

use cases::{Case, Fill, LayerCase, Workspace};
use proptest::prelude::*;
use shared::geometry::{Kind, Shape};

fn workspace() -> Box<Workspace> {
    // Built on the heap: the workspace is larger than a test's stack.
    let layout = std::thread::Builder::new().stack_size(64 << 20);
    let thread = layout.spawn(|| Box::new(Workspace::new()));
    thread.expect("a thread").join().expect("a workspace")
}

fn fill() -> impl Strategy<Value = Fill> {
    prop_oneof![
        4 => Just(Fill::Random),
        1 => Just(Fill::Low),
        1 => Just(Fill::High),
        1 => Just(Fill::Ends),
    ]
}

fn layer() -> impl Strategy<Value = LayerCase> {
    let kind =
        prop_oneof![4 => Just(Kind::Dense), 3 => Just(Kind::Planar), 1 => Just(Kind::Pool), 2 => Just(Kind::Winograd)];
    let sides = (1u8..=5, 1u8..=5);
    let kernel = prop_oneof![3 => Just((3, 3)), 2 => Just((1, 1)), 2 => sides];
    let pad = prop_oneof![Just([0; 4]), Just([1; 4]), any::<[u8; 4]>().prop_map(|pad| pad.map(|p| p % 4))];
    let rest = (1u16..=21, any::<u8>(), any::<bool>(), fill(), any::<bool>());
    (kind, kernel, 1u8..=3, pad, rest).prop_map(|(kind, (kh, kw), stride, pad, rest)| {
        let (outputs, zero_point, table, weights, ties) = rest;
        let winograd = kind == Kind::Winograd;
        LayerCase {
            kind,
            kernel: if winograd { [3, 3] } else { [kh, kw] },
            stride: if winograd { 1 } else { stride },
            pad: if kind == Kind::Pool { [0; 4] } else { pad },
            outputs,
            zero_point: zero_point & !1,
            table,
            weights,
            ties,
        }
    })
}

fn shape() -> impl Strategy<Value = Shape> {
    let channels = prop_oneof![Just(1u16), 1u16..=19];
    (1u16..=19, 1u16..=19, channels).prop_map(|(height, width, channels)| Shape { height, width, channels })
}

type Chain = (Shape, Vec<LayerCase>);

/// Any chain; most of them have no front that would be fused.
fn chain() -> impl Strategy<Value = Chain> {
    (shape(), prop::collection::vec(layer(), 1..=3))
}

/// A chain that begins with a front: a convolution of a single plane, and a dense layer that walks its rows.
fn fronted() -> impl Strategy<Value = Chain> {
    let rest = prop::collection::vec(layer(), 0..=1);
    (shape(), layer(), layer(), 2u8..=4, rest).prop_map(|(shape, front, layer, rows, mut rest)| {
        let front = LayerCase { kind: Kind::Planar, ..front };
        let layer = LayerCase { kind: Kind::Dense, kernel: [rows, layer.kernel[1]], ..layer };
        rest.splice(..0, [front, layer]);
        (Shape { channels: 1, ..shape }, rest)
    })
}

#[test]
fn chains_equal_the_definition() {
    let mut workspace = workspace();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        max_global_rejects: 20_000,
        ..ProptestConfig::default()
    });
    let chain = (prop_oneof![3 => chain(), 1 => fronted()], fill(), any::<u64>());
    let (mut fused, mut ties) = (0, 0);
    let workspace = std::cell::RefCell::new(&mut workspace);
    let totals = std::cell::RefCell::new((&mut fused, &mut ties));
    let ran = runner.run(&chain, |((input, layers), inputs, seed)| {
        let case = Case { input, inputs, layers: &layers, seed };
        match workspace.borrow_mut().run(&case) {
            Ok(passed) => {
                let mut totals = totals.borrow_mut();
                *totals.0 += usize::from(passed.fused);
                *totals.1 += passed.ties;
                Ok(())
            }
            Err(cases::Failure::Shape(_)) => Err(TestCaseError::reject("shape")),
            Err(failure) => Err(TestCaseError::fail(format!("{failure:?}"))),
        }
    });
    ran.expect("every chain equals the definition");
    assert!(fused > 0 && ties > 0, "{fused} fused fronts, {ties} ties");
}
