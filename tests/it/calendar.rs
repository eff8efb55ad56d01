//! The calendars against tables that were typed or taken from elsewhere, never computed by them.

mod tables;

use std::collections::BTreeMap;
use std::time::Duration;

use openbell::calendar::{Bounds, Calendar, Calendars, Day, NoteKind, Reason, State, bar_bounds, bar_opens};
use openbell::market::{Date, SessionKind, Timestamp, Weekday};

use tables::{ELSEWHERE, XNYS_CLOSED, XNYS_EARLY, XNYS_EARLY_OTHERWISE, XNYS_SESSIONS};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// The sessions of two public libraries, one file a venue.
const REFERENCES: &[(&str, &str)] = &[
    ("XNYS", include_str!("../fixtures/calendars/XNYS.csv")),
    ("XLON", include_str!("../fixtures/calendars/XLON.csv")),
    ("XTKS", include_str!("../fixtures/calendars/XTKS.csv")),
    ("XHKG", include_str!("../fixtures/calendars/XHKG.csv")),
];

/// The last day that the reference speaks for.
const REFERENCE_END: &str = "2027-12-31";

/// Where we differ from the reference: venue, date, what we say instead, and why.
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[
    ("XNYS", "1990-12-27", "11:00-16:00", "power failure; the libraries know of a late open but not until when"),
    ("XNYS", "1991-01-17", "09:31-16:00", "moment of silence; one library leaves late opens out"),
    ("XNYS", "1991-02-25", "09:31-16:00", "moment of silence; one library leaves late opens out"),
    ("XNYS", "1994-02-11", "09:30-14:30", "snow; one library only"),
    ("XNYS", "1995-12-18", "10:30-16:00", "technical trouble; one library only"),
    ("XNYS", "1996-01-08", "11:00-14:00", "snow; one library only"),
    ("XNYS", "1997-10-27", "09:30-15:30", "circuit breaker; one library only"),
    ("XNYS", "2001-09-17", "09:33-16:00", "moment of silence; one library leaves late opens out"),
    ("XNYS", "2001-10-08", "09:31-16:00", "moment of silence; one library leaves late opens out"),
    ("XNYS", "2002-09-11", "12:00-16:00", "remembrance of the year before; one library only"),
    ("XNYS", "2003-03-20", "09:32-16:00", "moment of silence; one library leaves late opens out"),
    ("XNYS", "2004-06-07", "09:32-16:00", "moment of silence; one library leaves late opens out"),
    ("XNYS", "2005-06-01", "09:30-15:56", "technical trouble; one library only"),
    ("XNYS", "2006-12-27", "09:32-16:00", "moment of silence; one library leaves late opens out"),
    ("XHKG", "2020-08-19", "13:00-16:00", "typhoon Higos took the morning; in neither library"),
    ("XHKG", "2021-06-28", "13:30-16:00", "a black rainstorm took the morning; in neither library"),
    ("XHKG", "2022-08-25", "13:00-16:00", "tropical storm Ma-on took the morning; in neither library"),
    ("XHKG", "2023-09-01", "", "typhoon Saola; one library misses it"),
    ("XHKG", "2023-09-08", "", "black rainstorm; one library misses it"),
];

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn calendar(venue: &str) -> Calendar {
    Calendars::embedded().get(venue).expect("a known venue").clone()
}

fn day(venue: &str, text: &str) -> Day {
    calendar(venue).day(date(text)).expect("a known date")
}

fn dates(from: Date, to: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(from), |date| Some(date.next())).take_while(move |date| *date <= to)
}

fn year(year: i32) -> impl Iterator<Item = Date> {
    let day = |month, day| Date::new(year, month, day).expect("a date of every year");
    dates(day(1, 1), day(12, 31))
}

