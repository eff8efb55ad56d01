//! A real pseudo-terminal: the program at one end, a terminal's picture of it at the other.
#![cfg(unix)]

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::LocalModes;
use tempfile::TempDir;

/// The program under test.
pub const OPENBELL: &str = env!("CARGO_BIN_EXE_openbell");

/// Nothing on a screen may take longer, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(40);
/// A frame begins with the first of these and ends with the second.
const FRAME: [&[u8]; 2] = [b"\x1b[?2026h", b"\x1b[?2026l"];

/// What is started.
pub struct Start<'a> {
    pub program: &'a str,
    pub args: &'a [&'a str],
    pub size: (u16, u16),
    pub env: &'a [(&'a str, &'a str)],
    /// Text of a config file; empty is none.
    pub config: &'a str,
}

impl Default for Start<'_> {
    fn default() -> Self {
        Self { program: OPENBELL, args: &["demo"], size: (120, 30), env: &[], config: "" }
    }
}

/// A program in a terminal of its own, with a home of its own.
pub struct Session {
    home: TempDir,
    pid: Pid,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
    ended: mpsc::Receiver<ExitStatus>,
    status: Option<ExitStatus>,
}

struct Shared {
    state: Mutex<State>,
    news: Condvar,
    /// Set when the terminal is taken away: the reader lets go of it.
    gone: AtomicBool,
}

struct State {
    parser: vt100::Parser,
    raw: Vec<u8>,
    closed: bool,
}

