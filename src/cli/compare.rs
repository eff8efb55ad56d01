//! `openbell market compare`: what a source says of market hours, beside our calendar. Nothing is changed by it.

use anyhow::Result;
use clap::Args;

use crate::calendar::{Calendar, Day, NoteKind, State};
use crate::cli::exit::{Done, Usage};
use crate::cli::output::{FormatArg, Rows};
use crate::cli::session::{Session, block_on};
use crate::engine::Sources;
use crate::export::Value;
use crate::market::{Date, SessionKind, Timestamp, Weekday, Zone};
use crate::provider::{MarketHours, ProviderError, SaidDay, SaidStatus};

const COLUMNS: &[&str] = &["venue", "date", "what", "ours", "theirs", "same"];

/// Where our calendar does not reach.
const NOT_KNOWN: &str = "not known";
const CLOSED: &str = "closed";

/// What a source says of the hours of markets, beside the calendar; exit 1 where they differ.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell market compare --source finnhub --days 60")]
pub(crate) struct CompareArgs {
    /// Which source to ask.
    #[arg(long, value_name = "NAME")]
    source: String,
    /// How many days ahead.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=366))]
    days: u16,
    #[command(flatten)]
    format: FormatArg,
}

/// What a source said, and when.
struct Said {
    now: Timestamp,
    statuses: Vec<SaidStatus>,
    days: Vec<SaidDay>,
    /// The days that were asked for, both ends included.
    range: (Date, Date),
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Compared {
    venue: String,
    /// `None` for what is so now.
    date: Option<Date>,
    what: String,
    ours: String,
    theirs: String,
    same: bool,
}

/// Asks the source and prints each thing it says of these venues.
pub(crate) fn run(session: &Session, calendars: &[&Calendar], args: &CompareArgs) -> Result<Done> {
    let sources = Sources::open(&session.config, &session.clock);
    let (_, opened) = sources.called(&args.source).map_err(Usage)?;
    let Some(hours) = opened.provider.market_hours() else {
        return Err(Usage(format!("{} tells no market hours", opened.spec.name)).into());
    };
    let (said, answered) = block_on(async {
        let counted = session.counted(&sources).await;
        let asked = ask(session, hours, opened.spec.name, args.days).await;
        counted.save(&sources).await;
        Ok(asked)
    })?;
    let compared = compare(calendars, &said);
    if compared.is_empty() && answered == Done::Yes {
        eprintln!("openbell: {} says nothing that can be compared", opened.spec.name);
    }
    print(&compared, args.format)?;
    let differs = compared.is_empty() || compared.iter().any(|row| !row.same);
    Ok(if differs { Done::No } else { answered })
}

/// What it answers; a part that fails is told of, and the other is compared all the same.
async fn ask(session: &Session, hours: &dyn MarketHours, name: &str, days: u16) -> (Said, Done) {
    let statuses = hours.status().await;
    let now = session.clock.now();
    let (today, _) = now.in_zone(Zone::NEW_YORK);
    let range = (today, today.plus_days(i64::from(days)));
    let days = hours.days(range.0, range.1).await;
    let answered = if statuses.is_ok() && days.is_ok() { Done::Yes } else { Done::No };
    (Said { now, statuses: or_told(name, statuses), days: or_told(name, days), range }, answered)
}

fn or_told<T>(name: &str, answer: Result<Vec<T>, ProviderError>) -> Vec<T> {
    answer.unwrap_or_else(|error| {
        eprintln!("openbell: {name}: {error}");
        Vec::new()
    })
}

fn print(compared: &[Compared], format: FormatArg) -> Result<()> {
    let mut rows = Rows::begin(COLUMNS, format.format)?;
    for Compared { venue, date, what, ours, theirs, same } in compared {
        rows.row(&[
            venue.as_str().into(),
            date.map(|date| date.to_string()).as_deref().into(),
            what.as_str().into(),
            ours.as_str().into(),
            theirs.as_str().into(),
            Value::Flag(*same),
        ])?;
    }
    rows.end()?;
    Ok(())
}

/// What is so now, then the days by date, venue by venue; markets that we have no calendar for are left out.
fn compare(calendars: &[&Calendar], said: &Said) -> Vec<Compared> {
    let mut all = Vec::new();
    for calendar in calendars {
        let here = |status: &&SaidStatus| status.venue.is_some_and(|venue| calendar.answers_to(venue));
        all.extend(said.statuses.iter().filter(here).map(|status| of_status(calendar, status, said.now)));
        let days: Vec<_> = said.days.iter().filter(|day| calendar.answers_to(day.venue)).collect();
        let mut told: Vec<_> = days.iter().map(|day| of_day(calendar, day)).collect();
        told.extend(untold(calendar, &days, said.range));
        told.sort_by_key(|row| row.date);
        all.extend(told);
    }
    all
}

/// Sources differ in their words for what is not the regular session: whether it is that is compared.
fn of_status(calendar: &Calendar, said: &SaidStatus, now: Timestamp) -> Compared {
    let ours = calendar.at(now).map(|moment| moment.state());
    Compared {
        venue: calendar.venue().to_owned(),
        date: None,
        what: format!("status of {}", said.market),
        same: ours.as_ref().is_ok_and(|state| (*state == State::Open(SessionKind::Regular)) == said.open),
        ours: ours.map_or_else(|_| NOT_KNOWN.to_owned(), |state| state.to_string()),
        theirs: said.state.clone(),
    }
}

fn of_day(calendar: &Calendar, said: &SaidDay) -> Compared {
    let ours = calendar.day(said.date).map_or_else(|_| NOT_KNOWN.to_owned(), |day| hours_of(calendar, &day));
    let theirs = said.hours.map_or_else(|| CLOSED.to_owned(), |(open, close)| format!("{open}-{close}"));
    row_of_day(calendar, said.date, ours, theirs)
}

/// Days that the source leaves out although it tells such: a list of open days leaves out what is closed, one of holidays
/// what is ordinary. After the last day that it tells, and where it tells none at all, nothing is left out: lists reach only so far.
fn untold(calendar: &Calendar, said: &[&SaidDay], (from, to): (Date, Date)) -> Vec<Compared> {
    let Some(last) = said.iter().map(|told| told.date).max() else { return Vec::new() };
    let to = to.min(last);
    let is_ordinary = |day: &Day| day.is_open() && !is_special(day);
    let lists_open_days = said.iter().any(|told| of_day(calendar, told).same && calendar.day(told.date).is_ok_and(|day| is_ordinary(&day)));
    let belongs = |day: &Day| if lists_open_days { day.is_open() } else { is_special(day) };
    let dates = std::iter::successors(Some(from), |date| Some(date.next())).take_while(|date| *date <= to);
    dates
        .filter(|date| said.iter().all(|told| told.date != *date))
        .filter_map(|date| calendar.day(date).ok())
        .filter(belongs)
        .map(|day| row_of_day(calendar, day.date, hours_of(calendar, &day), "not told".to_owned()))
        .collect()
}

/// Whether a day of the working week is not as others are.
fn is_special(day: &Day) -> bool {
    let is_weekend = matches!(day.date.weekday(), Weekday::Saturday | Weekday::Sunday);
    !is_weekend && day.notes.iter().any(|note| note.kind != NoteKind::ChangedHours)
}

/// The regular session on the venue's own clock.
fn hours_of(calendar: &Calendar, day: &Day) -> String {
    let clock = |at: Timestamp| at.in_zone(calendar.zone()).1;
    day.regular().map_or_else(|| CLOSED.to_owned(), |(open, close)| format!("{}-{}", clock(open), clock(close)))
}

fn row_of_day(calendar: &Calendar, date: Date, ours: String, theirs: String) -> Compared {
    let same = ours == theirs;
    Compared { venue: calendar.venue().to_owned(), date: Some(date), what: "hours".to_owned(), ours, theirs, same }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Calendars;

    /// Thanksgiving is the 26th, the early close the day after.
    const NOW: &str = "2026-11-25T15:42:30Z";

    fn day(date: &str, hours: Option<(&str, &str)>) -> SaidDay {
        let hours = hours.map(|(open, close)| (open.parse().unwrap(), close.parse().unwrap()));
        SaidDay { venue: "XNYS", date: date.parse().unwrap(), hours }
    }

    fn status(venue: Option<&'static str>, state: &str, open: bool) -> SaidStatus {
        SaidStatus { venue, market: "nyse".to_owned(), state: state.to_owned(), open }
    }

    fn compared(now: &str, statuses: Vec<SaidStatus>, days: Vec<SaidDay>) -> Vec<(String, String, String, bool)> {
        let calendars = Calendars::embedded();
        let range = ("2026-11-23".parse().unwrap(), "2026-12-01".parse().unwrap());
        let said = Said { now: now.parse().unwrap(), statuses, days, range };
        let rows = compare(&calendars.iter().collect::<Vec<_>>(), &said);
        assert!(rows.iter().all(|row| row.date.is_some() == (row.what == "hours")));
        let when = |row: &Compared| row.date.map_or_else(|| row.what.clone(), |date| date.to_string());
        rows.iter().map(|row| (when(row), row.ours.clone(), row.theirs.clone(), row.same)).collect()
    }

    fn row(when: &str, ours: &str, theirs: &str, same: bool) -> (String, String, String, bool) {
        (when.to_owned(), ours.to_owned(), theirs.to_owned(), same)
    }

    #[test]
    fn what_is_so_now_is_the_same_when_both_are_in_the_regular_session_or_both_are_not() {
        for (now, state, open, expected) in [
            (NOW, "open", true, row("status of nyse", "regular", "open", true)),
            (NOW, "closed", false, row("status of nyse", "regular", "closed", false)),
            ("2026-11-25T13:00:00Z", "extended-hours", false, row("status of nyse", "pre", "extended-hours", true)),
            ("2026-11-26T15:00:00Z", "open", true, row("status of nyse", "closed", "open", false)),
            ("1900-01-01T15:00:00Z", "closed", false, row("status of nyse", NOT_KNOWN, "closed", false)),
        ] {
            assert_eq!(compared(now, vec![status(Some("XNYS"), state, open), status(None, "open", true)], Vec::new()), [expected]);
        }
    }

    #[test]
    fn a_list_of_holidays_is_held_against_ours() {
        let (holiday, early) = (day("2026-11-26", None), day("2026-11-27", Some(("09:30", "13:00"))));
        let same = [row("2026-11-26", "closed", "closed", true), row("2026-11-27", "09:30-13:00", "09:30-13:00", true)];
        assert_eq!(compared(NOW, Vec::new(), vec![holiday.clone(), early.clone()]), same);
        let left_out = [row("2026-11-26", "closed", "not told", false), same[1].clone()];
        assert_eq!(compared(NOW, Vec::new(), vec![early]), left_out);
        let wrong = day("2026-11-30", None);
        let missing = row("2026-11-27", "09:30-13:00", "not told", false);
        let expected = [same[0].clone(), missing, row("2026-11-30", "09:30-16:00", "closed", false)];
        assert_eq!(compared(NOW, Vec::new(), vec![holiday.clone()]), same[..1], "its list ends there");
        assert_eq!(compared(NOW, Vec::new(), vec![wrong, holiday]), expected);
        assert!(compared(NOW, Vec::new(), Vec::new()).is_empty());
    }

    #[test]
    fn a_list_of_open_days_is_held_against_ours() {
        let usual = |date: &str| day(date, Some(("09:30", "16:00")));
        let mut days = vec![usual("2026-11-23"), usual("2026-11-24"), usual("2026-11-25"), usual("2026-11-30"), usual("2026-12-01")];
        days.push(day("2026-11-27", Some(("09:30", "13:00"))));
        let rows = compared(NOW, Vec::new(), days.clone());
        assert!(rows.len() == 6 && rows.iter().all(|(_, _, _, same)| *same), "{rows:?}");
        days.remove(1);
        days.last_mut().unwrap().hours = usual("2026-11-27").hours;
        let differing: Vec<_> = compared(NOW, Vec::new(), days).into_iter().filter(|(_, _, _, same)| !same).collect();
        let expected = [row("2026-11-24", "09:30-16:00", "not told", false), row("2026-11-27", "09:30-13:00", "09:30-16:00", false)];
        assert_eq!(differing, expected);
    }
}
