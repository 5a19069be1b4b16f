//! Sync groups whose members do not keep step.

use std::collections::BTreeMap;

use super::Lint;
use super::vrrp::Router;
use crate::diagnostics::Reporter;

/// Members with different advertisement intervals.
pub(super) const INTERVALS: Lint = Lint {
    name: "group_intervals_differ",
    what: "members of a sync group with different `advert_int`",
    why: "the whole group moves as soon as its fastest member misses adverts, though the others may still hear their \
          master",
    fix: "give all members of the group the same advert_int",
};

/// Compares each member with the first one of its group.
pub(super) fn check(routers: &[Router<'_>], report: &mut Reporter) {
    let mut firsts: BTreeMap<&str, &Router<'_>> = BTreeMap::new();
    for router in routers {
        let Some(group) = router.group else { continue };
        let first = *firsts.entry(&group.name).or_insert(router);
        let (own, theirs) = (router.settings.advert_int, first.settings.advert_int);
        if own == theirs {
            continue;
        }
        let seconds = |interval: types::Centiseconds| interval.as_duration().as_secs_f64();
        let message = format!(
            "sync group {}: instance {} has advert_int {}, instance {} has {}",
            group.name,
            router.name(),
            seconds(own),
            first.name(),
            seconds(theirs)
        );
        let place = |router: &Router<'_>| {
            let draft = router.draft;
            draft.advert_int.as_ref().map_or(draft.span, |at| at.span)
        };
        let what = format!("{} s here", seconds(theirs));
        let lint = INTERVALS.found(message).related(place(first), what);
        report.lint(place(router), lint);
    }
}

#[cfg(test)]
mod tests {
    use crate::lints::tests::{found, instance};

    fn group(first: &str, second: &str) -> String {
        format!(
            "vrrp_sync_group G {{\ngroup {{\nA\nB\n}}\n}}\n{}{}",
            instance("A", 1, first),
            instance("B", 2, second)
        )
    }

    #[test]
    fn members_out_of_step() {
        let lints = found(
            &group("advert_int 1", "advert_int 5"),
            "group_intervals_differ",
        );
        assert_eq!(lints.len(), 1);
        assert_eq!(
            lints[0].message,
            "sync group G: instance B has advert_int 5, instance A has 1"
        );
        assert_eq!(lints[0].source.trim(), "advert_int 5");
    }

    #[test]
    fn the_same_interval_or_no_group() {
        assert!(found(&group("advert_int 1", ""), "group_intervals_differ").is_empty());
        let apart = format!(
            "{}{}",
            instance("A", 1, "advert_int 1"),
            instance("B", 2, "advert_int 5")
        );
        assert!(found(&apart, "group_intervals_differ").is_empty());
    }
}
