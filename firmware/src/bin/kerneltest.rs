//! Holds the kernels of this core against the naive definition, layer shape by layer shape, and exits with the status of
//! success or failure.
#![no_std]
#![no_main]

#[path = "../../../shared/tests/cases/mod.rs"]
mod cases;
#[path = "../../../shared/tests/cases/sound.rs"]
mod sound;

use core::cmp::Ordering;
use core::hint::black_box;

use cases::{Case, Failure, Fill, LayerCase, Rng, Workspace};
use firmware::board::{self, entry, println};
use shared::geometry::{Kind, Shape};
use shared::kernels::{Bar, Probe, Reaching, Room};

/// Passed and failed cases.
#[derive(Default)]
struct Tally {
    passed: u32,
    failed: u32,
}

impl Tally {
    fn run(&mut self, workspace: &mut Workspace, case: &Case<'_>) {
        match workspace.run(case) {
            Ok(_) => self.passed += 1,
            Err(Failure::Shape(_)) => {}
            Err(failure) => {
                self.failed += 1;
                if self.failed < 10 {
                    println!("{:?}: {:?}", case, failure);
                }
            }
        }
    }
}

const FILLS: [Fill; 4] = [Fill::Random, Fill::Low, Fill::High, Fill::Ends];

/// Every small dense shape: widths to past two blocks, channels to past two groups, strides, paddings, both extremes.
fn dense(tally: &mut Tally, workspace: &mut Workspace) {
    let mut rng = Rng(1);
    for (kernel, stride, pad) in [
        ([1, 1], 1, 0),
        ([3, 3], 1, 1),
        ([3, 3], 2, 1),
        ([3, 3], 1, 0),
        ([3, 3], 2, 0),
        ([1, 1], 2, 0),
        ([2, 2], 2, 0),
        ([1, 3], 1, 0),
        ([5, 5], 1, 2),
        ([7, 4], 3, 3),
    ] {
        for width in 1..=19 {
            for channels in [1, 2, 3, 4, 5, 8, 11, 32] {
                for outputs in [1, 4, 6] {
                    let seed = rng.next();
                    let fill = FILLS[seed as usize % 7 % 4];
                    let layer = LayerCase {
                        kind: Kind::Dense,
                        kernel,
                        stride,
                        pad: [pad; 4],
                        outputs,
                        zero_point: (seed >> 8) as u8 & !1,
                        table: seed >> 16 & 1 != 0,
                        weights: FILLS[(seed >> 24) as usize % 7 % 4],
                        ties: seed >> 17 & 1 != 0,
                    };
                    let case = Case {
                        input: Shape { height: 1 + (seed >> 32) as u16 % 4, width, channels },
                        inputs: fill,
                        layers: &[layer],
                        seed,
                    };
                    tally.run(workspace, &case);
                }
            }
        }
    }
}

/// Dense layers whose rows are summed in parts: many channels, wide kernels, both extremes.
fn parts(tally: &mut Tally, workspace: &mut Workspace) {
    let mut rng = Rng(6);
    for (kernel, stride, widths, channels) in [
        ([1, 1], 1, [1, 5], [258, 500]),
        ([1, 1], 2, [3, 4], [258, 500]),
        ([3, 3], 1, [3, 4], [90, 300]),
        ([3, 3], 2, [7, 8], [90, 300]),
        ([5, 5], 1, [6, 7], [50, 120]),
        ([1, 40], 1, [41, 42], [8, 13]),
        ([2, 70], 1, [70, 71], [3, 5]),
        ([1, 128], 3, [128, 140], [1, 6]),
    ] {
        for (width, channels) in widths.into_iter().flat_map(|width| channels.map(|channels| (width, channels))) {
            for (fill, weights) in FILLS.into_iter().flat_map(|fill| FILLS.map(|weights| (fill, weights))) {
                let seed = rng.next();
                let layer = LayerCase {
                    kind: Kind::Dense,
                    kernel,
                    stride,
                    pad: [0; 4],
                    outputs: 4 + (seed >> 18) as u16 % 4,
                    zero_point: (seed >> 8) as u8 & !1,
                    table: seed >> 16 & 1 != 0,
                    weights,
                    ties: seed >> 17 & 1 != 0,
                };
                let before = LayerCase { kernel: [1, 1], stride: 1, outputs: channels, ..layer };
                let input = Shape { height: 3, width, channels: 3 };
                tally.run(workspace, &Case { input, inputs: fill, layers: &[before, layer], seed });
            }
        }
    }
}

