//! A whole store into a file and back by pg_dump and pg_restore; and all tables as they were at one moment, while an engine writes.

use std::io::Read;
use std::path::Path;
use std::pin::pin;
use std::process::{Child, Command, Stdio};

use futures_util::future::try_join;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use secrecy::ExposeSecret;
use tokio::task::spawn_blocking;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use crate::config::{PostgresUrl, SessionAttrs};
use crate::store::contract::Store;
use crate::store::copy::{CopyError, Meter, Rows, digests, fill};
use crate::store::digest::Digests;
use crate::store::error::StoreError;
use crate::store::postgres::connect::{Alone, Connector};
use crate::store::postgres::explain::explain;
use crate::store::postgres::failure::Failure;
use crate::store::postgres::open::{HALF_RESTORED, known_schema, schema};
use crate::store::postgres::rows::{fields, select_sql};
use crate::store::postgres::stream::CHUNK;
use crate::store::table::{TABLES, TableSpec, VIEWS};

/// Ours beside [`TABLES`].
const OWN: [&str; 2] = ["about", "refinery_schema_history"];
/// A connection string that names nothing: where to go, and with what password, is in the environment of the tool.
const DATABASE: &str = "--dbname=application_name=openbell";

/// One database, and the tools that come with the server.
pub(crate) struct Dumper<'a> {
    url: &'a PostgresUrl,
    connector: Connector,
}

impl<'a> Dumper<'a> {
    pub(crate) fn new(url: &'a PostgresUrl) -> Result<Self, StoreError> {
        Ok(Self { url, connector: Connector::new(url)? })
    }

    /// The schema of the store; `None` when there are no tables of ours.
    pub(crate) async fn schema(&self) -> Result<Option<u32>, StoreError> {
        let name = self.connector.name();
        self.connected::<_, StoreError, _>(async |client: &Client| schema(client).await.map_err(|e| explain("read", &name, &e))).await
    }

    /// The newest schema this program knows.
    pub(crate) fn known_schema() -> u32 {
        known_schema()
    }

    /// Why pg_dump cannot do it; `None` when it can.
    pub(crate) async fn hindrance(&self) -> Result<Option<String>, StoreError> {
        let Some(tool) = major("pg_dump") else { return Ok(Some("pg_dump is not on the path".to_owned())) };
        let sql = "SELECT current_setting('server_version_num')::int / 10000, \
                   EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')";
        let name = self.connector.name();
        let asked = self.connected::<_, StoreError, _>(async |client: &Client| {
            let row = client.query_one(sql, &[]).await;
            let found = row.and_then(|row| Ok((row.try_get::<_, i32>(0)?, row.try_get::<_, bool>(1)?)));
            found.map_err(|e| explain("read", &name, &e))
        });
        let (server, timescale) = asked.await?;
        Ok(match (server, timescale) {
            (_, true) => Some("the tables are TimescaleDB's, which are not brought back by pg_restore alone".to_owned()),
            (server, _) if tool < server => Some(format!("pg_dump {tool} is older than the server ({server})")),
            _ => None,
        })
    }

    /// Lets pg_dump write our tables into `to`, and digests them as they were at the same moment.
    pub(crate) async fn dump(&self, to: &Path, meter: &mut Meter<'_>) -> Result<Digests, CopyError> {
        let name = self.connector.name();
        self.connected::<_, CopyError, _>(async |client: &Client| {
            let snapshot = freeze(client, &name).await?;
            let tables = our_tables(client, &name).await?;
            let mut command = self.tool("pg_dump");
            command.args(["--format=custom", "--no-password", DATABASE]).arg(format!("--snapshot={snapshot}"));
            command.args(tables).arg("--file").arg(to).stdout(Stdio::null());
            let folder = to.parent().unwrap_or(to).display().to_string();
            let dumped = async { run(command, &folder).await.map_err(CopyError::from) };
            let (_, tables) = try_join(dumped, digests(|table| rows(client, &name, table), meter)).await?;
            Ok(tables)
        })
        .await
    }