fn is_weekday(date: Date) -> bool {
    !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// The dates of a year that `wanted` picks, as "01-01 12-25".
fn months_and_days(calendar: &Calendar, in_year: i32, wanted: impl Fn(&Day) -> bool) -> String {
    let days = year(in_year).filter_map(|date| calendar.day(date).ok()).filter(|day| is_weekday(day.date) && wanted(day));
    days.map(|day| day.date.format("%m-%d")).collect::<Vec<_>>().join(" ")
}

/// Every minute of regular trading.
fn minutes(day: &Day) -> Vec<Timestamp> {
    bar_opens(day, MINUTE, &[SessionKind::Regular]).into_iter().map(|bar| bar.open).collect()
}

/// The first and the last minute boundary of regular trading, by the venue's clock; empty when closed.
fn regular_hours(calendar: &Calendar, day: &Day) -> String {
    let clock = |t: Timestamp| t.format_in(calendar.zone(), "%H:%M");
    day.regular().map_or_else(String::new, |(open, close)| format!("{}-{}", clock(open), clock(close)))
}

/// Every minute of regular trading by date, from a file with the columns date, open, close, break start, break end.
fn reference_minutes(text: &str) -> BTreeMap<Date, Vec<Timestamp>> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let pause = (!cells[3].is_empty()).then(|| (at(cells[3]), at(cells[4])));
        let close = at(cells[2]);
        let all = std::iter::successors(Some(at(cells[1])), |minute| Some(*minute + MINUTE)).take_while(|minute| *minute < close);
        let open = all.filter(|minute| pause.is_none_or(|(from, to)| *minute < from || to <= *minute));
        (date(cells[0]), open.collect())
    };
    text.lines().skip(1).map(row).collect()
}

#[test]
fn every_minute_is_as_the_reference_says_or_the_difference_is_listed() {
    for (venue, text) in REFERENCES {
        let (calendar, reference) = (calendar(venue), reference_minutes(text));
        let mut listed: BTreeMap<Date, &str> =
            DIFFERENCES.iter().filter(|row| row.0 == *venue).map(|(_, day, hours, _)| (date(day), *hours)).collect();
        for date in dates(calendar.known_from(), date(REFERENCE_END)) {
            let day = calendar.day(date).expect("a known date");
            let theirs = reference.get(&date).map_or(&[][..], Vec::as_slice);
            let differs = minutes(&day) != theirs;
            let decision = listed.remove(&date);
            assert_eq!(differs, decision.is_some(), "{venue} {date}: {:?}, listed as {decision:?}", day.regular());
            if let Some(hours) = decision {
                assert_eq!(regular_hours(&calendar, &day), hours, "{venue} {date}");
            }
        }
        assert!(listed.is_empty(), "{venue}: listed outside the reference: {listed:?}");
    }
}

#[test]
fn differences_are_listed_once_and_say_why() {
    for (index, (venue, day, _, why)) in DIFFERENCES.iter().enumerate() {
        assert!(!why.is_empty(), "{venue} {day}");
        assert!(DIFFERENCES[..index].iter().all(|row| (row.0, row.1) != (*venue, *day)), "{venue} {day} twice");
    }
}

#[test]
fn new_york_closes_on_these_weekdays() {
    let calendar = calendar("XNYS");
    for (year, closed) in XNYS_CLOSED {
        assert_eq!(months_and_days(&calendar, *year, |day| !day.is_open()), *closed, "{year}");
    }
}

#[test]
fn new_york_has_so_many_sessions_a_year() {
    let calendar = calendar("XNYS");
    for (year, sessions) in XNYS_SESSIONS {
        let (from, to) = (date(&format!("{year}-01-01")), date(&format!("{}-01-01", year + 1)));
        assert_eq!(calendar.days(from, to).filter(Result::is_ok).count(), *sessions, "{year}");
    }
    assert_eq!(XNYS_SESSIONS.len(), 41);
}

