//! What commands start with: folders, config, store, engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::calendar::Calendars;
use crate::cli::exit::Usage;
use crate::config::{Config, Facts, RawConfig, SectionSpec, StoreUrl};
use crate::engine::{Duty, Engine, EngineHandle, Setup, config_sections, open_providers};
use crate::host::{Clock, EngineLock, Folders, LogRing, LogSink, environment, expand_home, is_private, start_log};
use crate::market::Symbol;
use crate::pane::PANES;
use crate::pipeline::Ranks;
use crate::store::{Creation, Sqlite, Store, StoreError};

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
    /// Use this store: sqlite:relative/path or sqlite:/absolute/path.
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
        let store_url = store_url(globals, &environment, &config, &folders)?;
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

    /// The file of the store.
    pub(crate) fn store_path(&self) -> PathBuf {
        let StoreUrl::Sqlite(path) = &self.store_url;
        expand_home(path)
    }

    /// Opens the store.
    pub(crate) fn open_store(&self, creation: Creation) -> Result<Arc<dyn Store>, StoreError> {
        let ranks = Ranks::new(self.config.section("sources").list("rank"));
        Ok(Arc::new(Sqlite::open(&self.store_path(), creation, ranks)?))
    }

    /// Takes the engine's lock; the store's folder is made for it.
    pub(crate) fn lock(&self) -> Result<EngineLock> {
        let path = self.store_path();
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        }
        Ok(EngineLock::take(&path)?)
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
        let setup = Setup {
            store,
            config: self.config.clone(),
            clock: self.clock.clone(),
            calendars: Arc::clone(&calendars),
            providers: open_providers(&self.config, &self.clock),
            log,
            symbols: self.first_symbols()?,
            simulated: false,
            duty,
        };
        let (engine, handle) = Engine::start(setup).await?;
        Ok((engine, handle, calendars))
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
fn store_url(globals: &Globals, environment: &BTreeMap<String, String>, config: &Config, folders: &Folders) -> Result<StoreUrl> {
    let own = environment.get("OPENBELL_STORE").map(String::as_str).filter(|url| !url.is_empty());
    let file = Some(config.section("store").text("url")).filter(|url| !url.is_empty());
    let common = environment.get("DATABASE_URL").map(String::as_str).filter(|url| !url.is_empty());
    let parse = |text: &str, from: &str| text.parse::<StoreUrl>().map_err(|e| anyhow::Error::from(Usage(format!("{from}: {e}"))));
    if let Some(text) = &globals.store {
        return parse(text, "--store");
    }
    if let Some(text) = own {
        return parse(text, "OPENBELL_STORE");
    }
    if let Some(text) = file {
        return parse(text, "[store] url");
    }
    match common {
        Some(text) if text.starts_with("sqlite:") => {
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
