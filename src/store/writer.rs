//! The one live writer: batches of 1,000 rows or 250 ms, one transaction each, acknowledged after the commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::host::{Clock, Tasks};
use crate::quality::Violation;
use crate::snapshot::WriterView;
use crate::store::contract::{Ack, Batch, Store, StoreError};

/// Rows that make a batch full.
const FULL: usize = 1_000;
/// How long the first row of a batch waits.
const WAIT: Duration = Duration::from_millis(250);
/// Batches that may wait: what a full disk lets pile up.
const QUEUE: usize = 4_096;
/// Between tries after a failed commit.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// The handle that feeds and jobs hold.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: mpsc::Sender<Entry>,
    waiting: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
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
    clock: Clock,
    events: mpsc::Sender<WriterEvent>,
    view: WriterView,
    sequence: u64,
    waiting: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the writer; it ends, with everything written, when the last handle is gone.
    pub fn start(store: Arc<dyn Store>, clock: Clock, tasks: &Tasks, events: mpsc::Sender<WriterEvent>) -> Self {
        let (queue, entries) = mpsc::channel(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let dropped = Arc::new(AtomicU64::new(0));
        let view = WriterView { store: store.name(), ..WriterView::default() };
        let (waits, drops) = (Arc::clone(&waiting), Arc::clone(&dropped));
        let work = Work { store, clock, events, view, sequence: 0, waiting: waits, dropped: drops };
        let token = tasks.token();
        tasks.spawn("writer", async move { work.run(entries, token).await });
        Self { queue, waiting, dropped }
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

    /// Hands rows over and waits until they are committed.
    pub async fn append(&self, batch: Batch) -> Result<(), StoreError> {
        let (done, committed) = oneshot::channel();
        self.waiting.fetch_add(batch.len(), Ordering::Relaxed);
        self.queue.send(Entry { batch, done: Some(done) }).await.map_err(|_| StoreError::Closed)?;
        committed.await.map_err(|_| StoreError::Closed)
    }
}

impl Work {
    async fn run(mut self, mut entries: mpsc::Receiver<Entry>, token: tokio_util::sync::CancellationToken) {
        self.measure().await;
        self.tell();
        while let Some(first) = entries.recv().await {
            let (batch, acknowledge) = self.collect(first, &mut entries, &token).await;
            // Who waits for rows that were not written learns it by the silence.
            if self.commit(batch, &token).await {
                for done in acknowledge {
                    let _ = done.send(());
                }
            }
        }
    }

    /// Takes what comes until the batch is full or its first row has waited long enough.
    async fn collect(
        &self,
        first: Entry,
        entries: &mut mpsc::Receiver<Entry>,
        token: &tokio_util::sync::CancellationToken,
    ) -> (Batch, Vec<oneshot::Sender<()>>) {
        let mut batch = first.batch;
        let mut acknowledge: Vec<_> = first.done.into_iter().collect();
        let deadline = self.clock.now() + WAIT;
        // Somebody who waits for the commit is not made to wait for company.
        while batch.len() < FULL && acknowledge.is_empty() && !token.is_cancelled() && batch.checkpoint.is_none() {
            let next = tokio::select! {
                biased;
                next = entries.recv() => next,
                () = self.clock.sleep_until(deadline) => break,
                () = token.cancelled() => break,
            };
            let Some(next) = next else { break };
            merge(&mut batch, next.batch);
            acknowledge.extend(next.done);
        }
        (batch, acknowledge)
    }

    /// Commits, however often it takes: nothing is let go because a disk is full. Once asked to end, it gives up after
    /// one more failure. Says whether the rows were written.
    async fn commit(&mut self, mut batch: Batch, token: &tokio_util::sync::CancellationToken) -> bool {
        let rows = batch.len();
        let mut pause = FIRST_RETRY;
        loop {
            batch.at = self.clock.now();
            match self.store.append(batch.clone()).await {
                Ok(ack) => {
                    self.committed(rows, ack).await;
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
        }
    }

    async fn committed(&mut self, rows: usize, ack: Ack) {
        self.sequence += 1;
        self.waiting.fetch_sub(rows, Ordering::Relaxed);
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
        for violation in ack.disagreements {
            let _ = self.events.try_send(WriterEvent::Disagreement(violation));
        }
        self.measure().await;
        self.tell();
    }

    fn failed(&mut self, error: &StoreError, rows: usize, pause: Duration) {
        if self.view.error.is_none() {
            tracing::error!(rows, "cannot write: {error}; the rows wait");
        }
        self.view.error = Some(error.to_string());
        self.view.attempt += 1;
        self.view.next_try = Some(self.clock.now() + pause);
        self.tell();
    }

    async fn measure(&mut self) {
        self.view.size = self.store.size().await.unwrap_or(self.view.size);
    }

    fn tell(&mut self) {
        self.view.queued = self.waiting.load(Ordering::Relaxed);
        self.view.dropped = self.dropped.load(Ordering::Relaxed);
        let _ = self.events.try_send(WriterEvent::State(self.view.clone()));
    }
}

fn merge(batch: &mut Batch, more: Batch) {
    batch.bars.extend(more.bars);
    batch.quarantine.extend(more.quarantine);
    batch.violations.extend(more.violations);
    batch.coverage.extend(more.coverage);
    batch.checkpoint = more.checkpoint.or_else(|| batch.checkpoint.take());
}
