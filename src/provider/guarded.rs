//! A provider whose errors hold no key, whatever its source repeats and whoever puts the words together.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::market::{Category, CorporateAction, Date, Fundamental, Interval, MarketEvent, Statement, Symbol, Timestamp};
use crate::provider::ability::{
    Actions, Company, CompanyQuery, Directory, DirectoryPage, DirectoryQuery, MarketHours, SaidDay, SaidStatus,
};
use crate::provider::contract::{History, HistoryPage, Polling, Provider, ProviderError, Variant};
use crate::provider::net::Net;
use crate::provider::protocol::Protocol;

/// The same provider; its errors are told without keys.
pub struct Guarded(pub Arc<dyn Provider>);

const ABLE: &str = "who offers an ability has it";

impl Guarded {
    async fn told<T>(&self, asked: BoxFuture<'_, Result<T, ProviderError>>) -> Result<T, ProviderError> {
        asked.await.map_err(|error| {
            let error = self.0.net().http.redact().error(error);
            if let ProviderError::Malformed { message, payload } = &error {
                tracing::debug!(payload, "{message}");
            }
            error
        })
    }
}

impl Provider for Guarded {
    fn net(&self) -> &Net {
        self.0.net()
    }

    fn spell(&self, symbol: &Symbol) -> Option<String> {
        self.0.spell(symbol)
    }

    fn variant(&self) -> Option<Variant> {
        self.0.variant()
    }

    fn unspell(&self, spelling: &str) -> Option<Symbol> {
        self.0.unspell(spelling)
    }

    fn hears(&self, symbol: &Symbol) -> bool {
        self.0.hears(symbol)
    }

    fn stream(&self) -> Option<Arc<dyn Protocol>> {
        self.0.stream()
    }

    fn look<'a>(&'a self, spellings: &'a [String]) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>> {
        Box::pin(self.told(self.0.look(spellings)))
    }

    fn polling(&self) -> Option<Polling> {
        self.0.polling()
    }

    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        self.0.pages(interval, from, to, now)
    }

    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>> {
        Box::pin(self.told(self.0.history(page)))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, ProviderError>> {
        Box::pin(self.told(self.0.check()))
    }

    fn directory(&self) -> Option<&dyn Directory> {
        self.0.directory().map(|_| self as &dyn Directory)
    }

    fn company(&self) -> Option<&dyn Company> {
        self.0.company().map(|_| self as &dyn Company)
    }

    fn actions(&self) -> Option<&dyn Actions> {
        self.0.actions().map(|_| self as &dyn Actions)
    }

    fn market_hours(&self) -> Option<&dyn MarketHours> {
        self.0.market_hours().map(|_| self as &dyn MarketHours)
    }
}

impl Directory for Guarded {
    fn categories(&self) -> &'static [Category] {
        self.0.directory().expect(ABLE).categories()
    }

    fn searches(&self) -> bool {
        self.0.directory().expect(ABLE).searches()
    }

    fn discover<'a>(&'a self, query: &'a DirectoryQuery) -> BoxFuture<'a, Result<DirectoryPage, ProviderError>> {
        Box::pin(self.told(self.0.directory().expect(ABLE).discover(query)))
    }
}

impl Company for Guarded {
    fn statements(&self) -> &'static [Statement] {
        self.0.company().expect(ABLE).statements()
    }

    fn fundamentals<'a>(&'a self, query: &'a CompanyQuery) -> BoxFuture<'a, Result<Vec<Fundamental>, ProviderError>> {
        Box::pin(self.told(self.0.company().expect(ABLE).fundamentals(query)))
    }
}

impl Actions for Guarded {
    fn actions<'a>(&'a self, spelling: &'a str, since: Date) -> BoxFuture<'a, Result<Vec<CorporateAction>, ProviderError>> {
        Box::pin(self.told(self.0.actions().expect(ABLE).actions(spelling, since)))
    }
}

impl MarketHours for Guarded {
    fn status(&self) -> BoxFuture<'_, Result<Vec<SaidStatus>, ProviderError>> {
        Box::pin(self.told(self.0.market_hours().expect(ABLE).status()))
    }

    fn days(&self, from: Date, to: Date) -> BoxFuture<'_, Result<Vec<SaidDay>, ProviderError>> {
        Box::pin(self.told(self.0.market_hours().expect(ABLE).days(from, to)))
    }
}
