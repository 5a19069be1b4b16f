//! One node: a real core, the model kernel under it, and the little host between them.
//!
//! The host does what the daemon does: one input, then every action of it, in order. On the way it lets the oracles look.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use types::{IfIndex, Instant, Prefix};
use vrrp::settings::VirtualAddress;
use vrrp::{
    Action, InterfaceAddress, Packet, Release, ScriptOutcome, Settings, Signal, StateName, Vrrp,
};

use crate::kernel::{Kernel, Notice};
use crate::network::Frame;
use crate::oracles::{Violation, Watch, check_blocked_before};
use crate::reload::Before;
use crate::sabotage::Sabotage;
use crate::scenario::SCRIPTS;
use crate::trace::Trace;
use crate::tracked::{Fact, Facts};

/// What a stopped process finds in its socket when it goes on: the newest packets beyond that are lost.
const SOCKET_BUFFER: usize = 64;
/// What a kernel puts into packets that are told none.
const DEFAULT_HOP_LIMIT: u8 = 64;
/// No input leads to more actions than that: three routers with five addresses, each announced a few times.
const MOST_ACTIONS: usize = 1_000;

/// Something that a core is told.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A packet arrived.
    Packet(Frame),
    /// The kernel said something.
    Notice(Notice),
    /// A script ended.
    ScriptExit {
        /// Which.
        script: String,
        /// How.
        outcome: ScriptOutcome,
    },
    /// Something else that is tracked has changed.
    Fact(Fact),
    /// New settings.
    Settings(Box<Settings>),
    /// Notices were lost: a snapshot.
    Resync,
    /// A deadline passed.
    Timeout,
    /// The daemon stops.
    Stop(Release),
}

/// What one input made the host do that concerns the rest of the world.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Adverts to deliver.
    pub frames: Vec<Frame>,
    /// Scripts that were started.
    pub started: Vec<String>,
    /// Scripts that were sent a signal.
    pub signalled: Vec<(String, Signal)>,
    /// Addresses that were added: the kernel will tell us so.
    pub echoes: Vec<InterfaceAddress>,
}

/// How a script behaves on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Exits with this status.
    Exits(i32),
    /// Runs until it gets SIGTERM.
    Hangs,
    /// Runs until it gets SIGKILL.
    Stubborn,
}

/// One node of the world.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its number.
    pub id: usize,
    /// The process; `None` when it does not run.
    pub vrrp: Option<Vrrp>,
    /// The kernel.
    pub kernel: Kernel,
    /// What the process is configured with.
    pub settings: Settings,
    /// What it was configured with when the world began.
    pub first: Settings,
    /// Stopped by SIGSTOP.
    pub paused: bool,
    /// What waits for a stopped process.
    inbox: VecDeque<Input>,
    /// How many processes there have been; tells the scripts of one from those of the next.
    pub life: u32,
    /// How each script behaves.
    pub manners: BTreeMap<String, Manner>,
    /// How things stand that it may track.
    pub facts: Facts,
    /// What the oracles remember.
    pub watch: Watch,
    /// Its wall clock is wrong, by as much as no relief can hide.
    pub clock: Clock,
    /// What is deliberately wrong with this host.
    pub sabotage: Option<Sabotage>,
    /// The last advert, for a host that parrots.
    last_advert: Option<Action>,
}

/// How wrong a wall clock is. It may be a second, which nobody refuses adverts for, or a day: longer than any world lasts, so
/// that after it was set right nothing that was signed by it can pass for fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    Right,
    Ahead(Duration),
    Behind(Duration),
}

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

impl Clock {
    /// The time since the Unix epoch; worlds begin on its third day.
    fn read(self, now: Instant) -> Duration {
        let right = DAY * 2 + now.since(Instant::ZERO);
        match self {
            Self::Behind(by) => right.saturating_sub(by),
            Self::Right => right,
            Self::Ahead(by) => right + by,
        }
    }
}

impl Node {
    /// A node that does not run yet.
    #[must_use]
    pub(crate) fn new(id: usize, settings: Settings) -> Self {
        let manners = SCRIPTS
            .iter()
            .map(|script| ((*script).to_owned(), Manner::Exits(0)))
            .collect();
        Self {
            id,
            vrrp: None,
            kernel: Kernel::boot(id),
            first: settings.clone(),
            settings,
            paused: false,
            inbox: VecDeque::new(),
            life: 0,
            manners,
            facts: Facts::GOOD,
            watch: Watch::default(),
            clock: Clock::Right,
            sabotage: None,
            last_advert: None,
        }
    }

