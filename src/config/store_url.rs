//! The address of a store.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

use crate::config::postgres_url::PostgresUrl;

/// Where bars are kept.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a process holds one or two of them")]
pub enum StoreUrl {
    Sqlite(PathBuf),
    Postgres(PostgresUrl),
}

/// A text that is no address of a store. It never holds the text: that may hold a password.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum StoreUrlError {
    #[error("the store's address names no file: sqlite:relative/path or sqlite:/absolute/path")]
    NoPath,
    #[error("'{0}' is no address of a store: sqlite:relative/path, sqlite:/absolute/path or postgres://user@host:5432/database")]
    Scheme(String),
    #[error(
        "the PostgreSQL address cannot be read: {0}; it is postgres://user@host:5432/database, \
         and % / @ : ? # in a name or a password are written %25 %2F %40 %3A %3F %23"
    )]
    Postgres(String),
    #[error("'{0}' is no parameter of a PostgreSQL address that this program knows")]
    Parameter(String),
    #[error("{parameter} of the PostgreSQL store must be {expected}")]
    Value { parameter: &'static str, expected: &'static str },
    #[error("the PostgreSQL address has {hosts} hosts and {ports} ports: give one port, or one for each host")]
    Ports { hosts: usize, ports: usize },
}

impl StoreUrl {
    /// Takes what the address of a server leaves out from the variables that libpq knows; a file's leaves nothing out.
    pub fn with_environment(self, environment: &BTreeMap<String, String>) -> Result<Self, StoreUrlError> {
        match self {
            Self::Sqlite(path) => Ok(Self::Sqlite(path)),
            Self::Postgres(url) => url.with_environment(environment).map(Self::Postgres),
        }
    }

    /// Whether the address itself holds a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(url) => url.has_password(),
        }
    }
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        match scheme {
            "sqlite" => {
                let path = rest.strip_prefix("//").filter(|path| path.starts_with('/') || path.starts_with('~')).unwrap_or(rest);
                if path.is_empty() || path == "/" { Err(StoreUrlError::NoPath) } else { Ok(Self::Sqlite(path.into())) }
            }
            "postgres" | "postgresql" => text.parse().map(Self::Postgres),
            // Never the whole text: an address may hold a password.
            _ => Err(StoreUrlError::Scheme(scheme.to_owned())),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => fmt::Display::fmt(url, f),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_stores() {
        for (text, path) in
            [("sqlite:a/b.db", "a/b.db"), ("sqlite:/a/b.db", "/a/b.db"), ("sqlite:///a/b.db", "/a/b.db"), ("sqlite:~/b.db", "~/b.db")]
        {
            assert_eq!(text.parse(), Ok(StoreUrl::Sqlite(path.into())), "{text}");
        }
        assert_eq!("sqlite:".parse::<StoreUrl>(), Err(StoreUrlError::NoPath));
        let server = "postgres://u:secret@h/d".parse::<StoreUrl>().expect("an address of a server");
        assert_eq!(server.to_string(), "postgres://u@h:5432/d");
        assert_eq!(format!("{server:?}"), "postgres://u@h:5432/d", "a password is never printed");
        assert!(server.has_password() && !StoreUrl::Sqlite("a.db".into()).has_password());
        assert_ne!(
            server,
            "postgres://u:other@h/d".parse::<StoreUrl>().expect("an address of a server"),
            "another password is another address"
        );
        let error = "mysql://u:secret@h/d".parse::<StoreUrl>().expect_err("no such engine");
        assert!(!error.to_string().contains("secret"));
    }
}
