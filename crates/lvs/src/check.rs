//! The checks: one small value for each, in a slab whose numbers stay the same while the settings have the check.

use std::collections::BTreeMap;

use types::Instant;

use crate::action::CheckId;
use crate::dialogue::{Trouble, TroubleKind};
use crate::misc::Run;
use crate::pace::Progress;

/// Where a check is in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its virtual server.
    pub(crate) service: u32,
    /// Its real server, within the virtual server.
    pub(crate) server: u32,
    /// Its place among the checks of the server.
    pub(crate) checker: u32,
}

/// What a check is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It waits for its next attempt.
    Waiting,
    /// An attempt is under way; a host tells how it ended.
    Trying,
    /// Its command runs.
    Running(Run),
    /// It is not made for now (`ha_suspend`).
    Suspended,
    /// It has no pace of its own: what it goes by is told when it changes (FILE_CHECK, BFD_CHECK).
    Told,
}

/// A check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    pub(crate) place: Place,
    pub(crate) progress: Progress,
    pub(crate) phase: Phase,
    /// When the next attempt begins, or would begin if the one under way were over.
    pub(crate) due: Instant,
    /// When the last attempt began; before the first one [`Instant::ZERO`].
    pub(crate) began: Instant,
    /// What it adds to the weight of its server.
    pub(crate) contribution: i64,
    /// How its command ended last.
    pub(crate) last_status: Option<i32>,
    /// The number of the last echo request.
    pub(crate) sequence: u16,
    /// The number of the last error of the operating system that it has met; 0: none.
    pub(crate) last_errno: u16,
    /// That it is overdue has been said.
    pub(crate) lateness_said: bool,
    /// Why it has no result has been said, and will not change by itself.
    pub(crate) obstacle_said: bool,
}

/// All checks.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    slots: Vec<Option<Check>>,
    free: Vec<u32>,
    /// How many were looked at: tests count them.
    #[cfg(test)]
    pub(crate) looks: std::cell::Cell<usize>,
    /// The number of the last error of TLS, by check and page. Few have one.
    tls_errors: BTreeMap<(CheckId, u16), i32>,
}

impl Checks {
    pub(crate) fn insert(&mut self, check: Check) -> CheckId {
        if let Some(index) = self.free.pop()
            && let Some(slot) = slot_mut(&mut self.slots, index)
        {
            *slot = Some(check);
            return CheckId(index);
        }
        // More checks than numbers would not fit into memory.
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Some(check));
        CheckId(index)
    }

    pub(crate) fn remove(&mut self, id: CheckId) -> Option<Check> {
        let check = slot_mut(&mut self.slots, id.0)?.take();
        if check.is_some() {
            self.free.push(id.0);
            while let Some((key, _)) = self.tls_errors.range((id, 0)..=(id, u16::MAX)).next() {
                let key = *key;
                self.tls_errors.remove(&key);
            }
        }
        check
    }

    /// The attempt of a check that has just ended met this; it is remembered by its number, until the next one.
    pub(crate) fn remember(&mut self, id: CheckId, trouble: &Trouble) {
        let Some(check) = slot_mut(&mut self.slots, id.0).and_then(Option::as_mut) else {
            return;
        };
        if trouble.number == 0 {
            return;
        }
        if trouble.kind == TroubleKind::Tls {
            let page = check.progress.url;
            self.tls_errors.insert((id, page), trouble.number);
        } else {
            // Linux has none above 4095.
            check.last_errno = u16::try_from(trouble.number).unwrap_or(0);
        }
    }

    /// The number of the last error of TLS that a page of a check has met.
    pub(crate) fn tls_error(&self, id: CheckId, page: u16) -> Option<i32> {
        self.tls_errors.get(&(id, page)).copied()
    }

    pub(crate) fn get(&self, id: CheckId) -> Option<&Check> {
        #[cfg(test)]
        self.looks.update(|looks| looks + 1);
        self.slots.get(usize::try_from(id.0).ok()?)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: CheckId) -> Option<&mut Check> {
        slot_mut(&mut self.slots, id.0)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (CheckId, &Check)> {
        (0..)
            .zip(&self.slots)
            .inspect(|_| {
                #[cfg(test)]
                self.looks.update(|looks| looks + 1);
            })
            .filter_map(|(index, slot)| Some((CheckId(index), slot.as_ref()?)))
    }
}

fn slot_mut(slots: &mut [Option<Check>], index: u32) -> Option<&mut Option<Check>> {
    slots.get_mut(usize::try_from(index).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_small_and_numbers_are_used_again() {
        let size = size_of::<Option<Check>>();
        assert!(size <= 112, "{size}");
        let check = check();
        let mut checks = Checks::default();
        let (first, second) = (checks.insert(check), checks.insert(check));
        assert_ne!(first, second);
        assert!(checks.remove(first).is_some());
        assert!(checks.remove(first).is_none() && checks.get(first).is_none());
        assert_eq!(checks.insert(check), first);
        assert_eq!(checks.iter().count(), 2);
        assert!(checks.get(CheckId(9)).is_none());
    }

    fn check() -> Check {
        Check {
            place: Place {
                service: 0,
                server: 0,
                checker: 0,
            },
            progress: Progress::new(true, 0),
            phase: Phase::Waiting,
            due: Instant::ZERO,
            began: Instant::ZERO,
            contribution: 0,
            last_status: None,
            sequence: 0,
            last_errno: 0,
            lateness_said: false,
            obstacle_said: false,
        }
    }

    #[test]
    fn errors_are_remembered_as_long_as_the_check_is_there() {
        let mut checks = Checks::default();
        let (one, other) = (checks.insert(check()), checks.insert(check()));
        let trouble = |kind, number| Trouble {
            kind,
            number,
            text: "".into(),
        };
        let seen = |checks: &Checks, id| {
            let check = checks.get(id).unwrap();
            (
                check.last_errno,
                [0, 1].map(|page| checks.tls_error(id, page)),
            )
        };
        checks.remember(one, &trouble(TroubleKind::Tls, 0));
        checks.remember(one, &trouble(TroubleKind::Refused, 0));
        assert_eq!(seen(&checks, one), (0, [None, None]));
        checks.remember(one, &trouble(TroubleKind::Refused, 111));
        checks.remember(one, &trouble(TroubleKind::Tls, 7));
        checks.get_mut(one).unwrap().progress.url = 1;
        checks.remember(one, &trouble(TroubleKind::Tls, 8));
        assert_eq!(seen(&checks, one), (111, [Some(7), Some(8)]));
        checks.remember(one, &trouble(TroubleKind::Other, 104));
        checks.remember(one, &trouble(TroubleKind::Tls, 0));
        assert_eq!(seen(&checks, one), (104, [Some(7), Some(8)]));
        checks.remember(other, &trouble(TroubleKind::Tls, 9));
        assert_eq!(seen(&checks, other), (0, [Some(9), None]));
        // Its number may be another check's later.
        checks.remove(one);
        checks.remember(one, &trouble(TroubleKind::Tls, 7));
        assert_eq!(checks.insert(check()), one);
        assert_eq!(seen(&checks, one), (0, [None, None]));
        assert_eq!(seen(&checks, other), (0, [Some(9), None]));
    }
}
