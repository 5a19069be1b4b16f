//! Just enough of the shell to know when a command cannot fail. Whatever it does not understand could fail.

/// Programs that succeed whatever they are given.
const SUCCESSFUL: [&str; 3] = ["true", "echo", "printf"];
/// Shells that take a command as an argument.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "ksh", "zsh"];
/// Words after which an earlier part of a command may decide the status after all, or its meaning changes.
const UNSURE: [&str; 13] = [
    "exit", "exec", "return", "set ", "trap", "kill ", "eval", "source", "alias", ":?", "<<", "`",
    "\\",
];
/// What only a shell understands. `;` and redirections elsewhere are left out: some programs take such words.
const OPERATORS: [&str; 8] = [
    "|",
    "||",
    "&&",
    "2>&1",
    ">/dev/null",
    "2>/dev/null",
    "&>/dev/null",
    "1>/dev/null",
];
/// What only a shell understands before `/dev/null`.
const REDIRECTIONS: [&str; 5] = [">", ">>", "1>", "2>", "&>"];

/// Why a command line succeeds whatever happens; `None`: it may fail.
pub(super) fn always_succeeds(argv: &[String]) -> Option<String> {
    let [program, ..] = argv else { return None };
    if argv.len() == 1 && program.strip_prefix('<').map(str::trim) == Some("/dev/null") {
        return Some("/dev/null can always be read".to_owned());
    }
    if SUCCESSFUL.contains(&base(program)) && stray_operator(argv).is_none() {
        return Some(format!("'{program}' always succeeds"));
    }
    of_shell(command_of_shell(argv)?)
}

/// A word that would mean something to a shell, in a command that no shell reads.
pub(super) fn stray_operator(argv: &[String]) -> Option<&str> {
    let [program, arguments @ ..] = argv else {
        return None;
    };
    // These take such words, or hand them to somebody who does.
    let takes = [
        "test", "expr", "find", "xargs", "env", "awk", "ssh", "su", "sudo",
    ];
    if SHELLS.contains(&base(program)) || takes.contains(&base(program)) {
        return None;
    }
    let mut words = arguments.iter().map(String::as_str);
    if base(program) == "[" {
        // What stands before its end may be a text to compare.
        words.find(|word| *word == "]")?;
    }
    let words: Vec<&str> = words.collect();
    let followers = words.iter().skip(1).chain([&""]);
    words
        .iter()
        .zip(followers)
        .find(|(word, next)| {
            OPERATORS.contains(word) || REDIRECTIONS.contains(word) && **next == "/dev/null"
        })
        .map(|(word, _)| *word)
}

/// A program's name without its directory.
fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// The text behind `sh -c`.
fn command_of_shell(argv: &[String]) -> Option<&str> {
    let [shell, options, text, ..] = argv else {
        return None;
    };
    let plain = ["-c", "-lc"].contains(&options.as_str());
    (SHELLS.contains(&base(shell)) && plain).then_some(text)
}

/// How two commands are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joint {
    Start,
    Then,
    And,
    Or,
    Pipe,
}

/// A simple command, or something that is taken for one.
#[derive(Debug)]
struct Part<'a> {
    joint: Joint,
    text: &'a str,
}

fn of_shell(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches(';').trim_end();
    let parts = split(text)?;
    let (last, before) = parts.split_last()?;
    let piped = parts
        .iter()
        .rposition(|part| part.joint != Joint::Pipe)
        .unwrap_or(0);
    let pipeline = parts.get(piped..)?;
    let first = pipeline.first()?;
    // Behind `&&` it may not be reached; with `!` success is failure.
    if first.joint == Joint::And || first.text.starts_with('!') {
        return None;
    }
    let sure = |part: &Part<'_>| UNSURE.iter().all(|word| !part.text.contains(word));
    if !before.iter().all(sure) {
        return None;
    }
    if succeeds(last.text) {
        return Some(match last.joint {
            Joint::Start => format!("'{}' always succeeds", last.text),
            Joint::Or => format!("it ends with '|| {}'", last.text),
            Joint::Pipe => format!("it ends with '| {}'", last.text),
            Joint::Then | Joint::And => format!("it ends with '; {}'", last.text),
        });
    }
    match pipeline {
        [_, .., last] if counts(last.text) => Some(format!(
            "its status is that of '{}', not of what stands before it",
            last.text
        )),
        [ps, grep] if lists_commands(ps.text) => {
            let pattern = plain_pattern(grep.text)?;
            Some(format!(
                "'{}' finds '{pattern}' in its own command line",
                grep.text
            ))
        }
        _ => None,
    }
}

