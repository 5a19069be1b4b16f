//! The core beside a model of the kernel: the tables of a running keepalived, and the law that the kernel's table is what it
//! should be.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use types::Instant;
use types::ipvs::{Command, DestinationKey, DestinationOptions, ServiceKey, ServiceOptions};
use types::marks::MarkClaim;

use crate::dialogue::{Failure, Verdict};
use crate::settings::checkers::{Checker, CheckerKind, CommandId, Endpoint, Microseconds};
use crate::settings::{
    Forwarding, Protocol, RealServer, Service, Settings, SorryServer, Timing, VirtualServer,
};
use crate::{Action, CheckId, Held, Lvs, RefusalKind, Signal, Subject};

mod commands;
mod groups;
mod laws;
mod reload;
mod said;
mod steps;
mod suspend;
mod told;
mod watch;

/// What the kernel does with commands.
#[derive(Clone, Debug, Default)]
struct Kernel {
    services: BTreeMap<ServiceKey, (ServiceOptions, BTreeMap<DestinationKey, DestinationOptions>)>,
    /// Commands so far.
    commands: usize,
    /// It refuses everything.
    stubborn: bool,
    /// A service that had destinations was left with none by a removal.
    emptied: bool,
}

impl Kernel {
    /// Carries out a command, or says why not, as the kernel does.
    fn try_apply(&mut self, command: Command) -> Result<(), RefusalKind> {
        let there = |key: &ServiceKey| self.services.contains_key(key);
        let holds = |key: &ServiceKey, name: &DestinationKey| {
            let service = self.services.get(key);
            service.is_some_and(|service| service.1.contains_key(name))
        };
        let (exists, missing) = match &command {
            Command::AddService(key, _) => (there(key), false),
            Command::EditService(key, _) | Command::RemoveService(key) => (false, !there(key)),
            Command::AddDestination(key, name, _) => (holds(key, name), !there(key)),
            Command::EditDestination(key, name, _) | Command::RemoveDestination(key, name) => {
                (false, !holds(key, name))
            }
            Command::Flush => (false, false),
        };
        if self.stubborn {
            return Err(RefusalKind::Other);
        }
        if exists {
            return Err(RefusalKind::Exists);
        }
        if missing {
            return Err(RefusalKind::Missing);
        }
        self.apply(command);
        Ok(())
    }

    /// Carries out a command; it must make sense.
    fn apply(&mut self, command: Command) {
        self.commands += 1;
        match command {
            Command::AddService(key, options) => {
                let old = self.services.insert(key, (options, BTreeMap::new()));
                assert!(old.is_none(), "{key} is there already");
            }
            Command::EditService(key, options) => {
                self.services.get_mut(&key).unwrap().0 = options;
            }
            Command::RemoveService(key) => assert!(self.services.remove(&key).is_some()),
            Command::AddDestination(key, name, options) => {
                let service = self.services.get_mut(&key).unwrap();
                assert!(service.1.insert(name, options).is_none(), "{name}");
            }
            Command::EditDestination(key, name, options) => {
                let service = self.services.get_mut(&key).unwrap();
                assert!(service.1.insert(name, options).is_some(), "{name}");
            }
            Command::RemoveDestination(key, name) => {
                let (_, destinations) = self.services.get_mut(&key).unwrap();
                assert!(destinations.remove(&name).is_some());
                self.emptied |= destinations.is_empty();
            }
            Command::Flush => self.services.clear(),
        }
    }

    /// What it holds in a service.
    fn held(&self, key: &ServiceKey) -> Option<Held> {
        let (options, destinations) = self.services.get(key)?;
        let destinations = destinations.iter().map(|(name, is)| (*name, *is)).collect();
        Some(Held::new(options.clone(), destinations))
    }
}

