//! The address of a store.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

/// Where bars are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    Sqlite(PathBuf),
}

/// A text that is no address of a store.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum StoreUrlError {
    #[error("the store's address names no file: sqlite:relative/path or sqlite:/absolute/path")]
    NoPath,
    #[error("this build keeps its store in SQLite; a PostgreSQL address is not supported")]
    Postgres,
    #[error("'{0}' is no address of a store: sqlite:relative/path or sqlite:/absolute/path")]
    Scheme(String),
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
            "postgres" | "postgresql" => Err(StoreUrlError::Postgres),
            // Never the whole text: an address may hold a password.
            _ => Err(StoreUrlError::Scheme(scheme.to_owned())),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
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
        assert_eq!("postgres://u:secret@h/d".parse::<StoreUrl>(), Err(StoreUrlError::Postgres));
        let error = "mysql://u:secret@h/d".parse::<StoreUrl>().expect_err("no such engine");
        assert!(!error.to_string().contains("secret"));
    }
}
