//! How safely a PostgreSQL server is reached: libpq's `sslmode` and its files, as typed.

use std::path::{Path, PathBuf};

/// What TLS is asked for, and the files it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SslOptions {
    pub mode: SslMode,
    /// Who may sign the server's certificate; `system` is whom browsers trust.
    pub root_cert: Option<PathBuf>,
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

/// <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    Disable,
    Allow,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslOptions {
    /// Whether the roots are those that browsers trust, and no file.
    #[must_use]
    pub fn trusts_browsers_roots(&self) -> bool {
        self.root_cert.as_deref() == Some(Path::new("system"))
    }
}

impl SslMode {
    pub(crate) const ALL: [Self; 6] = [Self::Disable, Self::Allow, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// Its name in an address.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}
