//! Charts of one line.

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The newest values as a line of blocks, `width` characters at most; `zero` says where the lowest block stands.
#[must_use]
pub fn sparkline(values: &(impl ExactSizeIterator<Item = f64> + Clone), width: usize, from_zero: bool) -> String {
    let shown = || values.clone().skip(values.len().saturating_sub(width)).filter(|value| value.is_finite());
    let low = if from_zero { 0.0 } else { shown().fold(f64::INFINITY, f64::min) };
    let high = shown().fold(f64::NEG_INFINITY, f64::max);
    shown().map(|value| level(value, low, high)).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 7")]
fn level(value: f64, low: f64, high: f64) -> char {
    let span = high - low;
    if span <= 0.0 {
        return if high > 0.0 { LEVELS[3] } else { LEVELS[0] };
    }
    LEVELS[((value - low) / span * 7.0).round().clamp(0.0, 7.0) as usize]
}

/// Where `value` stands between `low` and `high`: `├──●───┤`.
#[must_use]
pub fn range(low: f64, high: f64, value: f64, width: usize) -> String {
    let inner = width.saturating_sub(2);
    if inner == 0 || !(low.is_finite() && high.is_finite() && value.is_finite()) {
        return String::new();
    }
    let at = position(low, high, value, inner);
    let cells = (0..inner).map(|i| if i == at { '●' } else { '─' });
    std::iter::once('├').chain(cells).chain(std::iter::once('┤')).collect()
}

/// How much of `total` is done: `█████░░░`.
#[must_use]
pub fn bar(done: u64, total: u64, width: usize) -> String {
    let width_cells = width as u64;
    let filled = (done.min(total) * width_cells).checked_div(total).unwrap_or(0);
    (0..width_cells).map(|i| if i < filled { '█' } else { '░' }).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a cell inside the bar")]
fn position(low: f64, high: f64, value: f64, inner: usize) -> usize {
    let share = if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 };
    (share * (inner - 1) as f64).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_of_one_line() {
        assert_eq!(sparkline(&[1.0, 2.0, 3.0].into_iter(), 10, false), "▁▅█");
        assert_eq!(sparkline(&[1.0, 2.0, 3.0].into_iter(), 2, false), "▁█");
        assert_eq!(sparkline(&[0.0, 0.0].into_iter(), 4, true), "▁▁");
        assert_eq!(range(10.0, 20.0, 15.0, 9), "├───●───┤");
        assert_eq!(range(10.0, 10.0, 10.0, 5), "├─●─┤");
        assert_eq!((bar(1, 2, 4), bar(5, 2, 4), bar(0, 0, 4)), ("██░░".into(), "████".into(), "░░░░".into()));
    }
}
