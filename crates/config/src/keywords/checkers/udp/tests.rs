use lvs::settings::checkers::{Checker, CheckerKind, Reply};

use super::super::tests::{GENERAL, LOGGED, MISSING, NUMBER, table};
use super::*;

fn check(checker: &Checker) -> String {
    let CheckerKind::Udp(check) = &checker.kind else {
        panic!("{checker:?}");
    };
    let reply = match &check.reply {
        Reply::NotNeeded => "none".into(),
        Reply::Any => "any".into(),
        Reply::Matching(pattern) => format!(
            "{:02x?}&{:02x?} {}..{}",
            pattern.bytes, pattern.mask, pattern.min_length, pattern.max_length
        ),
    };
    match &check.payload {
        Some(payload) => format!("{payload:02x?} {reply}"),
        None => reply,
    }
}

#[test]
fn payload_and_reply() {
    table(
        "UDP_CHECK {\n...\n}",
        check,
        &[
            ("", "none", &[]),
            ("payload 00 11 fF", "[00, 11, ff] none", &[]),
            ("payload 0011ff", "[00, 11, ff] none", &[]),
            ("payload \"00 1 2ff\"", "[00, 01, 2f, 0f] none", &[]),
            ("payload 00\npayload 11", "[11] none", &[]),
            ("payload 00\npayload zz", "[00] none", GENERAL),
            ("payload 0x", "none", GENERAL),
            ("payload \"\"", "none", GENERAL),
            ("payload", "none", GENERAL),
            ("require_reply", "any", &[]),
            (
                "require_reply 00 1x X1 xx",
                "[00, 10, 01, 00]&[ff, f0, 0f, 00] 0..255",
                &[],
            ),
            ("require_reply 1 x", "[01, 00]&[ff, f0] 0..255", &[]),
            ("require_reply zz", "any", GENERAL),
        ],
    );
}

#[test]
fn lengths() {
    table(
        "UDP_CHECK {\nrequire_reply 00\n...\n}",
        check,
        &[
            ("min_reply_length 5", "[00]&[ff] 5..255", &[]),
            ("max_reply_length 65535", "[00]&[ff] 0..65535", &[]),
            ("min_reply_length 65536", "[00]&[ff] 0..255", NUMBER),
            ("min_reply_length 5x", "[00]&[ff] 0..255", NUMBER),
            ("max_reply_length -1", "[00]&[ff] 0..255", NUMBER),
            ("min_reply_length 300", "[00]&[ff] 300..255", GENERAL),
            (
                "max_reply_length 9\nmin_reply_length 10",
                "[00]&[ff] 10..9",
                GENERAL,
            ),
            ("min_reply_length", "fatal", MISSING),
            ("max_reply_length", "fatal", MISSING),
        ],
    );
    table(
        "UDP_CHECK {\n...\n}",
        check,
        &[
            ("min_reply_length 5", "none", LOGGED),
            ("min_reply_length 300", "none", GENERAL),
            ("require_reply\nmax_reply_length 5", "any", LOGGED),
        ],
    );
}

#[test]
fn hexadecimal() {
    let bytes = |text: &str, wildcards| hex(text.split(','), wildcards).map(|reply| reply.bytes);
    assert_eq!(bytes("ab,cd", Wildcards::No), Some(vec![0xab, 0xcd]));
    assert_eq!(bytes("a bc d", Wildcards::No), Some(vec![0x0a, 0xbc, 0x0d]));
    assert_eq!(bytes("\u{e9}\u{e9}", Wildcards::Yes), None);
    assert_eq!(bytes(" ", Wildcards::Yes), None);
}
