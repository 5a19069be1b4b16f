//! `$NAME=VALUE` and `${NAME}`.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use crate::lexer::parameter_length;
use crate::machine::Machine;

/// Substitutions within one line. keepalived's lines end before they hold so many references; a definition that refers
/// to itself would go on for ever.
const MOST_SUBSTITUTIONS: usize = 400;

/// The definitions read so far. A value of several lines has line feeds between them.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    values: BTreeMap<String, Rc<str>>,
}

/// What the built-in parameters are made of.
pub(crate) struct Surroundings<'a> {
    pub(crate) machine: &'a dyn Machine,
    /// `${_INSTANCE}`: the configuration id.
    pub(crate) config_id: &'a str,
    /// `${_PWD}`: the directory of the file being read.
    pub(crate) directory: &'a Path,
}

/// A line whose parameters are replaced.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) text: String,
    /// The name of the parameter that was replaced first; `None`: nothing was replaced.
    pub(crate) by: Option<String>,
    /// The lines behind the first one of values of several lines; the last of these are the next to be read.
    pub(crate) further: Vec<Further>,
    /// What went wrong on the way.
    pub(crate) problems: Vec<ParameterProblem>,
}

/// The lines of a value that are still to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Further {
    /// The parameter's name.
    pub(crate) name: String,
    value: Rc<str>,
    at: usize,
}

impl Further {
    /// The next line, and whether it is the last one.
    pub(crate) fn next(&mut self) -> Option<(&str, bool)> {
        let rest = self.value.get(self.at..)?;
        let (line, last) = match rest.find('\n') {
            Some(end) => (rest.get(..end)?, false),
            None => (rest, true),
        };
        self.at += line.len() + 1;
        Some((line, last))
    }
}

/// Why a parameter was not replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParameterProblem {
    /// It refers to itself, or is far too long.
    #[error("parameter '{name}' expands without end")]
    Endless { name: String },
    /// A built-in was given the wrong words.
    #[error("parameter '{name}' does not take '{arguments}'")]
    Arguments { name: String, arguments: String },
    /// Its value has several lines, and something follows.
    #[error("parameter '{name}' has several lines, so nothing may follow it on its line")]
    SeveralLines { name: String, braces: bool },
    /// `_RANDOM` was given a range that ends before it begins; its beginning was used.
    #[error("the range '{arguments}' of _RANDOM ends before it begins")]
    Range { arguments: String },
}

/// A definition at the start of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Definition<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
}

