//! Connections to a PostgreSQL server, made as libpq makes them: host after host, and TLS as `sslmode` has it. It asks
//! the server nothing and starts no task of its own.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{ConfigConnectImpl, Connect, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use futures_util::future::BoxFuture;
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tokio_postgres::config::{ChannelBinding as Binding, SslMode as Tls, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::{ChannelBinding, PostgresUrl, SessionAttrs, SslMode};
use crate::host::Clock;
use crate::store::error::StoreError;
use crate::store::postgres::explain::explain;
use crate::store::postgres::tls::connector;

/// Connections that the pool holds at most: one writes, the others read.
const CONNECTIONS: usize = 6;
/// What was sent and not acknowledged for so long is lost, and the connection with it.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// A silent connection is tried after `IDLE`, then every `BETWEEN`.
const IDLE: Duration = Duration::from_secs(30);
const BETWEEN: Duration = Duration::from_secs(10);
const TRIES: u32 = 3;

/// Makes connections to the server of one address.
#[derive(Clone)]
pub(crate) struct Connector {
    name: String,
    dialer: Dialer,
}

/// A connection that no pool holds.
pub(crate) struct Alone {
    pub(crate) client: Client,
    /// Carries the client's questions and answers while it is polled; it ends with the connection.
    pub(crate) connection: BoxFuture<'static, ()>,
}

impl Connector {
    /// Reads the certificates that the address asks for; the server is not reached yet.
    pub(crate) fn new(url: &PostgresUrl) -> Result<Self, StoreError> {
        let (name, hosts) = (url.to_string(), url.hosts());
        // A Unix socket has no TLS and needs none, whatever is asked for.
        let tls = if hosts.iter().all(|(host, _)| is_socket(host)) {
            None
        } else {
            let failed = |message| StoreError::Engine { doing: "prepare TLS to", name: name.clone(), message };
            connector(&url.ssl, url.home.as_deref()).map_err(failed)?
        };
        let mut attempts = Vec::new();
        for (host, port) in &hosts {
            let mut config = session(url);
            config.host(host).port(*port);
            attempts.extend(ways(&config, url.ssl.mode, tls.as_ref().filter(|_| !is_socket(host))));
        }
        let patience = (url.connect_timeout_s > 0).then(|| Duration::from_secs(url.connect_timeout_s.into()));
        Ok(Self { name, dialer: Dialer { attempts: attempts.into(), patience } })
    }

    /// The address, without secrets.
    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    /// A pool, still empty.
    pub(crate) fn pool(&self) -> Result<Pool, StoreError> {
        // A connection is asked whether it lives before it is lent: a network that was cut tells nobody.
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Verified };
        let manager = Manager::from_connect(Config::new(), self.dialer.clone(), manager_config);
        let all = self.dialer.limit_of_all();
        let pool = Pool::builder(manager).max_size(CONNECTIONS).runtime(Runtime::Tokio1);
        let pool = pool.wait_timeout(all).create_timeout(all).recycle_timeout(self.dialer.patience);
        pool.build().map_err(|error| StoreError::Engine {
            doing: "make a pool of connections to",
            name: self.name(),
            message: error.to_string(),
        })
    }

    /// One connection outside the pool, for who needs to keep it.
    pub(crate) async fn alone(&self) -> Result<Alone, StoreError> {
        self.dialer.first::<Alone>(Attempt::alone).await.map_err(|error| match error {
            Some(error) => explain("connect to", &self.name, &error),
            None => StoreError::Away { name: self.name(), message: "it does not answer".to_owned() },
        })
    }
}

/// The attempts in order, and how long a host may take to take a connection.
#[derive(Clone)]
struct Dialer {
    attempts: Arc<[Attempt]>,
    patience: Option<Duration>,
}

/// One way to one host.
struct Attempt {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    after: After,
}

/// When an attempt is made, given what the one before it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// It is a host's first: unless another host knew this user and did not let them in.
    Host,
    /// The same host took the connection, and then refused it for any reason.
    Refusal,
    /// The same host has no rule that lets this user in this way.
    NoRule,
}

/// How an attempt is made: for the pool, or alone.
type Way<T> = for<'a> fn(&'a Attempt) -> BoxFuture<'a, Result<T, Error>>;
/// A connection as the pool wants it: somebody drives it already.
type Driven = (Client, JoinHandle<()>);

impl Dialer {
    /// Makes the attempts until one connects. The error is the last that was told; without one, nobody answered in time.
    async fn first<T>(&self, way: Way<T>) -> Result<T, Option<Error>> {
        let mut last: Option<Error> = None;
        for attempt in &*self.attempts {
            if !attempt.after.follows(last.as_ref().and_then(Error::code)) {
                continue;
            }
            match within(self.limit(), way(attempt)).await {
                Some(Ok(connected)) => return Ok(connected),
                Some(Err(error)) => last = Some(error),
                // It hangs: the next host may not.
                None => {}
            }
        }
        Err(last)
    }