#[test]
fn new_york_closes_early_on_these_days() {
    let calendar = calendar("XNYS");
    let at_one = XNYS_EARLY.iter().flat_map(|(year, days)| days.split(' ').map(move |day| (format!("{year}-{day}"), "13:00")));
    let otherwise = XNYS_EARLY_OTHERWISE.iter().map(|(day, close)| ((*day).to_owned(), *close));
    let expected: BTreeMap<String, &str> = at_one.chain(otherwise).collect();
    let early = dates(calendar.known_from(), calendar.known_to()).filter_map(|date| calendar.day(date).ok()).filter(Day::is_early_close);
    let found: BTreeMap<String, String> = early.map(|day| (day.date.to_string(), regular_hours(&calendar, &day)[6..].to_owned())).collect();
    assert_eq!(found.len(), expected.len());
    for (day, close) in &expected {
        assert_eq!(found.get(day).map(String::as_str), Some(*close), "{day}");
    }
}

#[test]
fn other_venues_close_on_these_days() {
    for (venue, year, closed, half) in ELSEWHERE {
        let calendar = calendar(venue);
        assert_eq!(months_and_days(&calendar, *year, |day| !day.is_open()), *closed, "{venue} {year}");
        assert_eq!(months_and_days(&calendar, *year, Day::is_early_close), *half, "{venue} {year}, half days");
    }
}

#[test]
fn the_late_session_moves_with_the_early_close() {
    for (text, pre, open, close, end) in [
        ("2026-10-30", "2026-10-30T08:00:00Z", "2026-10-30T13:30:00Z", "2026-10-30T20:00:00Z", "2026-10-31T00:00:00Z"),
        ("2026-11-27", "2026-11-27T09:00:00Z", "2026-11-27T14:30:00Z", "2026-11-27T18:00:00Z", "2026-11-27T22:00:00Z"),
        ("2026-11-30", "2026-11-30T09:00:00Z", "2026-11-30T14:30:00Z", "2026-11-30T21:00:00Z", "2026-12-01T01:00:00Z"),
    ] {
        let day = day("XNYS", text);
        assert_eq!(day.span(), Some((at(pre), at(end))), "{text}");
        assert_eq!(day.regular(), Some((at(open), at(close))), "{text}");
        let kinds: Vec<SessionKind> = day.sessions.iter().map(|part| part.kind).collect();
        assert_eq!(kinds, [SessionKind::Pre, SessionKind::Regular, SessionKind::Post], "{text}");
        assert_eq!((day.sessions[0].close, day.sessions[2].open), (at(open), at(close)), "{text}");
    }
}

#[test]
fn opens_follow_daylight_saving_of_their_own_zone() {
    for (venue, text, open) in [
        ("XNYS", "2026-03-06", "2026-03-06T14:30:00Z"),
        ("XNYS", "2026-03-09", "2026-03-09T13:30:00Z"),
        ("XNYS", "2026-10-30", "2026-10-30T13:30:00Z"),
        ("XNYS", "2026-11-02", "2026-11-02T14:30:00Z"),
        ("XNYS", "2006-04-03", "2006-04-03T13:30:00Z"),
        ("XLON", "2026-03-27", "2026-03-27T08:00:00Z"),
        ("XLON", "2026-03-30", "2026-03-30T07:00:00Z"),
        ("XLON", "2026-10-23", "2026-10-23T07:00:00Z"),
        ("XLON", "2026-10-26", "2026-10-26T08:00:00Z"),
        ("FX", "2026-03-06", "2026-03-05T22:00:00Z"),
        ("FX", "2026-03-09", "2026-03-08T21:00:00Z"),
        ("FX", "2026-10-30", "2026-10-29T21:00:00Z"),
        ("FX", "2026-11-02", "2026-11-01T22:00:00Z"),
    ] {
        assert_eq!(day(venue, text).regular().map(|(open, _)| open), Some(at(open)), "{venue} {text}");
    }
}

#[test]
fn hong_kong_lost_these_days_to_weather() {
    let calendar = calendar("XHKG");
    for text in
        ["2016-08-02", "2016-10-21", "2017-08-23", "2020-10-13", "2021-10-13", "2023-07-17", "2023-09-01", "2023-09-08", "2024-09-06"]
    {
        let day = calendar.day(date(text)).expect("a known date");
        assert!(!day.is_open() && day.notes[0].kind == NoteKind::Holiday, "{text}: {day:?}");
    }
}

