//! The laws of the lists: what every entry of a registry has to be, so that help, config and docs can be made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Display};
use std::fs;
use std::path::Path;

use openbell::calendar::{Calendars, VENUES};
use openbell::config::{Config, Facts, KeyKind, KeySpec, RawConfig, SECTIONS, SectionSpec};
use openbell::engine::config_sections;
use openbell::export::{BARS, FORMATS, QUARANTINE, VIOLATIONS};
use openbell::market::{AssetClass, Interval, Origin, SessionKind, Symbol};
use openbell::pane::{Command, PANES};
use openbell::provider::PROVIDERS;
use openbell::quality::{RULES, Severity};
use openbell::request::{ExportFormat, Table};
use openbell::tui::{COMMANDS, Key, LAYOUTS, key_table};
use ratatui::layout::Rect;

/// Fails with the names that occur more than once.
#[track_caller]
fn check_unique<T: Ord + Debug>(what: &str, items: impl IntoIterator<Item = T>) {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_insert(0) += 1;
    }
    assert!(!counts.is_empty(), "{what}: nothing to check");
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{what}: {twice:?}");
}

/// Words of small letters and digits, joined by `joint`, the first beginning with a letter.
fn is_name(text: &str, joint: char) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split(joint).all(is_word)
}

#[track_caller]
fn check_sentence(whose: &str, sentence: &str) {
    let is_one = sentence.ends_with('.') && !sentence.ends_with("..") && sentence.trim() == sentence && !sentence.contains(['\n', '\t']);
    assert!(is_one && sentence.len() > 8, "{whose}: {sentence:?} is no sentence");
    assert!(!sentence.contains("  "), "{whose}: two spaces in {sentence:?}");
}

fn all_sections() -> Vec<SectionSpec> {
    let mut sections = config_sections();
    for spec in PANES {
        sections.push(SectionSpec { name: format!("pane.{}", spec.name).leak(), sentence: spec.sentence, keys: spec.keys });
    }
    sections
}

#[test]
fn the_laws_know_right_from_wrong() {
    for (name, joint, right) in [
        ("next-pane", '-', true),
        ("pane-1", '-', true),
        ("Next", '-', false),
        ("a--b", '-', false),
        ("-a", '-', false),
        ("1-a", '-', false),
        ("a_b", '-', false),
        ("a_b", '_', true),
        ("", '-', false),
    ] {
        assert_eq!(is_name(name, joint), right, "{name}");
    }
}

#[test]
fn providers() {
    check_unique("providers", PROVIDERS.iter().map(|spec| spec.name));
    for spec in PROVIDERS {
        assert!(is_name(spec.name, '-'), "{}", spec.name);
        check_sentence(spec.name, spec.sentence);
        check_unique(spec.name, spec.capabilities.asset_classes);
        let history = spec.capabilities.history;
        assert!(history.is_sorted() && history.windows(2).all(|pair| pair[0] != pair[1]), "{}: {history:?}", spec.name);
    }
}

#[test]
fn every_provider_can_be_turned_off_slowed_down_and_sent_elsewhere() {
    for spec in PROVIDERS {
        let key = |name: &str| spec.keys.iter().find(|key| key.name == name);
        assert_eq!(key("enabled").map(|key| key.kind), Some(KeyKind::Flag), "{}", spec.name);
        let pace = key("requests_per_minute").map(|key| key.kind);
        assert!(matches!(pace, Some(KeyKind::Integer { min: 1.., .. })), "{}: {pace:?}", spec.name);
        let urls: Vec<&KeySpec> = spec.keys.iter().filter(|key| key.name.ends_with("_url")).collect();
        assert!(urls.iter().all(|key| key.kind == KeyKind::Url && key.default.contains("://")), "{}", spec.name);
        assert_eq!(key("rest_url").is_some(), spec.name != "sim", "{}", spec.name);
        // Every key to a service can come from the environment, and none has a default.
        for secret in spec.secrets() {
            let KeyKind::Secret(variables) = secret.kind else { panic!("{}", secret.name) };
            assert!(!variables.is_empty() && secret.default == "\"\"", "{}.{}", spec.name, secret.name);
        }
        let raw = RawConfig::parse("", &config_sections()).expect("nothing is typed");
        let config = Config::resolve(&raw, &config_sections(), &Facts::default()).expect("every default is right");
        let section = config.section(&format!("provider.{}", spec.name));
        assert_eq!(spec.has_keys(section), spec.secrets().next().is_none(), "{}: without its key it is not called", spec.name);
    }
}

#[test]
fn the_default_rank_names_every_provider_once() {
    let rank = SECTIONS.iter().find(|s| s.name == "sources").and_then(|s| s.keys.iter().find(|key| key.name == "rank")).expect("the key");
    let named: toml::Value = rank.default.parse().expect("TOML");
    let named: Vec<&str> = named.as_array().expect("a list").iter().filter_map(toml::Value::as_str).collect();
    check_unique("rank", &named);
    assert_eq!(
        named.into_iter().map(|name| name.split(':').next().unwrap_or(name)).collect::<BTreeSet<_>>(),
        PROVIDERS.iter().map(|spec| spec.name).collect()
    );
}

