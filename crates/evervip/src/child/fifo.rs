//! Notify FIFOs: a line for each announcement, for whoever reads; and the programs that the settings name as readers.
//!
//! A reader that does not keep up loses lines: nothing here ever waits for one. A FIFO that stays in the settings over a
//! reload is not touched, and neither is its reader.

use std::collections::BTreeMap;
use std::path::Path;

use config::settings::global::{self, Fifo as FifoSettings};
use log::{error, info, warn};
use sys::fifo::{Fifo, Written};
use sys::process::{self, Exit, Pid};

use super::scripts;
use crate::messages::Role;

const SIGTERM: i32 = 15;

/// All FIFOs of a process, in the order in which they are written to: `notify_fifo`, then the process' own.
pub(crate) struct Fifos {
    role: Role,
    open: Vec<Open>,
}

/// A FIFO in use.
struct Open {
    settings: FifoSettings,
    fifo: Fifo,
    reader: Option<Pid>,
    /// Lines that did not fit since the last one that did.
    lost: u64,
}

impl Fifos {
    /// None yet.
    pub(crate) const fn new(role: Role) -> Self {
        Self {
            role,
            open: Vec::new(),
        }
    }

    /// Opens what the settings name, closes what they no longer do.
    pub(crate) fn settings_change(&mut self, fifos: &global::Fifos) {
        let own = match self.role {
            Role::Vrrp => &fifos.vrrp,
            Role::Checkers => &fifos.lvs,
            // It announces nothing.
            Role::Bfd => &None,
        };
        let mut old: BTreeMap<String, Open> = self
            .open
            .drain(..)
            .map(|open| (open.settings.path.clone(), open))
            .collect();
        for wanted in fifos.all.iter().chain(own) {
            // A path that both keywords name is one FIFO; its reader hears everything once.
            if self
                .open
                .iter()
                .any(|open| open.settings.path == wanted.path)
            {
                warn!("{} is named by two keywords: it is one FIFO", wanted.path);
                continue;
            }
            let kept = match old.remove(&wanted.path) {
                Some(open) if open.settings.owner == wanted.owner => Some(open),
                Some(changed) => {
                    changed.close();
                    None
                }
                None => None,
            };
            match kept.map_or_else(|| Open::new(wanted), Ok) {
                Ok(mut open) => {
                    open.read_by(wanted);
                    self.open.push(open);
                }
                Err(problem) => error!("{problem}: nothing is written to it"),
            }
        }
        for gone in old.into_values() {
            gone.close();
        }
    }

    /// Whether there is nobody to write to.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Writes a line to all of them.
    pub(crate) fn write(&mut self, line: &[u8]) {
        for open in &mut self.open {
            open.write(line);
        }
    }

    /// A process ended. True if it was a reader.
    pub(crate) fn ended(&mut self, exit: &Exit) -> bool {
        let ended = self
            .open
            .iter_mut()
            .find(|open| open.reader == Some(exit.pid));
        let Some(open) = ended else { return false };
        open.reader = None;
        warn!(
            "the reader of {} ended ({:?}): the next reload starts another one",
            open.settings.path, exit.status
        );
        true
    }

    /// Whether a reader of ours has yet to read what was written last.
    pub(crate) fn are_being_read(&self) -> bool {
        self.open
            .iter()
            .any(|open| open.reader.is_some() && !open.fifo.is_read())
    }

    /// The end: readers are asked to stop, and what we made is removed.
    pub(crate) fn end(&mut self) {
        for open in self.open.drain(..) {
            open.close();
        }
    }
}

impl Open {
    /// Without its reader.
    fn new(settings: &FifoSettings) -> Result<Self, sys::Error> {
        Ok(Self {
            fifo: open(settings)?,
            settings: FifoSettings {
                reader: None,
                ..settings.clone()
            },
            reader: None,
            lost: 0,
        })
    }

    /// Its reader is that of these settings.
    fn read_by(&mut self, wanted: &FifoSettings) {
        // One that has died is started again by whoever reloads because of that.
        let is_gone = self.reader.is_none();
        if self.settings.reader == wanted.reader && !is_gone {
            return;
        }
        self.dismiss();
        self.settings = wanted.clone();
        let Some(mut command) = wanted.reader.clone() else {
            return;
        };
        command.argv.push(wanted.path.clone());
        match scripts::start(&command) {
            Ok(child) => self.reader = Some(child.pid),
            Err(problem) => {
                error!(
                    "the reader of {} cannot be started: {problem:#}",
                    wanted.path
                );
            }
        }
    }

    fn write(&mut self, line: &[u8]) {
        let path = &self.settings.path;
        match self.fifo.write(line) {
            Ok(Written::All) => {
                let lost = std::mem::take(&mut self.lost);
                if lost > 0 {
                    info!("{path} is read again: {lost} lines were lost");
                }
            }
            Ok(Written::Full) => {
                if self.lost == 0 {
                    warn!("{path} is full: lines are lost until somebody reads it");
                }
                self.lost += 1;
            }
            Err(problem) => {
                if self.lost == 0 {
                    error!("{problem}");
                }
                self.lost += 1;
            }
        }
    }

    fn dismiss(&mut self) {
        if let Some(reader) = self.reader.take()
            && let Err(problem) = process::kill_group(reader, SIGTERM)
        {
            warn!("the reader of {}: {problem}", self.settings.path);
        }
    }

    fn close(mut self) {
        self.dismiss();
        if let Err(problem) = self.fifo.remove() {
            warn!("{problem}");
        }
    }
}

/// Opens the FIFO that settings name, or makes it.
pub(crate) fn open(settings: &FifoSettings) -> Result<Fifo, sys::Error> {
    let owner = settings.owner.as_ref().map(|owner| (owner.uid, owner.gid));
    Fifo::open(Path::new(&settings.path), owner)
}
