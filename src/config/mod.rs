//! Configuration: `RawConfig` is what was typed, `Config` is what it means. It reads no file and no environment.

mod key;
mod meaning;
mod raw;
mod example;
mod percent;
mod ssl;
mod postgres_url;
mod store_url;

pub use example::example;
pub use key::{KeyKind, KeySpec, SectionSpec};
pub use meaning::{Config, Facts, Section};
pub use postgres_url::{ChannelBinding, PostgresUrl, SessionAttrs};
pub use raw::{ConfigError, RawConfig};
pub use ssl::{SslMode, SslOptions};
pub use store_url::{StoreUrl, StoreUrlError};

/// The sections that belong to no provider and no pane.
pub const SECTIONS: &[SectionSpec] =
    &[key::STORE, key::RETAIN, key::WATCHLIST, key::SCREEN, key::SOURCES, key::LIVE, key::HISTORY, key::DETAILS, key::CALENDAR, key::LOG];
