//! A line is cut at its braces.

use super::{Around, Job, Line, Piece, Reader, Text, narrow};
use crate::diagnostics::{Class, Diagnostic, Reporter, Span};
use crate::lexer::{find_brace, is_blank};
use crate::parameters::references;
use crate::sources::offset;

impl Reader<'_> {
    /// What is still to be cut of a line.
    pub(super) fn rest(&self, line: &Line) -> &str {
        self.sources.part(line.file, line.at, line.end)
    }

    /// What stands around the `{` that was just taken off a line.
    pub(super) fn around(&self, line: &Line) -> Around {
        let text = self.sources.part(line.file, line.base, line.end);
        let at = offset(line.at.saturating_sub(line.base));
        let bytes = text.as_bytes();
        let before = at.checked_sub(2).and_then(|at| bytes.get(at));
        match (before, bytes.get(at)) {
            (Some(b'$'), _) => Around::Parameter,
            (_, Some(b'{' | b'%')) => Around::Template,
            _ => Around::Nothing,
        }
    }

    /// Takes one piece off the front of a line.
    pub(super) fn cut(&mut self, mut line: Line, report: &mut Reporter) -> Option<Piece> {
        line.skip_blanks(&self.sources);
        let mut first = *self.rest(&line).as_bytes().first()?;
        if matches!(first, b'{' | b'}') {
            let span = line.span(line.at, line.at + 1);
            line.at += 1;
            line.looked = false;
            self.line = Some(line);
            return Some(if first == b'{' {
                Piece::Open(span, self.around(&line))
            } else {
                Piece::Close(span)
            });
        }
        if !line.looked {
            line.looked = true;
            if first == b'@' {
                let kept = self.condition(&mut line);
                if !kept {
                    self.pass_over_definition(&line);
                    return None;
                }
                first = *self.rest(&line).as_bytes().first()?;
            }
            if first == b'$' && self.definition(&line) {
                return None;
            }
            if first == b'~' && self.generator(&line, report) {
                return None;
            }
        }
        if !line.expanded {
            line.expanded = true;
            if self.rest(&line).contains('$')
                && let Some(expanded) = self.expand(&line, report)
            {
                // What follows is cut from the new text; it may begin with a brace, or be nothing.
                self.line = expanded;
                return None;
            }
        }
        if first == b'i' && self.include(&line, report) {
            return None;
        }
        let rest = self.rest(&line);
        let ending = find_brace(rest, 0);
        let text = rest.get(..ending.at).unwrap_or_default();
        let text = text.trim_end_matches(is_blank);
        let (at, length) = (line.at, narrow(text.len()));
        let span = line.span(at, at + length);
        let broken = ending.reference && self.undefined(text, span, report);
        if let Some(words) = text.strip_prefix("include_check")
            && words.chars().next().is_none_or(is_blank)
        {
            let words = words.to_owned();
            if let Some(Job::Reading(frame)) = self.jobs.last_mut() {
                frame.checks.edit(&words);
            }
        }
        line.at += narrow(ending.at);
        line.looked = false;
        self.line = Some(line);
        Some(Piece::Statement(Text { span, at, broken }))
    }

    /// Reports the first parameter of a statement that is not defined; true when there is one without a value, whatever
    /// the reason.
    pub(super) fn undefined(&self, text: &str, span: Span, report: &mut Reporter) -> bool {
        let Some(name) = references(text).next() else {
            return false;
        };
        if let Some(name) = references(text).find(|name| !self.parameters.is_known(name)) {
            let help = match self.parameters.nearest(name) {
                Some(nearest) => format!("did you mean '{nearest}'?"),
                None => format!("define it before its use: ${name}=VALUE"),
            };
            let start = text.find(&format!("${{{name}")).unwrap_or(0);
            let place = Span::new(
                span.file,
                span.line,
                usize::from(span.start) + start,
                usize::from(span.end),
            );
            // There the name's brace is taken for the start of a block.
            let diagnostic = Diagnostic::error(
                Class::UnexpectedOpen,
                format!("parameter '{name}' is not defined"),
            );
            report.at(place, diagnostic.help(help));
        }
        !name.is_empty()
    }
}
