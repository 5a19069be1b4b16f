//! Carries out what the core decides: commands of IPVS in batches, then whatever comes after them.
//!
//! What comes of it (a refusal, what a service holds, the end of a command) is an input again; the core gets these one by
//! one, each with all that it leads to.

use std::collections::{BTreeMap, VecDeque};

use config::Settings;
use config::settings::Command as Program;
use config::settings::global::IpvsNamespace;
use log::{debug, error, info, warn};
use lvs::dialogue::Attempt;
use lvs::settings::checkers::{CheckerKind, CommandId, Endpoint};
use lvs::{Action, Announcement, CheckId, CommandEnd, Held, Level, Line, Lvs, RefusalKind};
use sys::event_loop::{Change, EventLoop};
use sys::nftables::MarkTable;
use sys::ping_groups::PingGroups;
use sys::process::Exit;
use sys::sysctl::Overrides;
use types::Instant;
use types::ipvs::{Command, ServiceKey};

use super::attempts::{Attempts, Ended, Plans};
use super::balancer::{Balancer, Look};
use super::commands::Commands;
use super::effort::Effort;
use super::marker::Marker;
use super::remarks::Remarks;
use crate::child::fifo::Fifos;
use crate::conversation::Conversation;
use crate::messages::Role;
use crate::patterns::Patterns;
use crate::tls;

pub(super) struct Hands {
    balancer: Balancer,
    attempts: Attempts,
    patterns: Patterns,
    /// What SSL_GET checks speak TLS with; `None`: nobody wants it, or it is not to be had.
    tls: Option<tls::Context>,
    remarks: Remarks,
    pings: Pings,
    commands: Commands,
    fifos: Fifos,
    marker: Marker,
    later: Later,
    /// What was done since somebody asked for the time.
    effort: Effort,
    /// Sockets that were served or opened since somebody asked.
    served: usize,
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
}

/// What an attempt is to be, by the settings of the core.
struct Plan<'a> {
    core: &'a Lvs,
    patterns: &'a Patterns,
    tls: Option<&'a tls::Context>,
}

impl Plans for Plan<'_> {
    fn begin(
        &self,
        now: Instant,
        check: CheckId,
        attempt: Attempt,
    ) -> Option<(Conversation, &Endpoint)> {
        let checker = self.core.checker(check)?;
        let kind = &checker.kind;
        let conversation = Conversation::begin(now, kind, attempt, self.patterns, self.tls)?;
        Some((conversation, checker.endpoint()?))
    }
}

impl Hands {
    /// `overridden`: settings of the kernel that a predecessor has left changed.
    pub(super) fn new(overridden: BTreeMap<String, i64>) -> Self {
        Self {
            balancer: Balancer::default(),
            attempts: Attempts::new(),
            patterns: Patterns::default(),
            tls: None,
            remarks: Remarks::default(),
            pings: Pings::new(overridden),
            commands: Commands::default(),
            fifos: Fifos::new(Role::Checkers),
            marker: Marker::default(),
            later: Later::default(),
            effort: Effort::default(),
            served: 0,
        }
    }

    /// Looks for IPVS.
    pub(super) fn begin_to_balance(&mut self, now: Instant, namespace: &IpvsNamespace) -> Look {
        self.balancer.begin(now, namespace)
    }

