//! What is known about the files, processes and BFD sessions that instances track, and whom a change concerns.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use types::Instant;

use crate::action::Event;
use crate::deadlines::Owner;
use crate::process::{ProcessView, Processes};
use crate::settings::{FileSettings, ProcessSettings};
use crate::vrrp::Vrrp;

/// A tracked file as dumps show it.
#[derive(Clone, Copy, Debug)]
pub struct FileView<'a> {
    /// Its settings.
    pub settings: &'a FileSettings,
    /// What it says.
    pub value: i32,
}

/// A tracked BFD session as dumps show it.
#[derive(Clone, Copy, Debug)]
pub struct BfdView<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it is up.
    pub up: bool,
}

#[derive(Debug)]
struct File {
    name: Arc<str>,
    settings: FileSettings,
    value: i32,
}

#[derive(Debug)]
struct Session {
    name: Arc<str>,
    up: bool,
}

/// All of them, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    files: Vec<File>,
    file_index: BTreeMap<Arc<str>, usize>,
    processes: Vec<Processes>,
    process_index: BTreeMap<Arc<str>, usize>,
    sessions: Vec<Session>,
    session_index: BTreeMap<Arc<str>, usize>,
    /// What the host has found out about the next settings.
    ahead: Ahead,
}

/// What takes effect with the next settings.
#[derive(Debug, Default)]
struct Ahead {
    files: BTreeMap<String, i32>,
    processes: BTreeMap<String, u32>,
    sessions: BTreeMap<String, bool>,
}

impl Watched {
    /// What a file says; one that nobody knows says nothing.
    pub(crate) fn file(&self, name: &str) -> i32 {
        let file = self.file_index.get(name).and_then(|at| self.files.get(*at));
        file.map_or(0, |file| file.value)
    }

    /// Whether there are enough processes; `None`: a reload brought them in, and they have not been counted yet.
    pub(crate) fn has_quorum(&self, name: &str) -> Option<bool> {
        let at = self.process_index.get(name);
        let processes = at.and_then(|at| self.processes.get(*at));
        match processes {
            Some(processes) => processes.count().map(|_| processes.has_quorum()),
            None => Some(false),
        }
    }

    pub(crate) fn is_up(&self, session: &str) -> bool {
        let at = self.session_index.get(session);
        at.and_then(|at| self.sessions.get(*at))
            .is_some_and(|session| session.up)
    }

    /// Takes new lists. What is known about what stays is kept; what the host has told ahead counts. Processes that it has
    /// not counted yet are none at the `first` time.
    pub(crate) fn replace(
        &mut self,
        files: Vec<FileSettings>,
        processes: Vec<ProcessSettings>,
        sessions: Vec<String>,
        first: bool,
    ) {
        let ahead = core::mem::take(&mut self.ahead);
        let old: BTreeMap<String, (String, i32)> = core::mem::take(&mut self.files)
            .into_iter()
            .map(|file| (file.settings.name, (file.settings.path, file.value)))
            .collect();
        self.files = files
            .into_iter()
            .map(|settings| {
                let known = || old.get(&settings.name).filter(|old| old.0 == settings.path);
                let told = ahead.files.get(&settings.name).copied();
                File {
                    name: settings.name.as_str().into(),
                    value: told.or_else(|| Some(known()?.1)).unwrap_or(0),
                    settings,
                }
            })
            .collect();
        self.file_index = index(self.files.iter().map(|file| &file.name));

        let mut old: BTreeMap<Arc<str>, Processes> = core::mem::take(&mut self.processes)
            .into_iter()
            .map(|processes| (Arc::clone(&processes.name), processes))
            .collect();
        self.processes = processes
            .into_iter()
            .map(|settings| {
                let told = ahead.processes.get(&settings.name).copied();
                let told = told.or_else(|| first.then_some(0));
                let known = match old.remove(settings.name.as_str()) {
                    Some(known) => known.updated(settings),
                    None => Err(settings),
                };
                match known {
                    Ok(known) if told.is_none() || told == known.count() => known,
                    Ok(known) => Processes::new(known.settings, told),
                    Err(settings) => Processes::new(settings, told),
                }
            })
            .collect();
        self.process_index = index(self.processes.iter().map(|processes| &processes.name));

        let up: BTreeMap<Arc<str>, bool> = core::mem::take(&mut self.sessions)
            .into_iter()
            .map(|session| (session.name, session.up))
            .collect();
        self.sessions = sessions
            .into_iter()
            .map(|name| Session {
                up: ahead
                    .sessions
                    .get(&name)
                    .or_else(|| up.get(name.as_str()))
                    .copied()
                    .unwrap_or(false),
                name: name.into(),
            })
            .collect();
        self.session_index = index(self.sessions.iter().map(|session| &session.name));
    }
}

