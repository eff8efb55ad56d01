//! The made-up exchange as a provider.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use crate::calendar::Calendars;
use crate::config::{KeyKind, KeySpec, Section};
use crate::host::Tasks;
use crate::market::{AssetClass, Date, Delay, Interval, MarketEvent, Symbol, TimeOfDay, Timestamp, Zone};
use crate::provider::contract::{Capabilities, History, HistoryPage, Polling, Provider, ProviderError, ProviderSpec};
use crate::provider::net::{Net, Sockets, standard_headers};
use crate::provider::protocol::Protocol;
use crate::provider::sim::decode::decode_history;
use crate::provider::sim::exchange::Exchange;
use crate::provider::sim::server::{Hall, Pipes};
use crate::provider::sim::stream::{SimProtocol, text};
use crate::provider::sim::wire::Asked;
use crate::request::SourceKind;

/// What the demo watches.
pub const SYMBOLS: [&str; 12] =
    ["AAPL", "MSFT", "NVDA", "SPY", "AMZN", "JPM", "XOM", "VOD:XLON", "BTC-USD", "ETH-USD", "SOL-USD", "EUR/USD"];

/// What trades day and night.
const PAIR: &str = "BTC-USD";

/// The made-up exchange.
pub const SPEC: ProviderSpec = ProviderSpec {
    name: "sim",
    sentence: "A made-up exchange inside this program, for the demo: no key, no network, not real.",
    capabilities: Capabilities {
        asset_classes: &[AssetClass::Equity, AssetClass::Etf, AssetClass::Crypto, AssetClass::Fx, AssetClass::Index],
        live: SourceKind::Trades,
        delay: Delay::RealTime,
        history: &Interval::ALL,
    },
    keys: &[
        KeySpec {
            name: "enabled",
            sentence: "Whether it is asked; the demo turns it on by itself.",
            default: "false",
            kind: KeyKind::Flag,
        },
        KeySpec { name: "stream_url", sentence: "The name of the pipe.", default: "\"ws://sim.localhost\"", kind: KeyKind::Url },
        KeySpec {
            name: "requests_per_minute",
            sentence: "Questions for history a minute.",
            default: "120",
            kind: KeyKind::Integer { min: 1, max: 60_000 },
        },
        KeySpec {
            name: "seed",
            sentence: "The same seed makes the same market.",
            default: "7",
            kind: KeyKind::Integer { min: 0, max: i64::MAX },
        },
        KeySpec {
            name: "messages_per_second",
            sentence: "Trades a second, over all symbols.",
            default: "20",
            kind: KeyKind::Integer { min: 1, max: 100_000 },
        },
        KeySpec { name: "misbehaves", sentence: "Whether it makes mistakes on purpose.", default: "true", kind: KeyKind::Flag },
    ],
    headers: standard_headers,
    open: |section, net| Arc::new(Sim::new(section, net)),
};

struct Sim {
    net: Net,
    protocol: Arc<SimProtocol>,
}

/// When the demo's day begins: a Wednesday before a holiday, while New York and London are both open.
#[must_use]
pub fn opening_time() -> Timestamp {
    let date = Date::new(2026, 11, 25).expect("a day that exists");
    date.at(TimeOfDay::new(10, 42).expect("a time that exists"), Zone::NEW_YORK)
}

impl Sim {
    fn new(section: &Section, net: Net) -> Self {
        let rate = f64::from(u32::try_from(section.integer("messages_per_second")).unwrap_or(20));
        let symbols = u32::try_from(SYMBOLS.len()).unwrap_or(1);
        let hall = Arc::new(Hall {
            exchange: Exchange::new(section.integer("seed"), rate, symbols),
            calendars: Arc::new(Calendars::embedded()),
            clock: net.clock.clone(),
            opened: net.clock.now(),
            misbehaves: section.flag("misbehaves"),
            tasks: Tasks::new(net.clock.clone()),
            numbers: Mutex::default(),
        });
        let sockets = Sockets::over(Arc::new(Pipes(hall)), net.clock.clone());
        Self { net: Net { sockets, ..net }, protocol: Arc::new(SimProtocol { url: section.text("stream_url").to_owned() }) }
    }

    async fn ask(&self, page: &HistoryPage) -> Result<History, ProviderError> {
        let broke = |_| ProviderError::Retryable { message: "the made-up exchange hung up".to_owned(), after: None };
        self.net.http.limiter().turn(SPEC.name, NonZeroU32::MIN).await?;
        let mut socket = self.net.sockets.open(&*self.protocol).await?;
        let asked = Asked::History {
            symbol: page.spelling.clone(),
            interval_s: page.interval.seconds(),
            from_us: page.from.as_micros(),
            to_us: page.to.as_micros(),
        };
        socket.send(Message::text(text(&asked))).await.map_err(broke)?;
        while let Some(frame) = socket.next().await {
            let Message::Text(frame) = frame.map_err(broke)? else { continue };
            let bars = decode_history(frame.as_bytes(), page.interval).map_err(|e| ProviderError::malformed(e.message, b""))?;
            if let Some(bars) = bars {
                return Ok(History { bars, ..History::default() });
            }
        }
        Err(ProviderError::Retryable { message: "the made-up exchange said nothing".to_owned(), after: None })
    }
}

impl Provider for Sim {
    fn net(&self) -> &Net {
        &self.net
    }

    fn spell(&self, symbol: &Symbol) -> Option<String> {
        symbol.is_open_to(SPEC.name).then(|| symbol.to_string())
    }

    fn unspell(&self, spelling: &str) -> Option<Symbol> {
        spelling.parse().ok()
    }

    fn stream(&self) -> Option<Arc<dyn Protocol>> {
        Some(Arc::clone(&self.protocol) as Arc<dyn Protocol>)
    }

    fn look<'a>(&'a self, _: &'a [String]) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>> {
        // The socket tells the day with each subscription.
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn polling(&self) -> Option<Polling> {
        None
    }

    fn pages(&self, interval: Interval, from: Timestamp, to: Timestamp, _: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let span = if interval.is_intraday() { interval.duration() * 1_440 } else { interval.duration() * 400 };
        let starts = std::iter::successors(Some(from), |start| Some(*start + span)).take_while(|start| *start < to);
        starts.map(|start| (start, (start + span).min(to))).collect()
    }

    fn history<'a>(&'a self, page: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>> {
        Box::pin(self.ask(page))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, ProviderError>> {
        Box::pin(async move {
            let now = self.net.clock.now();
            let from = now - Interval::FiveMinutes.duration();
            let page = HistoryPage { spelling: PAIR.to_owned(), interval: Interval::OneMinute, from, to: now };
            Ok(format!("{} bars of the last five minutes", self.ask(&page).await?.bars.len()))
        })
    }
}
