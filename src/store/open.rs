//! A store by its address.

use std::sync::Arc;

use crate::config::StoreUrl;
use crate::host::expand_home;
use crate::pipeline::Ranks;
use crate::store::contract::{Creation, Store};
use crate::store::error::StoreError;
use crate::store::postgres::{Dumper, Postgres};
use crate::store::sqlite::{Archive, Sqlite};

/// Opens a store, and makes or migrates its tables where `creation` allows it; sources are fused by `ranks`.
pub async fn open(url: &StoreUrl, creation: Creation, ranks: Ranks) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match url {
        StoreUrl::Sqlite(path) => Arc::new(Sqlite::open(&expand_home(path), creation, ranks)?),
        StoreUrl::Postgres(url) => Arc::new(Postgres::open(url, creation, ranks).await?),
    })
}

/// The schema of a store that may be older than this program; `None` when there are no tables of ours. Nothing is changed.
pub async fn schema_of(url: &StoreUrl) -> Result<Option<u32>, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => {
            let path = expand_home(path);
            if path.exists() { Archive::open(&path)?.schema().await } else { Ok(None) }
        }
        StoreUrl::Postgres(url) => Dumper::new(url)?.schema().await,
    }
}