fn index<'a>(names: impl Iterator<Item = &'a Arc<str>>) -> BTreeMap<Arc<str>, usize> {
    names
        .enumerate()
        .map(|(at, name)| (Arc::clone(name), at))
        .collect()
}

impl Vrrp {
    /// What the files, processes and BFD sessions of the next settings say: it takes effect with
    /// [`handle_settings`](Self::handle_settings), so that nobody begins with a wrong idea of them. What is not told stays as
    /// it is known, or is 0; processes that a reload brings in count when they have been counted
    /// ([`handle_process_count`](Self::handle_process_count)), so that no running master waits for that.
    pub fn tell_ahead(
        &mut self,
        files: impl IntoIterator<Item = (String, i32)>,
        processes: impl IntoIterator<Item = (String, u32)>,
        sessions: impl IntoIterator<Item = (String, bool)>,
    ) {
        self.watched.ahead.files.extend(files);
        self.watched.ahead.processes.extend(processes);
        self.watched.ahead.sessions.extend(sessions);
    }

    /// A tracked file says something else ([`file_number`](crate::file_number)).
    pub fn handle_file(&mut self, now: Instant, name: &str, value: i32) {
        let watched = &mut self.watched;
        let Some(file) = watched
            .file_index
            .get(name)
            .and_then(|at| watched.files.get_mut(*at))
        else {
            return;
        };
        let from = core::mem::replace(&mut file.value, value);
        if from == value {
            return;
        }
        let name = Arc::clone(&file.name);
        self.shared
            .report(&name, Event::FileChanged { from, to: value });
        self.reassess_all(now, |instance| {
            let files = &instance.settings.track_file;
            files.iter().any(|tracked| *tracked.name == *name)
        });
    }

    /// There are so many of the tracked processes now.
    pub fn handle_process_count(&mut self, now: Instant, name: &str, count: u32) {
        let Some(id) = self.watched.process_index.get(name).copied() else {
            return;
        };
        let processes = self.watched.processes.get_mut(id);
        let changed = processes.is_some_and(|processes| processes.handle_count(now, count));
        self.processes_served(id, changed, now);
    }

    pub(crate) fn handle_process_timeout(&mut self, at: Instant, id: usize, now: Instant) {
        let Some(processes) = self.watched.processes.get_mut(id) else {
            return;
        };
        if processes.armed.popped(at) {
            let changed = processes.handle_timeout(now);
            self.processes_served(id, changed, now);
        }
    }

    fn processes_served(&mut self, id: usize, changed: bool, now: Instant) {
        self.arm_processes(id);
        let Some(processes) = self.watched.processes.get(id).filter(|_| changed) else {
            return;
        };
        let name = Arc::clone(&processes.name);
        let event = Event::QuorumChanged {
            met: processes.has_quorum(),
            count: processes.view().count,
        };
        self.shared.report(&name, event);
        self.reassess_all(now, |instance| {
            let processes = &instance.settings.track_process;
            processes.iter().any(|tracked| *tracked.name == *name)
        });
    }

    fn arm_processes(&mut self, id: usize) {
        if let Some(processes) = self.watched.processes.get_mut(id) {
            let deadline = processes.deadline();
            self.deadlines
                .arm(Owner::Processes(id), &mut processes.armed, deadline);
        }
    }

    pub(crate) fn arm_all_processes(&mut self) {
        for id in 0..self.watched.processes.len() {
            self.arm_processes(id);
        }
    }

    /// A tracked BFD session came up or went down. Until the first word it is down.
    pub fn handle_bfd(&mut self, now: Instant, session: &str, up: bool) {
        let watched = &mut self.watched;
        let Some(known) = watched
            .session_index
            .get(session)
            .and_then(|at| watched.sessions.get_mut(*at))
            .filter(|known| known.up != up)
        else {
            return;
        };
        known.up = up;
        let name = Arc::clone(&known.name);
        self.shared.report(&name, Event::BfdChanged { up });
        self.reassess_all(now, |instance| {
            let sessions = &instance.settings.track_bfd;
            sessions.iter().any(|tracked| *tracked.name == *name)
        });
    }

    /// The tracked files, in the order of the configuration.
    pub fn files(&self) -> impl Iterator<Item = FileView<'_>> {
        self.watched.files.iter().map(|file| FileView {
            settings: &file.settings,
            value: file.value,
        })
    }

    /// The tracked processes, in the order of the configuration.
    pub fn processes(&self) -> impl Iterator<Item = ProcessView<'_>> {
        self.watched.processes.iter().map(Processes::view)
    }

    /// The tracked BFD sessions, in the order of the configuration.
    pub fn bfd_sessions(&self) -> impl Iterator<Item = BfdView<'_>> {
        self.watched.sessions.iter().map(|session| BfdView {
            name: &session.name,
            up: session.up,
        })
    }
}

#[cfg(test)]
mod tests;
