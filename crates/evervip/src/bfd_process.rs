//! The BFD child: speaks BFD with neighbours, and tells the VRRP process and the checkers which of them can be reached.
//!
//! One thread, one epoll set. It carries inputs to the core and its actions to sockets and to those who go by its sessions.

mod dumps;
mod followers;
mod records;
mod sockets;

use std::path::Path;

use anyhow::{Context as _, Result};
use bfd::{Action, Bfd, Level, Packet};
use config::Settings;
use log::{debug, error, info, warn};
use sys::bfd_socket::{Received, Sent};
use sys::event_loop::EventLoop;
use sys::heartbeat::Heartbeat;
use sys::pid_file::PidFile;
use sys::process;
use sys::timer::Timer;
use types::Instant;
use types::bfd::Port;

use self::followers::Followers;
use self::records::Records;
use self::sockets::{Receivers, Senders};
use crate::child;
use crate::child::ChildProcess;
use crate::child::beginning::{Beginning, CHANNEL, SIGNALS};
use crate::child::line::Line;
use crate::child::orders::{Order, Orders};
use crate::child::tuning::Tuning;
use crate::messages::{Dump, Role, ToParent};

// Tokens of the epoll set, after those of every child.
const TIMER: u64 = 2;
const SINGLE_HOP: u64 = 3;
const MULTI_HOP: u64 = 4;

/// Where packets come in.
const PORTS: [(Port, u64); 2] = [(Port::SingleHop, SINGLE_HOP), (Port::MultiHop, MULTI_HOP)];

/// How often a receive socket is read before packets are sent that are due: some 2000 packets, a few milliseconds.
const ROUNDS: u32 = 4;

/// After so many turns of that kind all that waited in the beginning has been read, for no more fits into a socket. What comes since
/// may be a flood that never ends: whose packets are not among these is not heard.
const MOST_TURNS: u32 = 12;

/// The process.
pub(crate) struct BfdProcess {
    parent: Line,
    orders: Orders,
    timer: Timer,
    events: EventLoop,
    heartbeat: Option<Heartbeat>,
    core: Bfd,
    receivers: Receivers,
    senders: Senders,
    followers: Followers,
    records: Records,
    settings: Settings,
    dump_directory: String,
    pid_file: Option<PidFile>,
    tuning: Tuning,
    stopped: bool,
    /// Settings were taken in this turn.
    reloaded: bool,
}

impl ChildProcess for BfdProcess {
    const NAME: &'static str = "BFD process";

    fn begin(beginning: Beginning) -> Result<Self> {
        let Beginning {
            line: parent,
            orders,
            events,
            start,
            heartbeat,
        } = beginning;
        let settings: Settings =
            postcard::from_bytes(&start.settings).context("settings from the parent")?;
        let timer = Timer::new()?;
        events.add(&timer, TIMER)?;
        let seed = sys::random::number()?;
        // Last, so that nothing is left behind by a process that cannot begin.
        let pid_file = PidFile::claim(Path::new(&start.pid_file))?;
        let mut core = Bfd::new(seed);
        let alive = heartbeat.as_ref().map(Heartbeat::last);
        core.handle_predecessor(start.legacy.sessions, alive);
        let mut process = Self {
            parent,
            orders,
            timer,
            events,
            heartbeat,
            core,
            receivers: Receivers::new(PORTS.into()),
            senders: Senders::new(seed.rotate_left(32)),
            followers: Followers::default(),
            records: Records::default(),
            settings: Settings::default(),
            dump_directory: start.dump_directory,
            pid_file: Some(pid_file),
            tuning: Tuning::new(Role::Bfd),
            stopped: false,
            reloaded: false,
        };
        drop(start.settings);
        process.take_settings(settings);
        Ok(process)
    }

    fn serve(&mut self) -> Result<()> {
        let mut ready = Vec::new();
        let mut received = Vec::new();
        let mut turns = 0;
        loop {
            let planned = self.next_wake();
            self.timer.arm(planned)?;
            // What was planned for before is late because of what we did.
            let begin = sys::clock::now();
            self.events.wait(&mut ready)?;
            let now = sys::clock::now();
            self.tuning.woke(planned.map(|at| at.max(begin)), now);
            let is_due = self.core.next_deadline().is_some_and(|at| at <= now);
            let mut there_is_more = false;
            for (port, token) in PORTS {
                // Whatever the set said: what arrived before the clock was read comes before the conclusion that nothing did.
                if is_due || ready.contains(&token) {
                    there_is_more |= self.receive(now, port, &mut received);
                }
            }
            turns = if there_is_more { turns + 1 } else { 0 };
            for token in ready.drain(..) {
                match token {
                    TIMER => self.timer.acknowledge()?,
                    SIGNALS => self.hear_signals(now)?,
                    CHANNEL => self.hear_parent(now)?,
                    _ => {}
                }
            }
            if self.stopped {
                return self.end();
            }
            if std::mem::take(&mut self.reloaded) {
                // That took its time; nothing is concluded from what was read before.
                continue;
            }
            if there_is_more && turns < MOST_TURNS {
                self.core.handle_send_times(now);
            } else {
                turns = 0;
                self.core.handle_timeout(now);
            }
            self.carry_out(now);
            self.receivers.tick(now, &self.events);
            if let Some(heartbeat) = &self.heartbeat {
                heartbeat.beat(now);
            }
            self.followers.tick(now);
            self.parent.tick(now);
            self.records.tell(now, &self.parent);
        }
    }

