//! What Massive says of the hours of markets.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::market::{Date, TimeOfDay, Timestamp, Zone, clean};
use crate::provider::ability::{MarketHours, SaidDay, SaidStatus};
use crate::provider::contract::ProviderError;
use crate::provider::polygon::body::{cleaned, parse};
use crate::provider::polygon::raw::{Raw, text};
use crate::provider::polygon::rest::Polygon;

/// "Market status", <https://massive.com/docs/rest/stocks/market-operations/market-status>.
#[derive(Deserialize)]
struct Now<'a> {
    #[serde(borrow)]
    market: Raw<'a>,
    #[serde(borrow, default)]
    exchanges: BTreeMap<String, Raw<'a>>,
    #[serde(borrow, default)]
    currencies: BTreeMap<String, Raw<'a>>,
}

/// "Market holidays", <https://massive.com/docs/rest/stocks/market-operations/market-holidays>: a bare list.
#[derive(Deserialize)]
struct Day<'a> {
    #[serde(borrow)]
    date: Raw<'a>,
    #[serde(borrow)]
    exchange: Raw<'a>,
    #[serde(borrow)]
    status: Raw<'a>,
    #[serde(borrow)]
    open: Raw<'a>,
    #[serde(borrow)]
    close: Raw<'a>,
}

impl MarketHours for Polygon {
    fn status(&self) -> BoxFuture<'_, Result<Vec<SaidStatus>, ProviderError>> {
        Box::pin(async move { status(&self.market_now().await?) })
    }

    fn days(&self, from: Date, to: Date) -> BoxFuture<'_, Result<Vec<SaidDay>, ProviderError>> {
        Box::pin(async move {
            let body = self.ask("/v1/marketstatus/upcoming", Vec::new(), "massive holidays".to_owned()).await?;
            days(&body, from, to)
        })
    }
}

impl Polygon {
    pub(crate) async fn market_now(&self) -> Result<Vec<u8>, ProviderError> {
        self.ask("/v1/marketstatus/now", Vec::new(), "massive market status".to_owned()).await
    }
}

/// Which markets are open now.
pub fn status(body: &[u8]) -> Result<Vec<SaidStatus>, ProviderError> {
    let now: Now<'_> = parse(body, "massive market states")?;
    let said = now.exchanges.into_iter().chain(now.currencies).filter_map(|(market, state)| {
        let state = cleaned(state)?;
        let venue = match market.as_str() {
            "nyse" | "nasdaq" => Some("XNYS"),
            "crypto" => Some("CRYPTO"),
            "fx" => Some("FX"),
            _ => None,
        };
        let open = state == "open";
        Some(SaidStatus { venue, market: clean(&market).into_owned(), state, open })
    });
    Ok(said.collect())
}

/// The state of the whole, in the source's word.
pub fn state(body: &[u8]) -> Result<String, ProviderError> {
    let now: Now<'_> = parse(body, "massive market states")?;
    cleaned(now.market).ok_or_else(|| ProviderError::malformed("massive market states do not tell of the whole market", body))
}

/// Days on which the exchanges of New York are closed or close early, each once; other days are not told.
pub fn days(body: &[u8], from: Date, to: Date) -> Result<Vec<SaidDay>, ProviderError> {
    let rows: Vec<&RawValue> = parse(body, "massive holidays")?;
    let mut days: Vec<SaidDay> = rows.iter().filter_map(|row| day(row)).filter(|day| from <= day.date && day.date <= to).collect();
    days.sort_by_key(|day| day.date);
    days.dedup_by_key(|day| day.date);
    Ok(days)
}

fn day(row: &RawValue) -> Option<SaidDay> {
    let row: Day<'_> = serde_json::from_str(row.get()).ok()?;
    let exchange = text(row.exchange)?;
    if !matches!(&*exchange, "NYSE" | "NASDAQ") {
        return None;
    }
    let hours = match &*text(row.status)? {
        "closed" => None,
        "early-close" => Some((time(row.open)?, time(row.close)?)),
        _ => return None,
    };
    Some(SaidDay { venue: "XNYS", date: text(row.date)?.parse().ok()?, hours })
}

fn time(raw: Raw<'_>) -> Option<TimeOfDay> {
    let at: Timestamp = text(raw)?.parse().ok()?;
    let (_, time) = at.in_zone(Zone::NEW_YORK);
    Some(time)
}
