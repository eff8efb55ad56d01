//! The one live writer: batches of 1,000 rows or 250 ms, larger ones when it is behind, one transaction each,
//! acknowledged once they are on a disk: the store's, or the spool's while a server is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::host::{Clock, Tasks};
use crate::market::Timestamp;
use crate::quality::Violation;
use crate::snapshot::WriterView;
use crate::store::contract::{Ack, Batch, Store};
use crate::store::error::StoreError;
use crate::store::spool::{Bundle, Spool};

/// Rows that make a batch full.
const FULL: usize = 1_000;
/// Rows that one commit takes when many wait.
const BULK: usize = 50_000;
/// How often the store is asked for its size.
const MEASURED: Duration = Duration::from_secs(10);
/// How long the first row of a batch waits.
const WAIT: Duration = Duration::from_millis(250);
/// Batches that may wait: what a full disk lets pile up.
const QUEUE: usize = 4_096;
/// How long a commit may take before its rows go to the spool, and what each row adds.
const PATIENCE: Duration = Duration::from_secs(3);
const PATIENCE_OF_ROW: Duration = Duration::from_millis(2);
/// How long a commit may take once the end was asked for.
const GRACE: Duration = Duration::from_secs(2);
/// Between tries after a failed commit.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// The handle that feeds and jobs hold.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: mpsc::Sender<Entry>,
    waiting: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
    spooled: Arc<AtomicU64>,
}

/// What a writer left behind when it ended.
#[derive(Clone, Debug, Default)]
pub struct Leftover {
    waiting: Arc<AtomicUsize>,
    spooled: Arc<AtomicU64>,
}

impl Leftover {
    /// Rows that came to no disk: they are lost.
    #[must_use]
    pub fn unwritten(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Rows that wait in the spool for the next engine.
    #[must_use]
    pub fn spooled(&self) -> u64 {
        self.spooled.load(Ordering::Relaxed)
    }
}

/// What the writer tells of itself.
#[derive(Clone, Debug)]
pub enum WriterEvent {
    State(WriterView),
    /// Sources that disagreed, noticed while fusing.
    Disagreement(Violation),
}

#[derive(Debug)]
struct Entry {
    batch: Batch,
    done: Option<oneshot::Sender<()>>,
}

struct Work {
    store: Arc<dyn Store>,
    /// Where batches go while the store is away; without one they wait in the queue.
    spool: Option<Spool>,
    clock: Clock,
    events: mpsc::Sender<WriterEvent>,
    view: WriterView,
    sequence: u64,
    /// When the spool is emptied next, and how long it waits after a failure.
    again: Timestamp,
    pause: Duration,
    measured: Timestamp,
    measuring: Option<BoxFuture<'static, Option<u64>>>,
    /// What is on its way from the spool to the store.
    sending: Option<BoxFuture<'static, (Bundle, Outcome)>>,
    waiting: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
    spooled: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the writer; it ends, with everything written, when the last handle is gone.
    pub fn start(store: Arc<dyn Store>, spool: Option<Spool>, clock: Clock, tasks: &Tasks, events: mpsc::Sender<WriterEvent>) -> Self {
        let (queue, entries) = mpsc::channel(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let dropped = Arc::new(AtomicU64::new(0));
        let spooled = Arc::new(AtomicU64::new(0));
        let view = WriterView { store: store.name(), ..WriterView::default() };
        let (waits, drops) = (Arc::clone(&waiting), Arc::clone(&dropped));
        let (again, measured) = (Timestamp::MIN, Timestamp::MIN);
        let work = Work {
            store,
            spool,
            clock,
            events,
            view,
            sequence: 0,
            again,
            pause: FIRST_RETRY,
            measured,
            measuring: None,
            sending: None,
            waiting: waits,
            dropped: drops,
            spooled: Arc::clone(&spooled),
        };
        let token = tasks.token();
        tasks.spawn("writer", async move { work.run(entries, token).await });
        Self { queue, waiting, dropped, spooled }
    }

    /// What will be left behind at the end.
    #[must_use]
    pub fn leftover(&self) -> Leftover {
        Leftover { waiting: Arc::clone(&self.waiting), spooled: Arc::clone(&self.spooled) }
    }

    /// Hands rows over without waiting: the live path must not stand still for a disk. What finds no room is counted.
    pub fn offer(&self, batch: Batch) {
        let rows = batch.len();
        self.waiting.fetch_add(rows, Ordering::Relaxed);
        if self.queue.try_send(Entry { batch, done: None }).is_err() {
            self.waiting.fetch_sub(rows, Ordering::Relaxed);
            self.dropped.fetch_add(rows as u64, Ordering::Relaxed);
        }
    }

    /// Hands rows over and waits until they are on a disk.
    pub async fn append(&self, batch: Batch) -> Result<(), StoreError> {
        let (done, committed) = oneshot::channel();
        self.waiting.fetch_add(batch.len(), Ordering::Relaxed);
        self.queue.send(Entry { batch, done: Some(done) }).await.map_err(|_| StoreError::Closed)?;
        committed.await.map_err(|_| StoreError::Closed)
    }
}

impl Work {
    async fn run(mut self, mut entries: mpsc::Receiver<Entry>, token: CancellationToken) {
        self.measure();
        self.tell();
        loop {
            let entry = tokio::select! {
                entry = entries.recv() => entry,
                size = async { self.measuring.as_mut().expect("it is only polled while there is one").await }, if self.measuring.is_some() => {
                    self.measuring = None;
                    self.view.size = size.unwrap_or(self.view.size);
                    self.tell();
                    continue;
                }
                // What comes meanwhile goes to the spool: it does not wait for a server that says nothing.
                (bundle, outcome) = async { self.sending.as_mut().expect("it is only polled while there is one").await }, if self.sending.is_some() => {
                    self.sending = None;
                    self.sent(&bundle, outcome).await;
                    continue;
                }
                () = self.clock.sleep_until(self.again), if self.sending.is_none() && self.holds() => {
                    self.send_oldest().await;
                    continue;
                }
            };
            let Some(first) = entry else { break };
            let (batch, acknowledge) = collect(&self.clock, first, &mut entries, &token).await;
            // Who waits for rows that were not written learns it by the silence.
            if self.deliver(batch, &token).await {
                for done in acknowledge {
                    let _ = done.send(());
                }
            }
        }
        if self.holds() {
            tracing::warn!("rows wait in the spool: the next engine brings them to the store");
        }
    }

