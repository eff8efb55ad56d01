//! Commands as somebody at a prompt meets them: what is printed, how it ends, and what a source is asked for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use openbell::host::Clock;
use openbell::market::{ActionKind, Bar, BarFlags, CorporateAction, Interval, Origin, SessionKind, Source, Timestamp};
use openbell::pipeline::Ranks;
use openbell::store::{ActionRow, Batch, Creation, Sqlite, Store};
use tempfile::TempDir;

use crate::server::{Answer, Asked, HttpServer, at};

/// A home of its own, and one server behind every source that is turned on: Kraken, and Financial Modeling Prep with its key.
struct Desk {
    home: TempDir,
    server: HttpServer,
}

/// What came of a command.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    talk: String,
}

impl Desk {
    async fn new(rest: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let desk = Self { home: TempDir::new().unwrap(), server: HttpServer::start(&Clock::system(), rest).await };
        desk.configure("");
        desk
    }

    fn configure(&self, more: &str) {
        let mut text = more.to_owned();
        for name in ["yahoo", "coinbase", "binance"] {
            text += &format!("[provider.{name}]\nenabled = false\n");
        }
        for name in ["kraken", "fmp"] {
            text += &format!("[provider.{name}]\nrest_url = \"{}\"\n", self.server.url);
        }
        fs::write(self.path("config.toml"), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn database(&self) -> PathBuf {
        self.path(".local/share/openbell/openbell.db")
    }

    fn open(&self) -> Sqlite {
        Sqlite::open(&self.database(), Creation::IfEmpty, Ranks::default()).unwrap()
    }

    /// Runs it to its end, beside the server.
    async fn run(&self, line: &str) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openbell"));
        command.arg("--config").arg(self.path("config.toml")).args(line.split(' '));
        command.env_clear().env("HOME", self.home.path()).env("FMP_API_KEY", "fmp-test-key").current_dir(self.home.path());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), talk: text(output.stderr) }
    }

    /// The paths that were asked for, in order.
    fn asked(&self) -> Vec<String> {
        self.server.asked().into_iter().map(|asked| asked.path).collect()
    }
}

fn nothing(_: &Asked) -> Answer {
    Answer::json("[]")
}

fn fixture(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fmp").join(name)).unwrap()
}

fn day(open_time: Timestamp, instrument: openbell::market::InstrumentId, close: f64) -> Bar {
    Bar {
        instrument,
        interval: Interval::OneDay,
        open_time,
        open: close,
        high: close,
        low: close,
        close,
        volume: Some(100.0),
        vwap: None,
        n_trades: None,
        session: Some(SessionKind::Regular),
        source: Source::new("fmp"),
        origin: Origin::Backfill,
        revision: 0,
        quality: 1.0,
        flags: BarFlags::empty(),
    }
}