#[test]
fn tokyo_closes_half_an_hour_later_since_november_2024() {
    assert_eq!(day("XTKS", "2024-11-01").regular(), Some((at("2024-11-01T00:00:00Z"), at("2024-11-01T06:00:00Z"))));
    let first = day("XTKS", "2024-11-05");
    assert_eq!(first.regular(), Some((at("2024-11-05T00:00:00Z"), at("2024-11-05T06:30:00Z"))));
    assert_eq!(first.breaks(), Some((at("2024-11-05T02:30:00Z"), at("2024-11-05T03:30:00Z"))));
    assert_eq!(first.notes[0].kind, NoteKind::ChangedHours);
    assert!(day("XTKS", "2024-11-06").notes.is_empty());
    assert!(!day("XTKS", "2020-10-01").is_open());
}

#[test]
fn crypto_never_closes() {
    let calendar = calendar("CRYPTO");
    let christmas = calendar.day(date("2026-12-25")).expect("a known date");
    assert_eq!(christmas.regular(), Some((at("2026-12-25T00:00:00Z"), at("2026-12-26T00:00:00Z"))));
    assert_eq!(calendar.days(date("2026-01-01"), date("2027-01-01")).count(), 365);
    assert_eq!(calendar.at(at("2026-11-21T23:59:59Z")).expect("known").next, None);
}

/// Venue, instant, state, next change, why.
const MOMENTS: &[(&str, &str, &str, &str, &str)] = &[
    ("XNYS", "2026-11-27T15:32:00Z", "regular", "2026-11-27T18:00:00Z post", "early close: day after Thanksgiving"),
    ("XNYS", "2026-11-27T18:00:00Z", "post", "2026-11-27T22:00:00Z closed", "early close: day after Thanksgiving"),
    ("XNYS", "2026-11-26T15:00:00Z", "closed", "2026-11-27T09:00:00Z pre", "Thanksgiving Day"),
    ("XNYS", "2026-11-21T12:00:00Z", "closed", "2026-11-23T09:00:00Z pre", "weekend"),
    ("XNYS", "2026-11-24T02:00:00Z", "closed", "2026-11-24T09:00:00Z pre", ""),
    ("XNYS", "2026-07-03T15:00:00Z", "closed", "2026-07-06T08:00:00Z pre", "Independence Day (observed)"),
    ("XNYS", "2001-09-12T15:00:00Z", "closed", "2001-09-17T08:00:00Z pre", "terrorist attacks"),
    ("XNYS", "2030-12-31T23:00:00Z", "post", "2031-01-01T01:00:00Z closed", ""),
    ("XLON", "2026-12-24T10:00:00Z", "regular", "2026-12-24T12:30:00Z closed", "early close: Christmas Eve"),
    ("XTKS", "2026-11-20T03:10:00Z", "break", "2026-11-20T03:30:00Z regular", ""),
    ("XTKS", "2026-11-20T02:29:00Z", "regular", "2026-11-20T02:30:00Z break", ""),
    ("XHKG", "2026-02-16T03:00:00Z", "regular", "2026-02-16T04:00:00Z closed", "early close: Lunar New Year's Eve"),
    ("XHKG", "2024-09-06T03:00:00Z", "closed", "2024-09-09T01:30:00Z regular", "typhoon Yagi"),
    ("FX", "2026-11-18T12:00:00Z", "regular", "2026-11-20T22:00:00Z closed", ""),
    ("FX", "2026-11-20T22:00:00Z", "closed", "2026-11-22T22:00:00Z regular", ""),
    ("FX", "2026-11-21T12:00:00Z", "closed", "2026-11-22T22:00:00Z regular", "weekend"),
    ("FX", "2026-11-22T22:00:00Z", "regular", "2026-11-27T22:00:00Z closed", ""),
    ("CRYPTO", "2026-12-25T12:00:00Z", "regular", "", ""),
];

