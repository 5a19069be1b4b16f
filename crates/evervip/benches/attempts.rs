//! How many TCP_CHECKs a second the host of check attempts makes, what each costs, and how late they begin.
//!
//!     cargo bench -p evervip --bench attempts -- [--checks N] [--every SECONDS] [--seconds N] [--rounds N]
//!
//! On a host of its own (a network namespace) another process listens on a few ports of all addresses of 127.0.0.0/8,
//! accepts, and closes. What the kernel does for both ends of a connection over the loopback interface is charged to who
//! sends, so a check costs more here than over a network. Time is that of this process alone.
//!
//! First as fast as it goes: the next attempt of a check begins when the last one has ended. Then at the pace that is asked
//! for, with the whole core of `lvs` deciding, and nobody there for what it wants IPVS to do: late is an attempt that begins
//! after the time of the earliest one that was due with it.

// The bench is no daemon: it stops at the first surprise.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench stops at the first surprise"
)]

#[allow(
    unused_imports,
    dead_code,
    reason = "the bench uses its part of what the daemon uses"
)]
#[path = "../src/checker_process/attempts.rs"]
mod attempts;
#[path = "../tests/conversation/mod.rs"]
mod conversation;
#[allow(unused_imports, reason = "its tests are run with the daemon's")]
#[path = "../src/checker_process/step.rs"]
mod step;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use lab::{HostOptions, Lab};
use lvs::dialogue::{Attempt, Verdict};
use lvs::settings::checkers::{Checker, CheckerKind, Endpoint, Microseconds};
use lvs::settings::{RealServer, Service, Timing, VirtualServer};
use lvs::{Action, CheckId, Lvs, Settings};
use sys::event_loop::EventLoop;
use sys::process::resource_usage;
use types::Instant;
use types::ipvs::{Forwarding, Protocol};

use attempts::{Attempts, Plans};
use conversation::Conversation;
use step::Steps;

/// Listeners: each has room for 128 connections that nobody has accepted yet.
const LISTENERS: usize = 64;

/// What this program does when it is the other process.
const SERVER: &str = "--listen";

#[derive(Clone, Copy, Debug)]
struct Options {
    checks: u32,
    every: f64,
    seconds: f64,
    rounds: u32,
}

fn main() {
    let mut words = std::env::args().skip(1);
    let mut options = Options {
        checks: 20_000,
        every: 1.0,
        seconds: 5.0,
        rounds: 3,
    };
    while let Some(word) = words.next() {
        let mut number = || -> f64 { words.next().and_then(|it| it.parse().ok()).expect(&word) };
        match word.as_str() {
            SERVER => return listen(),
            "--checks" => options.checks = whole(number()),
            "--every" => options.every = number(),
            "--seconds" => options.seconds = number(),
            "--rounds" => options.rounds = whole(number()),
            // Cargo's own.
            "--bench" => {}
            other => panic!("unknown option {other}"),
        }
    }
    let lab = Lab::new("bench-attempts").expect("a lab");
    let host = lab.host("here", HostOptions::default()).expect("a host");
    host.link_up("lo").expect("the loopback interface");
    let result = host.run(move || run(options));
    result.expect("the host works");
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts from a command line"
)]
fn whole(number: f64) -> u32 {
    number as u32
}

