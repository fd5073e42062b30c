//! The store in a flash whose power is cut at every word.

mod common;

use common::{PAGE, SimFlash};
use embedded_storage::nor_flash::NorFlash;
use firmware::store::{Contents, Settings, Store, StoreError};
use proptest::prelude::*;
use shared::bundle::{Header, NAME_LEN, Threshold};
use shared::embedding::{Distance, Metric};
use shared::frontend::{FrontEnd, Pixels};
use shared::gallery::{Gallery, Label, Template};

const ROOM: usize = 16;
const DIM: usize = 16;
const MODEL: u64 = 77;

type TestGallery = Gallery<ROOM, DIM>;

fn gallery() -> TestGallery {
    let threshold = Threshold { distance: Distance(10), ..Threshold::default() };
    let header = Header {
        model_id: MODEL,
        name: [0; NAME_LEN],
        frontend: FrontEnd::Pixels(Pixels { width: 2, height: 2, channels: 1, invert: false, stretch: false }),
        metric: Metric::Euclidean,
        dim: DIM as u16,
        arena: 64,
        input_at: 0,
        embedding_scale: 1.0,
        spread: None,
        threshold: Some(threshold),
    };
    Gallery::new(&header).unwrap()
}

/// What should be kept.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    templates: Vec<(String, Vec<i8>)>,
    settings: Settings,
}

#[derive(Clone, Debug)]
enum Change {
    Enrol(u8),
    Replace(u8, u8),
    Delete(u8),
    Settings(u8),
    Wipe,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => any::<u8>().prop_map(Change::Enrol),
        2 => any::<(u8, u8)>().prop_map(|(which, seed)| Change::Replace(which, seed)),
        3 => any::<u8>().prop_map(Change::Delete),
        2 => any::<u8>().prop_map(Change::Settings),
        1 => Just(Change::Wipe),
    ]
}

fn embedding(seed: u8, salt: usize) -> Vec<i8> {
    let mut state = u32::from(seed) << 16 | salt as u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8 as i8
    };
    core::iter::repeat_with(next).take(DIM).collect()
}

/// A template whose spread follows from its embedding, so that whoever compares embeddings compares spreads as well.
fn template<'t>(label: &'t Label, embedding: &'t [i8]) -> Template<'t> {
    Template { label, embedding, spread: spread_of(embedding) }
}

fn spread_of(embedding: &[i8]) -> Option<Distance> {
    let sum = embedding.iter().map(|&element| i32::from(element)).sum::<i32>();
    (sum % 3 != 0).then_some(Distance(sum.unsigned_abs() << 16))
}

fn label(name: &str) -> Label {
    name.parse().unwrap()
}

/// Carries `change` out in `store`; `kept` is then what should be there, whether it got there or not.
fn apply(store: &mut Store<&mut SimFlash>, kept: &mut Kept, change: &Change, step: usize) -> Result<(), StoreError> {
    let count = kept.templates.len();
    let which = |number: u8| usize::from(number) % count.max(1);
    match *change {
        Change::Enrol(seed) if count < ROOM => {
            let (name, embedding) = (format!("id {step}"), embedding(seed, step));
            kept.templates.push((name.clone(), embedding.clone()));
            store.put_template(count, template(&label(&name), &embedding))
        }
        Change::Replace(number, seed) if count > 0 => {
            let (name, old) = &mut kept.templates[which(number)];
            *old = embedding(seed, step);
            store.put_template(which(number), template(&label(name), old))
        }
        Change::Delete(number) if count > 0 => {
            kept.templates.remove(which(number));
            rewrite(store, kept)
        }
        Change::Settings(seed) => {
            kept.settings = Settings {
                admin: kept.settings.admin.or(Some([seed; 32])),
                threshold: Some(seed.into()),
                loosened: seed % 5 > 2,
                adapt: seed % 2 == 1,
                boots: step as u32,
                failures: seed,
                slot: seed % 3,
            };
            store.change(&|settings| *settings = kept.settings)
        }
        Change::Wipe => {
            kept.templates.clear();
            (kept.settings.threshold, kept.settings.loosened) = (None, false);
            store.wipe(MODEL)
        }
        _ => Ok(()),
    }
}

