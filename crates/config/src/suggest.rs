//! "Did you mean": the known name that is nearest to a mistyped one.

use crate::keywords::all_names;

/// Words longer than this are no typing errors of a keyword.
const LONGEST: usize = 40;

/// The keyword, of any block, that a mistyped word probably means; `None`: it resembles none.
pub fn similar_keyword(word: &str) -> Option<&'static str> {
    nearest(word, all_names())
}

/// The candidate within a third of the word's length, the nearest one, the first of equals.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    if word.len() > LONGEST || word.len() < 2 {
        return None;
    }
    let most = (word.len() / 3).clamp(1, 4);
    candidates
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= most)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that make one of the other (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.to_lowercase().chars().collect();
    let to: Vec<char> = to.to_lowercase().chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut line = Vec::with_capacity(above.len());
        line.push(row + 1);
        for (column, b) in to.iter().enumerate() {
            let at =
                |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut best = at(&above, column) + usize::from(a != b);
            best = best
                .min(at(&above, column + 1) + 1)
                .min(at(&line, column) + 1);
            let swapped = row > 0
                && column > 0
                && from.get(row - 1) == Some(b)
                && to.get(column - 1) == Some(a);
            if swapped {
                best = best.min(at(&before, column - 1) + 1);
            }
            line.push(best);
        }
        before = std::mem::replace(&mut above, line);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("same", "same", 0),
            ("", "abc", 3),
            ("inteface", "interface", 1),
            ("weigth", "weight", 1),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn keywords_of_any_block_are_found() {
        assert_eq!(similar_keyword("prority"), Some("priority"));
        assert_eq!(
            similar_keyword("lvs_sync_daemon_inteface"),
            Some("lvs_sync_daemon_interface")
        );
        assert_eq!(similar_keyword("inculde"), Some("include"));
        assert_eq!(similar_keyword("~SQE"), Some("~SEQ"));
        assert_eq!(similar_keyword("bananas"), None);
    }

    #[test]
    fn the_nearest_wins_and_strangers_do_not() {
        let names = ["priority", "preempt", "nopreempt", "preempt_delay"];
        assert_eq!(nearest("nopremptt", names.into_iter()), Some("nopreempt"));
        assert_eq!(nearest("prioritiy", names.into_iter()), Some("priority"));
        assert_eq!(nearest("bananas", names.into_iter()), None);
        assert_eq!(nearest("x", names.into_iter()), None);
    }
}