impl Parameters {
    /// Reads `$NAME=VALUE`; anything else is a statement.
    pub(crate) fn definition(text: &str) -> Option<Definition<'_>> {
        let rest = text.strip_prefix('$')?;
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
        let (name, value) = (rest.get(..length)?, rest.get(length..)?.strip_prefix('=')?);
        let value = value.trim_start_matches([' ', '\t']);
        is_name(name).then_some(Definition { name, value })
    }

    /// Defines or redefines.
    pub(crate) fn define(&mut self, name: &str, value: &str) {
        match self.values.get_mut(name) {
            Some(known) => *known = value.into(),
            None => {
                self.values.insert(name.to_owned(), value.into());
            }
        }
    }

    /// Whether a name stands for something, here or in keepalived.
    pub(crate) fn is_known(&self, name: &str) -> bool {
        self.values.contains_key(name) || BUILT_IN.contains(&name)
    }

    /// The values of the parameters that a text names, as they were defined.
    pub(crate) fn values_in(&self, text: &str) -> impl Iterator<Item = &str> {
        text.split('$').skip(1).filter_map(|rest| {
            let name = rest.strip_prefix('{').unwrap_or(rest);
            let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let name = name.get(..end.unwrap_or(name.len()))?;
            self.values.get(name).map(|value| &**value)
        })
    }

    /// The known name that is most like this one.
    pub(crate) fn nearest(&self, name: &str) -> Option<&str> {
        crate::suggest::nearest(name, self.values.keys().map(String::as_str))
    }

    /// Replaces every parameter, the inserted text included; `None`: there is nothing to replace.
    pub(crate) fn expand(
        &self,
        text: &str,
        limit: usize,
        around: &Surroundings<'_>,
    ) -> Option<Expanded> {
        text.contains('$')
            .then(|| self.expand_all(text, limit, around))
    }

    fn expand_all(&self, text: &str, limit: usize, around: &Surroundings<'_>) -> Expanded {
        let mut done = Expanded {
            text: text.to_owned(),
            ..Expanded::default()
        };
        let mut substitutions = 0;
        let mut at = 0;
        while let Some(length) = done.text.get(at..).and_then(|rest| rest.find('$')) {
            at += length;
            let Some(reference) = reference(&done.text, at) else {
                at += 1;
                continue;
            };
            let Reference {
                name,
                arguments,
                length,
            } = reference;
            let value = match self.value(name, arguments, around, &mut done.problems) {
                Ok(Some(value)) => value,
                Ok(None) => {
                    at += length;
                    continue;
                }
                Err(problem) => {
                    done.problems.push(problem);
                    at += length;
                    continue;
                }
            };
            let first = value.split('\n').next().unwrap_or_default();
            if first.len() < value.len() && at + length < done.text.len() {
                done.problems.push(ParameterProblem::SeveralLines {
                    name: name.to_owned(),
                    braces: length > name.len() + 1,
                });
                at += length;
                continue;
            }
            substitutions += 1;
            if substitutions > MOST_SUBSTITUTIONS || done.text.len() + first.len() > limit {
                done.problems.push(ParameterProblem::Endless {
                    name: name.to_owned(),
                });
                break;
            }
            if first.len() < value.len() {
                done.further.push(Further {
                    name: name.to_owned(),
                    at: first.len() + 1,
                    value: Rc::clone(&value),
                });
            }
            done.by.get_or_insert_with(|| name.to_owned());
            done.text.replace_range(at..at + length, first);
        }
        done
    }

    fn value(
        &self,
        name: &str,
        arguments: &str,
        around: &Surroundings<'_>,
        problems: &mut Vec<ParameterProblem>,
    ) -> Result<Option<Rc<str>>, ParameterProblem> {
        let refused = || ParameterProblem::Arguments {
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        };
        if let Some(value) = self.values.get(name) {
            return if arguments.is_empty() {
                Ok(Some(Rc::clone(value)))
            } else {
                Err(refused())
            };
        }
        let value = match (name, arguments) {
            ("_PWD", "") => around.directory.display().to_string(),
            ("_INSTANCE", "") => around.config_id.to_owned(),
            ("_HASH", "") => "#".to_owned(),
            ("_BANG", "") => "!".to_owned(),
            // A line feed in it would make it a value of several lines.
            ("_ENV", variable) if is_name(variable) => around
                .machine
                .variable(variable)
                .unwrap_or_default()
                .replace('\n', " "),
            ("_RANDOM", range) => {
                let (number, wrong) = random(range, around.machine.random()).ok_or_else(refused)?;
                if wrong {
                    problems.push(ParameterProblem::Range {
                        arguments: arguments.to_owned(),
                    });
                }
                number
            }
            _ if BUILT_IN.contains(&name) => return Err(refused()),
            _ => return Ok(None),
        };
        Ok(Some(value.into()))
    }
}

/// Parameters that need no definition.
const BUILT_IN: [&str; 6] = ["_PWD", "_INSTANCE", "_HASH", "_BANG", "_ENV", "_RANDOM"];

/// The names within `${...}` in a text that nobody has replaced, outside of double quotes.
pub(crate) fn references(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.char_indices().filter_map(move |(at, character)| {
        quoted ^= character == '"';
        let length = (character == '$' && !quoted)
            .then(|| parameter_length(text, at))
            .flatten()?;
        let inner = text.get(at + 2..at + length - 1)?;
        inner.split([' ', '\t']).next()
    })
}

/// A use of a parameter.
struct Reference<'a> {
    name: &'a str,
    arguments: &'a str,
    /// Bytes of all of it.
    length: usize,
}

/// The `${NAME ...}` or `$NAME` at `at`; the latter only in front of a blank, a comma, `)` or the end.
fn reference(text: &str, at: usize) -> Option<Reference<'_>> {
    if let Some(length) = parameter_length(text, at) {
        let inner = text.get(at + 2..at + length - 1)?;
        let (name, arguments) = inner.split_once([' ', '\t']).unwrap_or((inner, ""));
        return Some(Reference {
            name,
            arguments: arguments.trim_matches([' ', '\t']),
            length,
        });
    }
    let rest = text.get(at + 1..)?;
    let length = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(rest.len());
    let name = rest.get(..length)?;
    let ends = rest
        .get(length..)?
        .chars()
        .next()
        .is_none_or(|c| matches!(c, ' ' | '\t' | ',' | ')'));
    (ends && is_name(name)).then_some(Reference {
        name,
        arguments: "",
        length: length + 1,
    })
}

/// A number from `MIN MAX`, by default 0 and 32767; true: the maximum is below the minimum, which was taken for it.
fn random(range: &str, number: u32) -> Option<(String, bool)> {
    let mut words = range.split_ascii_whitespace().map(str::parse::<u32>);
    let least = words.next().unwrap_or(Ok(0)).ok()?;
    let given = words.next().unwrap_or(Ok(32767)).ok()?;
    let most = given.max(least);
    if words.next().is_some() {
        return None;
    }
    let count = u64::from(most - least) + 1;
    let number = u64::from(least) + u64::from(number) % count;
    Some((number.to_string(), given < least))
}

