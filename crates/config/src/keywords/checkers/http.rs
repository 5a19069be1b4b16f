//! `HTTP_GET { ... }` and `SSL_GET { ... }`, and the `url` blocks within them.

use lvs::settings::checkers::{HttpVersion, RegexOptions, RegexStack, StatusRange};

use super::super::arguments::{NONE, SWITCH_WORD, integer, optional, required};
use super::super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::At;
use crate::draft::checkers::{CheckerDraft, UrlDraft};
use crate::lexer::{Escapes, split_shell};
use crate::machine::PatternProblem;
use crate::read::Reading;
use crate::suggest::nearest;

const ROW: Keyword = Keyword {
    blocks: &[super::HTTP, super::SSL],
    ..super::super::ROW
};

const HTTP_URL: &str = "virtual_server/real_server/HTTP_GET/url";
const SSL_URL: &str = "virtual_server/real_server/SSL_GET/url";

const URL: Keyword = Keyword {
    blocks: &[HTTP_URL, SSL_URL],
    ..ROW
};

pub(in crate::keywords) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "nb_get_retry",
        arguments: integer(0, super::U32),
        default: "1",
        help: "old spelling of retry",
        role: Role::Set(super::retry),
        deprecated: Some("retry"),
        ..ROW
    },
    Keyword {
        name: "virtualhost",
        arguments: optional("NAME"),
        default: "the real server's, else the virtual server's, else the address and port",
        help: "the Host header of pages without one of their own",
        role: Role::Set(|r, s| super::octets(r, s, |checker| &mut checker.http.virtualhost)),
        ..ROW
    },
    Keyword {
        name: "http_protocol",
        arguments: optional("1.0|1.0C|1.1"),
        default: "1.0",
        help: "the version of HTTP; 1.0C is 1.0 with 'Connection: close'",
        role: Role::Set(|r, s| {
            let Some(word) = r.required(s, 1) else {
                return;
            };
            r.checker.http.version = match word {
                "1.0" => HttpVersion::V1_0,
                "1.0C" | "1.0c" => HttpVersion::V1_0Close,
                "1.1" => HttpVersion::V1_1,
                other => {
                    let message = format!("http_protocol: '{other}' is no version and is ignored");
                    let diagnostic = Diagnostic::error(Class::General, message)
                        .help("1.0, 1.0C or 1.1")
                        .keepalived(format!("Invalid http_protocol version {other}"));
                    r.complain(s, 1, diagnostic);
                    return;
                }
            };
        }),
        ..ROW
    },
    Keyword {
        name: "enable_sni",
        arguments: SWITCH_WORD,
        default: "off",
        help: "TLS begins with the name of the virtualhost",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                r.checker.http.enable_sni = on.then(|| s.whole());
            }
        }),
        ..ROW
    },
    Keyword {
        name: "sni_name",
        arguments: optional("[NAME]"),
        default: "the virtualhost",
        help: "the name that TLS begins with; includes enable_sni",
        role: Role::Set(sni_name),
        ..ROW
    },
    Keyword {
        name: "fast_recovery",
        arguments: SWITCH_WORD,
        default: "off",
        help: "no delay between two pages until all are known to be good",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                r.checker.http.fast_recovery = on;
            }
        }),
        ..ROW
    },
    Keyword {
        blocks: &[super::SSL],
        name: "tls_compliant",
        arguments: SWITCH_WORD,
        default: "off",
        help: "the end of TLS is announced (close_notify), for every page",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                r.checker.http.tls_compliant = on;
            }
        }),
        ..ROW
    },
    Keyword {
        blocks: &[super::SSL],
        name: "verify_peer",
        arguments: SWITCH_WORD,
        default: "off",
        help: "the certificate must be good: in date, from somebody whom SSL { ca } or else the system trusts, and for the name \
               that is asked for, else for the address; keepalived does not know this keyword",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                r.checker.http.verify_peer = on.then(|| s.whole());
            }
        }),
        ..ROW
    },
    Keyword {
        name: "url",
        help: "a page; repeatable, asked for in this order",
        role: Role::Block {
            open: |r, _| {
                r.checker.url = UrlDraft::default();
                true
            },
            close: close_url,
        },
        ..ROW
    },
    Keyword {
        name: "path",
        arguments: required("PATH"),
        default: "required",
        help: "what is asked for, sent as it is",
        role: Role::Set(|r, s| super::octets(r, s, |checker| &mut checker.url.path)),
        ..URL
    },
    Keyword {
        name: "digest",
        arguments: required("HEX"),
        help: "the MD5 of the body, 32 hexadecimal digits; genhash prints it",
        role: Role::Set(digest),
        ..URL
    },
    Keyword {
        name: "status_code",
        arguments: optional("100..599[-100..599]..."),
        default: "200-299",
        help: "good status codes, one by one or as ranges; repeatable",
        role: Role::Set(status_code),
        ..URL
    },
    Keyword {
        name: "virtualhost",
        arguments: optional("NAME"),
        default: "the checker's",
        help: "the Host header of this page",
        role: Role::Set(|r, s| super::octets(r, s, |checker| &mut checker.url.virtualhost)),
        ..URL
    },
    Keyword {
        blocks: &[SSL_URL],
        name: "tls_compliant",
        arguments: SWITCH_WORD,
        default: "the checker's",
        help: "the end of TLS is announced (close_notify) for this page",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                r.checker.url.tls_compliant = on;
            }
        }),
        ..URL
    },
    Keyword {
        name: "regex",
        shell_words: true,
        arguments: optional("\"PATTERN\""),
        help: "a pattern (PCRE2) that the body must match",
        role: Role::Set(regex),
        ..URL
    },
    Keyword {
        name: "regex_no_match",
        arguments: NONE,
        default: "off",
        help: "the body must not match the pattern",
        role: Role::Set(|r, s| {
            needs_pattern(r, s);
            r.checker.url.regex.no_match = true;
        }),
        ..URL
    },
    Keyword {
        name: "regex_options",
        arguments: optional("OPTION..."),
        help: "how the pattern is meant: names of PCRE2's options, such as caseless or multiline",
        role: Role::Set(|r, s| {
            needs_pattern(r, s);
            for (index, name) in s.words().enumerate().skip(1) {
                if r.checker.url.regex.options.insert(name) {
                    continue;
                }
                let near = nearest(name, RegexOptions::NAMES.into_iter());
                let message = format!("regex_options: there is no option '{name}'; it is ignored");
                let diagnostic = Diagnostic::warning(Class::Uncounted, message)
                    .maybe_help(near.map(|near| format!("did you mean '{near}'?")));
                r.complain(s, index, diagnostic);
            }
        }),
        ..URL
    },
    Keyword {
        name: "regex_min_offset",
        arguments: optional("BYTES"),
        default: "0",
        help: "the first byte of the body where a match may begin",
        role: Role::Set(|r, s| {
            needs_pattern(r, s);
            r.checker.url.regex.min_offset = bytes(r, s, 1);
        }),
        ..URL
    },
    Keyword {
        name: "regex_max_offset",
        arguments: optional("BYTES"),
        help: "the last byte of the body where a match may begin",
        role: Role::Set(|r, s| {
            needs_pattern(r, s);
            r.checker.url.regex.max_offset = bytes(r, s, 1).map(|value| At {
                value,
                span: s.span(1),
            });
        }),
        ..URL
    },
    Keyword {
        name: "regex_stack",
        arguments: optional("START MAX"),
        default: "PCRE2's own",
        help: "bytes of stack for patterns, at first and at most; the largest ones count for all",
        role: Role::Set(|r, s| {
            needs_pattern(r, s);
            let (Some(start), Some(most)) = (bytes(r, s, 1), bytes(r, s, 2)) else {
                return;
            };
            if start > most {
                let message = format!("regex_stack: {start} is more than {most}; it is ignored");
                let diagnostic =
                    Diagnostic::warning(Class::Uncounted, message).help("regex_stack START MAX");
                r.complain(s, 1, diagnostic);
                return;
            }
            r.checker.url.regex.stack = Some(RegexStack { start, most });
        }),
        ..URL
    },
];