    /// Whether batches wait in the spool.
    fn holds(&self) -> bool {
        self.spool.as_ref().is_some_and(|spool| !spool.is_empty())
    }

    /// Brings a batch to a disk, however often it takes: nothing is let go because a disk is full. Once asked to end, it
    /// gives up after one more failure. Says whether the rows are safe.
    async fn deliver(&mut self, mut batch: Batch, token: &CancellationToken) -> bool {
        let rows = batch.len();
        let mut pause = FIRST_RETRY;
        loop {
            batch.at = self.clock.now();
            match self.keep(&batch, token).await {
                Ok(()) => {
                    self.waiting.fetch_sub(rows, Ordering::Relaxed);
                    self.tell();
                    return true;
                }
                Err(error) => self.failed(&error, rows, pause),
            }
            if token.is_cancelled() {
                tracing::error!(rows, "rows were not written before the end");
                return false;
            }
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                () = token.cancelled() => {}
            }
            pause = (pause * 2).min(LAST_RETRY);
            if self.view.spool_full && !token.is_cancelled() {
                tokio::select! {
                    () = self.make_room() => {}
                    () = token.cancelled() => {}
                }
            }
        }
    }

    /// Straight to the store; into the spool while the store is away, and behind what waits there.
    async fn keep(&mut self, batch: &Batch, token: &CancellationToken) -> Result<(), StoreError> {
        if !self.holds() {
            let Err(error) = self.commit_at_once(batch.clone(), token).await else { return Ok(()) };
            if self.spool.is_none() {
                return Err(error);
            }
            self.away(&error, batch.len());
        }
        let Some(spool) = &mut self.spool else { return Ok(()) };
        let pushed = spool.push(batch).await;
        self.view.spool_full = matches!(pushed, Err(StoreError::SpoolFull(_) | StoreError::Full(_)));
        pushed
    }

