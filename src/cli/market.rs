//! `openbell market`: the calendar.

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::calendar::{Calendar, Calendars, Day, State};
use crate::cli::compare::{self, CompareArgs};
use crate::cli::exit::{Done, Usage};
use crate::cli::output::{FormatArg, RowFormat, Rows};
use crate::cli::session::{Globals, Session};
use crate::export::Value;
use crate::market::{Date, Timestamp};
use crate::snapshot::venue_view;
use crate::widget::countdown;

/// The calendar: which venue is open, and when.
#[derive(Debug, Args)]
#[command(after_help = "Example: openbell market should-run --venue XNYS || exit 0")]
pub(crate) struct MarketArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// XNYS, XLON, XTKS, XHKG, CRYPTO or FX; XNAS and ARCX are XNYS.
    #[arg(long, global = true)]
    venue: Option<String>,
    /// Another time than now: 2026-11-27T14:30:00Z.
    #[arg(long, global = true, value_name = "TIME")]
    at: Option<String>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What each venue is doing, and what comes next.
    #[command(after_help = "Example: openbell market status --venue XLON")]
    Status(FormatArg),
    /// Open days with their hours in UTC; continuous trading only.
    #[command(after_help = "Example: openbell market calendar --venue XNYS --from 2026-11-23 --to 2026-12-01")]
    Calendar {
        /// The first date; by default that of --at, or today.
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        /// The date after the last; by default 30 days later.
        #[arg(long, value_name = "DATE")]
        to: Option<String>,
        #[command(flatten)]
        format: FormatArg,
    },
    Compare(CompareArgs),
    /// Exit 0 while a session (pre, regular or post) is open, 1 while none is, 2 when that cannot be told.
    #[command(after_help = "Example: openbell market should-run --venue XNYS || exit 0")]
    ShouldRun,
}

const STATUS: &[&str] = &["venue", "name", "state", "local_time", "next", "next_at", "in", "note"];
const CALENDAR: &[&str] = &["date", "open", "close", "break_start", "break_end", "early_close"];

/// Answers from the calendars alone: no store, and no network unless a source is compared with them.
pub(crate) fn run(globals: &Globals, args: &MarketArgs) -> Result<Done> {
    let session = Session::new(globals)?;
    let calendars = session.calendars()?;
    let now = match &args.at {
        Some(text) => text.parse().map_err(|e| Usage(format!("--at: {e}")))?,
        None => session.clock.now(),
    };
    match &args.what {
        None => status(&chosen(&calendars, args.venue.as_deref())?, now, FormatArg { format: RowFormat::Table }),
        Some(What::Status(format)) => status(&chosen(&calendars, args.venue.as_deref())?, now, *format),
        Some(What::Calendar { from, to, format }) => {
            let calendar = one(&calendars, args.venue.as_deref())?;
            let today = now.in_zone(calendar.zone()).0;
            let from = date(from.as_deref(), "--from")?.unwrap_or(today);
            let to = date(to.as_deref(), "--to")?.unwrap_or_else(|| from.plus_days(30));
            days(calendar, from, to, *format)
        }
        Some(What::Compare(_)) if args.at.is_some() => Err(Usage("compare asks what is so now: it takes no --at".to_owned()).into()),
        Some(What::Compare(compared)) => compare::run(&session, &chosen(&calendars, args.venue.as_deref())?, compared),
        Some(What::ShouldRun) => Ok(should_run(one(&calendars, args.venue.as_deref())?, now)),
    }
}

fn date(text: Option<&str>, option: &str) -> Result<Option<Date>> {
    text.map(|text| text.parse().map_err(|e| Usage(format!("{option}: {e}")).into())).transpose()
}

fn chosen<'a>(calendars: &'a Calendars, venue: Option<&str>) -> Result<Vec<&'a Calendar>> {
    match venue {
        Some(_) => Ok(vec![one(calendars, venue)?]),
        None => Ok(calendars.iter().collect()),
    }
}

/// The named calendar, or that of New York.
fn one<'a>(calendars: &'a Calendars, venue: Option<&str>) -> Result<&'a Calendar> {
    let name = venue.unwrap_or("XNYS");
    let known = || calendars.iter().map(Calendar::venue).collect::<Vec<_>>().join(", ");
    calendars.get(name).ok_or_else(|| Usage(format!("there is no calendar for '{name}': {}", known())).into())
}

fn status(calendars: &[&Calendar], now: Timestamp, format: FormatArg) -> Result<Done> {
    let mut rows = Rows::begin(STATUS, format.format)?;
    let mut done = Done::Yes;
    for calendar in calendars {
        if let Err(error) = calendar.at(now) {
            eprintln!("openbell: {error}");
            done = Done::No;
        }
        let view = venue_view(calendar, now);
        let (next_at, next) = view.next.unzip();
        rows.row(&[
            view.venue.as_str().into(),
            view.name.as_str().into(),
            view.state.as_str().into(),
            now.format_in(view.zone, "%Y-%m-%d %H:%M %Z").as_str().into(),
            next.as_deref().into(),
            next_at.into(),
            next_at.map(|at| countdown(at.since(now))).as_deref().into(),
            view.note.as_deref().into(),
        ])?;
    }
    rows.end()?;
    Ok(done)
}

fn days(calendar: &Calendar, from: Date, to: Date, format: FormatArg) -> Result<Done> {
    if from >= to {
        return Err(Usage("--to must be later than --from".to_owned()).into());
    }
    // Asked for before anything is printed: half an answer would look like a whole one.
    let days: Vec<Day> = calendar.days(from, to).collect::<Result<_, _>>()?;
    let mut rows = Rows::begin(CALENDAR, format.format)?;
    for day in days {
        let Some((open, close)) = day.regular() else { continue };
        let (break_start, break_end) = day.breaks().unzip();
        rows.row(&[
            day.date.to_string().as_str().into(),
            open.into(),
            close.into(),
            break_start.into(),
            break_end.into(),
            Value::Flag(day.is_early_close()),
        ])?;
    }
    rows.end()?;
    Ok(Done::Yes)
}

fn should_run(calendar: &Calendar, now: Timestamp) -> Done {
    match calendar.at(now) {
        Ok(moment) if matches!(moment.state(), State::Open(_)) => Done::Yes,
        Ok(_) => Done::No,
        Err(error) => {
            eprintln!("openbell: {error}");
            Done::Trouble
        }
    }
}
