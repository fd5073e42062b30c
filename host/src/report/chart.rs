//! Axes and paths of the report's charts, as inline SVG that takes its colours from the page.

use maud::{Markup, html};

/// Room left of the plot for tick labels.
const LEFT: f64 = 52.0;
/// Room right of it.
const RIGHT: f64 = 14.0;
/// Room above it.
const TOP: f64 = 12.0;
/// Room below it for tick labels and the axis' name.
const BOTTOM: f64 = 40.0;

/// How values lie along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Evenly.
    Linear,
    /// Evenly by their logarithm.
    Log,
    /// By the quantile of the normal distribution that they are, as in DET plots.
    Probit,
}

impl Scale {
    fn place(self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            Scale::Log => value.max(1e-12).log10(),
            Scale::Probit => probit(value.clamp(1e-9, 1.0 - 1e-9)),
        }
    }
}

/// One axis.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// What is shown along it.
    pub(super) name: &'static str,
    scale: Scale,
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis of whole range `low..=high` with ticks at round numbers.
    pub(super) fn linear(name: &'static str, low: f64, high: f64) -> Axis {
        let high = if high > low { high } else { low + 1.0 };
        let rough = (high - low) / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|&step| step >= rough).unwrap_or(rough);
        let digits = (-step.log10().floor()).max(0.0) as usize;
        let first = (low / step).ceil() as i64;
        let values = (first..).map(|n| n as f64 * step).take_while(|&value| value <= high * (1.0 + 1e-9));
        let ticks = values.map(|value| (value, format!("{value:.digits$}"))).collect();
        Axis { name, scale: Scale::Linear, low, high, ticks }
    }

    /// An axis of rates with ticks, in percent, at `ticks`.
    pub(super) fn rates(name: &'static str, scale: Scale, low: f64, high: f64, ticks: &[f64]) -> Axis {
        let ticks = ticks.iter().filter(|tick| (low..=high).contains(*tick));
        let ticks = ticks.map(|&tick| (tick, format!("{}%", short(tick * 100.0, 3)))).collect();
        Axis { name, scale, low, high, ticks }
    }

    /// The place of `value` from 0 to 1; what lies outside the axis is put at its end.
    fn unit(&self, value: f64) -> f64 {
        let (low, high) = (self.scale.place(self.low), self.scale.place(self.high));
        ((self.scale.place(value) - low) / (high - low)).clamp(0.0, 1.0)
    }
}

/// A plot with its two axes.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) x: Axis,
    pub(super) y: Axis,
}

impl Frame {
    /// The column of a value.
    pub(super) fn x(&self, value: f64) -> f64 {
        LEFT + self.x.unit(value) * (self.width - LEFT - RIGHT)
    }

    /// The row of a value.
    pub(super) fn y(&self, value: f64) -> f64 {
        self.bottom() - self.y.unit(value) * (self.bottom() - TOP)
    }

    /// The row of the horizontal axis.
    pub(super) fn bottom(&self) -> f64 {
        self.height - BOTTOM
    }

    /// The row of the upper edge.
    pub(super) fn top(&self) -> f64 {
        TOP
    }

    /// A line through points, as a path.
    pub(super) fn line(&self, points: impl IntoIterator<Item = (f64, f64)>) -> String {
        path(points.into_iter().map(|(x, y)| (self.x(x), self.y(y))))
    }

    /// The area between the lower and the upper value at each column, as a path.
    pub(super) fn band(&self, points: &[(f64, f64, f64)]) -> String {
        let below = points.iter().map(|&(x, low, _)| (self.x(x), self.y(low)));
        let above = points.iter().rev().map(|&(x, _, high)| (self.x(x), self.y(high)));
        path(below.chain(above)) + "Z"
    }

