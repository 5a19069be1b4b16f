//! What acts on lines rather than in blocks: files that are included, conditions, parameters, generators.
//!
//! The reader takes such lines before blocks are looked at, so these rows are for explanations and suggestions alone.

use super::Keyword;
use super::arguments::required;

/// The path that stands for every line of every block.
pub(super) const ANYWHERE: &str = "*";

const DIRECTIVE: Keyword = Keyword {
    blocks: &[ANYWHERE],
    ..super::ROW
};

const INCLUDE: Keyword = Keyword {
    arguments: required("PATTERN"),
    ..DIRECTIVE
};

pub(super) const INCLUDES: &[Keyword] = &[
    Keyword {
        name: "include",
        help: "reads the files that match *, ?, [...] or {a,b} in place of this line; what cannot be read is only logged, \
               unless include_check or -e asks for more",
        ..INCLUDE
    },
    Keyword {
        name: "includer",
        help: "include that fails on a match that is a directory, no regular file, executable or unreadable",
        ..INCLUDE
    },
    Keyword {
        name: "includem",
        help: "includer that also fails when a name without wildcards is missing",
        ..INCLUDE
    },
    Keyword {
        name: "includew",
        help: "includem that also fails when wildcards match nothing",
        ..INCLUDE
    },
    Keyword {
        name: "includeb",
        help: "includer that also fails when one of the names of {a,b} is missing",
        ..INCLUDE
    },
    Keyword {
        name: "includea",
        help: "include with all of the checks: of files, names, wildcards and {a,b}",
        ..INCLUDE
    },
];

pub(super) const OTHERS: &[Keyword] = &[
    Keyword {
        name: "@ID",
        arguments: required("TEXT"),
        help: "keeps the text only where ID is the configuration id (-i)",
        default: "the host name up to its first dot is the id",
        ..DIRECTIVE
    },
    Keyword {
        name: "@^ID",
        arguments: required("TEXT"),
        help: "keeps the text only where ID is not the configuration id (-i)",
        default: "the host name up to its first dot is the id",
        ..DIRECTIVE
    },
    Keyword {
        name: "$NAME=",
        arguments: required("VALUE"),
        help: "from here on ${NAME}, or $NAME before a blank, ',', ')' or line end, stands for the value; a '\\' at the end of the line \
               continues it on the next one",
        ..DIRECTIVE
    },
    Keyword {
        name: "~SEQ",
        arguments: required("(NAME, FIRST, STEP, LAST) TEXT"),
        help: "repeats the text with $NAME counting from FIRST to LAST; FIRST and STEP may be left out",
        default: "FIRST and STEP are 1, or -1 to count down",
        ..DIRECTIVE
    },
    Keyword {
        name: "~SEQx",
        arguments: required("(NAME, FIRST, STEP, LAST) TEXT"),
        help: "~SEQ that writes $NAME in hexadecimal digits, of numbers that are not negative",
        default: "FIRST and STEP are 1, or -1 to count down",
        ..DIRECTIVE
    },
    Keyword {
        name: "~LST",
        arguments: required("(NAME, VALUE, ...) TEXT or ({NAME, NAME}, {VALUE, VALUE}, ...) TEXT"),
        help: "repeats the text with $NAME being each value in turn, or with several names at once",
        ..DIRECTIVE
    },
];
