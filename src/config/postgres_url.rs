//! The address of a PostgreSQL server, with libpq's meaning. What it leaves out comes from an environment that is passed
//! in: nothing is looked up here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::config::percent::{decoded, encoded};
use crate::config::ssl::{SslMode, SslOptions};
use crate::config::store_url::StoreUrlError;

/// Where a server is, whom to be there, and how safely to get there.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    names: Vec<String>,
    /// One for all hosts, or one for each.
    ports: Vec<u16>,
    /// Whom to log in as; without it, the user that runs this process.
    pub user: Option<String>,
    password: Option<Password>,
    typed_password: bool,
    dbname: Option<String>,
    pub ssl: SslOptions,
    /// What the server calls our connections.
    pub application_name: Option<String>,
    /// How long a host may take to answer, in seconds; 0 is for ever.
    pub connect_timeout_s: u32,
    /// Settings of the session, as the server's own command line has them.
    pub options: Option<String>,
    pub target_session_attrs: SessionAttrs,
    pub channel_binding: ChannelBinding,
    /// The home folder, whose `.postgresql` may hold certificates.
    pub home: Option<PathBuf>,
    said: BTreeSet<Parameter>,
}

/// What a server must be, to be the one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionAttrs {
    #[default]
    Any,
    ReadWrite,
}

/// Whether the password's proof is bound to the TLS connection it goes through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelBinding {
    Disable,
    #[default]
    Prefer,
    Require,
}

#[derive(Clone)]
struct Password(SecretString);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Parameter {
    Host,
    Port,
    User,
    Password,
    Dbname,
    SslMode,
    SslRootCert,
    SslCert,
    SslKey,
    ConnectTimeout,
    ApplicationName,
    Options,
    TargetSessionAttrs,
    ChannelBinding,
}

/// Each parameter's name in an address, and in the environment.
const PARAMETERS: [(Parameter, &str, &str); 14] = [
    (Parameter::Host, "host", "PGHOST"),
    (Parameter::Port, "port", "PGPORT"),
    (Parameter::User, "user", "PGUSER"),
    (Parameter::Password, "password", "PGPASSWORD"),
    (Parameter::Dbname, "dbname", "PGDATABASE"),
    (Parameter::SslMode, "sslmode", "PGSSLMODE"),
    (Parameter::SslRootCert, "sslrootcert", "PGSSLROOTCERT"),
    (Parameter::SslCert, "sslcert", "PGSSLCERT"),
    (Parameter::SslKey, "sslkey", "PGSSLKEY"),
    (Parameter::ConnectTimeout, "connect_timeout", "PGCONNECT_TIMEOUT"),
    (Parameter::ApplicationName, "application_name", "PGAPPNAME"),
    (Parameter::Options, "options", "PGOPTIONS"),
    (Parameter::TargetSessionAttrs, "target_session_attrs", "PGTARGETSESSIONATTRS"),
    (Parameter::ChannelBinding, "channel_binding", "PGCHANNELBINDING"),
];

/// libpq would try a Unix socket first, in a folder that is not the same everywhere; `?host=/folder` names one.
const DEFAULT_HOST: &str = "localhost";
const DEFAULT_PORT: u16 = 5432;
const DEFAULT_TIMEOUT_S: u32 = 5;
const PORT: &str = "a number from 1 to 65535, or one for each host with commas between";

impl PostgresUrl {
    fn unsaid() -> Self {
        Self {
            names: vec![DEFAULT_HOST.to_owned()],
            ports: vec![DEFAULT_PORT],
            user: None,
            password: None,
            typed_password: false,
            dbname: None,
            ssl: SslOptions::default(),
            application_name: None,
            connect_timeout_s: DEFAULT_TIMEOUT_S,
            options: None,
            target_session_attrs: SessionAttrs::Any,
            channel_binding: ChannelBinding::Prefer,
            home: None,
            said: BTreeSet::new(),
        }
    }

