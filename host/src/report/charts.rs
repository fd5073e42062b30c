//! The report's charts: histograms, DET and ROC curves, training, layers.

use maud::{Markup, html};

use super::chart::{Axis, Frame, Scale, short};
use super::{CurvePoint, Histogram, Report, Training};
use crate::cmd::numbers::percent;

const RATES: [f64; 11] = [1e-5, 1e-4, 0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8];
const DECADES: [f64; 6] = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0];
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 340.0;
/// Colours that curves are told apart by.
pub(super) const COLOURS: usize = 12;
/// The rates that a DET plot spans at most.
const DET_HIGH: f64 = 0.6;

/// Genuine and impostor distances, and the threshold between them.
pub(super) fn histogram(histogram: &Histogram, threshold: Option<f64>) -> Markup {
    let Histogram { low, high, genuine, impostor } = histogram;
    let most = genuine.iter().chain(impostor).copied().fold(0.0, f64::max);
    let frame = Frame {
        width: 2.0 * WIDTH,
        height: HEIGHT,
        x: Axis::linear("distance", *low, *high),
        y: Axis::linear("share of comparisons, %", 0.0, most * 105.0),
    };
    let bin = (high - low) / genuine.len().max(1) as f64;
    let steps = |shares: &[f64]| {
        let bars = shares.iter().enumerate().flat_map(|(n, &share)| {
            let left = low + n as f64 * bin;
            [(left, share * 100.0), (left + bin, share * 100.0)]
        });
        frame.line([(*low, 0.0)].into_iter().chain(bars).chain([(*high, 0.0)])) + "Z"
    };
    let marks = html! {
        path class="area impostor" d=(steps(impostor)) {}
        path class="area genuine" d=(steps(genuine)) {}
        @if let Some(threshold) = threshold {
            @let x = short(frame.x(threshold), 1);
            path class="threshold" d=(format!("M{x} {}V{}", frame.top(), frame.bottom())) {}
            text class="note" x=(short(frame.x(threshold) + 6.0, 1)) y=(frame.top() + 12.0) {
                "threshold " (short(threshold, 3)) ": nearer is a match"
            }
        }
    };
    frame.draw("histogram of genuine and impostor distances", marks)
}

/// The lowest FMR and FNMR of a model's DET plot.
fn det_ends(report: &Report) -> (f64, f64) {
    // One decade beyond what so few identities can show is enough.
    let bound = report.int8.fmr_bound;
    let least = report.curve.first().map_or(1e-4, |point| point.rates.fmr).max(bound / 10.0).clamp(1e-5, 1e-2);
    let lowest =
        report.curve.iter().map(|point| point.rates.fnmr).filter(|&fnmr| fnmr > 0.0).fold(0.02, f64::min).max(1e-4);
    (least, lowest)
}

fn det_frame(least: f64, lowest: f64) -> Frame {
    Frame {
        width: WIDTH,
        height: HEIGHT + 60.0,
        x: Axis::rates("false-match rate", Scale::Probit, least, DET_HIGH, &RATES),
        y: Axis::rates("false-non-match rate", Scale::Probit, lowest, DET_HIGH, &RATES),
    }
}

/// The points of a model's curve that a DET plot from the FMR `least` on shows.
fn det_points(report: &Report, least: f64) -> Vec<&CurvePoint> {
    let shown = |point: &&CurvePoint| (least..=DET_HIGH).contains(&point.rates.fmr) && point.rates.fnmr <= DET_HIGH;
    report.curve.iter().filter(shown).collect()
}

/// FNMR over FMR on normal deviate axes.
pub(super) fn det(report: &Report) -> Markup {
    let bound = report.int8.fmr_bound;
    let (least, lowest) = det_ends(report);
    let frame = det_frame(least, lowest);
    let curve = det_points(report, least);
    let marks = html! {
        @if bound > least {
            rect class="beyond" x=(frame.x(least)) y=(frame.top()) width=(short(frame.x(bound) - frame.x(least), 1))
                height=(frame.bottom() - frame.top()) { title { "FMR below " (percent(bound)) ": more than so few identities can show" } }
        }
        path class="diagonal" d=(frame.line([(least.max(lowest), least.max(lowest)), (DET_HIGH, DET_HIGH)])) {}
        (lines(&frame, &curve, |fnmr| fnmr))
        (point(&frame, report.int8.eer, report.int8.eer, &format!("EER {}", percent(report.int8.eer))))
        @if let Some(at) = &report.int8.threshold {
            (point(&frame, at.fmr, at.fnmr, &format!("sealed: {} / {}", percent(at.fmr), percent(at.fnmr))))
        }
    };
    frame.draw("detection error trade-off", marks)
}

/// The DET curves of several bundles, number `n` in the colour of class `cn`, each from its own lowest FMR on.
pub(super) fn dets(reports: &[&Report]) -> Markup {
    let ends: Vec<(f64, f64)> = reports.iter().map(|report| det_ends(report)).collect();
    let (least, lowest) = ends.iter().fold((0.01, 0.02), |(a, b): (f64, f64), (c, d)| (a.min(*c), b.min(*d)));
    let frame = det_frame(least, lowest);
    let curve = |report: &Report, least: f64| {
        frame.line(det_points(report, least).into_iter().map(|point| (point.rates.fmr, point.rates.fnmr)))
    };
    let marks = html! {
        path class="diagonal" d=(frame.line([(least.max(lowest), least.max(lowest)), (DET_HIGH, DET_HIGH)])) {}
        @for (number, (report, (least, _))) in reports.iter().zip(&ends).enumerate() {
            path class=(format!("curve c{}", number % COLOURS)) d=(curve(report, *least)) { title { (report.name) } }
        }
    };
    frame.draw("detection error trade-off of every model", marks)
}

