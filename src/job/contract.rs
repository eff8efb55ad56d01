//! What a job works with, and what it tells.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::calendar::Calendars;
use crate::host::Clock;
use crate::snapshot::JobView;
use crate::store::{JobRecord, Store, Writer};

/// What a job works with.
#[derive(Clone)]
pub struct Bench {
    pub store: Arc<dyn Store>,
    pub writer: Writer,
    pub calendars: Arc<Calendars>,
    pub clock: Clock,
    pub progress: mpsc::Sender<Progress>,
    /// Somebody wants this job to stop.
    pub token: CancellationToken,
    /// The engine ends: what is not done waits for the next one.
    pub ending: CancellationToken,
}

/// How far a job is.
#[derive(Clone, Debug)]
pub struct Progress(pub JobView);

impl Bench {
    /// Tells how far a job is. Progress that finds the queue full is left out: the next one says more.
    pub fn tell(&self, record: &JobRecord, note: &str) {
        let _ = self.progress.try_send(Progress(job_view(record, note)));
    }

    /// Tells how a job ended: that is not left out.
    pub async fn tell_last(&self, record: &JobRecord, note: &str) {
        // Nobody listens any more when the engine is gone.
        let _ = self.progress.send(Progress(job_view(record, note))).await;
    }
}

/// A job's line, from its row.
#[must_use]
pub fn job_view(record: &JobRecord, note: &str) -> JobView {
    JobView {
        id: record.id,
        kind: record.kind.clone(),
        symbol: record.symbol.clone(),
        interval: record.interval,
        source: record.source.clone().unwrap_or_default(),
        state: record.state,
        done: record.done,
        total: record.total,
        rows: record.rows,
        started: record.created_at,
        finished: record.state.is_over().then_some(record.updated_at),
        note: record.error.clone().unwrap_or_else(|| note.to_owned()),
    }
}
