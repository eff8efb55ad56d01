//! What commands start with: folders, config, store, engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::calendar::Calendars;
use crate::cli::exit::Usage;
use crate::config::{Config, Facts, RawConfig, SectionSpec, StoreUrl};
use crate::engine::{Duty, Engine, EngineHandle, Setup, Sources, config_sections, load_counts, open_providers, save_counts, spool_limit};
use crate::host::{Clock, Folders, LogRing, LogSink, environment, expand_home, is_private, start_log};
use crate::market::Symbol;
use crate::pane::PANES;
use crate::pipeline::Ranks;
use crate::store::{COPYING, Creation, Spool, Store, StoreError, open};

/// What every command knows of the machine and the person.
pub(crate) struct Session {
    pub(crate) folders: Folders,
    pub(crate) config_file: PathBuf,
    pub(crate) config: Config,
    pub(crate) store_url: StoreUrl,
    pub(crate) clock: Clock,
}

/// Options of every command.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Globals {
    /// Use this config file instead of the one in the config folder.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Use this store: sqlite:relative/path, sqlite:/absolute/path or postgres://user@host/database.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) store: Option<String>,
}

/// Every section that a config file may have.
pub(crate) fn sections() -> Vec<SectionSpec> {
    let mut sections = config_sections();
    let of_pane = |spec: &'static crate::pane::PaneSpec| SectionSpec {
        name: Box::leak(format!("pane.{}", spec.name).into_boxed_str()),
        sentence: spec.sentence,
        keys: spec.keys,
    };
    sections.extend(PANES.iter().filter(|spec| !spec.keys.is_empty()).map(of_pane));
    sections
}

impl Session {
    /// Reads the config; nothing is opened yet.
    pub(crate) fn new(globals: &Globals) -> Result<Self> {
        let folders = Folders::of_user().context("there is no home folder: set HOME")?;
        let environment = environment();
        let config_file = globals.config.clone().unwrap_or_else(|| folders.config_file());
        let config = load_config(&config_file, globals.config.is_some(), environment.clone())?;
        let store_url = store_url(globals, &environment, (&config, &config_file), &folders)?;
        Ok(Self { folders, config_file, config, store_url, clock: Clock::system() })
    }

    /// The calendars with the days of the person's own file.
    pub(crate) fn calendars(&self) -> Result<Calendars> {
        let named = self.config.section("calendar").text("days");
        let beside = self.config_file.with_file_name("calendar.toml");
        let path = if named.is_empty() { beside.clone() } else { expand_home(Path::new(named)) };
        if named.is_empty() && !path.exists() {
            return Ok(Calendars::embedded());
        }
        let text = std::fs::read_to_string(&path).map_err(|e| Usage(format!("[calendar] days: cannot read {}: {e}", path.display())))?;
        Calendars::embedded().with_user_days(&text).map_err(|e| Usage(format!("{}: {e}", path.display())).into())
    }

    /// Opens the store.
    pub(crate) async fn open_store(&self, creation: Creation) -> Result<Arc<dyn Store>> {
        let store = self.open_url(&self.store_url, creation).await?;
        match store.about(COPYING).await? {
            None => Ok(store),
            Some(_) => Err(StoreError::HalfCopied(store.name()).into()),
        }
    }

    /// Opens any store, as it is.
    pub(crate) async fn open_url(&self, url: &StoreUrl, creation: Creation) -> Result<Arc<dyn Store>> {
        let ranks = Ranks::new(self.config.section("sources").list("rank"));
        Ok(open(url, creation, ranks).await?)
    }

    /// Where batches wait while a server is away; a store on this machine needs none.
    async fn spool(&self, store: &dyn Store) -> Result<Option<Spool>> {
        if matches!(self.store_url, StoreUrl::Sqlite(_)) {
            return Ok(None);
        }
        let id = store.about("id").await?.context("the store does not say who it is: 'openbell db check' looks it over")?;
        Ok(Some(Spool::open(&self.spool_file(&id), &id, spool_limit(&self.config))?))
    }

    fn spool_file(&self, id: &str) -> PathBuf {
        self.folders.data.join(format!("spool-{id}.db"))
    }

    /// How many rows wait on this machine for a store.
    pub(crate) async fn spooled(&self, store: &dyn Store) -> Result<u64> {
        let id = store.about("id").await?.unwrap_or_default();
        if !self.spool_file(&id).exists() {
            return Ok(0);
        }
        Ok(Spool::open(&self.spool_file(&id), &id, spool_limit(&self.config))?.held().rows)
    }

