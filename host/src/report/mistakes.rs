//! The comparisons that went most wrong.

use std::collections::HashSet;

use maud::{Markup, html};
use rayon::prelude::*;

use super::chart::short;
use super::pictures::Pictures;
use crate::evaluate::{Embedded, MAX_SAMPLES};

/// Pairs of each kind.
const SHOWN: usize = 8;

/// The worst comparisons of each kind, the worst first.
#[derive(Clone, Debug, Default)]
pub struct Mistakes {
    /// Samples of two identities that lie nearest.
    pub impostors: Vec<Pair>,
    /// Samples of one identity that lie farthest apart.
    pub genuine: Vec<Pair>,
    /// Skilled forgeries that lie nearest to a genuine sample.
    pub forgeries: Vec<Pair>,
}

/// Two samples.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Their distance, as people see it.
    pub distance: f64,
    /// Whether they match at the sealed threshold, where there is one.
    pub accepted: Option<bool>,
    /// Whose they are, or whom they imitate.
    pub names: [String; 2],
    /// What the network sees of them.
    pub pictures: [Option<String>; 2],
}

/// One sample's worst comparison.
#[derive(Clone, Copy)]
struct Worst {
    distance: f64,
    samples: [usize; 2],
}

/// Finds them among the pairs of up to [`MAX_SAMPLES`] samples; each pair of identities, and each identity, is shown once.
pub(super) fn mistakes(
    embedded: &Embedded,
    pictures: &Pictures,
    threshold: Option<u32>,
    real: impl Fn(f64) -> f64,
) -> Mistakes {
    let step = embedded.len().div_ceil(MAX_SAMPLES).max(1);
    let samples: Vec<usize> = (0..embedded.len()).step_by(step).collect();
    let (genuine, forged): (Vec<usize>, Vec<usize>) = samples.into_iter().partition(|&sample| !embedded.forged[sample]);
    let same = |a: usize, b: usize| embedded.identities[a] == embedded.identities[b];
    // The worst partner of each sample among `others`, by `sign` times the distance.
    let worst = |of: &[usize], others: &[usize], sign: f64, fits: &(dyn Fn(usize, usize) -> bool + Sync)| {
        let partner = |&a: &usize| {
            let pairs = others.iter().filter(|&&b| a != b && fits(a, b));
            let pairs = pairs.map(|&b| Worst { distance: embedded.distance(a, embedded, b), samples: [a, b] });
            pairs.min_by(|x, y| (sign * x.distance).total_cmp(&(sign * y.distance)))
        };
        let mut all: Vec<Worst> = of.par_iter().filter_map(partner).collect();
        all.sort_by(|x, y| (sign * x.distance).total_cmp(&(sign * y.distance)));
        let mut shown = HashSet::new();
        all.retain(|pair| {
            let mut identities = pair.samples.map(|sample| embedded.identities[sample]);
            identities.sort_unstable();
            shown.len() < SHOWN && shown.insert(identities)
        });
        all
    };
    let pair = |worst: Worst| Pair {
        distance: real(worst.distance),
        accepted: threshold.map(|threshold| worst.distance <= f64::from(threshold)),
        names: worst.samples.map(|sample| pictures.name(sample).to_string()),
        pictures: worst.samples.map(|sample| pictures.of(sample)),
    };
    let pairs = |list: Vec<Worst>| list.into_iter().map(pair).collect();
    Mistakes {
        impostors: pairs(worst(&genuine, &genuine, 1.0, &|a, b| !same(a, b))),
        genuine: pairs(worst(&genuine, &genuine, -1.0, &same)),
        forgeries: pairs(worst(&forged, &genuine, 1.0, &same)),
    }
}

/// Pairs as pictures side by side. `wrong` is the answer at the sealed threshold that would be a mistake.
pub(super) fn gallery(pairs: &[Pair], wrong: bool) -> Markup {
    html! {
        div.pairs {
            @for pair in pairs {
                figure.pair {
                    div.two {
                        @for (picture, name) in pair.pictures.iter().zip(&pair.names) {
                            @if let Some(picture) = picture { img src=(picture) alt=(name); }
                        }
                    }
                    figcaption {
                        span.names {
                            (pair.names[0])
                            @if pair.names[0] != pair.names[1] { " and " (pair.names[1]) }
                        }
                        span.distance { (short(pair.distance, 3)) }
                        @if let Some(accepted) = pair.accepted {
                            span class=(if accepted == wrong { "verdict bad" } else { "verdict" }) {
                                (if accepted { "accepted" } else { "rejected" })
                            }
                        }
                    }
                }
            }
        }
    }
}
