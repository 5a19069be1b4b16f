use super::*;

fn stripped(line: &str) -> String {
    strip(line).text(line).to_owned()
}

/// The words, and whether all quotes are closed.
fn split(text: &str) -> (Vec<&str>, bool) {
    let mut words = Vec::new();
    let closed = split_plain(text, |start, end| words.push(&text[start..end])).is_ok();
    (words, closed)
}

fn shell(text: &str, escapes: Escapes) -> Vec<String> {
    split_shell(text, escapes)
        .unwrap()
        .into_iter()
        .map(|w| w.text)
        .collect()
}

#[test]
fn comments_begin_anywhere_but_between_double_quotes() {
    for (line, expected) in [
        ("  priority 100 # high", "priority 100"),
        ("router_id a#b", "router_id a"),
        ("! all of it", ""),
        ("\t # and this", ""),
        (r#"script "a # b ! c" # d"#, r#"script "a # b ! c""#),
        ("script 'a # b'", "script 'a"),
        (r"router_id a\#b\!c", "router_id a#b!c"),
        (r"router_id a\nb", r"router_id a\nb"),
        (r#"script "a \" # b" c"#, r#"script "a \" # b" c"#),
        ("word   \\", "word\\"),
    ] {
        assert_eq!(stripped(line), expected, "{line:?}");
    }
}

#[test]
fn strip_says_what_it_did() {
    assert_eq!(
        strip("   x # y"),
        Stripped {
            start: 3,
            end: 4,
            rewritten: None,
            open_quote: false
        }
    );
    assert_eq!(strip(r" a\#b").rewritten.as_deref(), Some("a#b"));
    assert_eq!(strip(r"ä\").rewritten, None);
    assert!(strip("a \"b").open_quote);
}

#[test]
fn plain_words() {
    for (text, expected) in [
        ("a b\tc\x0cd\x0be\rf", vec!["a", "b", "c", "d", "e", "f"]),
        ("a\"b c\"d", vec!["a", "\"b c\"", "d"]),
        ("\"\" x", vec!["\"\"", "x"]),
        ("'a ä'", vec!["'a", "ä'"]),
        (r#"a\ b "c\"d"#, vec![r"a\", "b", r#""c\""#, "d"]),
        ("", vec![]),
    ] {
        assert_eq!(split(text), (expected, true), "{text:?}");
    }
}

#[test]
fn plain_words_end_at_an_open_quote() {
    assert_eq!(split("a b \"c d"), (vec!["a", "b"], false));
}

#[test]
fn shell_words() {
    for (text, escapes, expected) in [
        (
            r#"n "/bin/x a 'b c'" user"#,
            Escapes::Keep,
            vec!["n", "/bin/x a 'b c'", "user"],
        ),
        (
            r#"/bin/x a 'b c' d"e f"g"#,
            Escapes::Resolve,
            vec!["/bin/x", "a", "b c", "de fg"],
        ),
        (r#"n "a \"b\" c""#, Escapes::Keep, vec!["n", r#"a \"b\" c"#]),
        (
            r"a\ b \x41\101\tZ \cA \q",
            Escapes::Resolve,
            vec!["a b", "AA\tZ", "\u{1}", "q"],
        ),
        ("'' x", Escapes::Resolve, vec!["", "x"]),
        (r"\", Escapes::Resolve, vec!["\\"]),
    ] {
        assert_eq!(shell(text, escapes), expected, "{text:?}");
    }
    assert_eq!(split_shell("a 'b", Escapes::Keep), Err(OpenQuote));
    assert_eq!(
        crate::bytes::encode(&shell(r"\xff\377", Escapes::Resolve)[0]),
        [0xff, 0xff]
    );
}

#[test]
fn braces_between_double_quotes_are_text() {
    for (text, from, at, reference) in [
        ("a b{c", 0, 3, false),
        (r#"a "{" }"#, 0, 6, false),
        // Single quotes do not protect.
        ("a '{'", 0, 3, false),
        (r#""\"{" x"#, 0, 7, false),
        ("{a}", 1, 2, false),
        ("a ${B} }", 0, 7, true),
        ("a ${B 1 -x} }", 0, 12, true),
        ("a ${ B}", 0, 3, false),
        ("a ${B {", 0, 3, false),
        ("a \"${B}\"", 0, 8, false),
    ] {
        assert_eq!(find_brace(text, from), Ending { at, reference }, "{text}");
    }
}
