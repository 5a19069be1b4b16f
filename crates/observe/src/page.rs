//! The text of a dump, as it grows line by line.

use std::fmt::{Arguments, Write as _};

/// A dump.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

impl Page {
    /// What was written so far.
    pub(crate) fn text(self) -> String {
        self.0
    }

    pub(crate) fn section(&mut self, title: &str) {
        self.line(0, format_args!("------< {title} >------"));
    }

    pub(crate) fn object(&mut self, text: Arguments<'_>) {
        self.line(1, text);
    }

    pub(crate) fn field(&mut self, text: Arguments<'_>) {
        self.line(3, text);
    }

    pub(crate) fn entry(&mut self, text: Arguments<'_>) {
        self.line(5, text);
    }

    pub(crate) fn line(&mut self, indent: usize, text: Arguments<'_>) {
        // Writing to a string cannot fail; what a `Display` of ours could say would be lost with its line.
        if writeln!(self.0, "{:indent$}{text}", "").is_err() {
            self.0.push('\n');
        }
    }
}
