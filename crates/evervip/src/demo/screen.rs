//! Writes to standard output: lines that stay, and on a terminal a drawing that is replaced until it stays.

use std::io::{self, Write as _};

use super::style::Style;

/// Shows the cursor again, and lets long lines wrap again.
const RESTORE: &str = "\x1b[?25h\x1b[?7h";
/// Hides the cursor, and cuts what is wider than the terminal: a wrapped line would spoil going up over it.
const PREPARE: &str = "\x1b[?25l\x1b[?7l";

/// Standard output.
#[derive(Debug)]
pub(super) struct Screen {
    style: Style,
    /// Lines of the drawing that the next one replaces.
    drawn: usize,
}

impl Screen {
    /// Takes over standard output, until it is dropped.
    pub(super) const fn new(style: Style) -> Self {
        Self { style, drawn: 0 }
    }

    /// What it can show.
    pub(super) const fn style(&self) -> Style {
        self.style
    }

    /// Writes lines that stay.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        if self.drawn > 0 {
            restore();
            self.drawn = 0;
        }
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Replaces the last drawing by this one; where nothing can be replaced, this does nothing.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(super) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        if self.style.animate {
            self.replace(lines)
        } else {
            Ok(())
        }
    }

    /// Replaces the last drawing by one that stays.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(super) fn settle(&mut self, lines: &[String]) -> io::Result<()> {
        self.replace(lines)?;
        self.drawn = 0;
        if self.style.animate {
            let mut out = io::stdout().lock();
            out.write_all(RESTORE.as_bytes())?;
            out.flush()?;
        }
        Ok(())
    }

    fn replace(&mut self, lines: &[String]) -> io::Result<()> {
        let mut text = String::new();
        if self.drawn > 0 {
            // Up to the first line of the last drawing.
            text += &format!("\x1b[{}F", self.drawn);
        } else if self.style.animate {
            text += PREPARE;
        }
        let end_of_line = if self.style.animate { "\x1b[K\n" } else { "\n" };
        for line in lines {
            text += line;
            text += end_of_line;
        }
        self.drawn = lines.len();
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.drawn > 0 {
            restore();
        }
    }
}

/// Makes the terminal usable again after a drawing that did not settle.
pub(super) fn restore() {
    let mut out = io::stdout().lock();
    // If that fails there is no terminal left to restore.
    drop(out.write_all(RESTORE.as_bytes()).and_then(|()| out.flush()));
}
