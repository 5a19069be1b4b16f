//! Has packets marked for the IPVS services of groups (`nftables_ipvs`): what should be marked and what is are values.

use std::collections::BTreeSet;
use std::time::Duration;

use log::{debug, error, info, warn};
use sys::nftables::{Firewall, MarkTable};
use types::Instant;
use types::marks::{MarkClaim, Marks};

use crate::child::looks::{Looks, Word};

/// Until it is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// The tables that mark packets.
#[derive(Default)]
pub(super) struct Marker {
    firewall: Option<Firewall>,
    /// What the settings want; `None`: no tables.
    table: Option<MarkTable>,
    wanted: Marks,
    /// The tables that we made, and what they hold; `None`: that is not known.
    made: Option<(MarkTable, Option<Marks>)>,
    /// Names of tables that we made and that have to go.
    stale: BTreeSet<String>,
    retry_at: Option<Instant>,
    looks: Looks,
    complaint: Option<String>,
}

impl Marker {
    /// First settings or new ones. Entries that stay go on without a gap, also those of tables that are made anew.
    pub(super) fn settings_change(&mut self, now: Instant, table: Option<MarkTable>) {
        if self.table != table {
            self.table = table;
            self.turn(now);
        }
    }

    /// These packets are to be marked from now on, and no others.
    pub(super) fn mark(&mut self, now: Instant, claims: Vec<MarkClaim>) {
        self.wanted = Marks::of(claims);
        self.turn(now);
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.retry_at
            .into_iter()
            .chain(self.looks.next_wake())
            .min()
    }

    /// Tries again what did not work, and looks at what did, if it is time.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.looks.begin(now) {
            self.look(now);
        }
        if self.retry_at.is_some_and(|at| at <= now) {
            self.turn(now);
        }
    }

    /// Whether the tables hold what they should. If not, they are made anew.
    fn look(&mut self, now: Instant) {
        let (Some((table, holds)), Some(firewall)) = (&mut self.made, &mut self.firewall) else {
            return;
        };
        let Some(marks) = holds else {
            return;
        };
        match firewall.holds_marks(table, marks) {
            Ok(true) => self.looks.was_right(),
            Ok(false) => {
                let name = &table.name;
                match self.looks.was_wrong(now) {
                    Word::Changed => warn!(
                        "nftables_ipvs: what was in the tables {name} was changed by somebody else: they are made anew"
                    ),
                    Word::ChangedAgain(every) => warn!(
                        "nftables_ipvs: what was in the tables {name} was changed again: they are made anew, and looked at every \
                         {} min from now on; find out who changes them",
                        every.as_secs() / 60
                    ),
                    Word::Enough => debug!("nftables_ipvs: the tables {name} are made anew"),
                }
                *holds = None;
                self.turn(now);
            }
            Err(problem) => {
                warn!("nftables_ipvs: {problem}: making the tables anew");
                *holds = None;
                self.firewall = None;
                self.turn(now);
            }
        }
    }

    fn turn(&mut self, now: Instant) {
        self.retry_at = match self.adjust() {
            Ok(()) => {
                if self.complaint.take().is_some() {
                    info!("nftables_ipvs: packets are marked now");
                }
                None
            }
            Err(problem) => {
                // A conversation that failed is begun anew.
                self.firewall = None;
                let problem = problem.to_string();
                if self.complaint.as_ref() != Some(&problem) {
                    error!("nftables_ipvs: {problem}; groups with automatic marks get no packets");
                    self.complaint = Some(problem);
                }
                Some(now + RETRY)
            }
        };
        self.looks.there_are(now, self.made.is_some());
    }

    /// Makes the tables what they should be.
    fn adjust(&mut self) -> Result<(), sys::Error> {
        let table = self.table.clone().filter(|_| !self.wanted.is_empty());
        if self.made.is_none() && table.is_none() && self.stale.is_empty() {
            return Ok(());
        }
        let firewall = match &mut self.firewall {
            Some(firewall) => firewall,
            none => none.insert(Firewall::new()?),
        };
        if let Some((made, _)) = &self.made
            && table.as_ref().is_none_or(|table| table.name != made.name)
        {
            self.stale.insert(made.name.clone());
        }
        if let Some(table) = table {
            let holds = match &self.made {
                Some((made, holds)) if *made == table => holds.as_ref(),
                Some(_) | None => None,
            };
            let changed = holds.map(|holds| firewall.change_marks(&table, holds, &self.wanted));
            if let Some(Err(problem)) = &changed {
                debug!("{problem}: making the tables anew");
            }
            // Until it is done nobody knows what is there.
            self.made = Some((table.clone(), None));
            if !matches!(changed, Some(Ok(()))) {
                firewall.replace_marks(&table, &self.wanted)?;
            }
            self.stale.remove(&table.name);
            self.made = Some((table, Some(self.wanted.clone())));
        } else {
            self.made = None;
        }
        while let Some(name) = self.stale.first() {
            firewall.remove_marks(name)?;
            self.stale.pop_first();
        }
        Ok(())
    }
}
