//! Judging one bar by all rules.

use crate::market::{Bar, BarFlags, Timestamp};
use crate::quality::RULES;
use crate::quality::contract::{Context, Grid, Severity, Verdict, Violation};
use crate::quality::recent::Recent;

/// Judges one bar by every rule.
#[must_use]
pub fn judge(bar: &Bar, context: &Context<'_>) -> Verdict {
    let mut verdict = Verdict { quality: 1.0, flags: BarFlags::empty(), refused: false, findings: Vec::new() };
    for rule in RULES {
        if let Some(finding) = (rule.check)(bar, context) {
            verdict.quality -= finding.cost;
            verdict.flags |= finding.flag;
            verdict.refused |= rule.severity == Severity::Error;
            verdict.findings.push((rule.name, rule.severity, finding));
        }
    }
    verdict.quality = verdict.quality.max(0.0);
    verdict
}

/// Compares the same bar of two sources: the violation names both.
#[must_use]
pub fn judge_sources(ours: &Bar, rival: &Bar, now: Timestamp) -> Option<Violation> {
    let context = Context { recent: &Recent::default(), ts_recv: now, grid: Grid::On, may_be_negative: true, rival: Some(rival) };
    let rule = &crate::quality::rule::MISMATCH;
    (rule.check)(ours, &context).map(|finding| Violation::new(ours, now, rule.name, rule.severity, finding.message))
}

impl Violation {
    /// A broken rule of `bar`, noticed at `time`.
    #[must_use]
    pub fn new(bar: &Bar, time: Timestamp, rule: &str, severity: Severity, message: String) -> Self {
        Self {
            time,
            instrument: bar.instrument,
            interval: bar.interval,
            open_time: bar.open_time,
            source: bar.source.clone(),
            rule: rule.to_owned(),
            severity,
            message,
        }
    }
}

impl Verdict {
    /// What is written to the store about the broken rules.
    #[must_use]
    pub fn violations(&self, bar: &Bar, time: Timestamp) -> Vec<Violation> {
        self.findings.iter().map(|(rule, severity, finding)| Violation::new(bar, time, rule, *severity, finding.message.clone())).collect()
    }

    /// Sorted names of the rules that made it refuse.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.findings.iter().filter(|(_, severity, _)| *severity == Severity::Error).map(|(rule, ..)| (*rule).to_owned()).collect();
        names.sort();
        names
    }
}