/// Bare, it only switches the name on.
fn sni_name(reading: &mut Reading<'_>, statement: &Statement) {
    if statement.is_damaged() {
        return;
    }
    reading.checker.http.enable_sni = Some(statement.whole());
    if statement.word(1).is_some() {
        super::octets(reading, statement, |checker| &mut checker.http.sni_name);
    } else if let Some(name) = &reading.checker.http.sni_name {
        let message = format!("sni_name is given twice; '{name}' is kept");
        reading.complain(statement, 0, Diagnostic::warning(Class::General, message));
    }
}

/// keepalived: the first one that is right counts.
fn digest(reading: &mut Reading<'_>, statement: &Statement) {
    let Some(text) = reading.required(statement, 1) else {
        return;
    };
    if reading.checker.url.digest.is_some() {
        let message = "digest is given twice; the first one is kept";
        let diagnostic = Diagnostic::warning(Class::General, message)
            .keepalived(format!("Digest '{text}' is a duplicate"));
        reading.complain(statement, 1, diagnostic);
        return;
    }
    if let Some(digest) = parse_digest(text) {
        reading.checker.url.digest = Some(digest);
        return;
    }
    let length = text.len();
    let (why, keepalived) = if length == 32 {
        (
            "not hexadecimal".to_owned(),
            format!("Unable to interpret hex digit in '{text}'"),
        )
    } else {
        (
            format!("{length} characters long"),
            format!("digest '{text}' character length should be 32 rather than {length}"),
        )
    };
    let message = format!("digest: this is {why}, so the body is not compared");
    let diagnostic = Diagnostic::error(Class::General, message)
        .help("32 hexadecimal digits, as genhash prints them")
        .keepalived(keepalived);
    reading.complain(statement, 1, diagnostic);
}

