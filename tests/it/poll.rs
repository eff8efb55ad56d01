//! Looking at prices one by one: how often, at whom first, and when not at all. The source is made up, the clock moves by hand.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{BoxFuture, ready};
use openbell::calendar::Calendars;
use openbell::host::Clock;
use openbell::market::{InstrumentId, Interval, MarketEvent, Symbol, Timestamp};
use openbell::provider::net::{
    FeedMessage, Http, HttpOptions, Limits, Net, Poll, PollReport, Recorder, Redact, Sockets, Subscription, standard_headers,
};
use openbell::provider::{History, HistoryPage, Polling, Protocol, Provider, ProviderError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::server::{at, seconds};

/// A Tuesday, 07:00 in New York; coins trade always.
const NOON: &str = "2026-11-24T12:00:00Z";
const HOST: &str = "made.up";

type Answer = fn(&[String], usize) -> Result<(), ProviderError>;

/// A source that answers as it is told, and remembers when it was asked for what.
struct Made {
    net: Net,
    answer: Answer,
    looks: Mutex<Vec<(Timestamp, Vec<String>)>>,
}

impl Provider for Made {
    fn net(&self) -> &Net {
        &self.net
    }

    fn spell(&self, symbol: &Symbol) -> Option<String> {
        Some(symbol.to_string())
    }

    fn unspell(&self, spelling: &str) -> Option<Symbol> {
        spelling.parse().ok()
    }

    fn stream(&self) -> Option<Arc<dyn Protocol>> {
        None
    }

    fn look<'a>(&'a self, spellings: &'a [String]) -> BoxFuture<'a, Result<Vec<MarketEvent>, ProviderError>> {
        Box::pin(async move {
            self.net.http.limiter().turn(HOST, NonZeroU32::MIN).await?;
            let number = {
                let mut looks = self.looks.lock().unwrap();
                looks.push((self.net.clock.now(), spellings.to_vec()));
                looks.len()
            };
            (self.answer)(spellings, number).map(|()| Vec::new())
        })
    }

    fn polling(&self) -> Option<Polling> {
        None
    }

    fn pages(&self, _: Interval, _: Timestamp, _: Timestamp, _: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        Vec::new()
    }

    fn history<'a>(&'a self, _: &'a HistoryPage) -> BoxFuture<'a, Result<History, ProviderError>> {
        Box::pin(ready(Ok(History::default())))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, ProviderError>> {
        Box::pin(ready(Ok(String::new())))
    }
}

/// What is looked at, and how.
struct Plan {
    from: &'static str,
    every: Duration,
    at_once: usize,
    per_day: Option<u64>,
    /// Spellings and their venues; the instruments are numbered from 1.
    symbols: &'static [(&'static str, &'static str)],
    answer: Answer,
}

const PLAN: Plan = Plan {
    from: NOON,
    every: Duration::from_secs(10),
    at_once: 1,
    per_day: None,
    symbols: &[("A", "CRYPTO"), ("B", "CRYPTO")],
    answer: |_, _| Ok(()),
};

/// The task under test, with everything that it listens to.
struct Looking {
    clock: Clock,
    began: Timestamp,
    made: Arc<Made>,
    subscriptions: watch::Sender<Vec<Subscription>>,
    socket_is_well: watch::Sender<bool>,
    seen: watch::Sender<Vec<InstrumentId>>,
    refresh: watch::Sender<u64>,
    report: watch::Receiver<PollReport>,
    messages: mpsc::Receiver<(usize, FeedMessage)>,
    token: CancellationToken,
    task: JoinHandle<()>,
}

fn subscriptions(symbols: &[(&str, &str)]) -> Vec<Subscription> {
    let one = |((spelling, venue), number): (&(&str, &str), i64)| Subscription {
        spelling: (*spelling).to_owned(),
        instrument: InstrumentId(number),
        venue: Arc::from(*venue),
    };
    symbols.iter().zip(1..).map(one).collect()
}

impl Looking {
    async fn start(plan: Plan) -> Self {
        let clock = Clock::manual(at(plan.from));
        let options = HttpOptions {
            source: "made",
            user_agent: "openbell-test/1".to_owned(),
            limits: Limits { per_minute: NonZeroU32::new(6_000).unwrap(), per_day: plan.per_day, bytes_per_month: None },
            headers: standard_headers,
            redact: Redact::default(),
            recorder: Recorder::default(),
            tries: 4,
        };
        let net = Net { http: Http::new(&options, clock.clone()), sockets: Sockets::network(clock.clone()), clock: clock.clone() };
        let made = Arc::new(Made { net, answer: plan.answer, looks: Mutex::default() });
        let (subscriptions, subscribed) = watch::channel(subscriptions(plan.symbols));
        let (socket_is_well, well) = watch::channel(false);
        let (seen, sight) = watch::channel(Vec::new());
        let (refresh, refreshed) = watch::channel(0);
        let (reported, report) = watch::channel(PollReport::default());
        let (sender, messages) = mpsc::channel(8_192);
        let token = CancellationToken::new();
        let poll = Poll {
            name: "made",
            provider: Arc::clone(&made) as Arc<dyn Provider>,
            polling: Polling { every: plan.every, at_once: plan.at_once, requests: 1 },
            clock: clock.clone(),
            calendars: Arc::new(Calendars::embedded()),
            subscriptions: subscribed,
            socket_is_well: well,
            seen: sight,
            refresh: refreshed,
            number: 3,
            messages: sender,
            report: reported,
            token: token.clone(),
        };
        let task = tokio::spawn(poll.run());
        let began = clock.now();
        let looking = Self { clock, began, made, subscriptions, socket_is_well, seen, refresh, report, messages, token, task };
        settle().await;
        looking
    }

    /// Lets so much time pass, a second at a time.
    async fn pass(&self, secs: u64) {
        for _ in 0..secs {
            self.clock.advance(seconds(1));
            settle().await;
        }
    }

    /// The same for hours, ten seconds at a time.
    async fn pass_long(&self, secs: u64) {
        for _ in 0..secs / 10 {
            self.clock.advance(seconds(10));
            settle().await;
        }
    }

    /// When somebody was looked at, in seconds from the beginning.
    fn times(&self, of: impl Fn(&[String]) -> bool) -> Vec<f64> {
        let looks = self.made.looks.lock().unwrap();
        looks.iter().filter(|(_, spellings)| of(spellings)).map(|(at, _)| at.seconds_since(self.began)).collect()
    }

    /// When this symbol was looked at.
    fn of(&self, spelling: &str) -> Vec<f64> {
        self.times(|spellings| spellings.iter().any(|one| one == spelling))
    }

    fn all(&self) -> Vec<f64> {
        self.times(|_| true)
    }

    fn batches(&self) -> Vec<String> {
        self.made.looks.lock().unwrap().iter().map(|(_, spellings)| spellings.join(",")).collect()
    }

    fn report(&self) -> PollReport {
        self.report.borrow().clone()
    }

    fn trouble(&self) -> String {
        self.report().trouble.unwrap_or_default()
    }

    /// Ends the task, which must not have ended before.
    async fn stop(self) {
        assert!(!self.task.is_finished(), "it died");
        self.token.cancel();
        self.task.await.expect("it ends in order");
    }
}

/// Lets the task do what it has to do now: it waits for nothing but the clock.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn gaps(times: &[f64]) -> Vec<f64> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// Each gap is as long as it should be, or a second longer.
#[track_caller]
fn check_gaps(times: &[f64], expected: &[f64]) {
    let found = gaps(times);
    assert!(found.len() >= expected.len(), "{found:?}");
    let right = found.iter().zip(expected).all(|(found, expected)| (*expected..=expected + 1.0).contains(found));
    assert!(right, "{found:?} instead of {expected:?}");
}

fn limited(after: Option<u64>) -> Result<(), ProviderError> {
    Err(ProviderError::RateLimited { after: after.map(seconds) })
}

// ── at whom, and how often ──

#[tokio::test]
async fn what_is_seen_is_looked_at_more_often() {
    let looking = Looking::start(PLAN).await;
    looking.seen.send(vec![InstrumentId(1)]).unwrap();
    looking.pass(600).await;
    let (seen, unseen) = (looking.of("A").len(), looking.of("B").len());
    assert!((58..=62).contains(&seen) && (28..=32).contains(&unseen), "{seen} and {unseen}");
    // Somebody moves to the other row.
    looking.seen.send(vec![InstrumentId(2)]).unwrap();
    looking.pass(600).await;
    let (unseen, seen) = (looking.of("A").len() - seen, looking.of("B").len() - unseen);
    assert!((58..=62).contains(&seen) && (28..=32).contains(&unseen), "{seen} and {unseen}");
    // Nobody sees anything, as where only is recorded: then all are alike.
    let before = (looking.of("A").len(), looking.of("B").len());
    looking.seen.send(Vec::new()).unwrap();
    looking.pass(600).await;
    let now = (looking.of("A").len() - before.0, looking.of("B").len() - before.1);
    assert!((58..=62).contains(&now.0) && (58..=62).contains(&now.1), "{now:?}");
    looking.stop().await;
}

#[tokio::test]
async fn a_closed_market_is_looked_at_rarely() {
    let symbols = &[("AAPL", "XNYS"), ("BTC-USD", "CRYPTO")];
    let saturday = Looking::start(Plan { from: "2026-11-21T15:00:00Z", symbols, ..PLAN }).await;
    saturday.pass(1_000).await;
    let (closed, open) = (saturday.of("AAPL").len(), saturday.of("BTC-USD").len());
    assert!((9..=12).contains(&closed) && (97..=102).contains(&open), "{closed} and {open}");
    saturday.stop().await;
    let tuesday = Looking::start(Plan { from: "2026-11-24T15:00:00Z", symbols, ..PLAN }).await;
    tuesday.pass(1_000).await;
    let open = tuesday.of("AAPL").len();
    assert!((97..=102).contains(&open), "{open}");
    tuesday.stop().await;
}

#[tokio::test]
async fn while_the_socket_is_well_there_is_little_to_look_at() {
    let looking = Looking::start(Plan { symbols: &[("A", "CRYPTO")], ..PLAN }).await;
    looking.socket_is_well.send(true).unwrap();
    looking.pass(200).await;
    check_gaps(&looking.of("A"), &[150.0]);
    assert_eq!(looking.of("A").len(), 2);
    // It breaks off: the price is older than it may be.
    looking.socket_is_well.send(false).unwrap();
    looking.pass(2).await;
    assert_eq!(looking.of("A").len(), 3, "{:?}", looking.of("A"));
    looking.pass(100).await;
    check_gaps(&looking.of("A")[2..], &[10.0; 9]);
    looking.stop().await;
}

#[tokio::test]
async fn as_many_are_looked_at_together_as_one_look_may_name() {
    let symbols = &[("A", "CRYPTO"), ("B", "CRYPTO"), ("C", "CRYPTO"), ("D", "CRYPTO"), ("E", "CRYPTO")];
    let looking = Looking::start(Plan { every: seconds(30), at_once: 2, symbols, ..PLAN }).await;
    looking.pass(29).await;
    assert_eq!(looking.batches(), ["A,B", "C,D", "E"]);
    // Not all in the same moment.
    check_gaps(&looking.all(), &[1.0, 1.0]);
    looking.pass(300).await;
    for symbol in ["A", "B", "C", "D", "E"] {
        let times = looking.of(symbol);
        assert!((10..=11).contains(&times.len()), "{symbol}: {times:?}");
        assert!(gaps(&times).iter().all(|gap| *gap >= 30.0), "{symbol}: {times:?}");
    }
    assert!(looking.batches().iter().all(|batch| batch.split(',').count() <= 2));
    looking.stop().await;
}

#[tokio::test]
async fn answers_are_handed_over_and_who_is_new_is_looked_at_at_once() {
    let mut looking = Looking::start(Plan { every: seconds(60), ..PLAN }).await;
    looking.pass(5).await;
    assert_eq!(looking.all(), [0.0, 1.0]);
    for _ in 0..2 {
        let (number, message) = looking.messages.try_recv().unwrap();
        assert!(number == 3 && matches!(message, FeedMessage::Events(_)), "{number} {message:?}");
    }
    let report = looking.report();
    assert_eq!((report.answers, report.errors, report.trouble), (2, 0, None));
    assert_eq!(report.answered, Some(looking.began + seconds(1)));
    looking.subscriptions.send(subscriptions(&[("B", "CRYPTO"), ("C", "CRYPTO")])).unwrap();
    looking.pass(2).await;
    assert_eq!(looking.of("C").len(), 1);
    looking.pass(200).await;
    assert_eq!(looking.of("A").len(), 1, "nobody wants it any more");
    assert!(looking.of("B").len() >= 4 && looking.of("C").len() >= 4);
    looking.subscriptions.send(Vec::new()).unwrap();
    settle().await;
    let before = looking.all().len();
    looking.pass(200).await;
    assert_eq!(looking.all().len(), before);
    looking.stop().await;
}

#[tokio::test]
async fn whoever_asks_for_prices_now_gets_them_now() {
    let looking = Looking::start(Plan { every: seconds(60), ..PLAN }).await;
    looking.pass(20).await;
    assert_eq!(looking.all(), [0.0, 1.0]);
    looking.refresh.send_modify(|count| *count += 1);
    looking.pass(3).await;
    assert_eq!(looking.all().len(), 4, "{:?}", looking.all());
    assert!(looking.all()[2] <= 21.0, "{:?}", looking.all());
    looking.stop().await;
}

/// A pace that no timer here has does not end the looks.
#[tokio::test]
async fn a_period_of_half_a_second_is_one_too() {
    let looking = Looking::start(Plan { every: Duration::from_millis(500), ..PLAN }).await;
    looking.pass(30).await;
    assert!(looking.of("A").len() >= 10 && looking.of("B").len() >= 10, "{:?}", looking.all());
    looking.stop().await;
}

// ── what the source asks for ──

#[tokio::test]
async fn refusals_make_it_slower_and_answers_faster_again() {
    let answer: Answer = |_, number| if number <= 7 { limited(None) } else { Ok(()) };
    let looking = Looking::start(Plan { symbols: &[("A", "CRYPTO")], answer, ..PLAN }).await;
    settle().await;
    assert!(looking.trouble().contains("rate limited"), "{}", looking.trouble());
    looking.pass(1_000).await;
    assert_eq!((looking.report().errors, looking.report().answers), (7, 0));
    looking.pass(800).await;
    check_gaps(&looking.all(), &[20.0, 40.0, 80.0, 160.0, 320.0, 320.0, 320.0, 160.0, 80.0, 40.0, 20.0, 10.0, 10.0]);
    let report = looking.report();
    assert_eq!((report.errors, report.trouble), (7, None));
    looking.stop().await;
}

#[tokio::test]
async fn a_wait_that_the_source_names_is_kept_exactly() {
    let table: [(u64, Answer); 3] = [
        (17, |_, number| if number == 1 { limited(Some(17)) } else { Ok(()) }),
        (90, |_, number| if number == 1 { limited(Some(90)) } else { Ok(()) }),
        (300, |_, number| if number == 1 { limited(Some(300)) } else { Ok(()) }),
    ];
    for (wait, answer) in table {
        let looking = Looking::start(Plan { every: seconds(60), answer, ..PLAN }).await;
        settle().await;
        assert_eq!(looking.report().next, Some(looking.began + seconds(wait)), "it is said when");
        assert!(looking.trouble().contains(&format!("wait {wait} s")), "{}", looking.trouble());
        looking.pass(wait + 2).await;
        // Another symbol waits as well, and no longer than it has to.
        check_gaps(&looking.all()[..2], &[f64::from(u32::try_from(wait).unwrap())]);
        looking.pass(200).await;
        assert_eq!(looking.report().trouble, None);
        looking.stop().await;
    }
}

#[tokio::test]
async fn a_cap_that_is_used_up_is_waited_for() {
    let answer: Answer = |_, number| {
        let message = "the 500 requests of the day are used up".to_owned();
        if number == 1 { Err(ProviderError::UsedUp { message, until: at("2026-11-24T14:00:00Z") }) } else { Ok(()) }
    };
    let looking = Looking::start(Plan { answer, ..PLAN }).await;
    settle().await;
    assert_eq!(looking.report().next, Some(at("2026-11-24T14:00:00Z")));
    assert!(looking.trouble().contains("500 requests"), "{}", looking.trouble());
    looking.pass_long(7_300).await;
    check_gaps(&looking.all()[..2], &[7_200.0]);
    looking.stop().await;
}

#[tokio::test]
async fn who_is_not_known_is_left_alone_for_an_hour() {
    let answer: Answer = |spellings, _| {
        if spellings == ["A"] { Err(ProviderError::NotFound { message: "there is no A".to_owned() }) } else { Ok(()) }
    };
    let looking = Looking::start(Plan { answer, ..PLAN }).await;
    looking.pass(3_700).await;
    let times = looking.of("A");
    assert_eq!(times.len(), 2, "{times:?}");
    check_gaps(&times, &[3_600.0]);
    let others = looking.of("B").len();
    assert!((360..=371).contains(&others), "{others}");
    assert_eq!(looking.report().trouble, None, "one that is not known is no trouble of the source");
    looking.stop().await;
}

#[tokio::test]
async fn what_a_plan_does_not_hold_is_left_alone_for_a_while_and_others_go_on() {
    let answer: Answer = |spellings, _| {
        if spellings == ["A"] { Err(ProviderError::NotEntitled { message: "the plan has no A".to_owned() }) } else { Ok(()) }
    };
    let looking = Looking::start(Plan { answer, ..PLAN }).await;
    settle().await;
    assert!(looking.trouble().contains("the plan has no A"), "{}", looking.trouble());
    looking.pass(2_000).await;
    let times = looking.of("A");
    assert_eq!(times.len(), 3, "{times:?}");
    check_gaps(&times, &[900.0, 900.0]);
    let others = looking.of("B").len();
    assert!((190..=201).contains(&others), "{others}");
    looking.stop().await;
}

#[tokio::test]
async fn a_source_that_says_no_to_everything_is_left_alone_for_a_while() {
    let answers: [Answer; 2] = [
        |_, _| Err(ProviderError::Unauthorized { message: "no such key".to_owned() }),
        |_, _| Err(ProviderError::Fatal { message: "no such key".to_owned() }),
    ];
    for answer in answers {
        let looking = Looking::start(Plan { answer, ..PLAN }).await;
        looking.pass(899).await;
        assert_eq!(looking.all(), [0.0]);
        assert!(looking.trouble().contains("no such key"), "{}", looking.trouble());
        assert_eq!(looking.report().next, Some(looking.began + seconds(900)));
        looking.pass(2).await;
        assert_eq!(looking.all(), [0.0, 900.0]);
        looking.stop().await;
    }
}

#[tokio::test]
async fn a_look_that_fails_is_told_and_the_next_is_not_later() {
    let answer: Answer = |_, number| {
        let message = format!("look {number} broke off");
        if number <= 2 { Err(ProviderError::Retryable { message, after: None }) } else { Ok(()) }
    };
    let looking = Looking::start(Plan { symbols: &[("A", "CRYPTO")], answer, ..PLAN }).await;
    looking.pass(15).await;
    assert!(looking.trouble().contains("broke off"), "{}", looking.trouble());
    assert_eq!((looking.report().errors, looking.report().answered), (2, None));
    looking.pass(30).await;
    check_gaps(&looking.all(), &[10.0, 10.0, 10.0, 10.0]);
    assert_eq!((looking.report().errors, looking.report().trouble), (2, None));
    looking.stop().await;
}

// ── a cap of a day ──

const DAY: Plan =
    Plan { every: Duration::from_secs(60), per_day: Some(25), symbols: &[("A", "CRYPTO"), ("B", "CRYPTO"), ("C", "CRYPTO")], ..PLAN };
/// From noon in Greenwich to midnight in New York.
const LEFT: u64 = 17 * 3_600;

#[tokio::test]
async fn a_days_requests_are_spread_over_it_and_half_are_kept_for_people() {
    let looking = Looking::start(DAY).await;
    looking.pass_long(LEFT - 600).await;
    let times = looking.all();
    assert_eq!(times.len(), 12, "{times:?}");
    // A twelfth of the day each.
    assert!(gaps(&times).iter().all(|gap| (5_000.0..5_500.0).contains(gap)), "{:?}", gaps(&times));
    for symbol in ["A", "B", "C"] {
        assert_eq!(looking.of(symbol).len(), 4, "{symbol}: {:?}", looking.batches());
    }
    assert!(looking.trouble().contains("spent"), "{}", looking.trouble());
    assert_eq!(looking.report().next, Some(at("2026-11-25T05:00:00Z")));
    assert_eq!(looking.report().answers, 12);
    // What was kept back is there for whoever asks.
    let limiter = looking.made.net.http.limiter();
    for number in 1..=13 {
        assert_eq!(limiter.turn(HOST, NonZeroU32::MIN).await, Ok(()), "{number}");
    }
    assert!(matches!(limiter.turn(HOST, NonZeroU32::MIN).await, Err(ProviderError::UsedUp { .. })));
    // The next day it goes on.
    looking.pass_long(600 + 4 * 3_600).await;
    let (old, new) = (times.len(), looking.all());
    assert!((2..=3).contains(&(new.len() - old)), "{new:?}");
    assert_eq!(looking.report().trouble, None);
    looking.stop().await;
}

#[tokio::test]
async fn what_people_ask_for_is_taken_from_what_looks_may_spend() {
    let looking = Looking::start(DAY).await;
    let limiter = looking.made.net.http.limiter();
    for _ in 0..20 {
        assert_eq!(limiter.turn(HOST, NonZeroU32::MIN).await, Ok(()));
    }
    looking.pass_long(LEFT - 600).await;
    // The first look was before them; no further one eats into the last five.
    assert_eq!(looking.all().len(), 1, "{:?}", looking.all());
    assert!(looking.trouble().contains("spent"), "{}", looking.trouble());
    looking.stop().await;
}

/// Half is kept back for people, and whoever presses a key is one.
#[tokio::test]
async fn whoever_asks_for_prices_gets_them_from_what_was_kept_back() {
    let looking = Looking::start(Plan { per_day: Some(4), symbols: &[("A", "CRYPTO")], ..DAY }).await;
    looking.pass_long(LEFT - 600).await;
    assert_eq!(looking.all().len(), 2, "{:?}", looking.all());
    assert!(looking.trouble().contains("spent"), "{}", looking.trouble());
    looking.refresh.send_modify(|count| *count += 1);
    looking.pass(5).await;
    assert_eq!(looking.all().len(), 3, "{:?}", looking.all());
    looking.stop().await;
}
