//! A real PostgreSQL for tests and benches: a private cluster in a temporary folder, gone when this process is.
//!
//! It needs nothing of the other tests, so that benches can use it too. One binary has one shared cluster; who stops
//! and starts its server has one of its own.
#![allow(clippy::pedantic, clippy::disallowed_methods, clippy::unwrap_used, dead_code, reason = "who uses this file uses a part of it")]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// The oldest server that is supported.
const OLDEST: u32 = 15;
/// Waits for the end of its input, which comes however this process ends, and then leaves nothing behind.
const WATCH: &str = r#"trap '' HUP INT TERM; cat >/dev/null; "$1" stop -s -m immediate -D "$2/data"; rm -rf "$2""#;
/// How long a path to a socket may be, on the system that allows least.
const SOCKET_PATH: usize = 103;

/// How a cluster of one's own is to be.
#[derive(Clone, Debug, Default)]
pub struct Options<'a> {
    /// Whether a commit waits for the disk; then it also outlives the machine.
    pub fsync: bool,
    pub ssl: Option<SslFiles>,
    /// Lines of `pg_hba.conf` for connections by TCP; empty lets everybody in. The socket always does.
    pub hba: &'a str,
    /// Further settings.
    pub extra: &'a [(&'a str, &'a str)],
}

/// A private authority, and what it issued for a server.
#[derive(Clone, Debug)]
pub struct SslFiles {
    pub ca: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// A server with databases of its own. Dropped, it is stopped and its folder removed.
pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    owner: Option<Owner>,
    port: u16,
    watcher: Child,
}

/// A database of the shared cluster; it goes when the cluster goes.
pub struct TestDatabase {
    cluster: &'static Cluster,
    name: String,
}

/// Who runs the server where this process is root: the server refuses to be.
#[derive(Clone, Copy, Debug)]
struct Owner {
    user: u32,
    group: u32,
}

static SHARED: LazyLock<Result<Cluster, String>> = LazyLock::new(|| Cluster::start(&Options::default()));
static DATABASES: AtomicU32 = AtomicU32::new(0);
static LEFT_OUT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A fresh database in the shared cluster; `None` where there is no PostgreSQL, and then the test has to be left out.
pub async fn database() -> Option<TestDatabase> {
    let cluster = or_left_out("PostgreSQL", SHARED.as_ref().map_err(Clone::clone))?;
    let name = format!("openbell_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    cluster.make(&name).await;
    Some(TestDatabase { cluster, name })
}

/// A cluster of one's own; `None` where there is no PostgreSQL.
pub fn own(options: &Options<'_>) -> Option<Cluster> {
    or_left_out("PostgreSQL", Cluster::start(options))
}

/// What could not be had is left out, and that is said once, where the test's own output does not hide it.
pub fn or_left_out<T>(needed: &str, made: Result<T, String>) -> Option<T> {
    let reason = match made {
        Ok(made) => return Some(made),
        Err(reason) => reason,
    };
    let line = format!("openbell tests: left out what needs {needed}: {reason}\n");
    assert!(!std::env::var("OPENBELL_REQUIRE_POSTGRES").is_ok_and(|value| value == "1"), "{line}");
    if LEFT_OUT.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
        let _ = io::stderr().write_all(line.as_bytes());
    }
    None
}

impl TestDatabase {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address, for the user who may do everything.
    pub fn url(&self) -> String {
        self.cluster.url(&self.name)
    }

    /// Its address, for another user.
    pub fn url_of(&self, user: &str) -> String {
        self.cluster.url_of(user, &self.name)
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.cluster.address()
    }

    /// A connection to look in from outside.
    pub async fn client(&self) -> Client {
        self.cluster.client(&self.name).await
    }

    /// The rows of the answer, as `psql -At` prints them.
    pub async fn psql(&self, sql: &str) -> Vec<String> {
        self.cluster.psql(&self.name, sql).await
    }