#[test]
fn panes() {
    check_unique("panes", PANES.iter().map(|spec| spec.name));
    for spec in PANES {
        assert!(is_name(spec.name, '-'), "{}", spec.name);
        check_sentence(spec.name, spec.sentence);
    }
    let numbers: Vec<_> = COMMANDS.iter().filter_map(|row| row.command.name.strip_prefix("pane-")).collect();
    let wanted: Vec<_> = (1..=PANES.len()).map(|n| n.to_string()).collect();
    assert_eq!(numbers, wanted, "a pane without a number, or a number without a pane");
}

fn check_commands(scope: &str, commands: &[&Command]) {
    check_unique(scope, commands.iter().map(|command| command.name));
    check_unique(scope, commands.iter().flat_map(|command| command.keys));
    for command in commands {
        assert!(is_name(command.name, '-'), "{scope}: {}", command.name);
        check_sentence(command.name, command.sentence);
        assert!(!command.keys.is_empty(), "{scope}: {} has no key", command.name);
        assert!(command.hint.len() <= 12 && !command.hint.contains(' '), "{scope}: {:?} is no word for the footer", command.hint);
        for key in command.keys {
            let parsed: Key = key.parse().unwrap_or_else(|error| panic!("{scope}: {}: {error}", command.name));
            assert_eq!(parsed.to_string(), *key, "{scope}: {}: it is written otherwise", command.name);
        }
    }
}

#[test]
fn commands() {
    let global: Vec<&Command> = COMMANDS.iter().map(|row| &row.command).collect();
    check_commands("everywhere", &global);
    let taken: BTreeSet<&str> = global.iter().flat_map(|command| command.keys).copied().collect();
    let names: BTreeSet<&str> = global.iter().map(|command| command.name).collect();
    for spec in PANES.iter().filter(|spec| !spec.commands.is_empty()) {
        check_commands(spec.name, &spec.commands.iter().collect::<Vec<_>>());
        for command in spec.commands {
            assert!(!names.contains(command.name), "{}: {} is a command of every pane", spec.name, command.name);
            let shadowed: Vec<_> = command.keys.iter().filter(|key| taken.contains(*key)).collect();
            assert!(shadowed.is_empty(), "{}: {} hides {shadowed:?}", spec.name, command.name);
        }
    }
}

#[test]
fn the_docs_have_the_table_of_keys() {
    let docs = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/keys.md")).expect("docs/keys.md");
    let table = key_table();
    assert!(docs.contains(&table), "docs/keys.md does not hold this table:\n{table}");
    for row in COMMANDS {
        assert!(table.contains(row.command.sentence), "{}", row.command.name);
    }
    for command in PANES.iter().flat_map(|spec| spec.commands) {
        assert!(table.contains(command.sentence), "{}", command.name);
    }
}

#[test]
fn rules() {
    check_unique("rules", RULES.iter().map(|rule| rule.name));
    check_unique("sentences of rules", RULES.iter().map(|rule| rule.sentence));
    for rule in RULES {
        assert!(is_name(rule.name, '_'), "{}", rule.name);
        check_sentence(rule.name, rule.sentence);
    }
    let hard = RULES.iter().filter(|rule| rule.severity == Severity::Error).count();
    assert!(RULES[..hard].iter().all(|rule| rule.severity == Severity::Error), "what refuses a bar stands first");
}

#[test]
fn formats_and_tables() {
    check_unique("formats", FORMATS.iter().map(|spec| spec.format.name()));
    FORMATS.iter().for_each(|spec| check_sentence(spec.format.name(), spec.sentence));
    let listed: Vec<ExportFormat> = FORMATS.iter().map(|spec| spec.format).collect();
    assert_eq!(listed, ExportFormat::ALL, "a format without an entry, or in another order");
    // Scripts select these by name: they are only ever appended to.
    let bars = "symbol,interval,open_time,open,high,low,close,volume,vwap,n_trades,source,quality,flags,session,origin,revision,currency";
    let quarantine = "received_at,source,symbol,interval,open_time,reasons,payload";
    let violations = "time,symbol,interval,open_time,source,rule,severity,message,acknowledged";
    for table in Table::ALL {
        let (columns, first) = match table {
            Table::Bars => (BARS, bars),
            Table::Violations => (VIOLATIONS, violations),
            Table::Quarantine => (QUARANTINE, quarantine),
        };
        check_unique(table.name(), columns);
        assert!(columns.join(",").starts_with(first), "{table}: {columns:?}");
        assert!(columns.iter().all(|column| is_name(column, '_')), "{table}: {columns:?}");
    }
}