    /// Whether a process runs and is not stopped.
    #[must_use]
    pub(crate) const fn is_running(&self) -> bool {
        self.vrrp.is_some() && !self.paused
    }

    /// When its process wants to be woken.
    #[must_use]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.paused {
            return None;
        }
        let deadline = self.vrrp.as_ref()?.next_deadline()?;
        Some(match self.sabotage {
            Some(Sabotage::SleepsLate(by)) => deadline + by,
            _ => deadline,
        })
    }

    /// Starts a process: a snapshot of the kernel, then the settings.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        resume: Vec<String>,
        outbox: &mut Outbox,
        trace: &mut Trace,
    ) -> Result<(), Violation> {
        let mut vrrp = Vrrp::new();
        vrrp.resume(resume);
        self.facts.tell_ahead(&mut vrrp);
        self.vrrp = Some(vrrp);
        self.life += 1;
        self.watch = Watch::default();
        self.handle(now, Input::Resync, outbox, trace)?;
        let settings = Box::new(self.settings.clone());
        self.handle(now, Input::Settings(settings), outbox, trace)?;
        for fact in self.facts.all() {
            self.handle(now, Input::Fact(fact), outbox, trace)?;
        }
        Ok(())
    }

    /// The process is gone, without a word. Its scripts, its sockets and what waited for it are gone with it.
    pub(crate) fn die(&mut self) {
        self.vrrp = None;
        self.paused = false;
        self.inbox.clear();
        self.kernel.close_sockets();
    }

    /// Gives the process an input, now or when it goes on.
    pub(crate) fn handle(
        &mut self,
        now: Instant,
        input: Input,
        outbox: &mut Outbox,
        trace: &mut Trace,
    ) -> Result<(), Violation> {
        let missed = self.sabotage == Some(Sabotage::BlindToLinks)
            && matches!(input, Input::Notice(Notice::Interface(_)));
        if self.vrrp.is_none() || missed {
            return Ok(());
        }
        if self.paused {
            let packets = || {
                self.inbox
                    .iter()
                    .filter(|waiting| matches!(waiting, Input::Packet(_)))
            };
            if !matches!(input, Input::Packet(_)) || packets().count() < SOCKET_BUFFER {
                self.inbox.push_back(input);
            }
            return Ok(());
        }
        self.feed(now, input, outbox, trace)
    }

    /// The process goes on: first what has arrived, then the deadlines that have passed.
    pub(crate) fn unpause(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        trace: &mut Trace,
    ) -> Result<(), Violation> {
        if !self.paused {
            return Ok(());
        }
        self.paused = false;
        self.watch.behind = true;
        self.watch.late = true;
        while let Some(input) = self.inbox.pop_front() {
            self.feed(now, input, outbox, trace)?;
        }
        self.watch.behind = false;
        self.feed(now, Input::Timeout, outbox, trace)?;
        self.watch.late = false;
        Ok(())
    }

    fn feed(
        &mut self,
        now: Instant,
        input: Input,
        outbox: &mut Outbox,
        trace: &mut Trace,
    ) -> Result<(), Violation> {
        let Some(mut vrrp) = self.vrrp.take() else {
            return Ok(());
        };
        let outcome = self.feed_core(&mut vrrp, now, input, outbox, trace);
        self.vrrp = Some(vrrp);
        outcome
    }

    fn feed_core(
        &mut self,
        vrrp: &mut Vrrp,
        now: Instant,
        input: Input,
        outbox: &mut Outbox,
        trace: &mut Trace,
    ) -> Result<(), Violation> {
        let id = self.id;
        if trace.is_on() {
            match &input {
                Input::Timeout => {}
                Input::Settings(_) => trace.note(now, format_args!("n{id} < settings")),
                Input::Packet(_)
                | Input::Notice(_)
                | Input::ScriptExit { .. }
                | Input::Fact(_)
                | Input::Resync
                | Input::Stop(_) => trace.note(now, format_args!("n{id} < {input:?}")),
            }
        }
        vrrp.handle_wall_clock(now, self.clock.read(now));
        match input {
            Input::Packet(frame) => {
                let Some(nic) = self.kernel.nic(frame.lan) else {
                    return Ok(());
                };
                let packet = Packet {
                    interface: nic.index,
                    source: frame.source,
                    destination: frame.destination,
                    hop_limit: frame.hop_limit,
                    carrier: frame.carrier,
                    promised: frame.message.len(),
                    payload: &frame.message,
                };
                vrrp.handle_packet(now, &packet);
                if let Some(action) = self.last_advert.clone() {
                    self.carry_out(vrrp, now, action, outbox)?;
                }
            }
            Input::Notice(Notice::Interface(interface)) => vrrp.handle_interface(now, interface),
            Input::Notice(Notice::InterfaceGone(index)) => vrrp.handle_interface_gone(now, index),
            Input::Notice(Notice::Address(address)) => vrrp.handle_address(now, address),
            Input::Notice(Notice::AddressGone(index, prefix)) => {
                vrrp.handle_address_gone(now, index, prefix);
            }
            Input::Notice(Notice::RouteGone(route)) => vrrp.handle_route_gone(now, &route),
            Input::Notice(Notice::RuleGone(rule)) => vrrp.handle_rule_gone(now, &rule),
            Input::ScriptExit { script, outcome } => {
                self.watch.script_ended(&script);
                vrrp.handle_script_exit(now, &script, outcome);
            }
            Input::Fact(fact) => fact.tell(vrrp, now),
            Input::Settings(settings) => return self.reload(vrrp, now, *settings, outbox, trace),
            Input::Resync => {
                self.watch.reading = true;
                let (interfaces, addresses) = self.kernel.snapshot();
                vrrp.handle_snapshot(now, interfaces, addresses);
                // What is known now has consequences, which are to be seen in what is read next.
                let behind = std::mem::replace(&mut self.watch.behind, true);
                self.drain(vrrp, now, outbox, trace)?;
                self.watch.behind = behind;
                self.watch.reading = true;
                let (routes, rules) = self.kernel.routing_snapshot();
                vrrp.handle_routing_snapshot(now, routes, rules);
            }
            Input::Timeout => vrrp.handle_timeout(now),
            Input::Stop(release) => {
                vrrp.handle_stop(now, release);
                self.watch.stopping = Some(release);
            }
        }
        self.drain(vrrp, now, outbox, trace)
    }

    fn reload(
        &mut self,
        vrrp: &mut Vrrp,
        now: Instant,
        settings: Settings,
        outbox: &mut Outbox,
        trace: &mut Trace,
    ) -> Result<(), Violation> {
        let before = Before::look(vrrp, &self.kernel);
        self.settings.clone_from(&settings);
        self.watch.settings_given(&settings);
        let mut settings = settings;
        match self.sabotage {
            Some(Sabotage::ReloadsByRestart) => vrrp.handle_settings(now, Settings::default()),
            Some(Sabotage::ForgetsGroups) => settings.sync_groups.clear(),
            _ => {}
        }
        vrrp.handle_settings(now, settings);
        self.watch.renamed(before.renamed(vrrp));
        self.drain(vrrp, now, outbox, trace)?;
        if self.sabotage == Some(Sabotage::ReloadsAddresses) {
            self.flush_addresses(vrrp, now, outbox)?;
        }
        before.check(&self.watch, vrrp)
    }

    /// Takes all addresses off their interfaces, and puts them back.
    fn flush_addresses(
        &mut self,
        vrrp: &Vrrp,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Result<(), Violation> {
        let masters = vrrp
            .instances()
            .filter(|view| view.state == StateName::Master);
        let held: Vec<Arc<VirtualAddress>> = masters
            .flat_map(|view| view.settings.addresses())
            .cloned()
            .collect();
        for address in held {
            let nic = self.kernel.by_name(&address.interface);
            let Some(interface) = nic.map(|nic| nic.index) else {
                continue;
            };
            for action in [
                Action::RemoveAddress {
                    interface,
                    address: Arc::clone(&address),
                },
                Action::AddAddress { interface, address },
            ] {
                self.carry_out(vrrp, now, action, outbox)?;
            }
        }
        Ok(())
    }

    fn drain(
        &mut self,
        vrrp: &mut Vrrp,
        now: Instant,
        outbox: &mut Outbox,
        trace: &mut Trace,
    ) -> Result<(), Violation> {
        self.watch.begin_drain();
        for _ in 0..MOST_ACTIONS {
            let Some(action) = vrrp.poll_action() else {
                return self.watch.after_drain(now, vrrp, &self.kernel);
            };
            if trace.is_on() {
                note(trace, now, self.id, &action);
            }
            let doctored = match self.sabotage {
                Some(sabotage) => sabotage.doctor(action),
                None => [Some(action), None],
            };
            for action in doctored.into_iter().flatten() {
                if self.sabotage == Some(Sabotage::Parrots)
                    && matches!(action, Action::SendAdvert { .. })
                {
                    self.last_advert = Some(action.clone());
                }
                self.carry_out(vrrp, now, action, outbox)?;
            }
        }
        Err(Violation::new(
            "the queue of actions is bounded",
            format!("{MOST_ACTIONS} actions after one input, and no end"),
        ))
    }

    fn carry_out(
        &mut self,
        vrrp: &Vrrp,
        now: Instant,
        action: Action,
        outbox: &mut Outbox,
    ) -> Result<(), Violation> {
        match action {
            Action::SendAdvert {
                interface,
                source,
                destination,
                hop_limit,
                carrier,
                message,
            } => {
                let nic = interface.and_then(|interface| self.kernel.by_index(interface));
                self.watch
                    .advert(now, vrrp, nic, (source, destination), &message)?;
                let Some(nic) = nic.filter(|nic| nic.usable()) else {
                    return Ok(());
                };
                outbox.frames.push(Frame {
                    lan: nic.lan,
                    from: self.id,
                    source,
                    destination,
                    hop_limit: hop_limit.unwrap_or(DEFAULT_HOP_LIMIT),
                    carrier,
                    message,
                });
            }
            Action::ChangeRouting(change) => self.kernel.change_routing(&change),
            Action::Block(blocked) => {
                let fresh = self.kernel.block(blocked.clone());
                self.watch.address_blocked(&blocked, fresh)?;
            }
            Action::Unblock(blocked) => {
                let there = self.kernel.unblock(&blocked);
                self.watch.address_unblocked(&blocked, there)?;
            }
            Action::AddAddress { interface, address } => {
                check_blocked_before(&self.settings, &self.kernel, &address)?;
                let prefix = Vrrp::kernel_prefix(&address);
                let added = self.kernel.add(interface, prefix);
                self.watch.address_added(prefix, added)?;
                outbox.echoes.push(InterfaceAddress {
                    interface,
                    prefix,
                    tentative: false,
                });
            }
            Action::RemoveAddress { interface, address } => {
                let prefix = Vrrp::kernel_prefix(&address);
                let removed = self.kernel.remove(interface, prefix);
                self.watch.address_removed(prefix, removed)?;
            }
            Action::AnnounceAddress {
                interface,
                mac,
                address,
            } => {
                let nic = self.kernel.by_index(interface);
                self.watch
                    .address_announced(now, &self.settings, nic, mac, address)?;
            }
            Action::Device(action) => {
                return Err(Violation::new(
                    "devices are made for those who want them",
                    format!("{action:?}"),
                ));
            }
            Action::JoinGroup { interface, group } => {
                let joined = self.kernel.join(interface, group);
                self.watch.group_joined(group, joined)?;
            }
            Action::LeaveGroup { interface, group } => {
                self.leave_group(interface, group)?;
            }
            Action::RunScript { script } => {
                self.watch.script_started(&script)?;
                outbox.started.push(script.to_string());
            }
            Action::SignalScript { script, signal } => {
                outbox.signalled.push((script.to_string(), signal));
            }
            Action::Announce(announcement) => self.watch.announcement(&announcement)?,
            Action::Report(_) => {}
        }
        Ok(())
    }

    fn leave_group(&mut self, interface: IfIndex, group: IpAddr) -> Result<(), Violation> {
        let there = self.kernel.by_index(interface).is_some();
        let left = self.kernel.leave(interface, group);
        // The memberships of a deleted interface went with it.
        self.watch.group_left(group, left || !there)
    }

    /// Whether the kernel has this address on any interface.
    #[must_use]
    pub(crate) fn holds(&self, prefix: Prefix) -> bool {
        self.kernel.nics().any(|nic| nic.has(prefix))
    }
}

