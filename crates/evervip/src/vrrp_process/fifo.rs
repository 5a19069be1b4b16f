//! Notify FIFOs: a line for each announcement, for whoever reads; and the programs that the settings name as readers.
//!
//! A reader that does not keep up loses lines: nothing here ever waits for one. A FIFO that stays in the settings over a
//! reload is not touched, and neither is its reader.

use std::collections::BTreeMap;
use std::path::Path;

use config::Settings;
use config::settings::global::Fifo as FifoSettings;
use log::{error, info, warn};
use sys::fifo::{Fifo, Written};
use sys::process::{self, Exit, Pid};
use vrrp::{Announcement, StateName, Subject, Vrrp};

use super::notify;
use super::scripts;

const SIGTERM: i32 = 15;

/// All FIFOs of this process, in the order in which they are written to: `notify_fifo`, then `vrrp_notify_fifo`.
#[derive(Default)]
pub(super) struct Fifos {
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
    /// Opens what the settings name, closes what they no longer do.
    pub(super) fn settings_change(&mut self, settings: &Settings) {
        let fifos = &settings.global.fifos;
        let mut old: BTreeMap<String, Open> = self
            .open
            .drain(..)
            .map(|open| (open.settings.path.clone(), open))
            .collect();
        for wanted in fifos.all.iter().chain(&fifos.vrrp) {
            let same = old
                .get(&wanted.path)
                .is_some_and(|open| open.settings == *wanted);
            let kept = if same { old.remove(&wanted.path) } else { None };
            // A path that both keywords name is one FIFO; its reader hears everything once.
            if self
                .open
                .iter()
                .any(|open| open.settings.path == wanted.path)
            {
                warn!("{} is named by two keywords: it is one FIFO", wanted.path);
                continue;
            }
            if let Some(changed) = old.remove(&wanted.path) {
                changed.close();
            }
            match kept.map_or_else(|| Open::new(wanted), Ok) {
                Ok(open) => self.open.push(open),
                Err(problem) => error!("{problem}: nothing is written to it"),
            }
        }
        for gone in old.into_values() {
            gone.close();
        }
    }

    /// One line for an announcement. `old` has the settings of an instance that a reload removed.
    pub(super) fn tell(
        &mut self,
        announcement: &Announcement,
        settings: &Settings,
        old: &Settings,
    ) {
        if self.open.is_empty() {
            return;
        }
        let word = notify::word(announcement, settings, old);
        self.write(&line(&announcement.subject, word, announcement.priority));
    }

    /// The state of everybody, after a reload (`fifo_write_vrrp_states_on_reload`).
    pub(super) fn tell_all(&mut self, core: &Vrrp) {
        for instance in core.instances() {
            let subject = Subject::Instance(instance.settings.name.as_str().into());
            let priority = instance.effective_priority.get();
            self.write(&line(&subject, word(instance.state), priority));
        }
        for group in core.groups() {
            let subject = Subject::Group(group.name.into());
            self.write(&line(&subject, word(group.state), 0));
        }
    }

    fn write(&mut self, line: &str) {
        for open in &mut self.open {
            open.write(line);
        }
    }

    /// A process ended. True if it was a reader.
    pub(super) fn ended(&mut self, exit: &Exit) -> bool {
        let ended = self
            .open
            .iter_mut()
            .find(|open| open.reader == Some(exit.pid));
        let Some(open) = ended else { return false };
        open.reader = None;
        warn!(
            "the reader of {} ended ({:?}): the next reload that changes it starts another one",
            open.settings.path, exit.status
        );
        true
    }

    /// Whether a reader of ours has yet to read what was written last.
    pub(super) fn are_being_read(&self) -> bool {
        self.open
            .iter()
            .any(|open| open.reader.is_some() && !open.fifo.is_read())
    }

    /// The end: readers are asked to stop, and what we made is removed.
    pub(super) fn end(&mut self) {
        for open in self.open.drain(..) {
            open.close();
        }
    }
}

impl Open {
    fn new(settings: &FifoSettings) -> Result<Self, sys::Error> {
        let owner = settings.owner.as_ref().map(|owner| (owner.uid, owner.gid));
        let fifo = Fifo::open(Path::new(&settings.path), owner)?;
        let reader = settings.reader.as_ref().and_then(|command| {
            let mut command = command.clone();
            command.argv.push(settings.path.clone());
            match scripts::start(&command) {
                Ok(child) => Some(child.pid),
                Err(problem) => {
                    error!(
                        "the reader of {} cannot be started: {problem:#}",
                        settings.path
                    );
                    None
                }
            }
        });
        Ok(Self {
            settings: settings.clone(),
            fifo,
            reader,
            lost: 0,
        })
    }

    fn write(&mut self, line: &str) {
        let path = &self.settings.path;
        match self.fifo.write(line.as_bytes()) {
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

    fn close(self) {
        if let Some(reader) = self.reader
            && let Err(problem) = process::kill_group(reader, SIGTERM)
        {
            warn!("the reader of {}: {problem}", self.settings.path);
        }
        if let Err(problem) = self.fifo.remove() {
            warn!("{problem}");
        }
    }
}

/// keepalived's line; names are written as they are.
fn line(subject: &Subject, word: &str, priority: u8) -> String {
    match subject {
        Subject::Instance(name) => format!("INSTANCE \"{name}\" {word} {priority}\n"),
        Subject::Group(name) => format!("GROUP \"{name}\" {word} {priority}\n"),
    }
}

/// A state as FIFOs name it: waiting for the first result of a script is a fault to them.
const fn word(state: StateName) -> &'static str {
    match state {
        StateName::Master => "MASTER",
        StateName::Backup => "BACKUP",
        StateName::Init | StateName::Fault => "FAULT",
        StateName::Stop => "STOP",
    }
}
