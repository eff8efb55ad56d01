//! What Alpaca says of the market's hours: a cross-check of our calendar.

use futures_util::future::BoxFuture;
use serde::Deserialize;

use crate::market::{Date, TimeOfDay};
use crate::provider::ability::{MarketHours, SaidDay, SaidStatus};
use crate::provider::alpaca::rest::Alpaca;
use crate::provider::contract::ProviderError;
use crate::provider::wire::{Text, said};

/// The calendar of ours that both answers can be compared with.
const VENUE: &str = "XNYS";

/// The years that its calendar tells of.
const FIRST_YEAR: i32 = 1970;
const LAST_YEAR: i32 = 2029;

/// "US Market Clock", <https://docs.alpaca.markets>.
#[derive(Deserialize)]
struct Clock {
    is_open: bool,
}

/// A trading day: "US Market Calendar", <https://docs.alpaca.markets>. Times are those of New York.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    date: Option<Text<'a>>,
    #[serde(borrow)]
    open: Option<Text<'a>>,
    #[serde(borrow)]
    close: Option<Text<'a>>,
}

/// Whether the market is in its regular session.
pub fn status(body: &[u8]) -> Result<SaidStatus, ProviderError> {
    let Clock { is_open } =
        serde_json::from_slice(body).map_err(|_| ProviderError::malformed("the alpaca clock is not as it should be", body))?;
    let state = if is_open { "open" } else { "closed" };
    Ok(SaidStatus { venue: Some(VENUE), market: "us_equity".to_owned(), state: state.to_owned(), open: is_open })
}

/// Every day from one to another, both counted: a day without a row is closed, as far as the rows go.
pub fn days(body: &[u8], from: Date, to: Date) -> Result<Vec<SaidDay>, ProviderError> {
    let bad = || ProviderError::malformed("the alpaca calendar is not rows of days", body);
    let rows: Vec<Row<'_>> = serde_json::from_slice(body).map_err(|_| bad())?;
    let mut open = Vec::with_capacity(rows.len());
    for row in &rows {
        open.push(trading_day(row).ok_or_else(bad)?);
    }
    let first = from.max(Date::new(FIRST_YEAR, 1, 1).expect("a first of January"));
    let dates = std::iter::successors(Some(first), |date| Some(date.next())).take_while(|date| *date <= to && date.year() <= LAST_YEAR);
    let hours = |date: Date| open.iter().find(|(day, _)| *day == date).map(|(_, hours)| *hours);
    Ok(dates.map(|date| SaidDay { venue: VENUE, date, hours: hours(date) }).collect())
}

type Hours = (TimeOfDay, TimeOfDay);

fn trading_day(row: &Row<'_>) -> Option<(Date, Hours)> {
    let date = said(row.date.as_ref())?.parse().ok()?;
    Some((date, (time_of_day(said(row.open.as_ref())?)?, time_of_day(said(row.close.as_ref())?)?)))
}

/// `09:30`, or `0930` as other members of the same row are written.
fn time_of_day(text: &str) -> Option<TimeOfDay> {
    if text.contains(':') {
        return text.parse().ok();
    }
    let (hour, minute) = text.split_at_checked(2)?;
    TimeOfDay::new(hour.parse().ok()?, minute.parse().ok()?)
}

impl Alpaca {
    /// The market as the trading host's clock has it.
    pub(crate) async fn clock(&self) -> Result<SaidStatus, ProviderError> {
        status(&self.ask_trading("clock", Vec::new(), "alpaca clock".to_owned()).await?)
    }

    async fn statuses(&self) -> Result<Vec<SaidStatus>, ProviderError> {
        Ok(vec![self.clock().await?])
    }

    async fn calendar(&self, from: Date, to: Date) -> Result<Vec<SaidDay>, ProviderError> {
        let query = vec![("start", from.to_string()), ("end", to.to_string())];
        days(&self.ask_trading("calendar", query, "alpaca calendar".to_owned()).await?, from, to)
    }
}

impl MarketHours for Alpaca {
    fn status(&self) -> BoxFuture<'_, Result<Vec<SaidStatus>, ProviderError>> {
        Box::pin(self.statuses())
    }

    fn days(&self, from: Date, to: Date) -> BoxFuture<'_, Result<Vec<SaidDay>, ProviderError>> {
        Box::pin(self.calendar(from, to))
    }
}