impl Shared {
    /// A test that failed elsewhere is no reason to fail here.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Starts a program.
    pub fn start(start: &Start<'_>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let pair = native_pty_system().openpty(cells(start.size)).unwrap();
        let mut child = pair.slave.spawn_command(command(start, home.path())).unwrap();
        // Its end is the program's alone, so that the program's end is seen.
        drop(pair.slave);
        let pid = Pid::from_raw(i32::try_from(child.process_id().unwrap()).unwrap()).unwrap();
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let status = child.wait().unwrap();
            // Nobody waits for it any more when the test is over.
            let _ = sender.send(status);
        });
        let state = State { parser: parser(start.size), raw: Vec::new(), closed: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), news: Condvar::new(), gone: AtomicBool::new(false) });
        let source = pair.master.try_clone_reader().unwrap();
        let reader = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || read(source, &shared)
        });
        let writer = pair.master.take_writer().unwrap();
        Self { home, pid, master: Some(pair.master), writer: Some(writer), shared, reader: Some(reader), ended, status: None }
    }

    /// The demo, as soon as it shows its market.
    pub fn demo(start: &Start<'_>) -> Self {
        let session = Self::start(start);
        session.wait_for("the market", |picture| picture.has("SIMULATED") && picture.has("AAPL") && picture.has("EUR/USD"));
        session
    }

    /// The program's home folder, which is also its working folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// What the terminal shows, as soon as it is what `condition` wants; whole frames only.
    pub fn wait_for(&self, what: &str, condition: impl Fn(&Picture) -> bool) -> Picture {
        let deadline = Instant::now() + LIMIT;
        let mut state = self.shared.lock();
        loop {
            let picture = Picture(state.parser.screen().clone());
            if !in_frame(&state.raw) && condition(&picture) {
                return picture;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() {
                drop(state);
                panic!("waited in vain for {what}:\n{}", picture.text());
            }
            state = self.shared.news.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for something that is not on the screen.
    pub fn wait_until(&self, what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + LIMIT;
        let mut state = self.shared.lock();
        while !condition() {
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            state = self.shared.news.wait_timeout(state, Duration::from_millis(20)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What the terminal shows now.
    pub fn picture(&self) -> Picture {
        self.wait_for("the end of a frame", |_| true)
    }

    /// Everything the program wrote.
    pub fn raw(&self) -> Vec<u8> {
        self.shared.lock().raw.clone()
    }

    /// Sends bytes as a keyboard does.
    pub fn keys(&mut self, bytes: &[u8]) {
        let writer = self.writer.as_mut().expect("the terminal was taken away");
        writer.write_all(bytes).and_then(|()| writer.flush()).unwrap();
    }

    /// Presses a key by the name that the tables of commands give it.
    pub fn press(&mut self, key: &str) {
        self.keys(&bytes_of(key));
    }

    pub fn resize(&mut self, size: (u16, u16)) {
        self.shared.lock().parser.set_size(cell_count(size.1), cell_count(size.0));
        self.master.as_ref().expect("the terminal was taken away").resize(cells(size)).unwrap();
    }

    pub fn kill(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Takes the terminal away, as a closed window does.
    pub fn hang_up(&mut self) {
        self.shared.gone.store(true, Ordering::SeqCst);
        (self.writer, self.master) = (None, None);
        // It lets go after the next bytes; the market does not stand still for long.
        self.reader.take().expect("the terminal was taken away twice").join().unwrap();
    }

    /// Whether the terminal hands keys over as they are, those that make signals too.
    pub fn is_raw(&self) -> bool {
        let modes = self.master.as_ref().and_then(|master| master.get_termios()).expect("a terminal has modes").local_flags;
        modes.bits() & LocalModes::ISIG.bits() == 0
    }

    /// The process that has the terminal's keys.
    pub fn foreground(&self) -> i32 {
        self.master.as_ref().and_then(|master| master.process_group_leader()).expect("somebody has the terminal")
    }

    /// Waits for the end of the program, then for the last of what it wrote.
    pub fn exit(&mut self) -> ExitStatus {
        if self.status.is_none() {
            let status = self.ended.recv_timeout(LIMIT);
            let Ok(status) = status else { panic!("it still runs:\n{}", self.shared.lock().parser.screen().contents()) };
            self.status = Some(status);
        }
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.status.clone().expect("it was just set")
    }

    /// What the terminal shows after the end.
    pub fn last_picture(&mut self) -> Picture {
        self.exit();
        Picture(self.shared.lock().parser.screen().clone())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.gone.store(true, Ordering::SeqCst);
        if self.status.is_none() && self.ended.try_recv().is_err() {
            // It may end by itself at this moment: that is as good.
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

/// What a terminal shows.
pub struct Picture(vt100::Screen);

impl Picture {
    /// The lines from the top, without the blanks at their ends.
    pub fn lines(&self) -> Vec<String> {
        let columns = self.0.size().1.get();
        self.0.rows(0, columns).map(|line| line.trim_end().to_owned()).collect()
    }

    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    pub fn has(&self, text: &str) -> bool {
        self.lines().iter().any(|line| line.contains(text))
    }

    /// The title of a frame that contains `name`, up to the line that goes on behind it.
    pub fn title(&self, name: &str) -> String {
        let lines = self.lines();
        let found = lines.iter().find_map(|line| Some(line[line.find(name)?..].to_owned()));
        found.unwrap_or_default().split(['━', '─', '┓', '┐']).next().unwrap_or_default().to_owned()
    }

    /// The first words of the rows in the frame at the left top.
    pub fn symbols(&self) -> Vec<String> {
        let lines = self.lines();
        let inside = lines.iter().skip(3).take_while(|line| line.starts_with(['┃', '│']));
        inside.map(|line| first_word(line)).filter(|word| !word.is_empty()).collect()
    }

    /// The first word of the row under the cursor in the frame at the left top.
    pub fn selected(&self) -> String {
        let rows = self.lines();
        let is_under_cursor = |row: &usize| {
            let row = u16::try_from(*row).unwrap();
            self.0.cell(row, 1).is_some_and(vt100::Cell::inverse)
        };
        (0..rows.len()).find(is_under_cursor).map_or_else(String::new, |row| first_word(&rows[row]))
    }

    pub fn is_alternate(&self) -> bool {
        self.0.alternate_screen()
    }

    pub fn hides_cursor(&self) -> bool {
        self.0.hide_cursor()
    }

    pub fn brackets_pastes(&self) -> bool {
        self.0.bracketed_paste()
    }

    pub fn takes_mouse(&self) -> bool {
        self.0.mouse_protocol_mode() != vt100::MouseProtocolMode::None
    }
}

fn first_word(line: &str) -> String {
    line.trim_start_matches(['┃', '│']).split([' ', '┃', '│']).next().unwrap_or_default().to_owned()
}

/// What a keyboard sends for a key of the tables.
pub fn bytes_of(key: &str) -> Vec<u8> {
    let known: &[u8] = match key {
        "enter" => b"\r",
        "esc" => b"\x1b",
        "tab" => b"\t",
        "shift-tab" => b"\x1b[Z",
        "up" => b"\x1b[A",
        "down" => b"\x1b[B",
        "right" => b"\x1b[C",
        "left" => b"\x1b[D",
        "home" => b"\x1b[H",
        "end" => b"\x1b[F",
        "pageup" => b"\x1b[5~",
        "pagedown" => b"\x1b[6~",
        "space" => b" ",
        "backspace" => b"\x7f",
        "delete" => b"\x1b[3~",
        _ => b"",
    };
    if !known.is_empty() {
        return known.to_vec();
    }
    match key.strip_prefix("ctrl-") {
        Some(letter) => vec![letter.as_bytes()[0] & 0x1f],
        None => key.as_bytes().to_vec(),
    }
}

/// The state of a process: `R`, `S`, `T` for stopped.
#[cfg(target_os = "linux")]
pub fn state_of(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn command(start: &Start<'_>, home: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new(start.program);
    command.args(start.args);
    if !start.config.is_empty() {
        let file = home.join("config.toml");
        std::fs::write(&file, start.config).unwrap();
        command.args(["--config", file.to_str().unwrap()]);
    }
    command.env_clear();
    command.env("PATH", std::env::var("PATH").unwrap_or_default());
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    for (name, folder) in
        [("HOME", ""), ("TMPDIR", "tmp"), ("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data"), ("XDG_STATE_HOME", "state")]
    {
        std::fs::create_dir_all(home.join(folder)).unwrap();
        command.env(name, home.join(folder));
    }
    for (name, value) in start.env {
        command.env(name, value);
    }
    command.cwd(home);
    command
}

fn read(mut source: Box<dyn Read + Send>, shared: &Shared) {
    let mut chunk = vec![0; 1 << 16];
    while !shared.gone.load(Ordering::SeqCst) {
        let count = source.read(&mut chunk).unwrap_or(0);
        if count == 0 {
            break;
        }
        let mut state = shared.lock();
        state.parser.process(&chunk[..count]);
        state.raw.extend_from_slice(&chunk[..count]);
        shared.news.notify_all();
    }
    shared.lock().closed = true;
    shared.news.notify_all();
}

/// Whether the last frame is not whole yet.
fn in_frame(raw: &[u8]) -> bool {
    let last = |mark: &[u8]| raw.windows(mark.len()).rposition(|window| window == mark);
    // The search goes from the end, and before the first frame there is next to nothing.
    last(FRAME[0]) > last(FRAME[1])
}

fn parser(size: (u16, u16)) -> vt100::Parser {
    vt100::Parser::new(cell_count(size.1), cell_count(size.0), 0)
}

fn cell_count(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a terminal has cells")
}

fn cells((cols, rows): (u16, u16)) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}
