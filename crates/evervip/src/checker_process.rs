//! The checker child: finds out which real servers are well, and tells the kernel's IPVS whom to give connections to.
//!
//! One thread, one epoll set. It carries inputs to the core and its actions to the kernel, to scripts and to FIFOs.

use std::path::Path;

use anyhow::{Context as _, Result};
use config::Settings;
use log::{error, info};
use sys::event_loop::EventLoop;
use sys::heartbeat::Heartbeat;
use sys::pid_file::PidFile;
use sys::process::{self, Exit as Ended};
use sys::signals::SignalSet;
use sys::timer::Timer;
use types::Instant;

use crate::child::beginning::{Beginning, CHANNEL, SIGNALS};
use crate::child::fifo::Fifos;
use crate::child::files::{self, Files};
use crate::child::line::{Heard, Line};
use crate::child::tuning::Tuning;
use crate::child::{self, PARTING_TIME, READING_TIME, SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use crate::exit::Exit;
use crate::messages::{Dump, Role, ToParent};

// Tokens of the epoll set, after those of every child.
const TIMER: u64 = 2;
const FILES: u64 = 3;

/// Runs the child until its parent stops it.
pub(crate) fn run(beginning: Beginning) -> Exit {
    match CheckerProcess::begin(beginning) {
        Ok(mut process) => match process.serve() {
            Ok(()) => Exit::Success,
            // Not one of the statuses that the parent takes as final: a new process may have better luck.
            Err(problem) => {
                error!("checker process: {problem:#}");
                Exit::Internal
            }
        },
        Err(problem) => child::cannot_start("checker process", &problem),
    }
}

struct CheckerProcess {
    parent: Line,
    signals: SignalSet,
    timer: Timer,
    events: EventLoop,
    heartbeat: Option<Heartbeat>,
    settings: Settings,
    pid_file: Option<PidFile>,
    state: Running,
    tuning: Tuning,
    files: Files,
    fifos: Fifos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Running {
    Yes,
    /// Stopped; scripts may finish until then.
    Leaving(Instant),
}

impl CheckerProcess {
    /// Sets everything up.
    fn begin(beginning: Beginning) -> Result<Self> {
        let Beginning {
            line: parent,
            signals,
            events,
            start,
            heartbeat,
        } = beginning;
        let timer = Timer::new()?;
        events.add(&timer, TIMER)?;
        let settings: Settings =
            postcard::from_bytes(&start.settings).context("settings from the parent")?;
        // Last, so that nothing is left behind by a process that cannot begin.
        let pid_file = PidFile::claim(Path::new(&start.pid_file))?;
        let mut process = Self {
            parent,
            signals,
            timer,
            events,
            heartbeat,
            settings: Settings::default(),
            pid_file: Some(pid_file),
            state: Running::Yes,
            tuning: Tuning::new(Role::Checkers),
            files: Files::new(FILES),
            fifos: Fifos::new(Role::Checkers),
        };
        drop(start.settings);
        if start.initialise_files {
            files::write_first_content(&settings.vrrp.track_files);
        }
        process.take_settings(settings);
        Ok(process)
    }

    fn serve(&mut self) -> Result<()> {
        let mut ready = Vec::new();
        loop {
            let planned = self.next_wake();
            self.timer.arm(planned)?;
            self.events.wait(&mut ready)?;
            let now = sys::clock::now();
            self.tuning.woke(planned, now);
            for token in &ready {
                match *token {
                    SIGNALS => self.hear_signals(now)?,
                    CHANNEL => self.hear_parent(now)?,
                    TIMER => self.timer.acknowledge()?,
                    FILES => drop(self.files.hear(now)),
                    _ => {}
                }
            }
            match self.state {
                Running::Yes => {
                    drop(self.files.tick(now));
                    if let Some(heartbeat) = &self.heartbeat {
                        heartbeat.beat(now);
                    }
                }
                Running::Leaving(until) => {
                    if now >= until || !self.fifos.are_being_read() {
                        return self.end();
                    }
                }
            }
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        match self.state {
            Running::Yes => self.files.next_wake(),
            // No event tells that a FIFO has been read.
            Running::Leaving(until) if self.fifos.are_being_read() => {
                Some(until.min(sys::clock::now() + READING_TIME))
            }
            Running::Leaving(until) => Some(until),
        }
    }

    fn hear_signals(&mut self, now: Instant) -> Result<()> {
        while let Some(signal) = self.signals.read()? {
            match signal.number {
                SIGTERM => self.stop(now),
                SIGCHLD => self.reap()?,
                SIGHUP => self.parent.tell(&ToParent::ReloadWanted),
                // A terminal sends SIGINT to everybody; the parent decides what comes of it.
                SIGINT => {}
                number => {
                    if let Some(dump) = Dump::asked_by(number) {
                        self.dump(dump);
                    }
                }
            }
        }
        Ok(())
    }

    fn reap(&mut self) -> Result<()> {
        while let Some(exit) = process::reap()? {
            self.script_ended(&exit);
        }
        Ok(())
    }

    fn script_ended(&mut self, exit: &Ended) {
        self.fifos.ended(exit);
    }

    fn hear_parent(&mut self, now: Instant) -> Result<()> {
        loop {
            match self.parent.hear()? {
                Heard::Nothing => return Ok(()),
                Heard::Gone => {
                    self.parent.hang_up(&self.events)?;
                    self.stop(now);
                    return Ok(());
                }
                Heard::Reload(settings) => {
                    info!("Reloading");
                    self.take_settings(*settings);
                }
                Heard::Stop => self.stop(now),
                Heard::Dump(dump) => self.dump(dump),
            }
        }
    }

    /// First settings or new ones.
    fn take_settings(&mut self, settings: Settings) {
        let now = sys::clock::now();
        drop(
            self.files
                .prepare(now, &settings.vrrp.track_files, &self.events),
        );
        self.fifos.settings_change(&settings.global.fifos);
        self.settings = settings;
        self.parent.tell(&ToParent::SettingsTaken);
        process::give_back_memory();
        self.tuning.settings_change(&self.settings.global.processes);
    }

    fn stop(&mut self, now: Instant) {
        if self.state != Running::Yes {
            return;
        }
        info!("Stopping");
        self.state = Running::Leaving(now + PARTING_TIME);
    }

    fn end(&mut self) -> Result<()> {
        self.fifos.end();
        if let Some(pid_file) = self.pid_file.take() {
            pid_file.remove()?;
        }
        child::say_goodbye();
        Ok(())
    }

    fn dump(&mut self, dump: Dump) {
        match dump {
            Dump::Data => {}
            // These are the VRRP process'.
            Dump::Stats | Dump::StatsAndClear | Dump::Json => {}
        }
    }
}