    /// The chart: grid, ticks and names, and `marks` upon it; `title` is read out in its place.
    pub(super) fn draw(&self, title: &str, marks: Markup) -> Markup {
        let (bottom, right) = (self.bottom(), self.width - RIGHT);
        html! {
            svg viewBox=(format!("0 0 {} {}", self.width, self.height)) role="img" aria-label=(title) {
                @for (value, label) in &self.x.ticks {
                    @let x = short(self.x(*value), 1);
                    path class="grid" d=(format!("M{x} {TOP}V{bottom}")) {}
                    text class="tick" x=(x) y=(bottom + 15.0) text-anchor="middle" { (label) }
                }
                @for (value, label) in &self.y.ticks {
                    @let y = self.y(*value);
                    path class="grid" d=(format!("M{LEFT} {}H{right}", short(y, 1))) {}
                    text class="tick" x=(LEFT - 6.0) y=(short(y + 3.5, 1)) text-anchor="end" { (label) }
                }
                path class="axis" d=(format!("M{LEFT} {TOP}V{bottom}H{right}")) {}
                (marks)
                text class="name" x=(short((LEFT + right) / 2.0, 1)) y=(self.height - 6.0) text-anchor="middle" { (self.x.name) }
                @let middle = short((TOP + bottom) / 2.0, 1);
                text class="name" x="0" y="0" text-anchor="middle" transform=(format!("translate(11 {middle}) rotate(-90)")) {
                    (self.y.name)
                }
            }
        }
    }
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (x, y) in points {
        path += if path.is_empty() { "M" } else { "L" };
        path += &format!("{} {}", short(x, 1), short(y, 1));
    }
    path
}

/// `value` with at most so many decimals.
pub(super) fn short(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// The quantile of the standard normal distribution, to 1e-9 (Acklam 2003).
fn probit(p: f64) -> f64 {
    const A: [f64; 6] = [
        -39.69683028665376,
        220.9460984245205,
        -275.9285104469687,
        138.357751867269,
        -30.66479806614716,
        2.506628277459239,
    ];
    const B: [f64; 5] =
        [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572];
    const C: [f64; 6] = [
        -0.007784894002430293,
        -0.3223964580411365,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 4] = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416];
    let polynomial = |factors: &[f64], x: f64| factors.iter().fold(0.0, |sum, factor| sum * x + factor);
    if p > 0.5 {
        return -probit(1.0 - p);
    }
    if p < 0.02425 {
        let q = (-2.0 * p.ln()).sqrt();
        return polynomial(&C, q) / (polynomial(&D, q) * q + 1.0);
    }
    let q = p - 0.5;
    polynomial(&A, q * q) * q / (polynomial(&B, q * q) * q * q + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_the_normal_distribution() {
        for (p, expected) in
            [(0.5, 0.0), (0.975, 1.959963984540054), (0.001, -3.090232306167813), (0.3, -0.5244005127080407)]
        {
            assert!((probit(p) - expected).abs() < 1e-7, "{p}: {}", probit(p));
        }
    }

    #[test]
    fn ticks_are_round_and_within() {
        let axis = Axis::linear("", 0.0, 1.3);
        let labels: Vec<&str> = axis.ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["0.0", "0.5", "1.0"]);
        let axis = Axis::rates("", Scale::Log, 1e-3, 1.0, &[1e-4, 1e-3, 0.01, 1.0]);
        assert_eq!(axis.ticks.iter().map(|(_, label)| label.as_str()).collect::<Vec<_>>(), ["0.1%", "1%", "100%"]);
    }

    #[test]
    fn values_outside_stay_on_the_plot() {
        let frame =
            Frame { width: 200.0, height: 100.0, x: Axis::linear("x", 0.0, 1.0), y: Axis::linear("y", 0.0, 1.0) };
        assert_eq!((frame.x(-5.0), frame.x(7.0)), (LEFT, 200.0 - RIGHT));
        assert_eq!((frame.y(0.0), frame.y(1.0)), (60.0, TOP));
        assert_eq!(frame.line([(0.0, 0.0), (1.0, 1.0)]), "M52 60L186 12");
        assert_eq!(frame.band(&[(0.0, 0.0, 1.0)]), "M52 60L52 12Z");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([short(1.25, 1), short(3.0, 2), short(100.0, 0), short(-0.5, 3)], ["1.2", "3", "100", "-0.5"]);
    }
}
