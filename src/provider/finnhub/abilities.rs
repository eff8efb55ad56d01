//! What Finnhub knows beside prices: lists of shares and funds, profiles of companies, hours of the market.

use futures_util::future::BoxFuture;

use crate::market::{Category, Date, Fundamental, Statement};
use crate::provider::ability::{Company, CompanyQuery, Directory, DirectoryPage, DirectoryQuery, MarketHours, SaidDay, SaidStatus};
use crate::provider::contract::{Provider, ProviderError};
use crate::provider::finnhub::rest::Finnhub;
use crate::provider::finnhub::{details, listed};

/// The country that a free key knows.
const EXCHANGE: &str = "US";

impl Directory for Finnhub {
    fn categories(&self) -> &'static [Category] {
        &[Category::UsEquities, Category::Etf]
    }

    fn searches(&self) -> bool {
        true
    }

    fn discover<'a>(&'a self, query: &'a DirectoryQuery) -> BoxFuture<'a, Result<DirectoryPage, ProviderError>> {
        Box::pin(async move {
            match (query.category, query.search.as_deref()) {
                (Some(category @ (Category::UsEquities | Category::Etf)), _) => self.list(category, query).await,
                (Some(category), _) => Err(ProviderError::NotFound { message: format!("finnhub lists no {category}") }),
                (None, Some(text)) => self.search(text, query).await,
                (None, None) => Err(ProviderError::NotFound { message: "finnhub searches by a text only".to_owned() }),
            }
        })
    }
}

impl Company for Finnhub {
    fn statements(&self) -> &'static [Statement] {
        &[Statement::Overview]
    }

    fn fundamentals<'a>(&'a self, query: &'a CompanyQuery) -> BoxFuture<'a, Result<Vec<Fundamental>, ProviderError>> {
        Box::pin(async move {
            match query.statement {
                Statement::Overview => self.profile(&query.spelling).await,
                Statement::Income | Statement::BalanceSheet | Statement::CashFlow => Ok(Vec::new()),
            }
        })
    }
}

impl MarketHours for Finnhub {
    fn status(&self) -> BoxFuture<'_, Result<Vec<SaidStatus>, ProviderError>> {
        Box::pin(async move { Ok(vec![self.market().await?]) })
    }

    fn days(&self, from: Date, to: Date) -> BoxFuture<'_, Result<Vec<SaidDay>, ProviderError>> {
        Box::pin(async move {
            let query = vec![("exchange", EXCHANGE.to_owned())];
            let body = self.ask("stock/market-holiday", query, "finnhub market holidays".to_owned()).await?;
            details::days(&body, from, to)
        })
    }
}

impl Finnhub {
    /// All of it comes in one answer of several megabytes, funds alone in a smaller one.
    async fn list(&self, category: Category, query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
        let mut asked = vec![("exchange", EXCHANGE.to_owned())];
        if category == Category::Etf {
            asked.push(("securityType", "ETP".to_owned()));
        }
        let body = self.ask("stock/symbol", asked, format!("finnhub list of {category}")).await?;
        listed::symbols(&body, query)
    }

    async fn search(&self, text: &str, query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
        let asked = vec![("q", text.to_owned()), ("exchange", EXCHANGE.to_owned())];
        let body = self.ask("search", asked, "finnhub search".to_owned()).await?;
        listed::found(&body, query)
    }

    async fn profile(&self, spelling: &str) -> Result<Vec<Fundamental>, ProviderError> {
        let asked = vec![("symbol", spelling.to_owned())];
        let body = self.ask("stock/profile2", asked, format!("finnhub profile of {spelling}")).await?;
        details::overview(&body, self.net().clock.now().date())
    }
}
