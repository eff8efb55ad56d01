//! What the server says, and what happens on the way to it, in our words. No password is in them, and of a row only
//! what the server's own first line quotes.

use std::error::Error as _;
use std::io;

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::WrongType;

use crate::market::clean;
use crate::store::error::StoreError;

/// An error of a connection.
pub(crate) fn explain(doing: &'static str, name: &str, error: &Error) -> StoreError {
    if let Some(said) = error.as_db_error() {
        return by_state(doing, name, said.code(), said.message());
    }
    let kind = error.to_string();
    let source = error.source();
    let message = source.map_or_else(|| kind.clone(), ToString::to_string);
    let (name, message) = (name.to_owned(), clean(&message).into_owned());
    match cause(&kind, source) {
        Cause::Away => StoreError::Away { name, message },
        Cause::Refused if message == "password missing" => {
            StoreError::Refused { name, message: "a password is needed, and neither the address nor PGPASSWORD holds one".to_owned() }
        }
        Cause::Refused => StoreError::Refused { name, message },
        Cause::Altered => StoreError::Altered { name, message },
        Cause::Unfit => StoreError::Unfit { name, message },
        Cause::Engine => StoreError::Engine { doing, name, message },
    }
}

/// An error of the pool, or of the connection it tried to make.
pub(crate) fn explain_pool(doing: &'static str, name: &str, error: &PoolError) -> StoreError {
    let away = |message: &str| StoreError::Away { name: name.to_owned(), message: message.to_owned() };
    match error {
        PoolError::Backend(error) => explain(doing, name, error),
        PoolError::Timeout(TimeoutType::Wait) => away("all of our connections to it are busy"),
        PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => away("it does not answer"),
        PoolError::Closed => StoreError::Closed,
        PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            StoreError::Engine { doing, name: name.to_owned(), message: error.to_string() }
        }
    }
}

/// What the server said. <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn by_state(doing: &'static str, name: &str, state: &SqlState, message: &str) -> StoreError {
    let (name, said) = (name.to_owned(), clean(message).into_owned());
    let refused = |message: String| StoreError::Refused { name: name.clone(), message };
    match state.code() {
        "28P01" => refused(format!("the password is wrong, or there is no such user ({said})")),
        "28000" => refused(format!("this user may not log in ({said})")),
        "3D000" | "57P04" => refused("there is no database of that name; createdb makes one".to_owned()),
        "42501" => refused(format!("this user may not {doing} it ({said})")),
        "57014" if said.contains("user request") => refused("somebody cancelled the statement".to_owned()),
        "57014" => refused("the server's statement_timeout ended the statement".to_owned()),
        "25006" => StoreError::ReadOnly(name),
        "53100" => StoreError::Full(name),
        "40001" | "40P01" | "55P03" => StoreError::Locked(name),
        // A partition that is not there, a column that must not be empty: no row is at fault, the tables are.
        "42P01" | "42703" | "42804" | "42P10" | "23502" | "23514" => StoreError::Altered { name, message: said },
        // Connections or memory used up, shutting down, starting, idle for too long: later it may go.
        "53200" | "53300" | "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04" => StoreError::Away { name, message: said },
        code if code.starts_with("08") => StoreError::Away { name, message: said },
        code if code.starts_with("22") || code.starts_with("23") => StoreError::Unfit { name, message: said },
        code => StoreError::Engine { doing, name, message: format!("{said} (SQLSTATE {code})") },
    }
}

/// What is behind an error that the server did not word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Away,
    Refused,
    Altered,
    Unfit,
    Engine,
}

