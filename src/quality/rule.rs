//! The rules, one function each.

use crate::market::{BarFlags, Weekday};
use crate::quality::contract::{Finding, Grid, Rule, Severity};

/// How far ahead of receipt a bar may open, for clocks that differ.
const CLOCK_SKEW: std::time::Duration = std::time::Duration::from_secs(60);
/// How far two sources may be apart.
const MISMATCH_RATIO: f64 = 0.002;

pub const HIGH_BELOW_BODY: Rule = Rule {
    name: "high_below_body",
    sentence: "The high is below the open or the close.",
    severity: Severity::Error,
    check: |bar, _| {
        let body = bar.open.max(bar.close);
        (bar.high < body).then(|| refuse(format!("high {} is below {body}", bar.high)))
    },
};

pub const LOW_ABOVE_BODY: Rule = Rule {
    name: "low_above_body",
    sentence: "The low is above the open or the close.",
    severity: Severity::Error,
    check: |bar, _| {
        let body = bar.open.min(bar.close);
        (bar.low > body).then(|| refuse(format!("low {} is above {body}", bar.low)))
    },
};

pub const PRICE: Rule = Rule {
    name: "price",
    sentence: "A price is not a positive number (futures may be at or below zero).",
    severity: Severity::Error,
    check: |bar, context| {
        let wrong = |price: &f64| !price.is_finite() || (*price <= 0.0 && !context.may_be_negative);
        let price = [bar.open, bar.high, bar.low, bar.close].into_iter().find(wrong)?;
        Some(refuse(format!("price {price}")))
    },
};

pub const NEGATIVE_VOLUME: Rule = Rule {
    name: "negative_volume",
    sentence: "The volume is below zero or no number.",
    severity: Severity::Error,
    check: |bar, _| {
        let volume = bar.volume.filter(|volume| !volume.is_finite() || *volume < 0.0)?;
        Some(refuse(format!("volume {volume}")))
    },
};

pub const FUTURE: Rule = Rule {
    name: "future",
    sentence: "The bar opens more than 60 seconds after it was received.",
    severity: Severity::Error,
    check: |bar, context| {
        (bar.open_time > context.ts_recv + CLOCK_SKEW).then(|| refuse(format!("opens at {}, received {}", bar.open_time, context.ts_recv)))
    },
};

pub const OFF_GRID: Rule = Rule {
    name: "off_grid",
    sentence: "No bar of this interval opens then at this venue.",
    severity: Severity::Error,
    check: |bar, context| (context.grid == Grid::Off).then(|| refuse(format!("no {} bar opens at {}", bar.interval, bar.open_time))),
};

pub const JUMP: Rule = Rule {
    name: "jump",
    sentence: "The close moved by more than 500 % in one bar.",
    severity: Severity::Warning,
    check: |bar, context| {
        let (_, before) = context.recent.last()?;
        ((bar.close - before).abs() > 5.0 * before.abs())
            .then(|| warn(0.5, format!("{:+.0} % in one bar", (bar.close / before - 1.0) * 100.0)))
    },
};

pub const OVERNIGHT_GAP: Rule = Rule {
    name: "overnight_gap",
    sentence: "A session opens more than 10 % from the last close (Friday to Monday excepted): flag gap.",
    severity: Severity::Info,
    check: |bar, context| {
        let (time, before) = context.recent.last()?;
        // Cheap first: most bars follow one of the same day.
        if (bar.open - before).abs() <= 0.1 * before.abs() {
            return None;
        }
        let (from, to) = (time.date(), bar.open_time.date());
        // A post session of New York ends on a Saturday in Greenwich.
        let weekend = matches!(from.weekday(), Weekday::Friday | Weekday::Saturday) && to.weekday() == Weekday::Monday;
        (from != to && !weekend)
            .then(|| mark(BarFlags::GAP, format!("opens {:+.1} % from the last close", (bar.open / before - 1.0) * 100.0)))
    },
};

pub const VOLUME_SPIKE: Rule = Rule {
    name: "volume_spike",
    sentence: "The volume is more than 10 times the median of the last 20 bars.",
    severity: Severity::Warning,
    check: |bar, context| {
        let (volume, median) = (bar.volume?, context.recent.median_volume()?);
        (median > 0.0 && volume > 10.0 * median).then(|| warn(0.2, format!("volume {volume} is {:.0} times the median", volume / median)))
    },
};

pub const VOLUME_DROUGHT: Rule = Rule {
    name: "volume_drought",
    sentence: "The volume is less than a tenth of the median of the last 20 bars.",
    severity: Severity::Warning,
    check: |bar, context| {
        let (volume, median) = (bar.volume?, context.recent.median_volume()?);
        (volume < 0.1 * median).then(|| warn(0.1, format!("volume {volume} is {:.1} % of the median", volume / median * 100.0)))
    },
};

pub const MISMATCH: Rule = Rule {
    name: "mismatch",
    sentence: "Two sources disagree on a price by more than 0.2 %: flag mismatch.",
    severity: Severity::Info,
    check: |bar, context| {
        let rival = context.rival?;
        let pairs = [
            ("open", bar.open, rival.open),
            ("high", bar.high, rival.high),
            ("low", bar.low, rival.low),
            ("close", bar.close, rival.close),
        ];
        let (name, ours, theirs) = pairs.into_iter().find(|(_, ours, theirs)| (ours - theirs).abs() > MISMATCH_RATIO * theirs.abs())?;
        Some(mark(BarFlags::MISMATCH, format!("{name} {ours} from {}, {theirs} from {}", bar.source, rival.source)))
    },
};

fn refuse(message: String) -> Finding {
    Finding { cost: 1.0, flag: BarFlags::empty(), message }
}

fn warn(cost: f64, message: String) -> Finding {
    Finding { cost, flag: BarFlags::empty(), message }
}

fn mark(flag: BarFlags, message: String) -> Finding {
    Finding { cost: 0.0, flag, message }
}
