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
    let counts: Vec<_> = opened.iter().flat_map(|opened| opened.provider.net().http.limiter().take_unsaved()).collect();
    if !counts.is_empty() {
        store.count_requests(counts).await?;
    }
    Ok(())
}
