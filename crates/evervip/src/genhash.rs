//! `genhash`: prints what stands behind `digest` in a `url` block, the MD5 of a page.
//!
//! It asks for the page as a check would, by the same dialogue; only that any status is good. By this name, as
//! `--genhash` and as a verb. What it prints is keepalived's genhash word for word.

use std::ffi::OsString;
use std::io::{self, Write};

use lvs::dialogue::{Failure, http};

use crate::exit::Exit;

mod fetch;
mod layout;
mod options;

use layout::Layout;
use options::Options;

/// What a server has to offer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Page {
    /// A body with this MD5.
    Digest([u8; 16]),
    /// No header that is one.
    Nothing,
    /// Something else.
    Failure(Failure),
}

/// The words behind its name, if it is meant: it is called by its name, by its option, or as a verb.
pub(crate) fn words<'a>(program: &str, words: &'a [OsString]) -> Option<&'a [OsString]> {
    if program == "genhash" {
        return Some(words);
    }
    let (first, rest) = words.split_first()?;
    let is_verb = first == "genhash" && program != "keepalived";
    (is_verb || first == "--genhash").then_some(rest)
}

/// Carries it out; `words` are those behind its name. Whatever the server does, it is a success (keepalived).
pub(crate) fn run(words: &[OsString]) -> Exit {
    let options = match options::parse(words) {
        Ok(options) => options,
        Err(messages) => {
            for message in messages {
                eprintln!("{message}");
            }
            eprint!("{}", options::USAGE);
            return Exit::Fatal;
        }
    };
    match show(&options, &mut io::stdout().lock()) {
        Ok(()) => Exit::Success,
        Err(problem) if is_unwanted(&problem) => Exit::Success,
        Err(problem) => {
            eprintln!("genhash: {problem:#}");
            Exit::Fatal
        }
    }
}

/// Nobody reads what we write any more.
fn is_unwanted(problem: &anyhow::Error) -> bool {
    let problem = problem.downcast_ref::<io::Error>();
    problem.is_some_and(|problem| problem.kind() == io::ErrorKind::BrokenPipe)
}

fn show(options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    let begin = sys::clock::now();
    let mut layout = Layout::default();
    let page = fetch::fetch(options, &mut |piece| {
        if options.verbose {
            layout.piece(out, piece)?;
        }
        Ok(())
    })?;
    if options.verbose && !matches!(page, Page::Failure(_)) {
        layout.digest(out)?;
    }
    match page {
        Page::Digest(digest) => writeln!(out, "{}", layout::hex(&digest))?,
        Page::Nothing => eprintln!("no data received from remote webserver"),
        Page::Failure(failure) => writeln!(out, "{}", http::reason(&failure, options.tls))?,
    }
    if options.verbose {
        let took = sys::clock::now().since(begin).as_micros();
        out.write_all(b"\nGlobal response time for [")?;
        out.write_all(options.url.as_bytes())?;
        writeln!(out, "] = {took} usecs")?;
    }
    out.flush()?;
    Ok(())
}