    /// How often sources were asked, by whoever shares the store; without a store it is counted in this process only.
    pub(crate) async fn counted(&self, sources: &Sources) -> Counted {
        // A cap of a day that nobody keeps is none: where there is one, the store is made.
        let creation = if sources.any_is_capped() { Creation::IfEmpty } else { Creation::Never };
        let store = self.open_store(creation).await.ok();
        if let Some(store) = &store
            && let Err(error) = load_counts(store, sources.opened(), self.clock.now()).await
        {
            eprintln!("openbell: how often sources were asked is not known: {error}");
        }
        Counted(store)
    }

    /// Starts the log of this process.
    pub(crate) fn start_log(&self, clock: &Clock) -> Result<(LogRing, LogSink)> {
        start_log(Some(&self.folders.state), self.config.section("log").text("level"), clock.clone())
    }

    /// Symbols that a new store watches.
    pub(crate) fn first_symbols(&self) -> Result<Vec<Symbol>> {
        let typed = self.config.section("watchlist").list("symbols");
        typed.iter().map(|text| text.parse().map_err(|e| Usage(format!("[watchlist] symbols: {e}")).into())).collect()
    }

    /// Starts an engine on the store.
    pub(crate) async fn start_engine(
        &self,
        store: Arc<dyn Store>,
        log: LogRing,
        duty: Duty,
    ) -> Result<(Engine, EngineHandle, Arc<Calendars>)> {
        let calendars = Arc::new(self.calendars()?);
        let spool = if duty == Duty::Record { self.spool(&*store).await? } else { None };
        let setup = Setup {
            store,
            spool,
            config: self.config.clone(),
            clock: self.clock.clone(),
            calendars: Arc::clone(&calendars),
            providers: open_providers(&self.config, &self.clock),
            log,
            symbols: self.first_symbols()?,
            simulated: false,
            places: Some(self.folders.state.clone()),
            duty,
        };
        let (engine, handle) = Engine::start(setup).await?;
        Ok((engine, handle, calendars))
    }
}

/// Where it is kept how often sources were asked.
pub(crate) struct Counted(Option<Arc<dyn Store>>);

impl Counted {
    /// Keeps what this process asked.
    pub(crate) async fn save(&self, sources: &Sources) {
        let Some(store) = &self.0 else { return };
        if let Err(error) = save_counts(&**store, sources.opened()).await {
            eprintln!("openbell: cannot keep how often sources were asked: {error}");
        }
    }
}

fn load_config(path: &Path, named: bool, environment: BTreeMap<String, String>) -> Result<Config> {
    let sections = sections();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => String::new(),
        Err(error) => return Err(Usage(format!("cannot read {}: {error}", path.display())).into()),
    };
    let raw = RawConfig::parse(&text, &sections).map_err(|e| Usage(format!("{}: {e}", path.display())))?;
    let facts = Facts { environment, file_is_private: is_private(path) };
    Config::resolve(&raw, &sections, &facts).map_err(|e| Usage(format!("{}: {e}", path.display())).into())
}

/// The command line stands above the environment, that above the file; `DATABASE_URL` is taken only with a word.
fn store_url(
    globals: &Globals,
    environment: &BTreeMap<String, String>,
    (config, config_file): (&Config, &Path),
    folders: &Folders,
) -> Result<StoreUrl> {
    let own = environment.get("OPENBELL_STORE").map(String::as_str).filter(|url| !url.is_empty());
    let file = Some(config.section("store").text("url")).filter(|url| !url.is_empty());
    let common = environment.get("DATABASE_URL").map(String::as_str).filter(|url| !url.is_empty());
    let parse = |text: &str, from: &str| {
        let url = text.parse::<StoreUrl>().and_then(|url| url.with_environment(environment));
        url.map_err(|e| anyhow::Error::from(Usage(format!("{from}: {e}"))))
    };
    if let Some(text) = &globals.store {
        return parse(text, "--store");
    }
    if let Some(text) = own {
        return parse(text, "OPENBELL_STORE");
    }
    if let Some(text) = file {
        let url = parse(text, "[store] url")?;
        if url.has_password() && !is_private(config_file) {
            let reason = "[store] url holds a password, but others can read the file: chmod 600 it, or use PGPASSWORD";
            return Err(Usage(reason.to_owned()).into());
        }
        return Ok(url);
    }
    match common {
        Some(text) if ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| text.starts_with(scheme)) => {
            eprintln!("openbell: the store is that of DATABASE_URL; --store names another");
            parse(text, "DATABASE_URL")
        }
        // Another program's database is not an address that was meant for us.
        Some(_) | None => Ok(StoreUrl::Sqlite(folders.store_file())),
    }
}

/// How long the end of an engine may take before the program ends all the same.
pub(crate) const GOODBYE: Duration = Duration::from_secs(25);

/// Runs a command that waits for things.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("start the runtime")?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}