#[test]
fn a_moment_says_what_is_on_what_comes_and_why() {
    let calendars = Calendars::embedded();
    for (venue, t, state, next, why) in MOMENTS {
        let moment = calendars.get(venue).expect("a known venue").at(at(t)).expect("a known date");
        let change = moment.next.map_or_else(String::new, |change| format!("{} {}", change.at, change.to));
        let reason = moment.reason.as_ref().map_or_else(String::new, Reason::to_string);
        assert_eq!((moment.state().to_string().as_str(), change.as_str(), reason.as_str()), (*state, *next, *why), "{venue} {t}");
        assert_eq!(moment.in_break, moment.state() == State::Break, "{venue} {t}");
    }
}

#[test]
fn an_instant_belongs_to_a_trade_date() {
    let calendars = Calendars::embedded();
    for (venue, t, expected) in [
        ("XNYS", "2026-11-24T02:00:00Z", "2026-11-24"),
        ("XNYS", "2026-11-24T07:00:00Z", "2026-11-24"),
        ("XNYS", "2026-11-24T00:59:59Z", "2026-11-23"),
        ("XNYS", "2026-11-27T21:59:00Z", "2026-11-27"),
        ("XNYS", "2026-11-27T22:00:00Z", "2026-11-30"),
        ("XTKS", "2026-11-20T03:10:00Z", "2026-11-20"),
        ("FX", "2026-11-20T21:59:59Z", "2026-11-20"),
        ("FX", "2026-11-20T22:30:00Z", "2026-11-23"),
        ("FX", "2026-11-22T22:30:00Z", "2026-11-23"),
        ("FX", "2026-11-23T22:00:00Z", "2026-11-24"),
        ("CRYPTO", "2026-11-21T23:59:59Z", "2026-11-21"),
    ] {
        let found = calendars.get(venue).expect("a known venue").session_date(at(t));
        assert_eq!(found, Ok(date(expected)), "{venue} {t}");
    }
}

#[test]
fn open_days_are_found_across_closed_ones() {
    let calendar = calendar("XNYS");
    let next = |text: &str| calendar.next_open_day(date(text)).expect("known").date;
    let previous = |text: &str| calendar.previous_open_day(date(text)).expect("known").date;
    assert_eq!(next("2001-09-10"), date("2001-09-17"));
    assert_eq!(previous("2001-09-17"), date("2001-09-10"));
    assert_eq!(next("2026-11-25"), date("2026-11-27"));
    assert_eq!(previous("2026-11-27"), date("2026-11-25"));
    assert!(calendar.next_open_day(calendar.known_to()).is_err());
}

#[test]
fn beyond_its_horizon_a_calendar_does_not_guess() {
    let calendar = calendar("XNYS");
    let error = calendar.day(date("2031-05-02")).expect_err("not known");
    assert_eq!(error.to_string(), "the calendar of XNYS is known from 1990-01-01 to 2030-12-31, not for 2031-05-02");
    assert!(calendar.at(at("2031-05-02T15:00:00Z")).is_err());
    assert!(calendar.at(at("1989-12-29T15:00:00Z")).is_err());
    assert!(day("XHKG", "2027-12-31").is_early_close());
    assert!(Calendars::embedded().get("XHKG").expect("a venue").day(date("2028-01-03")).is_err());
}

#[test]
fn venues_answer_to_their_codes() {
    let calendars = Calendars::embedded();
    for (code, venue) in [("xnys", "XNYS"), ("XNAS", "XNYS"), ("arcx", "XNYS"), ("Crypto", "CRYPTO"), ("fx", "FX")] {
        assert_eq!(calendars.get(code).map(Calendar::venue), Some(venue), "{code}");
    }
    assert!(calendars.get("XPAR").is_none());
    let order: Vec<&str> = calendars.iter().map(Calendar::venue).collect();
    assert_eq!(order, ["XNYS", "XLON", "XTKS", "XHKG", "CRYPTO", "FX"]);
}