#[test]
fn sections_of_the_config() {
    let sections = all_sections();
    check_unique("sections", sections.iter().map(|section| section.name));
    for section in &sections {
        assert!(section.name.split('.').count() <= 2 && section.name.split('.').all(|part| is_name(part, '-')), "[{}]", section.name);
        check_sentence(section.name, section.sentence);
        let own = SECTIONS.iter().any(|own| own.name == section.name);
        assert!(!own || !section.keys.is_empty(), "[{}] holds nothing", section.name);
        let names: Vec<_> = section.keys.iter().map(|key| key.name).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "[{}]: {names:?}", section.name);
        for key in section.keys {
            let place = format!("[{}] {}", section.name, key.name);
            assert!(is_name(key.name, '_'), "{place}");
            check_sentence(&place, key.sentence);
            assert!(key.default.parse::<toml::Value>().is_ok(), "{place}: {}", key.default);
            if let KeyKind::Choice(choices) = key.kind {
                check_unique(&place, choices);
            }
            if let KeyKind::Integer { min, max } = key.kind {
                assert!(min >= 0 && min < max, "{place}: whoever reads it expects a whole number from 0");
            }
        }
    }
}

#[test]
fn layouts() {
    check_unique("layouts", LAYOUTS.iter().map(|layout| layout.name));
    let names: Vec<&'static str> = PANES.iter().map(|spec| spec.name).collect();
    for layout in LAYOUTS {
        assert!(is_name(layout.name, '-'), "{}", layout.name);
        check_sentence(layout.name, layout.sentence);
        let first = layout.first(&names).expect("its first pane exists");
        for (width, height) in [(40, 10), (80, 24), (120, 40), (160, 50), (300, 90)] {
            let area = Rect::new(0, 0, width, height);
            let places = layout.arrange(area, &names, first);
            check_unique(layout.name, places.iter().map(|(pane, _)| *pane));
            let covered: u32 = places.iter().map(|(_, place)| place.area()).sum();
            assert_eq!(covered, area.area(), "{} at {width}x{height} leaves room or overlaps", layout.name);
            assert!(places.iter().all(|(_, place)| area.intersection(*place) == *place), "{} at {width}x{height}", layout.name);
        }
    }
    let screen = SECTIONS.iter().find(|section| section.name == "screen").expect("the section");
    let key = screen.keys.iter().find(|key| key.name == "layout").expect("the key");
    let KeyKind::Choice(choices) = key.kind else { panic!("a layout is chosen") };
    assert_eq!(choices, LAYOUTS.iter().map(|layout| layout.name).collect::<Vec<_>>());
    assert_eq!(key.default, format!("{:?}", LAYOUTS[0].name));
}

#[test]
fn venues() {
    let calendars = Calendars::embedded();
    assert_eq!(calendars.iter().count(), VENUES.len());
    let codes =
        calendars.iter().flat_map(|calendar| std::iter::once(calendar.venue()).chain(calendar.aliases().iter().map(String::as_str)));
    check_unique("codes of venues", codes.clone());
    for code in codes {
        assert!(code.chars().all(|c| c.is_ascii_uppercase()) && (2..=6).contains(&code.len()), "{code}");
        assert!(calendars.get(code).is_some() && calendars.get(&code.to_lowercase()).is_some(), "{code}");
    }
    for calendar in &calendars {
        assert!(!calendar.name().is_empty(), "{}", calendar.venue());
        assert!(calendar.known_from() < calendar.known_to(), "{}", calendar.venue());
        let known: Vec<_> = calendar.days(calendar.known_to().plus_days(-30), calendar.known_to()).collect();
        assert!(known.len() > 10 && known.iter().all(Result::is_ok), "{}: the last month it knows", calendar.venue());
    }
    for symbol in
        ["AAPL", "BRK.B", "VOD:XLON", "7203:XTKS", "0700:XHKG", "BTC-USD", "BTC-USD@kraken", "EUR/USD", "^GSPC", "O:SPY251219C00650000"]
    {
        let symbol: Symbol = symbol.parse().expect("a symbol");
        assert!(calendars.get(&symbol.listing().venue).is_some(), "{symbol} trades at a venue without a calendar");
    }
}

/// Every word that files and the store hold is read back as what it was.
#[test]
fn words() {
    fn check<T: Copy + Debug + Display + PartialEq + std::str::FromStr<Err: Debug>>(all: &[T]) {
        check_unique("words", all.iter().map(ToString::to_string));
        for item in all {
            let text = item.to_string();
            assert!(text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{text}");
            assert_eq!(text.parse::<T>().unwrap(), *item);
        }
        assert!("nonsense".parse::<T>().is_err() && "".parse::<T>().is_err());
    }
    check(&Interval::ALL);
    check(&AssetClass::ALL);
    check(&SessionKind::ALL);
    check(&Origin::ALL);
    check(&Table::ALL);
    check(&ExportFormat::ALL);
    assert!(Interval::ALL.iter().all(|interval| Interval::from_seconds(interval.seconds()) == Some(*interval)));
}
