//! The main file, and those that it includes.

use std::path::Path;

use super::{DEEPEST, Frame, Job, Line, MOST_BYTES, MOST_FILES, Reader, Waiting};
use crate::diagnostics::{Class, Diagnostic, Reporter, Span};
use crate::include::{Checks, about_include};
use crate::lexer::is_blank;
use crate::machine::FileProblem;
use crate::sources::Source;
use crate::{bytes, glob};

impl Reader<'_> {
    /// Opens the main files; false when there is none to read.
    pub(crate) fn open_main(&mut self, pattern: &str, report: &mut Reporter) -> bool {
        let base = self.machine.current_dir();
        let mut names = Vec::new();
        for alternative in glob::alternatives(pattern) {
            names.extend(glob::matches(self.machine, &base, &alternative, &mut self.effort).names);
        }
        if names.len() > MOST_FILES {
            let message = format!("more than {MOST_FILES} files match '{pattern}'");
            report.nowhere(Diagnostic::error(Class::General, message).fatal());
            return false;
        }
        if names.len() > 1 {
            let message = format!(
                "{} files match '{pattern}': they are read one after another",
                names.len()
            );
            report.nowhere(Diagnostic::warning(Class::MultipleFiles, message));
        }
        if names.is_empty() {
            let message = format!("no file matches '{pattern}'");
            let class = class_of_main(&FileProblem::Missing, self.everywhere);
            report.nowhere(Diagnostic::error(class, message).fatal());
        }
        let mut frames = Vec::new();
        for name in names {
            let waiting = Waiting {
                name,
                directory: base.clone(),
                checks: Checks::NONE,
                judged: Checks::NONE,
                span: None,
            };
            match self.open(&waiting) {
                Ok(frame) => frames.push(Job::Reading(frame)),
                Err(problem) => {
                    let message = format!(
                        "configuration file '{}' {}",
                        waiting.name,
                        describe(&problem)
                    );
                    let class = class_of_main(&problem, self.everywhere);
                    report.nowhere(Diagnostic::error(class, message).fatal());
                }
            }
        }
        frames.reverse();
        self.jobs = frames;
        !self.jobs.is_empty()
    }

    /// Puts the files of an include directive on the stack; false when the line is none.
    pub(super) fn include(&mut self, line: &Line, report: &mut Reporter) -> bool {
        let rest = self.rest(line);
        // A glance first: looking for a blank in every piece of a line would be quadratic.
        if !rest.starts_with("include") {
            return false;
        }
        let Some((word, pattern)) = rest.split_once(is_blank) else {
            return false;
        };
        let Some(directive) = Checks::of_directive(word) else {
            return false;
        };
        let pattern = pattern.trim_matches(is_blank).to_owned();
        let Some(Job::Reading(frame)) = self.jobs.last() else {
            return false;
        };
        let (directory, inherited) = (frame.directory.clone(), frame.checks);
        let checks = directive.or(inherited).or(self.everywhere);
        let span = line.place();
        let depth = self
            .jobs
            .iter()
            .filter(|job| matches!(job, Job::Reading(_)))
            .count();
        if depth >= DEEPEST {
            let message = format!("files include each other more than {DEEPEST} deep");
            let diagnostic = Diagnostic::error(Class::IncludeCheck, message)
                .help("a file that includes itself, or one above it, never ends: remove this line");
            self.give_up(span, diagnostic, report);
            return true;
        }
        let names = self.included(&pattern, &directory, checks, span, report);
        if names.len() > self.files_left || self.effort.is_spent() {
            let message = if self.effort.is_spent() {
                "include patterns make too many names to look at".to_owned()
            } else {
                format!("more than {MOST_FILES} files are included")
            };
            let diagnostic = Diagnostic::error(Class::IncludeCheck, message);
            self.give_up(span, diagnostic, report);
            return true;
        }
        for name in names.into_iter().rev() {
            self.jobs.push(Job::Waiting(Waiting {
                name,
                directory: directory.clone(),
                checks: inherited,
                judged: checks,
                span: Some(span),
            }));
        }
        true
    }

    /// The files a pattern names, what is missing reported as the checks demand.
    pub(super) fn included(
        &mut self,
        pattern: &str,
        base: &Path,
        checks: Checks,
        span: Span,
        report: &mut Reporter,
    ) -> Vec<String> {
        let mut names = Vec::new();
        let mut missing = Vec::new();
        let alternatives = glob::alternatives(pattern);
        let braces = alternatives.len() > 1;
        for alternative in alternatives {
            let matched = glob::matches(self.machine, base, &alternative, &mut self.effort);
            // A single plain name shows whether it exists when its turn comes.
            let absent = if matched.wildcard {
                matched.names.is_empty()
            } else {
                braces && !self.effort.exists(self.machine, &base.join(&alternative))
            };
            if !absent {
                names.extend(matched.names);
                continue;
            }
            let counts = if braces {
                checks.brace
            } else if matched.wildcard && matched.directory {
                checks.wildcard
            } else {
                checks.matching
            };
            let said = counts || !matched.wildcard || !matched.directory;
            missing.push((alternative, counts, said));
        }
        let mut failed = false;
        for (name, counts, said) in missing {
            failed |= counts && braces;
            if said {
                let message = format!("no file '{name}' to include");
                report.at(span, about_include(message, counts));
            }
        }
        if failed { Vec::new() } else { names }
    }

    /// Opens the file whose turn it is.
    pub(super) fn start_waiting(&mut self, report: &mut Reporter) {
        let Some(Job::Waiting(waiting)) = self.jobs.pop() else {
            return;
        };
        match self.open(&waiting) {
            Ok(frame) => self.jobs.push(Job::Reading(frame)),
            Err(problem) => {
                let Some(span) = waiting.span else { return };
                let counts = if problem == FileProblem::Missing {
                    waiting.judged.matching
                } else {
                    waiting.judged.read
                };
                let message = format!("included file '{}' {}", waiting.name, describe(&problem));
                let hopeless = matches!(
                    problem,
                    FileProblem::TooLarge { .. } | FileProblem::Changing
                );
                let help = match &problem {
                    FileProblem::Missing => Some("correct the path, or make the file".to_owned()),
                    FileProblem::Executable => {
                        Some(format!("if it is one: chmod a-x {}", waiting.name))
                    }
                    FileProblem::Directory => {
                        Some(format!("the files in it: include {}/*.conf", waiting.name))
                    }
                    FileProblem::NotRegular
                    | FileProblem::Unreadable(_)
                    | FileProblem::Changing
                    | FileProblem::TooLarge { .. } => None,
                };
                let diagnostic = about_include(message, counts || hopeless).maybe_help(help);
                if hopeless {
                    self.give_up(span, diagnostic, report);
                } else {
                    report.lacks_text();
                    report.at(span, diagnostic);
                }
            }
        }
    }

    pub(super) fn open(&mut self, waiting: &Waiting) -> Result<Frame, FileProblem> {
        const FULL: FileProblem = FileProblem::TooLarge { limit: MOST_BYTES };
        self.files_left = self.files_left.checked_sub(1).ok_or(FULL)?;
        let path = waiting.directory.join(&waiting.name);
        let content = self.machine.read(&path, self.bytes_left);
        let content = content.map_err(|problem| {
            // What is left of the limit says nothing to anybody.
            if matches!(problem, FileProblem::TooLarge { .. }) {
                FULL
            } else {
                problem
            }
        })?;
        self.bytes_left = self.bytes_left.checked_sub(content.len()).ok_or(FULL)?;
        let clean = !content.contains(&0);
        let source = Source {
            name: waiting.name.clone(),
            path: path.clone(),
            text: bytes::decode(content),
            included: waiting.span,
        };
        let file = self.sources.add(source).ok_or(FULL)?;
        let directory = match path.parent() {
            Some(parent) if waiting.name.contains('/') => parent.to_owned(),
            _ => waiting.directory.clone(),
        };
        Ok(Frame {
            file,
            at: 0,
            line: 0,
            clean,
            directory,
            checks: waiting.checks,
            making: Vec::new(),
        })
    }
}

fn describe(problem: &FileProblem) -> String {
    if *problem == FileProblem::Missing {
        return "does not exist".to_owned();
    }
    problem.to_string()
}

/// keepalived's test passes although it could not read anything: it says so, but counts only a file that it may not read.
/// Programs that check a file before they install it see that status.
/// With `-e` all of it counts.
fn class_of_main(problem: &FileProblem, everywhere: Checks) -> Class {
    match problem {
        FileProblem::Missing
        | FileProblem::Directory
        | FileProblem::NotRegular
        | FileProblem::Executable
            if everywhere == Checks::ALL =>
        {
            Class::FileNotFound
        }
        FileProblem::Missing
        | FileProblem::Directory
        | FileProblem::NotRegular
        | FileProblem::Executable => Class::Uncounted,
        FileProblem::Unreadable(_) | FileProblem::Changing => Class::FileNotFound,
        // keepalived reads it all and finds nothing but unknown keywords.
        FileProblem::TooLarge { .. } => Class::General,
    }
}
