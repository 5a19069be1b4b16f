//! File name patterns: `*`, `?`, `[...]` and csh's `{a,b}`, as `include` and the main file's name have them.

use std::path::Path;

use crate::machine::Machine;

/// How many names one pattern can give, and one more shows that there are too many; a directory with more of them is not
/// a configuration directory.
const MOST: usize = 4096;

/// What a pattern stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Matched {
    /// Names, spelled as in the pattern, sorted. A name without wildcards is here whether or not it exists.
    pub(crate) names: Vec<String>,
    /// There is a wildcard in it.
    pub(crate) wildcard: bool,
    /// The directory in front of the first wildcard can be listed; true without wildcards.
    pub(crate) directory: bool,
}

/// How many names may still be looked at, in all patterns together: each of many patterns could list a large directory.
#[derive(Debug)]
pub(crate) struct Effort(usize);

impl Default for Effort {
    fn default() -> Self {
        Self(1_000_000)
    }
}

impl Effort {
    /// Whether nothing more may be looked at.
    pub(crate) const fn is_spent(&self) -> bool {
        self.0 == 0
    }

    /// Whether there is a file of that name.
    pub(crate) fn exists(&mut self, machine: &dyn Machine, path: &Path) -> bool {
        self.spend(1);
        machine.exists(path)
    }

    const fn spend(&mut self, names: usize) {
        self.0 = self.0.saturating_sub(names);
    }
}

/// Resolves the braces: `a{b,c}d` gives `abd` and `acd`. Without a matching brace the text stays as it is.
pub(crate) fn alternatives(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut todo = vec![pattern.to_owned()];
    while let Some(pattern) = todo.pop() {
        if todo.len() + done.len() >= MOST {
            done.push(pattern);
            continue;
        }
        match first_group(&pattern) {
            None => done.push(pattern),
            // The last alternative is pushed first, for the stack turns the order round.
            Some((head, choices, tail)) => todo.extend(
                choices
                    .iter()
                    .rev()
                    .map(|choice| format!("{head}{choice}{tail}")),
            ),
        }
    }
    done
}