/// A core, a kernel, and a host that makes no checks by itself.
struct Bench {
    lvs: Lvs,
    kernel: Kernel,
    now: Instant,
    /// Commands may be refused: somebody else has been at the kernel's table.
    meddled: bool,
    /// There is no table: commands and questions reach nobody.
    deaf: bool,
    /// Attempts that nobody has answered.
    open: Vec<CheckId>,
    /// Commands of checks that run.
    running: Vec<CheckId>,
    /// Signals that these were sent.
    signals: Vec<Signal>,
    /// What nftables is to mark, as it was told last, and how often it was.
    marked: (Vec<MarkClaim>, usize),
    /// Scripts and FIFO lines since they were last looked at.
    told: Vec<String>,
    log: Vec<String>,
}

impl Bench {
    fn new() -> Self {
        Self {
            lvs: Lvs::new(1),
            kernel: Kernel::default(),
            now: Instant::ZERO,
            meddled: false,
            deaf: false,
            open: Vec::new(),
            running: Vec::new(),
            signals: Vec::new(),
            marked: (Vec::new(), 0),
            told: Vec::new(),
            log: Vec::new(),
        }
    }

    fn begin(settings: Settings) -> Self {
        let mut bench = Self::new();
        bench.settings(settings);
        bench
    }

    fn settings(&mut self, settings: Settings) {
        self.lvs.handle_settings(self.now, settings);
        self.drain();
    }

    fn drain(&mut self) {
        let (mut refused, mut reads) = (Vec::new(), Vec::new());
        while let Some(action) = self.lvs.poll_action() {
            match action {
                Action::Ipvs(_) | Action::Read(_) if self.deaf => {}
                Action::Ipvs(command) if self.meddled => {
                    if let Err(kind) = self.kernel.try_apply(command.clone()) {
                        refused.push((command, kind));
                    }
                }
                Action::Ipvs(command) => self.kernel.apply(command),
                Action::Read(key) => reads.push(key),
                Action::Mark(claims) => self.marked = (claims, self.marked.1 + 1),
                Action::SignalCommand(id, signal) => {
                    assert!(self.running.contains(&id), "it does not run");
                    self.signals.push(signal);
                }
                Action::Attempt(id, _) => self.open.push(id),
                Action::RunCommand(id, _) => {
                    assert!(!self.running.contains(&id), "it runs twice");
                    self.running.push(id);
                }
                Action::Abandon(id) => {
                    self.open.retain(|open| *open != id);
                    self.running.retain(|running| *running != id);
                }
                Action::Announce(announcement) => {
                    let up = if announcement.up { "up" } else { "down" };
                    self.told.push(match announcement.subject {
                        Subject::Server { server, .. } => {
                            let last = server.split(['.', ']']).nth(3).unwrap_or_default();
                            format!("{up} .{last}")
                        }
                        Subject::Quorum { .. } => format!("quorum_{up}"),
                    });
                }
                Action::Log(line) => {
                    let text = self.lvs.describe(&line.text).to_string();
                    self.log.push(text);
                }
            }
        }
        // Inputs again, one by one.
        for (command, kind) in refused {
            self.lvs.handle_refusal(self.now, &command, kind);
            self.drain();
        }
        for key in reads {
            let held = self.kernel.held(&key);
            self.lvs.handle_service(self.now, key, held);
            self.drain();
        }
    }

    /// Lets time pass until every check has begun an attempt, and answers: those of servers with these last numbers fail.
    fn round(&mut self, failing: &[u8]) {
        let until = self.now + Duration::from_secs(200);
        self.pass(until, failing);
    }

    fn pass(&mut self, until: Instant, failing: &[u8]) {
        while let Some(deadline) = self.lvs.next_deadline()
            && deadline <= until
        {
            self.now = self.now.max(deadline);
            self.lvs.handle_timeout(self.now);
            self.drain();
            self.answer(failing);
        }
        self.now = until;
    }