    fn ears(&mut self) -> (&mut Orders, &mut Line, &EventLoop) {
        (&mut self.orders, &mut self.parent, &self.events)
    }

    fn obey(&mut self, now: Instant, order: Order) -> Result<()> {
        match order {
            Order::Reload(settings) if !self.stopped => {
                info!("Reloading");
                self.take_settings(*settings);
                self.reloaded = true;
            }
            // Whoever leaves needs none any more.
            Order::Reload(_) => {}
            Order::Stop => {
                if !std::mem::replace(&mut self.stopped, true) {
                    info!("Stopping");
                }
            }
            Order::Dump(dump) => self.dump(now, dump),
            Order::Tell(role, channel) => {
                if let Some(follower) = self.followers.add(role, channel) {
                    self.core.handle_consumer(follower);
                    self.carry_out(now);
                }
            }
            // It has started no process, and listens to no sessions but its own.
            Order::Bury(_) | Order::ListenTo(_) => {}
        }
        Ok(())
    }
}

impl BfdProcess {
    fn next_wake(&self) -> Option<Instant> {
        let wakes = [
            self.core.next_deadline(),
            self.receivers.next_wake(),
            self.followers.next_wake(),
            self.records.next_wake(),
            self.parent.next_wake(),
        ];
        wakes.into_iter().flatten().min()
    }

    /// Hands what came to a port over to the core. True if there may be more.
    fn receive(&mut self, now: Instant, port: Port, received: &mut Vec<Received>) -> bool {
        for _ in 0..ROUNDS {
            received.clear();
            let there_is_more = self.receivers.receive(port, received);
            for packet in received.iter() {
                self.core.handle_packet(
                    now,
                    &Packet {
                        port,
                        source: packet.source,
                        destination: packet.destination,
                        hop_limit: packet.hop_limit,
                        length: packet.payload.length(),
                        payload: packet.payload.bytes(),
                    },
                );
                self.carry_out(now);
            }
            if !there_is_more {
                return false;
            }
        }
        true
    }

    fn carry_out(&mut self, now: Instant) {
        let mut somebody_is_told = false;
        while let Some(action) = self.core.poll_action() {
            match action {
                Action::Send(session, packet) => {
                    if let Some(settings) = self.core.settings(session) {
                        let outcome = self.senders.send(session, settings, &packet);
                        match outcome {
                            Ok(Sent::Whole) => self.core.handle_sent(session, Ok(())),
                            // The next one is as good as one that found no room.
                            Ok(Sent::Full) => {}
                            Err(why) => self.core.handle_sent(session, Err(why)),
                        }
                    }
                }
                Action::Open(session) => {
                    if let Some(settings) = self.core.settings(session) {
                        let outcome = self.senders.open(session, settings);
                        self.core.handle_socket(now, session, outcome);
                    }
                }
                Action::Close(session) => self.senders.close(session),
                Action::Tell { to, name, up } => {
                    self.followers.tell(now, to, name, up);
                    somebody_is_told = true;
                }
                Action::Remember(name, record) => {
                    self.records.keep(name, record.map(|record| *record));
                }
                Action::Log(event) => match event.level() {
                    Level::Debug => debug!("{event}"),
                    Level::Info => info!("{event}"),
                    Level::Warning => warn!("{event}"),
                },
                other => error!("nobody carries out {other:?}"),
            }
        }
        if somebody_is_told {
            // The parent first: should a follower die at once, its successor begins with what it was told.
            self.records.tell(now, &self.parent);
            self.followers.flush(now);
        }
    }

    /// First settings or new ones.
    fn take_settings(&mut self, mut settings: Settings) {
        let now = sys::clock::now();
        // The core keeps its part; here it would only be a second copy.
        let sessions = std::mem::take(&mut settings.bfd);
        self.senders.make_room_for(sessions.sessions.len());
        self.receivers.settings_change(now, &sessions, &self.events);
        self.followers.all_follows();
        self.core.handle_settings(now, sessions);
        self.carry_out(now);
        // Nobody may be left to be told of, which is to be told.
        self.followers.flush(now);
        self.settings = settings;
        self.parent.tell(ToParent::SettingsTaken);
        process::give_back_memory();
        self.tuning.settings_change(&self.settings.global.processes);
    }

    /// The neighbours are not told: to them a daemon that stops is one that cannot be reached (keepalived).
    fn end(&mut self) -> Result<()> {
        if let Some(pid_file) = self.pid_file.take() {
            pid_file.remove()?;
        }
        child::say_goodbye();
        Ok(())
    }

    fn dump(&self, now: Instant, dump: Dump) {
        match dump {
            Dump::Data => {}
            // These are the VRRP process'.
            Dump::Stats | Dump::StatsAndClear | Dump::Json => return,
        }
        let directory = Path::new(&self.dump_directory);
        let sockets = (&self.receivers, &self.senders);
        if let Err(problem) = dumps::write(directory, now, &self.core, &self.settings, sockets) {
            error!(
                "cannot write a dump to {}: {problem:#}",
                directory.display()
            );
        }
        process::give_back_memory();
    }
}
