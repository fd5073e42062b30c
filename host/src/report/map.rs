//! Where the embeddings of some identities lie in a plane.

use maud::{Markup, html};
use shared::embedding::Metric;

use super::chart::short;
use super::pictures::Pictures;
use super::projection::project;
use crate::evaluate::Embedded;

/// Most identities of a map: as many colours can be told apart.
const IDENTITIES: usize = 12;
/// Most points of a map.
const POINTS: usize = 2000;
/// Side of the drawing.
const SIDE: f32 = 480.0;
/// Room around the points.
const MARGIN: f32 = 14.0;

/// Embeddings in a plane.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// The identities shown.
    pub groups: Vec<Group>,
    /// Identities that there are.
    pub of: usize,
    /// Share of these embeddings' variance that the plane holds; none where they have two elements anyway.
    pub variance: Option<f64>,
}

/// One identity's points.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// One of its samples.
    pub picture: Option<String>,
    /// `(x, y)`.
    pub points: Vec<(f32, f32)>,
}

/// The map of up to [`IDENTITIES`] identities, spread evenly over all.
pub(super) fn map(embedded: &Embedded, pictures: &Pictures) -> Map {
    let all = embedded.by_identity();
    let shown = all.len().min(IDENTITIES);
    let chosen: Vec<&[usize]> = (0..shown)
        .map(|n| {
            let group = &all[n * all.len() / shown];
            &group[..group.len().min(POINTS / shown)]
        })
        .collect();
    let flat: Vec<(usize, usize)> =
        chosen.iter().enumerate().flat_map(|(group, samples)| samples.iter().map(move |&s| (group, s))).collect();
    let vectors: Vec<Vec<f32>> = flat.iter().map(|&(_, sample)| direction(embedded, sample)).collect();
    let groups: Vec<usize> = flat.iter().map(|&(group, _)| group).collect();
    let projection = project(&vectors, &groups);
    let group = |(number, samples): (usize, &&[usize])| {
        let own = groups.iter().zip(&projection.points).filter(|(group, _)| **group == number);
        Group {
            name: pictures.name(samples[0]).to_string(),
            picture: pictures.of(samples[0]),
            points: own.map(|(_, &point)| point).collect(),
        }
    };
    Map { groups: chosen.iter().enumerate().map(group).collect(), of: all.len(), variance: projection.variance }
}

/// Embedding `index`, of length 1 where only directions count.
fn direction(embedded: &Embedded, index: usize) -> Vec<f32> {
    let vector = embedded.real_vector(index);
    match embedded.metric {
        Metric::Euclidean => vector,
        Metric::Cosine => {
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            vector.into_iter().map(|x| x / length).collect()
        }
    }
}

impl Map {
    /// The map as SVG: a dot a sample, its colour the identity's, with short names at their middles.
    pub(super) fn draw(&self) -> Markup {
        let points = || self.groups.iter().flat_map(|group| &group.points);
        let range = |of: fn(&(f32, f32)) -> f32| {
            let ends = points().map(of).fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
            if ends.0 <= ends.1 { ends } else { (0.0, 1.0) }
        };
        let ((left, right), (low, high)) = (range(|p| p.0), range(|p| p.1));
        let scale = (SIDE - 2.0 * MARGIN) / (right - left).max(high - low).max(f32::MIN_POSITIVE);
        let place = |&(x, y): &(f32, f32)| {
            let (x, y) = (x - (left + right) / 2.0, y - (low + high) / 2.0);
            (SIDE / 2.0 + x * scale, SIDE / 2.0 - y * scale)
        };
        let dots = |group: &Group| {
            // The shortest way to write many round dots: strokes of no length with round ends.
            let dot = |point: &(f32, f32)| {
                let (x, y) = place(point);
                format!("M{} {}h0", short(x.into(), 1), short(y.into(), 1))
            };
            group.points.iter().map(dot).collect::<String>()
        };
        let size = if points().count() > 600 { 4.0 } else { 7.0 };
        let middle = |group: &Group| {
            let n = group.points.len().max(1) as f32;
            let sum = group.points.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
            place(&(sum.0 / n, sum.1 / n))
        };
        html! {
            svg.map viewBox=(format!("0 0 {SIDE} {SIDE}")) role="img" aria-label="embedding map" {
                rect class="plane" x="0.5" y="0.5" width=(SIDE - 1.0) height=(SIDE - 1.0) rx="8" {}
                @for (number, group) in self.groups.iter().enumerate() {
                    path class=(format!("dots c{number}")) stroke-width=(size) d=(dots(group)) { title { (group.name) } }
                }
                @for group in &self.groups {
                    @let (x, y) = middle(group);
                    @if group.name.chars().count() <= 3 {
                        text class="label" x=(short(x.into(), 1)) y=(short(f64::from(y) + 4.0, 1)) text-anchor="middle" {
                            (group.name)
                        }
                    }
                }
            }
        }
    }

    /// Which colour is whose.
    pub(super) fn legend(&self) -> Markup {
        html! {
            ul.legend {
                @for (number, group) in self.groups.iter().enumerate() {
                    li {
                        span class=(format!("swatch c{number}")) {}
                        @if let Some(picture) = &group.picture { img src=(picture) alt="" ; }
                        span { (group.name) }
                    }
                }
            }
        }
    }

    /// What the plane is, in words.
    pub(super) fn caption(&self) -> String {
        let shown = match self.of == self.groups.len() {
            true => format!("All {} identities", self.of),
            false => format!("{} of {} identities", self.groups.len(), self.of),
        };
        match self.variance {
            None => format!("{shown}, in the two dimensions of the embedding itself."),
            Some(variance) => format!(
                "{shown}, projected on the two axes along which their means differ most; the plane holds {} % of their variance.",
                short(variance * 100.0, 0)
            ),
        }
    }
}