#[test]
fn whatever_is_out_of_the_ordinary_has_a_name_and_parts_in_order() {
    for calendar in &Calendars::embedded() {
        for date in dates(calendar.known_from(), calendar.known_to().min(date("2030-12-31"))) {
            let day = calendar.day(date).expect("a known date");
            assert!(day.notes.iter().all(|note| !note.name.trim().is_empty()), "{} {date}", calendar.venue());
            assert!(day.sessions.iter().all(|part| part.anchor <= part.open && part.open < part.close), "{} {date}", calendar.venue());
            assert!(day.sessions.is_sorted_by(|one, two| one.close <= two.open), "{} {date}", calendar.venue());
            assert!(day.is_open() || !is_weekday(date) || !day.notes.is_empty(), "{} {date}: closed without a reason", calendar.venue());
        }
    }
}

const USER_DAYS: &str = r#"
[[closed]]
venue = "XNAS"
date = "2027-03-08"
name = "national day of mourning"

[[early_close]]
venue = "xnys"
date = "2027-03-09"
close = "13:00"
name = "snow"

[[late_open]]
venue = "XNYS"
date = "2027-03-10"
open = "11:00"
name = "snow"

[[open]]
venue = "XNYS"
date = "2026-11-26"

[[changed_hours]]
venue = "XLON"
date = "2027-03-13"
name = "a Saturday of tests"
sessions = [{ kind = "regular", open = "10:00", close = "14:00" }]
"#;

#[test]
fn a_user_adds_days() {
    let calendars = Calendars::embedded().with_user_days(USER_DAYS).expect("a file of days");
    for (venue, text, hours, note) in [
        ("XNYS", "2027-03-08", "", "national day of mourning"),
        ("XNYS", "2027-03-09", "09:30-13:00", "early close: snow"),
        ("XNYS", "2027-03-10", "11:00-16:00", "late open: snow"),
        ("XNYS", "2027-03-11", "09:30-16:00", ""),
        ("XNYS", "2026-11-26", "09:30-16:00", ""),
        ("XLON", "2027-03-13", "10:00-14:00", "changed hours: a Saturday of tests"),
        ("XLON", "2027-03-08", "08:00-16:30", ""),
    ] {
        let calendar = calendars.get(venue).expect("a known venue");
        let day = calendar.day(date(text)).expect("a known date");
        assert_eq!(regular_hours(calendar, &day), hours, "{venue} {text}");
        assert_eq!(day.notes.first().map_or_else(String::new, ToString::to_string), note, "{venue} {text}");
    }
    let late = calendars.get("XNYS").expect("a venue").day(date("2027-03-10")).expect("a known date");
    assert_eq!(late.sessions[0].close, late.sessions[1].open, "the early session lasts until the late open");
}

#[test]
fn a_user_is_told_what_is_wrong_and_where() {
    for (text, expected) in [
        (
            "[[closed]]\nvenue = \"XNYZ\"\ndate = \"2027-03-08\"\nname = \"x\"\n",
            "line 2, column 9: no calendar is named 'XNYZ'; the calendars are XNYS, XLON",
        ),
        ("[[closed]]\nvenue = \"XNYS\"\ndate = \"2031-03-10\"\nname = \"x\"\n", "line 2, column 9: the calendar of XNYS is known from"),
        ("[[closed]]\nvenue = \"XNYS\"\ndate = \"2027-02-30\"\nname = \"x\"\n", "line 3"),
        ("[[closed]]\nvenue = \"XNYS\"\nday = \"2027-03-08\"\nname = \"x\"\n", "line 3"),
        ("[[closed]]\ndate = \"2027-03-08\"\nname = \"x\"\n", "missing field `venue`"),
        (
            "[[early_close]]\nvenue = \"XNYS\"\ndate = \"2027-03-09\"\nclose = \"17:00\"\nname = \"x\"\n",
            "regular trading of XNYS on 2027-03-09 is from 09:30 to 16:00: 17:00 is not between them",
        ),
    ] {
        let error = Calendars::embedded().with_user_days(text).expect_err("refused").to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("line "), "{error}");
    }
}