    /// Drops it, whoever is connected: for those who need many.
    pub async fn remove(self) {
        self.cluster.psql("postgres", &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

impl Cluster {
    /// Makes a cluster and starts its server.
    pub fn start(options: &Options<'_>) -> Result<Self, String> {
        let programs = find_programs()?;
        let (folder, owner) = make_folder()?;
        let watcher = watch(&programs, &folder, owner)?;
        let mut cluster = Self { programs, folder, owner, port: 0, watcher };
        let data = cluster.data_folder().display().to_string();
        cluster.run("initdb", &["-D", &data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"])?;
        cluster.configure(options).map_err(|e| format!("cannot configure the cluster: {e}"))?;
        let mut started = Err(String::new());
        for _ in 0..5 {
            cluster.port = free_port().map_err(|e| format!("cannot find a free port: {e}"))?;
            started = cluster.serve();
            if !started.as_ref().is_err_and(|error| is_taken(error)) {
                break;
            }
        }
        started.map(|()| cluster)
    }

    /// The address of a database, by TCP, for the user who may do everything.
    pub fn url(&self, database: &str) -> String {
        self.url_of("postgres", database)
    }

    /// The same for another user; `user` may be `name:password`.
    pub fn url_of(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// The address of a database, by the socket in the cluster's folder.
    pub fn socket_url(&self, database: &str) -> String {
        let mut host = String::new();
        for byte in self.folder.as_os_str().as_encoded_bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => host.push(char::from(*byte)),
                byte => host.push_str(&format!("%{byte:02X}")),
            }
        }
        format!("postgres://postgres@{host}:{}/{database}", self.port)
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The folder of everything: the data, the socket, the log.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn data_folder(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Makes the server's user the owner of a file or a folder.
    pub fn give(&self, path: &Path) -> io::Result<()> {
        self.owner.map_or(Ok(()), |owner| chown(path, Some(owner.user), Some(owner.group)))
    }

    /// As a crash is: nobody is told, nothing is brought in order.
    pub fn stop_immediate(&self) -> Result<(), String> {
        self.end("immediate")
    }

    /// In order: transactions are rolled back, the data are written.
    pub fn stop(&self) -> Result<(), String> {
        self.end("fast")
    }

    /// Starts the server that was stopped, at the same address.
    pub fn start_again(&self) -> Result<(), String> {
        let mut tries = 0;
        loop {
            match self.serve() {
                // Somebody was given our port meanwhile.
                Err(error) if is_taken(&error) && tries < 100 => std::thread::sleep(Duration::from_millis(100)),
                started => return started,
            }
            tries += 1;
        }
    }

    /// Makes a database.
    pub async fn make(&self, database: &str) {
        self.psql("postgres", &format!("CREATE DATABASE {database}")).await;
    }

    /// A connection to look in from outside, by the socket.
    pub async fn client(&self, database: &str) -> Client {
        let mut config = Config::new();
        config.host_path(&self.folder).port(self.port).user("postgres").dbname(database).application_name("looking in");
        let (client, connection) = config.connect(NoTls).await.expect("a connection to look in from outside");
        tokio::spawn(async move {
            let _ = connection.await;
        });
        client
    }

    /// The rows of the answer, as `psql -At` prints them.
    pub async fn psql(&self, database: &str, sql: &str) -> Vec<String> {
        let answer = self.client(database).await.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let row = |message: &SimpleQueryMessage| {
            let SimpleQueryMessage::Row(row) = message else { return None };
            Some((0..row.len()).map(|n| row.get(n).unwrap_or_default()).collect::<Vec<_>>().join("|"))
        };
        answer.iter().filter_map(row).collect()
    }

    fn configure(&self, options: &Options<'_>) -> io::Result<()> {
        let mut settings = vec![
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("unix_socket_directories", self.folder.display().to_string()),
            ("max_connections", "200".to_owned()),
            ("fsync", if options.fsync { "on" } else { "off" }.to_owned()),
        ];
        if let Some(files) = &options.ssl {
            self.take_certificate(files)?;
            settings.push(("ssl", "on".to_owned()));
        }
        settings.extend(options.extra.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let lines: String = settings.iter().map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''"))).collect();
        let file = fs::OpenOptions::new().append(true).open(self.data_folder().join("postgresql.conf"));
        file?.write_all(lines.as_bytes())?;
        if !options.hba.is_empty() {
            fs::write(self.data_folder().join("pg_hba.conf"), format!("local all all trust\n{}\n", options.hba))?;
        }
        Ok(())
    }

    /// Gives the server another certificate; it takes it at its next start.
    pub fn take_certificate(&self, files: &SslFiles) -> io::Result<()> {
        for (from, name) in [(&files.certificate, "server.crt"), (&files.key, "server.key")] {
            let path = self.data_folder().join(name);
            fs::copy(from, &path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            self.give(&path)?;
        }
        Ok(())
    }

    fn serve(&self) -> Result<(), String> {
        let (data, log) = (self.data_folder().display().to_string(), self.folder.join("log"));
        let _ = fs::remove_file(&log);
        let port = format!("-p {}", self.port);
        let started = self.run("pg_ctl", &["start", "-w", "-s", "-D", &data, "-l", &log.display().to_string(), "-o", &port]);
        started.map_err(|error| format!("{error}: {}", fs::read_to_string(&log).unwrap_or_default()))
    }

    fn end(&self, mode: &str) -> Result<(), String> {
        self.run("pg_ctl", &["stop", "-w", "-s", "-m", mode, "-D", &self.data_folder().display().to_string()])
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let output = command(self.programs.join(program), self.owner).args(arguments).output();
        let output = output.map_err(|e| format!("cannot run {program}: {e}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{program} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

/// A certificate for a server that is called `names` (`DNS:localhost, IP:127.0.0.1`), by an authority that nobody else
/// knows. The files come into `folder`.
pub fn make_ssl_files(folder: &Path, names: &str) -> Result<SslFiles, String> {
    let config = format!(
        "[req]\ndistinguished_name = name\nprompt = no\n[name]\nCN = openbell tests\n\
         [authority]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign\nsubjectKeyIdentifier = hash\n\
         [server]\nbasicConstraints = critical, CA:FALSE\nextendedKeyUsage = serverAuth\nsubjectAltName = {names}\n"
    );
    fs::create_dir_all(folder).and_then(|()| fs::write(folder.join("config"), config)).map_err(|e| format!("cannot write: {e}"))?;
    let openssl = |line: &str| {
        let output = Command::new("openssl").args(line.split(' ')).current_dir(folder).stdin(Stdio::null()).output();
        match output {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(format!("openssl {line}: {}", String::from_utf8_lossy(&output.stderr).trim())),
            Err(error) => Err(format!("cannot run openssl: {error}")),
        }
    };
    let new = "-newkey rsa:2048 -nodes -config config";
    openssl(&format!("req -x509 {new} -extensions authority -days 30 -subj /CN=authority -keyout ca.key -out ca.crt"))?;
    openssl(&format!("req -new {new} -subj /CN=server -keyout server.key -out server.csr"))?;
    let issue = "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile config -extensions server";
    openssl(&format!("{issue} -out server.crt"))?;
    Ok(SslFiles { ca: folder.join("ca.crt"), certificate: folder.join("server.crt"), key: folder.join("server.key") })
}

/// The folder of `initdb`, `pg_ctl` and `postgres`.
fn find_programs() -> Result<PathBuf, String> {
    let mut too_old = None;
    for folder in program_folders() {
        if !["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file()) {
            continue;
        }
        match version(&folder) {
            Some(version) if version < OLDEST => too_old = Some(version),
            Some(_) => return Ok(folder),
            None => {}
        }
    }
    let found =
        too_old.map_or_else(|| "no server binaries found".to_owned(), |version| format!("the server binaries are of version {version}"));
    Err(format!("{found} (apt-get install postgresql, or set OPENBELL_POSTGRES_BIN)"))
}

fn program_folders() -> Vec<PathBuf> {
    if let Some(folder) = std::env::var_os("OPENBELL_POSTGRES_BIN") {
        return vec![folder.into()];
    }
    let mut folders = Vec::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    folders.extend(newest_first("/usr/lib/postgresql", ""));
    folders.extend(newest_first("/usr", "pgsql-"));
    folders.extend(["/usr/local/bin", "/usr/local/pgsql/bin"].map(PathBuf::from));
    for brewed in ["/opt/homebrew/opt", "/usr/local/opt", "/home/linuxbrew/.linuxbrew/opt"] {
        folders.extend(newest_first(brewed, "postgresql@"));
    }
    folders.extend(["/opt/homebrew/bin", "/Applications/Postgres.app/Contents/Versions/latest/bin"].map(PathBuf::from));
    folders
}

/// `bin` of each version whose folder is called `prefix` and a number.
fn newest_first(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let numbered = |entry: fs::DirEntry| Some((entry.file_name().to_str()?.strip_prefix(prefix)?.parse::<u32>().ok()?, entry.path()));
    let mut versions: Vec<_> = entries.filter_map(numbered).collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, path)| path.join("bin")).collect()
}

/// As in `postgres (PostgreSQL) 15.4`.
fn version(folder: &Path) -> Option<u32> {
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().nth(2)?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// A folder that the server's user can write, with a path that is short enough for a socket.
fn make_folder() -> Result<(PathBuf, Option<Owner>), String> {
    let mut owner = None;
    for parent in [std::env::temp_dir(), PathBuf::from("/tmp")] {
        let Ok(folder) = tempfile::Builder::new().prefix("openbell-pg-").tempdir_in(parent) else { continue };
        let path = folder.path();
        // Whoever makes a folder owns it.
        if fs::metadata(path).is_ok_and(|meta| meta.uid() == 0) {
            let other = unprivileged()?;
            chown(path, Some(other.user), Some(other.group)).map_err(|e| format!("cannot give a folder away: {e}"))?;
            owner = Some(other);
        }
        let fits = path.join(".s.PGSQL.65535").as_os_str().len() <= SOCKET_PATH;
        let can_write = command("test", owner).arg("-w").arg(path).status();
        if fits && can_write.is_ok_and(|status| status.success()) {
            return Ok((folder.keep(), owner));
        }
    }
    Err("no temporary folder is fit for a server".to_owned())
}

fn unprivileged() -> Result<Owner, String> {
    let id = |kind: &str, name: &str| -> Option<u32> {
        let output = Command::new("id").args([kind, name]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    let found = ["postgres", "nobody"].iter().find_map(|name| Some(Owner { user: id("-u", name)?, group: id("-g", name)? }));
    found.ok_or_else(|| "this is root, and there is neither a user 'postgres' nor 'nobody' to run the server".to_owned())
}

/// A command of the server's user, in surroundings that name no other server.
fn command(program: impl AsRef<OsStr>, owner: Option<Owner>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).current_dir("/");
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
    if let Some(owner) = owner {
        command.uid(owner.user).gid(owner.group);
    }
    command
}

/// Starts who ends it all. It holds nothing open that somebody may wait for the end of, and no key reaches it.
fn watch(programs: &Path, folder: &Path, owner: Option<Owner>) -> Result<Child, String> {
    let mut watcher = command("sh", owner);
    watcher.args(["-c", WATCH, "watch"]).arg(programs.join("pg_ctl")).arg(folder);
    watcher.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    watcher.spawn().map_err(|e| {
        let _ = fs::remove_dir_all(folder);
        format!("cannot run sh: {e}")
    })
}

/// A port that nobody has. Those that the system gives to whoever connects somewhere are taken only where all others
/// are: a server that is stopped must find its own again.
fn free_port() -> io::Result<u16> {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    for _ in 0..100 {
        let place = std::process::id().wrapping_mul(31).wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed));
        let port = 15_000 + u16::try_from(place % 17_000).expect("below 32,768");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr().map(|address| address.port())
}

fn is_taken(error: &str) -> bool {
    error.contains("could not bind") || error.contains("already in use")
}