// ── reports ──

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_company_that_nobody_knows_costs_one_request_and_is_not_kept() {
    let desk = Desk::new(nothing).await;
    let said = desk.run("fundamentals ZZZZ").await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.talk.contains("ZZZZ overview: fmp") && said.talk.contains("the store has no such report of ZZZZ"), "{said:?}");
    assert_eq!(desk.asked(), ["/profile"]);
    let list = desk.run("symbols list --format csv").await;
    assert!(list.code == Some(0) && !list.out.contains("ZZZZ"), "{list:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_company_is_asked_nobody() {
    let desk = Desk::new(nothing).await;
    for symbol in ["^GSPC", "BTC-USD", "EUR/USD"] {
        let said = desk.run(&format!("fundamentals {symbol}")).await;
        assert!(said.code == Some(2) && said.talk.contains("companies and funds report"), "{said:?}");
    }
    assert!(desk.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_reports_are_those_of_the_source_that_is_named() {
    let profile = |asked: &Asked| Answer::json(if asked.path == "/profile" { fixture("profile.json") } else { "[]".to_owned() });
    let desk = Desk::new(profile).await;
    let said = desk.run("fundamentals AAPL --statement overview --format csv").await;
    assert!(said.code == Some(0) && said.out.contains("companyName,Apple Inc."), "{said:?}");
    let said = desk.run("fundamentals AAPL --statement overview --stored --source fmp --format csv").await;
    assert!(said.code == Some(0) && said.out.contains("companyName,Apple Inc."), "{said:?}");
    let said = desk.run("fundamentals AAPL --stored --source yahoo --format csv").await;
    assert_eq!((said.code, said.out.lines().count()), (Some(1), 1), "{said:?}");
    assert_eq!(desk.asked(), ["/profile"]);
}

// ── prices ──

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quote_asks_each_source_once_and_tells_what_each_said() {
    let desk = Desk::new(|_: &Asked| Answer::status(503, "{}")).await;
    let said = desk.run("quote BTC-USD").await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.talk.contains("kraken ticker of BTC/USD: 503") && said.talk.contains("fmp quote of BTCUSD: 503"), "{said:?}");
    assert_eq!(desk.asked().len(), 2, "{:?}", desk.asked());
}

/// Of 250 a day, forty symbols are one request where the source takes them at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn symbols_of_one_source_are_asked_for_at_once() {
    let row =
        |symbol: &str| format!(r#"{{"symbol":"{symbol}","price":101.5,"previousClose":100,"timestamp":1795187040,"exchange":"NASDAQ"}}"#);
    let rest = move |asked: &Asked| {
        let known = asked.value("symbols").split(',').filter(|symbol| *symbol != "ZZZZ").map(row).collect::<Vec<_>>();
        Answer::json(format!("[{}]", known.join(",")))
    };
    let desk = Desk::new(rest).await;
    let said = desk.run("quote MSFT ZZZZ AAPL --format csv").await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let symbols: Vec<_> = said.out.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(symbols, ["MSFT", "AAPL"], "as they were typed");
    assert!(said.talk.contains("ZZZZ: fmp told no price"), "{said:?}");
    assert_eq!(desk.asked(), ["/batch-quote"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adjusted_bars_are_as_if_the_split_had_been_before() {
    let desk = Desk::new(nothing).await;
    let store = desk.open();
    let id = store.instrument("AAPL".parse().unwrap()).await.unwrap().id;
    let bars = vec![day(at("2026-11-18T00:00:00Z"), id, 400.0), day(at("2026-11-20T00:00:00Z"), id, 101.0)];
    let split = CorporateAction { ex_date: "2026-11-19".parse().unwrap(), kind: ActionKind::Split { numerator: 4.0, denominator: 1.0 } };
    let actions = vec![ActionRow { instrument: id, source: Source::new("fmp"), action: split }];
    store.append(Batch { bars, actions, at: at("2026-11-20T22:00:00Z"), ..Batch::default() }).await.unwrap();
    drop(store);
    let closes = async |line: &str| {
        let said = desk.run(line).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        let mut reader = csv::Reader::from_reader(said.out.as_bytes());
        let columns = reader.headers().unwrap().clone();
        let at = |name: &str| columns.iter().position(|column| column == name).unwrap();
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        rows.iter().map(|row| (row[at("close")].to_owned(), row[at("volume")].to_owned())).collect::<Vec<_>>()
    };
    let text = |rows: [(&str, &str); 2]| rows.map(|(close, volume)| (close.to_owned(), volume.to_owned())).to_vec();
    assert_eq!(closes("bars AAPL --interval 1d --format csv").await, text([("400", "100"), ("101", "100")]));
    assert_eq!(closes("bars AAPL --interval 1d --adjusted --format csv").await, text([("100", "400"), ("101", "100")]));
    let said = desk.run("bars AAPL --min-quality 2").await;
    assert!(said.code == Some(2) && said.talk.contains("from 0 to 1"), "{said:?}");
}

// ── symbols ──

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_goes_into_no_other_kind_of_file_and_nothing_is_searched_for_nothing() {
    let desk = Desk::new(nothing).await;
    let said = desk.run("symbols discover etf --out u.parquet").await;
    assert!(said.code == Some(2) && said.talk.contains("u.parquet: a list of symbols is a .txt, .csv or .json"), "{said:?}");
    let said = desk.run("symbols search ").await;
    assert!(said.code == Some(2) && said.talk.contains("there is nothing to search for"), "{said:?}");
    assert!(desk.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symbol_cannot_begin_before_the_one_that_it_follows() {
    let desk = Desk::new(nothing).await;
    desk.run("symbols add FB").await;
    let renamed = desk.run("symbols rename FB META --on 2022-06-09").await;
    assert_eq!(renamed.code, Some(0), "{renamed:?}");
    let said = desk.run("symbols rename META FB --on 2021-01-01").await;
    assert!(said.code == Some(2) && said.talk.contains("it is META since 2022-06-09"), "{said:?}");
    let list = desk.run("symbols list --format csv").await;
    assert!(list.out.contains("\nMETA,"), "{list:?}");
}

// ── the desk itself ──

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_only_looks_makes_no_store() {
    let desk = Desk::new(nothing).await;
    let said = desk.run("providers").await;
    assert!(said.code == Some(0) && said.out.contains("kraken"), "{said:?}");
    assert!(said.out.lines().all(|line| line.chars().count() <= 160), "{}", said.out);
    assert!(!desk.database().exists(), "a list of sources is no reason for one");
    let whole = desk.run("providers --format json").await;
    assert!(whole.out.contains("\"sentence\"") && !said.out.contains("sentence"), "{whole:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_that_asks_in_vain_is_not_right() {
    let desk = Desk::new(nothing).await;
    desk.configure("[sources.history]\ncrypto = [\"finnhub\"]\n");
    let said = desk.run("config check").await;
    assert!(said.code == Some(2) && said.talk.contains("[sources.history] crypto names finnhub, which has no history"), "{said:?}");
    desk.configure("[sources.live]\ncrypto = [\"coinbase\"]\n[watchlist]\nsymbols = [\"BTC-USD\"]\n");
    let said = desk.run("record --source kraken --out day.jsonl --for 1s").await;
    assert!(said.code == Some(2) && said.talk.contains("no symbol of the watchlist is heard by kraken: [sources.live]"), "{said:?}");
    assert!(!desk.path("day.jsonl").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_with_a_line_in_its_midst_is_told_of_by_its_name() {
    let desk = Desk::new(nothing).await;
    fs::write(desk.path(".env"), "FINNHUB_API_KEY=\"a key\"\n").unwrap();
    let said = desk.run("providers check finnhub").await;
    assert!(said.code == Some(2) && said.talk.contains("FINNHUB_API_KEY") && !said.talk.contains("a key"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_replaces_no_pipe_and_follows_a_link() {
    let desk = Desk::new(nothing).await;
    drop(desk.open());
    let made = Command::new("mkfifo").arg(desk.path("pipe.csv")).status();
    if made.is_ok_and(|status| status.success()) {
        let said = desk.run("export bars --out pipe.csv").await;
        assert!(said.code == Some(1) && said.talk.contains("is no file: an export goes into one"), "{said:?}");
    }
    fs::write(desk.path("real.csv"), "old").unwrap();
    std::os::unix::fs::symlink(desk.path("real.csv"), desk.path("link.csv")).unwrap();
    let said = desk.run("export bars --out link.csv").await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(fs::symlink_metadata(desk.path("link.csv")).unwrap().is_symlink());
    assert!(fs::read_to_string(desk.path("real.csv")).unwrap().starts_with("symbol,interval"));
}

/// Nobody's script waits until midnight.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_whose_source_is_used_up_says_until_when_and_ends() {
    let desk = Desk::new(|_: &Asked| Answer::status(429, "{}").with("Retry-After", "40000")).await;
    let began = Clock::system().now();
    let said = desk.run("backfill AAPL --source fmp --interval 1d --days 5").await;
    assert!(
        said.code == Some(1) && said.talk.contains("the source is not asked before") && said.talk.contains("the same command goes on then"),
        "{said:?}"
    );
    assert!(Clock::system().now().since(began) < Duration::from_secs(60));
    let said = desk.run("status").await;
    assert_eq!(said.code, Some(0), "{said:?}");
}