    /// A name may have two addresses, of which only one leads anywhere.
    fn limit(&self) -> Option<Duration> {
        self.patience.map(|patience| patience * 2)
    }

    fn limit_of_all(&self) -> Option<Duration> {
        let hosts = self.attempts.iter().filter(|attempt| attempt.after == After::Host).count();
        self.limit().map(|limit| limit * u32::try_from(hosts).unwrap_or(u32::MAX))
    }
}

impl Connect for Dialer {
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<Driven, Error>> {
        Box::pin(async move {
            match self.first::<Driven>(Attempt::driven).await {
                Ok(connected) => Ok(connected),
                Err(Some(error)) => Err(error),
                // No error of tokio-postgres can be made for it; the pool's own limit is over now too.
                Err(None) => pending().await,
            }
        })
    }
}

impl Attempt {
    /// The pool's own code starts the task that drives the connection.
    fn driven(&self) -> BoxFuture<'_, Result<Driven, Error>> {
        Box::pin(async move {
            match &self.tls {
                Some(tls) => ConfigConnectImpl { tls: tls.clone() }.connect(&self.config).await,
                None => ConfigConnectImpl { tls: NoTls }.connect(&self.config).await,
            }
        })
    }

    fn alone(&self) -> BoxFuture<'_, Result<Alone, Error>> {
        Box::pin(async move {
            if let Some(tls) = &self.tls {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                Ok(Alone { client, connection: told(connection) })
            } else {
                let (client, connection) = self.config.connect(NoTls).await?;
                Ok(Alone { client, connection: told(connection) })
            }
        })
    }
}

impl After {
    /// `said` is the last word of a server, if there was one.
    fn follows(self, said: Option<&SqlState>) -> bool {
        match self {
            Self::Host => ![Some(&SqlState::INVALID_PASSWORD), Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)].contains(&said),
            Self::Refusal => said.is_some(),
            Self::NoRule => said == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION),
        }
    }
}

/// What every connection has in common.
fn session(url: &PostgresUrl) -> Config {
    let mut config = Config::new();
    config.application_name(url.application_name.as_deref().unwrap_or("openbell"));
    config.tcp_user_timeout(UNACKNOWLEDGED).keepalives_idle(IDLE).keepalives_interval(BETWEEN).keepalives_retries(TRIES);
    config.target_session_attrs(match url.target_session_attrs {
        SessionAttrs::Any => TargetSessionAttrs::Any,
        SessionAttrs::ReadWrite => TargetSessionAttrs::ReadWrite,
    });
    config.channel_binding(match url.channel_binding {
        ChannelBinding::Disable => Binding::Disable,
        ChannelBinding::Prefer => Binding::Prefer,
        ChannelBinding::Require => Binding::Require,
    });
    if let Some(user) = &url.user {
        config.user(user);
    }
    if let Some(password) = url.password() {
        config.password(password.expose_secret());
    }
    if let Some(dbname) = url.dbname() {
        config.dbname(dbname);
    }
    if let Some(options) = &url.options {
        config.options(options);
    }
    if url.connect_timeout_s > 0 {
        config.connect_timeout(Duration::from_secs(url.connect_timeout_s.into()));
    }
    config
}

/// The ways to one host, in order.
fn ways(config: &Config, mode: SslMode, tls: Option<&MakeRustlsConnect>) -> Vec<Attempt> {
    let way = |ssl: Tls, tls: Option<&MakeRustlsConnect>, after: After| {
        let mut config = config.clone();
        config.ssl_mode(ssl);
        Attempt { config, tls: tls.cloned(), after }
    };
    let plain = |after| way(Tls::Disable, None, after);
    if tls.is_none() {
        return vec![plain(After::Host)];
    }
    match mode {
        SslMode::Disable => vec![plain(After::Host)],
        SslMode::Allow => vec![plain(After::Host), way(Tls::Require, tls, After::Refusal)],
        SslMode::Prefer => vec![way(Tls::Prefer, tls, After::Host), plain(After::NoRule)],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => vec![way(Tls::Require, tls, After::Host)],
    }
}

fn is_socket(host: &str) -> bool {
    host.starts_with('/')
}

/// `None` when the limit came first. The network keeps the machine's time, also when the market's is scaled.
async fn within<T>(limit: Option<Duration>, work: BoxFuture<'_, T>) -> Option<T> {
    match limit {
        Some(limit) => Clock::system().timeout(limit, work).await.ok(),
        None => Some(work.await),
    }
}