    /// New settings are about to count: what goes by them is made ready.
    pub(super) fn settings_change(&mut self, settings: &Settings, lvs: &lvs::Settings) {
        self.fifos.settings_change(&settings.global.fifos);
        let kinds = || {
            let servers = lvs.virtual_servers.iter();
            servers
                .flat_map(|service| &service.real_servers)
                .flat_map(|server| &server.checkers)
                .map(|checker| &checker.kind)
        };
        self.patterns = Patterns::of(lvs);
        self.remarks = Remarks::default();
        let wants_tls = || {
            kinds().filter_map(|kind| {
                let CheckerKind::Http(check) = kind else {
                    return None;
                };
                check.tls.as_ref()
            })
        };
        self.tls = None;
        if wants_tls().next().is_some() {
            let verifies = wants_tls().any(|tls| tls.verify_peer);
            match tls::Context::new(lvs.ssl.as_deref(), verifies) {
                Ok(context) => {
                    if let Some(why) = context.distrust() {
                        error!(
                            "SSL: {why}: SSL_GET checks with verify_peer have no result until a reload finds it better"
                        );
                    }
                    self.tls = Some(context);
                }
                Err(problem) => {
                    error!(
                        "{problem}: SSL_GET checks have no result until a reload finds it better"
                    );
                }
            }
        }
        let pings = kinds().filter(|kind| matches!(kind, CheckerKind::Ping(_)));
        self.pings.settings_change(pings.count() > 0);
        let sockets = kinds()
            .filter(|kind| {
                !matches!(
                    kind,
                    CheckerKind::Misc(_) | CheckerKind::File(_) | CheckerKind::Bfd(_)
                )
            })
            .count();
        match self.attempts.make_room_for(sockets) {
            Ok(room) if room < sockets => info!(
                "{room} of {sockets} checks can be under way at the same time, more are not allowed: the others wait"
            ),
            Ok(_) => {}
            Err(problem) => warn!("{problem}: some checks wait for others to end"),
        }
    }

    /// What the parent does not know yet of changes in the kernel; what it was told is to be taken out.
    pub(super) const fn overrides_to_tell(&mut self) -> &mut Vec<(String, Option<i64>)> {
        &mut self.pings.untold
    }

    /// Puts back what a predecessor changed in the kernel and the first settings do not ask for.
    pub(super) fn put_back_inherited(&mut self) {
        self.pings.put_back_inherited();
    }

    /// What the epoll set says of the socket of an attempt.
    pub(super) fn note_attempt(&mut self, change: Change) {
        self.attempts.note(change);
    }

    /// Hears of attempts, up to one turn's worth.
    pub(super) fn hear_attempts(&mut self, now: Instant) {
        let done = self.attempts.hear(now);
        self.count(done);
    }

    /// Ends attempts that have taken too long, and begins those that wait.
    pub(super) fn tick_attempts(&mut self, now: Instant, core: &Lvs, events: &EventLoop) {
        let plan = Plan {
            core,
            patterns: &self.patterns,
            tls: self.tls.as_ref(),
        };
        let done = self.attempts.tick(now, &plan, events);
        self.count(done);
    }

    const fn count(&mut self, sockets: usize) {
        self.effort.sockets(sockets);
        self.served += sockets;
    }

    /// How many sockets were served or opened since the last time.
    pub(super) const fn take_served(&mut self) -> usize {
        std::mem::replace(&mut self.served, 0)
    }

    /// What time it is, or was a moment ago: see [`Effort::time_after`].
    pub(super) fn time_after(&mut self, now: Instant, is_usual: bool) -> Instant {
        self.effort.time_after(now, is_usual, sys::clock::now)
    }

    /// The next attempt that is over. What else there is to say of it has been said.
    pub(super) fn next_verdict(&mut self, core: &Lvs) -> Option<Ended> {
        let ended = self.attempts.poll_verdict()?;
        let check = ended.check;
        for note in self.remarks.news(check, ended.url, &ended.notes) {
            let name = core.page_name(check).unwrap_or_default();
            info!("http_check for {name}: {note}");
        }
        Some(ended)
    }