/// Cuts a command where its parts are joined; `None`: it is too much to understand.
fn split(text: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut joint = Joint::Start;
    let mut start = 0;
    let mut depth = 0_usize;
    let mut quote = None;
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let next = bytes.get(at + 1);
        let mut width = 1;
        let mut found = None;
        match (quote, byte) {
            (Some(open), _) => {
                if *byte == open {
                    quote = None;
                }
            }
            (None, b'\'' | b'"') => quote = Some(*byte),
            (None, b'(') => depth += 1,
            (None, b')') => depth = depth.checked_sub(1)?,
            (None, b'#' | b'{') if at == start || bytes.get(at - 1) == Some(&b' ') => return None,
            _ if depth > 0 => {}
            (None, b';' | b'\n') => found = Some(Joint::Then),
            (None, b'|') if next == Some(&b'|') => (found, width) = (Some(Joint::Or), 2),
            (None, b'|') => found = Some(Joint::Pipe),
            (None, b'&') if next == Some(&b'&') => (found, width) = (Some(Joint::And), 2),
            // A redirection, or a command in the background.
            (None, b'&') => {
                let before = at.checked_sub(1).and_then(|before| bytes.get(before));
                if before != Some(&b'>') && next != Some(&b'>') {
                    return None;
                }
            }
            (None, _) => {}
        }
        if let Some(found) = found {
            parts.push(Part {
                joint,
                text: text.get(start..at)?.trim(),
            });
            joint = found;
            start = at + width;
        }
        at += width;
    }
    parts.push(Part {
        joint,
        text: text.get(start..)?.trim(),
    });
    let whole = depth == 0 && quote.is_none() && parts.iter().all(|part| !part.text.is_empty());
    whole.then_some(parts)
}

/// A command that succeeds by itself.
fn succeeds(command: &str) -> bool {
    let mut words = command.split_whitespace();
    let program = words.next().map(base).unwrap_or_default();
    let arguments: Vec<&str> = words.collect();
    match program {
        "true" | ":" => !command.contains(['>', '<', '$', '`']),
        "exit" => arguments == ["0"],
        "echo" => !command.contains(['>', '<', '`']) && !command.contains(":?"),
        _ => false,
    }
}

/// A command that reads its input and succeeds, whatever there is.
fn counts(command: &str) -> bool {
    let mut words = command.split_whitespace();
    words.next().map(base) == Some("wc") && words.all(|word| word.starts_with('-'))
}

/// `ps` with the command lines of all processes.
fn lists_commands(command: &str) -> bool {
    let mut words = command.split_whitespace();
    let whole = [
        "aux", "auxw", "auxww", "-aux", "ax", "axw", "axww", "axu", "auxf", "axf", "-ef", "-efw",
        "-efww", "-fe", "-eaf", "-Af",
    ];
    words.next().map(base) == Some("ps")
        && matches!(words.next(), Some(word) if whole.contains(&word))
        && words.next().is_none()
}

