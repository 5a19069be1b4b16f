//! `UDP_CHECK { ... }`.

use super::super::arguments::{optional, strict_integer};
use super::super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::At;
use crate::draft::checkers::{CheckerDraft, ReplyDraft};
use crate::read::Reading;

const ROW: Keyword = Keyword {
    blocks: &[super::UDP],
    ..super::super::ROW
};

/// keepalived's limit for a reply, when `max_reply_length` says nothing.
const LONGEST_REPLY: u16 = 255;

pub(in crate::keywords) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "payload",
        arguments: optional("HEX..."),
        default: "a text of keepalived's",
        help: "what is sent",
        role: Role::Set(|r, s| {
            if r.required(s, 1).is_none() {
                return;
            }
            match hex(s.words().skip(1), Wildcards::No) {
                Some(payload) => r.checker.udp.payload = Some(payload.bytes),
                None => not_hex(
                    r,
                    s,
                    "it is ignored",
                    "Invalid hex string for UDP_CHECK payload",
                ),
            }
        }),
        ..ROW
    },
    Keyword {
        name: "require_reply",
        arguments: optional("[HEX...]"),
        default: "silence is good",
        help: "a reply must come, and begin like this; x stands for any digit",
        role: Role::Set(|r, s| {
            let mut reply = ReplyDraft::default();
            if s.len() > 1 {
                match hex(s.words().skip(1), Wildcards::Yes) {
                    Some(pattern) => reply = pattern,
                    None => not_hex(
                        r,
                        s,
                        "any reply is good",
                        "Invalid hex string for UDP_CHECK reply",
                    ),
                }
            }
            r.checker.udp.reply = Some(reply);
        }),
        ..ROW
    },
    Keyword {
        name: "min_reply_length",
        arguments: strict_integer(0, 65535),
        default: "0",
        help: "how long a reply must be at least; only looked at with a pattern",
        role: Role::Set(|r, s| {
            if let Some(length) = length(r, s) {
                r.checker.udp.min_length = Some(length);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "max_reply_length",
        arguments: strict_integer(0, 65535),
        default: "255",
        help: "how long a reply may be at most; only looked at with a pattern",
        role: Role::Set(|r, s| {
            if let Some(length) = length(r, s) {
                r.checker.udp.max_length = Some(length);
            }
        }),
        ..ROW
    },
];

fn length(reading: &mut Reading<'_>, statement: &Statement) -> Option<At<u16>> {
    let value = reading.fits(statement)?;
    Some(At {
        value,
        span: statement.span(1),
    })
}

fn not_hex(reading: &mut Reading<'_>, statement: &Statement, so: &str, keepalived: &str) {
    let name = statement.argument(0);
    let diagnostic = Diagnostic::error(
        Class::General,
        format!("{name}: these are not hexadecimal digits; {so}"),
    )
    .help(format!("two digits for each byte, as in: {name} 01 ff 3a"))
    .keepalived(keepalived);
    reading.report.at(statement.span_from(1), diagnostic);
}

/// Ends a UDP_CHECK: limits that no reply can meet, or that nobody looks at.
pub(super) fn judge(reading: &mut Reading<'_>, checker: &mut CheckerDraft) -> bool {
    let udp = &checker.udp;
    let min = udp.min_length.as_ref().map_or(0, |at| at.value);
    let max = udp.max_length.as_ref().map_or(LONGEST_REPLY, |at| at.value);
    // The last limit given is where the eye goes; without one there is nothing to say.
    let Some(span) = udp
        .min_length
        .as_ref()
        .or(udp.max_length.as_ref())
        .map(|at| at.span)
    else {
        return true;
    };
    let matched = udp
        .reply
        .as_ref()
        .is_some_and(|reply| !reply.bytes.is_empty());
    if min > max {
        let message = format!(
            "a reply of at least {min} and at most {max} bytes cannot be; with a pattern the check always fails"
        );
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("without max_reply_length it is 255")
            .keepalived(format!(
                "UDP_CHECK min_reply length {min} > max_reply_length {max} - will always fail"
            ));
        reading.report.at(span, diagnostic);
    } else if !matched {
        let message = "the length of a reply is not looked at: there is no pattern for it";
        let diagnostic = Diagnostic::warning(Class::Uncounted, message)
            .help("require_reply HEX, or xx for any byte");
        reading.report.at(span, diagnostic);
    }
    true
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wildcards {
    No,
    Yes,
}

/// Bytes in hexadecimal. Two digits are a byte, with or without blanks between bytes; a single one before a blank is a
/// byte too. `None`: it is something else, or nothing.
fn hex<'a>(words: impl Iterator<Item = &'a str>, wildcards: Wildcards) -> Option<ReplyDraft> {
    let mut reply = ReplyDraft::default();
    for group in words.flat_map(str::split_ascii_whitespace) {
        for pair in group.as_bytes().chunks(2) {
            let mut byte = 0;
            // A digit that is not written is 0.
            let mut mask = if pair.len() == 1 { 0x0f } else { 0 };
            for digit in pair.iter().copied().map(char::from) {
                let wild = wildcards == Wildcards::Yes && digit.eq_ignore_ascii_case(&'x');
                let value = if wild { 0 } else { digit.to_digit(16)? };
                byte = byte << 4 | u8::try_from(value).ok()?;
                mask = mask << 4 | if wild { 0 } else { 0x0f };
            }
            reply.bytes.push(byte);
            reply.mask.push(mask);
        }
    }
    (!reply.bytes.is_empty()).then_some(reply)
}

#[cfg(test)]
mod tests;
