//! Who is asked for what, who takes over when a source fails, and what is asked for afterwards: an engine with several made-up
//! sources, each with servers of its own, on a clock that the test moves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use openbell::calendar::Calendars;
use openbell::config::{Config, Facts, RawConfig};
use openbell::engine::{Duty, Engine, EngineHandle, Setup, config_sections, open_provider};
use openbell::host::{Clock, LogRing};
use openbell::market::{Bar, Interval, Timestamp};
use openbell::pipeline::Ranks;
use openbell::provider::PROVIDERS;
use openbell::quality::{Coverage, CoverageState};
use openbell::request::{BackfillAsk, EngineEvent, Reply, Request};
use openbell::snapshot::{FeedState, FeedView, InstrumentView, JobState, JobView, MarketView};
use openbell::store::{BarQuery, Creation, RecordQuery, Sqlite, Store};
use tracing_subscriber::layer::SubscriberExt;

use crate::server::{Answer, Asked, HttpServer, Line, Log, Manners, StreamServer, at, drive, seconds};

/// A Friday morning in New York.
const FROM: &str = "2026-11-20T15:00:50Z";
/// How long tasks may run between two moves of the clock.
const BREATH: Duration = Duration::from_millis(1);
/// No test may hang: after so much real time it fails.
const LIMIT: Duration = Duration::from_secs(20);
/// Where the two crypto sources stand among the houses.
const COINBASE: usize = 0;
const KRAKEN: usize = 1;
/// Holes are not asked for.
const LEFT: &str = "repair = false";

const KEYS: [(&str, &str); 3] =
    [("FINNHUB_API_KEY", "finnhub-test-key"), ("APCA_API_KEY_ID", "alpaca-test-id"), ("APCA_API_SECRET_KEY", "alpaca-test-secret")];

/// One source, and what its servers do.
struct Cast {
    provider: &'static str,
    config: &'static str,
    manners: Manners,
    refusals: Vec<Answer>,
    rest: fn(&Asked) -> Answer,
}

/// The servers of one source.
struct House {
    rest: HttpServer,
    stream: StreamServer,
}

/// An engine with several sources.
struct Town {
    clock: Clock,
    houses: Vec<House>,
    store: Arc<dyn Store>,
    log: Log,
    handle: EngineHandle,
    engine: Engine,
    folder: tempfile::TempDir,
    logging: tracing::subscriber::DefaultGuard,
}

