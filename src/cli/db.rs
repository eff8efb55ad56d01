//! `openbell db`: make a store, look it over, back it up, bring it back, move it.

use std::io::{IsTerminal, stderr};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::exit::{Done, Usage};
use crate::cli::output::print;
use crate::cli::session::{Globals, Session, block_on};
use crate::config::StoreUrl;
use crate::host::{environment, expand_home, shutdown_signal};
use crate::pipeline::Ranks;
use crate::store::{
    BackupOrder, CopyProgress, Creation, Manifest, Occupied, RestoreOrder, back_up, backup_way, copy, keep_newest, restore, schema_of,
};
use crate::widget::bytes;

/// Make a store, look it over, back it up, bring it back, move it.
#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Make the tables, even beside those of another program.
    #[command(after_help = "Example: openbell db init --store postgres://desk@db.example.com/market")]
    Init,
    /// Read the whole store for damage, or for tables that are not as they were made.
    #[command(after_help = "Example: openbell db check")]
    Check,
    /// Bring the tables of an older store up to this version.
    #[command(after_help = "Example: openbell db migrate")]
    Migrate,
    Backup(BackupArgs),
    Restore(RestoreArgs),
    Copy(CopyArgs),
}

/// Write the whole store into one file, also while an engine records into it; prints the name of the file.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell db backup --out /var/backups/openbell --keep 12")]
pub(crate) struct BackupArgs {
    /// The folder; the file is named after the time.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// When the new one is there, delete the oldest backups of this store in the folder, but for so many in all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    keep: Option<u16>,
}

/// Bring a backup back into an empty store, and see that it holds what was backed up.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell db restore /var/backups/openbell/openbell-20261121T060454Z.db")]
pub(crate) struct RestoreArgs {
    /// The backup.
    file: PathBuf,
    /// Give up what is in the store now.
    #[arg(long)]
    replace: bool,
}

/// Copy a store into an empty one of any kind; one that was stopped goes on where it was.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell db copy --source-url sqlite:openbell.db --target-url postgres://desk@db.example.com/market")]
pub(crate) struct CopyArgs {
    /// The store that is read.
    #[arg(long, value_name = "URL")]
    source_url: String,
    /// The store that is filled.
    #[arg(long, value_name = "URL")]
    target_url: String,
}

/// Does it, until a signal comes.
pub(crate) fn run(globals: &Globals, what: &Db) -> Result<Done> {
    let session = Session::new(globals)?;
    let work = async {
        match what {
            Db::Init => init(&session).await,
            Db::Check => check(&session).await,
            Db::Migrate => migrate(&session).await,
            Db::Backup(args) => backup(&session, args).await,
            Db::Restore(args) => bring_back(&session, args).await,
            Db::Copy(args) => copy_store(&session, args).await,
        }
    };
    block_on(async {
        tokio::select! {
            done = work => done,
            signal = shutdown_signal() => {
                signal?;
                eprintln!("openbell: stopped before it was done; the same command begins again, or goes on where this one was");
                Ok(Done::No)
            }
        }
    })
}

async fn init(session: &Session) -> Result<Done> {
    let store = session.open_store(Creation::Always).await?;
    let found = store.check().await?;
    for line in &found {
        eprintln!("openbell: {line}");
    }
    if !found.is_empty() {
        return Ok(Done::No);
    }
    eprintln!("openbell: {} is ready", session.store_url);
    Ok(Done::Yes)
}

async fn check(session: &Session) -> Result<Done> {
    let store = session.open_store(Creation::Never).await?;
    let found = store.check().await?;
    for line in &found {
        eprintln!("openbell: {line}");
    }
    if !found.is_empty() {
        return Ok(Done::No);
    }
    let status = store.status().await?;
    eprintln!(
        "openbell: {} is sound: {} bars, {} refused, {} violations",
        session.store_url, status.bars, status.quarantined, status.violations
    );
    Ok(Done::Yes)
}

async fn migrate(session: &Session) -> Result<Done> {
    let before = schema_of(&session.store_url).await?;
    // Only a store that is there is brought up to date.
    let creation = if before.is_some() { Creation::IfEmpty } else { Creation::Never };
    session.open_store(creation).await?;
    let after = schema_of(&session.store_url).await?;
    match (before, after) {
        (Some(before), Some(after)) if before != after => eprintln!("openbell: {}: schema {before} -> {after}", session.store_url),
        (_, after) => eprintln!("openbell: {}: schema {}: nothing to do", session.store_url, after.unwrap_or(0)),
    }
    Ok(Done::Yes)
}

