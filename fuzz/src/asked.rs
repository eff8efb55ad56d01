//! What decoders are asked beside a body. It is always the same, so that a finding is its bytes and nothing else.

use openbell::market::{Category, Date, Interval, Period, Statement, Timestamp};
use openbell::provider::net::Call;
use openbell::provider::{CompanyQuery, DirectoryQuery, HistoryPage};

/// 2027-01-01: all that the fixtures tell of is over.
pub const NOW: Timestamp = Timestamp::from_seconds(1_798_761_600);

/// 1970-01-01 and 2100-01-01.
const FIRST: Timestamp = Timestamp::from_seconds(0);
const LAST: Timestamp = Timestamp::from_seconds(4_102_444_800);

/// How many rows of a list are wanted.
const ROWS: usize = 1_000;

/// A page that nearly every time lies in.
#[must_use]
pub fn page(spelling: &str, interval: Interval) -> HistoryPage {
    HistoryPage { spelling: spelling.to_owned(), interval, from: FIRST, to: LAST }
}

/// Those who are looked at, each once.
#[must_use]
pub fn spellings() -> Vec<String> {
    ["AAPL", "MSFT", "BRK.B", "BTC-USD", "^GSPC"].map(str::to_owned).into()
}

/// A list of all that there is.
#[must_use]
pub fn whole() -> DirectoryQuery {
    DirectoryQuery { limit: ROWS, ..DirectoryQuery::default() }
}

/// A part of a list, with a text in its names.
#[must_use]
pub fn part(category: Category, search: &str) -> DirectoryQuery {
    DirectoryQuery { category: Some(category), search: Some(search.to_owned()), ..whole() }
}

/// Statements of a company.
#[must_use]
pub fn statements(statement: Statement, period: Period) -> CompanyQuery {
    CompanyQuery { spelling: "AAPL".to_owned(), statement, period, limit: ROWS }
}

/// A question over HTTP, for decoders that name it in errors.
#[must_use]
pub fn call() -> Call {
    Call { what: "a question".to_owned(), ..Call::default() }
}

/// The first and the last of days that nearly every date lies between.
#[must_use]
pub fn days() -> (Date, Date) {
    (FIRST.date(), LAST.date())
}

/// Three days, the second of which is a holiday in New York: a list of them is no longer than the shortest body that tells of none.
#[must_use]
pub fn three_days() -> (Date, Date) {
    let holiday = Date::new(2026, 11, 26).expect("a day of November");
    (holiday.previous(), holiday.next())
}