impl Town {
    /// Starts an engine; `rules` stands below `[sources]`, and may open further tables.
    async fn start(cast: Vec<Cast>, symbols: &[&str], rules: &str) -> Self {
        let log = Log::default();
        // Of this thread only: every task of the test runs here.
        let logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(log.clone()));
        let clock = Clock::manual(at(FROM));
        let mut text = format!("[sources]\n{rules}\n");
        let (mut houses, mut specs) = (Vec::new(), Vec::new());
        for Cast { provider, config, manners, refusals, rest } in cast {
            let house = House { rest: HttpServer::start(&clock, rest).await, stream: StreamServer::start(&clock, manners).await };
            refusals.iter().for_each(|refusal| house.stream.refuse(1, refusal));
            let (rest_url, stream_url) = (&house.rest.url, &house.stream.url);
            text += &format!("[provider.{provider}]\nrest_url = \"{rest_url}\"\nstream_url = \"{stream_url}/?version=2\"\n{config}\n");
            specs.push(PROVIDERS.iter().find(|spec| spec.name == provider).expect(provider));
            houses.push(house);
        }
        let sections = config_sections();
        let raw = RawConfig::parse(&text, &sections).unwrap();
        let facts = Facts { environment: KEYS.map(|(name, key)| (name.to_owned(), key.to_owned())).into(), file_is_private: true };
        let config = Config::resolve(&raw, &sections, &facts).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ranks = Ranks::new(config.section("sources").list("rank"));
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&folder.path().join("town.db"), Creation::IfEmpty, ranks).unwrap());
        let providers = specs.into_iter().map(|spec| open_provider(spec, &config, &clock)).collect();
        let setup = Setup {
            spool: None,
            store: Arc::clone(&store),
            config,
            clock: clock.clone(),
            calendars: Arc::new(Calendars::embedded()),
            providers,
            log: LogRing::default(),
            symbols: symbols.iter().map(|symbol| symbol.parse().unwrap()).collect(),
            simulated: false,
            places: None,
            duty: Duty::Record,
        };
        let (engine, handle) = Engine::start(setup).await.unwrap();
        Self { clock, houses, store, log, handle, engine, folder, logging }
    }

    /// Lets time pass, half a second at a time.
    async fn pass(&self, span: Duration) {
        self.pass_to(self.clock.now() + span).await;
    }

    async fn pass_to(&self, end: Timestamp) {
        while self.clock.now() < end {
            self.clock.advance(end.since(self.clock.now()).min(Duration::from_millis(500)));
            tokio::time::sleep(BREATH).await;
        }
    }

    /// Lets time pass until something is there, a tenth of a second at a time.
    async fn until<T>(&self, within: Duration, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let end = self.clock.now() + within;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            let now = self.clock.now();
            assert!(now < end, "{what}: not by {now}; {:#?}", self.view().feeds);
            self.clock.advance(Duration::from_millis(100));
            tokio::time::sleep(BREATH).await;
        }
    }

    /// A connection of a house, once its server heard so many frames.
    async fn line(&self, within: Duration, house: usize, number: usize, frames: usize) -> Arc<Line> {
        let heard = |town: &Self| {
            let stream = &town.houses[house].stream;
            (stream.count() > number).then(|| stream.line(number)).filter(|line| line.heard().len() >= frames)
        };
        self.until(within, "a connection with its subscriptions", heard).await
    }

    fn view(&self) -> Arc<MarketView> {
        Arc::clone(&self.handle.view.borrow())
    }

    fn feed(&self, source: &str) -> FeedView {
        let view = self.view();
        let feed = view.feeds.iter().find(|feed| feed.source.as_str() == source);
        (**feed.expect(source)).clone()
    }

    fn row(&self, symbol: &str) -> InstrumentView {
        let view = self.view();
        let row = view.instruments.iter().find(|row| row.instrument.symbol.as_str() == symbol);
        (**row.expect(symbol)).clone()
    }

    /// The price of a row, and whose it is.
    fn price(&self, symbol: &str) -> Option<(f64, String)> {
        let row = self.row(symbol);
        Some((row.last?.value, row.source?.to_string()))
    }

    /// Lets a little time pass until a row shows this price of this source.
    async fn shows(&self, symbol: &str, price: f64, source: &str) {
        let shown = |town: &Self| (town.price(symbol) == Some((price, source.to_owned()))).then_some(());
        self.until(seconds(5), &format!("{symbol} at {price} of {source}"), shown).await;
    }

    /// The time of the day, as trades carry it.
    fn time(&self) -> String {
        self.clock.now().format("%H:%M:%S")
    }

    /// Asks the engine; the answer is its reply.
    async fn ask(&mut self, request: Request) -> Reply {
        self.handle.requests.send(request).await.unwrap();
        let began = Instant::now();
        loop {
            match self.handle.events.try_recv() {
                Ok(EngineEvent::Reply(reply)) => return reply,
                Ok(_) => {}
                Err(_) => {
                    self.clock.advance(Duration::from_millis(100));
                    tokio::time::sleep(BREATH).await;
                }
            }
            assert!(began.elapsed() < LIMIT, "no reply");
        }
    }

    async fn backfill(&mut self, interval: Interval, source: Option<&str>) -> Reply {
        let (symbols, source) = (vec!["BTC-USD".parse().unwrap()], source.map(str::to_owned));
        let (from, to) = (at("2026-11-20T10:00:00Z"), at("2026-11-20T11:00:00Z"));
        self.ask(Request::Backfill(BackfillAsk { symbols, interval, from, to, source })).await
    }

    fn jobs(&self) -> Vec<JobView> {
        self.view().jobs.iter().map(|job| (**job).clone()).collect()
    }

    /// The only job, once it is over.
    async fn job(&self, within: Duration) -> JobView {
        let over = |town: &Self| town.jobs().into_iter().find(|job| job.state.is_over());
        let job = self.until(within, "the end of a job", over).await;
        assert_eq!(self.jobs().len(), 1, "{:?}", self.jobs());
        job
    }

    async fn query(&self, symbol: &str, interval: Interval) -> BarQuery {
        BarQuery::all(self.store.instrument(symbol.parse().unwrap()).await.unwrap().id, interval)
    }

    /// The stored bars of a symbol, one line each.
    async fn bars(&self, symbol: &str, interval: Interval) -> Vec<String> {
        let mut chunks = self.store.bars(self.query(symbol, interval).await);
        let mut lines = Vec::new();
        while let Some(chunk) = chunks.next().await {
            lines.extend(chunk.unwrap().iter().map(line_of));
        }
        lines
    }

    /// Lets time pass until these minutes are stored, and fails when others are.
    async fn expect_bars(&self, symbol: &str, expected: &[&str]) {
        for _ in 0..40 {
            if self.bars(symbol, Interval::OneMinute).await == expected {
                return;
            }
            self.pass(Duration::from_millis(100)).await;
        }
        assert_eq!(self.bars(symbol, Interval::OneMinute).await, expected, "{symbol} at {}", self.clock.now());
    }

    async fn coverage(&self, symbol: &str) -> Vec<Coverage> {
        self.store.coverage(self.query(symbol, Interval::OneMinute).await).await.unwrap()
    }

    /// Hangs up, and the next try has to wait for so long.
    fn down_for(&self, house: usize, line: &Line, pause: &str) {
        self.houses[house].stream.refuse(1, &Answer::status(429, "").with("Retry-After", pause));
        line.hang_up();
    }

    /// Nobody asked this source for anything.
    fn check_unasked(&self, house: usize) {
        let House { rest, stream } = &self.houses[house];
        assert!(stream.knocks().is_empty() && rest.asked().is_empty(), "{:?} {:?}", stream.knocks(), rest.asked());
    }

    /// Ends the engine, and checks that none of its tasks died.
    async fn stop(self) {
        let Self { clock, engine, handle, log, folder, logging: _logging, .. } = self;
        drive(&clock, Duration::from_millis(10), engine.stop()).await;
        drop(handle);
        assert_eq!(log.count("a task died"), 0);
        assert_eq!(log.count("did not end"), 0);
        for (_, key) in KEYS {
            assert_eq!(log.count(key), 0);
        }
        drop(folder);
    }
}

