//! What a child leaves to whoever comes after it: it tells its parent while it lives, the parent keeps it, and hands it over.

use std::collections::{BTreeMap, BTreeSet};

use lvs::GivenMark;
use serde::{Deserialize, Serialize};

/// What a child leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Legacy {
    /// Of the instances that a VRRP process is master of, or of the real servers that checkers know to be down.
    pub names: BTreeSet<String>,
    /// Settings of the kernel that it changed and did not put back, and what they were before.
    pub overridden: BTreeMap<String, i64>,
    /// Marks that it and those before it have given to groups: the services that it leaves go by them.
    pub marks: BTreeSet<GivenMark>,
    /// What IPVS holds may still have to be removed once (`lvs_flush`): nobody has come to it yet.
    pub flush_is_due: bool,
    /// BFD sessions that are up.
    pub sessions: BTreeMap<String, bfd::Record>,
}

impl Legacy {
    /// Some came, and some went.
    pub(crate) fn note_names(&mut self, gained: Vec<String>, lost: &[String]) {
        self.names.extend(gained);
        for name in lost {
            self.names.remove(name);
        }
    }

    /// These are overridden, or put back.
    pub(crate) fn note_overridden(&mut self, news: Vec<(String, Option<i64>)>) {
        note(&mut self.overridden, news);
    }

    /// These sessions have changed, or are down or gone.
    pub(crate) fn note_sessions(&mut self, news: Vec<(String, Option<bfd::Record>)>) {
        note(&mut self.sessions, news);
    }
}

fn note<Value>(known: &mut BTreeMap<String, Value>, news: Vec<(String, Option<Value>)>) {
    for (name, value) in news {
        match value {
            Some(value) => known.insert(name, value),
            None => known.remove(&name),
        };
    }
}