fn rewrite(store: &mut Store<&mut SimFlash>, kept: &Kept) -> Result<(), StoreError> {
    let mut gallery = gallery();
    for (name, embedding) in &kept.templates {
        gallery.enrol(template(&label(name), embedding)).unwrap();
    }
    store.rewrite(MODEL, gallery.templates())
}

fn found(store: &mut Store<&mut SimFlash>) -> Kept {
    let mut gallery = gallery();
    store.load(&mut gallery).unwrap();
    assert!(gallery.templates().all(|t| t.spread == spread_of(t.embedding)));
    let templates = gallery.templates().map(|t| (t.label.to_string(), t.embedding.to_vec())).collect();
    Kept { templates, settings: *store.settings() }
}

/// Runs `script` in a new flash with power for `power` words; what should be kept before and after the last change that was
/// begun.
fn run(script: &[Change], pages: usize, power: Option<u64>) -> (SimFlash, Kept, Kept) {
    let nothing = Kept { templates: vec![], settings: Settings::default() };
    let (mut before, mut after) = (nothing.clone(), nothing);
    let mut flash = SimFlash::new(pages);
    flash.power = power;
    let mut store = Store::open(&mut flash).unwrap();
    if store.bind(MODEL).is_ok() {
        for (step, change) in script.iter().enumerate() {
            before = after.clone();
            if apply(&mut store, &mut after, change, step).is_err() {
                return (flash.reboot(), before, after);
            }
        }
        before = after.clone();
    }
    (flash.reboot(), before, after)
}

/// After a cut everything is as before the change or as after it, and the store can be used on.
fn holds_after_a_cut(script: &[Change], power: u64) -> Result<(), TestCaseError> {
    let (mut flash, before, after) = run(script, 8, Some(power));
    let mut store = match Store::open(&mut flash) {
        Ok(store) => store,
        Err(error) => return Err(TestCaseError::fail(format!("power {power}: {error}"))),
    };
    prop_assert_ne!(store.contents(), Contents::Foreign, "power {}", power);
    let now = found(&mut store);
    prop_assert!(
        now == before || now == after || settings_between(&now, &before, &after),
        "power {power}: {now:?} of {before:?} and {after:?}"
    );
    // Deleted or replaced in the past: nothing of it is left.
    prop_assert!(store.bind(MODEL).is_ok());
    let mut kept = now;
    for (step, change) in [Change::Delete(0), Change::Enrol(3), Change::Wipe, Change::Enrol(4)].iter().enumerate() {
        apply(&mut store, &mut kept, change, 1000 + step).unwrap();
        prop_assert_eq!(&found(&mut store), &kept);
    }
    Ok(())
}

/// Of a change that leaves the templates as they were, each setting is that of `before` or of `after`; what an admin chose is one.
fn settings_between(now: &Kept, before: &Kept, after: &Kept) -> bool {
    let (n, b, a) = (&now.settings, &before.settings, &after.settings);
    let chosen = |s: &Settings| (s.threshold, s.loosened, s.adapt);
    now.templates == before.templates
        && now.templates == after.templates
        && (n.admin == b.admin || n.admin == a.admin)
        && (chosen(n) == chosen(b) || chosen(n) == chosen(a))
        && (n.boots == b.boots || n.boots == a.boots)
        && (n.failures == b.failures || n.failures == a.failures)
        && (n.slot == b.slot || n.slot == a.slot)
}

/// Every change, and enough of them for a half to become full.
fn long_script() -> Vec<Change> {
    let mut script = vec![Change::Settings(1)];
    script.extend((0..12).map(Change::Enrol));
    script.extend((0..100).map(|index| Change::Replace(index, index)));
    script.extend([Change::Delete(3), Change::Settings(8), Change::Enrol(9), Change::Delete(0), Change::Wipe]);
    script.extend((0..5).map(Change::Enrol));
    script
}

