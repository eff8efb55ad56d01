//! Lists, statements, splits, dividends and hours: what is asked for beside prices.

use std::collections::HashSet;

use futures_util::future::BoxFuture;

use crate::market::{Category, CorporateAction, Date, Fundamental, Statement};
use crate::provider::ability::{
    Actions, Company, CompanyQuery, Directory, DirectoryPage, DirectoryQuery, MarketHours, SaidDay, SaidStatus,
};
use crate::provider::contract::ProviderError;
use crate::provider::fmp::action::{dividends, splits};
use crate::provider::fmp::company::{endpoint, overview, period, statements};
use crate::provider::fmp::hours::{days, status};
use crate::provider::fmp::listing::{Found, listed};
use crate::provider::fmp::rest::Fmp;

/// The exchanges of the United States, one after the other: a list of several is not documented.
const EXCHANGES: [&str; 3] = ["NASDAQ", "NYSE", "AMEX"];

/// How many rows of the screener one answer has.
const ROWS: usize = 1_000;

/// How many rows of a search, of splits and of dividends are asked for.
const MOST: usize = 1_000;

/// Where the screener goes on: an exchange, a page of it, and the first symbol of the page before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    exchange: usize,
    page: usize,
    before: String,
}

impl Place {
    /// `1 2 AAPL`; what cannot be read is the beginning.
    fn read(text: Option<&str>) -> Self {
        let mut parts = text.unwrap_or_default().split(' ');
        let mut number = || parts.next().and_then(|part| part.parse().ok());
        let (exchange, page) = (number(), number());
        match (exchange, page) {
            (Some(exchange), Some(page)) => Self { exchange, page, before: parts.next().unwrap_or_default().to_owned() },
            _ => Self::default(),
        }
    }

    /// The place after a page; `None` at the end of the last exchange.
    fn after(&self, found: &Found) -> Option<String> {
        let first = found.first.as_deref().unwrap_or_default();
        if found.rows >= ROWS && !self.is_again(found) {
            return Some(format!("{} {} {first}", self.exchange, self.page + 1));
        }
        let exchange = self.exchange + 1;
        (exchange < EXCHANGES.len()).then(|| format!("{exchange} 0 "))
    }

    /// Whether the page is the one before: then pages are not understood.
    fn is_again(&self, found: &Found) -> bool {
        self.page > 0 && found.first.as_deref() == Some(self.before.as_str())
    }
}

impl Fmp {
    async fn discover(&self, query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
        match query.category {
            None => self.search(query).await,
            Some(Category::UsEquities | Category::Etf) => self.screen(query).await,
            Some(Category::Crypto) => self.whole("cryptocurrency-list", query).await,
            Some(Category::Fx) => self.whole("forex-list", query).await,
            Some(Category::Indices) => self.whole("index-list", query).await,
            Some(category @ (Category::Otc | Category::Options)) => {
                Err(ProviderError::Fatal { message: format!("fmp has no list of {category}") })
            }
        }
    }

    /// By symbol, then by name: each finds what the other does not.
    async fn search(&self, query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
        let Some(text) = query.search.as_deref() else {
            return Err(ProviderError::Fatal { message: "fmp lists by category or by a text, and there is neither".to_owned() });
        };
        let (mut page, mut seen) = (DirectoryPage::default(), HashSet::new());
        for name in ["search-symbol", "search-name"] {
            let parameters = vec![("query", text.to_owned()), ("limit", query.limit.clamp(1, MOST).to_string())];
            let body = self.ask(name, parameters, "fmp search".to_owned()).await?;
            let found = listed(&body, None, None)?;
            page.skipped += found.skipped;
            page.listed.extend(found.listed.into_iter().filter(|listed| seen.insert(listed.spelling.clone())));
        }
        page.listed.truncate(query.limit);
        Ok(page)
    }

    /// One page of one exchange.
    async fn screen(&self, query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
        let place = Place::read(query.next.as_deref());
        let Some(exchange) = EXCHANGES.get(place.exchange) else { return Ok(DirectoryPage::default()) };
        let parameters = vec![
            ("exchange", (*exchange).to_owned()),
            ("isEtf", (query.category == Some(Category::Etf)).to_string()),
            ("isFund", "false".to_owned()),
            ("isActivelyTrading", "true".to_owned()),
            ("includeAllShareClasses", "true".to_owned()),
            ("limit", ROWS.to_string()),
            ("page", place.page.to_string()),
        ];
        let body = self.ask("company-screener", parameters, format!("fmp list of {exchange}")).await?;
        let found = listed(&body, query.category, query.search.as_deref())?;
        let next = place.after(&found);
        let again = place.is_again(&found);
        let (listed, skipped) = if again { (Vec::new(), 0) } else { (found.listed, found.skipped) };
        Ok(DirectoryPage { listed, skipped, next })
    }