    async fn commit_at_once(&mut self, batch: Batch, token: &CancellationToken) -> Result<(), StoreError> {
        let patience = PATIENCE + PATIENCE_OF_ROW * u32::try_from(batch.len()).unwrap_or(u32::MAX);
        let work = commit(Arc::clone(&self.store), batch);
        let outcome = if self.spool.is_none() {
            work.await
        } else {
            let end = async {
                token.cancelled().await;
                self.clock.sleep(GRACE).await;
            };
            // What was sent may be written all the same: then it is only confirmed when it comes again.
            let silence = || StoreError::Away { name: self.store.name(), message: "it takes rows too slowly, or not at all".to_owned() };
            tokio::select! {
                outcome = work => outcome,
                () = end => Outcome { acks: Vec::new(), unfit: Vec::new(), result: Err(silence()) },
                // Rows that are only in memory are not safe: they do not wait long for a server that says nothing.
                () = self.clock.sleep(patience) => Outcome { acks: Vec::new(), unfit: Vec::new(), result: Err(silence()) },
            }
        };
        self.settle(outcome)
    }

    /// Begins to bring the oldest of what waits in the spool to the store.
    async fn send_oldest(&mut self) {
        let Some(spool) = &mut self.spool else { return };
        match spool.oldest(BULK).await {
            Ok(None) => {}
            Ok(Some(mut bundle)) => {
                bundle.batch.at = self.clock.now();
                let work = commit(Arc::clone(&self.store), bundle.batch.clone());
                self.sending = Some(Box::pin(async move { (bundle, work.await) }));
            }
            Err(error) => self.away(&error, 0),
        }
    }

    /// What was sent from the spool is let go there once the store has it.
    async fn sent(&mut self, bundle: &Bundle, outcome: Outcome) {
        let mut settled = self.settle(outcome);
        if let (Ok(()), Some(spool)) = (&settled, &mut self.spool) {
            settled = spool.forget(bundle).await;
        }
        match settled {
            Ok(()) => {
                (self.pause, self.again) = (FIRST_RETRY, self.clock.now());
                self.view.spool_full = false;
            }
            Err(error) => self.away(&error, 0),
        }
        self.tell();
    }

    /// A spool that is full gets room only by what leaves it.
    async fn make_room(&mut self) {
        if self.sending.is_none() {
            self.send_oldest().await;
        }
        if let Some(sending) = self.sending.take() {
            let (bundle, outcome) = sending.await;
            self.sent(&bundle, outcome).await;
        }
    }

    /// The store cannot be written to now: it is tried again later.
    fn away(&mut self, error: &StoreError, rows: usize) {
        if self.view.error.is_none() {
            tracing::error!(rows, "cannot write: {error}; rows go to the spool");
        }
        self.again = self.clock.now() + self.pause;
        self.pause = (self.pause * 2).min(LAST_RETRY);
        self.view.error = Some(error.to_string());
        self.view.attempt += 1;
        self.view.next_try = Some(self.again);
    }

