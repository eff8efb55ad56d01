//! The program in a real terminal: what keys do, how it ends, and what it leaves behind.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use openbell::pane::PANES;
use openbell::tui::COMMANDS;
use rustix::process::Signal;
use unicode_width::UnicodeWidthStr;

use crate::pty::{OPENBELL, Picture, Session, Start};
use crate::screens::{check_xml, without_escapes};

/// A question every ten seconds: the backfills of the demo last.
const SLOW: &str = "[provider.sim]\nrequests_per_minute = 6\n";
/// Sixty questions at once, then ten a second: those of the demo end soon, those of a year do not.
const FAST: &str = "[provider.sim]\nrequests_per_minute = 600\n";

/// Nobody waits longer for the end of a program; most of it is for a busy machine.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn q_quits_and_leaves_the_terminal_as_it_was() {
    let mut session = idle_demo();
    let up = session.picture();
    assert!(up.is_alternate() && up.hides_cursor() && up.brackets_pastes() && session.is_raw(), "nothing was taken");
    assert!(up.lines()[0].contains("SIMULATED"), "{}", up.text());
    session.press("q");
    assert!(session.exit().success());
    assert!(!session.is_raw(), "the terminal is still raw");
    let down = session.last_picture();
    assert!(!down.is_alternate() && !down.hides_cursor() && !down.brackets_pastes() && !down.takes_mouse());
    assert_eq!(down.text().trim(), "", "something is left on the screen");
    assert_eq!(outside_of_frames(&session.raw()), "", "something other than frames was written");
    let raw = session.raw();
    let after = &raw[last(&raw, b"\x1b[?2026l\x1b[").unwrap_or(0)..];
    for mark in ["\x1b[?2004l", "\x1b[?1049l", "\x1b[?25h"] {
        assert!(last(after, mark.as_bytes()).is_some(), "{mark:?} is missing from {:?}", String::from_utf8_lossy(after));
    }
    assert_eq!(leftovers(&session), 0, "the demo's store was not thrown away");
}

#[test]
fn ctrl_c_quits() {
    let mut session = idle_demo();
    session.press("ctrl-c");
    assert!(session.exit().success());
    assert!(!session.is_raw() && !session.last_picture().is_alternate());
}

#[test]
fn signals_and_a_lost_terminal_end_it() {
    for signal in [Signal::TERM, Signal::HUP] {
        let mut session = Session::demo(&Start::default());
        let asked = Instant::now();
        session.kill(signal);
        let status = session.exit();
        assert!(asked.elapsed() < SOON, "{signal:?} took {:?}", asked.elapsed());
        assert_eq!(status.signal(), None, "it did not end by itself: {status:?}");
        let last = session.last_picture();
        assert!(!session.is_raw() && !last.is_alternate() && !last.hides_cursor(), "{signal:?}");
        assert_eq!(leftovers(&session), 0, "{signal:?}");
    }
    let mut session = Session::demo(&Start::default());
    session.hang_up();
    let gone = Instant::now();
    assert_eq!(session.exit().signal(), None);
    assert!(gone.elapsed() < SOON, "{:?}", gone.elapsed());
    assert_eq!(leftovers(&session), 0);
}

#[test]
fn quit_asks_while_a_job_is_at_work() {
    let mut session = Session::demo(&Start { config: SLOW, ..Start::default() });
    go(&mut session, "a backfill", ("b", |picture| picture.has("backfill · enter does it")));
    go(&mut session, "a backfill", ("enter", |picture| picture.has("backfill queued")));
    session.press("q");
    session.wait_for("the question", |picture| picture.has("3 jobs are at work") && picture.has("Quit?"));
    session.press("n");
    session.wait_for("the market again", |picture| !picture.has("jobs are at work"));
    session.press("q");
    session.wait_for("the question again", |picture| picture.has("3 jobs are at work"));
    session.press("y");
    assert!(session.exit().success());
    assert_eq!(leftovers(&session), 0);
}