    /// A list that comes in one piece.
    async fn whole(&self, name: &str, query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
        let body = self.ask(name, Vec::new(), format!("fmp {name}")).await?;
        let Found { listed, skipped, .. } = listed(&body, query.category, query.search.as_deref())?;
        Ok(DirectoryPage { listed, skipped, next: None })
    }

    async fn fundamentals(&self, query: &CompanyQuery) -> Result<Vec<Fundamental>, ProviderError> {
        let mut parameters = vec![("symbol", query.spelling.clone())];
        if query.statement != Statement::Overview {
            parameters.push(("period", period(query.period).to_owned()));
            parameters.push(("limit", query.limit.max(1).to_string()));
        }
        let what = format!("fmp {} of {}", query.statement, query.spelling);
        let body = self.ask(endpoint(query.statement), parameters, what).await?;
        if query.statement == Statement::Overview { overview(&body, self.now().date()) } else { statements(&body, query) }
    }

    async fn actions(&self, spelling: &str, since: Date) -> Result<Vec<CorporateAction>, ProviderError> {
        let parameters = || vec![("symbol", spelling.to_owned()), ("limit", MOST.to_string())];
        let body = self.ask("splits", parameters(), format!("fmp splits of {spelling}")).await?;
        let mut actions = splits(&body, since)?;
        let body = self.ask("dividends", parameters(), format!("fmp dividends of {spelling}")).await?;
        actions.extend(dividends(&body, since)?);
        actions.sort_by_key(|action| action.ex_date);
        Ok(actions)
    }

    async fn status(&self) -> Result<Vec<SaidStatus>, ProviderError> {
        let body = self.ask("exchange-market-hours", vec![("exchange", "NYSE".to_owned())], "fmp hours of NYSE".to_owned()).await?;
        status(&body)
    }

    /// The first day that is named is not in the answer, the last one is; without both it is the past year.
    async fn days(&self, from: Date, to: Date) -> Result<Vec<SaidDay>, ProviderError> {
        let parameters = vec![("exchange", "NYSE".to_owned()), ("from", from.previous().to_string()), ("to", to.to_string())];
        let body = self.ask("holidays-by-exchange", parameters, "fmp holidays of NYSE".to_owned()).await?;
        days(&body, from, to)
    }
}

impl Directory for Fmp {
    fn categories(&self) -> &'static [Category] {
        &[Category::UsEquities, Category::Etf, Category::Crypto, Category::Fx, Category::Indices]
    }

    fn searches(&self) -> bool {
        true
    }

    fn discover<'a>(&'a self, query: &'a DirectoryQuery) -> BoxFuture<'a, Result<DirectoryPage, ProviderError>> {
        Box::pin(Fmp::discover(self, query))
    }
}

impl Company for Fmp {
    fn statements(&self) -> &'static [Statement] {
        &Statement::ALL
    }

    fn fundamentals<'a>(&'a self, query: &'a CompanyQuery) -> BoxFuture<'a, Result<Vec<Fundamental>, ProviderError>> {
        Box::pin(Fmp::fundamentals(self, query))
    }
}

impl Actions for Fmp {
    fn actions<'a>(&'a self, spelling: &'a str, since: Date) -> BoxFuture<'a, Result<Vec<CorporateAction>, ProviderError>> {
        Box::pin(Fmp::actions(self, spelling, since))
    }
}

impl MarketHours for Fmp {
    fn status(&self) -> BoxFuture<'_, Result<Vec<SaidStatus>, ProviderError>> {
        Box::pin(Fmp::status(self))
    }

    fn days(&self, from: Date, to: Date) -> BoxFuture<'_, Result<Vec<SaidDay>, ProviderError>> {
        Box::pin(Fmp::days(self, from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: usize, first: &str) -> Found {
        Found { rows, first: Some(first.to_owned()), ..Found::default() }
    }

    #[test]
    fn a_list_goes_on_page_by_page_and_exchange_by_exchange() {
        let beginning = Place::read(None);
        let second = beginning.after(&found(ROWS, "AAPL")).expect("a second page");
        assert_eq!(second, "0 1 AAPL");
        let second = Place::read(Some(&second));
        assert_eq!(second.after(&found(ROWS, "ZM")).as_deref(), Some("0 2 ZM"));
        assert_eq!(second.after(&found(12, "ZM")).as_deref(), Some("1 0 "));
        assert_eq!(Place::read(Some("2 3 ZM")).after(&found(12, "ZZ")), None);
    }

    #[test]
    fn a_source_that_knows_no_pages_is_not_asked_for_ever() {
        let second = Place::read(Some("0 1 AAPL"));
        assert!(second.is_again(&found(ROWS, "AAPL")));
        assert_eq!(second.after(&found(ROWS, "AAPL")).as_deref(), Some("1 0 "));
    }
}