fn told(connection: impl Future<Output = Result<(), Error>> + Send + 'static) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        if let Err(error) = connection.await {
            tracing::debug!("a connection to PostgreSQL ended: {error}");
        }
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::store::postgres::explain::explain_pool;

    fn to(text: &str) -> Connector {
        Connector::new(&text.parse().unwrap()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_host_is_tried_with_and_without_tls_as_libpq_does() {
        let (plain, with) = ((Tls::Disable, false, After::Host), (Tls::Require, true, After::Host));
        let table = [
            ("postgres://h/d?sslmode=disable", vec![plain]),
            ("postgres://h/d?sslmode=allow", vec![plain, (Tls::Require, true, After::Refusal)]),
            ("postgres://h/d", vec![(Tls::Prefer, true, After::Host), (Tls::Disable, false, After::NoRule)]),
            ("postgres://h/d?sslmode=require", vec![with]),
            ("postgres://h/d?sslrootcert=system", vec![with]),
            ("postgres:///d?host=/tmp&sslmode=verify-full", vec![plain]),
            ("postgres:///d?host=/tmp,h&sslmode=require", vec![plain, with]),
        ];
        for (text, expected) in table {
            let made = to(text);
            let ways = made.dialer.attempts.iter().map(|way| (way.config.get_ssl_mode(), way.tls.is_some(), way.after));
            assert_eq!(ways.collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn another_host_is_not_asked_about_a_user_that_one_refused() {
        let (password, rule, starting) =
            (SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION, SqlState::CANNOT_CONNECT_NOW);
        let table = [
            (After::Host, [true, false, false, true]),
            (After::Refusal, [false, true, true, true]),
            (After::NoRule, [false, false, true, false]),
        ];
        for (after, expected) in table {
            assert_eq!([None, Some(&password), Some(&rule), Some(&starting)].map(|said| after.follows(said)), expected, "{after:?}");
        }
    }

    #[test]
    fn the_session_is_as_the_address_says() {
        let made = to(
            "postgres://me:pw@h1,h2:6000/d?connect_timeout=3&options=-c%20x%3D1&target_session_attrs=read-write&channel_binding=require",
        );
        let config = &made.dialer.attempts[2].config;
        assert_eq!((config.get_user(), config.get_dbname(), config.get_password()), (Some("me"), Some("d"), Some(&b"pw"[..])));
        assert_eq!(
            (config.get_ports(), config.get_options(), config.get_application_name()),
            (&[6000][..], Some("-c x=1"), Some("openbell"))
        );
        assert_eq!((config.get_target_session_attrs(), config.get_channel_binding()), (TargetSessionAttrs::ReadWrite, Binding::Require));
        assert_eq!((made.dialer.limit(), made.dialer.limit_of_all()), (Some(Duration::from_secs(6)), Some(Duration::from_secs(12))));
        assert_eq!(made.name(), "postgres://me@h1:5432,h2:6000/d");
        assert_eq!(to("postgres://h/d?connect_timeout=0").dialer.limit_of_all(), None);
    }

    /// A server without TLS that takes one connection for each code, refuses it so, and says whether TLS was asked for.
    async fn refuse(listener: &TcpListener, codes: &[&str]) -> Vec<bool> {
        let mut asked = Vec::new();
        for code in codes {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut wants_tls = false;
            while let Ok(length) = socket.read_u32().await {
                let mut message = vec![0; usize::try_from(length).unwrap() - 4];
                socket.read_exact(&mut message).await.unwrap();
                if message.len() > 4 {
                    break;
                }
                wants_tls = true;
                socket.write_all(b"N").await.unwrap();
            }
            asked.push(wants_tls);
            let fields = format!("SFATAL\0C{code}\0Mno entry\0\0");
            let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
            // The client may be gone already.
            let _ = socket.write_all(&[&b"E"[..], &length, fields.as_bytes()].concat()).await;
        }
        asked
    }

    #[tokio::test]
    async fn a_server_that_refuses_one_way_is_asked_the_other_way() {
        let table = [
            ("disable", vec!["28000"], vec![false], "may not log in (no entry)"),
            ("prefer", vec!["28P01"], vec![true], "the password is wrong"),
            ("prefer", vec!["28000", "28P01"], vec![true, false], "the password is wrong"),
            ("allow", vec!["28000", "28000"], vec![false, true], "does not support TLS"),
            ("require", vec!["28000"], vec![true], "does not support TLS"),
        ];
        for (mode, codes, expected, part) in table {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let made = to(&format!("postgres://me:pw@{address}/d?sslmode={mode}"));
            let (answer, asked) = tokio::join!(made.alone(), refuse(&listener, &codes));
            let Err(error) = answer else { panic!("{mode}: it let us in") };
            assert!(matches!(error, StoreError::Refused { .. }) && error.to_string().contains(part), "{mode}: {error}");
            assert_eq!(asked, expected, "{mode}");
        }
    }

    /// The time is tokio's, which passes at once where nothing else happens.
    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_not_there_or_does_not_answer_is_away() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        for address in [silent.local_addr().unwrap(), closed] {
            let made = to(&format!("postgres://me:pw@{address}/d"));
            let Err(error) = made.alone().await else { panic!("nobody let us in") };
            assert!(matches!(error, StoreError::Away { .. }), "{error}");
            let Err(error) = made.pool().unwrap().get().await else { panic!("nobody let us in") };
            assert!(matches!(explain_pool("read", "x", &error), StoreError::Away { .. }), "{error}");
        }
    }
}