    fn answer(&mut self, failing: &[u8]) {
        for id in std::mem::take(&mut self.open) {
            let Some(endpoint) = self.lvs.checker(id).and_then(Checker::endpoint) else {
                continue;
            };
            let IpAddr::V4(address) = endpoint.destination.ip() else {
                panic!("IPv4 only");
            };
            let verdict = if failing.contains(&address.octets()[3]) {
                Verdict::Failure(Failure::ReadTimeout(Duration::from_secs(1)))
            } else {
                Verdict::Success
            };
            self.lvs.handle_verdict(self.now, id, &verdict);
            self.drain();
        }
    }

    /// The one service, as `.1:2 .3:4`: last number of the address and weight of each destination; `-`: there is none.
    fn table(&self) -> String {
        match self.kernel.services.values().next() {
            None => "-".to_owned(),
            Some((_, destinations)) => {
                let rows: Vec<String> = destinations
                    .iter()
                    .map(|(name, options)| format!(".{}:{}", last(name.address), options.weight))
                    .collect();
                rows.join(" ")
            }
        }
    }

    /// Time passes, and nobody answers.
    fn wait(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(deadline) = self.lvs.next_deadline()
            && deadline <= until
        {
            self.now = self.now.max(deadline);
            self.lvs.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    /// Log lines since the last time that contain this.
    fn lines(&mut self, about: &str) -> Vec<String> {
        let mut lines = std::mem::take(&mut self.log);
        lines.retain(|line| line.contains(about));
        lines
    }

    /// What was told since the last time.
    fn news(&mut self) -> String {
        std::mem::take(&mut self.told).join(", ")
    }
}

fn last(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(address) => address.octets()[15],
    }
}

fn tcp_check(number: u8) -> Checker {
    Checker {
        kind: CheckerKind::Tcp(Endpoint {
            destination: SocketAddr::from(([10, 1, 0, number], 80)),
            connect_timeout: Microseconds::from_secs(5),
            source: None,
        }),
        retry: 1,
        delay_before_retry: Microseconds::from_secs(1),
        warmup: Microseconds::from_secs(10),
        delay_loop: Microseconds::from_secs(10),
        alpha: false,
        log_all_failures: false,
    }
}

fn real_server(number: u8, weight: u32) -> RealServer {
    RealServer {
        address: IpAddr::V4(Ipv4Addr::new(10, 1, 0, number)),
        port: 80,
        lvs_method: Forwarding::Nat,
        weight,
        uthreshold: 0,
        lthreshold: 0,
        inhibit_on_failure: false,
        alpha: false,
        smtp_alert: false,
        notify_up: Some(CommandId(0)),
        notify_down: Some(CommandId(1)),
        rare: None,
        checkers: vec![tcp_check(number)],
    }
}

fn sorry_server(number: u8) -> SorryServer {
    SorryServer {
        address: IpAddr::V4(Ipv4Addr::new(10, 1, 0, number)),
        port: 80,
        lvs_method: Forwarding::Nat,
        inhibit: false,
    }
}

/// 10.0.0.1:80 with servers .1, .2 ... of these weights.
fn virtual_server(weights: &[u32]) -> VirtualServer {
    VirtualServer {
        service: Service::Address {
            address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            port: 80,
            protocol: Protocol::Tcp,
        },
        scheduler: "wlc".into(),
        one_packet: false,
        scheduler_flags: [false; 3],
        persistence: None,
        lvs_method: Forwarding::Nat,
        quorum: 1,
        hysteresis: 0,
        alpha: false,
        omega: false,
        inhibit_on_failure: false,
        ha_suspend: false,
        smtp_alert: false,
        quorum_up: Some(CommandId(2)),
        quorum_down: Some(CommandId(3)),
        virtualhost: None,
        snmp_name: None,
        timing: Timing {
            delay_loop: Microseconds::from_secs(10),
            connect_timeout: Microseconds::from_secs(5),
            retry: None,
            delay_before_retry: None,
            warmup: None,
        },
        sorry_server: None,
        real_servers: (1..)
            .zip(weights)
            .map(|(number, weight)| real_server(number, *weight))
            .collect(),
    }
}

fn one(service: VirtualServer) -> Settings {
    Settings {
        virtual_servers: vec![service],
        ..Settings::default()
    }
}