async fn backup(session: &Session, args: &BackupArgs) -> Result<Done> {
    let (url, folder) = (&session.store_url, expand_home(&args.out));
    let store = session.open_store(Creation::Never).await?;
    let way = backup_way(url).await?;
    eprintln!("openbell: backing up {url} {way}");
    let order = BackupOrder { url, folder: &folder, at: session.clock.now() };
    let mut show = Show::new();
    let made = back_up(&*store, &order, &way, &mut |progress: CopyProgress| show.tell(progress)).await?;
    drop(show);
    let rows: u64 = made.manifest.tables.values().map(|table| table.rows).sum();
    eprintln!("openbell: {rows} rows in {}, read back and found whole", bytes(made.manifest.bytes));
    print(&format!("{}\n", made.path.display()))?;
    if let Some(keep) = args.keep {
        for path in keep_newest(&folder, &made.manifest.store, keep.into())? {
            eprintln!("openbell: deleted {}", path.display());
        }
    }
    Ok(Done::Yes)
}

async fn bring_back(session: &Session, args: &RestoreArgs) -> Result<Done> {
    let file = expand_home(&args.file);
    let manifest = Manifest::beside(&file)?;
    if manifest.is_none() && file.exists() {
        let sidecar = file.with_extension("json");
        eprintln!("openbell: warning: there is no {}: whether all is there that was backed up is not known", sidecar.display());
    }
    if args.replace
        && let Ok(store) = session.open_url(&session.store_url, Creation::Never).await
        && let waiting @ 1.. = session.spooled(&*store).await?
    {
        bail!("{waiting} rows wait in the spool for the store that would be replaced: 'openbell run' brings them in first");
    }
    let order = RestoreOrder {
        file: &file,
        manifest,
        url: &session.store_url,
        ranks: Ranks::new(session.config.section("sources").list("rank")),
        occupied: if args.replace { Occupied::Replace } else { Occupied::Refuse },
    };
    let mut show = Show::new();
    let tables = restore(&order, &mut |progress: CopyProgress| show.tell(progress)).await?;
    drop(show);
    let rows: u64 = tables.values().map(|table| table.rows).sum();
    let held_against = if order.manifest.is_some() { "what was backed up" } else { "what is in the file" };
    eprintln!("openbell: {} holds {held_against}: {rows} rows in {} tables", session.store_url, tables.len());
    Ok(Done::Yes)
}

async fn copy_store(session: &Session, args: &CopyArgs) -> Result<Done> {
    let environment = environment();
    let parse = |text: &str, option: &str| {
        let url = text.parse::<StoreUrl>().and_then(|url| url.with_environment(&environment));
        url.map_err(|e| Usage(format!("{option}: {e}")))
    };
    let (from, to) = (parse(&args.source_url, "--source-url")?, parse(&args.target_url, "--target-url")?);
    if from == to {
        return Err(Usage(format!("--source-url and --target-url are both {from}")).into());
    }
    let source = session.open_url(&from, Creation::Never).await?;
    let target = session.open_url(&to, Creation::IfEmpty).await?;
    let mut show = Show::new();
    let report = copy(&*source, &*target, &mut |progress: CopyProgress| show.tell(progress)).await?;
    drop(show);
    let again = if report.went_on { " (a copy that was stopped went on)" } else { "" };
    eprintln!("openbell: {to} holds what {from} holds: {} rows in {} tables{again}", report.rows(), report.tables.len());
    Ok(Done::Yes)
}

/// A bar on a terminal, nothing elsewhere.
struct Show {
    bar: ProgressBar,
    doing: &'static str,
}

impl Show {
    fn new() -> Self {
        let bar = if stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
        Self { bar, doing: "" }
    }

    fn tell(&mut self, progress: CopyProgress) {
        if self.doing != progress.doing {
            self.doing = progress.doing;
            let template = match progress.total {
                0 => "{prefix:12} {pos}  {msg}",
                _ => "{prefix:12} {bar:30} {pos}/{len}  {msg}  {eta}",
            };
            self.bar.reset();
            self.bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            self.bar.set_prefix(progress.doing);
        }
        self.bar.set_length(progress.total);
        self.bar.set_position(progress.done);
        self.bar.set_message(progress.what);
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