    /// The hosts in the order they are tried; one that begins with `/` is a folder with a Unix socket.
    #[must_use]
    pub fn hosts(&self) -> Vec<(String, u16)> {
        let port = |at: usize| self.ports.get(at).or(self.ports.first()).copied().unwrap_or(DEFAULT_PORT);
        self.names.iter().enumerate().map(|(at, name)| (name.clone(), port(at))).collect()
    }

    /// The database; without a name of its own, the user's.
    #[must_use]
    pub fn dbname(&self) -> Option<&str> {
        self.dbname.as_deref().or(self.user.as_deref())
    }

    #[must_use]
    pub fn password(&self) -> Option<&SecretString> {
        self.password.as_ref().map(|password| &password.0)
    }

    /// Whether the address itself holds a password; one that came from the environment does not count.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.typed_password
    }

    /// Takes what the address leaves out from the variables that libpq knows, and from `USER` and `HOME`.
    pub fn with_environment(mut self, environment: &BTreeMap<String, String>) -> Result<Self, StoreUrlError> {
        for (parameter, _, variable) in PARAMETERS {
            if let Some(text) = environment.get(variable)
                && !self.said.contains(&parameter)
            {
                self.apply(parameter, variable, text)?;
            }
        }
        let found = |variable: &str| environment.get(variable).filter(|text| !text.is_empty());
        self.user = self.user.or_else(|| found("USER").cloned());
        self.home = self.home.or_else(|| found("HOME").map(PathBuf::from));
        self.checked()
    }

    fn apply(&mut self, parameter: Parameter, called: &'static str, text: &str) -> Result<(), StoreUrlError> {
        // An empty value says nothing, in an address as in the environment.
        if text.is_empty() {
            return Ok(());
        }
        self.set(parameter, text).map_err(|expected| StoreUrlError::Value { parameter: called, expected })?;
        self.said.insert(parameter);
        Ok(())
    }

    /// The error says what is expected, never what was given.
    fn set(&mut self, parameter: Parameter, text: &str) -> Result<(), &'static str> {
        match parameter {
            Parameter::Host => self.names = text.split(',').map(|name| or_default(name).to_owned()).collect(),
            Parameter::Port => self.ports = ports(text).ok_or(PORT)?,
            Parameter::User => self.user = Some(text.to_owned()),
            Parameter::Password => self.password = Some(Password(SecretString::from(text))),
            Parameter::Dbname => self.dbname = Some(text.to_owned()),
            Parameter::SslMode => {
                let expected = "disable, allow, prefer, require, verify-ca or verify-full";
                self.ssl.mode = SslMode::ALL.into_iter().find(|mode| mode.name() == text).ok_or(expected)?;
            }
            Parameter::SslRootCert => self.ssl.root_cert = Some(text.into()),
            Parameter::SslCert => self.ssl.cert = Some(text.into()),
            Parameter::SslKey => self.ssl.key = Some(text.into()),
            Parameter::ConnectTimeout => self.connect_timeout_s = text.parse().map_err(|_| "a number of seconds, 0 for no limit")?,
            Parameter::ApplicationName => self.application_name = Some(text.to_owned()),
            Parameter::Options => self.options = Some(text.to_owned()),
            Parameter::TargetSessionAttrs => {
                self.target_session_attrs = match text {
                    "any" => SessionAttrs::Any,
                    "read-write" => SessionAttrs::ReadWrite,
                    _ => return Err("any or read-write"),
                };
            }
            Parameter::ChannelBinding => {
                self.channel_binding = match text {
                    "disable" => ChannelBinding::Disable,
                    "prefer" => ChannelBinding::Prefer,
                    "require" => ChannelBinding::Require,
                    _ => return Err("disable, prefer or require"),
                };
            }
        }
        Ok(())
    }

    fn take_hosts(&mut self, list: &str) -> Result<(), StoreUrlError> {
        let hosts = list.split(',').map(host).collect::<Result<Vec<_>, _>>()?;
        if hosts.iter().any(|(name, _)| !name.is_empty()) {
            self.names = hosts.iter().map(|(name, _)| or_default(name).to_owned()).collect();
            self.said.insert(Parameter::Host);
        }
        if hosts.iter().any(|(_, port)| port.is_some()) {
            self.ports = hosts.iter().map(|(_, port)| port.unwrap_or(DEFAULT_PORT)).collect();
            self.said.insert(Parameter::Port);
        }
        Ok(())
    }

    fn take_query(&mut self, query: &str) -> Result<(), StoreUrlError> {
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| unreadable("a parameter has no value"))?;
            let (name, value) = (decoded(name).map_err(unreadable)?, decoded(value).map_err(unreadable)?);
            let known = PARAMETERS.into_iter().find(|(_, known, _)| *known == name);
            match known {
                Some((parameter, known, _)) => self.apply(parameter, known, &value)?,
                // What other drivers write, and libpq takes.
                None if name == "ssl" && value == "true" => self.apply(Parameter::SslMode, "ssl", SslMode::Require.name())?,
                // With an @ it may be the rest of a password that was not encoded.
                None if !query.contains('@') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => {
                    return Err(StoreUrlError::Parameter(name));
                }
                None => return Err(unreadable("a parameter has a name that none has")),
            }
        }
        Ok(())
    }

    fn checked(mut self) -> Result<Self, StoreUrlError> {
        if self.ports.contains(&0) {
            return Err(StoreUrlError::Value { parameter: "port", expected: PORT });
        }
        if self.ports.len() > 1 && self.ports.len() != self.names.len() {
            return Err(StoreUrlError::Ports { hosts: self.names.len(), ports: self.ports.len() });
        }
        if self.ssl.trusts_browsers_roots() {
            // Anybody can have a certificate that browsers trust: only the name in it tells servers apart.
            if self.said.contains(&Parameter::SslMode) && self.ssl.mode != SslMode::VerifyFull {
                return Err(StoreUrlError::Value { parameter: "sslmode", expected: "verify-full where sslrootcert is system" });
            }
            self.ssl.mode = SslMode::VerifyFull;
        }
        Ok(self)
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for Password {}

impl FromStr for PostgresUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        if !["postgres", "postgresql"].contains(&scheme) {
            return Err(StoreUrlError::Scheme(scheme.to_owned()));
        }
        let rest = rest.strip_prefix("//").ok_or_else(|| unreadable("there is no // in it"))?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        // The parser of URLs knows one host and libpq several, so they are read one by one.
        let parsed = Url::parse(&format!("postgres://{login}@{DEFAULT_HOST}{tail}")).map_err(|error| unreadable(error.to_string()))?;
        let dbname = parsed.path().strip_prefix('/').unwrap_or_default();
        if parsed.fragment().is_some() || dbname.contains(['/', '@']) {
            return Err(unreadable("it has a / @ or # that is not encoded"));
        }
        let mut url = Self::unsaid();
        url.take_hosts(hosts)?;
        url.apply(Parameter::User, "user", &decoded(parsed.username()).map_err(unreadable)?)?;
        url.apply(Parameter::Password, "password", &decoded(parsed.password().unwrap_or_default()).map_err(unreadable)?)?;
        url.apply(Parameter::Dbname, "dbname", &decoded(dbname).map_err(unreadable)?)?;
        url.take_query(parsed.query().unwrap_or_default())?;
        url.typed_password = url.password.is_some();
        url.checked()
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = &self.user {
            write!(f, "{}@", encoded(user))?;
        }
        for (at, (name, port)) in self.hosts().iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let name = encoded(name);
            // Only an address of IPv6 has a colon in it.
            let name = if name.contains("%3A") { format!("[{}]", name.replace("%3A", ":")) } else { name };
            write!(f, "{comma}{name}:{port}")?;
        }
        self.dbname().map_or(Ok(()), |name| write!(f, "/{}", encoded(name)))
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn unreadable(why: impl Into<String>) -> StoreUrlError {
    StoreUrlError::Postgres(why.into())
}

