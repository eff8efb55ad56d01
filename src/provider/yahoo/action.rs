//! Splits and dividends, which come with charts.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::market::{ActionKind, CorporateAction, Date, Interval, Timestamp, Zone};
use crate::provider::ability::Actions;
use crate::provider::contract::ProviderError;
use crate::provider::yahoo::chart::{Series, WireDividend};
use crate::provider::yahoo::figure::price;
use crate::provider::yahoo::rest::{Yahoo, span_query};
use crate::provider::yahoo::split::{Split, ratio_after, seven_digits, splits};

/// An exchange's day may begin that much before that of Greenwich.
const DAY: Duration = Duration::from_secs(86_400);

impl Actions for Yahoo {
    /// They come with a chart of the days from then until now.
    fn actions<'a>(&'a self, spelling: &'a str, since: Date) -> BoxFuture<'a, Result<Vec<CorporateAction>, ProviderError>> {
        Box::pin(async move {
            let query = span_query(Interval::OneDay, since.midnight() - DAY, self.now());
            let series = self.ask(spelling, query, "splits and dividends").await?;
            let Some(splits) = splits(&series) else {
                return Err(ProviderError::malformed(format!("yahoo tells of a split of {spelling} that cannot be"), b""));
            };
            Ok(actions(&series, &splits).into_iter().filter(|action| action.ex_date >= since).collect())
        })
    }
}

/// What happened to a share, oldest first: the splits that are known, and the dividends of a chart as they were paid. Yahoo sends
/// dividends by the shares of today, so all splits since have to be among `splits`.
#[must_use]
pub fn actions(series: &Series, splits: &[Split]) -> Vec<CorporateAction> {
    let sent = series.events.as_ref().and_then(|events| events.dividends.as_ref());
    let currency = series.meta.as_ref().and_then(|meta| meta.currency.as_deref()).filter(|code| is_whole(code));
    let dividends = sent.into_iter().flat_map(BTreeMap::values);
    let dividends = dividends.filter_map(|dividend| read(dividend, splits, currency, series.zone()));
    let split = |split: &Split| {
        let kind = ActionKind::Split { numerator: split.numerator, denominator: split.denominator };
        CorporateAction { ex_date: split.date, kind }
    };
    let mut actions: Vec<_> = splits.iter().map(split).chain(dividends).collect();
    actions.sort_by_key(|action| action.ex_date);
    actions
}

fn read(dividend: &WireDividend, splits: &[Split], currency: Option<&str>, zone: Zone) -> Option<CorporateAction> {
    let (ex_date, _) = Timestamp::from_seconds(dividend.date?).in_zone(zone);
    let amount = price(dividend.amount)?;
    let amount = ratio_after(splits, ex_date).map_or(amount, |ratio| seven_digits(amount * ratio));
    let currency = dividend.currency.as_deref().filter(|code| is_whole(code)).or(currency).map(str::to_owned);
    Some(CorporateAction { ex_date, kind: ActionKind::Dividend { amount, currency } })
}

/// Prices in pence (`GBp`), cents (`ZAc`) and agorot (`ILA`) come with dividends that may be in either unit: then nothing is said.
fn is_whole(code: &str) -> bool {
    code.len() == 3 && code != "ILA" && code.bytes().all(|byte| byte.is_ascii_uppercase())
}