#[test]
fn every_cut_of_a_long_script_is_survived() {
    let script = long_script();
    let (flash, _, kept) = run(&script, 8, None);
    assert_eq!(kept.templates.len(), 5);
    for power in 0..flash.work {
        holds_after_a_cut(&script, power).unwrap();
    }
}

/// Settings whose flash failed are as before, so that the same again is written and not taken for kept.
#[test]
fn settings_that_could_not_be_written_are_written_when_they_are_put_again() {
    let mut bound = SimFlash::new(4);
    Store::open(&mut bound).unwrap().bind(MODEL).unwrap();
    let settings = |round: u32| Settings {
        admin: Some([7; 32]),
        threshold: Some(round),
        boots: round / 2,
        failures: round as u8,
        slot: (round % 3) as u8,
        ..Settings::default()
    };
    // Enough of them for a half to become full.
    let script = || (1..60).map(settings);
    for fails_after in bound.work.. {
        let mut flash = bound.clone();
        flash.fails_after = Some(fails_after);
        let mut store = Store::open(&mut flash).unwrap();
        let mut kept = *store.settings();
        let failed = script().find(|&settings| {
            let result = store.change(&|kept| *kept = settings);
            kept = if result.is_ok() { settings } else { kept };
            assert_eq!(*store.settings(), kept, "{fails_after}: {result:?}");
            result.is_err()
        });
        let Some(settings) = failed else {
            assert!(store.wear().0 > 1, "no half was full");
            break;
        };
        store.change(&|kept| *kept = settings).unwrap();
        assert_eq!(*store.settings(), settings, "{fails_after}");
        assert_eq!(*Store::open(&mut flash).unwrap().settings(), settings, "{fails_after}");
    }
}

