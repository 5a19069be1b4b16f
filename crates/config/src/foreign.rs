//! Signs that a text comes from elsewhere: marks of editors and web pages, habits of other languages.
//!
//! They explain a mistake that was found by other means; by themselves they are none, for a password may hold anything.

/// What a word in the place of a keyword says about where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sign {
    /// What to do about it.
    pub(crate) help: &'static str,
    /// Where there is one there are more, and the first says it all.
    pub(crate) spreads: bool,
}

/// What a word that should be a keyword is a sign of; `None`: it is only an unknown word.
pub(crate) fn sign_of_keyword(word: &str) -> Option<Sign> {
    let sign = |help, spreads| Some(Sign { help, spreads });
    if let Some(help) = characters(word) {
        return sign(help, false);
    }
    if ["<<<<<<<", "|||||||", "=======", ">>>>>>>"]
        .iter()
        .any(|mark| word.starts_with(mark))
    {
        return sign(
            "a merge was not finished: keep one side, and remove the lines of '<', '=' and '>'",
            true,
        );
    }
    if word.starts_with('<') {
        return sign(
            "this is HTML: save the configuration as plain text, without the page around it",
            true,
        );
    }
    if word.starts_with("//") || word.starts_with("/*") || word.starts_with("--") {
        return sign("a comment begins with '#' or '!'", false);
    }
    if matches!(word, "-" | "*" | "+" | "•" | "–" | "—") {
        return sign("remove this mark: the line begins with its keyword", false);
    }
    None
}

/// What a value that is not what it should be is a sign of.
pub(crate) fn sign_of_value(word: &str) -> Option<&'static str> {
    if let Some(help) = characters(word) {
        return Some(help);
    }
    if matches!(word, "-" | "*" | "+" | "•" | "–" | "—") {
        return Some("remove this mark: a list has one entry per line, and nothing in front of it");
    }
    if matches!(word, "=" | ":" | ":=" | "=>") {
        return Some("only a blank stands between a keyword and its value");
    }
    if word.ends_with(';') {
        return Some("remove the ';': the end of the line ends a statement");
    }
    if word.ends_with(',') {
        return Some("remove the ',': each entry of a list has a line of its own");
    }
    if word.contains("~SEQ") || word.contains("~LST") {
        return Some(
            "~SEQ and ~LST stand at the start of a line: ~SEQ(NAME, FIRST, STEP, LAST) TEXT with $NAME",
        );
    }
    let placeholder = [("<", ">"), ("[", "]"), ("{{", "}}"), ("%", "%")];
    let is_placeholder = placeholder.iter().any(|(open, close)| {
        word.strip_prefix(open)
            .is_some_and(|inner| inner.contains(close))
    });
    is_placeholder.then_some("this looks like a placeholder: put the real value here")
}

/// A word without what other languages put behind a name, and that; `None`: nothing of the kind.
///
/// `advert_int=1`, `advert_int:` and `nopreempt;` begin with a keyword.
pub(crate) fn name_in(word: &str) -> Option<(&str, char)> {
    let at = word.find(['=', ':', ';', ','])?;
    let name = word.get(..at)?;
    let mark = word.get(at..)?.chars().next()?;
    (!name.is_empty()).then_some((name, mark))
}

/// Characters that look like others, or like nothing.
fn characters(word: &str) -> Option<&'static str> {
    word.chars().find_map(|character| match character {
        '\u{feff}' => Some("a byte order mark stands here, which some editors add unseen: save the file as UTF-8 without it"),
        '“' | '”' | '„' | '‟' | '«' | '»' | '″' | '＂' => {
            Some("this is a typographic quote: write \" instead")
        }
        '‘' | '’' | '‚' | '‛' => Some("this is a typographic quote: write ' or \" instead"),
        '\u{a0}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{205f}' | '\u{2060}' | '\u{3000}' => {
            Some("a blank of another kind (as web pages have them) stands here: replace it with an ordinary one")
        }
        '｛' | '｝' | '：' | '；' | '，' | '＝' => {
            Some("this is a full-width character: write the ordinary one")
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_are_no_sign() {
        for word in ["priority", "bananas", "2001:db8::1", "a-b", "http", "é", ""] {
            assert_eq!(sign_of_keyword(word), None, "{word}");
            assert_eq!(sign_of_value(word), None, "{word}");
        }
    }

    #[test]
    fn marks_of_merges_and_pages_spread() {
        for word in ["<<<<<<<", "=======", ">>>>>>>", "<html>", "</pre>"] {
            assert!(sign_of_keyword(word).unwrap().spreads, "{word}");
        }
        assert!(!sign_of_keyword("\u{feff}global_defs").unwrap().spreads);
    }

    #[test]
    fn names_are_found_in_front_of_marks() {
        assert_eq!(name_in("advert_int=1"), Some(("advert_int", '=')));
        assert_eq!(name_in("advert_int:"), Some(("advert_int", ':')));
        assert_eq!(name_in("=1"), None);
        assert_eq!(name_in("advert_int"), None);
    }
}