/// The kind of an error is private to tokio-postgres; its text is what tells.
fn cause(kind: &str, source: Option<&(dyn std::error::Error + 'static)>) -> Cause {
    let io = source.and_then(|source| source.downcast_ref::<io::Error>());
    let tls = io.and_then(io::Error::get_ref).and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if tls.is_some_and(refuses) {
        return Cause::Refused;
    }
    match kind {
        "error connecting to server" | "error communicating with the server" | "connection closed" | "timeout waiting for server" => {
            Cause::Away
        }
        // A handshake that was cut off, rather than one that failed.
        "error performing TLS handshake" if io.is_some_and(|error| error.kind() != io::ErrorKind::InvalidInput) => Cause::Away,
        "error performing TLS handshake" | "authentication error" | "invalid configuration" => Cause::Refused,
        _ if source.is_some_and(<dyn std::error::Error>::is::<WrongType>) => Cause::Altered,
        _ if kind.starts_with("error serializing") => Cause::Unfit,
        _ => Cause::Engine,
    }
}

/// Whether one side does not want the other, which it will not want later either.
fn refuses(error: &rustls::Error) -> bool {
    use rustls::Error::{AlertReceived, InvalidCertificate, NoCertificatesPresented, PeerIncompatible, UnsupportedNameType};
    matches!(error, InvalidCertificate(_) | AlertReceived(_) | PeerIncompatible(_) | NoCertificatesPresented | UnsupportedNameType)
}

#[cfg(test)]
mod tests {
    use tokio_postgres::types::Type;

    use super::*;

    /// The beginning of each kind of error, as people see it.
    const AWAY: &str = "cannot reach the store: ";
    const REFUSED: &str = "the store refuses: ";
    const ALTERED: &str = "a table of the store was altered: ";
    const UNFIT: &str = "the store cannot take a row: ";

    #[test]
    fn what_the_server_says_is_explained() {
        let table = [
            ("08006", [AWAY, "said"]),
            ("08P01", [AWAY, "said"]),
            ("57P01", [AWAY, "said"]),
            ("57P02", [AWAY, "said"]),
            ("57P03", [AWAY, "said"]),
            ("57P05", [AWAY, "said"]),
            ("25P03", [AWAY, "said"]),
            ("53300", [AWAY, "said"]),
            ("53200", [AWAY, "said"]),
            ("28P01", [REFUSED, "the password is wrong"]),
            ("28000", [REFUSED, "may not log in (said)"]),
            ("3D000", [REFUSED, "createdb makes one"]),
            ("42501", [REFUSED, "may not write it (said)"]),
            ("57014", [REFUSED, "statement_timeout"]),
            ("25006", ["the store cannot be written", "read-only"]),
            ("53100", ["the disk of the store", "full"]),
            ("40001", ["the store is locked", ""]),
            ("40P01", ["the store is locked", ""]),
            ("55P03", ["the store is locked", ""]),
            ("42P01", [ALTERED, "said"]),
            ("42703", [ALTERED, "said"]),
            ("42804", [ALTERED, "said"]),
            ("42P10", [ALTERED, "said"]),
            ("22003", [UNFIT, "said"]),
            ("23503", [UNFIT, "said"]),
            ("42601", ["cannot write the store: ", "said (SQLSTATE 42601)"]),
            ("XX000", ["cannot write the store: ", "said (SQLSTATE XX000)"]),
        ];
        for (code, [start, part]) in table {
            let error = by_state("write", "the store", &SqlState::from_code(code), "sa\u{1b}id").to_string();
            assert!(error.starts_with(start) && error.contains(part), "{code}: {error}");
        }
        let cancelled = by_state("write", "the store", &SqlState::QUERY_CANCELED, "canceling statement due to user request");
        assert!(cancelled.to_string().contains("somebody cancelled"), "{cancelled}");
    }

    #[test]
    fn what_happens_on_the_way_is_explained() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let cut = io::Error::from(io::ErrorKind::UnexpectedEof);
        let stranger =
            io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer));
        let garbled = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError);
        let no_name = io::Error::from(io::ErrorKind::InvalidInput);
        let other_type = WrongType::new::<i64>(Type::TEXT);
        let table: [(&str, Option<&(dyn std::error::Error + 'static)>, Cause); 12] = [
            ("error connecting to server", Some(&refused), Cause::Away),
            ("error communicating with the server", Some(&cut), Cause::Away),
            ("error communicating with the server", Some(&garbled), Cause::Away),
            ("connection closed", None, Cause::Away),
            ("error performing TLS handshake", Some(&cut), Cause::Away),
            ("error performing TLS handshake", Some(&stranger), Cause::Refused),
            ("error communicating with the server", Some(&stranger), Cause::Refused),
            ("error performing TLS handshake", Some(&no_name), Cause::Refused),
            ("invalid configuration", None, Cause::Refused),
            ("error deserializing column 3", Some(&other_type), Cause::Altered),
            ("error serializing parameter 3", Some(&refused), Cause::Unfit),
            ("unexpected message from server", None, Cause::Engine),
        ];
        for (kind, source, expected) in table {
            assert_eq!(cause(kind, source), expected, "{kind}: {source:?}");
        }
    }

    #[test]
    fn what_the_pool_says_is_explained() {
        let shown = |error: PoolError| explain_pool("read", "the store", &error).to_string();
        assert_eq!(shown(PoolError::Timeout(TimeoutType::Wait)), "cannot reach the store: all of our connections to it are busy");
        assert_eq!(shown(PoolError::Timeout(TimeoutType::Create)), "cannot reach the store: it does not answer");
        assert_eq!(shown(PoolError::Closed), "the store is closed");
    }
}
