//! `~SEQ` and `~LST`: a text once for each value of a list.

use std::fmt;
use std::str::FromStr as _;

use crate::parameters::is_name;

/// The longest text between the first comma and the parenthesis of a `~SEQ` that keepalived takes.
const LONGEST_ARGUMENTS: usize = 62;

/// A generator, about to give its next round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Generator {
    /// `~SEQ(VAR, START, STEP, END)`, or `~SEQx` with hexadecimal digits.
    Sequence {
        variable: String,
        /// `None`: all rounds are done.
        next: Option<i64>,
        step: i64,
        last: i64,
        hexadecimal: bool,
    },
    /// `~LST({VAR, ...}, {VALUE, ...}, ...)`.
    List {
        variables: Vec<String>,
        /// Of each round; there may be fewer values than variables.
        rounds: Vec<Vec<String>>,
        next: usize,
    },
}

/// A line that begins with a generator.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) generator: Generator,
    /// Where its text begins, in bytes.
    pub(crate) text: usize,
}

/// What is wrong with a generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// No `(...)`, or not what belongs into it.
    Form,
    /// The variable is no name.
    Variable,
    /// Not a number.
    Number,
    /// More than three of them, or none.
    Count,
    /// A step that never arrives.
    Step,
    /// `~SEQx` of negative numbers.
    Negative,
    /// More text between the parentheses than keepalived takes.
    Length,
    /// More values than variables.
    Values,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "is not well-formed",
            Self::Variable => "has no valid variable name",
            Self::Number => "has something that is not a number",
            Self::Count => "needs one to three numbers",
            Self::Step => "has a step that never leads to the end",
            Self::Negative => "counts in hexadecimal, which negative numbers cannot have",
            Self::Length => "has more than 62 characters behind its variable",
            Self::Values => "has more values than variables",
        })
    }
}

/// Whether a line begins with a generator, well-formed or not.
pub(crate) fn is_generator(text: &str) -> bool {
    text.starts_with("~SEQ") || text.starts_with("~LST")
}

/// Takes a generator apart. `expand` replaces parameters among the numbers of a `~SEQ`; values of a `~LST` stay as they
/// are until they are used.
///
/// # Errors
/// The first mistake; such a line has no effect.
pub(crate) fn parse(text: &str, expand: impl Fn(&str) -> String) -> Result<Line, Mistake> {
    let (name, _) = text.split_once('(').ok_or(Mistake::Form)?;
    let start = name.len() + 1;
    let close = text.find(')').ok_or(Mistake::Form)?;
    let inside = text.get(start..close).ok_or(Mistake::Form)?;
    let generator = match name.trim_end_matches(BLANKS) {
        "~SEQ" => sequence(inside, false, expand)?,
        "~SEQx" => sequence(inside, true, expand)?,
        "~LST" => list(inside)?,
        _ => return Err(Mistake::Form),
    };
    let rest = text.get(close + 1..).unwrap_or_default();
    let text = text.len() - rest.trim_start_matches(BLANKS).len();
    Ok(Line { generator, text })
}

const BLANKS: [char; 2] = [' ', '\t'];

fn sequence(
    inside: &str,
    hexadecimal: bool,
    expand: impl Fn(&str) -> String,
) -> Result<Generator, Mistake> {
    let (variable, numbers) = inside.split_once(',').ok_or(Mistake::Count)?;
    let variable = variable.trim_matches(BLANKS);
    if !is_name(variable) {
        return Err(Mistake::Variable);
    }
    if numbers.len() > LONGEST_ARGUMENTS {
        return Err(Mistake::Length);
    }
    // In front of a parenthesis a parameter ends.
    let expanded = expand(&format!("{numbers})"));
    let numbers = expanded
        .strip_suffix(')')
        .unwrap_or(&expanded)
        .split(',')
        .map(|number| c_number(number.trim_matches(BLANKS)))
        .collect::<Option<Vec<i64>>>()
        .ok_or(Mistake::Number)?;
    let towards = |first: i64, last: i64| if last < first { -1 } else { 1 };
    let (first, step, last) = match numbers[..] {
        [last] => {
            let first = if last < 0 { -1 } else { 1 };
            (first, towards(first, last), last)
        }
        [first, last] => (first, towards(first, last), last),
        [first, step, last] => (first, step, last),
        _ => return Err(Mistake::Count),
    };
    if step == 0 || (first < last && step < 0) || (first > last && step > 0) {
        return Err(Mistake::Step);
    }
    if hexadecimal && (first < 0 || last < 0) {
        return Err(Mistake::Negative);
    }
    Ok(Generator::Sequence {
        variable: variable.to_owned(),
        next: Some(first),
        step,
        last,
        hexadecimal,
    })
}

