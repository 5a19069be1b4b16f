//! The VRRP child: carries inputs to the core and its actions to the kernel.
//!
//! One thread, one epoll set. The order after each wake-up is part of the contract with the core: packets first, then what
//! the kernel has to tell, then everything else, and only then the timers. A process that was not scheduled for a while
//! must hear what the master said meanwhile before it concludes that the master was silent.

mod buffers;
mod culprit;
mod devices;
mod dumps;
mod exchange;
mod fifo_lines;
mod firewall;
mod hands;
mod kernel_view;
mod masters;
mod notify;
mod promotion;
mod routing;
mod scripts;
mod sync_daemon;
mod trackers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use config::Settings;
use config::settings::global::{Buffers, ReceiveBuffer};
use log::{error, info, warn};
use sys::advert_socket::{AdvertReceiver, Received};
use sys::channel::Delivery;
use sys::event_loop::EventLoop;
use sys::heartbeat::Heartbeat;
use sys::netlink::{Drained, Monitor};
use sys::pid_file::PidFile;
use sys::process;
use sys::timer::Timer;
use types::{Family, IfIndex, Instant, Vrid};
use vrrp::settings::Authentication;
use vrrp::{Carrier, Packet, Release, Vrrp};
use wire::{ah, ipv4};

use self::hands::Hands;
use self::masters::Masters;
use self::promotion::Promotion;
use self::sync_daemon::FollowingDaemon;
use self::trackers::{Finding, Trackers};
use crate::child::ChildProcess;
use crate::child::beginning::{Beginning, CHANNEL, SIGNALS};
use crate::child::files::FirstContent;
use crate::child::line::Line;
use crate::child::orders::{Order, Orders};
use crate::child::sessions::Sessions;
use crate::child::tuning::Tuning;
use crate::child::{self, PARTING_TIME, READING_TIME};
use crate::kernel_routing::PROTOCOL;
use crate::messages::{Dump, NAMES_PER_MESSAGE, Role, ToParent};

/// Calls of `receive`, 512 packets each, before the timers get their turn: together more than the socket's buffer holds, so
/// that all that waited when we woke is heard, and a flood that never ends still does not stop the timers.
const MOST_ROUNDS: u32 = 32;

// Tokens of the epoll set, after those of every child.
const TIMER: u64 = 2;
const MONITOR: u64 = 3;
const RECEIVERS: u64 = 4;
const FILES: u64 = 5;
const PROCESSES: u64 = 6;
const SESSIONS: u64 = 7;

/// The process.
pub(crate) struct VrrpProcess {
    parent: Line,
    orders: Orders,
    timer: Timer,
    events: EventLoop,
    monitor: Monitor,
    receivers: BTreeMap<Family, AdvertReceiver>,
    /// For instances with authentication headers, if there are any.
    ah_receiver: Option<AdvertReceiver>,
    heartbeat: Option<Heartbeat>,
    core: Vrrp,
    hands: Hands,
    masters: Masters,
    promotion: Promotion,
    sync_daemon: FollowingDaemon,
    trackers: Trackers,
    sessions: Sessions,
    settings: Settings,
    start: StartFacts,
    pid_file: Option<PidFile>,
    state: Running,
    unknown_vrids: UnknownVrids,
    tuning: Tuning,
}

/// Virtual routers that others run on our links and we do not (`log_unknown_vrids`), each mentioned once.
#[derive(Default)]
struct UnknownVrids(BTreeSet<(IfIndex, Family, u8)>);

impl UnknownVrids {
    fn log(&mut self, packet: &Packet<'_>) {
        let Some(vrid) = packet.payload.get(1) else {
            return;
        };
        if self.0.insert((packet.interface, packet.family(), *vrid)) {
            info!(
                "unknown VRID {vrid} received from {} on interface {}",
                packet.source, packet.interface
            );
        }
    }
}

/// What is left of [`Start`](crate::messages::Start) once the settings have been taken out.
struct StartFacts {
    dump_directory: String,
    keep_addresses: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Running {
    Yes,
    /// Stopped; scripts may finish until then.
    Leaving(Instant),
}

impl ChildProcess for VrrpProcess {
    const NAME: &'static str = "VRRP process";

