//! When a source fails for so long that the next one takes over, and when the first has its place back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::calendar::Calendars;
use crate::config::Section;
use crate::engine::sources::Candidate;
use crate::market::{Instrument, InstrumentId, Timestamp};
use crate::snapshot::FeedState;

/// How long another source is heard beside one that was silent about a symbol: thin symbols would change hands all day.
const BESIDE: Duration = Duration::from_secs(900);

/// How a feed has been.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    state: Option<FeedState>,
    since: Timestamp,
    /// Since when it has been failing, or well again; `None` when it never failed.
    turned: Option<(Turn, Timestamp)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Failing,
    Well,
}

/// The rules of the config, and what they have to know of the past.
pub(crate) struct Failover {
    /// How long a feed may fail, and how long it must be well again.
    pub(crate) patience: Duration,
    /// How long a symbol may be silent while it trades.
    silence: Duration,
    at_once: usize,
    calendars: Arc<Calendars>,
    /// Who is asked for what.
    asked: HashMap<(usize, InstrumentId), Asked>,
}

#[derive(Clone, Copy)]
struct Asked {
    since: Timestamp,
    /// It was silent: another source is heard beside it until then.
    beside_until: Timestamp,
}

/// Who is heard for an instrument, and whose price is shown.
pub(crate) struct Choice<'a> {
    pub(crate) heard: Vec<&'a Candidate>,
    pub(crate) shown: Option<usize>,
}

impl Health {
    /// Takes the state of the feed's line.
    pub(crate) fn note(&mut self, state: FeedState, patience: Duration, now: Timestamp) {
        if self.state != Some(state) {
            self.state = Some(state);
            self.since = now;
        }
        let turn = match state {
            FeedState::Live | FeedState::Quiet | FeedState::Polling => Turn::Well,
            FeedState::Connecting | FeedState::Silent | FeedState::Dead | FeedState::Off => Turn::Failing,
            // Nobody asks it for anything: it is taken at its word.
            FeedState::Idle => {
                self.turned = None;
                return;
            }
        };
        match self.turned {
            // The first connection is given its time like any other.
            None if turn == Turn::Failing => self.turned = Some((turn, now)),
            // An outage that nobody took over in is no recovery that has to prove itself.
            Some((Turn::Failing, since)) if turn == Turn::Well && now.since(since) < patience => self.turned = None,
            // A recovery that did not last is none: whoever took over stays.
            Some((Turn::Well, since)) if turn == Turn::Failing && now.since(since) < patience => {
                self.turned = Some((turn, since - patience));
            }
            Some((old, _)) if old != turn => self.turned = Some((turn, now)),
            None | Some(_) => {}
        }
    }

    /// Since when it is in this state.
    pub(crate) fn since(&self, state: FeedState) -> Option<Timestamp> {
        (self.state == Some(state)).then_some(self.since)
    }

    fn stands(&self, patience: Duration, now: Timestamp) -> bool {
        match self.turned {
            None => true,
            // What no retry can change is not waited for.
            Some((Turn::Failing, _)) if self.state == Some(FeedState::Off) => false,
            Some((Turn::Failing, since)) => now.since(since) < patience,
            Some((Turn::Well, since)) => now.since(since) >= patience,
        }
    }
}

impl Failover {
    pub(crate) fn new(rules: &Section, calendars: Arc<Calendars>) -> Self {
        Self {
            patience: Duration::from_secs(rules.integer("failover_s")),
            silence: Duration::from_secs(rules.integer("silent_s")),
            at_once: usize::try_from(rules.integer("at_once")).unwrap_or(1).max(1),
            calendars,
            asked: HashMap::new(),
        }
    }

    /// These instruments are asked of a feed from now on.
    pub(crate) fn subscribed(&mut self, feed: usize, instruments: impl Iterator<Item = InstrumentId>, now: Timestamp) {
        let mut old: HashMap<_, _> = self.asked.extract_if(|(number, _), _| *number == feed).collect();
        for instrument in instruments {
            let key = (feed, instrument);
            self.asked.insert(key, old.remove(&key).unwrap_or(Asked { since: now, beside_until: Timestamp::MIN }));
        }
    }

    /// Notes when a feed last spoke of an instrument. Of one that trades and of which nothing is heard for long another source is
    /// heard too: unknown symbols are accepted in silence by many.
    pub(crate) fn note(&mut self, (feed, instrument): (usize, &Instrument), heard: Option<Timestamp>, now: Timestamp) {
        let Some(asked) = self.asked.get_mut(&(feed, instrument.id)) else { return };
        let since = heard.map_or(asked.since, |heard| heard.max(asked.since));
        let calendar = self.calendars.get(&instrument.venue);
        let trades = |at: Timestamp| calendar.is_some_and(|calendar| calendar.is_trading(at).unwrap_or(false));
        if now.since(since) > self.silence && trades(now) && trades(now - self.silence) {
            asked.beside_until = now + BESIDE;
        }
    }

    /// Since when a feed is asked for an instrument.
    pub(crate) fn asked_since(&self, feed: usize, instrument: InstrumentId) -> Option<Timestamp> {
        self.asked.get(&(feed, instrument)).map(|asked| asked.since)
    }

    /// Whether a feed can be left alone with an instrument.
    pub(crate) fn stands(&self, health: &Health, feed: usize, instrument: InstrumentId, now: Timestamp) -> bool {
        let spoke = self.asked.get(&(feed, instrument)).is_none_or(|asked| asked.beside_until <= now);
        spoke && health.stands(self.patience, now)
    }

    /// The first candidates, up to those that stand and are enough; the first of these is shown.
    pub(crate) fn choose<'a>(&self, candidates: &[&'a Candidate], stands: impl Fn(&Candidate) -> bool) -> Choice<'a> {
        let (mut heard, mut standing) = (Vec::new(), Vec::new());
        for candidate in candidates {
            heard.push(*candidate);
            if stands(candidate) {
                standing.push(candidate.number);
            }
            if standing.len() >= self.at_once {
                break;
            }
        }
        let shown = standing.first().copied().or_else(|| heard.first().map(|candidate| candidate.number));
        Choice { heard, shown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// States as they are entered, at seconds; and whether the feed stands then.
    fn check(story: &[(i64, FeedState, bool)]) {
        let mut health = Health::default();
        for (second, state, stands) in story {
            let now = Timestamp::from_seconds(1_795_176_000 + second);
            health.note(*state, PATIENCE, now);
            assert_eq!(health.stands(PATIENCE, now), *stands, "{state} at {second} s");
        }
    }

    #[test]
    fn a_source_that_fails_for_long_loses_its_place_and_earns_it_back() {
        use FeedState::{Connecting, Dead, Live};
        check(&[
            (0, Connecting, true),
            (2, Live, true),
            (100, Dead, true),
            (129, Dead, true),
            (130, Dead, false),
            (200, Live, false),
            (229, Live, false),
            (230, Live, true),
        ]);
    }

    #[test]
    fn a_line_that_flaps_keeps_its_place_and_one_that_recovers_for_a_moment_does_not_get_it_back() {
        use FeedState::{Dead, Live};
        check(&[(0, Live, true), (10, Dead, true), (35, Live, true), (36, Dead, true), (50, Live, true)]);
        check(&[(0, Live, true), (10, Dead, true), (60, Live, false), (65, Dead, false), (120, Live, false), (150, Live, true)]);
    }

    #[test]
    fn what_no_retry_can_change_is_not_waited_for() {
        check(&[(0, FeedState::Connecting, true), (1, FeedState::Off, false)]);
        check(&[(0, FeedState::Idle, true), (500, FeedState::Connecting, true)]);
    }
}