/// Every small Winograd shape: whole and cut tiles, whole and partial groups of tiles, any channels and paddings.
fn winograd(tally: &mut Tally, workspace: &mut Workspace) {
    let mut rng = Rng(5);
    for (height, width) in (1..=7).flat_map(|height| (2..=19).map(move |width| (height, width))) {
        for channels in [1, 4, 5, 8, 18, 40] {
            for outputs in [1, 2, 5, 8] {
                let seed = rng.next();
                let layer = LayerCase {
                    kind: Kind::Winograd,
                    kernel: [3, 3],
                    stride: 1,
                    pad: [seed, seed >> 2, seed >> 4, seed >> 6].map(|bits| (bits % 3) as u8),
                    outputs,
                    zero_point: (seed >> 8) as u8 & !1,
                    table: seed >> 16 & 1 != 0,
                    weights: FILLS[(seed >> 24) as usize % 7 % 4],
                    ties: seed >> 17 & 1 != 0,
                };
                let input = Shape { height, width, channels };
                let inputs = FILLS[(seed >> 32) as usize % 7 % 4];
                tally.run(workspace, &Case { input, inputs, layers: &[layer], seed });
            }
        }
    }
}

/// Every small planar shape and pool, in place from either end.
fn planar(tally: &mut Tally, workspace: &mut Workspace) {
    let mut rng = Rng(2);
    for (kernel, stride, pad) in [
        ([3, 3], 1, 1),
        ([3, 3], 2, 1),
        ([3, 3], 1, 0),
        ([3, 3], 2, 0),
        ([3, 3], 1, 2),
        ([5, 5], 1, 2),
        ([1, 1], 1, 0),
        ([2, 3], 3, 1),
    ] {
        for width in 1..=19 {
            for height in 1..=7 {
                for channels in [1, 2, 5] {
                    let seed = rng.next();
                    let layer = LayerCase {
                        kind: Kind::Planar,
                        kernel,
                        stride,
                        pad: [pad; 4],
                        outputs: 1 + (seed >> 40) as u16 % 5,
                        zero_point: (seed >> 8) as u8 & !1,
                        table: seed >> 16 & 1 != 0,
                        weights: FILLS[(seed >> 24) as usize % 7 % 4],
                        ties: seed >> 17 & 1 != 0,
                    };
                    let before = LayerCase {
                        kind: Kind::Dense,
                        kernel: [1, 1],
                        stride: 1,
                        pad: [0; 4],
                        outputs: channels,
                        ..layer
                    };
                    let after = LayerCase {
                        kind: Kind::Pool,
                        kernel: [1 + (seed >> 32) as u8 % 3, 1 + (seed >> 34) as u8 % 3],
                        pad: [0; 4],
                        ..layer
                    };
                    let case = Case {
                        input: Shape { height, width, channels },
                        inputs: FILLS[seed as usize % 7 % 4],
                        layers: &[layer],
                        seed,
                    };
                    tally.run(workspace, &case);
                    let layers = [before, layer, after];
                    tally.run(workspace, &Case { layers: &layers, ..case });
                    let layers = [layer, LayerCase { kernel: [3, 3], ..before }];
                    tally.run(workspace, &Case { layers: &layers, ..case });
                }
            }
        }
    }
}

/// Distances against their definition, for every length up to past two blocks, both extremes.
fn distances(tally: &mut Tally) {
    let mut rng = Rng(3);
    let (mut a, mut b) = ([0i8; 80], [0i8; 80]);
    for len in 0..=80 {
        for round in 0..8 {
            a.fill_with(|| if round == 0 { -128 } else { rng.next() as i8 });
            b.fill_with(|| if round < 2 { 127 } else { rng.next() as i8 });
            // Any alignment of either side.
            let (skip_a, skip_b) = (round % 4 * len.min(4) / 4, round / 2 % 4 * len.min(4) / 4);
            let (a, b) = (&a[skip_a..len], &b[skip_b..len]);
            let pairs = || a.iter().zip(b).map(|(&x, &y)| (i64::from(x), i64::from(y)));
            let squares: i64 = pairs().map(|(x, y)| (x - y) * (x - y)).sum();
            let products: i64 = pairs().map(|(x, y)| x * y).sum();
            let len = a.len().min(b.len());
            let got = shared::kernels::squared_distance(&a[..len], &b[..len]);
            let dot = shared::kernels::dot(&a[..len], &b[..len]);
            if i64::from(got) == squares && i64::from(dot) == products {
                tally.passed += 1;
            } else {
                tally.failed += 1;
                println!("distance of {} elements: {} and {}, not {} and {}", len, got, dot, squares, products);
            }
        }
    }
}

