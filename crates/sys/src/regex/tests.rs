use proptest::prelude::*;

use super::*;

fn options(names: &[&str]) -> Options {
    Options::named(names.iter().copied()).unwrap()
}

fn search(pattern: &str, names: &[&str], from: u64, to: Option<u64>) -> Search {
    Pattern::compile(pattern.as_bytes(), options(names), None)
        .unwrap()
        .search(from, to)
}

/// Whether a stream matches that comes in pieces of this size.
fn matches(mut search: Search, stream: &[u8], piece: usize) -> Result<bool, MatchError> {
    for piece in stream.chunks(piece) {
        search.feed(piece);
    }
    search.finish()
}

#[track_caller]
fn judge(pattern: &str, names: &[&str], stream: &[u8], wanted: bool) {
    for piece in [1, 7, 4096, usize::MAX] {
        let search = search(pattern, names, 0, None);
        assert_eq!(
            matches(search, stream, piece),
            Ok(wanted),
            "{pattern} {names:?}, pieces of {piece}"
        );
    }
}

#[test]
fn what_matches() {
    for (pattern, names, stream, wanted) in [
        ("wor", &[][..], "hello world", true),
        ("WOR", &[], "hello world", false),
        ("WOR", &["caseless"], "hello world", true),
        // keepalived never sees the end.
        ("world$", &[], "hello world", true),
        ("world$", &[], "hello world\n", true),
        ("world$", &["dollar_endonly"], "hello world\n", false),
        ("wor.*", &[], "hello world", true),
        (r"world\b", &[], "hello world", true),
        ("^world", &[], "hello\nworld", false),
        ("^world", &["multiline"], "hello\nworld", true),
        ("hello.world", &[], "hello\nworld", false),
        ("hello.world", &["dotall"], "hello\nworld", true),
        ("w o r", &["extended"], "hello world", true),
        ("world", &["firstline"], "hello\nworld", false),
        ("^$", &[], "", true),
        ("x", &[], "", false),
        ("(?<=hello )world", &[], "hello world", true),
        (r"hello \Kworld", &[], "hello world", true),
        ("^.$", &["utf"], "\u{e9}", true),
        ("^.$", &[], "\u{e9}", false),
        ("(*UTF)^.$", &[], "\u{e9}", true),
        (r"^\w$", &["utf", "ucp"], "\u{e9}", true),
        ("(a)(b)(c)(d)(e)", &[], "abcde", true),
        ("(a)(b)(c)(d)(e)", &["auto_callout"], "abcde", true),
        ("ab", &["use_offset_limit"], "aab", true),
    ] {
        judge(pattern, names, stream.as_bytes(), wanted);
    }
}

#[test]
fn all_options() {
    for (name, _) in OPTIONS {
        assert!(options(&[name]).0.is_power_of_two(), "{name}");
        let compiled = Pattern::compile(b"a", options(&[name]), None);
        assert!(compiled.is_ok(), "{name}: {compiled:?}");
    }
    let bits = OPTIONS.iter().fold(0, |bits, (_, bit)| bits | bit);
    assert_eq!(bits.count_ones(), 24);
    assert_eq!(Options::named(["utf", "UTF"]), None);
}

#[test]
fn what_is_no_pattern() {
    for (pattern, names, offset, text) in [
        ("a(b", &[][..], 3, "missing closing parenthesis"),
        ("*", &[], 0, "quantifier does not follow a repeatable item"),
        ("[a", &[], 2, "missing terminating ] for character class"),
        (
            "(*UTF)a",
            &["never_utf"],
            6,
            "using UTF is disabled by the application",
        ),
    ] {
        let error = Pattern::compile(pattern.as_bytes(), options(names), None).unwrap_err();
        assert_eq!(
            (error.offset, error.text.as_str()),
            (offset, text),
            "{pattern}"
        );
    }
}

#[test]
fn where_a_match_begins() {
    let stream = [&b"ab"[..], &[b'.'; 40_000], b"ab"].concat();
    for (from, to, wanted) in [
        (0, None, true),
        (0, Some(0), true),
        (1, None, true),
        (1, Some(40_001), false),
        (1, Some(40_002), true),
        (40_002, Some(40_002), true),
        (40_003, None, false),
        (40_004, None, false),
        (40_005, None, false),
        (u64::MAX, None, false),
    ] {
        for piece in [1000, usize::MAX] {
            let search = search("ab", &[], from, to);
            assert_eq!(
                matches(search, &stream, piece),
                Ok(wanted),
                "from {from} to {to:?}"
            );
        }
    }
}