fn parse_digest(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|value| u8::try_from(value).ok())
        })
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .filter_map(|pair| match pair {
            [high, low] => Some(high << 4 | low),
            _ => None,
        })
        .collect();
    (digits.len() == 32)
        .then(|| bytes.try_into().ok())
        .flatten()
}

fn status_code(reading: &mut Reading<'_>, statement: &Statement) {
    for (index, item) in statement.words().enumerate().skip(1) {
        if let Some(range) = parse_status(item) {
            reading.checker.url.status_codes.push(range);
            continue;
        }
        let message = format!("status_code: '{item}' is not a status code and is ignored");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("100 to 599, or a range such as 200-299, with blanks between them")
            .keepalived(format!("Invalid HTTP_GET status code '{item}'"));
        reading.complain(statement, index, diagnostic);
    }
}

fn parse_status(item: &str) -> Option<StatusRange> {
    let code = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let code = digits.then(|| text.parse().ok()).flatten()?;
        (100..=599).contains(&code).then_some(code)
    };
    let (least, most) = match item.split_once('-') {
        Some((least, most)) => (code(least)?, code(most)?),
        None => (code(item)?, code(item)?),
    };
    (least <= most).then_some(StatusRange { least, most })
}

/// The pattern is split as a shell would, once, with its escapes resolved: `\\.` is a dot, `\.` is any character.
fn regex(reading: &mut Reading<'_>, statement: &Statement) {
    if statement.is_damaged() {
        return;
    }
    let Ok(words) = split_shell(statement.raw(), Escapes::Resolve) else {
        let diagnostic = Diagnostic::error(
            Class::UnmatchedQuote,
            "regex: a quote is not closed; it is ignored",
        );
        reading.complain(statement, 1, diagnostic);
        return;
    };
    let [_, pattern] = words.as_slice() else {
        let count = words.len().saturating_sub(1);
        let message = format!("regex takes one pattern, not {count}; it is ignored");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("a pattern with blanks stands between double quotes");
        reading.complain(statement, 1, diagnostic);
        return;
    };
    let pattern = At {
        value: crate::bytes::encode(&pattern.text),
        span: statement.span(1),
    };
    if reading.checker.url.regex.pattern.replace(pattern).is_some() {
        let message = "regex is given twice; the last one is used";
        reading.complain(statement, 0, Diagnostic::warning(Class::General, message));
    }
}