/// The first of many vectors that reaches its bar against the definition: every length, vectors apart and at any alignment,
/// bars that the first one reaches, that another one or none does, on the very edge.
fn search(tally: &mut Tally) {
    let mut rng = Rng(4);
    let (mut probe, mut rows) = ([0i8; 144], [0i8; 160 * 4 + 3]);
    for len in 1..=probe.len() {
        for round in 0..4 {
            let stride = len + [0, (16 - len % 16) % 16, 3, 16][round];
            let skip = usize::from(round == 3) * (len % 4);
            probe.fill_with(|| if len % 5 == 0 { -128 } else { rng.next() as i8 });
            let rows = &mut rows[skip..skip + 4 * stride];
            for row in rows.chunks_exact_mut(stride) {
                row.fill(0);
                let (fixed, extreme) = (len % 5 == 0, if len % 10 == 0 { 127 } else { -128 });
                row[..len].fill_with(|| if fixed { extreme } else { rng.next() as i8 });
            }
            let probe = &probe[..len];
            let product = |row: &[i8]| row.iter().zip(probe).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum::<i32>();
            let mut dots = [0; 4];
            for (dot, row) in dots.iter_mut().zip(rows.chunks_exact(stride)) {
                *dot = product(row);
            }
            let keys = [0; 4].map(|_| (rng.next() & 0x7fff_ffff) as i32);
            let slope = [0, i32::MIN / 256, rng.next() as i32 >> 7, i32::MAX / 256][rng.next() as usize % 4];
            let floor = |index: usize| ((i64::from(keys[index]) * i64::from(slope)) >> 32) as i32;
            let mut room = Room::new();
            let kernel = Probe::new(probe, stride, &mut room);
            let mut passed = kernel.square() == product(probe);
            // One vector's bar is just reached, or just not.
            for offset in (0..4).flat_map(|index| [0, -1].map(|by| by - dots[index] - floor(index))) {
                let expected = (0..4).find(|&index| dots[index] + floor(index) + offset >= 0);
                let expected = expected.map(|index| Reaching { index, dot: dots[index] });
                passed &= kernel.first_reaching(rows, &keys, Bar { slope, offset }) == expected;
            }
            passed &= kernel.first_reaching(rows, &keys, Bar::NONE) == Some(Reaching { index: 0, dot: dots[0] });
            passed &= kernel.first_reaching(rows, &[], Bar::NONE).is_none();
            if passed {
                tally.passed += 1;
            } else {
                tally.failed += 1;
                println!("search of {} elements, stride {}, slope {}", len, stride, slope);
            }
        }
    }
}

/// The sound front end against the checksums of its tensors.
fn sounds(tally: &mut Tally) {
    let (mut tensor, mut work) = ([0; sound::TENSOR], [0; sound::WORK]);
    for (case, chunk) in sound::CASES.iter().zip([5, 64, 33, 2, 1, 7]) {
        let got = sound::checksum(case, chunk, &mut tensor, &mut work);
        if got == Ok(case.2) {
            tally.passed += 1;
        } else {
            tally.failed += 1;
            println!("sound at {} Hz: {:?}, not {}", case.1, got, case.2);
        }
    }
}

/// What compiled code calls for memory and 64-bit division, which a board may have of its own.
fn runtime(tally: &mut Tally) {
    let mut rng = Rng(5);
    let mut check = |holds: bool, what: &str, at: usize| {
        *if holds { &mut tally.passed } else { &mut tally.failed } += 1;
        if !holds {
            println!("{} {} is wrong", what, at);
        }
    };
    let (mut bytes, mut expected) = ([0u8; 96], [0u8; 96]);
    for at in 0..4000 {
        // Dividends and divisors of every length.
        let mut draw = || rng.next() >> (rng.next() % 64);
        let (a, b) = black_box((draw(), draw().max(1)));
        let (quotient, remainder) = (a / b, a % b);
        let product = u128::from(quotient) * u128::from(b) + u128::from(remainder);
        check(remainder < b && product == u128::from(a), "division", at);
        let (c, d) = (a as i64, (b as i64).max(-i64::MAX));
        let (quotient, remainder) = black_box((c.wrapping_div(d), c.wrapping_rem(d)));
        let sound = remainder.unsigned_abs() < d.unsigned_abs() && (remainder == 0 || (remainder < 0) == (c < 0));
        check(sound && quotient.wrapping_mul(d).wrapping_add(remainder) == c, "signed division", at);

        bytes.fill_with(|| rng.next() as u8);
        let mut place = || (rng.next() % 48) as usize;
        let (from, to, len) = black_box((place(), place(), place()));
        for (expected, &byte) in expected.iter_mut().zip(&bytes) {
            *expected = black_box(byte);
        }
        for index in 0..len {
            expected[to + index] = black_box(bytes[from + index]);
        }
        bytes.copy_within(from..from + len, to);
        check((0..96).all(|index| bytes[index] == black_box(expected[index])), "move", at);
        let order = (0..len).map(|i| bytes[from + i].cmp(&expected[to + i])).find(|order| order.is_ne());
        check(bytes[from..from + len].cmp(&expected[to..to + len]) == order.unwrap_or(Ordering::Equal), "order", at);
        for index in 0..len {
            expected[to + index] = black_box(len as u8);
        }
        bytes[to..to + len].fill(black_box(len as u8));
        check((0..96).all(|index| bytes[index] == black_box(expected[index])), "fill", at);
    }
}

#[entry]
fn main() -> ! {
    let Some(workspace) = board::singleton!(: Workspace = Workspace::new()) else { board::exit(false) };
    let mut tally = Tally::default();
    runtime(&mut tally);
    distances(&mut tally);
    search(&mut tally);
    sounds(&mut tally);
    dense(&mut tally, workspace);
    parts(&mut tally, workspace);
    planar(&mut tally, workspace);
    winograd(&mut tally, workspace);
    println!("{} passed, {} failed", tally.passed, tally.failed);
    board::exit(tally.failed == 0 && tally.passed > 0)
}