#[test]
fn any_row_of_sizes_ends_in_a_right_picture() {
    let mut session = Session::demo(&Start::default());
    let steps: [((u16, u16), fn(&Picture) -> bool); 5] = [
        ((250, 80), |picture| is_framed(picture, (250, 80)) && picture.has(" 5 jobs")),
        ((20, 5), |picture| picture.has("20x5 is too small") && picture.lines()[0] == "SIMULATED"),
        ((40, 10), |picture| is_framed(picture, (40, 10)) && picture.has("┏ 1 watchlist")),
        ((1, 1), |picture| picture.text() == "S"),
        ((80, 24), |picture| is_framed(picture, (80, 24))),
    ];
    for (size, condition) in steps {
        session.resize(size);
        session.wait_for(&format!("a picture of {size:?}"), condition);
    }
    for round in 0..8_u16 {
        for size in [(250, 80), (1, 1), (20, 5), (40, 10), (160, 50), (39, 9), (2, 60), (200, 3), (100 + round, 30)] {
            session.resize(size);
        }
    }
    session.wait_for("a picture after the storm", |picture| is_framed(picture, (107, 30)));
    session.press("z");
    session.wait_for("a zoomed pane", |picture| is_framed(picture, (107, 30)) && !picture.has(" 2 market"));
}

/// The program is started by a shell, as people do: alone in its session, the system would not stop it.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_again() {
    let start = Start { program: "/bin/sh", args: &["-i"], env: &[("PS1", "ready$ "), ("ENV", "")], ..Start::default() };
    let mut session = Session::start(&start);
    session.wait_for("a prompt", |picture| picture.has("ready$"));
    session.keys(format!("'{OPENBELL}' demo\r").as_bytes());
    session.wait_for("the market", |picture| picture.is_alternate() && picture.has("SIMULATED") && picture.has("EUR/USD"));
    let pid = session.foreground();
    for round in 1..=3 {
        session.press("ctrl-z");
        session.wait_until("the program to stop", || crate::pty::state_of(pid) == Some('T'));
        let shell = session.wait_for("the shell's words", |picture| picture.text().matches("Stopped").count() >= round);
        assert!(!shell.is_alternate() && !shell.hides_cursor(), "round {round}: the shell has our screen");
        assert!(!session.is_raw(), "round {round}: the shell has a raw terminal");
        session.keys(b"fg\r");
        let all = ["┏ 1 watchlist 12 ━", " 2 market", " 3 ingestion", " 4 alerts", " 6 logs", "EUR/USD"];
        session.wait_for("the whole picture again", |picture| {
            picture.is_alternate() && picture.hides_cursor() && all.iter().all(|text| picture.has(text))
        });
        assert!(session.is_raw());
    }
    session.press("q");
    let asked = session.wait_for("an end or a question", |picture| !picture.is_alternate() || picture.has("at work"));
    if asked.is_alternate() {
        session.press("y");
    }
    // The shell's own: before it, the program still ends, and what is typed is its.
    session.wait_for("a prompt again", |picture| {
        !picture.is_alternate() && !picture.hides_cursor() && picture.text().matches("ready$").count() == 5
    });
    session.keys(b"exit\r");
    assert!(session.exit().success());
}

#[test]
fn no_color_means_no_colour() {
    let mut plain = Session::demo(&Start { env: &[("NO_COLOR", "1")], ..Start::default() });
    plain.press("j");
    plain.wait_for("the cursor's mark", |picture| picture.selected() == "MSFT");
    plain.kill(Signal::TERM);
    plain.exit();
    assert_eq!(colours(&plain.raw()), BTreeSet::new());
    let mut coloured = Session::demo(&Start::default());
    coloured.kill(Signal::TERM);
    coloured.exit();
    assert!(!colours(&coloured.raw()).is_empty(), "the check finds no colour where there are some");
}

#[test]
fn pasted_text_runs_nothing() {
    let mut session = Session::demo(&Start::default());
    session.keys(b"\x1b[200~qqq?:ab\r\x1b[201~");
    session.press("j");
    let picture = session.wait_for("the cursor one row down", |picture| picture.selected() == "MSFT");
    assert!(!picture.has("╭"), "{}", picture.text());
    session.press("/");
    session.wait_for("the line to type in", |picture| picture.has("/▏"));
    session.keys(b"\x1b[200~vod\x1b[201~");
    session.wait_for("what was pasted", |picture| picture.has("/vod▏") && picture.has("watchlist 1 of 12"));
}

