//! Retention: rows that are older than the config keeps them are deleted, in small steps between which live rows are
//! written.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Section;
use crate::host::{Clock, Tasks};
use crate::store::{Store, TABLES, TableSpec};

/// Rows of one step.
const STEP: u32 = 2_000;
/// What is left to live rows between two steps.
const PAUSE: Duration = Duration::from_millis(100);
/// Between one round through the tables and the next.
const ROUND: Duration = Duration::from_secs(3_600);

/// What is deleted, and when.
pub(crate) struct Retention {
    store: Arc<dyn Store>,
    clock: Clock,
    /// Tables whose rows are not kept for ever, each with its days.
    tables: Vec<(&'static TableSpec, u64)>,
}

impl Retention {
    /// Keeps what the section `store.retain` says.
    pub(crate) fn new(store: Arc<dyn Store>, clock: Clock, section: &Section) -> Self {
        let days = |table: &'static TableSpec| table.retain.as_ref().map(|retain| (table, section.integer(retain.config)));
        let tables = TABLES.iter().filter_map(days).filter(|(_, days)| *days > 0).collect();
        Self { store, clock, tables }
    }

    /// Starts the first round; they end with their tasks.
    pub(crate) fn start(self, tasks: &Tasks) {
        let token = tasks.token();
        tasks.spawn("retention", async move {
            tokio::select! {
                () = token.cancelled() => {}
                () = self.run() => {}
            }
        });
    }

    async fn run(&self) {
        loop {
            for &(table, days) in &self.tables {
                self.prune(table, days).await;
            }
            self.clock.sleep(ROUND).await;
        }
    }

    /// Goes through one table; what fails is tried again in the next round.
    async fn prune(&self, table: &'static TableSpec, days: u64) {
        let before = self.clock.now() - Duration::from_secs(days * 86_400);
        let mut pruned = 0;
        loop {
            let found = match self.store.prune(table, before, STEP).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!("cannot prune {}: {error}; tried again in an hour", table.name);
                    break;
                }
            };
            pruned += found;
            if found < u64::from(STEP) {
                break;
            }
            self.clock.sleep(PAUSE).await;
        }
        if pruned > 0 {
            tracing::info!(rows = pruned, "deleted {} older than {days} days", table.name);
        }
    }
}
