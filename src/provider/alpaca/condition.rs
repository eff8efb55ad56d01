//! What a trade may move, by the conditions that it was reported with.

use crate::market::Moves;

/// What all these conditions leave to a trade. The tapes `A` and `B` have one table, `C` another: "Stock Trade Conditions",
/// <https://docs.alpaca.markets>, after the guidelines of the consolidated tapes, <https://www.ctaplan.com> and
/// <https://www.utpplan.com>.
#[must_use]
pub fn moves<'t>(tape: Option<&str>, conditions: impl IntoIterator<Item = &'t str>) -> Moves {
    conditions.into_iter().fold(Moves::all(), |left, condition| left & left_by(tape, condition))
}

/// What is not sure moves everything. Extended hours (`T`) are no reason here: their bars are made of such trades only.
fn left_by(tape: Option<&str>, condition: &str) -> Moves {
    match (condition, tape) {
        // The official price of an exchange's open or close repeats its auction.
        ("M" | "Q", _) => Moves::empty(),
        // Cash, price variation, odd lot, next day, seller, extended hours out of order, contingent, average price.
        ("C" | "H" | "I" | "N" | "R" | "U" | "V" | "W" | "7", _) | ("B", Some("A" | "B")) => Moves::VOLUME,
        // Prior reference price, sold out of order, derivatively priced: a price of another moment.
        ("P" | "Z" | "4", _) => Moves::VOLUME | Moves::HIGH_LOW,
        _ => Moves::all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_takes_something_away() {
        let table: [(&str, &[&str], Moves); 9] = [
            ("C", &["@"], Moves::all()),
            ("A", &[], Moves::all()),
            ("C", &["@", "I"], Moves::VOLUME),
            ("C", &["@", "T"], Moves::all()),
            ("C", &["@", "T", "I"], Moves::VOLUME),
            ("A", &["B"], Moves::VOLUME),
            ("C", &["B"], Moves::all()),
            ("B", &["Z"], Moves::VOLUME | Moves::HIGH_LOW),
            ("A", &["Z", "M"], Moves::empty()),
        ];
        for (tape, conditions, expected) in table {
            assert_eq!(moves(Some(tape), conditions.iter().copied()), expected, "{tape} {conditions:?}");
        }
    }
}
