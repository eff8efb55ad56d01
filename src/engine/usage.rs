//! How often sources were asked, kept in the store: a cap of a day outlives us.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::setup::Opened;
use crate::market::Timestamp;
use crate::store::{Store, StoreError};

/// How long what was received counts.
const MONTH: Duration = Duration::from_secs(31 * 86_400);

/// What earlier runs asked counts on; requests under a cap are counted in this store from now on.
pub async fn load_counts(store: &Arc<dyn Store>, opened: &[Opened], now: Timestamp) -> Result<(), StoreError> {
    let counts = store.request_counts(now - MONTH).await?;
    for opened in opened {
        let limiter = opened.provider.net().http.limiter();
        limiter.load(&counts);
        limiter.keep_in(Arc::clone(store));
    }
    Ok(())
}

/// Adds what was asked and received since the last time.
pub async fn save_counts(store: &dyn Store, opened: &[Opened]) -> Result<(), StoreError> {
    let limiters = || opened.iter().map(|opened| opened.provider.net().http.limiter());
    let counts: Vec<_> = limiters().flat_map(crate::provider::net::Limiter::take_unsaved).collect();
    if counts.is_empty() {
        return Ok(());
    }
    let kept = store.count_requests(counts.clone()).await;
    if kept.is_err() {
        limiters().for_each(|limiter| limiter.give_back(&counts));
    }
    kept.map(|_| ())
}