    /// Copies all tables, as they are at one moment, into another store.
    pub(crate) async fn spill(&self, target: &dyn Store, meter: &mut Meter<'_>) -> Result<Digests, CopyError> {
        let name = self.connector.name();
        self.connected::<_, CopyError, _>(async |client: &Client| {
            freeze(client, &name).await?;
            fill(|table| rows(client, &name, table), target, meter).await
        })
        .await
    }

    /// Puts what pg_dump wrote in the place of our tables; a mark stands there until it is whole. What others made on top of those is not dropped: then nothing is.
    pub(crate) async fn load(&self, file: &Path) -> Result<(), StoreError> {
        let name = self.connector.name();
        let tables: Vec<_> = TABLES.iter().map(|table| table.name).chain(OWN).collect();
        let script = format!(
            "BEGIN; SET LOCAL lock_timeout = '30s'; DROP VIEW IF EXISTS {}; DROP TABLE IF EXISTS {}; CREATE TABLE IF NOT EXISTS {HALF_RESTORED} (); COMMIT",
            VIEWS.join(", "),
            tables.join(", ")
        );
        let dropped = self.connected::<_, StoreError, _>(async |client: &Client| {
            client.batch_execute(&script).await.map_err(|e| explain("replace the tables of", &name, &e))
        });
        dropped.await?;
        let mut command = self.tool("pg_restore");
        command.args(["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-password", DATABASE]);
        command.arg(file).stdout(Stdio::null());
        run(command, &name).await?;
        let done = format!("DROP TABLE {HALF_RESTORED}");
        let whole = self.connected::<_, StoreError, _>(async |client: &Client| {
            client.batch_execute(&done).await.map_err(|e| explain("replace the tables of", &name, &e))
        });
        whole.await
    }

    /// Does `work` on a connection of its own.
    async fn connected<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: AsyncFnOnce(&Client) -> Result<T, E>,
    {
        let Alone { client, connection } = self.connector.alone().await?;
        let mut work = pin!(work(&client));
        tokio::select! {
            done = &mut work => done,
            () = connection => work.await,
        }
    }

    /// A tool that goes where we go. What its environment says elsewhere does not count.
    fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let url = self.url;
        let (hosts, ports): (Vec<_>, Vec<_>) = url.hosts().into_iter().map(|(host, port)| (host, port.to_string())).unzip();
        command.env("LC_ALL", "C").env_remove("PGHOSTADDR").env_remove("PGSERVICE");
        command.env("PGHOST", hosts.join(",")).env("PGPORT", ports.join(",")).env("PGSSLMODE", url.ssl.mode.name());
        command.env("PGCONNECT_TIMEOUT", url.connect_timeout_s.to_string());
        let session = match url.target_session_attrs {
            SessionAttrs::Any => "any",
            SessionAttrs::ReadWrite => "read-write",
        };
        let said = [
            ("PGTARGETSESSIONATTRS", Some(session)),
            ("PGUSER", url.user.as_deref()),
            ("PGDATABASE", url.dbname()),
            ("PGPASSWORD", url.password().map(ExposeSecret::expose_secret)),
            ("PGOPTIONS", url.options.as_deref()),
        ];
        command.envs(said.into_iter().filter_map(|(variable, value)| Some((variable, value?))));
        let files = [("PGSSLROOTCERT", &url.ssl.root_cert), ("PGSSLCERT", &url.ssl.cert), ("PGSSLKEY", &url.ssl.key)];
        command.envs(files.into_iter().filter_map(|(variable, path)| Some((variable, path.as_ref()?))));
        command
    }
}

/// Reads a file of pg_dump from its beginning to its end, without a database.
pub(crate) async fn prove(file: &Path) -> Result<(), StoreError> {
    let mut command = Command::new("pg_restore");
    command.env("LC_ALL", "C").arg("--file=-").arg(file).stdout(Stdio::null());
    run(command, &file.display().to_string()).await.map(drop)
}

/// The schema of the store in a file of pg_dump; `None` when there is none of ours in it.
pub(crate) async fn schema_in(file: &Path) -> Result<Option<u32>, StoreError> {
    let mut command = Command::new("pg_restore");
    command.env("LC_ALL", "C").args(["--data-only", "--table=refinery_schema_history", "--file=-"]).arg(file).stdout(Stdio::piped());
    let script = run(command, &file.display().to_string()).await?;
    // Rows come after COPY, the version first, up to a line with a backslash and a point.
    let rows = script.lines().skip_while(|line| !line.starts_with("COPY ")).skip(1).take_while(|line| *line != "\\.");
    Ok(rows.filter_map(|row| row.split('\t').next()?.parse().ok()).max())
}