/// A number as C has them: decimal, `0x1f`, or octal behind a zero.
fn c_number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = if let Some(digits) = digits.strip_prefix("0x") {
        (16, digits)
    } else if let Some(digits) = digits.strip_prefix("0X") {
        (16, digits)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, digits)
    } else {
        (10, digits)
    };
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    if radix == 10 {
        return i64::from_str(&format!("{sign}{digits}")).ok();
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

fn list(inside: &str) -> Result<Generator, Mistake> {
    let mut items = Items { rest: inside };
    let (variables, more) = items.next()?;
    if !variables.iter().all(|name| is_name(name)) {
        return Err(Mistake::Variable);
    }
    let mut rounds = Vec::new();
    let mut more = more;
    while more {
        let (values, further) = items.next()?;
        if values.len() > variables.len() {
            return Err(Mistake::Values);
        }
        rounds.push(values);
        more = further;
    }
    if rounds.is_empty() {
        return Err(Mistake::Form);
    }
    Ok(Generator::List {
        variables,
        rounds,
        next: 0,
    })
}

/// The items of a `~LST`: words, or several between braces.
struct Items<'a> {
    rest: &'a str,
}

impl Items<'_> {
    /// The words of the next item, and whether a comma follows it.
    fn next(&mut self) -> Result<(Vec<String>, bool), Mistake> {
        self.skip_blanks();
        let mut words = Vec::new();
        if self.take('{') {
            loop {
                words.push(self.word());
                if !self.take(',') {
                    break;
                }
            }
            if !self.take('}') {
                return Err(Mistake::Form);
            }
            self.skip_blanks();
        } else {
            words.push(self.word());
        }
        let more = self.take(',');
        if more || self.rest.is_empty() {
            Ok((words, more))
        } else {
            Err(Mistake::Form)
        }
    }

    /// A word, perhaps an empty one, and the blanks around it.
    fn word(&mut self) -> String {
        self.skip_blanks();
        let end = self
            .rest
            .find([' ', '\t', ',', '}'])
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.skip_blanks();
        word.to_owned()
    }

    fn take(&mut self, character: char) -> bool {
        match self.rest.strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches(BLANKS);
    }
}

