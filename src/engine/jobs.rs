//! Jobs: who works, who waits, and how they are stopped.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::engine::core::Core;
use crate::engine::desk::Ready;
use crate::host::Tasks;
use crate::job::{Backfill, Bench, Progress, job_view};
use crate::market::{Symbol, Timestamp};
use crate::request::{BackfillAsk, EngineEvent};
use crate::snapshot::{JobState, Update};
use crate::store::JobRecord;

/// How many jobs work at once, those not counted that wait for a source's cap: the limits are shared anyway.
const AT_ONCE: usize = 2;
/// The word for the kind of job in the store.
pub(crate) const BACKFILL: &str = "backfill";

/// The jobs of this engine.
pub(crate) struct Jobs {
    tasks: Tasks,
    room: Arc<Semaphore>,
    tokens: HashMap<i64, CancellationToken>,
    /// Jobs that ended since the last look into the store began: it may have seen them before.
    ended: HashSet<i64>,
    sender: mpsc::Sender<Progress>,
    receiver: mpsc::Receiver<Progress>,
}

impl Jobs {
    pub(crate) fn new(tasks: Tasks) -> Self {
        let (sender, receiver) = mpsc::channel(256);
        let room = Arc::new(Semaphore::new(AT_ONCE));
        Self { tasks, room, tokens: HashMap::new(), ended: HashSet::new(), sender, receiver }
    }

    pub(crate) async fn progress(&mut self) -> Option<Progress> {
        self.receiver.recv().await
    }

    /// A look into the store begins; the answer is which jobs are at work here.
    pub(crate) fn look_begins(&mut self) -> HashSet<i64> {
        self.ended.clear();
        self.tokens.keys().copied().collect()
    }

    /// Stops a job; false when it is not at work here.
    pub(crate) fn cancel(&self, id: i64) -> bool {
        self.tokens.get(&id).is_some_and(|token| {
            token.cancel();
            true
        })
    }
}

/// A job's row before it was saved.
#[must_use]
pub fn new_record(ask: &BackfillAsk, symbol: &Symbol, source: &str, now: Timestamp) -> JobRecord {
    JobRecord {
        id: 0,
        kind: BACKFILL.to_owned(),
        symbol: Some(symbol.clone()),
        interval: Some(ask.interval),
        from: Some(ask.from),
        to: Some(ask.to),
        source: Some(source.to_owned()),
        state: JobState::Queued,
        done: 0,
        total: 0,
        rows: 0,
        attempts: 0,
        error: None,
        created_at: now,
        updated_at: now,
    }
}

impl Core {
    /// Starts a job that was found in the store or that somebody here asked for.
    pub(crate) fn start_job(&mut self, Ready { record, instrument, opened, spelling }: Ready) {
        if self.jobs.tokens.contains_key(&record.id) || self.jobs.ended.contains(&record.id) {
            return;
        }
        let Some(writer) = self.writer.clone() else { return };
        let token = CancellationToken::new();
        self.jobs.tokens.insert(record.id, token.clone());
        let bench = Bench {
            store: Arc::clone(&self.store),
            writer,
            calendars: Arc::clone(&self.calendars),
            clock: self.clock.clone(),
            progress: self.jobs.sender.clone(),
            token,
            ending: self.jobs.tasks.token(),
        };
        // At once, not by the queue: whoever reads the answer finds the job in the picture.
        self.progressed(Progress(job_view(&record, "waits")));
        let room = Arc::clone(&self.jobs.room);
        let (provider, source) = (opened.provider, opened.source);
        self.spawn_backfill(Backfill { bench, provider, source, instrument, spelling, record, place: None, room });
    }

    fn spawn_backfill(&self, mut job: Backfill) {
        let room = Arc::clone(&job.room);
        self.jobs.tasks.spawn(format!("backfill {}", job.instrument.symbol), async move {
            let (token, ending) = (job.bench.token.clone(), job.bench.ending.clone());
            job.place = tokio::select! {
                place = room.acquire_owned() => place.ok(),
                // It runs to say that it was cancelled.
                () = token.cancelled() => None,
                // It never began: its row still says that it waits.
                () = ending.cancelled() => return,
            };
            job.run().await;
        });
    }

    pub(crate) fn progressed(&mut self, Progress(job): Progress) {
        if job.state.is_over() {
            self.jobs.tokens.remove(&job.id);
            self.jobs.ended.insert(job.id);
            self.tell(EngineEvent::JobOver(job.clone()));
        }
        self.fold(Update::Job(job));
    }

    /// The tasks that jobs and exports run in.
    pub(crate) fn exports(&self) -> &Tasks {
        &self.jobs.tasks
    }

    /// How long jobs may take to let go at the end.
    pub(crate) const GOODBYE: Duration = Duration::from_secs(3);
}