/// Letters, digits, underscore; not beginning with a digit.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fake;

    fn expanded(definitions: &[&str], text: &str) -> Expanded {
        let mut parameters = Parameters::default();
        for definition in definitions {
            let Definition { name, value } = Parameters::definition(definition).unwrap();
            parameters.define(name, value);
        }
        let machine = Fake::default();
        let around = Surroundings {
            machine: &machine,
            config_id: "node1",
            directory: Path::new("/etc"),
        };
        parameters.expand(text, 1000, &around).unwrap_or(Expanded {
            text: text.to_owned(),
            ..Expanded::default()
        })
    }

    #[test]
    fn definitions() {
        assert_eq!(
            Parameters::definition("$A_1= x y"),
            Some(Definition {
                name: "A_1",
                value: "x y"
            })
        );
        assert_eq!(
            Parameters::definition("$A="),
            Some(Definition {
                name: "A",
                value: ""
            })
        );
        for statement in ["$A = 1", "$9=1", "A=1", "$A", "$A-B=1"] {
            assert_eq!(Parameters::definition(statement), None, "{statement}");
        }
    }

    #[test]
    fn uses() {
        for (text, expected) in [
            ("interface $IF", "interface eth0"),
            ("${IF}.100", "eth0.100"),
            ("$IF.100", "$IF.100"),
            ("a $IF, b", "a eth0, b"),
            ("\"${IF}\" '${IF}'", "\"eth0\" 'eth0'"),
            ("${IF }", "eth0"),
            ("${ IF}", "${ IF}"),
            ("$B", "eth0 x"),
            ("$NONE", "$NONE"),
            ("${_INSTANCE} ${_PWD} ${_ENV HOME}", "node1 /etc /root"),
        ] {
            let expanded = expanded(&["$IF=eth0", "$B=${IF} x"], text);
            assert_eq!(
                (expanded.text.as_str(), expanded.problems),
                (expected, vec![]),
                "{text}"
            );
        }
    }

    #[test]
    fn undefined_ones_stay() {
        let expanded = expanded(&["$IFACE=eth0"], "interface ${IFACES} \"${HOME}\"");
        assert_eq!((expanded.by, expanded.problems), (None, vec![]));
        assert_eq!(
            references(&expanded.text).collect::<Vec<_>>(),
            ["IFACES"],
            "what is quoted is probably for a shell"
        );
    }

    #[test]
    fn values_of_several_lines_end_their_line() {
        let mut parameters = Parameters::default();
        parameters.define("IN", "x\ny");
        parameters.define("OUT", "a $IN\nb\nc");
        let machine = Fake::default();
        let around = Surroundings {
            machine: &machine,
            config_id: "",
            directory: Path::new(""),
        };
        let mut expanded = parameters.expand("pre $OUT", 1000, &around).unwrap();
        assert_eq!(expanded.text, "pre a x");
        let mut lines = Vec::new();
        while let Some(further) = expanded.further.last_mut() {
            let (line, last) = further.next().unwrap();
            lines.push(line.to_owned());
            if last {
                expanded.further.pop();
            }
        }
        assert_eq!(lines, ["y", "b", "c"]);
        let stays = parameters.expand("${IN} post $IN", 1000, &around).unwrap();
        assert_eq!(stays.text, "${IN} post x");
        assert_eq!(
            stays.problems,
            [ParameterProblem::SeveralLines {
                name: "IN".into(),
                braces: true
            }]
        );
    }

    #[test]
    fn built_ins_know_their_words() {
        for text in [
            "${_ENV}",
            "${_INSTANCE x}",
            "${_RANDOM a}",
            "${_RANDOM 1 2 3}",
            "${_RANDOM -1}",
        ] {
            let expanded = expanded(&[], text);
            assert_eq!(expanded.text, text);
            assert!(
                matches!(expanded.problems[..], [ParameterProblem::Arguments { .. }]),
                "{text}"
            );
        }
        let expanded = expanded(&[], "${_RANDOM 5 1}");
        assert_eq!(expanded.text, "5");
        assert!(matches!(
            expanded.problems[..],
            [ParameterProblem::Range { .. }]
        ));
    }

    #[test]
    fn a_reference_to_itself_ends() {
        let endless = expanded(&["$A=$A x"], "$A");
        assert_eq!(
            endless.problems,
            [ParameterProblem::Endless { name: "A".into() }]
        );
        assert!(endless.text.len() <= 1000);
    }

    #[test]
    fn random_numbers_stay_in_range() {
        let number = |range, seed| random(range, seed).map(|(number, _)| number);
        assert_eq!(number("", 7).unwrap(), "7");
        assert_eq!(number("5 5", 7).unwrap(), "5");
        assert_eq!(number("10 19", 7).unwrap(), "17");
        assert_eq!(number("x", 7), None);
        assert_eq!(number("0 4294967295", u32::MAX).unwrap(), "4294967295");
    }
}
