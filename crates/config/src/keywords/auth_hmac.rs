//! `auth_hmac { key ...; active_key ...; mode ...; anti_replay ...; time_window ... }`: keepalived's signed trailer.

use std::num::NonZeroU8;
use std::path::Path;

use vrrp::settings::{HmacKey, HmacMode, Secret};

use super::arguments::{noted, optional, required, strict_integer};
use super::{Keyword, Role};
use crate::bytes;
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::{At, HmacDraft};
use crate::read::{Garbage, Reading};

const ROW: Keyword = Keyword {
    blocks: &["vrrp_instance/auth_hmac"],
    ..super::ROW
};

/// As much of a file as can matter: `hex:`, 64 bytes in hexadecimal and a few blanks. keepalived's limit.
const LONGEST_FILE: usize = 138;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        blocks: &["vrrp_instance"],
        name: "auth_hmac",
        arguments: noted("{ key ID SECRET  active_key ID  [mode MODE] ... }"),
        default: "none",
        help: "sign adverts, and judge those of others by their signature",
        role: Role::Block {
            open: |r, s| {
                if r.instance.hmac.is_none() {
                    r.instance.hmac = Some(HmacDraft::new(s.whole()));
                }
                true
            },
            close: |_, _| {},
        },
        ..ROW
    },
    Keyword {
        name: "key",
        arguments: optional("1..255 SECRET|hex:HEX|file:PATH"),
        default: "required",
        help: "a secret of 32 to 64 bytes and its number; may stand several times",
        role: Role::Set(key),
        ..ROW
    },
    Keyword {
        name: "active_key",
        arguments: strict_integer(1, 255),
        default: "required",
        help: "the number of the key that signs",
        role: Role::Set(|r, s| {
            let Some(value) = r.fits(s).and_then(NonZeroU8::new) else {
                return;
            };
            let span = s.span(1);
            if let Some(hmac) = &mut r.instance.hmac {
                hmac.active = Some(At { value, span });
            }
        }),
        ..ROW
    },
    Keyword {
        name: "time_window",
        arguments: strict_integer(1, 300),
        default: "three times advert_int, 5 to 300",
        help: "how many seconds the clocks may differ",
        role: Role::Set(|r, s| {
            let Some(seconds) = r.fits(s) else { return };
            if let Some(hmac) = &mut r.instance.hmac {
                hmac.window = Some(seconds);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "anti_replay",
        arguments: required("time|monotonic"),
        default: "time",
        help: "how a recorded advert is recognised: by the clock, or by its number alone",
        role: Role::Set(|r, s| {
            let monotonic = match s.argument(1) {
                "time" => false,
                "monotonic" => true,
                other => {
                    unknown(r, s, other, "time or monotonic");
                    return;
                }
            };
            if let Some(hmac) = &mut r.instance.hmac {
                hmac.monotonic = monotonic;
            }
        }),
        ..ROW
    },
    Keyword {
        name: "mode",
        arguments: required("enforce|permissive|receive-only"),
        default: "enforce",
        help: "whether to sign, and whether to take what is not signed",
        role: Role::Set(|r, s| {
            let value = match s.argument(1) {
                "enforce" => HmacMode::Enforce,
                "permissive" => HmacMode::Permissive,
                "receive-only" => HmacMode::ReceiveOnly,
                other => {
                    unknown(r, s, other, "enforce, permissive or receive-only");
                    return;
                }
            };
            let span = s.whole();
            if let Some(hmac) = &mut r.instance.hmac {
                hmac.mode = Some(At { value, span });
            }
        }),
        ..ROW
    },
];

fn unknown(reading: &mut Reading<'_>, statement: &Statement, word: &str, allowed: &str) {
    let message = format!("unknown {} '{word}' is ignored", statement.argument(0));
    let diagnostic = Diagnostic::error(Class::General, message).help(allowed);
    reading.complain(statement, 1, diagnostic);
}

/// `key ID SECRET`. What is wrong is said without showing any of the secret.
fn key(reading: &mut Reading<'_>, statement: &Statement) {
    if statement.len() < 3 {
        let message = "'key' lacks its number or its secret and is ignored";
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("key 1..255 SECRET, hex:HEX or file:PATH");
        reading.complain(statement, 0, diagnostic);
        return;
    }
    let number = reading.number(statement, 1, 1..=255, Garbage::Refused);
    let Some(id) = number
        .and_then(|number| u8::try_from(number).ok())
        .and_then(NonZeroU8::new)
    else {
        return;
    };
    let taken = reading
        .instance
        .hmac
        .iter()
        .flat_map(|hmac| &hmac.keys)
        .any(|key| key.id == id);
    let secret = if taken {
        Err("its number is taken already")
    } else {
        secret(reading, statement)
    };
    match secret {
        Ok(secret) => {
            if let Some(hmac) = &mut reading.instance.hmac {
                hmac.keys.push(HmacKey { id, secret });
            }
        }
        Err(why) => {
            let message = format!("key {id} is ignored: {why}");
            let diagnostic = Diagnostic::error(Class::General, message)
                .help("32 to 64 bytes: as text, behind hex:, or in a file behind file:");
            reading.complain(statement, 2, diagnostic);
        }
    }
}

/// The secret, from the line or from the file that it names.
fn secret(reading: &mut Reading<'_>, statement: &Statement) -> Result<Secret, &'static str> {
    let word = statement.argument(2);
    let Some(path) = word.strip_prefix("file:") else {
        reading.secret(statement);
        return decode(&bytes::encode(word));
    };
    let path = reading.machine.current_dir().join(Path::new(path));
    let content = reading
        .machine
        .read(&path, LONGEST_FILE)
        .map_err(|_| "its file cannot be read, or is too long")?;
    if reading.machine.is_open_to_others(&path) {
        let message = "the file with this key can be read by others";
        let diagnostic = Diagnostic::warning(Class::Security, message)
            .help("chmod 600; the key is used all the same");
        reading.complain(statement, 2, diagnostic);
    }
    let end = content
        .iter()
        .rposition(|byte| !matches!(byte, b'\r' | b'\n'))
        .map_or(0, |last| last + 1);
    decode(content.get(..end).unwrap_or_default())
}

fn decode(text: &[u8]) -> Result<Secret, &'static str> {
    let length = "it has less than 32 or more than 64 bytes";
    match text.strip_prefix(b"hex:") {
        None => Secret::new(text).ok_or(length),
        Some(digits) => {
            let bytes = hex(digits).ok_or("behind hex: stands something else than digits")?;
            Secret::new(&bytes).ok_or(length)
        }
    }
}

/// Pairs of digits; a digit alone before a blank or the end is a byte too.
fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut bytes = Vec::new();
    for group in text.split(u8::is_ascii_whitespace) {
        for pair in group.chunks(2) {
            let mut byte = 0;
            for character in pair {
                byte = byte << 4 | digit(*character)?;
            }
            bytes.push(byte);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal() {
        for (text, expected) in [
            ("00ff", Some(vec![0, 255])),
            ("00 FF  1 2", Some(vec![0, 255, 1, 2])),
            ("abc", Some(vec![0xab, 0xc])),
            ("", Some(vec![])),
            ("0g", None),
            ("+1", None),
        ] {
            assert_eq!(hex(text.as_bytes()), expected, "{text}");
        }
    }
}