#[test]
fn over_the_edge_of_a_window() {
    for position in WINDOW - 8..WINDOW + 12 {
        let mut stream = vec![b'.'; WINDOW * 3];
        stream[position..position + 6].copy_from_slice(b"needle");
        judge("needle", &[], &stream, true);
        judge(
            r"(?<=\.\.\.\.\.\.\.\.)needle(?=\.)",
            &["utf"],
            &stream,
            true,
        );
        judge("^needle", &["multiline"], &stream, false);
        judge(r"\Aneedle", &[], &stream, false);
        stream[position - 1] = b'\n';
        judge("^needle", &["multiline"], &stream, true);
        judge("needle", &["firstline"], &stream, false);
    }
}

#[test]
fn characters_over_the_edge() {
    let mut stream = "\u{20ac}".repeat(WINDOW).into_bytes();
    stream.extend_from_slice(b"needle");
    judge("\u{20ac}needle$", &["utf"], &stream, true);
    judge("^\u{20ac}*needle$", &["utf"], b"needle", true);
    // What is no UTF-8 does not match, and is in nobody's way.
    let broken = [&[0x80; WINDOW * 2][..], b"needle"].concat();
    judge("needle$", &["utf"], &broken, true);
    judge("^needle$", &["utf"], &broken, false);
    judge("(?s)needle.", &["utf"], b"needle\xff", false);
}