impl Generator {
    /// Its name, for messages.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Sequence { .. } => "~SEQ",
            Self::List { .. } => "~LST",
        }
    }

    /// Sets its variables to the values of the next round; false when all rounds are done.
    pub(crate) fn advance(&mut self, mut set: impl FnMut(&str, &str)) -> bool {
        match self {
            Self::Sequence {
                variable,
                next,
                step,
                last,
                hexadecimal,
            } => {
                let Some(number) = *next else { return false };
                let following = number.checked_add(*step);
                *next = following.filter(|following| {
                    if *step > 0 {
                        following <= last
                    } else {
                        following >= last
                    }
                });
                if *hexadecimal {
                    set(variable, &format!("{number:x}"));
                } else {
                    set(variable, &number.to_string());
                }
            }
            Self::List {
                variables,
                rounds,
                next,
            } => {
                let Some(values) = rounds.get(*next) else {
                    return false;
                };
                *next += 1;
                for (index, variable) in variables.iter().enumerate() {
                    set(variable, values.get(index).map_or("", String::as_str));
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All rounds, as `VALUE` or `VALUE-VALUE`.
    fn rounds(text: &str) -> Result<Vec<String>, Mistake> {
        let mut generator = parse(text, |numbers| numbers.replace("$N", "3"))?.generator;
        let mut all = Vec::new();
        loop {
            let mut values = Vec::new();
            if !generator.advance(|_, value| values.push(value.to_owned())) {
                return Ok(all);
            }
            all.push(values.join("-"));
        }
    }

    #[test]
    fn sequences() {
        for (text, expected) in [
            ("~SEQ(A, 3) x", "1 2 3"),
            ("~SEQ(A,-2)", "-1 -2"),
            ("~SEQ(A,0)", "1 0"),
            ("~SEQ (A, 0x1, 012)", "1 2 3 4 5 6 7 8 9 10"),
            ("~SEQ(A,3,1)", "3 2 1"),
            ("~SEQ(A,1,4,10)", "1 5 9"),
            ("~SEQ(A,5,-5,-5)", "5 0 -5"),
            ("~SEQ(A,4,4)", "4"),
            ("~SEQx(A,9,0xb)", "9 a b"),
            ("~SEQ(A,1,$N)", "1 2 3"),
            (
                "~SEQ(A,9223372036854775806,9223372036854775807)",
                "9223372036854775806 9223372036854775807",
            ),
        ] {
            assert_eq!(rounds(text).unwrap().join(" "), expected, "{text}");
        }
    }

    #[test]
    fn lists() {
        for (text, expected) in [
            ("~LST(V, a, b,c)", "a b c"),
            ("~LST(V, a, , c)", "a  c"),
            ("~LST(V, a,)", "a "),
            ("~LST({V,W}, {a , 1},{ b, }, c) x", "a-1 b- c-"),
            ("~LST(V, {a}, {b})", "a b"),
            ("~LST(V, $N)", "$N"),
        ] {
            assert_eq!(rounds(text).unwrap().join(" "), expected, "{text}");
        }
    }

    #[test]
    fn mistakes() {
        for (text, expected) in [
            ("~SEQ(A,1,2 x", Mistake::Form),
            ("~SEQ A,1,2)", Mistake::Form),
            (")~SEQ(", Mistake::Form),
            ("~SEQy(A,1,2)", Mistake::Form),
            ("~SEQ(A)", Mistake::Count),
            ("~SEQ(A,1,1,1,1)", Mistake::Count),
            ("~SEQ(1A,2)", Mistake::Variable),
            ("~SEQ(A,x)", Mistake::Number),
            ("~SEQ(A,0x)", Mistake::Number),
            ("~SEQ(A,--1)", Mistake::Number),
            ("~SEQ(A,08)", Mistake::Number),
            ("~SEQ(A,1,3,-1)", Mistake::Step),
            ("~SEQ(A,1,-2,5)", Mistake::Step),
            ("~SEQ(A,1,0,5)", Mistake::Step),
            ("~SEQx(A,-1,2)", Mistake::Negative),
            ("~LST(V)", Mistake::Form),
            ("~LST(V, a b)", Mistake::Form),
            ("~LST(V, {a, b)", Mistake::Form),
            ("~LST({V,W}, {a,1,2}, {b})", Mistake::Values),
            ("~LST(9, a)", Mistake::Variable),
        ] {
            assert_eq!(rounds(text), Err(expected), "{text}");
        }
        let long = format!("~SEQ(A,{}1)", " ".repeat(62));
        assert_eq!(rounds(&long), Err(Mistake::Length));
    }

    #[test]
    fn the_text_begins_behind_the_parenthesis() {
        assert_eq!(parse("~SEQ(A,1)  x y", str::to_owned).unwrap().text, 11);
        assert_eq!(parse("~SEQ(A,1)", str::to_owned).unwrap().text, 9);
        assert!(is_generator("~SEQx(") && !is_generator("~FOO("));
    }
}