/// After a wipe whose flash failed, the store says of itself what it says when it is opened again.
#[test]
fn a_wipe_that_failed_is_known_for_what_it_did() {
    let (full, _, _) = run(&long_script(), 8, None);
    for fails_after in full.work.. {
        let mut flash = full.clone();
        flash.fails_after = Some(fails_after);
        let mut store = Store::open(&mut flash).unwrap();
        let wiped = store.wipe(MODEL);
        let told = (*store.settings(), store.has_templates());
        assert_eq!(wiped.is_ok(), flash.fails_after.is_some(), "{fails_after}");
        let again = Store::open(&mut flash).unwrap();
        assert_eq!(told, (*again.settings(), again.has_templates()), "{fails_after}: {wiped:?}");
        if wiped.is_ok() {
            return;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn every_cut_of_any_script_is_survived(script in prop::collection::vec(change(), 1..14)) {
        let (flash, _, _) = run(&script, 8, None);
        for power in 0..flash.work {
            holds_after_a_cut(&script, power)?;
        }
    }

    #[test]
    fn what_is_deleted_is_gone(script in prop::collection::vec(change(), 1..40)) {
        let mut kept = Kept { templates: vec![], settings: Settings::default() };
        let mut flash = SimFlash::new(8);
        let mut ever: Vec<Vec<u8>> = vec![];
        for (step, change) in script.iter().enumerate() {
            let mut store = Store::open(&mut flash).unwrap();
            store.bind(MODEL).unwrap();
            apply(&mut store, &mut kept, change, step).unwrap();
            prop_assert_eq!(&found(&mut store), &kept);
            ever.extend(kept.templates.iter().map(|(_, embedding)| embedding.iter().map(|&e| e as u8).collect()));
            if matches!(change, Change::Delete(_) | Change::Wipe) {
                for bytes in &ever {
                    let enrolled = kept.templates.iter().any(|(_, e)| e.iter().map(|&e| e as u8).eq(bytes.iter().copied()));
                    // A part of it is as bad as the whole.
                    prop_assert_eq!(flash.holds(&bytes[3..11]), enrolled);
                }
            }
        }
    }
}

#[test]
fn wear_is_spread_and_counted() {
    let mut flash = SimFlash::new(8);
    let mut erased = vec![];
    for round in 0..50u32 {
        let mut store = Store::open(&mut flash).unwrap();
        store.bind(MODEL).unwrap();
        store.change(&|settings| settings.boots = round).unwrap();
        store.rewrite(MODEL, gallery().templates()).unwrap();
        erased.push(store.wear().0);
    }
    assert_eq!(erased, (1..=50).collect::<Vec<_>>());
    let mut store = Store::open(&mut flash).unwrap();
    for round in 0..1000 {
        store.change(&|settings| settings.boots = 1000 + round).unwrap();
    }
    // 1000 records of 12 bytes in halves of 4 pages of 1024.
    let (erased, pages) = store.wear();
    assert!((56..64).contains(&erased), "{erased}");
    assert_eq!(pages, 8);
}

#[test]
fn another_model_another_version_and_strange_bytes_are_told_apart() {
    let mut flash = SimFlash::new(8);
    let mut store = Store::open(&mut flash).unwrap();
    assert_eq!(store.contents(), Contents::Empty);
    assert_eq!(store.change(&|settings| settings.boots = 1), Err(StoreError::Refused));
    store.bind(MODEL).unwrap();
    store.bind(MODEL + 1).unwrap(); // nobody is enrolled
    store.put_template(0, template(&label("ann"), &embedding(1, 1))).unwrap();
    assert_eq!(store.bind(MODEL), Err(StoreError::Refused));
    let mut store = Store::open(&mut flash).unwrap();
    assert_eq!(store.contents(), Contents::Model(MODEL + 1));
    assert!(store.has_templates());
    store.rewrite(MODEL, gallery().templates()).unwrap();
    assert_eq!((store.contents(), store.has_templates()), (Contents::Model(MODEL), false));

    // A commit of another version, with its checksums.
    let mut other = SimFlash::new(8);
    write_commit(&mut other, 9);
    let mut store = Store::open(&mut other).unwrap();
    assert_eq!(store.contents(), Contents::Version(9));
    assert_eq!(store.bind(MODEL), Err(StoreError::Refused));
    store.rewrite(MODEL, gallery().templates()).unwrap();
    assert_eq!(Store::open(&mut other).unwrap().contents(), Contents::Model(MODEL));

    let mut strange = SimFlash::new(8);
    strange.bytes = (0..8 * PAGE).map(|at| ((at * at) >> 3) as u8).collect();
    let before = strange.bytes.clone();
    let mut store = Store::open(&mut strange).unwrap();
    assert_eq!(store.contents(), Contents::Foreign);
    assert_eq!(store.bind(MODEL), Err(StoreError::Refused));
    assert_eq!(strange.bytes, before);
    Store::open(&mut strange).unwrap().rewrite(MODEL, gallery().templates()).unwrap();
    assert_eq!(Store::open(&mut strange).unwrap().contents(), Contents::Model(MODEL));
}

/// Writes the commit of a store of `version` as its documentation says.
fn write_commit(flash: &mut SimFlash, version: u8) {
    let mut record = [0u8; 28];
    record[2] = 20;
    record[4] = version;
    let checksum = shared::crc32(&record[..24]);
    record[24..].copy_from_slice(&checksum.to_le_bytes());
    flash.write(0, &record).unwrap();
}

#[test]
fn a_region_that_is_too_small_is_refused() {
    assert_eq!(Store::open(&mut SimFlash::new(3)).err(), Some(StoreError::Region));
}

/// As many templates fit as the store says.
#[test]
fn the_capacity_holds() {
    for pages in [4, 6, 9] {
        let mut flash = SimFlash::new(pages);
        let mut store = Store::open(&mut flash).unwrap();
        store.bind(MODEL).unwrap();
        store
            .change(&|settings| {
                *settings = Settings {
                    admin: Some([7; 32]),
                    threshold: Some(1),
                    loosened: true,
                    adapt: true,
                    boots: 1,
                    failures: 2,
                    slot: 1,
                };
            })
            .unwrap();
        let capacity = store.capacity(DIM as u16);
        let full = label(&"x".repeat(24));
        for round in 0..5 {
            for index in 0..usize::from(capacity) {
                store.put_template(index, template(&full, &embedding(round, index))).unwrap();
            }
        }
        assert!(capacity >= 1, "{pages}");
    }
}
