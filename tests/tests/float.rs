//! The int8 network against the float network that it was made of: distances and decisions, on glyphs that neither has seen.

use std::path::Path;

use host::data::made::Maker;
use host::evaluate::{Embedded, Engine, EngineKind, scores};
use host::model::BundleBytes;
use shared::embedding::COSINE_ONE;

/// Largest difference of any two cosine distances, where 1 is the distance of embeddings with nothing in common.
const DISTANCE_BOUND: f64 = 0.075;
/// Largest share of decisions at the sealed threshold that may differ.
const DECISION_BOUND: f64 = 0.005;

#[test]
fn int8_stays_near_float() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/glyphs");
    let numbers: Vec<u32> = (300_000..300_040).collect();
    let data = Maker::Glyphs.dataset(0, &numbers, 5);
    let embed = |kind| Engine::open(&dir, kind).unwrap().embed(&data).unwrap();
    let (float, int8): (Embedded, Embedded) = (embed(EngineKind::Float), embed(EngineKind::Int8));
    let bytes = BundleBytes::open(&dir).unwrap();
    let one = f64::from(COSINE_ONE);
    let threshold = f64::from(bytes.bundle().unwrap().header().threshold.unwrap().distance.0) / one;

    let (mut worst, mut differing, mut pairs) = (0.0f64, 0, 0);
    for a in 0..float.len() {
        for b in a + 1..float.len() {
            let (x, y) = (float.distance(a, &float, b), int8.distance(a, &int8, b) / one);
            worst = worst.max((x - y).abs());
            differing += i32::from((x <= threshold) != (y <= threshold));
            pairs += 1;
        }
    }
    println!("largest difference of a distance {worst:.4}; {differing} of {pairs} decisions differ");
    assert!(worst <= DISTANCE_BOUND, "a distance differs by {worst}");
    assert!(f64::from(differing) <= DECISION_BOUND * f64::from(pairs), "{differing} of {pairs} decisions differ");

    let eer = |embedded: &Embedded| scores(embedded).eer().unwrap().rate;
    assert!((eer(&float) - eer(&int8)).abs() <= 0.003, "EER float {}, int8 {}", eer(&float), eer(&int8));
}
