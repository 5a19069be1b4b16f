//! The checker child: finds out which real servers are well, and tells the kernel's IPVS whom to give connections to.
//!
//! One thread, one epoll set. It carries inputs to the core and its actions to the kernel, to scripts and to FIFOs.

mod addresses;
mod attempts;
mod balancer;
mod commands;
mod downs;
mod dumps;
mod effort;
mod given;
mod hands;
mod ipvs_tuning;
mod marker;
mod remarks;
mod step;

use std::path::Path;

use anyhow::{Context as _, Result};
use config::Settings;
use log::{debug, error, info};
use lvs::Lvs;
use sys::event_loop::EventLoop;
use sys::heartbeat::Heartbeat;
use sys::nftables::MarkTable;
use sys::pid_file::PidFile;
use sys::process;
use types::Instant;

use self::addresses::{Addresses, News};
use self::attempts::FIRST_TOKEN;
use self::balancer::Look;
use self::downs::Downs;
use self::given::Given;
use self::hands::Hands;
use self::ipvs_tuning::IpvsTuning;
use self::step::Steps;
use crate::child::ChildProcess;
use crate::child::beginning::{Beginning, CHANNEL, SIGNALS};
use crate::child::files::{self, Files};
use crate::child::line::Line;
use crate::child::orders::{Order, Orders};
use crate::child::sessions::Sessions;
use crate::child::tuning::Tuning;
use crate::child::{self, PARTING_TIME, READING_TIME};
use crate::messages::{Dump, Role, ToParent};

// Tokens of the epoll set, after those of every child.
const FILES: u64 = 2;
const ADDRESSES: u64 = 3;
const SESSIONS: u64 = 4;

/// The process.
pub(crate) struct CheckerProcess {
    parent: Line,
    orders: Orders,
    events: EventLoop,
    heartbeat: Option<Heartbeat>,
    core: Lvs,
    hands: Hands,
    files: Files,
    sessions: Sessions,
    addresses: Addresses,
    downs: Downs,
    given: Given,
    /// What the parent takes [`Lvs::flush_is_due`] for.
    told_of_flush: bool,
    settings: Settings,
    dump_directory: String,
    keep: bool,
    pid_file: Option<PidFile>,
    state: Running,
    tuning: Tuning,
    ipvs_tuning: IpvsTuning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Running {
    Yes,
    /// Stopped; scripts may finish until then.
    Leaving(Instant),
}

impl ChildProcess for CheckerProcess {
    const NAME: &'static str = "checker process";

    fn begin(beginning: Beginning) -> Result<Self> {
        let Beginning {
            line: parent,
            orders,
            events,
            start,
            heartbeat,
        } = beginning;
        let mut settings: Settings =
            postcard::from_bytes(&start.settings).context("settings from the parent")?;
        let mut core = Lvs::new(seed());
        // Otherwise what is there is what a predecessor made.
        settings.lvs.global.flush &= start.legacy.flush_is_due;
        if start.successor {
            let down = start.legacy.names.iter().map(|name| name.as_str().into());
            core.handle_predecessor(down, start.legacy.marks.iter().cloned());
        }
        let mut overridden = start.legacy.overridden;
        let ipvs_tuning = IpvsTuning::new(&mut overridden);
        // Last, so that nothing is left behind by a process that cannot begin.
        let pid_file = PidFile::claim(Path::new(&start.pid_file))?;
        let mut process = Self {
            parent,
            orders,
            events,
            heartbeat,
            core,
            hands: Hands::new(overridden),
            files: Files::new(FILES),
            sessions: Sessions::new(
                sys::clock::now(),
                SESSIONS,
                (start.sessions_up, start.sessions_as_of),
            ),
            addresses: Addresses::new(ADDRESSES),
            downs: Downs::new(start.legacy.names),
            given: Given::new(start.legacy.marks.len()),
            told_of_flush: start.legacy.flush_is_due,
            settings: Settings::default(),
            dump_directory: start.dump_directory,
            keep: start.keep,
            pid_file: Some(pid_file),
            state: Running::Yes,
            tuning: Tuning::new(Role::Checkers),
            ipvs_tuning,
        };
        drop(start.settings);
        if start.initialise_files {
            files::write_first_content(&settings.vrrp.track_files);
        }
        process.take_settings(settings);
        process.hands.put_back_inherited();
        Ok(process)
    }