    fn begin(beginning: Beginning) -> Result<Self> {
        let Beginning {
            line: parent,
            orders,
            events,
            start,
            heartbeat,
        } = beginning;
        let mut monitor = Monitor::new()?;
        let timer = Timer::new()?;
        events.add(&timer, TIMER)?;
        events.add(&monitor, MONITOR)?;

        let first = if start.initialise_files {
            FirstContent::Write
        } else {
            FirstContent::Leave
        };
        let mut core = Vrrp::new();
        let settings: Settings =
            postcard::from_bytes(&start.settings).context("settings from the parent")?;
        core.resume(resumable(
            &start.legacy.names,
            &settings,
            heartbeat.as_ref(),
        ));
        let hands = Hands::new(start.legacy.overridden)?;
        monitor.ignore_additions_of(hands.port_id())?;
        // Last, so that nothing is left behind by a process that cannot begin.
        let pid_file = PidFile::claim(Path::new(&start.pid_file))?;
        let mut process = Self {
            parent,
            orders,
            timer,
            events,
            monitor,
            receivers: BTreeMap::new(),
            ah_receiver: None,
            heartbeat,
            core,
            hands,
            masters: Masters::new(start.legacy.names),
            promotion: Promotion::default(),
            sync_daemon: FollowingDaemon::default(),
            trackers: Trackers::new(FILES, PROCESSES),
            sessions: Sessions::new(
                sys::clock::now(),
                SESSIONS,
                (start.sessions_up, start.sessions_as_of),
            ),
            settings: Settings::default(),
            start: StartFacts {
                dump_directory: start.dump_directory,
                keep_addresses: start.keep,
            },
            pid_file: Some(pid_file),
            state: Running::Yes,
            unknown_vrids: UnknownVrids::default(),
            tuning: Tuning::new(Role::Vrrp),
        };
        process.read_kernel()?;
        drop(start.settings);
        process.take_settings(settings, first)?;
        process.hands.put_back_inherited();
        Ok(process)
    }

    fn serve(&mut self) -> Result<()> {
        let mut ready = Vec::new();
        loop {
            let planned = self.next_wake();
            self.timer.arm(planned)?;
            self.events.wait(&mut ready)?;
            let now = self.read_clocks();
            self.tuning.woke(planned, now);
            // After a timer, too: what arrived while nobody looked comes before the conclusion that nothing did.
            self.receive(now)?;
            for token in &ready {
                match *token {
                    MONITOR => self.hear_kernel(now)?,
                    SIGNALS => self.hear_signals(now)?,
                    CHANNEL => self.hear_parent(now)?,
                    FILES => {
                        let findings = self.trackers.hear_files(now);
                        self.find_out(now, findings);
                    }
                    PROCESSES => {
                        let findings = self.trackers.hear_processes(now);
                        self.find_out(now, findings);
                    }
                    SESSIONS => {
                        let news = self.sessions.hear(now, &self.events)?;
                        self.hear_of_sessions(now, news);
                    }
                    TIMER => self.timer.acknowledge()?,
                    _ => {}
                }
            }
            match self.state {
                Running::Yes => {
                    let news = self.sessions.tick(now);
                    self.hear_of_sessions(now, news);
                    let findings = self.trackers.tick(now);
                    self.find_out(now, findings);
                    self.core.handle_timeout(now);
                    self.carry_out(now);
                    // Adverts have left by now.
                    if self.hands.look(now) {
                        self.carry_out(now);
                    }
                    if let Some(heartbeat) = &self.heartbeat {
                        heartbeat.beat(now);
                    }
                    self.sync_daemon.follow(now, &self.core);
                    self.parent.tick(now);
                    self.tell_masters();
                    self.tell_overrides();
                    if self.hands.did_much() {
                        process::give_back_memory();
                    }
                    if self.hands.lost_track() {
                        bail!("nobody knows which addresses the kernel has: beginning anew");
                    }
                }
                Running::Leaving(until) => {
                    let busy =
                        self.hands.scripts_are_running() || self.hands.fifos_are_being_read();
                    if now >= until || !busy {
                        return self.end();
                    }
                }
            }
        }
    }

    fn ears(&mut self) -> (&mut Orders, &mut Line, &EventLoop) {
        (&mut self.orders, &mut self.parent, &self.events)
    }

    fn obey(&mut self, now: Instant, order: Order) -> Result<()> {
        match order {
            Order::Reload(settings) => {
                info!("Reloading");
                self.take_settings(*settings, FirstContent::Leave)?;
                self.hands.write_states(&self.core, &self.settings);
            }
            Order::Stop => self.stop(now),
            Order::Dump(dump) => self.dump(now, dump),
            Order::ListenTo(channel) => self.sessions.listen_to(now, channel, &self.events),
            // Nobody goes by what it knows.
            Order::Tell(..) => {}
            Order::Bury(exit) => {
                if let Some((script, outcome)) = self.hands.script_ended(now, &exit) {
                    self.core.handle_script_exit(now, &script, outcome);
                    self.carry_out(now);
                }
            }
        }
        Ok(())
    }
}

impl VrrpProcess {
    fn hear_of_sessions(&mut self, now: Instant, news: Vec<(String, bool)>) {
        for (name, up) in news {
            self.core.handle_bfd(now, &name, up);
            self.carry_out(now);
        }
    }