    /// New settings for the tables that mark packets; `None`: there are none.
    pub(super) fn mark_by(&mut self, now: Instant, table: Option<MarkTable>) {
        self.marker.settings_change(now, table);
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
        // To ask for an attempt is nothing yet.
        if !matches!(action, Action::Attempt(..)) {
            self.effort.something_else();
        }
        match action {
            Action::Ipvs(command) => self.later.changes.push(command),
            Action::Read(key) => self.later.reads.push(key),
            Action::Mark(claims) => {
                // There are services for what gets marks from now on.
                self.change_kernel(now);
                self.marker.mark(now, claims);
            }
            Action::Attempt(check, attempt) => self.attempts.start(check, attempt),
            Action::RunCommand(check, command) => {
                let program = program(settings, command);
                if program.is_none() {
                    error!("a MISC_CHECK cannot be started: the settings have no command for it");
                }
                if !program.is_some_and(|program| self.commands.run(now, check, program)) {
                    let end = Input::CommandEnded(check, CommandEnd::NoProcess);
                    self.later.inputs.push_back(end);
                }
            }
            Action::SignalCommand(check, signal) => self.commands.signal(check, signal),
            Action::Abandon(check) => {
                self.attempts.abandon(check);
                self.remarks.forget(check);
                self.commands.dismiss(now, check);
            }
            Action::Announce(announcement) => {
                // Whoever is told finds the kernel changed.
                self.change_kernel(now);
                let settings = if announcement.before { old } else { settings };
                self.announce(now, &announcement, settings);
            }
            Action::Log(line) => write(&line, core),
            // The core has learnt something new, and we have not.
            other => warn!("nobody knows how to carry out {other:?}"),
        }
    }

    /// Runs its script, and writes its line to FIFOs (keepalived: a NUL follows the end of the line).
    fn announce(&mut self, now: Instant, announcement: &Announcement, settings: &Settings) {
        if let Some(command) = announcement.command {
            let started = program(settings, command)
                .ok_or_else(|| anyhow::anyhow!("the settings have no command for it"))
                .and_then(|program| self.commands.notify(now, program));
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

    /// When there is something to do for attempts.
    pub(super) fn next_attempt(&self) -> Option<Instant> {
        self.attempts.next_wake()
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let wakes = [
            self.balancer.next_wake(),
            self.commands.next_wake(),
            self.marker.next_wake(),
        ];
        wakes.into_iter().flatten().min()
    }

    /// Time has passed; if it was time to look for IPVS, what came of it.
    pub(super) fn tick(&mut self, now: Instant) -> Look {
        self.commands.tick(now);
        self.marker.tick(now);
        self.balancer.tick(now)
    }

    /// A process ended: if it was the command of a check, whose and how.
    pub(super) fn process_ended(
        &mut self,
        now: Instant,
        exit: &Exit,
    ) -> Option<(CheckId, CommandEnd)> {
        if self.fifos.ended(exit) {
            return None;
        }
        self.commands.ended(now, exit)
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
        self.pings.settings_change(false);
    }
}

/// Who may ping is the kernel's to say (`net.ipv4.ping_group_range`), and it is told that we may while there are PING_CHECKs.
struct Pings {
    groups: PingGroups,
    overrides: Overrides,
    untold: Vec<(String, Option<i64>)>,
}

impl Pings {
    fn new(overridden: BTreeMap<String, i64>) -> Self {
        let mut overrides = Overrides::new();
        overrides.inherit(overridden);
        Self {
            groups: PingGroups::new(),
            overrides,
            untold: Vec::new(),
        }
    }

    fn settings_change(&mut self, wanted: bool) {
        let result = if wanted {
            self.groups.let_us_in(&mut self.overrides).map(|changed| {
                if let Some(before) = changed {
                    debug!("net.ipv4.ping_group_range was {} {}: its lower end is 0 while there are PING_CHECKs", before.first, before.last);
                }
            })
        } else {
            self.groups.put_back(&mut self.overrides)
        };
        if let Err(problem) = result {
            warn!("PING_CHECK: {problem}");
        }
        self.untold.extend(self.overrides.take_news());
    }

    /// Puts back what a predecessor changed, if nobody wants it so any more.
    fn put_back_inherited(&mut self) {
        for problem in self.overrides.put_back_inherited() {
            warn!("{problem}");
        }
        self.untold.extend(self.overrides.take_news());
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