    fn serve(&mut self) -> Result<()> {
        let mut ready = Vec::new();
        let mut now = sys::clock::now();
        let mut steps = Steps::new(now);
        loop {
            let planned = self.next_wake().map(|at| steps.end(at, now));
            // No timer: thousands of attempts a second would arm and read it.
            let limit = planned.map(|at| at.since(now));
            let hands = &mut self.hands;
            self.events.wait_for_changes(limit, |change| {
                if change.token >= FIRST_TOKEN {
                    hands.note_attempt(change);
                } else {
                    ready.push(change.token);
                }
            })?;
            // There may be more to do at once: that is not late by all the time before.
            let planned = planned.map(|at| at.max(now));
            now = sys::clock::now();
            self.tuning.woke(planned, now);
            let is_usual = ready.is_empty() && self.next_unusual().is_none_or(|at| at > now);
            for token in ready.drain(..) {
                match token {
                    SIGNALS => self.hear_signals(now)?,
                    CHANNEL => self.hear_parent(now)?,
                    FILES => {
                        let values = self.files.hear(now);
                        self.hear_of_files(now, values);
                    }
                    SESSIONS => {
                        let news = self.sessions.hear(now, &self.events)?;
                        self.hear_of_sessions(now, news);
                    }
                    ADDRESSES => {
                        let news = self.addresses.hear(now, &self.events);
                        self.hear_of_addresses(now, news);
                    }
                    _ => {}
                }
            }
            if !is_usual {
                now = sys::clock::now();
            }
            match self.state {
                Running::Yes => now = self.tick(now, is_usual),
                Running::Leaving(until) => {
                    if now >= until || !self.hands.are_busy() {
                        return self.end();
                    }
                }
            }
            steps.note(now, self.hands.take_served());
        }
    }

    fn ears(&mut self) -> (&mut Orders, &mut Line, &EventLoop) {
        (&mut self.orders, &mut self.parent, &self.events)
    }

    fn obey(&mut self, now: Instant, order: Order) -> Result<()> {
        match order {
            Order::Reload(settings) if self.state == Running::Yes => {
                info!("Reloading");
                self.take_settings(*settings);
            }
            // Whoever leaves needs none any more.
            Order::Reload(_) => {}
            Order::Stop => self.stop(now),
            Order::Dump(dump) => self.dump(now, dump),
            Order::ListenTo(channel) => self.sessions.listen_to(now, channel, &self.events),
            // Nobody goes by what it knows.
            Order::Tell(..) => {}
            Order::Bury(exit) => {
                if let Some((check, end)) = self.hands.process_ended(now, &exit) {
                    self.core.handle_command_end(now, check, end);
                    self.carry_out(now);
                }
            }
        }
        Ok(())
    }
}

impl CheckerProcess {
    /// The rest has been heard: now attempts, of which there is news or not, and what time brings. `is_usual`: that is all.
    /// Returns what time it is now, or was a moment ago.
    fn tick(&mut self, now: Instant, is_usual: bool) -> Instant {
        self.hands.hear_attempts(now);
        self.take_verdicts(now);
        let values = self.files.tick(now);
        self.hear_of_files(now, values);
        let news = self.sessions.tick(now);
        self.hear_of_sessions(now, news);
        let look = self.hands.tick(now);
        self.hear_of_ipvs(now, look);
        self.core.handle_timeout(now);
        self.carry_out(now);
        // What begins now has all of its time, whatever went before.
        let now = self.hands.time_after(now, is_usual);
        self.hands.tick_attempts(now, &self.core, &self.events);
        self.take_verdicts(now);
        if let Some(heartbeat) = &self.heartbeat {
            heartbeat.beat(now);
        }
        self.ipvs_tuning.tick(now);
        let news = self.addresses.tick(now, &self.events);
        self.hear_of_addresses(now, news);
        self.parent.tick(now);
        self.downs.tell(now, &self.core, &self.parent);
        self.tell_overrides();
        self.hands.time_after(now, is_usual)
    }

    fn take_verdicts(&mut self, now: Instant) {
        while let Some(ended) = self.hands.next_verdict(&self.core) {
            self.core.handle_verdict(now, ended.check, &ended.verdict);
            self.carry_out(now);
        }
    }

    /// When there is something to do besides checks.
    fn next_unusual(&self) -> Option<Instant> {
        let wakes = [
            self.files.next_wake(),
            self.sessions.next_wake(),
            self.hands.next_wake(),
            self.downs.next_wake(&self.core),
            self.ipvs_tuning.next_wake(),
            self.parent.next_wake(),
            self.addresses.next_wake(),
        ];
        wakes.into_iter().flatten().min()
    }

    fn next_wake(&self) -> Option<Instant> {
        match self.state {
            Running::Yes => {
                let wakes = [
                    self.core.next_deadline(),
                    self.hands.next_attempt(),
                    self.next_unusual(),
                ];
                wakes.into_iter().flatten().min()
            }
            Running::Leaving(until) if self.hands.fifos_are_being_read() => {
                Some(until.min(sys::clock::now() + READING_TIME))
            }
            Running::Leaving(until) => Some(until),
        }
    }

    fn carry_out(&mut self, now: Instant) {
        self.tell_of_flush();
        let settings = &self.settings;
        self.hands
            .carry_out(now, &mut self.core, settings, settings);
    }