    /// Tells the core what was found out about the things that instances track.
    fn find_out(&mut self, now: Instant, findings: Vec<Finding>) {
        for finding in findings {
            match finding {
                Finding::File(name, value) => self.core.handle_file(now, &name, value),
                Finding::Processes(name, count) => {
                    self.core.handle_process_count(now, &name, count);
                }
                Finding::Link(interface, answer) => {
                    self.hands
                        .link_answers(now, &interface, answer, &mut self.core);
                }
            }
            self.carry_out(now);
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        match self.state {
            Running::Yes => {
                let wakes = [
                    self.core.next_deadline(),
                    self.trackers.next_wake(),
                    self.sessions.next_wake(),
                    self.hands.next_wake(),
                    self.sync_daemon.next_wake(),
                    self.parent.next_wake(),
                ];
                wakes.into_iter().flatten().min()
            }
            // No event tells that a FIFO has been read.
            Running::Leaving(until) if self.hands.fifos_are_being_read() => {
                Some(until.min(sys::clock::now() + READING_TIME))
            }
            Running::Leaving(until) => Some(until),
        }
    }

    /// Drains the receive sockets into the core.
    fn receive(&mut self, now: Instant) -> Result<()> {
        let Self {
            receivers,
            ah_receiver,
            core,
            hands,
            settings,
            unknown_vrids,
            ..
        } = self;
        for receiver in receivers.values_mut().chain(ah_receiver) {
            for _round in 0..MOST_ROUNDS {
                let summary = receiver.receive(|received| {
                    if let Some(packet) = packet(&received) {
                        let unknown = core.unknown_vrid();
                        core.handle_packet(now, &packet);
                        hands.carry_out(now, core, settings);
                        if core.unknown_vrid() > unknown && settings.global.log_unknown_vrids {
                            unknown_vrids.log(&packet);
                        }
                    }
                });
                let summary = summary.context("receiving adverts")?;
                if summary.dropped > 0 {
                    let dropped = summary.dropped;
                    log::debug!(
                        "{dropped} packets came without an interface, a source or a hop limit"
                    );
                }
                if !summary.more {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The time, which the core is told on the wall clock, too.
    fn read_clocks(&mut self) -> Instant {
        let now = sys::clock::now();
        self.core
            .handle_wall_clock(now, sys::clock::wall().since_epoch());
        now
    }

    fn carry_out(&mut self, now: Instant) {
        self.hands.carry_out(now, &mut self.core, &self.settings);
    }

    /// Reads interfaces and addresses anew: at start, and after notifications were lost.
    fn read_kernel(&mut self) -> Result<()> {
        let (interfaces, addresses) = self
            .hands
            .read_kernel()
            .context("reading interfaces and addresses")?;
        let now = sys::clock::now();
        self.core.handle_snapshot(now, interfaces, addresses);
        self.hands.tell_vrfs(&mut self.core);
        self.carry_out(now);
        self.read_routing(now)?;
        self.carry_out(now);
        Ok(())
    }

    /// Reads routes and rules, too, if there are any that we want to hold.
    fn read_routing(&mut self, now: Instant) -> Result<()> {
        let (routes, rules) = self
            .hands
            .read_routing()
            .context("reading routes and rules")?;
        self.core.handle_routing_snapshot(now, routes, rules);
        Ok(())
    }

    fn hear_kernel(&mut self, now: Instant) -> Result<()> {
        let mut heard = Vec::new();
        let drained = self
            .monitor
            .drain(&mut heard)
            .context("hearing of interfaces and addresses")?;
        for event in heard {
            self.promotion.hear(&event);
            self.hands.tell_core(now, &event, &mut self.core);
            self.carry_out(now);
            self.hands.event_is_over();
        }
        self.promotion.apply(&self.core, self.hands.overrides());
        self.hands.retry_joins();
        if drained == Drained::Overrun {
            warn!(
                "the kernel had more to tell about interfaces than we could hear: reading everything again"
            );
            self.hands.forget_echoes();
            self.read_kernel()?;
        }
        Ok(())
    }

    /// First settings or new ones.
    fn take_settings(&mut self, mut settings: Settings, first: FirstContent) -> Result<()> {
        // The core keeps its part; here it would only be a second copy.
        let vrrp = std::mem::take(&mut settings.vrrp);
        self.listen_for(&vrrp, settings.global.log_unknown_vrids)?;
        self.hands.scripts_change(&vrrp.scripts);
        self.promotion
            .settings_change(&vrrp, self.hands.overrides());
        self.promotion.apply(&self.core, self.hands.overrides());
        self.hands.filter_changes(&vrrp, &settings.global.firewall);
        self.hands.fifos_change(&settings);
        self.sync_daemon.settings_change(&settings, &vrrp);
        self.hands
            .disable_local_igmp(settings.global.disable_local_igmp);
        let now = self.read_clocks();
        let ahead = self.trackers.prepare(now, &vrrp, first, &self.events);
        self.size_buffers(&vrrp, &settings.global.buffers);
        self.core
            .tell_ahead(ahead.files, ahead.processes, self.sessions.all());
        self.find_out(now, ahead.links);
        if self.hands.routing_changes(&vrrp) {
            self.monitor.watch_routing(PROTOCOL)?;
            self.read_routing(now)?;
        }
        self.masters.settings_change(&self.core);
        self.core.handle_uptime(now, sys::clock::uptime());
        let devices = vrrp.devices().map(|device| device.name).collect();
        self.core.handle_settings(now, vrrp);
        // Whoever is deleted by these settings is announced with the scripts of the old ones.
        let old = std::mem::replace(&mut self.settings, settings);
        self.hands
            .carry_out_reload(now, &mut self.core, &self.settings, &old);
        drop(old);
        self.hands.keep_devices(&devices);
        self.sync_daemon.follow(now, &self.core);
        // Whoever hears that they are taken knows what a successor has to know because of them.
        self.tell_masters();
        self.tell_overrides();
        self.parent.tell(ToParent::SettingsTaken);
        process::give_back_memory();
        self.tuning.settings_change(&self.settings.global.processes);
        Ok(())
    }

    /// One receive socket for each family that is spoken, with a filter for the virtual routers that we run.
    fn listen_for(&mut self, settings: &vrrp::Settings, everything: bool) -> Result<()> {
        for family in [Family::V4, Family::V6] {
            let mut vrids: BTreeSet<Vrid> = settings
                .instances
                .iter()
                .filter(|instance| instance.family == family)
                .map(|instance| instance.vrid)
                .collect();
            if everything && !vrids.is_empty() {
                vrids = (1..=u8::MAX)
                    .filter_map(|vrid| Vrid::new(vrid).ok())
                    .collect();
            }
            if !vrids.is_empty() {
                self.hands.prepare_to_send(family)?;
            }
            match (self.receivers.get_mut(&family), vrids.is_empty()) {
                (Some(receiver), false) => receiver.listen_for(&vrids)?,
                (None, false) => {
                    let mut receiver = AdvertReceiver::new(family)?;
                    receiver.listen_for(&vrids)?;
                    self.events.add(&receiver, RECEIVERS)?;
                    self.receivers.insert(family, receiver);
                }
                (Some(receiver), true) => {
                    self.events.remove(&*receiver)?;
                    self.receivers.remove(&family);
                }
                (None, true) => {}
            }
        }
        self.listen_behind_ah(settings)
    }

    /// Receive buffers as the settings want them.
    fn size_buffers(&self, settings: &vrrp::Settings, buffers: &Buffers) {
        let size = |buffer: &ReceiveBuffer| usize::try_from(buffer.size).unwrap_or(usize::MAX);
        let (monitor, commands) = (&buffers.vrrp_netlink_monitor, &buffers.vrrp_netlink_cmd);
        let processes = &buffers.process_monitor;
        let mut results = vec![
            self.monitor
                .set_receive_buffer(size(monitor), monitor.force),
            self.hands
                .set_receive_buffer(size(commands), commands.force),
            self.trackers
                .set_receive_buffer(size(processes), processes.force),
        ];
        let mtus = self.hands.mtus();
        let of_adverts = |family| buffers::of_adverts(settings, family, &buffers.adverts, mtus);
        for (family, receiver) in &self.receivers {
            results.push(receiver.set_receive_buffer(of_adverts(*family), true));
        }
        if let Some(receiver) = &self.ah_receiver {
            results.push(receiver.set_receive_buffer(of_adverts(Family::V4), true));
        }
        for problem in results.into_iter().filter_map(Result::err) {
            error!("{problem}");
        }
    }

    /// The same for what follows an authentication header.
    fn listen_behind_ah(&mut self, settings: &vrrp::Settings) -> Result<()> {
        let vrids: BTreeSet<Vrid> = settings
            .instances
            .iter()
            .filter(|instance| matches!(instance.authentication, Authentication::Ah(_)))
            .map(|instance| instance.vrid)
            .collect();
        if vrids.is_empty() {
            if let Some(receiver) = self.ah_receiver.take() {
                self.events.remove(&receiver)?;
            }
            return Ok(());
        }
        if let Some(receiver) = &mut self.ah_receiver {
            return Ok(receiver.listen_for(&vrids)?);
        }
        let mut receiver = AdvertReceiver::behind_ah()?;
        receiver.listen_for(&vrids)?;
        self.events.add(&receiver, RECEIVERS)?;
        self.ah_receiver = Some(receiver);
        Ok(())
    }

    fn stop(&mut self, now: Instant) {
        if self.state != Running::Yes {
            return;
        }
        info!("Stopping");
        let release = if self.start.keep_addresses {
            Release::Nothing
        } else {
            Release::Everything
        };
        self.core.handle_stop(now, release);
        self.carry_out(now);
        self.state = Running::Leaving(now + PARTING_TIME);
    }

    fn end(&mut self) -> Result<()> {
        self.promotion.end(self.hands.overrides());
        self.sync_daemon.end();
        self.hands.end(self.start.keep_addresses);
        self.tell_overrides();
        if let Some(pid_file) = self.pid_file.take() {
            pid_file.remove()?;
        }
        child::say_goodbye();
        Ok(())
    }

    fn dump(&mut self, now: Instant, dump: Dump) {
        let directory = Path::new(&self.start.dump_directory);
        if let Err(problem) = dumps::write(directory, dump, now, &self.core, &self.settings) {
            error!(
                "cannot write a dump to {}: {problem:#}",
                directory.display()
            );
        }
        if dump == Dump::StatsAndClear {
            self.core.clear_statistics();
        }
    }

    /// Lets the parent know who is master, so that a successor of ours could carry on.
    fn tell_masters(&mut self) {
        let Some(news) = self.masters.news(&self.core, NAMES_PER_MESSAGE) else {
            return;
        };
        let (gained, lost) = news.clone();
        match self.parent.send(&ToParent::Names { gained, lost }) {
            Ok(Delivery::Sent) => self.masters.told(&self.core, &news),
            // Told with the next wake-up.
            Ok(Delivery::Full | Delivery::Closed) => {}
            Err(problem) => error!("cannot tell the parent who is master: {problem:#}"),
        }
    }

    /// Lets the parent know which of the kernel's settings are to be put back, should we not be able to.
    fn tell_overrides(&mut self) {
        self.parent.tell_overrides(self.hands.overrides_to_tell());
    }
}

/// What the core is told of a received packet; `None` when it is too short for its own IP header, or was cut.
fn packet<'a>(received: &Received<'a>) -> Option<Packet<'a>> {
    let (payload, promised, carrier) = match received.family {
        Family::V4 => {
            let datagram = ipv4::Datagram::parse(received.datagram)?;
            (
                datagram.payload,
                usize::from(datagram.header.payload_length),
                match datagram.header {
                    ipv4::Header {
                        protocol: ah::PROTOCOL,
                        identification,
                        ..
                    } => Carrier::Ah { identification },
                    ipv4::Header { .. } => Carrier::Vrrp,
                },
            )
        }
        Family::V6 => (received.datagram, received.datagram.len(), Carrier::Vrrp),
    };
    if received.truncated {
        return None;
    }
    Some(Packet {
        interface: received.interface,
        source: received.source,
        destination: received.destination,
        hop_limit: received.hop_limit,
        carrier,
        promised,
        payload,
    })
}

/// The instances of a dead predecessor that may carry on as master: those whose last advert is so fresh that no backup can
/// have lost patience yet, whatever its priority.
fn resumable(
    masters: &BTreeSet<String>,
    settings: &Settings,
    heartbeat: Option<&Heartbeat>,
) -> Vec<String> {
    let Some(heartbeat) = heartbeat else {
        return Vec::new();
    };
    let silence = sys::clock::now().since(heartbeat.last());
    settings
        .vrrp
        .instances
        .iter()
        .filter(|instance| masters.contains(&instance.name))
        // The number of its last advert died with the process, and with a lesser one nobody would believe it.
        .filter(|instance| !matches!(instance.authentication, Authentication::Ah(_)))
        .filter(|instance| {
            // At the last beat the advert could be almost one interval old.
            let patience = instance.advert_int.as_duration()
                * u32::from(instance.down_timer_adverts.saturating_sub(1));
            silence < patience
        })
        .map(|instance| instance.name.clone())
        .collect()
}