/// `OPENBELL_PANIC=ui` exists in builds with debug assertions only.
#[cfg(debug_assertions)]
#[test]
fn a_panic_gives_the_terminal_back_before_it_is_told() {
    let mut session = Session::start(&Start { env: &[("OPENBELL_PANIC", "ui")], ..Start::default() });
    let status = session.exit();
    assert!(!status.success() && status.signal().is_none(), "{status:?}");
    let last_picture = session.last_picture();
    assert!(!session.is_raw() && !last_picture.is_alternate() && !last_picture.hides_cursor());
    assert!(last_picture.has("panicked"), "{}", last_picture.text());
    let raw = session.raw();
    assert!(last(&raw, b"\x1b[?1049h") < last(&raw, b"\x1b[?1049l") && last(&raw, b"\x1b[?1049l") < last(&raw, b"panicked"));
}

#[test]
fn without_a_terminal_it_says_what_there_is_instead() {
    for (args, instead) in [(&[][..], "'openbell screen'"), (&["demo"][..], "'openbell screen --demo'")] {
        let home = tempfile::tempdir().unwrap();
        let output = assert_cmd::Command::new(OPENBELL).args(args).env_clear().env("HOME", home.path()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(instead) && said.lines().count() == 1, "{said}");
        assert!(output.stdout.is_empty());
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "it made files all the same");
    }
}

#[test]
fn screen_prints_one_frame() {
    let text = screen(&["--size", "80x24", "--after", "1s"]);
    assert_eq!(text.lines().count(), 24, "{text}");
    assert!(text.ends_with('\n') && text.lines().all(|line| line.width() <= 80), "{text}");
    assert!(text.lines().next().unwrap().contains("SIMULATED") && text.contains("AAPL"), "{text}");
    assert!(!text.contains('\x1b'));

    let ansi = screen(&["--size", "80x24", "--after", "500ms", "--format", "ansi"]);
    let bare = without_escapes(&ansi);
    assert!(ansi.contains("\x1b[0;") && bare.contains("SIMULATED"), "{bare}");
    assert_eq!((bare.lines().count(), bare.lines().map(UnicodeWidthStr::width).collect::<BTreeSet<_>>()), (24, BTreeSet::from([80])));

    let svg = screen(&["--size", "80x24", "--after", "500ms", "--format", "svg"]);
    check_xml(&svg);
    assert!(svg.starts_with("<svg ") && svg.contains("SIMULATED"));
}

