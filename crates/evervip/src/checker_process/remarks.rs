//! What was said of a page besides the verdict: the same is said once, not at every attempt.

use std::collections::BTreeMap;

use lvs::CheckId;
use lvs::dialogue::http::Note;

/// What was said last, of each page that there was something to say of.
#[derive(Default)]
pub(super) struct Remarks(BTreeMap<(CheckId, usize), Box<[Note]>>);

impl Remarks {
    /// An attempt has ended: what is to be said of the page now, and was not said of it the last time.
    pub(super) fn news<'a>(&mut self, check: CheckId, url: usize, notes: &'a [Note]) -> &'a [Note] {
        let page = (check, url);
        if notes.is_empty() {
            self.0.remove(&page);
            return notes;
        }
        if self.0.get(&page).is_some_and(|known| **known == *notes) {
            return &[];
        }
        self.0.insert(page, notes.into());
        notes
    }

    /// The check is gone, or another one.
    pub(super) fn forget(&mut self, check: CheckId) {
        let pages: Vec<_> = self
            .0
            .range((check, 0)..=(check, usize::MAX))
            .map(|(page, _)| *page)
            .collect();
        for page in pages {
            self.0.remove(&page);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_has_its_own() {
        let short = [Note::Length {
            announced: 10,
            received: 5,
        }];
        let long = [Note::Length {
            announced: 10,
            received: 20,
        }];
        let (check, other) = (CheckId(1), CheckId(2));
        let mut remarks = Remarks::default();
        let mut said = |check, url, notes: &[Note], wanted: &[Note]| {
            assert_eq!(remarks.news(check, url, notes), wanted, "{check:?} {url}");
        };
        for (first, _pass) in [(true, 0), (false, 1), (false, 2)] {
            said(check, 0, &short, if first { &short } else { &[] });
            // A good page, and one that is wrong in another way.
            said(check, 1, &[], &[]);
            said(check, 2, &long, if first { &long } else { &[] });
        }
        said(check, 0, &long, &long);
        said(check, 0, &[], &[]);
        said(check, 0, &long, &long);
        said(other, 0, &short, &short);
        remarks.forget(check);
        // A check with the same number is another one.
        assert_eq!(remarks.news(check, 2, &long), long);
        assert_eq!(remarks.news(other, 0, &short), []);
    }
}
