use super::*;

fn stripped(line: &str) -> String {
    strip(line).text
}

fn plain(text: &str) -> Vec<String> {
    split_plain(text)
        .unwrap()
        .into_iter()
        .map(|w| w.text)
        .collect()
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
        strip("   x"),
        Stripped {
            text: "x".into(),
            start: 3,
            shifted: false,
            open_quote: false
        }
    );
    assert!(strip(r"a\#b").shifted);
    assert!(strip("a \"b").open_quote);
}

#[test]
fn plain_words() {
    for (text, expected) in [
        ("a b\tc\x0cd\x0be\rf", vec!["a", "b", "c", "d", "e", "f"]),
        ("a\"b c\"d", vec!["a", "b c", "d"]),
        ("\"\" x", vec!["", "x"]),
        ("'a b'", vec!["'a", "b'"]),
        (r#"a\ b "c\"d"#, vec![r"a\", "b", r"c\", "d"]),
    ] {
        assert_eq!(plain(text), expected, "{text:?}");
    }
    let words = split_plain("ab  \"c d\"").unwrap();
    assert_eq!((words[1].start, words[1].end), (4, 9));
}

#[test]
fn plain_words_end_at_an_open_quote() {
    let before: Vec<_> = split_plain("a b \"c d")
        .unwrap_err()
        .into_iter()
        .map(|w| w.text)
        .collect();
    assert_eq!(before, ["a", "b"]);
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
    assert_eq!(find_brace("a b{c", 0), Some(3));
    assert_eq!(find_brace(r#"a "{" }"#, 0), Some(6));
    assert_eq!(
        find_brace("a '{'", 0),
        Some(3),
        "single quotes do not protect"
    );
    assert_eq!(find_brace(r#""\"{" x"#, 0), None);
    assert_eq!(find_brace("{a}", 1), Some(2));
}
