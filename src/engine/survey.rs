//! A first look through recordings: who speaks in them, of whom, when, and what in them cannot be replayed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::config::Config;
use crate::engine::setup::{Opened, open_for_replay};
use crate::host::Clock;
use crate::market::{AssetClass, EventKind, MarketEvent, Symbol, Timestamp, clean};
use crate::pipeline::Ranks;
use crate::provider::net::{Direction, Entry, Note, Reader, Record, Said, Taped};
use crate::provider::{DecodeError, PROVIDERS, Protocol, ProviderSpec, StreamItem};

/// How many problems of one file are told one by one.
const TOLD: usize = 20;
/// Sources speak at the same time: their records may stand so far out of order.
const ABREAST: Duration = Duration::from_secs(1);

/// A file to replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reel {
    pub path: PathBuf,
    /// Whose frames these are, where it is a log of plain `epoch_seconds: frame` lines.
    pub raw: Option<String>,
}

/// What was found in recordings.
#[derive(Clone, Default)]
pub struct Survey {
    /// What can be replayed.
    pub records: u64,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Who speaks, the most believed first.
    pub sources: Vec<&'static ProviderSpec>,
    /// Of whom they speak.
    pub symbols: Vec<Symbol>,
    /// Spellings that are none of ours, with their sources.
    pub nobodys: Vec<String>,
    /// Whether the recordings say themselves what could not be heard; else it is taken from their connections.
    pub says_deaf: bool,
    /// What cannot be replayed, with file and line.
    pub problems: Vec<String>,
}

impl Reel {
    /// Opens the file from its beginning.
    pub fn open(&self) -> Result<Reader> {
        let reader = match &self.raw {
            Some(source) => Reader::open_raw(&self.path, source),
            None => Reader::open(&self.path),
        };
        reader.with_context(|| format!("read {}", self.path.display()))
    }
}

/// Looks through the files once.
pub fn survey(reels: &[Reel], config: &Config) -> Result<Survey> {
    let mut look = Look::new(config);
    for reel in reels {
        look.file(reel)?;
    }
    Ok(look.end())
}

/// One frame as a source's own words; base64 is undone before.
pub(crate) fn decode_frame(protocol: &dyn Protocol, said: &Said, at: Timestamp) -> Option<Result<Vec<StreamItem>, DecodeError>> {
    match said {
        Said::Frame { text } => Some(protocol.decode(text.as_bytes(), at)),
        Said::Binary { base64 } => {
            let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64);
            Some(bytes.map_err(|_| DecodeError::new("it is not base64")).and_then(|bytes| protocol.decode(&bytes, at)))
        }
        Said::Look { .. } | Said::Body { .. } | Said::Deaf { .. } => None,
    }
}

/// Whether an event speaks of an instrument at all.
pub(crate) fn names_somebody(event: &MarketEvent) -> bool {
    !matches!(event.kind, EventKind::Heartbeat { .. })
}

struct Look<'a> {
    config: &'a Config,
    clock: Clock,
    known: HashMap<&'static str, Speaker>,
    unknown: HashSet<String>,
    found: Survey,
}

/// What is wrong with a file: a file of another kind is wrong in every line.
#[derive(Default)]
struct Problems {
    told: Vec<String>,
    more: usize,
}

impl Problems {
    fn add(&mut self, problem: impl FnOnce() -> String) {
        if self.told.len() < TOLD { self.told.push(problem()) } else { self.more += 1 }
    }
}

/// A source that was met.
struct Speaker {
    opened: Opened,
    protocol: Option<Arc<dyn Protocol>>,
    spellings: BTreeSet<Arc<str>>,
    /// Whether a frame that makes no sense was told already.
    told: bool,
}

impl<'a> Look<'a> {
    fn new(config: &'a Config) -> Self {
        let found = Survey { from: Timestamp::MAX, to: Timestamp::MIN, ..Survey::default() };
        // Nothing is asked here: the time is that of the records.
        Self { config, clock: Clock::manual(Timestamp::from_seconds(0)), known: HashMap::new(), unknown: HashSet::new(), found }
    }

    fn file(&mut self, reel: &Reel) -> Result<()> {
        let (mut last, mut records, mut problems) = (Timestamp::MIN, 0_u64, Problems::default());
        for line in reel.open()? {
            let (number, entry) = match line {
                Ok(line) => line,
                Err(problem) => {
                    problems.add(|| problem.to_string());
                    continue;
                }
            };
            let at = entry.at();
            let is_lost = matches!(entry, Entry::Note(Note::Lost { .. }));
            if at + ABREAST < last && !is_lost {
                problems.add(|| format!("line {number}: it is of {at}, before the line above it: it is replayed at {last}"));
            }
            last = last.max(at);
            (self.found.from, self.found.to) = (self.found.from.min(at), self.found.to.max(at));
            match entry {
                Entry::Record(record) => {
                    records += u64::from(self.record(&record, number, &mut problems));
                }
                Entry::Note(note) => {
                    if let Some(words) = lost_words(&note, number) {
                        problems.add(|| words);
                    }
                }
            }
        }
        if records == 0 {
            problems.add(|| "there is nothing in it to replay".to_owned());
        }
        self.found.records += records;
        self.tell(&reel.path, problems);
        Ok(())
    }

