//! What an engine is made of.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::calendar::Calendars;
use crate::config::Config;
use crate::host::{Clock, LogRing};
use crate::market::{Source, Symbol};
use crate::pipeline::Ranks;
use crate::provider::net::{Http, HttpOptions, Net, Sockets};
use crate::provider::{PROVIDERS, Provider, ProviderSpec};
use crate::store::{Spool, Store};

/// What an engine is made of.
pub struct Setup {
    pub store: Arc<dyn Store>,
    /// Where rows wait while the store is away; a file beside us needs none.
    pub spool: Option<Spool>,
    pub config: Config,
    pub clock: Clock,
    pub calendars: Arc<Calendars>,
    pub providers: Vec<Opened>,
    pub log: LogRing,
    /// What a store without a watchlist watches.
    pub symbols: Vec<Symbol>,
    /// Whether the prices are made up.
    pub simulated: bool,
    pub duty: Duty,
}

/// What an engine is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Listen, and write what is heard.
    Record,
    /// Listen, and write nothing: another engine owns the store.
    Watch,
    /// Do the jobs that wait, and listen to nothing.
    Work,
}

/// A provider that is ready to be asked.
#[derive(Clone)]
pub struct Opened {
    pub spec: &'static ProviderSpec,
    pub provider: Arc<dyn Provider>,
    pub source: Source,
}

/// Opens one provider; nothing is sent yet.
#[must_use]
pub fn open_provider(spec: &'static ProviderSpec, config: &Config, clock: &Clock) -> Opened {
    let section = config.section(&format!("provider.{}", spec.name));
    let user_agent = if spec.keys.iter().any(|key| key.name == "user_agent") { section.text("user_agent").to_owned() } else { own_name() };
    let per_minute = u32::try_from(section.integer("requests_per_minute")).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
    let options = HttpOptions { user_agent, requests_per_minute: per_minute };
    let net = Net { http: Http::new(&options, clock.clone()), sockets: Sockets::network(clock.clone()), clock: clock.clone() };
    Opened { spec, provider: (spec.open)(section, net), source: Source::new(spec.name) }
}

/// Opens every provider that is enabled, the most believed first.
#[must_use]
pub fn open_providers(config: &Config, clock: &Clock) -> Vec<Opened> {
    let enabled = |spec: &&ProviderSpec| config.section(&format!("provider.{}", spec.name)).flag("enabled");
    let mut opened: Vec<_> = PROVIDERS.iter().filter(enabled).map(|spec| open_provider(spec, config, clock)).collect();
    let ranks = Ranks::new(config.section("sources").list("rank"));
    opened.sort_by_key(|opened| ranks.of(&opened.source));
    opened
}

/// The first of the providers that has such a symbol.
#[must_use]
pub fn route(providers: &[Opened], symbol: &Symbol) -> Option<(usize, String)> {
    let class = symbol.listing().asset_class;
    let serves = |opened: &Opened| opened.spec.capabilities.asset_classes.contains(&class).then(|| opened.provider.spell(symbol)).flatten();
    providers.iter().enumerate().find_map(|(number, opened)| serves(opened).map(|spelling| (number, spelling)))
}

/// How many bytes of rows may wait while a store is away.
#[must_use]
pub fn spool_limit(config: &Config) -> u64 {
    config.section("store").integer("spool_mb") * 1_000_000
}

fn own_name() -> String {
    format!("openbell/{}", env!("CARGO_PKG_VERSION"))
}
