//! Conditions, definitions of parameters, generators, and what a line refers to.

use std::path::Path;

use super::{Job, LONGEST_LINE, LONGEST_VALUE, Line, Making, Open, Reader, narrow, open_quote};
use crate::diagnostics::mask::{mask, secret};
use crate::diagnostics::{Class, Diagnostic, Reporter, Span};
use crate::generators;
use crate::lexer::{is_blank, strip};
use crate::parameters::{ParameterProblem, Parameters, Surroundings};
use crate::sources::Maker;

impl Reader<'_> {
    /// Judges `@id` or `@^id` and steps over it; false when the line is meant for another node.
    pub(super) fn condition(&self, line: &mut Line) -> bool {
        let rest = self.rest(line);
        let word = rest.split(is_blank).next().unwrap_or_default();
        let id = word.strip_prefix('@').unwrap_or(word);
        let kept = match id.strip_prefix('^') {
            Some(other) => other != self.config_id,
            None => id == self.config_id,
        };
        line.at += narrow(word.len());
        line.skip_blanks(&self.sources);
        kept
    }

    /// Steps over a definition over several lines that a condition keeps away.
    ///
    /// DEVIATION(keepalived): there only its first line goes away, and the others are taken for statements.
    pub(super) fn pass_over_definition(&mut self, line: &Line) {
        let is_open = Parameters::definition(self.rest(line))
            .is_some_and(|definition| definition.value.ends_with('\\'));
        if is_open {
            self.open = Some(Open {
                name: None,
                value: String::new(),
                bare: true,
            });
        }
    }

    /// Stores a definition; false when the line is none.
    pub(super) fn definition(&mut self, line: &Line) -> bool {
        let rest = self.sources.part(line.file, line.at, line.end);
        let Some(definition) = Parameters::definition(rest) else {
            return false;
        };
        if let Some(value) = definition.value.strip_suffix('\\') {
            let value = value.trim_end_matches(is_blank).to_owned();
            self.open = Some(Open {
                name: Some(definition.name.to_owned()),
                bare: value.is_empty(),
                value,
            });
        } else {
            self.parameters.define(definition.name, definition.value);
        }
        true
    }

    /// Adds a line to the definition that is open.
    pub(super) fn continue_definition(&mut self, text: &str, span: Span, report: &mut Reporter) {
        let Some(open) = &mut self.open else { return };
        if text.is_empty() {
            self.end_definition();
            return;
        }
        let (text, last) = match text.strip_suffix('\\') {
            Some(text) => (text.trim_end_matches(is_blank), false),
            None => (text, true),
        };
        if open.name.is_some() {
            if open.value.len() + text.len() > LONGEST_VALUE {
                let message = format!("a definition has more than {LONGEST_VALUE} bytes");
                self.give_up(span, Diagnostic::error(Class::General, message), report);
                return;
            }
            if !std::mem::take(&mut open.bare) {
                open.value.push('\n');
            }
            open.value.push_str(text);
        }
        if last {
            self.end_definition();
        }
    }

    pub(super) fn end_definition(&mut self) {
        if let Some(Open {
            name: Some(name),
            value,
            ..
        }) = self.open.take()
        {
            self.parameters.define(&name, &value);
        }
    }

    /// Puts a generator to work; false when the line is none.
    pub(super) fn generator(&mut self, line: &Line, report: &mut Reporter) -> bool {
        let rest = self.rest(line);
        if !generators::is_generator(rest) {
            return false;
        }
        let expand = |numbers: &str| {
            self.parameters
                .expand(numbers, LONGEST_LINE, &self.surroundings())
                .map_or_else(|| numbers.to_owned(), |expanded| expanded.text)
        };
        let name = if rest.starts_with("~S") {
            "~SEQ"
        } else {
            "~LST"
        };
        match generators::parse(rest, expand) {
            Ok(generators::Line { generator, text }) => {
                let text = Line {
                    at: line.at + narrow(text),
                    looked: false,
                    expanded: false,
                    ..*line
                };
                if let Some(Job::Reading(frame)) = self.jobs.last_mut() {
                    frame.making.push(Making::Rounds { generator, text });
                }
            }
            Err(mistake) => {
                let help = match name {
                    "~SEQ" => "~SEQ(NAME, FIRST, STEP, LAST) TEXT; FIRST and STEP may be left out",
                    _ => {
                        "~LST(NAME, VALUE, VALUE ...) TEXT, or ~LST({NAME, NAME}, {VALUE, VALUE} ...) TEXT"
                    }
                };
                let (rest, _) = mask(rest, 0..0);
                let message = format!("{name} {mistake}; the line is ignored");
                let diagnostic = Diagnostic::error(Class::General, message)
                    .help(help)
                    .keepalived(format!("Invalid {name} specification '{rest}'"));
                report.at(line.place(), diagnostic);
            }
        }
        true
    }

    pub(super) fn surroundings(&self) -> Surroundings<'_> {
        let directory = match self.jobs.last() {
            Some(Job::Reading(frame)) => frame.directory.as_path(),
            Some(Job::Waiting(_)) | None => Path::new(""),
        };
        Surroundings {
            machine: self.machine,
            config_id: self.config_id,
            directory,
        }
    }

    /// Replaces the parameters of a line; `None`: nothing changes. `Some(None)`: nothing is left of it.
    pub(super) fn expand(&mut self, line: &Line, report: &mut Reporter) -> Option<Option<Line>> {
        let text = self.rest(line);
        let was_open = strip(text).open_quote;
        if let Some(secret) = secret(text) {
            let uses = text.get(secret).unwrap_or_default();
            for value in self.parameters.values_in(uses) {
                report.secrets.add(value);
            }
        }
        let expanded = self
            .parameters
            .expand(text, LONGEST_LINE, &self.surroundings())?;
        for problem in &expanded.problems {
            report.at(line.place(), about_parameter(problem));
        }
        let by = expanded.by?;
        let maker = if line.maker == Maker::NOBODY {
            self.sources.maker(&format!("${by}"))
        } else {
            line.maker
        };
        // A value may bring a comment with it.
        let stripped = strip(&expanded.text);
        let made = self.made(stripped.text(&expanded.text), maker, line.place(), report);
        let Some(made) = made else { return Some(None) };
        let made = Line {
            expanded: true,
            looked: true,
            ..made
        };
        if stripped.open_quote && !was_open {
            self.said_quote = Some((made.file, made.number));
            report.at(made.place(), open_quote(stripped.text(&expanded.text)));
        }
        if let Some(Job::Reading(frame)) = self.jobs.last_mut() {
            let origin = line.place();
            frame.making.extend(
                expanded
                    .further
                    .into_iter()
                    .map(|further| Making::Lines { further, origin }),
            );
        }
        Some(Some(made))
    }
}

fn about_parameter(problem: &ParameterProblem) -> Diagnostic {
    let message = problem.to_string();
    match problem {
        ParameterProblem::Endless { .. } => Diagnostic::error(Class::General, message).fatal(),
        ParameterProblem::Arguments { .. } => Diagnostic::error(Class::General, message),
        // There the name's brace is taken for the start of a block.
        ParameterProblem::SeveralLines { braces: true, .. } => {
            Diagnostic::error(Class::UnexpectedOpen, message)
        }
        ParameterProblem::SeveralLines { .. } => Diagnostic::error(Class::Uncounted, message),
        ParameterProblem::Range { .. } => {
            Diagnostic::warning(Class::General, message).help("its first number is used")
        }
    }
}
