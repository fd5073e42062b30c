//! What came out of an evaluation: JSON for machines, a table for people.

use serde::Serialize;

use crate::cmd::OutputError;
use crate::cmd::numbers::percent;
use crate::evaluate::{
    Choice, Forgeries, Identification, Interval, RatePoint, Resampling, Verification, mean_interval, no_interval,
};

/// What came out, as JSON gives it.
#[derive(Serialize)]
pub(super) struct Outcome {
    pub(super) protocol: String,
    pub(super) engine: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    #[serde(flatten)]
    pub(super) choice: Choice,
    #[serde(flatten)]
    pub(super) rates: Rates,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Rates {
    Verified(Box<Verified>),
    Identified(Identification),
    Accuracy(Accuracy),
}

/// A verification; with templates the closed-set rank 1 of the same enrolment.
#[derive(Serialize)]
pub(super) struct Verified {
    #[serde(flatten)]
    pub(super) rates: Verification,
    /// For JSON alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) det: Option<Vec<RatePoint>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) references: Option<usize>,
    pub(super) rank1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rank1_interval: Option<Interval>,
    #[serde(flatten)]
    pub(super) forgeries: Option<Forgeries>,
}

#[derive(Serialize)]
pub(super) struct Accuracy {
    pub(super) accuracy: f64,
    pub(super) error: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_interval: Option<Interval>,
    pub(super) trials: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identities: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) runs: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ways: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shots: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) k: Option<usize>,
}

impl Accuracy {
    /// Of the wrong answers and the queries of each identity or run.
    pub(super) fn new(wrong: &[(f64, usize)], how: Resampling) -> Self {
        let (errors, trials) = wrong.iter().fold((0.0, 0), |(a, b), (c, d)| (a + c, b + d));
        let error = errors / trials as f64;
        let error_interval = mean_interval(wrong, how);
        Accuracy {
            accuracy: 1.0 - error,
            error,
            error_interval,
            trials,
            identities: None,
            runs: None,
            ways: None,
            shots: None,
            seed: None,
            k: None,
        }
    }
}

impl Outcome {
    /// The table for people.
    pub(super) fn print(&self) -> Result<(), OutputError> {
        match &self.rates {
            Rates::Verified(verified) => verified.print(),
            Rates::Identified(found) => print_identified(found),
            Rates::Accuracy(counted) => {
                let Accuracy { accuracy, error, error_interval, trials, .. } = counted;
                let (protocol, engine) = (&self.protocol, &self.engine);
                let runs = counted.runs.map_or(String::new(), |runs| format!(" of {runs} runs"));
                let (group, groups) = if counted.runs.is_some() { ("run", "runs") } else { ("identity", "identities") };
                say!("{protocol}, {engine}, {trials} queries{runs}")?;
                heading(group)?;
                row_by(groups, "error", *error, *error_interval)?;
                row_by(groups, "accuracy", *accuracy, error_interval.map(|[low, high]| [1.0 - high, 1.0 - low]))
            }
        }
    }
}

impl Verified {
    fn print(&self) -> Result<(), OutputError> {
        print_verification(&self.rates)?;
        if let Some(rank1) = self.rank1 {
            row("rank 1", rank1, self.rank1_interval)?;
        }
        if let Some(rates) = &self.forgeries {
            say!("\nforgeries, templates of {} samples", rates.references)?;
            row("EER, random, one threshold", rates.eer_random, rates.eer_random_interval)?;
            row("EER, random, own thresholds", rates.eer_random_user, rates.eer_random_user_interval)?;
            row("EER, skilled, one threshold", rates.eer_skilled, rates.eer_skilled_interval)?;
            row("EER, skilled, own thresholds", rates.eer_skilled_user, rates.eer_skilled_user_interval)?;
            if let Some(at) = &rates.skilled.threshold {
                row("skilled accepted, sealed", at.fmr, at.fmr_interval)?;
            }
            let Verification { impostor_identities: identities, fmr_bound, .. } = rates.skilled;
            say!(
                "{identities} identities support no claim below an FMR of {:.2} % against skilled forgeries at 95 %",
                fmr_bound * 100.0
            )?;
        }
        let Verification { genuine, genuine_identities, impostor, impostor_identities, fmr_bound, fnmr_bound, .. } =
            self.rates;
        say!(
            "\n{genuine} genuine comparisons of {genuine_identities} identities support no claim below an FNMR of {:.2} % at 95 %, \
             {impostor} impostor comparisons of {impostor_identities} none below an FMR of {:.4} %",
            fnmr_bound * 100.0,
            fmr_bound * 100.0,
        )
    }
}

fn print_verification(rates: &Verification) -> Result<(), OutputError> {
    heading("identity")?;
    row("EER", rates.eer, rates.eer_interval)?;
    for (fmr, fnmr) in rates.fnmr_at_fmr.iter().rev() {
        let interval = rates.fnmr_at_fmr_interval.as_ref().and_then(|all| all.get(fmr)).copied();
        row(&format!("FNMR at FMR {fmr}"), *fnmr, interval)?;
    }
    plain("AUC", rates.auc, rates.auc_interval, 5)?;
    if let Some(d_prime) = rates.d_prime {
        plain("d'", d_prime, rates.d_prime_interval, 3)?;
    }
    if let Some(at) = &rates.threshold {
        row(&format!("FMR, sealed threshold {}", at.value), at.fmr, at.fmr_interval)?;
        row("FNMR there", at.fnmr, at.fnmr_interval)?;
    }
    Ok(())
}

fn print_identified(found: &Identification) -> Result<(), OutputError> {
    let Identification { identities, references, probes, .. } = found;
    say!("{identities} identities enrolled from {references} samples each, {probes} probes\n")?;
    heading("identity")?;
    say!("closed set: the probe's identity is enrolled")?;
    row("rank 1", found.rank1, found.rank1_interval)?;
    row("rank 5", found.rank5, found.rank5_interval)?;
    say!("\nopen set: the same probes as strangers, their identity taken out")?;
    for (fpir, fnir) in found.fnir_at_fpir.iter().rev() {
        let interval = found.fnir_at_fpir_interval.as_ref().and_then(|all| all.get(fpir)).copied();
        row(&format!("FNIR at FPIR {fpir}"), *fnir, interval)?;
    }
    if let Some(at) = &found.threshold {
        row(&format!("FPIR, sealed threshold {}", at.value), at.fpir, at.fpir_interval)?;
        row("FNIR there", at.fnir, at.fnir_interval)?;
    }
    Ok(())
}

/// What the intervals below are drawn by.
fn heading(group: &str) -> Result<(), OutputError> {
    say!("{:<30}{:>10}   95 % by {group}", "", "")
}

fn row(name: &str, rate: f64, interval: Option<Interval>) -> Result<(), OutputError> {
    row_by("identities", name, rate, interval)
}

fn row_by(groups: &str, name: &str, rate: f64, interval: Option<Interval>) -> Result<(), OutputError> {
    let range = |[low, high]: Interval| format!("{} to {}", percent(low), percent(high));
    say!("{name:<30}{:>10}   {}", percent(rate), interval.map_or_else(|| no_interval(groups), range))
}

fn plain(name: &str, value: f64, interval: Option<Interval>, digits: usize) -> Result<(), OutputError> {
    let range = |[low, high]: Interval| format!("{low:.digits$} to {high:.digits$}");
    say!("{name:<30}{value:>10.digits$}   {}", interval.map_or_else(|| no_interval("identities"), range))
}
