//! Carries out what the core decides: commands of IPVS in batches, then whatever comes after them.
//!
//! What comes of it (a refusal, what a service holds, the end of a command) is an input again; the core gets these one by
//! one, each with all that it leads to.

use std::collections::VecDeque;

use config::Settings;
use config::settings::Command as Program;
use config::settings::global::IpvsNamespace;
use log::{debug, error, info, warn};
use lvs::dialogue::{Obstacle, Trouble, TroubleKind, Verdict};
use lvs::settings::checkers::CommandId;
use lvs::{Action, Announcement, CheckId, CommandEnd, Held, Level, Line, Lvs, RefusalKind};
use sys::process::Exit;
use types::Instant;
use types::ipvs::{Command, ServiceKey};

use super::balancer::{Balancer, Listing};
use super::commands::Commands;
use crate::child::fifo::Fifos;
use crate::messages::Role;

pub(super) struct Hands {
    balancer: Balancer,
    commands: Commands,
    fifos: Fifos,
    later: Later,
}

/// What waits for the end of a drain.
#[derive(Default)]
struct Later {
    changes: Vec<Command>,
    reads: Vec<ServiceKey>,
    inputs: VecDeque<Input>,
}

/// What came of an action.
enum Input {
    Refused(Command, RefusalKind),
    Holds(ServiceKey, Option<Held>),
    CommandEnded(CheckId, CommandEnd),
    Verdict(CheckId, Verdict),
}

impl Hands {
    pub(super) fn new() -> Self {
        Self {
            balancer: Balancer::default(),
            commands: Commands::default(),
            fifos: Fifos::new(Role::Checkers),
            later: Later::default(),
        }
    }

    /// Looks for IPVS; what it holds, if it was not known before.
    pub(super) fn begin_to_balance(
        &mut self,
        now: Instant,
        namespace: &IpvsNamespace,
    ) -> Option<Listing> {
        self.balancer.begin(now, namespace)
    }

    /// New settings: FIFOs are opened and closed.
    pub(super) fn settings_change(&mut self, settings: &Settings) {
        self.fifos.settings_change(&settings.global.fifos);
    }

    /// Drains the core and carries everything out. `old` has the scripts of what a reload removed.
    pub(super) fn carry_out(
        &mut self,
        now: Instant,
        core: &mut Lvs,
        settings: &Settings,
        old: &Settings,
    ) {
        loop {
            while let Some(action) = core.poll_action() {
                self.perform(now, action, core, (settings, old));
            }
            self.change_kernel(now);
            self.read_kernel(now);
            let Some(input) = self.later.inputs.pop_front() else {
                return;
            };
            match input {
                Input::Refused(command, kind) => core.handle_refusal(now, &command, kind),
                Input::Holds(key, held) => core.handle_service(now, key, held),
                Input::CommandEnded(check, end) => core.handle_command_end(now, check, end),
                Input::Verdict(check, verdict) => core.handle_verdict(now, check, &verdict),
            }
        }
    }

    fn perform(
        &mut self,
        now: Instant,
        action: Action,
        core: &Lvs,
        (settings, old): (&Settings, &Settings),
    ) {
        match action {
            Action::Ipvs(command) => self.later.changes.push(command),
            Action::Read(key) => self.later.reads.push(key),
            Action::Mark(_) => self.change_kernel(now),
            Action::Attempt(check, _) => {
                let trouble = Trouble {
                    kind: TroubleKind::Other,
                    number: 0,
                    text: "checks with a connection are not made yet".into(),
                };
                let verdict = Verdict::NoResult(Obstacle::Socket(trouble));
                self.later.inputs.push_back(Input::Verdict(check, verdict));
            }
            Action::RunCommand(check, command) => {
                let started = program(settings, command)
                    .ok_or_else(|| anyhow::anyhow!("the settings have no command for it"))
                    .and_then(|program| self.commands.run(check, program));
                if let Err(problem) = started {
                    error!("a MISC_CHECK cannot be started: {problem:#}");
                    let end = Input::CommandEnded(check, CommandEnd::NotStarted);
                    self.later.inputs.push_back(end);
                }
            }
            Action::SignalCommand(check, signal) => self.commands.signal(check, signal),
            Action::Abandon(check) => self.commands.dismiss(now, check),
            Action::Announce(announcement) => {
                // Whoever is told finds the kernel changed.
                self.change_kernel(now);
                let settings = if announcement.before { old } else { settings };
                self.announce(&announcement, settings);
            }
            Action::Log(line) => write(&line, core),
            // The core has learnt something new, and we have not.
            other => warn!("nobody knows how to carry out {other:?}"),
        }
    }

    /// Runs its script, and writes its line to FIFOs (keepalived: a NUL follows the end of the line).
    fn announce(&mut self, announcement: &Announcement, settings: &Settings) {
        if let Some(command) = announcement.command {
            let started = program(settings, command)
                .ok_or_else(|| anyhow::anyhow!("the settings have no command for it"))
                .and_then(|program| self.commands.notify(program));
            if let Err(problem) = started {
                error!("the script for \"{announcement}\" cannot be started: {problem:#}");
            }
        }
        if !self.fifos.is_empty() {
            self.fifos.write(format!("{announcement}\n\0").as_bytes());
        }
    }

    fn change_kernel(&mut self, now: Instant) {
        let changes = std::mem::take(&mut self.later.changes);
        if changes.is_empty() {
            return;
        }
        let inputs = &mut self.later.inputs;
        self.balancer.apply(now, changes, |command, kind| {
            inputs.push_back(Input::Refused(command, kind));
        });
    }

    fn read_kernel(&mut self, now: Instant) {
        let reads = std::mem::take(&mut self.later.reads);
        if reads.is_empty() {
            return;
        }
        let read = self.balancer.read(now, reads).into_iter().flatten();
        let inputs = read.map(|(key, held)| Input::Holds(key, held));
        self.later.inputs.extend(inputs);
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let wakes = [self.balancer.next_wake(), self.commands.next_wake()];
        wakes.into_iter().flatten().min()
    }

    /// Time has passed. What IPVS holds, if it was not known before.
    pub(super) fn tick(&mut self, now: Instant) -> Option<Listing> {
        self.commands.tick(now);
        self.balancer.tick(now)
    }

    /// A process ended: if it was the command of a check, whose and how.
    pub(super) fn process_ended(&mut self, exit: &Exit) -> Option<(CheckId, CommandEnd)> {
        if self.fifos.ended(exit) {
            return None;
        }
        self.commands.ended(exit)
    }

    /// Whether anything that was told of the end is still at work: scripts, readers of FIFOs.
    pub(super) fn are_busy(&self) -> bool {
        self.commands.any_running() || self.fifos.are_being_read()
    }

    /// Whether it must be looked at again and again: no event tells that a FIFO has been read.
    pub(super) fn fifos_are_being_read(&self) -> bool {
        self.fifos.are_being_read()
    }

    /// The end.
    pub(super) fn end(&mut self) {
        self.commands.end();
        self.fifos.end();
        self.balancer.end();
    }
}

fn program(settings: &Settings, command: CommandId) -> Option<&Program> {
    settings.lvs_commands.get(usize::try_from(command.0).ok()?)
}

fn write(line: &Line, core: &Lvs) {
    let text = core.describe(&line.text);
    match line.level {
        Level::Debug => debug!("{text}"),
        Level::Info => info!("{text}"),
        Level::Warning => warn!("{text}"),
    }
}