/// The servers: accept and close, for ever.
fn listen() {
    let events = EventLoop::new().expect("an epoll set");
    let mut listeners = Vec::new();
    let mut ports = String::new();
    for number in 0..LISTENERS {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
        listener.set_nonblocking(true).expect("non-blocking");
        ports += &format!("{} ", listener.local_addr().expect("its port").port());
        let token = u64::try_from(number).expect("a small number");
        events.add(&listener, token).expect("waited on");
        listeners.push(listener);
    }
    println!("{ports}");
    std::io::stdout().flush().expect("somebody listens");
    let mut ready = Vec::new();
    loop {
        events.wait(&mut ready).expect("events");
        for token in &ready {
            let listener = &listeners[usize::try_from(*token).expect("a small number")];
            loop {
                match listener.accept() {
                    Ok((stream, _)) => drop(stream),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // It was gone before we came.
                    Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

/// Checks without a core.
struct Checks(Vec<CheckerKind>);

impl Plans for Checks {
    fn begin(
        &self,
        now: Instant,
        check: CheckId,
        attempt: Attempt,
    ) -> Option<(Conversation, &Endpoint)> {
        let kind = self.0.get(usize::try_from(check.0).ok()?)?;
        let CheckerKind::Tcp(endpoint) = kind else {
            return None;
        };
        Some((Conversation::begin(now, kind, attempt)?, endpoint))
    }
}

/// The core, when what it asked for was due, and how late that began.
struct Paced {
    core: Lvs,
    due: RefCell<BTreeMap<CheckId, Instant>>,
    late: RefCell<Vec<Duration>>,
}

impl Plans for Paced {
    fn begin(
        &self,
        now: Instant,
        check: CheckId,
        attempt: Attempt,
    ) -> Option<(Conversation, &Endpoint)> {
        if let Some(due) = self.due.borrow_mut().remove(&check) {
            self.late.borrow_mut().push(sys::clock::now().since(due));
        }
        let checker = self.core.checker(check)?;
        let conversation = Conversation::begin(now, &checker.kind, attempt)?;
        Some((conversation, checker.endpoint()?))
    }
}

/// What came of one window.
#[derive(Clone, Debug, Default)]
struct Figures {
    attempts: u32,
    failures: u32,
    wall: Duration,
    cpu: Duration,
    late: Vec<Duration>,
}

impl Figures {
    fn count(&mut self, verdict: &Verdict) {
        self.attempts += 1;
        if *verdict != Verdict::Success {
            self.failures += 1;
        }
    }
}

fn run(options: Options) {
    let own = std::env::current_exe().expect("this program");
    let mut server = Command::new(own);
    server.arg(SERVER).stdout(Stdio::piped());
    sys::process::tie_to_spawner(&mut server, 9);
    let mut server = server.spawn().expect("a server");
    let mut ports = String::new();
    let output = server.stdout.take().expect("its output");
    BufReader::new(output)
        .read_line(&mut ports)
        .expect("its ports");
    let ports: Vec<u16> = ports
        .split_whitespace()
        .map(|port| port.parse().expect("a port"))
        .collect();
    let endpoints: Vec<Endpoint> = (0..options.checks)
        .map(|number| {
            let [_, a, b, c] = (number + 1).to_be_bytes();
            let port = ports[usize::try_from(number).expect("small") % ports.len()];
            Endpoint {
                destination: SocketAddr::new(Ipv4Addr::new(127, a, b, c).into(), port),
                connect_timeout: Microseconds(5_000_000),
                source: None,
            }
        })
        .collect();
    let length = Duration::from_secs_f64(options.seconds);
    for round in 1..=options.rounds {
        report(
            round,
            "as fast as it goes",
            &fast(&endpoints, length),
            false,
        );
        let every = Duration::from_secs_f64(options.every);
        report(
            round,
            "at their pace",
            &paced(&endpoints, every, length),
            true,
        );
    }
    server.kill().expect("the server ends");
    server.wait().expect("the server has ended");
}

/// What a process waits with.
struct Loop {
    attempts: Attempts,
    events: EventLoop,
    now: Instant,
    steps: Steps,
}

impl Loop {
    fn new(checks: usize) -> Self {
        let mut attempts = Attempts::new();
        attempts.make_room_for(checks).expect("descriptors");
        Self {
            attempts,
            events: EventLoop::new().expect("a set"),
            now: sys::clock::now(),
            steps: Steps::new(sys::clock::now()),
        }
    }

    fn wait(&mut self, until: Option<Instant>) -> Instant {
        let wake = until.into_iter().chain(self.attempts.next_wake()).min();
        let limit = wake.map(|at| self.steps.end(at, self.now).since(self.now));
        let attempts = &mut self.attempts;
        let waited = self
            .events
            .wait_for_changes(limit, |change| attempts.note(change));
        waited.expect("events");
        self.now = sys::clock::now();
        let done = self.attempts.hear(self.now);
        self.steps.note(self.now, done);
        self.now
    }
}

/// The time of this process so far.
fn used() -> Duration {
    let usage = resource_usage();
    usage.user + usage.system
}

/// A few checks, each again as soon as it has ended: that many connections are open on a real machine, too.
fn fast(endpoints: &[Endpoint], length: Duration) -> Figures {
    const AT_A_TIME: usize = 200;
    let few = endpoints.iter().take(AT_A_TIME).cloned();
    let checks = Checks(few.map(CheckerKind::Tcp).collect());
    let mut host = Loop::new(checks.0.len());
    for check in (0..).take(checks.0.len()) {
        host.attempts.start(CheckId(check), Attempt::default());
    }
    let (begin, before) = (sys::clock::now(), used());
    let mut figures = Figures::default();
    while figures.wall < length {
        let now = host.wait(None);
        host.attempts.tick(now, &checks, &host.events);
        while let Some(ended) = host.attempts.poll_verdict() {
            figures.count(&ended.verdict);
            host.attempts.start(ended.check, Attempt::default());
        }
        figures.wall = now.since(begin);
    }
    figures.cpu = used().saturating_sub(before);
    figures
}

/// All checks by the core. The first ones begin a second after its settings, spread over the interval: from then on it counts.
fn paced(endpoints: &[Endpoint], every: Duration, length: Duration) -> Figures {
    let mut plans = Paced {
        core: Lvs::new(7),
        due: RefCell::default(),
        late: RefCell::default(),
    };
    let mut host = Loop::new(endpoints.len());
    let start = sys::clock::now();
    let settings = settings(endpoints, every);
    plans.core.handle_settings(start, settings);
    carry_out(&mut plans, &mut host.attempts, start);
    let counts_from = start + Duration::from_secs(1) + every;
    let mut counting = None;
    let mut figures = Figures::default();
    loop {
        let due = plans.core.next_deadline();
        let now = host.wait(due);
        if now >= counts_from && counting.is_none() {
            plans.late.borrow_mut().clear();
            figures = Figures::default();
            counting = Some((now, used()));
        }
        while let Some(ended) = host.attempts.poll_verdict() {
            figures.count(&ended.verdict);
            plans.core.handle_verdict(now, ended.check, &ended.verdict);
            carry_out(&mut plans, &mut host.attempts, now);
        }
        let due = plans.core.next_deadline().unwrap_or(now).min(now);
        plans.core.handle_timeout(now);
        carry_out(&mut plans, &mut host.attempts, due);
        host.attempts.tick(now, &plans, &host.events);
        if let Some((begin, before)) = counting {
            figures.wall = now.since(begin);
            if figures.wall >= length {
                figures.cpu = used().saturating_sub(before);
                break;
            }
        }
    }
    figures.late = plans.late.take();
    figures
}

/// Begins attempts that were due at a time; everything else has nobody here.
fn carry_out(plans: &mut Paced, attempts: &mut Attempts, due: Instant) {
    while let Some(action) = plans.core.poll_action() {
        if let Action::Attempt(check, attempt) = action {
            plans.due.borrow_mut().insert(check, due);
            attempts.start(check, attempt);
        }
    }
}

/// A virtual server for every sixteen real servers, each with its TCP_CHECK.
fn settings(endpoints: &[Endpoint], every: Duration) -> Settings {
    let micros = u64::try_from(every.as_micros()).expect("an interval");
    let delay_loop = Microseconds(micros);
    let real_server = |endpoint: &Endpoint| RealServer {
        address: endpoint.destination.ip(),
        port: endpoint.destination.port(),
        lvs_method: Forwarding::Nat,
        weight: 1,
        uthreshold: 0,
        lthreshold: 0,
        inhibit_on_failure: false,
        alpha: false,
        smtp_alert: false,
        notify_up: None,
        notify_down: None,
        rare: None,
        checkers: vec![Checker {
            kind: CheckerKind::Tcp(endpoint.clone()),
            retry: 1,
            delay_before_retry: Microseconds(1_000_000),
            warmup: delay_loop,
            delay_loop,
            alpha: false,
            log_all_failures: false,
        }],
    };
    let virtual_servers = (1..).zip(endpoints.chunks(16)).map(|(port, group)| {
        let real_servers = group.iter().map(real_server).collect();
        VirtualServer {
            service: Service::Address {
                address: Ipv4Addr::new(192, 0, 2, 1).into(),
                port,
                protocol: Protocol::Tcp,
            },
            scheduler: "rr".to_owned(),
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
            quorum_up: None,
            quorum_down: None,
            virtualhost: None,
            snmp_name: None,
            timing: Timing {
                delay_loop,
                connect_timeout: Microseconds(5_000_000),
                retry: None,
                delay_before_retry: None,
                warmup: None,
            },
            sorry_server: None,
            real_servers,
        }
    });
    Settings {
        virtual_servers: virtual_servers.collect(),
        ..Settings::default()
    }
}

fn report(round: u32, what: &str, figures: &Figures, with_lateness: bool) {
    let made = f64::from(figures.attempts);
    let mut line = format!(
        "round {round}, {what}: {:.0} attempts/s, {:.1} us of CPU each ({:.0} per second of CPU), {} failed",
        made / figures.wall.as_secs_f64(),
        figures.cpu.as_secs_f64() * 1e6 / made,
        made / figures.cpu.as_secs_f64(),
        figures.failures,
    );
    if with_lateness {
        let mut late = figures.late.clone();
        late.sort_unstable();
        let at = |part: usize| {
            late.get(late.len() * part / 1000)
                .copied()
                .unwrap_or_default()
        };
        let millis = |late: Duration| late.as_secs_f64() * 1e3;
        line += &format!(
            "; late: median {:.2} ms, 99.9 % {:.2} ms, most {:.2} ms",
            millis(at(500)),
            millis(at(999)),
            millis(late.last().copied().unwrap_or_default())
        );
    }
    println!("{line}");
}
