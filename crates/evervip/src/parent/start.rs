//! Starting children: at the beginning, again after they ended, and connecting them with one another.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use log::{debug, error};
use sys::process;
use types::Instant;

use super::child::Child;
use super::{Parent, SECOND_TRY, may_run, slot_of};
use crate::legacy::Legacy;
use crate::messages::{Role, Start};

/// Where dumps go, unless `TMPDIR` says otherwise.
const DUMP_DIRECTORY: &str = "/tmp";

impl Parent {
    /// Starts the children that have something to do, when the daemon begins.
    pub(super) fn start_first(&mut self) -> Result<()> {
        self.warn_without_bfd();
        self.keep_common_fifo();
        for role in Role::ALL {
            self.start(role)?;
        }
        self.begun();
        self.connect(sys::clock::now());
        Ok(())
    }

    /// Starts the children that have something to do and do not run, unless they have to wait.
    pub(super) fn start_missing(&mut self, now: Instant) {
        self.warn_without_bfd();
        self.keep_common_fifo();
        for role in Role::ALL {
            let slot = self.slot(role);
            if slot.child.is_none() && slot.restart_at.is_none() {
                self.start_or_wait(role, now);
            }
        }
        self.begun();
    }

    /// `--no_bfd` leaves those without a word who go by BFD sessions.
    fn warn_without_bfd(&self) {
        if self.options.no_bfd {
            self.warn_of_sessions(Role::Bfd);
        }
    }

    /// Whoever is started from now on is not the first.
    fn begun(&mut self) {
        if self.slots.iter().any(|slot| slot.child.is_some()) {
            self.fresh = false;
        }
    }

    /// Starts a child, or says why not and tries again later: a lack of memory, descriptors or processes must not end the
    /// daemon, whose other child goes on. True if it did not fail.
    pub(super) fn start_or_wait(&mut self, role: Role, now: Instant) -> bool {
        let Err(problem) = self.start(role) else {
            return true;
        };
        error!("{problem:#}; trying again in {} s", SECOND_TRY.as_secs());
        self.slot(role).restart_at = Some(now + SECOND_TRY);
        false
    }

    /// Connects whoever goes by BFD sessions with the process that has them, whichever of the two is new.
    pub(super) fn connect(&mut self, now: Instant) {
        if self.connect_at.is_some_and(|at| at > now) {
            return;
        }
        self.connect_at = None;
        let [vrrp, checkers, bfd] = &mut self.slots;
        let Some(bfd) = &bfd.child else { return };
        for follower in [vrrp, checkers] {
            let role = follower.role;
            let Some(child) = &mut follower.child else {
                continue;
            };
            if let Err(problem) = child.follow(bfd, role) {
                error!(
                    "{} does not hear of BFD sessions; trying again in {} s: {problem:#}",
                    follower.name(),
                    SECOND_TRY.as_secs()
                );
                self.connect_at = Some(now + SECOND_TRY);
            }
        }
    }

    /// Gives the children their new settings that could not be given them at once.
    pub(super) fn give_due(&mut self, now: Instant) {
        for slot in &mut self.slots {
            if slot.give_at.is_some_and(|at| at <= now) {
                slot.give(now, self.settings.part(slot.role));
            }
        }
    }

    /// Starts the children whose time has come.
    pub(super) fn start_due(&mut self, now: Instant) {
        for role in Role::ALL {
            let slot = self.slot(role);
            if slot.restart_at.is_none_or(|at| at > now) {
                continue;
            }
            slot.restart_at = None;
            self.start_or_wait(role, now);
        }
        self.begun();
    }

    /// Names of the BFD sessions that are up, or were when their process died: whoever runs since before that goes on with them,
    /// too, until there is a successor.
    fn sessions_up(&mut self) -> BTreeSet<String> {
        let slot = self.slot(Role::Bfd);
        let legacy = slot.child.as_ref().map(Child::legacy);
        let sessions = &legacy.unwrap_or(slot.pace.legacy()).sessions;
        sessions.keys().cloned().collect()
    }

    /// Starts a child, if there is anything for it to do.
    fn start(&mut self, role: Role) -> Result<()> {
        let previous = match role {
            // Nothing of a dead VRRP process is left.
            Role::Vrrp | Role::Bfd => None,
            // What the dead one has made by settings that do not hold any more is removed by a reload.
            Role::Checkers => self.slot(role).previous.clone(),
        };
        let has_work = self.settings.has_work_for(role) || previous.is_some();
        if !has_work || !may_run(role, &self.options) {
            return Ok(());
        }
        let global = &self.settings.global;
        let suffix = global
            .instance
            .as_ref()
            .map(|instance| format!("_{instance}"))
            .unwrap_or_default();
        let (process, keep) = match role {
            Role::Vrrp => (&global.processes.vrrp, self.options.dont_release_vrrp),
            Role::Checkers => (&global.processes.checker, self.options.dont_release_ipvs),
            Role::Bfd => (&global.processes.bfd, false),
        };
        let mut start = Start {
            role,
            settings: previous
                .clone()
                .unwrap_or_else(|| self.settings.part(role).to_vec()),
            log: self.options.log.clone(),
            ident: format!("{}{suffix}", self.identity.child_ident(role)),
            task_name: process
                .name
                .clone()
                .unwrap_or_else(|| self.identity.program.clone()),
            keep,
            successor: false,
            pid_file: self.files.of(role).to_string_lossy().into_owned(),
            dump_directory: std::env::var("TMPDIR").unwrap_or_else(|_| DUMP_DIRECTORY.to_owned()),
            initialise_files: self.fresh,
            legacy: Legacy::default(),
            sessions_as_of: Instant::ZERO,
            sessions_up: self.sessions_up(),
        };
        if let Some(bfd) = &self.slot(Role::Bfd).child
            && bfd.has_begun()
        {
            self.bfd_until = sys::clock::now();
        }
        start.sessions_as_of = self.bfd_until;
        let slot = self.slot(role);
        start.successor = slot.bereft;
        start.legacy = slot.pace.legacy().clone();
        start.legacy.flush_is_due |= !slot.bereft;
        let (name, token) = (slot.name(), slot.token());
        let now = sys::clock::now();
        let slot = slot_of(&mut self.slots, role);
        let child = slot
            .pace
            .heartbeat()
            .and_then(|heartbeat| Child::spawn(&start, heartbeat, now, (&self.events, token)))
            .with_context(|| format!("starting {name}"))?;
        debug!("{name} is {}", child.pid());
        drop(start);
        // Only now: had it failed, the one that is started next time would need them.
        slot.pace.forget_names();
        slot.child = Some(child);
        if previous.is_some() {
            slot.give(now, self.settings.part(role));
        }
        process::give_back_memory();
        Ok(())
    }
}