    fn hear_of_ipvs(&mut self, now: Instant, look: Look) {
        match look {
            Look::Nothing => {}
            Look::Absent => self.core.handle_no_table(),
            Look::Found(listing) => {
                self.core.handle_new_table(listing);
                self.carry_out(now);
            }
        }
    }

    fn hear_of_sessions(&mut self, now: Instant, news: Vec<(String, bool)>) {
        for (name, up) in news {
            self.core.handle_session(now, &name, up);
            self.carry_out(now);
        }
    }

    fn hear_of_files(&mut self, now: Instant, values: Vec<(String, i32)>) {
        for (name, value) in values {
            self.core.handle_file(now, &name, value);
            self.carry_out(now);
        }
    }

    fn hear_of_addresses(&mut self, now: Instant, news: impl IntoIterator<Item = News>) {
        for news in news {
            match news {
                News::All(addresses) => self.core.handle_addresses(now, addresses),
                News::One(address, there) => self.core.handle_address(now, address, there),
            }
            self.carry_out(now);
        }
    }

    /// First settings or new ones.
    fn take_settings(&mut self, mut settings: Settings) {
        let now = sys::clock::now();
        // The core keeps its part; here it would only be a second copy.
        let lvs = std::mem::take(&mut settings.lvs);
        self.hands.settings_change(&settings, &lvs);
        for (name, value) in self
            .files
            .prepare(now, &settings.vrrp.track_files, &self.events)
        {
            self.core.handle_file(now, &name, value);
            self.carry_out(now);
        }
        self.hear_of_sessions(now, self.sessions.all());
        let wants_addresses = lvs.virtual_servers.iter().any(|service| service.ha_suspend);
        let buffers = &settings.global.buffers;
        let news = self
            .addresses
            .prepare(now, wants_addresses, buffers, &self.events);
        self.hear_of_addresses(now, news);
        if !lvs.virtual_servers.is_empty() {
            debug!("Initializing ipvs");
            let namespace = &settings.global.namespaces.ipvs;
            let look = self.hands.begin_to_balance(now, namespace);
            self.hear_of_ipvs(now, look);
        }
        let balances = !lvs.virtual_servers.is_empty();
        let whole = balances.then_some(&lvs.global);
        let namespace = &settings.global.namespaces.ipvs;
        self.ipvs_tuning.settings_change(now, namespace, whole);
        self.tell_overrides();
        self.hands.mark_by(now, mark_table(&lvs, &settings));
        self.core.handle_settings(now, lvs);
        // Before anything goes by them.
        self.given.tell(&self.core, &mut self.parent);
        self.tell_of_flush();
        // What is removed by these settings is announced with the scripts of the old ones.
        let old = std::mem::replace(&mut self.settings, settings);
        self.hands
            .carry_out(now, &mut self.core, &self.settings, &old);
        drop(old);
        self.parent.tell(ToParent::SettingsTaken);
        process::give_back_memory();
        self.tuning.settings_change(&self.settings.global.processes);
    }

    /// Lets the parent know whether a successor is to empty IPVS.
    fn tell_of_flush(&mut self) {
        let due = self.core.flush_is_due();
        if std::mem::replace(&mut self.told_of_flush, due) != due {
            self.parent.tell(ToParent::FlushIsDue(due));
        }
    }

    /// Lets the parent know what is to be put back, should we not be able to.
    fn tell_overrides(&mut self) {
        self.parent
            .tell_overrides(self.ipvs_tuning.overrides_to_tell());
        self.parent.tell_overrides(self.hands.overrides_to_tell());
    }

    fn stop(&mut self, now: Instant) {
        if self.state != Running::Yes {
            return;
        }
        info!("Stopping");
        self.core.handle_stop(self.keep);
        self.carry_out(now);
        self.state = Running::Leaving(now + PARTING_TIME);
    }

    fn end(&mut self) -> Result<()> {
        self.ipvs_tuning.end();
        self.hands.end();
        self.tell_overrides();
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
        if let Err(problem) = dumps::write(directory, now, &self.core, &self.settings) {
            error!(
                "cannot write a dump to {}: {problem:#}",
                directory.display()
            );
        }
        process::give_back_memory();
    }
}

/// The tables for automatic marks (`nftables_ipvs`).
fn mark_table(lvs: &lvs::Settings, settings: &Settings) -> Option<MarkTable> {
    let nftables = &lvs.global.nftables;
    Some(MarkTable {
        name: nftables.table.clone()?,
        priority: nftables.priority,
        counters: settings.global.firewall.nftables_counters,
    })
}

/// Another number at each start.
fn seed() -> u64 {
    match sys::random::number() {
        Ok(number) => number,
        // Without /dev the clock's lowest digits have to do.
        Err(_) => u64::from(sys::clock::wall().nanos()) << 32 | u64::from(std::process::id()),
    }
}