fn or_default(name: &str) -> &str {
    if name.is_empty() { DEFAULT_HOST } else { name }
}

fn ports(text: &str) -> Option<Vec<u16>> {
    text.split(',').map(|port| if port.is_empty() { Some(DEFAULT_PORT) } else { port.parse().ok() }).collect()
}

/// One host of the list and its port; an empty name says none.
fn host(text: &str) -> Result<(String, Option<u16>), StoreUrlError> {
    let unnamed = text.is_empty() || text.starts_with(':');
    let filled = if unnamed { DEFAULT_HOST } else { "" };
    let parsed = Url::parse(&format!("postgres://{filled}{text}")).map_err(|error| unreadable(error.to_string()))?;
    if unnamed {
        return Ok((String::new(), parsed.port()));
    }
    let name = decoded(parsed.host_str().unwrap_or_default()).map_err(unreadable)?;
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
    Ok((bare.to_owned(), parsed.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> PostgresUrl {
        text.parse::<PostgresUrl>().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_address_is_shown_without_its_password_and_reads_as_itself_again() {
        let table = [
            ("postgres://h", "postgres://h:5432"),
            ("postgres://", "postgres://localhost:5432"),
            ("postgresql://me:secret@h:6000/d", "postgres://me@h:6000/d"),
            ("postgres://me:secret@h", "postgres://me@h:5432/me"),
            ("postgres://h/d?user=me&password=secret", "postgres://me@h:5432/d"),
            ("postgres:///d", "postgres://localhost:5432/d"),
            ("postgres://:6000/d", "postgres://localhost:6000/d"),
            ("postgres://me@/d?host=/var/run/postgresql", "postgres://me@%2Fvar%2Frun%2Fpostgresql:5432/d"),
            ("postgres://%2Ftmp/d", "postgres://%2Ftmp:5432/d"),
            ("postgres://h1:5433,h2/d", "postgres://h1:5433,h2:5432/d"),
            ("postgres://h1,h2/d?port=6000", "postgres://h1:6000,h2:6000/d"),
            ("postgres:///d?host=h1,/tmp&port=1,2", "postgres://h1:1,%2Ftmp:2/d"),
            ("postgres://[::1]:6000/d", "postgres://[::1]:6000/d"),
            ("postgres://a%40b:secret@h/my%20bars", "postgres://a%40b@h:5432/my%20bars"),
        ];
        for (text, shown) in table {
            let url = url(text);
            assert_eq!((url.to_string().as_str(), format!("{url:?}").as_str()), (shown, shown), "{text}");
            assert_eq!(shown.parse::<PostgresUrl>().unwrap().to_string(), shown);
            assert_eq!(url.has_password(), text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let url = url("postgres://a%40b:p%2Fw%25+%C3%A9@h/my%20bars?options=-c%20statement_timeout%3D5s&application_name=x%26y");
        assert_eq!((url.user.as_deref(), url.dbname()), (Some("a@b"), Some("my bars")));
        assert_eq!(url.password().unwrap().expose_secret(), "p/w%+é");
        assert_eq!((url.options.as_deref(), url.application_name.as_deref()), (Some("-c statement_timeout=5s"), Some("x&y")));
    }

    #[test]
    fn parameters_are_as_libpq_has_them() {
        let text = "postgres://h/d?sslmode=verify-ca&sslrootcert=/r.crt&sslcert=c.crt&sslkey=c.key&connect_timeout=9&target_session_attrs=read-write";
        let told = url(text);
        let files = SslOptions {
            mode: SslMode::VerifyCa,
            root_cert: Some(PathBuf::from("/r.crt")),
            cert: Some(PathBuf::from("c.crt")),
            key: Some(PathBuf::from("c.key")),
        };
        assert_eq!((told.ssl, told.connect_timeout_s, told.target_session_attrs), (files, 9, SessionAttrs::ReadWrite));
        let silent = url("postgres://h/d");
        assert_eq!((silent.ssl.mode, silent.connect_timeout_s), (SslMode::Prefer, 5));
        assert_eq!(url("postgres://h/d?ssl=true").ssl.mode, SslMode::Require);
        assert_eq!(url("postgres://h/d?sslrootcert=system").ssl.mode, SslMode::VerifyFull);
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_never_repeated() {
        let table = [
            ("postgres:secret", "no //"),
            ("postgres://u:secret/x@h/d", "not encoded"),
            ("postgres://u:secret#x@h/d", "not encoded"),
            ("postgres://u:12/secret@h/d", "not encoded"),
            ("postgres://u:12?secret@h/d", "no value"),
            ("postgres://u:12?secret=x@h/d", "a name that none has"),
            ("postgres://u:secret%zz@h/d", "two digits"),
            ("postgres://u:secret%ff@h/d", "UTF-8"),
            ("postgres://u:secret%00@h/d", "two digits"),
            ("postgres://u:secret@h/d#x", "not encoded"),
            ("postgres://u:secret@h:70000/d", "invalid port number"),
            ("postgres://u:secret@h/d?colour=secret", "'colour' is no parameter"),
            ("postgres://h/d?sslmode=secret", "sslmode of the PostgreSQL store must be disable, allow"),
            ("postgres://h/d?port=secret", "port of the PostgreSQL store must be a number"),
            ("postgres://h/d?port=0", "a number from 1"),
            ("postgres://h/d?connect_timeout=secret", "a number of seconds"),
            ("postgres://h/d?target_session_attrs=secret", "any or read-write"),
            ("postgres://h1,h2,h3/d?port=1,2", "3 hosts and 2 ports"),
            ("postgres://h/d?sslrootcert=system&sslmode=require", "verify-full where"),
        ];
        for (text, part) in table {
            let error = text.parse::<PostgresUrl>().expect_err(text).to_string();
            assert!(error.contains(part) && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn the_environment_says_what_the_address_does_not() {
        let all = environment(&[
            ("PGHOST", "there"),
            ("PGPORT", "6000"),
            ("PGUSER", "somebody"),
            ("PGPASSWORD", "secret"),
            ("PGDATABASE", "bars"),
            ("PGSSLMODE", "require"),
            ("PGSSLROOTCERT", "/r.crt"),
            ("PGCONNECT_TIMEOUT", "7"),
            ("PGAPPNAME", "desk"),
            ("USER", "login"),
            ("HOME", "/home/login"),
        ]);
        let filled = url("postgres://").with_environment(&all).unwrap();
        assert_eq!(filled.to_string(), "postgres://somebody@there:6000/bars");
        assert_eq!((filled.ssl.mode, filled.connect_timeout_s, filled.application_name.as_deref()), (SslMode::Require, 7, Some("desk")));
        assert_eq!((filled.password().unwrap().expose_secret(), filled.has_password()), ("secret", false), "it was not typed");
        assert_eq!(filled.home, Some(PathBuf::from("/home/login")));
        let typed = url("postgres://me:own@h:5432/d?sslmode=disable").with_environment(&all).unwrap();
        assert_eq!((typed.to_string().as_str(), typed.ssl.mode), ("postgres://me@h:5432/d", SslMode::Disable));
        assert_eq!((typed.password().unwrap().expose_secret(), typed.has_password()), ("own", true));
        let poor = url("postgres://h").with_environment(&environment(&[("USER", "login"), ("PGPORT", "")])).unwrap();
        assert_eq!(poor.to_string(), "postgres://login@h:5432/login");
        let wrong = url("postgres://h").with_environment(&environment(&[("PGSSLMODE", "secret")])).unwrap_err().to_string();
        assert!(wrong.starts_with("PGSSLMODE") && !wrong.contains("secret"), "{wrong}");
    }
}