/// True-match rate over FMR.
pub(super) fn roc(report: &Report) -> Markup {
    let least = report.curve.first().map_or(1e-4, |point| point.rates.fmr).clamp(1e-5, 1e-2);
    let worst =
        report.curve.iter().filter(|point| point.rates.fmr >= least).map(|point| point.rates.fnmr).fold(0.0, f64::max);
    let floor = ((1.0 - worst) * 10.0).floor() / 10.0;
    let ticks: Vec<f64> = (0..=10).map(|n| f64::from(n) / 10.0).collect();
    let frame = Frame {
        width: WIDTH,
        height: HEIGHT + 60.0,
        x: Axis::rates("false-match rate", Scale::Log, least, 1.0, &DECADES),
        y: Axis::rates("true-match rate", Scale::Linear, floor.clamp(0.0, 0.9), 1.0, &ticks),
    };
    let curve: Vec<&CurvePoint> = report.curve.iter().filter(|point| point.rates.fmr >= least).collect();
    let marks = html! {
        (lines(&frame, &curve, |fnmr| 1.0 - fnmr))
        @if let Some(at) = &report.int8.threshold {
            (point(&frame, at.fmr, 1.0 - at.fnmr, &format!("sealed: {} / {}", percent(at.fmr), percent(1.0 - at.fnmr))))
        }
    };
    frame.draw("receiver operating characteristic", marks)
}

/// The bundle's curve with its interval, and the float network's.
fn lines(frame: &Frame, curve: &[&CurvePoint], of: impl Fn(f64) -> f64) -> Markup {
    let band: Vec<(f64, f64, f64)> =
        curve.iter().filter_map(|p| p.rates.interval.map(|[low, high]| (p.rates.fmr, of(low), of(high)))).collect();
    html! {
        @if !band.is_empty() { path class="band" d=(frame.band(&band)) {} }
        path class="float" d=(frame.line(curve.iter().map(|p| (p.rates.fmr, of(p.float))))) {}
        path class="int8" d=(frame.line(curve.iter().map(|p| (p.rates.fmr, of(p.rates.fnmr))))) {}
    }
}

fn point(frame: &Frame, x: f64, y: f64, label: &str) -> Markup {
    let (px, py) = (frame.x(x), frame.y(y));
    // Beside the point, where there is room.
    let (dx, anchor) = if px > frame.width * 0.62 { (-9.0, "end") } else { (9.0, "start") };
    let dy = if py < frame.top() + 20.0 { 18.0 } else { -7.0 };
    html! {
        circle class="point" cx=(short(px, 1)) cy=(short(py, 1)) r="4.5" { title { (label) } }
        text class="note" x=(short(px + dx, 1)) y=(short(py + dy, 1)) text-anchor=(anchor) { (label) }
    }
}

/// Loss over steps.
pub(super) fn loss(training: &Training) -> Markup {
    let points: Vec<(f64, f64)> = training.loss.iter().map(|&(step, loss)| (step as f64, loss.into())).collect();
    course("loss", "training loss", training, &points, "int8")
}

/// Validation error over steps.
pub(super) fn validation(training: &Training) -> Markup {
    let points: Vec<(f64, f64)> = training.eer.iter().map(|&(step, eer)| (step as f64, eer * 100.0)).collect();
    course("EER, %", "validation equal error rate", training, &points, "genuine-line")
}

fn course(name: &'static str, title: &str, training: &Training, points: &[(f64, f64)], class: &str) -> Markup {
    let last = points.last().map_or(1.0, |(step, _)| *step);
    let most = points.iter().map(|(_, value)| *value).filter(|value| value.is_finite()).fold(0.0, f64::max);
    let frame = Frame {
        width: WIDTH,
        height: HEIGHT - 60.0,
        x: Axis::linear("step", 0.0, last),
        y: Axis::linear(name, 0.0, most * 1.05),
    };
    let least = points.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
    let marks = html! {
        @for step in training.phases.iter().map(|&step| step as f64).filter(|&step| step < last) {
            path class="phase" d=(format!("M{} {}V{}", short(frame.x(step), 1), frame.top(), frame.bottom())) {}
        }
        path class=(class) d=(frame.line(points.iter().copied())) {}
        @if let Some((step, value)) = least.filter(|_| name != "loss") {
            (point(&frame, step, value, &format!("{} %", short(value, 2))))
        }
    };
    frame.draw(title, marks)
}

/// Sizes of the layers, and how far int8 is from float behind each.
pub(super) fn layers(report: &Report) -> Markup {
    let most = report.layers.iter().filter_map(|layer| layer.error).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let macs = report.layers.iter().map(|layer| layer.macs).max().unwrap_or(1).max(1);
    let bar = |class: &str, share: f64| {
        html! { span class=(format!("bar {class}")) style=(format!("width:{}%", short(share * 100.0, 1))) {} }
    };
    html! {
        table.layers {
            thead { tr { th { "layer" } th { "output" } th.wide { "multiply-accumulates" } th.wide { "error of int8, relative RMS" } } }
            tbody {
                @for layer in &report.layers {
                    tr {
                        td { code { (layer.layer) } }
                        td { (layer.output.replace('x', " × ")) }
                        td.meter { (bar("macs", layer.macs as f64 / macs as f64)) span { (grouped(layer.macs)) } }
                        @match layer.error {
                            Some(error) => td.meter { (bar("error", error / most)) span { (percent(error)) } },
                            None => td.meter { span.muted { "fused into the next layer" } },
                        }
                    }
                }
            }
        }
    }
}

/// A whole number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    groups.into_iter().map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join("\u{202f}")
}
