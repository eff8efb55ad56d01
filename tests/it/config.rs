//! What a config file may say, what it is told when it is wrong, and which store is opened.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use openbell::config::{Config, ConfigError, Facts, KeyKind, KeySpec, RawConfig, SectionSpec, example};
use openbell::engine::config_sections;
use openbell::pane::PANES;
use secrecy::ExposeSecret;
use tempfile::TempDir;

/// Every section that a file may have, those of panes too.
fn sections() -> Vec<SectionSpec> {
    let mut sections = config_sections();
    for spec in PANES.iter().filter(|spec| !spec.keys.is_empty()) {
        sections.push(SectionSpec { name: format!("pane.{}", spec.name).leak(), sentence: spec.sentence, keys: spec.keys });
    }
    sections
}

/// Each key with the name of its section.
fn keys() -> Vec<(&'static str, &'static KeySpec)> {
    sections().into_iter().flat_map(|section| section.keys.iter().map(move |key| (section.name, key))).collect()
}

fn parse(text: &str) -> Result<RawConfig, ConfigError> {
    RawConfig::parse(text, &sections())
}

fn resolve(text: &str) -> Config {
    let raw = parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    Config::resolve(&raw, &sections(), &Facts::default()).expect("nothing in it is secret")
}

fn wrong(text: &str) -> ConfigError {
    parse(text).expect_err(text)
}

/// The line and column where `part` begins, counted from 1.
fn place(text: &str, part: &str) -> (usize, usize) {
    let before = &text[..text.find(part).expect("the part is in the text")];
    (before.matches('\n').count() + 1, before.chars().rev().take_while(|c| *c != '\n').count() + 1)
}