fn note(trace: &mut Trace, now: Instant, id: usize, action: &Action) {
    match action {
        Action::SendAdvert {
            interface,
            source,
            destination,
            message,
            ..
        } => trace.note(
            now,
            format_args!(
                "n{id} > advert {message:?} from {source} to {destination} on {interface:?}"
            ),
        ),
        Action::AddAddress { interface, address } => trace.note(
            now,
            format_args!("n{id} > add {} on {interface}", address.prefix),
        ),
        Action::RemoveAddress { interface, address } => trace.note(
            now,
            format_args!("n{id} > remove {} from {interface}", address.prefix),
        ),
        Action::AnnounceAddress {
            interface, address, ..
        } => trace.note(
            now,
            format_args!("n{id} > announce {address} on {interface}"),
        ),
        Action::Announce(announcement) => trace.note(now, format_args!("n{id} > {announcement}")),
        Action::Report(report) => trace.note(now, format_args!("n{id} > log {report}")),
        Action::Device(_)
        | Action::JoinGroup { .. }
        | Action::LeaveGroup { .. }
        | Action::ChangeRouting(_)
        | Action::Block(_)
        | Action::Unblock(_)
        | Action::RunScript { .. }
        | Action::SignalScript { .. } => trace.note(now, format_args!("n{id} > {action:?}")),
    }
}
