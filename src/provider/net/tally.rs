//! What was asked of one source, counted by days: midnight in New York, which is when the caps that we know are lifted.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::market::{TimeOfDay, Timestamp, Zone};
use crate::provider::net::limit::Limits;
use crate::snapshot::Usage;
use crate::store::RequestCount;

/// The window that is counted by.
pub(crate) const DAY: Duration = Duration::from_secs(86_400);
/// Days that a cap of a month looks back over, today among them.
const MONTH: i64 = 30;
/// Beside a source's requests stand its bytes.
const BYTES: &str = " bytes";

/// Counts of one source.
#[derive(Debug)]
pub(crate) struct Tally {
    /// When the day began.
    pub(crate) day: Timestamp,
    /// Requests of the day, by all processes as far as it is known.
    pub(crate) spent: u64,
    /// Nobody asks before this instant.
    pub(crate) rest_until: Timestamp,
    /// Received, by the days of the month.
    bytes: BTreeMap<Timestamp, u64>,
    unsaved: BTreeMap<(Timestamp, Kind), u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Requests,
    Bytes,
}

impl Tally {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { day: day_of(now), spent: 0, rest_until: Timestamp::MIN, bytes: BTreeMap::new(), unsaved: BTreeMap::new() }
    }

    /// A new day lifts the cap of a day.
    pub(crate) fn roll(&mut self, now: Timestamp) {
        let day = day_of(now);
        if day != self.day {
            self.day = day;
            self.spent = 0;
            self.bytes = self.bytes.split_off(&first_of_month(now));
        }
    }

    pub(crate) fn spend(&mut self, requests: u64) {
        self.spent += requests;
        *self.unsaved.entry((self.day, Kind::Requests)).or_default() += requests;
    }

    pub(crate) fn receive(&mut self, bytes: u64, now: Timestamp) {
        self.roll(now);
        *self.bytes.entry(self.day).or_default() += bytes;
        *self.unsaved.entry((self.day, Kind::Bytes)).or_default() += bytes;
    }

    pub(crate) fn bytes_of_month(&self) -> u64 {
        self.bytes.values().sum()
    }

    pub(crate) fn load(&mut self, source: &str, counts: &[RequestCount], now: Timestamp) {
        self.roll(now);
        let of_bytes = format!("{source}{BYTES}");
        let first = first_of_month(now);
        for count in counts.iter().filter(|count| count.window == DAY && count.window_start >= first) {
            if count.source == source && count.window_start == self.day {
                self.spent += unsigned(count.count);
            } else if count.source == of_bytes {
                *self.bytes.entry(count.window_start).or_default() += unsigned(count.count);
            }
        }
    }

    pub(crate) fn take_unsaved(&mut self, source: &str) -> Vec<RequestCount> {
        let row = |((day, kind), count): ((Timestamp, Kind), u64)| {
            let source = if kind == Kind::Bytes { format!("{source}{BYTES}") } else { source.to_owned() };
            RequestCount::of_day(source, day, count.cast_signed())
        };
        std::mem::take(&mut self.unsaved).into_iter().map(row).collect()
    }

    /// Requests of the day that no store knows of.
    pub(crate) fn unsaved_requests(&self) -> u64 {
        self.unsaved.get(&(self.day, Kind::Requests)).copied().unwrap_or(0)
    }

    pub(crate) fn take_back(&mut self, requests: u64) {
        if let Some(unsaved) = self.unsaved.get_mut(&(self.day, Kind::Requests)) {
            *unsaved = unsaved.saturating_sub(requests);
        }
    }

    pub(crate) fn give_back(&mut self, source: &str, counts: &[RequestCount]) {
        let of_bytes = format!("{source}{BYTES}");
        for count in counts {
            let kind = if count.source == source { Kind::Requests } else { Kind::Bytes };
            if count.source == source || count.source == of_bytes {
                *self.unsaved.entry((count.window_start, kind)).or_default() += unsigned(count.count);
            }
        }
    }

    pub(crate) fn usage(&mut self, limits: &Limits, now: Timestamp) -> Usage {
        self.roll(now);
        Usage {
            requests_today: self.spent,
            requests_per_day: limits.per_day,
            requests_per_minute: limits.per_minute.get(),
            bytes_today: self.bytes.get(&self.day).copied().unwrap_or(0),
            bytes_of_month: self.bytes_of_month(),
            bytes_per_month: limits.bytes_per_month,
            rest_until: Some(self.rest_until).filter(|until| *until > now),
        }
    }

    pub(crate) fn pace(&mut self, cap: u64, share: u8, now: Timestamp) -> Option<Duration> {
        self.roll(now);
        // What is kept back is a part of the whole day, not of what is left: else it would melt away.
        let reserve = cap - cap * u64::from(share) / 100;
        let left = cap.saturating_sub(reserve).checked_sub(self.spent).filter(|left| *left > 0)?;
        Some(next_day(now).since(now) / u32::try_from(left).unwrap_or(u32::MAX))
    }
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// The first of the days that count for a month, by their dates: days are not all as long.
fn first_of_month(now: Timestamp) -> Timestamp {
    let (date, _) = now.in_zone(Zone::NEW_YORK);
    date.plus_days(1 - MONTH).at(TimeOfDay::MIDNIGHT, Zone::NEW_YORK)
}

/// The midnight in New York before an instant.
pub(crate) fn day_of(now: Timestamp) -> Timestamp {
    let (date, _) = now.in_zone(Zone::NEW_YORK);
    date.at(TimeOfDay::MIDNIGHT, Zone::NEW_YORK)
}

/// When a source's day ends, and with it what it allows in a day.
#[must_use]
pub fn next_day(now: Timestamp) -> Timestamp {
    let (date, _) = now.in_zone(Zone::NEW_YORK);
    date.next().at(TimeOfDay::MIDNIGHT, Zone::NEW_YORK)
}
