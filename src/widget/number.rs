//! Numbers as people read them: never cut, always with what they mean.

use std::time::Duration;

/// A number with so many decimals, in groups of three.
#[must_use]
pub fn fixed(value: f64, decimals: u8) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let text = format!("{value:.*}", usize::from(decimals));
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut grouped = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if let Some(fraction) = fraction {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

/// A change: its sign is always there.
#[must_use]
pub fn signed(value: f64, decimals: u8) -> String {
    let text = fixed(value.abs(), decimals);
    let zero = text.chars().all(|c| matches!(c, '0' | '.'));
    match (zero, value < 0.0) {
        (true, _) => text,
        (false, true) => format!("-{text}"),
        (false, false) => format!("+{text}"),
    }
}

/// A change in percent, with its sign and an arrow: direction does not hang on colour.
#[must_use]
pub fn percent(value: f64) -> String {
    let text = signed(value, 2);
    let arrow = if text.starts_with('-') {
        '▼'
    } else if text.starts_with('+') {
        '▲'
    } else {
        ' '
    };
    format!("{text}% {arrow}")
}

const UNITS: [(f64, &str); 4] = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")];

/// A quantity in at most five characters and a unit: `950`, `12.3K`, `4.56M`.
#[must_use]
pub fn quantity(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let size = value.abs();
    // What would round up to 1000 of a unit belongs to the next.
    let unit = UNITS.iter().find(|(unit, _)| size >= unit * 0.9995);
    match unit {
        Some((unit, name)) => format!("{}{name}", three_digits(value / unit)),
        None if value.fract() == 0.0 => format!("{value:.0}"),
        None => three_digits(value),
    }
}

fn three_digits(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// Bytes as people count them.
#[must_use]
pub fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let text = quantity(count as f64);
    format!("{text}B")
}

/// How old something is: seconds in the first minute only.
#[must_use]
pub fn age(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..=59 => format!("{seconds}s"),
        60..=3_599 => format!("{}m", seconds / 60),
        3_600..=86_399 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long until something: minutes, and seconds only in the last minute.
#[must_use]
pub fn countdown(span: Duration) -> String {
    let minutes = span.as_secs().div_ceil(60);
    match span.as_secs() {
        0..=59 => format!("{} s", span.as_secs()),
        60..=3_540 => format!("{minutes} min"),
        3_541..=86_399 => format!("{} h {:02} min", minutes / 60, minutes % 60),
        seconds => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(fixed(1_234_567.891, 2), "1,234,567.89");
        assert_eq!(fixed(-999.5, 0), "-1,000");
        assert_eq!(fixed(f64::NAN, 2), "-");
        assert_eq!((signed(0.004, 2), signed(-0.004, 2)), ("0.00".into(), "0.00".into()));
        assert_eq!((signed(1.5, 2), signed(-1.5, 2)), ("+1.50".into(), "-1.50".into()));
        assert_eq!((percent(1.256), percent(-0.1), percent(0.0)), ("+1.26% ▲".into(), "-0.10% ▼".into(), "0.00%  ".into()));
        let table =
            [(0.0, "0"), (950.0, "950"), (999.6, "1.00K"), (12_345.0, "12.3K"), (999_999.0, "1.00M"), (4.56e9, "4.56B"), (0.25, "0.25")];
        for (value, text) in table {
            assert_eq!(quantity(value), text);
        }
    }

    #[test]
    fn spans_show_seconds_only_in_the_last_minute() {
        let s = Duration::from_secs;
        assert_eq!([age(s(0)), age(s(59)), age(s(60)), age(s(3_600)), age(s(90_000))], ["0s", "59s", "1m", "1h", "1d"]);
        let texts =
            [countdown(s(59)), countdown(s(61)), countdown(s(3_540)), countdown(s(3_541)), countdown(s(19_680)), countdown(s(90_000))];
        assert_eq!(texts, ["59 s", "2 min", "59 min", "1 h 00 min", "5 h 28 min", "1 d 01 h"]);
    }
}