fn screen(args: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut command = assert_cmd::Command::new(OPENBELL);
    command.args(["screen", "--demo"]).args(args).env_clear().env("HOME", home.path()).env("TMPDIR", home.path());
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A key or, after `type `, a text; and what the screen shows then.
type Step = (&'static str, fn(&Picture) -> bool);

/// One command: how one comes to where its key means something, what the key changes, and the way back.
struct Row {
    pane: &'static str,
    command: &'static str,
    before: &'static [Step],
    seen: fn(&Picture) -> bool,
    after: &'static [Step],
}

const EVERYWHERE: &str = "everywhere";
/// Commands whose tests end or stop the program: they stand above.
const ELSEWHERE: [&str; 2] = ["quit", "suspend"];

const fn everywhere(command: &'static str, before: &'static [Step], seen: fn(&Picture) -> bool, after: &'static [Step]) -> Row {
    Row { pane: EVERYWHERE, command, before, seen, after }
}

fn at_start(picture: &Picture) -> bool {
    picture.has("┏ 1 watchlist 12 ━")
        && picture.has(" 2 market")
        && !picture.has("╭")
        && !picture.has("PAUSED")
        && !picture.has("/▏")
        && picture.selected() == "AAPL"
}

fn is_zoomed(picture: &Picture) -> bool {
    picture.has("┏ 1 watchlist 12 ━") && !picture.has(" 2 market") && picture.has("day range")
}

fn held(picture: &Picture) -> u64 {
    let header = picture.lines().swap_remove(0);
    let count = header.split(" changes held").next().and_then(|before| before.rsplit(' ').next());
    if header.contains(" changes held") { count.and_then(|count| count.parse().ok()).unwrap_or(0) } else { 0 }
}

const TO_START: &[Step] = &[("1", at_start)];
const ESCAPE: &[Step] = &[("esc", at_start)];
const TO_TOP: &[Step] = &[("g", at_start)];
const TO_LOGS: &[Step] = &[("6", |picture| picture.has("┏ 6 logs"))];

const ROWS: &[Row] = &[
    everywhere("bottom", &[], |picture| picture.selected() == "EUR/USD", TO_TOP),
    everywhere("help", &[], |picture| picture.has("help · esc closes") && picture.has("Show what each key does."), ESCAPE),
    everywhere("palette", &[], |picture| picture.has("commands · enter runs") && picture.has("Find a command by name."), ESCAPE),
    everywhere("close", &[("?", |picture| picture.has("help · esc closes"))], at_start, &[]),
    everywhere("close", &[("z", is_zoomed)], at_start, &[]),
    everywhere(
        "close",
        &[
            ("/", |picture| picture.has("/▏")),
            ("type vod", |picture| picture.has("watchlist 1 of 12")),
            ("enter", |picture| picture.has("watchlist 1 of 12") && !picture.has("▏")),
        ],
        at_start,
        &[],
    ),
    everywhere("next-pane", &[], |picture| picture.has("┏ 2 market"), TO_START),
    everywhere("previous-pane", &[], |picture| picture.has("┏ 6 logs"), TO_START),
    everywhere("pane-1", &[("2", |picture| picture.has("┏ 2 market"))], at_start, &[]),
    everywhere("pane-2", &[], |picture| picture.has("┏ 2 market"), TO_START),
    everywhere("pane-3", &[], |picture| picture.has("┏ 3 ingestion"), TO_START),
    everywhere("pane-4", &[], |picture| picture.has("┏ 4 alerts"), TO_START),
    everywhere("pane-5", &[], |picture| picture.has("┏ 5 jobs"), TO_START),
    everywhere("pane-6", &[], |picture| picture.has("┏ 6 logs"), TO_START),
    everywhere("logs", &[], |picture| picture.has("┏ 6 logs"), TO_START),
    everywhere("down", &[], |picture| picture.selected() == "MSFT", TO_TOP),
    everywhere("up", &[("j", |picture| picture.selected() == "MSFT")], at_start, &[]),
    everywhere("top", &[("G", |picture| picture.selected() == "EUR/USD")], at_start, &[]),
    // The pane has room for thirteen rows.
    everywhere("half-down", &[], |picture| picture.selected() == "XOM", TO_TOP),
    everywhere("half-up", &[("G", |picture| picture.selected() == "EUR/USD")], |picture| picture.selected() == "JPM", TO_TOP),
    everywhere("open", &[], |picture| picture.has("AAPL · f fundamentals · esc closes") && picture.has("open time"), ESCAPE),
    everywhere("zoom", &[], is_zoomed, &[("z", at_start)]),
    everywhere(
        "layout",
        &[],
        |picture| picture.has("layout watchlist") && picture.has(" 4 alerts") && !picture.has(" 2 market"),
        &[
            ("L", |picture| picture.has("layout operations") && picture.has("┏ 3 ingestion") && !picture.has(" 1 watchlist")),
            ("L", |picture| picture.has("layout overview") && at_start(picture)),
        ],
    ),
    everywhere(
        "filter",
        &[],
        |picture| picture.has("/▏"),
        &[("type vod", |picture| picture.has("watchlist 1 of 12") && picture.symbols() == ["VOD:XLON"]), ("esc", at_start)],
    ),
    everywhere(
        "add",
        &[],
        |picture| picture.has("add a symbol"),
        &[
            ("type tsla", |picture| picture.has("TSLA: equity at XNYS")),
            ("enter", |picture| picture.has("┏ 1 watchlist 13 ━") && picture.has("TSLA added")),
            ("G", |picture| picture.selected() == "TSLA"),
            ("d", |picture| picture.has("Take TSLA off the list?")),
            ("y", |picture| picture.has("┏ 1 watchlist 12 ━")),
            ("g", at_start),
        ],
    ),
    everywhere(
        "backfill",
        &[("j", |picture| picture.selected() == "MSFT")],
        |picture| picture.has("backfill · enter does it") && picture.has("MSFT▏") && picture.has("requests to sim"),
        &[
            ("enter", |picture| picture.has("backfill of MSFT done")),
            ("5", |picture| picture.has("┏ 5 jobs 3 ━") && !picture.has("● running")),
            ("1", |picture| picture.selected() == "MSFT" && picture.has("┏ 1 watchlist")),
            ("g", at_start),
        ],
    ),
    everywhere(
        "export",
        &[],
        |picture| picture.has("export · enter does it") && picture.has("bars-AAPL-1m.csv"),
        &[("enter", |picture| picture.has(" rows in ") && at_start(picture))],
    ),
    everywhere("refresh", &[], |picture| picture.has("asking every source"), &[]),
    everywhere("pause", &[], |picture| held(picture) > 0, &[("p", at_start)]),
    Row {
        pane: "watchlist",
        command: "sort",
        before: &[],
        seen: |picture| picture.has("· by symbol") && picture.symbols().get(1).is_some_and(|symbol| symbol == "AMZN"),
        after: &[
            ("s", |picture| picture.has("· by change")),
            ("s", |picture| picture.has("· by volume")),
            ("s", |picture| picture.has("· by age")),
            ("s", at_start),
        ],
    },
    Row {
        pane: "watchlist",
        command: "reverse",
        before: &[],
        seen: |picture| picture.has("reversed") && picture.symbols().first().is_some_and(|symbol| symbol == "EUR/USD"),
        after: &[("S", at_start)],
    },
    Row {
        pane: "watchlist",
        command: "remove",
        before: &[
            ("a", |picture| picture.has("add a symbol")),
            ("type ibm", |picture| picture.has("IBM: equity at XNYS")),
            ("enter", |picture| picture.has("┏ 1 watchlist 13 ━")),
            ("G", |picture| picture.selected() == "IBM"),
        ],
        seen: |picture| picture.has("Take IBM off the list? Its history stays."),
        after: &[("y", |picture| picture.has("┏ 1 watchlist 12 ━") && picture.has("IBM removed; its history stays")), ("g", at_start)],
    },
    Row {
        pane: "market",
        command: "holidays",
        before: &[("2", |picture| picture.has("┏ 2 market"))],
        seen: |picture| picture.has("┏ 2 market holidays") && picture.has("Thu 26 Nov"),
        after: &[("h", |picture| picture.has("┏ 2 market 4 of 6 open")), ("1", at_start)],
    },
    Row {
        pane: "alerts",
        command: "clear",
        before: &[("4", |picture| picture.has("┏ 4 alerts") && !picture.has("┏ 4 alerts 0"))],
        seen: |picture| picture.has("┏ 4 alerts 0") && picture.has("no alerts"),
        after: TO_START,
    },
    Row {
        pane: "jobs",
        command: "cancel",
        before: &[
            ("b", |picture| picture.has("backfill · enter does it")),
            ("tab", |picture| picture.has("5▏")),
            ("ctrl-u", |picture| picture.has("range     ▏")),
            ("type 400", |picture| picture.has("range     400▏")),
            ("enter", |picture| !picture.has("╭")),
            ("5", |picture| picture.has("1 running")),
        ],
        seen: |picture| picture.has("cancel backfill of AAPL?"),
        after: &[("y", |picture| picture.has("- cancelled") && !picture.has("1 running")), ("1", at_start)],
    },
    Row {
        pane: "logs",
        command: "level",
        before: TO_LOGS,
        seen: |picture| picture.title("6 logs").contains("· debug"),
        after: &[
            ("v", |picture| picture.title("6 logs").contains("· trace")),
            ("v", |picture| picture.title("6 logs").contains("· error")),
            ("v", |picture| picture.title("6 logs").contains("· warn")),
            ("v", |picture| picture.title("6 logs").contains("· info")),
            ("1", at_start),
        ],
    },
    Row {
        pane: "logs",
        command: "follow",
        before: &[("6", |picture| picture.has("┏ 6 logs") && picture.title("6 logs").contains("follow"))],
        seen: |picture| picture.has("┏ 6 logs") && !picture.title("6 logs").contains("follow"),
        after: &[("f", |picture| picture.title("6 logs").contains("follow")), ("1", at_start)],
    },
];

/// Every command that exists, by the pane that has it, with its keys.
fn registry() -> Vec<(&'static str, &'static str, &'static [&'static str])> {
    let global = COMMANDS.iter().map(|row| (EVERYWHERE, row.command.name, row.command.keys));
    let own = PANES.iter().flat_map(|pane| pane.commands.iter().map(|command| (pane.name, command.name, command.keys)));
    global.chain(own).collect()
}

#[test]
fn every_command_has_its_row() {
    let name = |pane: &str, command: &str| format!("{pane}: {command}");
    let known: BTreeSet<_> = registry().iter().map(|(pane, command, _)| name(pane, command)).collect();
    let mut tested: BTreeSet<_> = ROWS.iter().map(|row| name(row.pane, row.command)).collect();
    tested.extend(ELSEWHERE.map(|command| name(EVERYWHERE, command)));
    assert_eq!(tested, known);
}

#[test]
fn every_key_does_what_its_sentence_says() {
    let mut session = idle_demo();
    let registry = registry();
    for row in ROWS {
        let keys = registry.iter().find(|(pane, command, _)| (*pane, *command) == (row.pane, row.command)).map_or(&[][..], |entry| entry.2);
        for &key in keys {
            let name = format!("{} {} by {key}", row.pane, row.command);
            row.before.iter().for_each(|step| go(&mut session, &format!("before {name}"), *step));
            go(&mut session, &name, (key, row.seen));
            row.after.iter().for_each(|step| go(&mut session, &format!("after {name}"), *step));
            session.wait_for(&format!("the start again after {name}"), at_start);
        }
    }
    let exported = std::fs::read_to_string(session.home().join("bars-AAPL-1m.csv")).unwrap();
    assert!(exported.starts_with("symbol,interval,open_time,open,high,low,close,volume") && exported.lines().count() > 100);
    session.press("q");
    assert!(session.exit().success());
}

/// One step, and what is to be seen after it and not before: otherwise it would prove nothing.
fn go(session: &mut Session, what: &str, (key, seen): Step) {
    let before = session.picture();
    assert!(!seen(&before), "{what}: {key} has nothing to change:\n{}", before.text());
    match key.strip_prefix("type ") {
        Some(text) => session.keys(text.as_bytes()),
        None => session.press(key),
    }
    session.wait_for(&format!("{what}: {key}"), seen);
}

/// The demo, when the backfills that it begins with are over: quitting asks nothing any more.
fn idle_demo() -> Session {
    let mut session = Session::demo(&Start { config: FAST, ..Start::default() });
    session.press("5");
    session
        .wait_for("the end of the first backfills", |picture| picture.has("┏ 5 jobs 2 ━") && picture.text().matches("✓ done").count() == 2);
    go(&mut session, "after the first backfills", ("1", |picture| picture.has("┏ 1 watchlist")));
    session
}

/// Whether a header, frames from edge to edge and a footer fill the screen, and nothing else is on it.
fn is_framed(picture: &Picture, (width, height): (u16, u16)) -> bool {
    let lines = picture.lines();
    let Some((header, rest)) = lines.split_first() else { return false };
    let Some((footer, middle)) = rest.split_last() else { return false };
    let is_row = |line: &String| {
        line.width() == usize::from(width)
            && line.starts_with(['┏', '┌', '┃', '│', '┗', '└'])
            && line.ends_with(['┓', '┐', '┃', '│', '┛', '┘'])
    };
    lines.len() == usize::from(height)
        && header.contains("SIMULATED")
        && middle.iter().all(is_row)
        && middle.first().is_some_and(|line| line.starts_with(['┏', '┌']))
        && middle.last().is_some_and(|line| line.starts_with(['┗', '└']))
        && footer.contains("s sort")
}

/// What the demo left in the folder for throwaway files.
fn leftovers(session: &Session) -> usize {
    std::fs::read_dir(session.home().join("tmp")).unwrap().count()
}

fn last(raw: &[u8], mark: &[u8]) -> Option<usize> {
    raw.windows(mark.len()).rposition(|window| window == mark)
}

/// The bytes after each `ESC [`: parameters with the letter that ends them, then what follows.
fn sequences(raw: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(raw);
    let split = |part: &str| {
        let end = part.find(|c: char| ('@'..='~').contains(&c)).map_or(part.len(), |at| at + 1);
        (part[..end].to_owned(), part[end..].to_owned())
    };
    text.split("\x1b[").skip(1).map(split).collect()
}

/// Text that was written before, between or after frames.
fn outside_of_frames(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let mut outside = text.split("\x1b[").next().unwrap_or_default().to_owned();
    let mut in_frame = false;
    for (sequence, after) in sequences(raw) {
        match sequence.as_str() {
            "?2026h" => in_frame = true,
            "?2026l" => in_frame = false,
            _ => {}
        }
        if !in_frame {
            outside.push_str(&after);
        }
    }
    outside
}

/// The codes that set a colour; those that go back to the terminal's own are none.
fn colours(raw: &[u8]) -> BTreeSet<String> {
    let sets_colour = |code: &str| code.parse().is_ok_and(|code: u8| matches!(code, 30..=38 | 40..=48 | 58 | 90..=97 | 100..=107));
    let sgr = sequences(raw).into_iter().filter_map(|(sequence, _)| Some(sequence.strip_suffix('m')?.to_owned()));
    sgr.filter(|codes| codes.split([';', ':']).any(sets_colour)).collect()
}
