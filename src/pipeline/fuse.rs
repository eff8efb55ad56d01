//! Two opinions on one bar made one: the same function for every engine of the store.

use crate::market::{Bar, BarFlags, Origin, Source, Timestamp};
use crate::quality::{Violation, judge_sources};

/// Which source is believed more.
#[derive(Clone, Debug, Default)]
pub struct Ranks(Vec<String>);

/// What to do with a bar whose key is taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Fused {
    /// The stored bar stays.
    Keep,
    /// This bar takes its place, whole.
    Replace(Bar),
    /// Two sources disagree: this bar is stored, and the violation names both.
    Disagree(Bar, Violation),
}

impl Ranks {
    /// Names of sources, best first: `provider:feed`, or `provider` for all its feeds.
    #[must_use]
    pub fn new(best_first: Vec<String>) -> Self {
        Self(best_first)
    }

    /// 0 is best; sources that are not named come last.
    #[must_use]
    pub fn of(&self, source: &Source) -> usize {
        let named = |name: &str| self.0.iter().position(|ranked| ranked == name);
        named(source.as_str()).or_else(|| named(source.provider())).unwrap_or(self.0.len())
    }
}

/// Decides between the stored bar and a new one. A better source or a later word of the same replaces the bar
/// whole; volume is never mixed across sources.
#[must_use]
pub fn fuse(old: &Bar, new: &Bar, ranks: &Ranks, now: Timestamp) -> Fused {
    if old.source == new.source {
        return fuse_revision(old, new);
    }
    let wins = standing(new, ranks) < standing(old, ranks);
    let mut winner = if wins { new.clone() } else { old.clone() };
    let comparable = !(old.flags | new.flags).intersects(BarFlags::ADJUSTED | BarFlags::PARTIAL | BarFlags::SAMPLED);
    match judge_sources(new, old, now).filter(|_| comparable && !winner.flags.contains(BarFlags::MISMATCH)) {
        Some(violation) => {
            winner.flags |= BarFlags::MISMATCH;
            Fused::Disagree(winner, violation)
        }
        None if wins => {
            // That two sources disagree stays known when a third is better.
            winner.flags |= old.flags & BarFlags::MISMATCH;
            Fused::Replace(winner)
        }
        None => Fused::Keep,
    }
}

/// What decides before the rank does: adjusted, partial and sampled bars stand behind whole ones.
fn standing(bar: &Bar, ranks: &Ranks) -> (bool, bool, bool, usize) {
    (
        bar.flags.contains(BarFlags::ADJUSTED),
        bar.flags.contains(BarFlags::PARTIAL),
        bar.flags.contains(BarFlags::SAMPLED),
        ranks.of(&bar.source),
    )
}

fn fuse_revision(old: &Bar, new: &Bar) -> Fused {
    // Later the live path knows more of its own bar: a late trade, or that a part of it was not heard.
    let later = (old.origin, new.origin) == (Origin::Live, Origin::Live) && new.revision > old.revision;
    let only_partial = new.flags.difference(old.flags) == BarFlags::PARTIAL;
    if standing(new, &Ranks::default()) > standing(old, &Ranks::default()) && !(later && only_partial) {
        return Fused::Keep;
    }
    if old.same_figures(new) && old.flags.difference(BarFlags::MISMATCH) == new.flags {
        // What we made live is confirmed by the source's history: from now on it is that.
        let confirmed = (old.origin, new.origin) == (Origin::Live, Origin::Backfill);
        return if confirmed { Fused::Replace(Bar { origin: Origin::Backfill, ..old.clone() }) } else { Fused::Keep };
    }
    if old.flags.contains(BarFlags::PARTIAL) && !new.flags.contains(BarFlags::PARTIAL) {
        return Fused::Replace(new.clone());
    }
    // What we made from a live stream is refined by itself (a higher revision) or by the source's history.
    // History carries no revision of its own: what it says last is its later word.
    let stale = (old.origin, new.origin) == (Origin::Live, Origin::Live) && new.revision < old.revision;
    let live_after_history = (old.origin, new.origin) == (Origin::Backfill, Origin::Live);
    if stale || live_after_history {
        return Fused::Keep;
    }
    let revision = old.revision.saturating_add(1).max(new.revision);
    Fused::Replace(Bar { revision, flags: new.flags | (old.flags & BarFlags::MISMATCH), ..new.clone() })
}