/// What is behind the end plays no part.
#[test]
fn nothing_behind_the_end_is_looked_at() {
    for names in [&["utf"][..], &[]] {
        for pattern in ["\\b$", "\\B$", "$", "\\b", "a$", "[^b]$", "\\X$", ".$"] {
            let search = search(pattern, names, 0, None);
            for end in [&b"\xc3"[..], b"\xe2\x82", b"\xf0\x9f\x98", b"\xff", b"a"] {
                let found = |behind: u8, options| {
                    let text = [b"aaa", end, &[behind; 4]].concat();
                    let subject = &text[..text.len() - 4];
                    match search.pattern.0.find(subject, (0, 100), options).unwrap() {
                        Found::Nothing => (0, 0),
                        Found::Match(start) => (1, start),
                        Found::Partial(start) => (2, start),
                    }
                };
                for options in [0, pcre2::PCRE2_PARTIAL_HARD] {
                    let first = found(0, options);
                    for behind in 1..=255 {
                        assert_eq!(found(behind, options), first, "{pattern} {end:?} {behind}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_match_longer_than_what_is_kept() {
    let mut stream = vec![b'.'; WINDOW * 3];
    stream[..6].copy_from_slice(b"needle");
    let long = search("needle.*x", &[], 0, None);
    assert_eq!(matches(long, &stream, 100), Err(MatchError::TooLong));
    // Memory stays what it is.
    let mut long = search("needle.*x", &[], 0, None);
    for _ in 0..1000 {
        long.feed(&stream);
        assert!(long.buffer.capacity() <= 4 * WINDOW);
    }
    // What comes later counts all the same.
    stream.extend_from_slice(b"needlex");
    judge("needle.*x", &[], &stream, true);
    // Within one window there is no limit.
    judge(
        "(?s)a.*z$",
        &[],
        &[b"a", &[b'.'; 10_000][..], b"z"].concat(),
        true,
    );
}

#[test]
fn a_pattern_that_takes_for_ever_ends() {
    let stream = [&[b'a'; 4000][..], b"!"].concat();
    for names in [&["no_start_optimize", "no_auto_possess"][..], &[]] {
        for pattern in ["(a+)+$", "(*NO_JIT)(a+)+$"] {
            let result = matches(search(pattern, names, 0, None), &stream, 1000);
            assert!(
                matches!(&result, Err(MatchError::GaveUp(why)) if why.contains("limit")),
                "{pattern}: {result:?}"
            );
        }
    }
}

/// What PCRE2 would take seconds or minutes for, because it counts anew from each beginning.
#[test]
fn no_page_takes_for_ever() {
    let begin = clock::thread_time();
    for (pattern, unit) in [
        ("(a+)+c", "aaaaaaaaaaaaaaaaaaaab"),
        ("(*NO_JIT)(a+)+c", "aaaaaaaaaaaaaaab"),
        ("(a+)+c", "aaaaaaaaaaaaaaaaaaaaab"),
        ("(a|aa)+c", "aaaaaaaaaaaaaaaaaaaaaaaaab"),
        (r"(\w+\s?)+!", "the quick brown fox and more< "),
    ] {
        for names in [&[][..], &["utf"]] {
            let page = unit.repeat(1_000_000 / unit.len());
            let result = matches(search(pattern, names, 0, None), page.as_bytes(), 16384);
            assert!(
                matches!(result, Err(MatchError::GaveUp(_) | MatchError::TooSlow)),
                "{pattern} {names:?}: {result:?}"
            );
        }
    }
    // The processor's time: how busy the machine is does not matter.
    let taken = clock::thread_time() - begin;
    assert!(taken < Duration::from_secs(30), "{taken:?}");
}

/// What is long and might be a match does not hide one that is there.
#[test]
fn behind_a_match_that_is_too_long_another_is_found() {
    let page = ["<div>", &"x".repeat(5000), "ERROR", &"y".repeat(40_000)].concat();
    let pattern = "(?s)<div.*</html>|ERROR";
    assert_eq!(
        matches(search(pattern, &[], 0, None), page.as_bytes(), 1000),
        Ok(true)
    );
    let without = page.replace("ERROR", "error");
    assert_eq!(
        matches(search(pattern, &[], 0, None), without.as_bytes(), 1000),
        Err(MatchError::TooLong)
    );
}

#[test]
fn a_stream_that_takes_for_ever_ends() {
    // No beginning takes too many steps, but there are many of them.
    let slow = [&[b'a'; 11][..], b"\n"].concat().repeat(WINDOW);
    let names = &["no_start_optimize", "no_auto_possess"];
    for pattern in ["(a+)+$x", "(*NO_JIT)(a+)+$x"] {
        let mut search = search(pattern, names, 0, None);
        for _window in 0..100_000 {
            search.feed(&slow[..WINDOW]);
            if search.outcome.is_some() {
                break;
            }
        }
        assert_eq!(search.finish(), Err(MatchError::TooSlow), "{pattern}");
        assert!(search.spent < 20 * PATIENCE, "{:?}", search.spent);
    }
}

#[test]
fn a_stack_changes_nothing() {
    for stack in [
        (0, 0),
        (1, 1),
        (32 << 10, 1 << 20),
        (usize::MAX, usize::MAX),
    ] {
        let pattern = Pattern::compile(b"((a|b)+)$", Options::default(), Some(stack)).unwrap();
        let stream = b"ab".repeat(3000);
        assert_eq!(matches(pattern.search(0, None), &stream, 4096), Ok(true));
    }
}

#[test]
fn nothing_is_known_after_the_end() {
    let mut search = search("a", &[], 0, None);
    search.feed(b"a");
    assert_eq!(search.finish(), Ok(true));
    search.feed(b"b");
    assert_eq!(search.finish(), Ok(true));
}

proptest! {
    /// However a stream is cut, the result is the same: that of the whole, as long as it fits into a window.
    #[test]
    fn any_pieces(
        pattern in "(\\^|)(a|b|\\.|a\\*|\\[ab\\]|\\(a\\|bb\\)|\\\\b){1,6}(\\$|)",
        stream in proptest::collection::vec(prop::sample::select(b"aab\n\xc3\xa9".to_vec()), 0..200),
        padding in 0..WINDOW * 2,
        piece in 1..300_usize,
        utf in any::<bool>(),
    ) {
        let names: &[&str] = if utf { &["utf"] } else { &[] };
        let whole = matches(search(&pattern, names, 0, None), &stream, usize::MAX);
        prop_assert_eq!(matches(search(&pattern, names, 0, None), &stream, piece), whole);
        // In lines, for what is quadratic in them may take too long.
        let long = [&b"aabba\n".repeat(padding / 6)[..], &stream].concat();
        let whole = matches(search(&pattern, names, 0, None), &long, usize::MAX);
        prop_assert_eq!(matches(search(&pattern, names, 0, None), &long, piece), whole);
    }

    /// No bytes, as a pattern or as a stream, do harm.
    #[test]
    fn any_bytes(
        pattern in proptest::collection::vec(any::<u8>(), 0..20),
        stream in proptest::collection::vec(any::<u8>(), 0..300),
        utf in any::<bool>(),
    ) {
        let options = options(if utf { &["utf"] } else { &[] });
        if let Ok(pattern) = Pattern::compile(&pattern, options, None) {
            let once = matches(pattern.search(0, None), &stream, usize::MAX);
            prop_assert_eq!(matches(pattern.search(0, None), &stream, 3), once);
        }
    }
}