#[test]
fn bars_start_at_the_open_of_their_part_and_end_with_it() {
    let calendars = Calendars::embedded();
    let (pre, regular, post) = (Some(SessionKind::Pre), Some(SessionKind::Regular), Some(SessionKind::Post));
    for (venue, hours, t, from, minutes, kind) in [
        ("XNYS", 1, "2026-11-27T14:10:00Z", "2026-11-27T14:00:00Z", 30, pre),
        ("XNYS", 1, "2026-11-27T17:45:00Z", "2026-11-27T17:30:00Z", 30, regular),
        ("XNYS", 1, "2026-11-27T18:10:00Z", "2026-11-27T18:00:00Z", 60, post),
        ("XNYS", 1, "2026-11-30T20:59:59Z", "2026-11-30T20:30:00Z", 30, regular),
        ("XNYS", 4, "2026-11-30T15:00:00Z", "2026-11-30T14:30:00Z", 240, regular),
        ("XNYS", 1, "2026-11-28T15:00:00Z", "", 0, None),
        ("XTKS", 1, "2026-11-20T02:15:00Z", "2026-11-20T02:00:00Z", 30, regular),
        ("XTKS", 1, "2026-11-20T03:10:00Z", "", 0, None),
        ("XTKS", 1, "2026-11-20T03:35:00Z", "2026-11-20T03:30:00Z", 60, regular),
        ("FX", 4, "2026-11-23T23:00:00Z", "2026-11-23T22:00:00Z", 240, regular),
        ("CRYPTO", 1, "2026-11-21T12:34:00Z", "2026-11-21T12:00:00Z", 60, regular),
    ] {
        let calendar = calendars.get(venue).expect("a known venue");
        let found = bar_bounds(calendar, HOUR * hours, at(t)).expect("a known date");
        let expected = kind.map(|kind| Bounds { open: at(from), close: at(from) + MINUTE * minutes, kind });
        assert_eq!(found, expected, "{venue} {t}");
    }
}

#[test]
fn a_day_has_so_many_bars() {
    let all = SessionKind::ALL;
    for (venue, text, minutes, kinds, expected) in [
        ("XNYS", "2026-11-30", 1, &all[2..3], 390),
        ("XNYS", "2026-11-27", 1, &all[2..3], 210),
        ("XNYS", "2026-11-27", 60, &all[2..3], 4),
        ("XNYS", "2026-11-27", 60, &all[..], 6 + 4 + 4),
        ("XNYS", "2026-11-30", 30, &all[1..2], 11),
        ("XNYS", "2026-11-26", 1, &all[..], 0),
        ("XNYS", "2001-09-17", 5, &all[2..3], 78),
        ("XNYS", "2002-09-11", 60, &all[2..3], 5),
        ("XTKS", "2024-11-01", 1, &all[..], 300),
        ("XTKS", "2024-11-05", 1, &all[..], 330),
        ("XHKG", "2026-02-16", 1, &all[..], 150),
        ("CRYPTO", "2026-02-16", 1, &all[..], 1440),
        ("FX", "2026-02-16", 60, &all[..], 24),
        ("XNYS", "2026-11-30", 0, &all[..], 0),
    ] {
        assert_eq!(bar_opens(&day(venue, text), MINUTE * minutes, kinds).len(), expected, "{venue} {text} {minutes} min");
    }
    let late = bar_opens(&day("XNYS", "2001-09-17"), MINUTE * 5, &[SessionKind::Regular]);
    assert_eq!(late[0].open, at("2001-09-17T13:30:00Z"), "the grid is that of every day");
}

#[test]
fn the_bar_of_an_instant_is_the_one_in_the_list() {
    for calendar in &Calendars::embedded() {
        for day in calendar.days(date("2026-01-01"), date("2027-01-01")) {
            for bar in bar_opens(&day.expect("a known date"), HOUR, &SessionKind::ALL) {
                let last = bar.close - Duration::from_micros(1);
                for t in [bar.open, last] {
                    assert_eq!(bar_bounds(calendar, HOUR, t).expect("a known date"), Some(bar), "{} {t}", calendar.venue());
                }
            }
        }
    }
}