/// Remembers a keyword that means nothing without a pattern, wherever that stands.
fn needs_pattern(reading: &mut Reading<'_>, statement: &Statement) {
    let regex = &mut reading.checker.url.regex;
    regex.needs_pattern.get_or_insert(statement.whole());
}

/// A count of bytes. keepalived only logs one that is none.
fn bytes(reading: &mut Reading<'_>, statement: &Statement, index: usize) -> Option<u64> {
    let text = statement.argument(index);
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let count = digits.then(|| text.parse().ok()).flatten();
    if count.is_none() && !statement.is_damaged() {
        let name = statement.argument(0);
        let message = format!("{name}: '{text}' is not a count of bytes and is ignored");
        reading.complain(
            statement,
            index,
            Diagnostic::error(Class::Uncounted, message),
        );
    }
    count
}

/// Ends a page.
fn close_url(reading: &mut Reading<'_>, statement: &Statement) {
    let mut url = std::mem::take(&mut reading.checker.url);
    if url.path.is_none() {
        let diagnostic = Diagnostic::error(Class::General, "this url has no path and is ignored")
            .help("path PATH")
            .keepalived("HTTP/SSL_GET checker url has no path - ignoring");
        reading.report.at(statement.whole(), diagnostic);
        return;
    }
    let regex = &mut url.regex;
    if regex.pattern.is_none()
        && let Some(span) = regex.needs_pattern
    {
        let diagnostic = Diagnostic::warning(Class::Uncounted, "without regex this has no effect")
            .help("regex \"PATTERN\"");
        reading.report.at(span, diagnostic);
    }
    let least = regex.min_offset.unwrap_or(0);
    if let Some(most) = regex.max_offset.take_if(|most| most.value < least) {
        regex.min_offset = None;
        let message = format!(
            "regex_max_offset {} is below regex_min_offset {least}; both are ignored",
            most.value
        );
        reading
            .report
            .at(most.span, Diagnostic::error(Class::Uncounted, message));
    }
    if let Some(pattern) = &regex.pattern
        && let Some(problem) = reading
            .machine
            .pattern_problem(&pattern.value, regex.options)
    {
        let PatternProblem { offset, text } = problem;
        let shown = crate::bytes::shown(&crate::bytes::decode(pattern.value.clone()));
        let message =
            format!("this pattern is none: {text} at offset {offset}; the url is ignored");
        let diagnostic = Diagnostic::error(Class::General, message).keepalived(format!(
            "Invalid regex: '{shown}' at offset {offset}: {text}"
        ));
        reading.report.at(pattern.span, diagnostic);
        return;
    }
    reading.checker.http.urls.push(url);
}

/// Ends an HTTP_GET or SSL_GET: without a page there is nothing to ask for.
pub(super) fn judge(reading: &mut Reading<'_>, checker: &mut CheckerDraft) -> bool {
    if checker.http.urls.is_empty() {
        super::lacks(
            reading,
            checker,
            "url",
            "add 'url { path PATH }'",
            "HTTP/SSL_GET checker has no urls specified - ignoring",
        );
        return false;
    }
    true
}

#[cfg(test)]
mod tests;