    /// Says whether it can be replayed.
    fn record(&mut self, record: &Record, number: u64, problems: &mut Problems) -> bool {
        let Some(speaker) = self.speaker(&record.source) else {
            if self.unknown.insert(record.source.clone()) {
                problems.add(|| format!("line {number}: no source is called '{}': what it says is left out", clean(&record.source)));
            }
            return false;
        };
        if let Said::Look { spellings } = &record.said {
            speaker.spellings.extend(spellings.iter().map(|spelling| Arc::from(spelling.as_str())));
        }
        if record.direction == Direction::In {
            let items = speaker.protocol.as_ref().and_then(|protocol| decode_frame(&**protocol, &record.said, record.at));
            match items {
                Some(Ok(items)) => speaker.spellings.extend(items.into_iter().filter_map(spelling)),
                Some(Err(error)) if !std::mem::replace(&mut speaker.told, true) => {
                    problems.add(|| format!("line {number}: a frame of {} makes no sense: {error}", record.source));
                }
                Some(Err(_)) | None => {}
            }
        }
        self.found.says_deaf |= matches!(record.said, Said::Deaf { .. });
        true
    }

    fn speaker(&mut self, name: &str) -> Option<&mut Speaker> {
        let spec = PROVIDERS.iter().find(|spec| spec.name == name)?;
        let open = || {
            let opened = open_for_replay(spec, self.config, &self.clock, &Taped::default());
            Speaker { protocol: opened.provider.stream(), opened, spellings: BTreeSet::new(), told: false }
        };
        Some(self.known.entry(spec.name).or_insert_with(open))
    }

    fn tell(&mut self, path: &Path, Problems { mut told, more }: Problems) {
        if more > 0 {
            told.push(format!("and {more} lines more"));
        }
        self.found.problems.extend(told.into_iter().map(|problem| format!("{}: {problem}", path.display())));
    }

    fn end(self) -> Survey {
        let Self { config, known, mut found, .. } = self;
        let ranks = Ranks::new(config.section("sources").list("rank"));
        let mut speakers: Vec<_> = known.into_values().collect();
        speakers.sort_by_key(|speaker| (ranks.of(&speaker.opened.source), speaker.opened.spec.name));
        let mut taken: BTreeMap<Symbol, &'static str> = BTreeMap::new();
        for Speaker { opened, spellings, .. } in &speakers {
            for spelling in spellings {
                match symbol_of(opened, spelling, &taken) {
                    Some(symbol) => {
                        taken.entry(symbol).or_insert(opened.spec.name);
                    }
                    None => found.nobodys.push(format!("{} of {}", clean(spelling), opened.spec.name)),
                }
            }
        }
        found.sources = speakers.iter().map(|speaker| speaker.opened.spec).collect();
        found.symbols = taken.into_keys().collect();
        found
    }
}

/// Whose events these are. The same pair at another venue is another instrument.
fn symbol_of(opened: &Opened, spelling: &str, taken: &BTreeMap<Symbol, &'static str>) -> Option<Symbol> {
    let symbol = opened.provider.unspell(spelling)?;
    let elsewhere = taken.get(&symbol).is_some_and(|source| *source != opened.spec.name);
    if !elsewhere || symbol.listing().asset_class != AssetClass::Crypto || symbol.pinned_source().is_some() {
        return Some(symbol);
    }
    let pinned: Symbol = format!("{symbol}@{}", opened.spec.name).parse().ok()?;
    (opened.provider.spell(&pinned).as_deref() == Some(spelling)).then_some(pinned)
}

fn spelling(item: StreamItem) -> Option<Arc<str>> {
    match item {
        StreamItem::Event(event) => names_somebody(&event).then_some(event.symbol),
        StreamItem::Greeted
        | StreamItem::Admitted
        | StreamItem::Subscribed
        | StreamItem::Confirmed(_)
        | StreamItem::Refused(_)
        | StreamItem::Ended(_)
        | StreamItem::Leaving(_) => None,
    }
}

fn lost_words(note: &Note, number: u64) -> Option<String> {
    match note {
        Note::Lost { at, source, from, count } => {
            Some(format!("line {number}: {count} records of {} were not kept, {from} to {at}: a hole is kept there", clean(source)))
        }
        Note::Began { .. } | Note::Ended { .. } => None,
    }
}