/// What `grep` looks for, if that matches the text that it is.
fn plain_pattern(command: &str) -> Option<&str> {
    let mut words = command.split_whitespace();
    if words.next().map(base) != Some("grep") {
        return None;
    }
    let mut words = words.filter(|word| !matches!(*word, ">/dev/null" | "2>&1" | "2>/dev/null"));
    let mut word = words.next()?;
    while let Some(options) = word.strip_prefix('-') {
        if options.is_empty() || !options.chars().all(|option| "qisEFw".contains(option)) {
            return None;
        }
        word = words.next()?;
    }
    let pattern = word.trim_matches(['\'', '"']);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.');
    (words.next().is_none() && !pattern.is_empty() && pattern.chars().all(plain)).then_some(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn shell(text: &str) -> Option<String> {
        always_succeeds(&argv(&["/bin/sh", "-c", text]))
    }

    #[test]
    fn commands_that_cannot_fail() {
        for text in [
            "true",
            ":",
            "exit 0",
            "echo ok",
            "pidof nginx || true",
            "pidof nginx; exit 0",
            "a && b || true",
            "[ \"$(pidof nginx | wc -l)\" -gt 0 ] || :",
            "killall -0 nginx 2>&1 || true",
            "pidof nginx ; echo 'a; b' ;",
            "ps -C nginx --no-header | wc -l",
            "ps aux | grep nginx",
            "ps -ef | grep -q 'nginx' >/dev/null 2>&1",
        ] {
            assert!(shell(text).is_some(), "{text}");
        }
        for words in [&["/bin/true"][..], &["echo", "a", "b"], &["</dev/null"]] {
            assert!(always_succeeds(&argv(words)).is_some(), "{words:?}");
        }
    }

    #[test]
    fn commands_that_may_fail() {
        for text in [
            "",
            "pidof nginx",
            "pidof nginx || exit 1",
            "exit 1; true",
            "if ! pidof nginx; then exit 1; fi; true",
            "pidof nginx && true",
            "pidof nginx && exit 0",
            "pidof nginx && echo ok | wc -l",
            "! pidof nginx | wc -l",
            "echo 'a || true'",
            "test -e /x || { echo no; false; }",
            "(true; false)",
            "sleep 1 & true",
            "echo x > /proc/y",
            "curl -s x | grep ok",
            "ps aux | grep nginx | grep -v grep",
            "ps aux | grep '[n]ginx'",
            "ps -e | grep nginx",
            "ps -C nginx | wc -l /etc/none",
            "case x in a) true;; esac",
            "exec false\ntrue",
            "echo \"; true",
            "kill -9 $$; true",
        ] {
            let told = shell(text);
            let only_prints = text.starts_with("echo 'a");
            assert_eq!(told.is_some(), only_prints, "{text}: {told:?}");
        }
        for words in [
            &[][..],
            &["/bin/false"],
            &["sh", "-ec", "false; true"],
            &["sh", "/x", "true"],
            &["true", "|", "grep", "x"],
        ] {
            assert_eq!(always_succeeds(&argv(words)), None, "{words:?}");
        }
    }

    #[test]
    fn operators_without_a_shell() {
        let stray = |words: &[&str]| stray_operator(&argv(words)).map(str::to_owned);
        assert_eq!(stray(&["ps", "ax", "|", "grep", "x"]).as_deref(), Some("|"));
        assert_eq!(
            stray(&["pidof", "x", ">/dev/null", "||", "y"]).as_deref(),
            Some(">/dev/null")
        );
        assert_eq!(
            stray(&["ping", "x", "&>", "/dev/null"]).as_deref(),
            Some("&>")
        );
        assert_eq!(
            stray(&["[", "-e", "/x", "]", "&&", "exit", "1"]).as_deref(),
            Some("&&")
        );
        assert_eq!(stray(&["x", ">", "/dev/nulls"]), None);
        assert_eq!(stray(&["sh", "-c", "a", "|"]), None);
        assert_eq!(stray(&["[", "a", "||", "b", "]"]), None);
        assert_eq!(stray(&["grep", "a|b", "x;y"]), None);
        assert_eq!(stray(&["|"]), None);
    }
}
