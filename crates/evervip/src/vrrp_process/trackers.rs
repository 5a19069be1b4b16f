//! What instances track beyond scripts and the kernel's own notices: files, processes, links that have to be asked.
//!
//! Each part carries what it finds out to the core; what comes of it is decided there.

mod links;
mod processes;

use log::error;
use sys::event_loop::EventLoop;
use types::{IfName, Instant};

use self::links::Links;
use self::processes::Processes;
use crate::child::files::{self, Files, FirstContent};

/// Something that the core has to know.
pub(super) enum Finding {
    /// What a file says now, by its name in the configuration.
    File(String, i32),
    /// How many processes there are, by their name in the configuration.
    Processes(String, u32),
    /// What an interface answered; `None`: nothing, the kernel's word counts.
    Link(IfName, Option<bool>),
}

/// What was found out about settings that do not count yet. What they have in common with the last ones is left out.
pub(super) struct Ahead {
    /// What files say.
    pub(super) files: Vec<(String, i32)>,
    /// How many processes there are.
    pub(super) processes: Vec<(String, u32)>,
    /// What interfaces answered: this counts at once.
    pub(super) links: Vec<Finding>,
}

/// All of them. An epoll token tells that there is something to hear of files, or of processes.
pub(super) struct Trackers {
    files: Files,
    processes: Processes,
    links: Links,
}

impl Trackers {
    /// Nothing is tracked yet. The tokens are for the descriptors that will be added to the epoll set.
    pub(super) fn new(files: u64, processes: u64) -> Self {
        Self {
            files: Files::new(files),
            processes: Processes::new(processes),
            links: Links::default(),
        }
    }

    /// New settings are about to be handed to the core: finds out what they depend on, so that nobody begins with a wrong
    /// idea of it.
    pub(super) fn prepare(
        &mut self,
        now: Instant,
        settings: &vrrp::Settings,
        first: FirstContent,
        events: &EventLoop,
    ) -> Ahead {
        if first == FirstContent::Write {
            files::write_first_content(&settings.track_files);
        }
        Ahead {
            files: self.files.prepare(now, &settings.track_files, events),
            processes: self
                .processes
                .prepare(now, &settings.track_processes, events),
            links: self.links.prepare(now, settings),
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        [
            self.files.next_wake(),
            self.processes.next_wake(),
            self.links.next_wake(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<Finding> {
        let mut findings = of_files(self.files.tick(now));
        findings.extend(self.processes.tick(now));
        findings.extend(self.links.tick(now));
        findings
    }

    /// There is something to hear of files.
    pub(super) fn hear_files(&mut self, now: Instant) -> Vec<Finding> {
        of_files(self.files.hear(now))
    }

    /// Room for what the kernel tells of processes (`process_monitor_rcv_bufs`).
    pub(super) fn set_receive_buffer(&self, bytes: usize, force: bool) -> Result<(), sys::Error> {
        self.processes.set_receive_buffer(bytes, force)
    }

    /// There is something to hear of processes.
    pub(super) fn hear_processes(&mut self, now: Instant) -> Vec<Finding> {
        self.processes.hear(now).unwrap_or_else(|problem| {
            error!("track_process: {problem}");
            Vec::new()
        })
    }
}

fn of_files(values: Vec<(String, i32)>) -> Vec<Finding> {
    values
        .into_iter()
        .map(|(name, value)| Finding::File(name, value))
        .collect()
}
