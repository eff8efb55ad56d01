//! What a trade may move, by the conditions that it was reported with.

use crate::market::{Moves, TimeOfDay, Timestamp, Zone};

/// What a trade of a share with these conditions moves, by the rules of the consolidated tapes as "Conditions",
/// <https://massive.com/docs/rest/stocks/market-operations/condition-codes>, numbers them. A condition that is not known forbids nothing.
#[must_use]
pub fn moves(codes: &[u32], at: Timestamp) -> Moves {
    codes.iter().fold(Moves::all(), |moves, code| moves & allowed_by(*code, at))
}

fn allowed_by(code: u32, at: Timestamp) -> Moves {
    match code {
        // The official close (15) and open (16) of a venue tell a trade that was told before.
        15 | 16 => Moves::empty(),
        // Average price, cash sale, extended hours out of sequence, next day, price variation, seller, odd lot, contingent (two kinds).
        2 | 7 | 13 | 20 | 21 | 29 | 37 | 52 | 53 => Moves::VOLUME,
        // Form T makes the price before the open and after the close; between them it is a late report of such a trade.
        12 if is_regular(at) => Moves::VOLUME,
        // Bunched sold, derivatively priced, prior reference price, sold out of sequence (two kinds).
        5 | 10 | 22 | 32 | 33 => Moves::VOLUME | Moves::HIGH_LOW,
        _ => Moves::all(),
    }
}

fn is_regular(at: Timestamp) -> bool {
    let (_, time) = at.in_zone(Zone::NEW_YORK);
    let (open, close) = (TimeOfDay::new(9, 30), TimeOfDay::new(16, 0));
    open.is_some_and(|open| open <= time) && close.is_some_and(|close| time < close)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_take_away_what_they_forbid() {
        let noon: Timestamp = "2026-11-20T17:00:00Z".parse().expect("a time");
        let early: Timestamp = "2026-11-20T14:29:59Z".parse().expect("a time");
        let table: [(&[u32], Timestamp, Moves); 9] = [
            (&[], noon, Moves::all()),
            (&[0, 14, 41], noon, Moves::all()),
            (&[14, 37], noon, Moves::VOLUME),
            (&[12], noon, Moves::VOLUME),
            (&[12], early, Moves::all()),
            (&[12, 37], early, Moves::VOLUME),
            (&[32], noon, Moves::VOLUME | Moves::HIGH_LOW),
            (&[16], noon, Moves::empty()),
            (&[9_999], noon, Moves::all()),
        ];
        for (codes, at, expected) in table {
            assert_eq!(moves(codes, at), expected, "{codes:?} at {at}");
        }
    }
}
