//! What an engine is made of.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use crate::calendar::Calendars;
use crate::config::{Config, Section};
use crate::host::{Clock, LogRing};
use crate::market::{Delay, Source, Symbol};
use crate::pipeline::Ranks;
use crate::provider::net::{Http, HttpOptions, Limits, Net, Recorder, Redact, Sockets, Taped};
use crate::provider::{Guarded, PROVIDERS, Provider, ProviderSpec};
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
    /// Where it is kept which process of this machine holds the one connection of a key.
    pub places: Option<PathBuf>,
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
    /// Write what a recording says; no source is asked.
    Replay,
}

/// A provider that is ready to be asked.
#[derive(Clone)]
pub struct Opened {
    pub spec: &'static ProviderSpec,
    pub provider: Arc<dyn Provider>,
    /// With its feed, where it has several: `alpaca:iex`.
    pub source: Source,
    pub delay: Delay,
}

/// Whom a source's words are given to beside us.
pub type Keeps<'a> = &'a dyn Fn(&'static ProviderSpec, Redact) -> Recorder;

/// Opens one provider; nothing is sent yet.
#[must_use]
pub fn open_provider(spec: &'static ProviderSpec, config: &Config, clock: &Clock) -> Opened {
    open_with(spec, config, clock, TRIES, &|_, _| Recorder::default())
}

/// Opens a provider that asks everything once: whoever checks it wants to know how it is now.
#[must_use]
pub fn open_for_check(spec: &'static ProviderSpec, config: &Config, clock: &Clock) -> Opened {
    open_with(spec, config, clock, 1, &|_, _| Recorder::default())
}

/// Opens a provider that is answered from a recording.
#[must_use]
pub fn open_for_replay(spec: &'static ProviderSpec, config: &Config, clock: &Clock, tape: &Taped) -> Opened {
    open_with(spec, config, clock, 1, &|_, _| Recorder::from_tape(tape.clone()))
}

/// How often a question is asked before it is given up.
const TRIES: usize = 4;

fn open_with(spec: &'static ProviderSpec, config: &Config, clock: &Clock, tries: usize, keeps: Keeps<'_>) -> Opened {
    let section = config.section(&format!("provider.{}", spec.name));
    let redact = Redact::new(spec.secrets().filter_map(|key| section.secret(key.name)).cloned().collect());
    let options = HttpOptions {
        source: spec.name,
        user_agent: if section.declares("user_agent") { section.text("user_agent").to_owned() } else { own_name() },
        limits: limits(section),
        headers: spec.headers,
        recorder: keeps(spec, redact.clone()),
        redact,
        tries,
    };
    let net = Net { http: Http::new(&options, clock.clone()), sockets: Sockets::network(clock.clone()), clock: clock.clone() };
    let provider: Arc<dyn Provider> = Arc::new(Guarded((spec.open)(section, net)));
    let variant = provider.variant();
    let source = variant.as_ref().map_or_else(|| spec.name.to_owned(), |variant| format!("{}:{}", spec.name, variant.feed));
    let delay = variant.map_or(spec.capabilities.delay, |variant| variant.delay);
    Opened { spec, provider, source: Source::new(&source), delay }
}

/// What a provider allows, by the keys that it has for it; a cap of 0 is none.
fn limits(section: &Section) -> Limits {
    let cap = |key: &str| section.declares(key).then(|| section.integer(key)).filter(|cap| *cap > 0);
    let per_minute = u32::try_from(section.integer("requests_per_minute")).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
    Limits { per_minute, per_day: cap("requests_per_day"), bytes_per_month: cap("megabytes_per_month").map(|cap| cap * 1_000_000) }
}

/// Opens every provider that is enabled and whose keys are there, the most believed first.
#[must_use]
pub fn open_providers(config: &Config, clock: &Clock) -> Vec<Opened> {
    open_providers_with(config, clock, &|_, _| Recorder::default())
}

/// The same, and what they say is kept.
#[must_use]
pub fn open_providers_with(config: &Config, clock: &Clock, keeps: Keeps<'_>) -> Vec<Opened> {
    open_all(config, clock, TRIES, keeps)
}

/// Every provider that can be called, each asked once: whoever waits has another one to ask.
#[must_use]
pub fn open_providers_once(config: &Config, clock: &Clock) -> Vec<Opened> {
    open_all(config, clock, 1, &|_, _| Recorder::default())
}

fn open_all(config: &Config, clock: &Clock, tries: usize, keeps: Keeps<'_>) -> Vec<Opened> {
    let able = |spec: &&ProviderSpec| {
        let section = config.section(&format!("provider.{}", spec.name));
        section.flag("enabled") && spec.has_keys(section)
    };
    let mut opened: Vec<_> = PROVIDERS.iter().filter(able).map(|spec| open_with(spec, config, clock, tries, keeps)).collect();
    let ranks = Ranks::new(config.section("sources").list("rank"));
    opened.sort_by_key(|opened| ranks.of(&opened.source));
    opened
}

/// How many bytes of rows may wait while a store is away.
#[must_use]
pub fn spool_limit(config: &Config) -> u64 {
    config.section("store").integer("spool_mb") * 1_000_000
}

fn own_name() -> String {
    format!("openbell/{}", env!("CARGO_PKG_VERSION"))
}