#[test]
fn a_typo_is_told_with_its_place_and_the_nearest_name() {
    // Text, what is wrong in it, and what the message says.
    let table = [
        ("[screen]\nthme = \"dark\"\n", "thme", "there is no key 'thme' in [screen]; did you mean 'theme'?"),
        ("# a comment\n\n[log]\n  lvel = \"info\"\n", "lvel", "did you mean 'level'?"),
        ("[scren]\n", "scren", "there is no section [scren]; did you mean 'screen'?"),
        ("[store]\n[provider.yaho]\nenabled = true\n", "yaho]", "there is no section [provider.yaho]; did you mean 'provider.yahoo'?"),
        (
            "[provider.yahoo]\nenabled = true\nenbled = false\n",
            "enbled",
            "there is no key 'enbled' in [provider.yahoo]; did you mean 'enabled'?",
        ),
        ("[provider.coinbase]\nuser_agent = \"x\"\n", "user_agent", "there is no key 'user_agent' in [provider.coinbase]"),
        ("theme = \"dark\"\n", "theme", "there is no key 'theme' at the top level"),
        ("[screen.theme]\n", "theme]", "there is no section [screen.theme]"),
        ("store = { url = \"sqlite:ä.db\", ulr = \"x\" }\n", "ulr", "there is no key 'ulr' in [store]; did you mean 'url'?"),
        ("[watchlist]\nzzzzzzzzzz = 1\n", "zzzzzzzzzz", "there is no key 'zzzzzzzzzz' in [watchlist]"),
    ];
    for (text, part, message) in table {
        let error = wrong(text);
        assert_eq!((error.line, error.column), place(text, part), "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    }
    let far = wrong("[watchlist]\nzzzzzzzzzz = 1\n").message;
    assert!(!far.contains("did you mean"), "nothing is near: {far}");
    assert_eq!(wrong("[screen]\nthme = 1\n").to_string().find("line 2, column 1: "), Some(0));
}

/// Values that a kind of key does not take, as TOML.
fn refused(kind: KeyKind) -> Vec<String> {
    let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    match kind {
        KeyKind::Text | KeyKind::Secret(_) => texts(&["1", "true", "[\"a\"]", "2026-11-25"]),
        KeyKind::Url => texts(&["1", "true", "\"\"", "\"nonsense\"", "\"ftp://example.com\"", "\"http://\"", "\"HTTP//x\""]),
        KeyKind::Flag => texts(&["1", "0", "\"true\"", "[]"]),
        KeyKind::Integer { min, max } => {
            let mut values = texts(&["\"5\"", "5.5", "true", "99999999999999999999"]);
            values.extend([min.checked_sub(1), max.checked_add(1)].into_iter().flatten().map(|number| number.to_string()));
            values
        }
        KeyKind::Choice(_) => texts(&["\"nonsense\"", "\"\"", "1", "true"]),
        KeyKind::TextList | KeyKind::Sources => texts(&["\"AAPL\"", "[1]", "[\"AAPL\", 2]", "true"]),
        KeyKind::Choices(choices) => texts(&["\"nonsense\"", "[\"nonsense\"]", "[1]", "true", &format!("\"{}\"", choices[0])]),
    }
}

/// Values that a kind of key takes.
fn taken(kind: KeyKind) -> Vec<String> {
    let quoted = |text: &&str| format!("\"{text}\"");
    match kind {
        KeyKind::Text | KeyKind::Secret(_) => vec!["\"\"".to_owned(), "'it is \"so\"'".to_owned()],
        KeyKind::Url => ["http://127.0.0.1:1", "https://a.b", "ws://x", "wss://x/y?z=1"].iter().map(quoted).collect(),
        KeyKind::Flag => vec!["true".to_owned(), "false".to_owned()],
        KeyKind::Integer { min, max } => vec![min.to_string(), max.to_string(), format!("{min:#x}")],
        KeyKind::Choice(choices) => choices.iter().map(quoted).collect(),
        KeyKind::TextList => vec!["[]".to_owned(), "[\"BTC-USD\"]".to_owned()],
        KeyKind::Choices(choices) => vec!["[]".to_owned(), format!("{choices:?}")],
        KeyKind::Sources => vec!["[]".to_owned(), "[\"kraken\"]".to_owned(), "[\"yahoo\", \"alpaca:iex\"]".to_owned()],
    }
}

#[test]
fn every_key_refuses_what_it_cannot_hold_and_says_where_and_what_it_wants() {
    for (section, key) in keys() {
        for value in refused(key.kind) {
            let text = format!("[{section}]\n{} = {value}\n", key.name);
            let error = wrong(&text);
            assert_eq!((error.line, error.column), (2, key.name.len() + 4), "{text}: {error}");
            assert!(error.message.starts_with(&format!("{section}.{} must be ", key.name)), "{text}: {error}");
        }
    }
    let range = wrong("[screen]\nframes_per_second = 9\n").message;
    assert!(range.ends_with("must be a whole number from 1 to 4"), "{range}");
    let choice = wrong("[screen]\ntheme = \"drak\"\n").message;
    assert!(choice.ends_with("must be one of dark, light, plain; did you mean 'dark'?"), "{choice}");
    let channel = wrong("[provider.alpaca]\nchannels = [\"trades\", \"qoutes\"]\n").message;
    let channels = "trades, quotes, bars, updatedBars, dailyBars, statuses";
    assert!(channel.ends_with(&format!("must be a list of {channels}, not 'qoutes'; did you mean 'quotes'?")), "{channel}");
}

#[test]
fn an_order_of_sources_names_each_once_and_only_feeds_that_there_are() {
    let table = [
        ("[\"kraken\", \"kraken\"]", "names 'kraken' twice"),
        ("[\"alpca\"]", "names no source with 'alpca'; did you mean 'alpaca'?"),
        ("[\"alpaca:sop\"]", "names no feed with 'alpaca:sop': alpaca has iex, sip, delayed_sip, test; did you mean 'sip'?"),
        ("[\"kraken:iex\"]", "names no feed with 'kraken:iex': kraken has no feeds of its own"),
    ];
    for (value, message) in table {
        assert_eq!(wrong(&format!("[sources]\nrank = {value}\n")).message, format!("sources.rank {message}"));
    }
    assert_eq!(wrong("[provider.polygon]\nchannels = [\"T\", \"T\"]\n").message, "provider.polygon.channels names 'T' twice");
}

#[test]
fn every_key_takes_what_it_can_hold() {
    for (section, key) in keys() {
        for value in taken(key.kind) {
            let text = format!("[{section}]\n{} = {value}\n", key.name);
            assert!(parse(&text).is_ok(), "{text}: {:?}", parse(&text));
        }
    }
    assert_eq!(resolve("[provider.yahoo]\npoll_s = 1_000\n").section("provider.yahoo").integer("poll_s"), 1_000);
}

/// The value of a key, as whoever needs it would read it.
fn read(config: &Config, section: &str, key: &KeySpec) -> String {
    let section = config.section(section);
    match key.kind {
        KeyKind::Text | KeyKind::Url | KeyKind::Choice(_) => format!("{:?}", section.text(key.name)),
        KeyKind::Flag => section.flag(key.name).to_string(),
        KeyKind::Integer { .. } => section.integer(key.name).to_string(),
        KeyKind::TextList | KeyKind::Sources | KeyKind::Choices(_) => format!("{:?}", section.list(key.name)),
        KeyKind::Secret(_) => "\"\"".to_owned(),
    }
}

#[test]
fn a_key_that_is_not_typed_has_its_default_and_every_default_is_one_it_may_hold() {
    let empty = resolve("");
    for (section, key) in keys() {
        let typed = format!("[{section}]\n{} = {}\n", key.name, key.default);
        let config = resolve(&typed);
        assert_eq!(read(&empty, section, key), read(&config, section, key), "{section}.{}", key.name);
        assert_eq!(read(&config, section, key).replace(' ', ""), key.default.replace(' ', ""), "{section}.{}", key.name);
    }
}

#[test]
fn a_key_that_is_typed_has_what_was_typed_and_changes_no_other() {
    let empty = resolve("");
    for (section, key) in keys().into_iter().filter(|(_, key)| !matches!(key.kind, KeyKind::Secret(_))) {
        let other = taken(key.kind).into_iter().find(|value| read(&empty, section, key) != *value).expect("another value");
        let config = resolve(&format!("[{section}]\n{} = {other}\n", key.name));
        let changed: Vec<_> = keys().into_iter().filter(|(s, k)| read(&config, s, k) != read(&empty, s, k)).collect();
        assert_eq!(changed.len(), 1, "{section}.{} = {other}", key.name);
        assert_eq!((changed[0].0, changed[0].1.name), (section, key.name));
    }
}

#[test]
fn a_mistake_of_syntax_is_told_with_its_line() {
    let table =
        [("[screen", 1), ("[screen]\ntheme = \n", 2), ("[log]\n\nlevel = \"info\n", 3), ("[log]\nlevel = \"info\"\nlevel = \"warn\"\n", 3)];
    for (text, line) in table {
        let error = wrong(text);
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.column >= 1 && !error.message.is_empty(), "{text}: {error}");
    }
}

const SECRET: &str = "hunter2hunter2";
const PAID: &[SectionSpec] = &[SectionSpec {
    name: "provider.paid",
    sentence: "A source that wants a key.",
    keys: &[KeySpec { name: "api_key", sentence: "The key.", default: "\"\"", kind: KeyKind::Secret(&["PAID_API_KEY", "OLD_API_KEY"]) }],
}];

#[test]
fn an_api_key_is_never_printed() {
    let raw = RawConfig::parse(&format!("[provider.paid]\napi_key = \"{SECRET}\"\n"), PAID).unwrap();
    assert!(!format!("{raw:?}").contains(SECRET), "as typed");
    let private = Facts { environment: BTreeMap::new(), file_is_private: true };
    let config = Config::resolve(&raw, PAID, &private).unwrap();
    let key = config.section("provider.paid").secret("api_key").expect("it was typed");
    assert_eq!(key.expose_secret(), SECRET);
    assert!(!format!("{config:?} {:?} {key:?}", config.section("provider.paid")).contains(SECRET), "as meant");

    let open = Facts { environment: BTreeMap::new(), file_is_private: false };
    let error = Config::resolve(&raw, PAID, &open).expect_err("others can read the file");
    assert!(error.contains("chmod 600") && error.contains("[provider.paid]") && !error.contains(SECRET), "{error}");
    let empty = RawConfig::parse("[provider.paid]\napi_key = \"\"\n", PAID).unwrap();
    assert!(Config::resolve(&empty, PAID, &open).unwrap().section("provider.paid").secret("api_key").is_none());
}

#[test]
fn a_key_of_the_environment_stands_above_that_of_the_file() {
    let raw = RawConfig::parse("[provider.paid]\napi_key = \"typed\"\n", PAID).unwrap();
    let none = RawConfig::parse("", PAID).unwrap();
    let table: [(&[(&str, &str)], &RawConfig, Option<&str>); 5] = [
        (&[], &raw, Some("typed")),
        (&[("OLD_API_KEY", "old")], &raw, Some("old")),
        (&[("OLD_API_KEY", "old"), ("PAID_API_KEY", " new\n")], &raw, Some("new")),
        (&[("PAID_API_KEY", "")], &none, None),
        (&[("OTHER_API_KEY", "x")], &none, None),
    ];
    for (variables, raw, expected) in table {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let config = Config::resolve(raw, PAID, &Facts { environment, file_is_private: true }).unwrap();
        let secret = config.section("provider.paid").secret("api_key").map(|secret| secret.expose_secret().to_owned());
        assert_eq!(secret.as_deref(), expected, "{variables:?}");
    }
}

#[test]
fn a_source_that_is_not_there_is_told_with_its_place() {
    let error = wrong("[sources.live]\ncrypto = [\"krakn\"]\n");
    assert_eq!((error.line, error.column), (2, 10), "{error}");
    assert!(error.message.contains("names no source with 'krakn'; did you mean 'kraken'?"), "{error}");
}

#[test]
fn an_api_key_is_not_quoted_in_an_error_about_it() {
    for text in [
        format!("[provider.paid]\napi_key = \"{SECRET}\n"),
        format!("[provider.paid]\napi_key = [\"{SECRET}\"]\n"),
        format!("[provider.paid]\napi_key = {SECRET}\n"),
    ] {
        let error = RawConfig::parse(&text, PAID).expect_err(&text);
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
    }
}

#[test]
fn the_example_file_is_that_of_the_sections_and_holds_every_key() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml")).expect("the example file");
    assert_eq!(text, example(&sections()), "openbell config example > config.example.toml");
    let config = resolve(&text);
    let empty = resolve("");
    let table: toml::Table = text.parse().expect("TOML");
    for (section, key) in keys() {
        let holds =
            section.split('.').try_fold(&table, |table, part| table.get(part)?.as_table()).is_some_and(|t| t.contains_key(key.name));
        assert!(holds, "{section}.{}", key.name);
        assert_eq!(read(&config, section, key), read(&empty, section, key), "{section}.{}", key.name);
    }
}

