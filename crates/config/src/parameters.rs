//! `$NAME=VALUE` and `${NAME}`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::lexer::parameter_length;
use crate::machine::Machine;

/// Substitutions within one line; a definition that refers to itself would go on for ever.
const MOST_SUBSTITUTIONS: usize = 256;

/// The definitions read so far.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    values: BTreeMap<String, String>,
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
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) text: String,
    /// What went wrong on the way.
    pub(crate) problems: Vec<ParameterProblem>,
}

/// Why a parameter was not replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParameterProblem {
    /// Nobody defined it.
    #[error("parameter '{name}' is not defined")]
    Undefined {
        name: String,
        nearest: Option<String>,
    },
    /// It refers to itself, or is far too long.
    #[error("parameter '{name}' expands without end")]
    Endless { name: String },
    /// A built-in was given the wrong words.
    #[error("parameter '{name}' does not take '{arguments}'")]
    Arguments { name: String, arguments: String },
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
    pub(crate) fn define(&mut self, definition: &Definition<'_>) {
        self.values
            .insert(definition.name.to_owned(), definition.value.to_owned());
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
        let mut text = text.to_owned();
        let mut problems = Vec::new();
        let mut substitutions = 0;
        let mut quoted = false;
        let mut at = 0;
        while let Some(byte) = text.as_bytes().get(at) {
            quoted ^= *byte == b'"';
            let Some(reference) = (*byte == b'$').then(|| reference(&text, at)).flatten() else {
                at += 1;
                continue;
            };
            let Reference {
                name,
                arguments,
                length,
            } = reference;
            match self.value(name, arguments, around) {
                Ok(Some(value)) => {
                    substitutions += 1;
                    if substitutions > MOST_SUBSTITUTIONS || text.len() + value.len() > limit {
                        problems.push(ParameterProblem::Endless {
                            name: name.to_owned(),
                        });
                        break;
                    }
                    text.replace_range(at..at + length, &value);
                }
                Ok(None) => {
                    // Between quotes it is probably meant for a shell, and an undefined $NAME is an ordinary word.
                    if !quoted && length > name.len() + 1 {
                        let known = self.values.keys().map(String::as_str);
                        let nearest = crate::suggest::nearest(name, known).map(str::to_owned);
                        problems.push(ParameterProblem::Undefined {
                            name: name.to_owned(),
                            nearest,
                        });
                    }
                    at += length;
                }
                Err(problem) => {
                    problems.push(problem);
                    at += length;
                }
            }
        }
        Expanded { text, problems }
    }

    fn value(
        &self,
        name: &str,
        arguments: &str,
        around: &Surroundings<'_>,
    ) -> Result<Option<String>, ParameterProblem> {
        let refused = || ParameterProblem::Arguments {
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        };
        if let Some(value) = self.values.get(name) {
            return if arguments.is_empty() {
                Ok(Some(value.clone()))
            } else {
                Err(refused())
            };
        }
        let value = match (name, arguments) {
            ("_PWD", "") => around.directory.display().to_string(),
            ("_INSTANCE", "") => around.config_id.to_owned(),
            ("_HASH", "") => "#".to_owned(),
            ("_BANG", "") => "!".to_owned(),
            ("_ENV", variable) if is_name(variable) => {
                around.machine.variable(variable).unwrap_or_default()
            }
            ("_RANDOM", range) => random(range, around.machine.random()).ok_or_else(refused)?,
            ("_PWD" | "_INSTANCE" | "_HASH" | "_BANG" | "_ENV", _) => return Err(refused()),
            _ => return Ok(None),
        };
        Ok(Some(value))
    }
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

/// `MIN MAX` with their defaults 0 and 32767; a maximum below the minimum is the minimum.
fn random(range: &str, number: u32) -> Option<String> {
    let mut words = range.split_ascii_whitespace().map(str::parse::<u32>);
    let least = words.next().unwrap_or(Ok(0)).ok()?;
    let most = words.next().unwrap_or(Ok(32767)).ok()?.max(least);
    if words.next().is_some() {
        return None;
    }
    let count = u64::from(most - least) + 1;
    Some((u64::from(least) + u64::from(number) % count).to_string())
}

/// Letters, digits, underscore; not beginning with a digit.
fn is_name(text: &str) -> bool {
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
            parameters.define(&Parameters::definition(definition).unwrap());
        }
        let machine = Fake::default();
        let around = Surroundings {
            machine: &machine,
            config_id: "node1",
            directory: Path::new("/etc"),
        };
        parameters.expand(text, 1000, &around).unwrap_or(Expanded {
            text: text.to_owned(),
            problems: vec![],
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
    fn undefined_ones_stay_and_are_reported_outside_quotes() {
        let outside = expanded(&["$IFACE=eth0"], "interface ${IFACES}");
        assert_eq!(outside.text, "interface ${IFACES}");
        assert_eq!(
            outside.problems,
            [ParameterProblem::Undefined {
                name: "IFACES".into(),
                nearest: Some("IFACE".into())
            }]
        );
        assert_eq!(expanded(&[], "script \"echo ${HOME}\"").problems, []);
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
        assert_eq!(random("", 7).unwrap(), "7");
        assert_eq!(random("5 5", 7).unwrap(), "5");
        assert_eq!(random("10 19", 7).unwrap(), "17");
        assert_eq!(random("x", 7), None);
        assert_eq!(random("0 4294967295", u32::MAX).unwrap(), "4294967295");
    }
}