    /// Counts what a commit came to.
    fn settle(&mut self, outcome: Outcome) -> Result<(), StoreError> {
        for (rows, ack) in outcome.acks {
            self.committed(rows, ack);
        }
        for reason in outcome.unfit {
            tracing::error!("a row can never be written, it is left out: {reason}");
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        outcome.result
    }

    fn committed(&mut self, rows: usize, ack: Ack) {
        self.sequence += 1;
        let now = self.clock.now();
        if self.view.error.take().is_some() {
            tracing::info!("the store takes rows again");
        }
        tracing::debug!(
            sequence = self.sequence,
            inserted = ack.inserted,
            replaced = ack.replaced,
            kept = ack.kept,
            quarantined = ack.quarantined,
            "committed"
        );
        self.view.written += rows as u64;
        self.view.rows.count(u32::try_from(rows).unwrap_or(u32::MAX), now);
        self.view.last_commit = Some(now);
        (self.view.attempt, self.view.next_try) = (0, None);
        self.pause = FIRST_RETRY;
        for violation in ack.disagreements {
            let _ = self.events.try_send(WriterEvent::Disagreement(violation));
        }
        if now.since(self.measured) >= MEASURED {
            self.measure();
        }
    }

    fn failed(&mut self, error: &StoreError, rows: usize, pause: Duration) {
        if self.view.error.is_none() {
            tracing::error!(rows, "cannot write: {error}; the rows wait");
        }
        // That the spool is full is told apart: why it is needed stays.
        if self.view.error.is_none() || !self.view.spool_full {
            self.view.error = Some(error.to_string());
        }
        self.view.attempt += 1;
        self.view.next_try = Some(self.clock.now() + pause);
        self.tell();
    }

    /// Asks for the size, beside everything else.
    fn measure(&mut self) {
        self.measured = self.clock.now();
        let store = Arc::clone(&self.store);
        self.measuring = Some(Box::pin(async move { store.size().await.ok() }));
    }

    fn tell(&mut self) {
        self.view.queued = self.waiting.load(Ordering::Relaxed);
        self.view.dropped = self.dropped.load(Ordering::Relaxed);
        let held = self.spool.as_ref().map(Spool::held).unwrap_or_default();
        (self.view.spooled, self.view.spooled_since) = (held.rows, held.since);
        self.spooled.store(held.rows, Ordering::Relaxed);
        self.view.rows.roll(self.clock.now());
        let _ = self.events.try_send(WriterEvent::State(self.view.clone()));
    }
}

/// Takes what comes until the batch is full or its first row has waited long enough; then what waits already, up to
/// a bulk batch: the further behind, the larger the batches.
async fn collect(
    clock: &Clock,
    first: Entry,
    entries: &mut mpsc::Receiver<Entry>,
    token: &CancellationToken,
) -> (Batch, Vec<oneshot::Sender<()>>) {
    let mut batch = first.batch;
    let mut acknowledge: Vec<_> = first.done.into_iter().collect();
    let deadline = clock.now() + WAIT;
    // Somebody who waits for the commit is not made to wait for company.
    let mut waits = acknowledge.is_empty();
    while batch.len() < BULK && batch.checkpoint.is_none() {
        let next = if waits && batch.len() < FULL {
            tokio::select! {
                biased;
                next = entries.recv() => next,
                () = clock.sleep_until(deadline) => None,
                () = token.cancelled() => None,
            }
        } else {
            entries.try_recv().ok()
        };
        match next {
            Some(next) => {
                batch.merge(next.batch);
                acknowledge.extend(next.done);
                waits &= acknowledge.is_empty();
            }
            // What came in this very moment still goes along.
            None if waits && batch.len() < FULL => waits = false,
            None => break,
        }
    }
    (batch, acknowledge)
}

/// What a commit came to.
struct Outcome {
    /// Rows and the store's word, for each part that was written.
    acks: Vec<(usize, Ack)>,
    /// Why single rows can never be written.
    unfit: Vec<String>,
    result: Result<(), StoreError>,
}

/// One commit. A row that no store can take is cut out of its batch: it must not keep the others out for ever.
async fn commit(store: Arc<dyn Store>, batch: Batch) -> Outcome {
    let (mut parts, mut acks, mut unfit) = (vec![batch], Vec::new(), Vec::new());
    while let Some(part) = parts.pop() {
        let rows = part.len();
        match store.append(part.clone()).await {
            Ok(ack) => acks.push((rows, ack)),
            Err(StoreError::Unfit { name, message }) => match part.clone().halves() {
                Some((first, second)) => parts.extend([second, first]),
                // The log keeps the row: what is left out leaves a trace.
                None => unfit.push(format!("{name}: {message}: {}", serde_json::to_string(&part).unwrap_or_default())),
            },
            // What was written already is only confirmed when the batch comes again.
            Err(error) => return Outcome { acks, unfit, result: Err(error) },
        }
    }
    Outcome { acks, unfit, result: Ok(()) }
}