// ── through the program ──

/// A home folder of its own; nothing in it reaches a network.
struct Home(TempDir);

/// No source is asked for anything.
const QUIET: &str = "[provider.yahoo]\nenabled = false\n[provider.coinbase]\nenabled = false\n[provider.kraken]\nenabled = false\n[provider.binance]\nenabled = false\n";

impl Home {
    fn new(config: &str) -> Self {
        let home = Self(TempDir::new().unwrap());
        fs::create_dir_all(home.config().parent().unwrap()).unwrap();
        fs::write(home.config(), config).unwrap();
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.path("config/openbell/config.toml")
    }

    /// One frame, at once; that opens the store.
    fn screen(&self, options: &[&str], environment: &[(&str, String)]) -> Output {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_openbell"));
        command.args(["screen", "--size", "60x20", "--after", "0s"]).args(options);
        command.env_clear().current_dir(self.0.path()).env("HOME", self.0.path());
        for kind in ["CONFIG", "DATA", "STATE", "CACHE"] {
            command.env(format!("XDG_{kind}_HOME"), self.path(&kind.to_lowercase()));
        }
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.timeout(std::time::Duration::from_secs(60)).output().expect("it runs")
    }

    /// The stores that are there now.
    fn stores(&self) -> Vec<&'static str> {
        let known = ["cli.db", "own.db", "file.db", "common.db", "dotenv.db", "data/openbell/openbell.db"];
        known.into_iter().filter(|name| self.path(name).exists()).collect()
    }

    fn url(&self, name: &str) -> String {
        format!("sqlite:{}", self.path(name).display())
    }
}

