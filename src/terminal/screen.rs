//! Taking the terminal, and giving it back as it was.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write, stdin, stdout};

use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

use crate::widget::Depth;

/// The name of the thread that owns the terminal.
pub(crate) const THREAD: &str = "ui";
/// A frame goes out in one write.
const FRAME: usize = 1 << 16;

type Output = BufWriter<Stdout>;

/// The terminal while it is ours; it is given back when this is dropped.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Output>>,
    mouse: Mouse,
}

/// Whether the mouse is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mouse {
    Left,
    Captured,
}

impl Screen {
    /// Takes the terminal.
    pub(crate) fn take(mouse: Mouse, size: (u16, u16)) -> io::Result<Self> {
        enter(mouse)?;
        Ok(Self { terminal: terminal(size)?, mouse })
    }

    /// Draws a frame: what changed goes out at once, and the terminal shows it at once.
    pub(crate) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let drawn = self.terminal.draw(draw).map(|_| ());
        // Whatever happened, the terminal must not wait for the rest.
        let ended = execute!(self.terminal.backend_mut(), EndSynchronizedUpdate);
        drawn.and(ended)
    }

    pub(crate) fn resize(&mut self, size: (u16, u16)) -> io::Result<()> {
        // Made anew, so that the whole picture is drawn; ratatui's own way asks the terminal where its cursor is, and the
        // event stream would eat the answer.
        execute!(stdout(), Clear(ClearType::All))?;
        self.terminal = terminal(size)?;
        Ok(())
    }

    /// Gives the terminal back while `aside` runs, and takes it again.
    pub(crate) fn step_aside(&mut self, aside: impl FnOnce()) -> io::Result<()> {
        leave();
        aside();
        enter(self.mouse)?;
        self.resize(size()?)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // What is left of a frame is not wanted any more, but must not come after the end.
        let _ = self.terminal.backend_mut().flush();
        leave();
    }
}

fn terminal(size: (u16, u16)) -> io::Result<Terminal<CrosstermBackend<Output>>> {
    let backend = CrosstermBackend::new(BufWriter::with_capacity(FRAME, stdout()));
    // The size is ours to follow: asked for at each frame, it could change between the model and the picture.
    Terminal::with_options(backend, TerminalOptions { viewport: Viewport::Fixed(area(size)) })
}

fn area((width, height): (u16, u16)) -> Rect {
    Rect { x: 0, y: 0, width, height }
}

fn enter(mouse: Mouse) -> io::Result<()> {
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide, Clear(ClearType::All))?;
    if mouse == Mouse::Captured { execute!(stdout(), EnableMouseCapture) } else { Ok(()) }
}

/// Undoes everything, however far it came; a terminal that is gone cannot be told.
fn leave() {
    if !is_raw() {
        return;
    }
    let _ = execute!(stdout(), EndSynchronizedUpdate, DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}

/// Restores the terminal before a panic of its own thread is told; a panic elsewhere goes to the log, for the screen
/// still lives.
pub fn install_panic_hook() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let own = std::thread::current().name() == Some(THREAD);
        tracing::error!("panic: {info}");
        if own {
            leave();
            print(info);
        } else if !is_raw() {
            print(info);
        }
    }));
}

fn is_raw() -> bool {
    crossterm::terminal::is_raw_mode_enabled().unwrap_or(false)
}

/// Whether there is somebody to draw for and somebody to type.
#[must_use]
pub fn is_terminal() -> bool {
    stdout().is_terminal() && stdin().is_terminal()
}

/// Columns and rows.
pub fn size() -> io::Result<(u16, u16)> {
    crossterm::terminal::size()
}

/// How many colours the terminal has; `NO_COLOR` means none.
#[must_use]
pub fn depth() -> Depth {
    match termprofile::TermProfile::detect(&stdout(), termprofile::DetectorSettings::default()) {
        termprofile::TermProfile::NoTty | termprofile::TermProfile::NoColor => Depth::None,
        termprofile::TermProfile::Ansi16 | termprofile::TermProfile::Ansi256 => Depth::Sixteen,
        termprofile::TermProfile::TrueColor => Depth::Rich,
    }
}