/// `15:01 close volume source origin [flags]`; `-` is not known.
fn line_of(bar: &Bar) -> String {
    let Bar { open_time, close, volume, source, origin, flags, .. } = bar;
    let volume = volume.map_or_else(|| "-".to_owned(), |volume| volume.to_string());
    format!("{} {close} {volume} {source} {origin} [{flags}]", open_time.format("%H:%M"))
}

// What the sources say.

fn coinbase() -> Cast {
    let answer = |_: &str| Some(r#"{"type":"subscriptions","channels":[{"name":"ticker","product_ids":["BTC-USD"]}]}"#.to_owned());
    let manners = Manners { answer, beat: Some(|now| coinbase_beat("BTC-USD", now)), greet: None };
    Cast { provider: "coinbase", config: "", manners, refusals: Vec::new(), rest: coinbase_nothing }
}

fn coinbase_beat(product: &str, now: Timestamp) -> String {
    format!(r#"{{"type":"heartbeat","sequence":90,"last_trade_id":0,"product_id":"{product}","time":"{now}"}}"#)
}

/// No look is answered: then the socket is all there is.
fn coinbase_nothing(asked: &Asked) -> Answer {
    if asked.path.ends_with("/candles") { Answer::json("[]") } else { Answer::status(404, r#"{"message":"NotFound"}"#) }
}

fn coinbase_looks(asked: &Asked) -> Answer {
    match asked.path.rsplit('/').next() {
        Some("ticker") => {
            Answer::json(r#"{"price":"95","bid":"94.5","ask":"95.5","volume":"1","time":"2026-11-20T15:00:40Z","trade_id":1,"size":"1"}"#)
        }
        Some("stats") => Answer::json(r#"{"open":"90","high":"110","low":"85","last":"95","volume":"1234.5"}"#),
        _ => Answer::json("[]"),
    }
}

/// 15:01 and 15:02; there are no looks.
fn coinbase_candles(asked: &Asked) -> Answer {
    let row = |time: &str| format!("[{},99,101,100,100.5,3]", at(time).as_seconds());
    if asked.path.ends_with("/candles") {
        return Answer::json(format!("[{},{}]", row("2026-11-20T15:02:00Z"), row("2026-11-20T15:01:00Z")));
    }
    coinbase_nothing(asked)
}

fn coinbase_trade(product: &str, id: u64, time: &str, price: &str) -> String {
    format!(
        r#"{{"type":"match","trade_id":{id},"maker_order_id":"a","taker_order_id":"b","side":"sell","size":"1","price":"{price}","product_id":"{product}","sequence":{id},"time":"2026-11-20T{time}Z"}}"#
    )
}

fn kraken() -> Cast {
    let answer = |_: &str| {
        Some(r#"{"method":"subscribe","result":{"channel":"ticker","snapshot":true,"symbol":"BTC/USD"},"success":true}"#.to_owned())
    };
    let manners = Manners { answer, beat: Some(|_| r#"{"channel":"heartbeat"}"#.to_owned()), greet: None };
    Cast { provider: "kraken", config: "", manners, refusals: Vec::new(), rest: kraken_nothing }
}

fn kraken_nothing(asked: &Asked) -> Answer {
    let empty = r#"{"error":[],"result":{"XXBTZUSD":[],"last":1795186800}}"#;
    if asked.path.ends_with("/OHLC") { Answer::json(empty) } else { Answer::json(r#"{"error":["EQuery:Unknown asset pair"]}"#) }
}

/// The half hours from 10:00 on; there are no looks.
fn kraken_half_hours(asked: &Asked) -> Answer {
    if !asked.path.ends_with("/OHLC") {
        return kraken_nothing(asked);
    }
    let row = |time: &str| format!(r#"[{},"100","101","99","100.5","100.25","3.0",7]"#, at(time).as_seconds());
    let rows = [row("2026-11-20T10:00:00Z"), row("2026-11-20T10:30:00Z")].join(",");
    Answer::json(format!(r#"{{"error":[],"result":{{"XXBTZUSD":[{rows}],"last":1795186800}}}}"#))
}

/// The frames that ask for these pairs.
fn kraken_subscribe(pairs: &str) -> [String; 3] {
    let frame = |channel: &str, rest: &str| {
        format!(r#"{{"method":"subscribe","params":{{"channel":"{channel}","symbol":[{pairs}],"snapshot":{rest}}}}}"#)
    };
    [frame("ticker", "true"), frame("trade", "true"), frame("ohlc", r#"false,"interval":1"#)]
}

fn kraken_trade(id: u64, time: &str, price: &str) -> String {
    format!(
        r#"{{"channel":"trade","type":"update","data":[{{"symbol":"BTC/USD","side":"buy","price":{price},"qty":2,"ord_type":"limit","trade_id":{id},"timestamp":"2026-11-20T{time}Z"}}]}}"#
    )
}

fn finnhub() -> Cast {
    let zeros = |_: &Asked| Answer::json(r#"{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}"#);
    let manners = Manners { answer: |_| None, beat: None, greet: None };
    Cast { provider: "finnhub", config: "symbols_most = 2", manners, refusals: Vec::new(), rest: zeros }
}

fn finnhub_subscribe(symbol: &str) -> String {
    format!(r#"{{"type":"subscribe","symbol":"{symbol}"}}"#)
}

fn finnhub_price(symbol: &str, time: &str, price: &str) -> String {
    let millis = at(&format!("2026-11-20T{time}Z")).as_micros() / 1_000;
    format!(r#"{{"data":[{{"c":["1"],"p":{price},"s":"{symbol}","t":{millis},"v":100}}],"type":"trade"}}"#)
}

fn alpaca() -> Cast {
    let answer = |frame: &str| {
        if frame.contains(r#""auth""#) {
            return Some(r#"[{"T":"success","msg":"authenticated"}]"#.to_owned());
        }
        frame.strip_prefix(r#"{"action":"subscribe","#).map(|lists| format!(r#"[{{"T":"subscription",{lists}]"#))
    };
    let manners = Manners { answer, beat: None, greet: Some(|| r#"[{"T":"success","msg":"connected"}]"#.to_owned()) };
    Cast { provider: "alpaca", config: "channels = [\"trades\"]", manners, refusals: Vec::new(), rest: alpaca_minute }
}

/// The minute 15:01 of one share; there are no looks.
fn alpaca_minute(asked: &Asked) -> Answer {
    let row = r#"{"t":"2026-11-20T15:01:00Z","o":100,"h":102,"l":99,"c":100.5,"v":250,"n":3,"vw":100.25}"#;
    if asked.path.ends_with("/bars") {
        return Answer::json(format!(r#"{{"bars":{{"AAPL":[{row}]}},"next_page_token":null}}"#));
    }
    Answer::json("{}")
}

async fn town(symbols: &[&str], rules: &str) -> Town {
    Town::start(vec![coinbase(), kraken()], symbols, rules).await
}

// Failing, and coming back.

#[tokio::test]
async fn the_next_source_takes_over_and_the_first_has_its_place_back() {
    let town = town(&["BTC-USD"], LEFT).await;
    let line = town.line(seconds(5), COINBASE, 0, 1).await;
    town.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(coinbase_trade("BTC-USD", 1, "15:01:05", "100"));
    town.shows("BTC-USD", 100.0, "coinbase").await;
    town.check_unasked(KRAKEN);
    let dropped = town.clock.now();
    town.down_for(COINBASE, &line, "60");
    let second = town.line(seconds(40), KRAKEN, 0, 3).await;
    let after = second.opened.seconds_since(dropped);
    assert!((30.0..35.0).contains(&after), "{after}");
    assert_eq!(second.heard(), kraken_subscribe(r#""BTC/USD""#));
    assert_eq!(town.price("BTC-USD"), Some((100.0, "coinbase".to_owned())), "until the next one speaks, what was known stays");
    second.send(kraken_trade(1, &town.time(), "101"));
    town.shows("BTC-USD", 101.0, "kraken").await;
    // The first is tried on, and has to prove itself.
    let again = town.line(seconds(60), COINBASE, 1, 1).await;
    assert_eq!(town.houses[COINBASE].stream.knocks().len(), 3);
    town.pass(seconds(3)).await;
    again.send(coinbase_trade("BTC-USD", 2, &town.time(), "102"));
    town.pass(seconds(3)).await;
    assert_eq!(town.price("BTC-USD"), Some((101.0, "kraken".to_owned())));
    let idle = |town: &Town| Some(town.feed("kraken")).filter(|feed| feed.state == FeedState::Idle);
    let left = town.until(seconds(60), "the second one is left", idle).await;
    let after = left.since.seconds_since(again.opened);
    assert!((30.0..37.0).contains(&after), "{after}");
    assert_eq!((left.symbols, left.errors, left.error), (0, 0, None));
    again.send(coinbase_trade("BTC-USD", 3, &town.time(), "103"));
    town.shows("BTC-USD", 103.0, "coinbase").await;
    town.pass(seconds(60)).await;
    assert_eq!((town.houses[COINBASE].stream.count(), town.houses[KRAKEN].stream.count()), (2, 1));
    assert_eq!(town.feed("coinbase").state, FeedState::Live);
    town.stop().await;
}

#[tokio::test]
async fn a_flap_changes_nothing() {
    let town = town(&["BTC-USD"], LEFT).await;
    let mut line = town.line(seconds(5), COINBASE, 0, 1).await;
    for number in 1..4 {
        line.hang_up();
        line = town.line(seconds(20), COINBASE, number, 1).await;
        line.send(coinbase_trade("BTC-USD", 1, &town.time(), "100"));
        town.pass(seconds(20)).await;
    }
    town.pass(seconds(60)).await;
    town.check_unasked(KRAKEN);
    assert_eq!(town.price("BTC-USD"), Some((100.0, "coinbase".to_owned())));
    town.stop().await;
}

/// Neither while it lasts, nor once it is over.
#[tokio::test]
async fn an_outage_below_the_threshold_changes_nothing() {
    let town = town(&["BTC-USD"], LEFT).await;
    let line = town.line(seconds(5), COINBASE, 0, 1).await;
    town.pass(seconds(10)).await;
    let dropped = town.clock.now();
    town.down_for(COINBASE, &line, "20");
    let again = town.line(seconds(40), COINBASE, 1, 1).await;
    let outage = again.opened.seconds_since(dropped);
    assert!((20.0..28.0).contains(&outage), "{outage}");
    town.pass(seconds(90)).await;
    town.check_unasked(KRAKEN);
    town.stop().await;
}

/// A look at the price now and then is no socket: it stands in until the next source is there, and does not keep that away.
#[tokio::test]
async fn looks_do_not_keep_the_place_of_a_socket_that_is_down() {
    let town = Town::start(vec![Cast { rest: coinbase_looks, ..coinbase() }, kraken()], &["BTC-USD"], LEFT).await;
    let line = town.line(seconds(5), COINBASE, 0, 1).await;
    town.pass(seconds(10)).await;
    town.down_for(COINBASE, &line, "600");
    town.until(seconds(10), "looks", |town| (town.feed("coinbase").state == FeedState::Polling).then_some(())).await;
    let second = town.line(seconds(40), KRAKEN, 0, 3).await;
    second.send(kraken_trade(1, &town.time(), "101"));
    town.shows("BTC-USD", 101.0, "kraken").await;
    town.stop().await;
}

#[tokio::test]
async fn what_no_retry_can_change_is_not_waited_for() {
    for status in [401, 403] {
        let refusals = vec![Answer::status(status, "")];
        let town = Town::start(vec![Cast { refusals, ..coinbase() }, kraken()], &["BTC-USD"], LEFT).await;
        let second = town.line(seconds(10), KRAKEN, 0, 3).await;
        assert!(second.opened.since(at(FROM)) < seconds(5), "{}", second.opened);
        second.send(kraken_trade(1, &town.time(), "101"));
        town.shows("BTC-USD", 101.0, "kraken").await;
        town.pass(seconds(120)).await;
        assert_eq!((town.feed("coinbase").state, town.houses[COINBASE].stream.knocks().len()), (FeedState::Off, 1));
        assert_eq!(town.feed("kraken").state, FeedState::Quiet);
        town.stop().await;
    }
}

/// A source that nobody asked for a while did not miss that while.
#[tokio::test]
async fn what_was_not_asked_of_a_source_is_no_hole() {
    let town = town(&["BTC-USD"], LEFT).await;
    let mut line = town.line(seconds(5), COINBASE, 0, 1).await;
    for turn in 0..2 {
        town.pass(seconds(10)).await;
        town.down_for(COINBASE, &line, "45");
        town.line(seconds(40), KRAKEN, turn, 3).await;
        line = town.line(seconds(60), COINBASE, turn + 1, 1).await;
        town.until(seconds(60), "the second one is left", |town| (town.feed("kraken").state == FeedState::Idle).then_some(())).await;
    }
    town.pass(seconds(5)).await;
    let holes = town.coverage("BTC-USD").await;
    assert_eq!(holes.len(), 2, "{holes:?}");
    assert!(holes.iter().all(|hole| (hole.state, hole.source.as_str()) == (CoverageState::Failed, "coinbase")), "{holes:?}");
    town.stop().await;
}

#[tokio::test]
async fn a_symbol_that_stays_silent_gets_another_source_beside_it() {
    // Of the other symbol there are heartbeats; of this one there is nothing at all.
    let manners = Manners { beat: Some(|now| coinbase_beat("ETH-USD", now)), ..coinbase().manners };
    let cast = vec![Cast { manners, ..coinbase() }, kraken()];
    let town = Town::start(cast, &["BTC-USD", "ETH-USD"], "repair = false\nsilent_s = 60").await;
    let line = town.line(seconds(5), COINBASE, 0, 2).await;
    let mut id = 0;
    let mut speak = async |products: &[&str]| {
        id += 1;
        town.pass(seconds(10)).await;
        products.iter().for_each(|product| line.send(coinbase_trade(product, id, &town.time(), "100")));
    };
    for _ in 0..5 {
        speak(&["ETH-USD"]).await;
    }
    town.check_unasked(KRAKEN);
    let second = town.line(seconds(20), KRAKEN, 0, 3).await;
    let after = second.opened.seconds_since(at(FROM));
    assert!((60.0..66.0).contains(&after), "{after}");
    assert_eq!(second.heard(), kraken_subscribe(r#""BTC/USD""#), "the other symbol stays where it is");
    second.send(kraken_trade(1, &town.time(), "101"));
    town.shows("BTC-USD", 101.0, "kraken").await;
    assert_eq!(town.price("ETH-USD"), Some((100.0, "coinbase".to_owned())));
    assert_eq!(line.heard().len(), 2, "and the first is not left");
    // Once it speaks the other one is kept for a while: thin symbols would change hands all day.
    for _ in 0..85 {
        speak(&["ETH-USD", "BTC-USD"]).await;
    }
    assert!(town.feed("kraken").state.is_healthy(), "{:#?}", town.feed("kraken"));
    for _ in 0..12 {
        speak(&["ETH-USD", "BTC-USD"]).await;
    }
    assert_eq!(town.feed("kraken").state, FeedState::Idle);
    assert_eq!(town.price("BTC-USD"), Some((100.0, "coinbase".to_owned())));
    town.stop().await;
}

// Several at once.

/// Trades of three minutes: in the second they disagree, and in the third only one source trades.
async fn heard_twice(rules: &str) -> Town {
    let town = town(&["BTC-USD"], rules).await;
    let first = town.line(seconds(5), COINBASE, 0, 1).await;
    let second = town.line(seconds(5), KRAKEN, 0, 3).await;
    town.pass_to(at("2026-11-20T15:01:06Z")).await;
    first.send(coinbase_trade("BTC-USD", 1, "15:01:05", "100"));
    second.send(kraken_trade(1, "15:01:04", "100.1"));
    town.pass_to(at("2026-11-20T15:02:06Z")).await;
    first.send(coinbase_trade("BTC-USD", 2, "15:02:05", "100"));
    second.send(kraken_trade(2, "15:02:04", "101"));
    town.pass_to(at("2026-11-20T15:03:06Z")).await;
    second.send(kraken_trade(3, "15:03:05", "102"));
    town.pass_to(at("2026-11-20T15:04:04Z")).await;
    town
}

async fn check_violation(town: &Town) {
    let found = town.store.violations(RecordQuery::default()).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    let violation = &found[0].violation;
    assert_eq!((violation.rule.as_str(), violation.open_time), ("mismatch", at("2026-11-20T15:02:00Z")));
    assert!(violation.message.contains("coinbase") && violation.message.contains("kraken"), "{}", violation.message);
    assert_eq!(town.view().violations, 1);
}

#[tokio::test]
async fn two_sources_at_once_are_compared_and_the_better_one_is_kept() {
    let town = heard_twice("repair = false\nat_once = 2").await;
    let expected = ["15:01 100 1 coinbase live []", "15:02 100 1 coinbase live [mismatch]", "15:03 102 2 kraken live []"];
    town.expect_bars("BTC-USD", &expected).await;
    check_violation(&town).await;
    assert_eq!(town.price("BTC-USD"), Some((100.0, "coinbase".to_owned())), "one of them is shown");
    let row = town.row("BTC-USD");
    assert_eq!(row.closes, [100.0, 100.0]);
    town.stop().await;
}

#[tokio::test]
async fn the_rank_decides_which_bar_is_kept_whoever_is_shown() {
    let town = heard_twice("repair = false\nat_once = 2\nrank = [\"kraken\", \"coinbase\"]").await;
    let expected = ["15:01 100.1 2 kraken live []", "15:02 101 2 kraken live [mismatch]", "15:03 102 2 kraken live []"];
    town.expect_bars("BTC-USD", &expected).await;
    check_violation(&town).await;
    assert_eq!(town.price("BTC-USD"), Some((100.0, "coinbase".to_owned())));
    town.stop().await;
}

// Who has what.

#[tokio::test]
async fn what_a_source_has_no_room_for_is_left_to_the_next() {
    let rules = "repair = false\n[sources.live]\nequity = [\"finnhub\", \"alpaca\"]";
    let town = Town::start(vec![finnhub(), alpaca()], &["AAPL", "MSFT", "NVDA"], rules).await;
    let first = town.line(seconds(5), 0, 0, 2).await;
    let second = town.line(seconds(5), 1, 0, 2).await;
    town.pass(seconds(5)).await;
    assert_eq!(first.heard(), [finnhub_subscribe("AAPL"), finnhub_subscribe("MSFT")]);
    assert_eq!(second.heard()[1..], [r#"{"action":"subscribe","trades":["NVDA"]}"#]);
    first.send(finnhub_price("AAPL", &town.time(), "190.5"));
    second.send(format!(r#"[{{"T":"t","S":"NVDA","i":1,"x":"V","p":180.5,"s":100,"t":"2026-11-20T{}Z","c":["@"],"z":"C"}}]"#, town.time()));
    town.shows("AAPL", 190.5, "finnhub").await;
    town.shows("NVDA", 180.5, "alpaca:iex").await;
    assert_eq!((town.feed("finnhub").symbols, town.feed("alpaca:iex").symbols), (2, 1));
    town.stop().await;
}

#[tokio::test]
async fn a_pair_and_the_same_pair_of_one_source_are_both_shown() {
    let town = town(&["BTC-USD", "BTC-USD@kraken"], "repair = false\n[sources.live]\ncrypto = [\"kraken\"]").await;
    let line = town.line(seconds(5), KRAKEN, 0, 3).await;
    town.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(kraken_trade(1, "15:01:05", "101"));
    for symbol in ["BTC-USD", "BTC-USD@kraken"] {
        town.shows(symbol, 101.0, "kraken").await;
    }
    town.pass_to(at("2026-11-20T15:02:04Z")).await;
    for symbol in ["BTC-USD", "BTC-USD@kraken"] {
        town.expect_bars(symbol, &["15:01 101 2 kraken live []"]).await;
    }
    town.check_unasked(COINBASE);
    town.stop().await;
}

/// The same name twice in one frame is refused by some.
#[tokio::test]
async fn a_spelling_that_two_symbols_share_is_asked_for_once() {
    let rules = "repair = false\n[sources.live]\ncrypto = [\"kraken\"]";
    let mut town = town(&["BTC-USD", "BTC-USD@kraken"], rules).await;
    let line = town.line(seconds(5), KRAKEN, 0, 3).await;
    assert_eq!(line.heard(), kraken_subscribe(r#""BTC/USD""#));
    let reply = town.ask(Request::RemoveSymbol("BTC-USD".parse().unwrap())).await;
    assert_eq!(reply, Reply::Done("BTC-USD removed; its history stays".to_owned()));
    town.pass(seconds(5)).await;
    assert_eq!(line.heard().len(), 3, "the other one still needs it");
    line.send(kraken_trade(1, &town.time(), "101"));
    town.shows("BTC-USD@kraken", 101.0, "kraken").await;
    town.stop().await;
}

#[tokio::test]
async fn a_list_says_who_is_asked_and_a_pinned_symbol_needs_no_list() {
    let town = town(&["BTC-USD", "ETH-USD@kraken"], "repair = false\n[sources.live]\ncrypto = [\"coinbase\"]").await;
    let first = town.line(seconds(5), COINBASE, 0, 1).await;
    let second = town.line(seconds(5), KRAKEN, 0, 3).await;
    assert_eq!(second.heard(), kraken_subscribe(r#""ETH/USD""#));
    // Nobody else may take over.
    town.down_for(COINBASE, &first, "60");
    town.line(seconds(80), COINBASE, 1, 1).await;
    town.pass(seconds(10)).await;
    assert_eq!(second.heard().len(), 3);
    town.stop().await;
    let town = self::town(&["BTC-USD"], "repair = false\n[sources.live]\ncrypto = [\"kraken\"]").await;
    town.line(seconds(5), KRAKEN, 0, 3).await;
    town.pass(seconds(120)).await;
    town.check_unasked(COINBASE);
    assert_eq!(town.feed("coinbase").state, FeedState::Idle);
    town.stop().await;
}

// History.

#[tokio::test]
async fn history_comes_from_the_first_source_that_has_the_interval() {
    let mut town = Town::start(vec![coinbase(), Cast { rest: kraken_half_hours, ..kraken() }], &["BTC-USD"], LEFT).await;
    assert_eq!(town.backfill(Interval::ThirtyMinutes, None).await, Reply::Done("backfill queued".to_owned()));
    let job = town.job(seconds(60)).await;
    assert_eq!((job.state, job.rows, job.source.as_str()), (JobState::Done, 2, "kraken"), "{job:?}");
    let asked = town.houses[KRAKEN].rest.asked_for("/OHLC");
    assert_eq!((asked.len(), asked[0].value("pair"), asked[0].value("interval")), (1, "XBTUSD", "30"));
    assert!(town.houses[COINBASE].rest.asked_for("/candles").is_empty());
    let bars = town.bars("BTC-USD", Interval::ThirtyMinutes).await;
    assert_eq!(bars, ["10:00 100.5 3 kraken backfill []", "10:30 100.5 3 kraken backfill []"]);
    let nobody = "coinbase has no 1w history of BTC-USD, only 1m, 5m, 15m, 1h, 1d";
    assert_eq!(town.backfill(Interval::OneWeek, None).await, Reply::Failed(nobody.to_owned()));
    town.stop().await;
}

#[tokio::test]
async fn a_source_that_is_named_is_asked_and_one_that_is_off_is_told() {
    let mut town = town(&["BTC-USD"], LEFT).await;
    let off = "there is no source 'binance', or it is turned off or has no key";
    assert_eq!(town.backfill(Interval::OneMinute, Some("binance")).await, Reply::Failed(off.to_owned()));
    assert!(town.jobs().is_empty());
    let unable = "kraken has no 1w history of BTC-USD, only 1m, 5m, 15m, 30m, 1h, 1d";
    assert_eq!(town.backfill(Interval::OneWeek, Some("kraken")).await, Reply::Failed(unable.to_owned()));
    assert_eq!(town.backfill(Interval::OneMinute, Some("kraken")).await, Reply::Done("backfill queued".to_owned()));
    let job = town.job(seconds(60)).await;
    assert_eq!((job.state, job.source.as_str()), (JobState::Done, "kraken"), "{job:?}");
    assert!(town.houses[COINBASE].rest.asked_for("/candles").is_empty());
    assert_eq!(town.houses[KRAKEN].rest.asked_for("/OHLC").len(), 1);
    town.stop().await;
}

// Repair.

fn spans(asked: &[Asked]) -> Vec<(String, String)> {
    asked.iter().map(|asked| (asked.value("start").to_owned(), asked.value("end").to_owned())).collect()
}

/// A trade at 15:01:05, and a connection that is gone for a moment at 15:01:30.
async fn dropped_once(rules: &str) -> Town {
    let town = Town::start(vec![Cast { rest: coinbase_candles, ..coinbase() }, kraken()], &["BTC-USD"], rules).await;
    let line = town.line(seconds(5), COINBASE, 0, 1).await;
    town.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(coinbase_trade("BTC-USD", 1, "15:01:05", "100"));
    town.pass_to(at("2026-11-20T15:01:30Z")).await;
    line.hang_up();
    town.line(seconds(5), COINBASE, 1, 1).await;
    town.pass_to(at("2026-11-20T15:03:28Z")).await;
    town.expect_bars("BTC-USD", &["15:01 100 1 coinbase live [partial]"]).await;
    assert!(town.jobs().is_empty(), "not before its minutes can be had");
    assert!(town.houses[COINBASE].rest.asked_for("/candles").is_empty());
    town
}

#[tokio::test]
async fn what_was_missed_is_asked_for_once_it_can_be_had() {
    let town = dropped_once("").await;
    let job = town.job(seconds(30)).await;
    assert_eq!((job.state, job.rows, job.source.as_str()), (JobState::Done, 1, "coinbase"), "{job:?}");
    assert!(at("2026-11-20T15:03:30Z") <= job.started, "{}", job.started);
    let asked = spans(&town.houses[COINBASE].rest.asked_for("/candles"));
    assert_eq!(asked, [("2026-11-20T15:01:00Z".to_owned(), "2026-11-20T15:02:00Z".to_owned())]);
    town.expect_bars("BTC-USD", &["15:01 100.5 3 coinbase backfill []"]).await;
    assert!(town.coverage("BTC-USD").await.iter().all(|known| known.state == CoverageState::Present));
    assert_eq!(town.log.count("for what was missed from"), 1);
    town.pass(seconds(200)).await;
    assert_eq!(town.jobs().len(), 1);
    town.check_unasked(KRAKEN);
    town.stop().await;
}

#[tokio::test]
async fn a_line_that_flaps_is_repaired_once() {
    let town = Town::start(vec![Cast { rest: coinbase_candles, ..coinbase() }, kraken()], &["BTC-USD"], "").await;
    let mut line = town.line(seconds(5), COINBASE, 0, 1).await;
    for (number, time) in [(1, "2026-11-20T15:01:10Z"), (2, "2026-11-20T15:01:40Z"), (3, "2026-11-20T15:02:10Z")] {
        town.pass_to(at(time)).await;
        line.hang_up();
        line = town.line(seconds(20), COINBASE, number, 1).await;
    }
    town.pass_to(at("2026-11-20T15:04:28Z")).await;
    assert!(town.jobs().is_empty(), "{:?}", town.jobs());
    let job = town.job(seconds(30)).await;
    assert_eq!((job.state, job.rows), (JobState::Done, 2), "{job:?}");
    let asked = spans(&town.houses[COINBASE].rest.asked_for("/candles"));
    assert_eq!(asked, [("2026-11-20T15:01:00Z".to_owned(), "2026-11-20T15:03:00Z".to_owned())]);
    town.pass(seconds(200)).await;
    assert_eq!(town.jobs().len(), 1);
    town.stop().await;
}

#[tokio::test]
async fn nothing_is_repaired_that_is_to_be_left() {
    let town = dropped_once(LEFT).await;
    town.pass(seconds(200)).await;
    assert!(town.jobs().is_empty() && town.houses[COINBASE].rest.asked_for("/candles").is_empty());
    assert_eq!(town.coverage("BTC-USD").await[0].state, CoverageState::Failed, "the hole is kept as such");
    town.stop().await;
}

#[tokio::test]
async fn a_source_without_history_is_repaired_by_one_that_has_it() {
    let rules = "[sources.live]\nequity = [\"finnhub\"]";
    let town = Town::start(vec![finnhub(), alpaca()], &["AAPL"], rules).await;
    let line = town.line(seconds(5), 0, 0, 1).await;
    town.pass_to(at("2026-11-20T15:01:06Z")).await;
    line.send(finnhub_price("AAPL", "15:01:05", "190.5"));
    town.pass_to(at("2026-11-20T15:01:30Z")).await;
    line.hang_up();
    town.line(seconds(5), 0, 1, 1).await;
    let job = town.job(seconds(200)).await;
    assert_eq!((job.state, job.rows, job.source.as_str()), (JobState::Done, 1, "alpaca"), "{job:?}");
    town.expect_bars("AAPL", &["15:01 100.5 250 alpaca:iex backfill []"]).await;
    assert!(town.houses[1].stream.knocks().is_empty(), "its socket is not on the list");
    town.stop().await;
}