/// Text before the first group, its choices, text behind it.
fn first_group(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    let open = pattern.find('{')?;
    let mut depth = 0_usize;
    let mut start = open + 1;
    let mut choices = Vec::new();
    for (at, byte) in pattern.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => {
                choices.push(pattern.get(start..at)?);
                return Some((pattern.get(..open)?, choices, pattern.get(at + 1..)?));
            }
            b'}' => depth -= 1,
            b',' if depth == 1 => {
                choices.push(pattern.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    None
}

/// The files that a pattern without braces stands for; relative ones are looked for below `base`.
pub(crate) fn matches(
    machine: &dyn Machine,
    base: &Path,
    pattern: &str,
    effort: &mut Effort,
) -> Matched {
    if !has_wildcard(pattern) {
        return Matched {
            names: vec![pattern.to_owned()],
            wildcard: false,
            directory: true,
        };
    }
    let mut found = vec![if pattern.starts_with('/') {
        "/".to_owned()
    } else {
        String::new()
    }];
    let mut searched = false;
    let mut directory = true;
    for component in pattern.split('/').filter(|component| !component.is_empty()) {
        if !has_wildcard(component) && !searched {
            found
                .iter_mut()
                .for_each(|prefix| prefix.push_str(&format!("{component}/")));
            continue;
        }
        let mut next = Vec::new();
        for prefix in &found {
            if effort.is_spent() || next.len() > MOST {
                break;
            }
            let listed = machine.list(&base.join(prefix));
            effort.spend(1 + listed.as_ref().map_or(0, Vec::len));
            if !searched {
                directory = listed.is_some();
            }
            let mut names: Vec<_> = listed.unwrap_or_default();
            names.retain(|name| fits(component, name));
            names.sort();
            next.extend(names.into_iter().map(|name| format!("{prefix}{name}/")));
            next.truncate(MOST + 1);
        }
        searched = true;
        found = next;
    }
    found.iter_mut().for_each(|name| {
        name.pop();
    });
    Matched {
        names: found,
        wildcard: true,
        directory,
    }
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether a name fits one component of a pattern. Goes back only to the last `*`, so it is at worst length times length.
fn fits(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while let Some(character) = name.get(n) {
        match step(&pattern, p, *character) {
            Step::Star => {
                star = Some((p, n));
                p += 1;
            }
            Step::Fits(next) => {
                p = next;
                n += 1;
            }
            Step::Differs => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .is_some_and(|rest| rest.iter().all(|c| *c == '*'))
}

/// What one element of a pattern says to a character.
enum Step {
    Star,
    /// It fits; the next element begins here.
    Fits(usize),
    Differs,
}

fn step(pattern: &[char], at: usize, character: char) -> Step {
    let next = |fits: bool, next: usize| {
        if fits {
            Step::Fits(next)
        } else {
            Step::Differs
        }
    };
    match pattern.get(at) {
        None => Step::Differs,
        Some('*') => Step::Star,
        Some('?') => Step::Fits(at + 1),
        Some('\\') if pattern.len() > at + 1 => {
            next(pattern.get(at + 1) == Some(&character), at + 2)
        }
        Some('[') => match class(pattern, at + 1, character) {
            Some((fits, end)) => next(fits, end),
            None => next(character == '[', at + 1),
        },
        Some(other) => next(*other == character, at + 1),
    }
}

/// Whether a `[...]` whose inside begins at `at` holds the character, and where the pattern goes on.
fn class(pattern: &[char], at: usize, character: char) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(at), Some('!' | '^'));
    let first = at + usize::from(negated);
    let mut here = first;
    let mut held = false;
    loop {
        let low = *pattern.get(here)?;
        if low == ']' && here > first {
            return Some((held != negated, here + 1));
        }
        let high = match (pattern.get(here + 1), pattern.get(here + 2)) {
            (Some('-'), Some(high)) if *high != ']' => *high,
            _ => low,
        };
        here += if high == low { 1 } else { 3 };
        held |= (low..=high).contains(&character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fake;

    #[test]
    fn braces() {
        for (pattern, expected) in [
            ("a{b,c}d", vec!["abd", "acd"]),
            ("{a,b{1,2}}.conf", vec!["a.conf", "b1.conf", "b2.conf"]),
            ("a{b", vec!["a{b"]),
            ("{}", vec![""]),
        ] {
            assert_eq!(alternatives(pattern), expected);
        }
        assert!(
            alternatives(&"{a,b}".repeat(20)).len() <= 2 * MOST,
            "bounded"
        );
    }

    #[test]
    fn components() {
        for (pattern, name, expected) in [
            ("*", "a", true),
            ("*", ".a", false),
            ("*.conf", "x.conf", true),
            ("*.conf", "x.conf~", false),
            ("a*b*c", "aXXbYYbZc", true),
            ("?[0-9]", "a5", true),
            ("?[!0-9]", "a5", false),
            ("[]x]", "]", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("[", "[", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn files() {
        let machine = Fake::default()
            .file("/etc/d/b.conf", "")
            .file("/etc/d/a.conf", "")
            .file("/etc/e/c.conf", "");
        let names = |pattern: &str| {
            matches(&machine, Path::new("/etc"), pattern, &mut Effort::default()).names
        };
        assert_eq!(names("d/*.conf"), ["d/a.conf", "d/b.conf"]);
        assert_eq!(names("/etc/*/c.conf"), ["/etc/e/c.conf"]);
        assert_eq!(
            names("d/x.conf"),
            ["d/x.conf"],
            "no wildcard: existence is for the reader to find out"
        );
        let directory = |pattern: &str| {
            matches(&machine, Path::new("/etc"), pattern, &mut Effort::default()).directory
        };
        assert!(!directory("nowhere/*"));
        assert!(directory("d/*.txt"));
    }
}
