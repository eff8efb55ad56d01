//! Lists, statements, splits, dividends and hours: what is asked for beside prices.

use futures_util::future::BoxFuture;

use crate::market::{Category, CorporateAction, Date, Fundamental, Statement};
use crate::provider::ability::{
    Actions, Company, CompanyQuery, Directory, DirectoryPage, DirectoryQuery, MarketHours, SaidDay, SaidStatus,
};
use crate::provider::alpha_vantage::action::{dividends, splits};
use crate::provider::alpha_vantage::company::{function, overview, statements};
use crate::provider::alpha_vantage::hours::status;
use crate::provider::alpha_vantage::listing::{catalog, found, listing};
use crate::provider::alpha_vantage::rest::AlphaVantage;
use crate::provider::contract::ProviderError;
use crate::provider::net::Body;

impl AlphaVantage {
    async fn discover(&self, query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
        match query.category {
            None => self.search(query).await,
            Some(Category::UsEquities | Category::Etf) => {
                let parameters = vec![("state", "active".to_owned())];
                let body = self.ask_as(Body::Csv, "LISTING_STATUS", parameters, "alpha-vantage listing".to_owned()).await?;
                listing(&body, query)
            }
            Some(Category::Indices) => {
                let body = self.ask("INDEX_CATALOG", Vec::new(), "alpha-vantage catalogue of indices".to_owned()).await?;
                catalog(&body, query)
            }
            Some(category @ (Category::Crypto | Category::Fx | Category::Otc | Category::Options)) => {
                Err(ProviderError::Fatal { message: format!("alpha-vantage has no list of {category}") })
            }
        }
    }

    async fn search(&self, query: &DirectoryQuery) -> Result<DirectoryPage, ProviderError> {
        let Some(text) = query.search.as_deref() else {
            let message = "alpha-vantage lists by category or by a text, and there is neither".to_owned();
            return Err(ProviderError::Fatal { message });
        };
        let body = self.ask("SYMBOL_SEARCH", vec![("keywords", text.to_owned())], "alpha-vantage search".to_owned()).await?;
        found(&body, query)
    }

    async fn fundamentals(&self, query: &CompanyQuery) -> Result<Vec<Fundamental>, ProviderError> {
        let what = format!("alpha-vantage {} of {}", query.statement, query.spelling);
        let body = self.ask(function(query.statement), vec![("symbol", query.spelling.clone())], what).await?;
        if query.statement == Statement::Overview { overview(&body, self.now().date()) } else { statements(&body, query) }
    }

    async fn actions(&self, spelling: &str, since: Date) -> Result<Vec<CorporateAction>, ProviderError> {
        let parameters = || vec![("symbol", spelling.to_owned())];
        let body = self.ask("SPLITS", parameters(), format!("alpha-vantage splits of {spelling}")).await?;
        let mut actions = splits(&body, since)?;
        let body = self.ask("DIVIDENDS", parameters(), format!("alpha-vantage dividends of {spelling}")).await?;
        actions.extend(dividends(&body, since)?);
        actions.sort_by_key(|action| action.ex_date);
        Ok(actions)
    }

    async fn status(&self) -> Result<Vec<SaidStatus>, ProviderError> {
        let body = self.ask("MARKET_STATUS", Vec::new(), "alpha-vantage market status".to_owned()).await?;
        status(&body, self.now())
    }
}

impl Directory for AlphaVantage {
    fn categories(&self) -> &'static [Category] {
        &[Category::UsEquities, Category::Etf, Category::Indices]
    }

    fn searches(&self) -> bool {
        true
    }

    fn discover<'a>(&'a self, query: &'a DirectoryQuery) -> BoxFuture<'a, Result<DirectoryPage, ProviderError>> {
        Box::pin(AlphaVantage::discover(self, query))
    }
}

impl Company for AlphaVantage {
    fn statements(&self) -> &'static [Statement] {
        &Statement::ALL
    }

    fn fundamentals<'a>(&'a self, query: &'a CompanyQuery) -> BoxFuture<'a, Result<Vec<Fundamental>, ProviderError>> {
        Box::pin(AlphaVantage::fundamentals(self, query))
    }
}

impl Actions for AlphaVantage {
    fn actions<'a>(&'a self, spelling: &'a str, since: Date) -> BoxFuture<'a, Result<Vec<CorporateAction>, ProviderError>> {
        Box::pin(AlphaVantage::actions(self, spelling, since))
    }
}

impl MarketHours for AlphaVantage {
    fn status(&self) -> BoxFuture<'_, Result<Vec<SaidStatus>, ProviderError>> {
        Box::pin(AlphaVantage::status(self))
    }

    /// Holidays and half days are not told.
    fn days(&self, _: Date, _: Date) -> BoxFuture<'_, Result<Vec<SaidDay>, ProviderError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}