#[track_caller]
fn check_refused(output: &Output, parts: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty(), "what is wrong is not said on stdout");
    for part in parts {
        assert!(said.contains(part), "'{part}' is missing in: {said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn the_program_tells_file_line_column_and_the_nearest_key() {
    let home = Home::new("# mine\n[screen]\nthme = \"dark\"\n");
    let file = home.config().display().to_string();
    let parts = [file.as_str(), "line 3, column 1", "'thme'", "did you mean 'theme'?"];
    check_refused(&home.screen(&[], &[]), &parts);
    let named = Home::new(QUIET);
    let mine = named.path("mine.toml");
    fs::write(&mine, "[log]\nlevel = \"loud\"\n").unwrap();
    let mine = mine.display().to_string();
    check_refused(&named.screen(&["--config", mine.as_str()], &[]), &[mine.as_str(), "line 2, column 9", "log.level must be one of"]);
    assert_eq!((home.stores(), named.stores()), (Vec::new(), Vec::new()), "nothing was opened");
}

#[test]
fn a_config_file_that_was_named_and_is_missing_is_an_error_and_another_is_not() {
    let home = Home::new(QUIET);
    check_refused(&home.screen(&["--config", "nowhere.toml"], &[]), &["nowhere.toml"]);
    assert_eq!(home.stores(), Vec::<&str>::new());
}

#[test]
fn an_address_that_is_none_of_ours_is_refused_and_its_password_is_not_shown() {
    let home = Home::new(QUIET);
    for url in ["postgres://me:hunter2@host/db?colour=hunter2", "postgresql://me:hunter2@host:99999/db"] {
        check_refused(&home.screen(&["--store", url], &[]), &["--store", "PostgreSQL"]);
    }
    check_refused(&home.screen(&["--store", "sqlite:"], &[]), &["names no file"]);
    let own = [("OPENBELL_STORE", "mysql://me:hunter2@host/db".to_owned())];
    check_refused(&home.screen(&[], &own), &["OPENBELL_STORE", "mysql"]);
    let typed = Home::new(&format!("{QUIET}[store]\nurl = \"oracle://me:hunter2@host\"\n"));
    check_refused(&typed.screen(&[], &[]), &["[store] url", "oracle"]);
    assert_eq!((home.stores(), typed.stores()), (Vec::new(), Vec::new()));
}

#[test]
fn the_command_line_stands_above_the_environment_and_that_above_the_file() {
    // What is given, and the one store that is opened.
    let table = [
        (["cli", "own", "file", "common"], "cli.db"),
        (["", "own", "file", "common"], "own.db"),
        (["", "", "file", "common"], "file.db"),
        (["", "", "", "common"], "common.db"),
        (["", "", "", ""], "data/openbell/openbell.db"),
    ];
    for ([cli, own, file, common], wanted) in table {
        let home = Home::new("");
        let url = |name: &str| if name.is_empty() { String::new() } else { home.url(&format!("{name}.db")) };
        fs::write(home.config(), format!("{QUIET}[store]\nurl = \"{}\"\n", url(file))).unwrap();
        let environment = [("OPENBELL_STORE", url(own)), ("DATABASE_URL", url(common))];
        let cli = url(cli);
        let options: &[&str] = if cli.is_empty() { &[] } else { &["--store", cli.as_str()] };
        let output = home.screen(options, &environment);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{wanted}: {said}");
        assert_eq!(home.stores(), [wanted], "{said}");
        assert_eq!(said.contains("DATABASE_URL"), wanted == "common.db", "only then it is announced: {said}");
    }
}

#[test]
fn a_database_of_another_make_is_not_an_address_that_was_meant_for_us() {
    let home = Home::new(QUIET);
    let output = home.screen(&[], &[("DATABASE_URL", "mysql://me:hunter2@host/db".to_owned())]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(home.stores(), ["data/openbell/openbell.db"]);
}

/// Nobody listens there.
const NOWHERE: &str = "postgres://me:hunter2@127.0.0.1:1/db";

#[track_caller]
fn check_unreached(output: &Output, parts: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot reach postgres://me@127.0.0.1:1/db"), "{said}");
    assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_server_that_is_not_there_is_told_without_its_password() {
    let home = Home::new(QUIET);
    check_unreached(&home.screen(&["--store", NOWHERE], &[]), &[]);
    check_unreached(&home.screen(&[], &[("DATABASE_URL", NOWHERE.to_owned())]), &["DATABASE_URL"]);
    let password = [("PGPASSWORD", "hunter2".to_owned()), ("OPENBELL_STORE", NOWHERE.replace(":hunter2", ""))];
    check_unreached(&home.screen(&[], &password), &[]);
    assert_eq!(home.stores(), Vec::<&str>::new(), "nothing else was taken in its place");
}

#[cfg(unix)]
#[test]
fn a_password_in_a_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new(&format!("{QUIET}[store]\nurl = \"{NOWHERE}\"\n"));
    fs::set_permissions(home.config(), fs::Permissions::from_mode(0o644)).unwrap();
    check_refused(&home.screen(&[], &[]), &["[store] url", "chmod 600"]);
    fs::set_permissions(home.config(), fs::Permissions::from_mode(0o600)).unwrap();
    check_unreached(&home.screen(&[], &[]), &[]);
}

#[test]
fn addresses_may_be_relative_or_begin_at_home_and_a_dotenv_file_fills_in_what_is_missing() {
    let check = |options: &[&str], environment: &[(&str, String)], dotenv: &str, wanted: &str| {
        let home = Home::new(QUIET);
        fs::write(home.path(".env"), dotenv).unwrap();
        let output = home.screen(options, environment);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(home.stores(), [wanted]);
    };
    check(&["--store", "sqlite:cli.db"], &[], "", "cli.db");
    check(&["--store", "sqlite:~/cli.db"], &[], "", "cli.db");
    check(&[], &[], "OPENBELL_STORE=sqlite:dotenv.db\n", "dotenv.db");
    check(&[], &[("OPENBELL_STORE", "sqlite:own.db".to_owned())], "OPENBELL_STORE=sqlite:dotenv.db\n", "own.db");
}
