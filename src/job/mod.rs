//! Long work with progress, that can be stopped and goes on where it stopped: one file each.

mod backfill;
mod contract;
mod plan;

pub use backfill::{Backfill, waits_until};
pub use contract::{Bench, Progress, job_view};
pub use plan::{Plan, Planner};