/// Whether a tool is there.
pub(crate) fn has_tool(program: &str) -> bool {
    major(program).is_some()
}

/// The first number of a tool's version; `None` when it is not on the path.
fn major(program: &str) -> Option<i32> {
    let output = Command::new(program).arg("--version").env("LC_ALL", "C").stdin(Stdio::null()).output().ok()?;
    // pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split_whitespace().nth(2)?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// From here on this connection sees the database as it is now, and others may share its view by the name that is answered.
async fn freeze(client: &Client, name: &str) -> Result<String, StoreError> {
    let failed = |e: tokio_postgres::Error| explain("read", name, &e);
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
                 SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
    client.batch_execute(begin).await.map_err(failed)?;
    client.query_one("SELECT pg_export_snapshot()", &[]).await.and_then(|row| row.try_get(0)).map_err(failed)
}

/// One option for each of our tables, their partitions and our views: there may be tables of others beside them.
async fn our_tables(client: &Client, name: &str) -> Result<Vec<String>, StoreError> {
    let names: Vec<_> = TABLES.iter().map(|table| table.name).chain(OWN).chain(VIEWS.iter().copied()).collect();
    let sql = "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.oid IN (SELECT to_regclass(t.name)::oid FROM unnest($1::text[]) AS t (name) \
                               UNION SELECT relid::oid FROM pg_partition_tree(to_regclass('bars'))) ORDER BY 1, 2";
    let failed = |e: tokio_postgres::Error| explain("read", name, &e);
    let found = client.query(sql, &[&names]).await.map_err(failed)?;
    let quoted = |text: String| text.replace('"', "\"\"");
    let option = |row: &tokio_postgres::Row| -> Result<String, tokio_postgres::Error> {
        let (schema, table) = (quoted(row.try_get(0)?), quoted(row.try_get(1)?));
        Ok(format!("--table=\"{schema}\".\"{table}\""))
    };
    found.iter().map(option).collect::<Result<_, _>>().map_err(failed)
}

/// The rows of a table in the order of its key, streamed.
fn rows<'c>(client: &'c Client, name: &'c str, table: &'static TableSpec) -> Rows<'c> {
    let failed = move |failure: Failure| failure.explain("read", name);
    let asked = async move {
        let none: [&(dyn ToSql + Sync); 0] = [];
        let found = client.query_raw(select_sql(table).as_str(), none).await.map_err(|e| failed(e.into()))?;
        let read = found.map(move |row| row.map_err(Failure::from).and_then(|row| fields(table.columns, &row)));
        Ok::<_, StoreError>(read.try_chunks(CHUNK).map_err(move |error| failed(error.1)))
    };
    stream::once(asked).try_flatten().boxed()
}

/// A tool at work. It ends with whoever waits for it: half a dump is of no use.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a tool; the answer is what it wrote to stdout, if that is piped. `whose` disk it writes to is for the error.
async fn run(mut command: Command, whose: &str) -> Result<String, StoreError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |message: String| StoreError::Engine { doing: "run", name: name.clone(), message };
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = Running(command.spawn().map_err(|e| failed(e.to_string()))?);
    let (given, said) = tokio::join!(read(child.0.stdout.take()), read(child.0.stderr.take()));
    let status = child.0.wait().map_err(|e| failed(e.to_string()))?;
    if status.success() {
        Ok(given)
    } else if said.contains("No space left on device") {
        Err(StoreError::Full(whose.to_owned()))
    } else {
        let said = said.trim().replace('\n', "; ");
        Err(failed(if said.is_empty() { status.to_string() } else { said }))
    }
}

async fn read(pipe: Option<impl Read + Send + 'static>) -> String {
    let Some(mut pipe) = pipe else { return String::new() };
    let work = spawn_blocking(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    work.await.unwrap_or_default()
}
