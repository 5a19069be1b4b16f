//! How many TCP_CHECKs a second the host of check attempts makes, what each costs, and how late they begin.
//!
//!     cargo bench -p evervip --bench attempts -- [--checks N] [--every SECONDS] [--seconds N] [--rounds N]
//!
//! On a host of its own (a network namespace) another process listens on a few ports of all addresses of 127.0.0.0/8,
//! accepts, and closes. What the kernel does for both ends of a connection over the loopback interface is charged to who
//! sends, so a check costs more here than over a network. Time is that of this process alone.
//!
//! First as fast as it goes: the next attempt of a check begins when the last one has ended. Then at the pace that is asked
//! for: late is who begins after its time.

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

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use lab::{HostOptions, Lab};
use lvs::CheckId;
use lvs::dialogue::{Attempt, Verdict};
use lvs::settings::checkers::{CheckerKind, Endpoint, Microseconds};
use sys::event_loop::EventLoop;
use sys::process::resource_usage;
use sys::timer::Timer;
use types::Instant;

use attempts::{Attempts, Plans};
use conversation::Conversation;

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

/// All checks, and when they began.
struct Checks {
    kinds: Vec<CheckerKind>,
    /// Planned for; how late it was.
    plans: RefCell<Vec<Instant>>,
    late: RefCell<Vec<Duration>>,
}

impl Plans for Checks {
    fn begin(
        &self,
        now: Instant,
        check: CheckId,
        attempt: Attempt,
    ) -> Option<(Conversation, &Endpoint)> {
        let index = usize::try_from(check.0).ok()?;
        let kind = self.kinds.get(index)?;
        let planned = *self.plans.borrow().get(index)?;
        self.late
            .borrow_mut()
            .push(sys::clock::now().since(planned));
        let CheckerKind::Tcp(endpoint) = kind else {
            return None;
        };
        let conversation = Conversation::begin(now, kind, attempt)?;
        Some((conversation, endpoint))
    }
}

/// What came of one window.
#[derive(Clone, Debug)]
struct Figures {
    attempts: u32,
    failures: u32,
    wall: Duration,
    cpu: Duration,
    late: Vec<Duration>,
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
    let kinds = (0..options.checks)
        .map(|number| {
            let [_, a, b, c] = (number + 1).to_be_bytes();
            let port = ports[usize::try_from(number).expect("small") % ports.len()];
            CheckerKind::Tcp(Endpoint {
                destination: SocketAddr::new(Ipv4Addr::new(127, a, b, c).into(), port),
                connect_timeout: Microseconds(5_000_000),
                source: None,
            })
        })
        .collect::<Vec<_>>();
    let count = kinds.len();
    let checks = Checks {
        kinds,
        plans: RefCell::new(vec![Instant::ZERO; count]),
        late: RefCell::default(),
    };
    for round in 1..=options.rounds {
        // Few at a time: that many connections are open on a real machine, too.
        let fast = window(&checks, 200, Duration::ZERO, options.seconds);
        report(round, "as fast as it goes", &fast, false);
        let every = Duration::from_secs_f64(options.every);
        let paced = window(&checks, options.checks, every, options.seconds);
        report(round, "at their pace", &paced, true);
    }
    server.kill().expect("the server ends");
    server.wait().expect("the server has ended");
}

/// Makes the first `count` checks for so many seconds, each so long after its end.
fn window(checks: &Checks, count: u32, every: Duration, seconds: f64) -> Figures {
    let mut attempts = Attempts::new().expect("attempts");
    attempts
        .make_room_for(usize::try_from(count).expect("small"))
        .expect("descriptors");
    let (events, mut timer) = (
        EventLoop::new().expect("a set"),
        Timer::new().expect("a timer"),
    );
    events.add(&attempts, 1).expect("waited on");
    events.add(&timer, 2).expect("waited on");
    let begin = sys::clock::now();
    let end = begin + Duration::from_secs_f64(seconds);
    let mut schedule = BTreeSet::new();
    for check in 0..count {
        schedule.insert((begin + every * check / count, check));
    }
    checks.late.borrow_mut().clear();
    let used = || {
        let usage = resource_usage();
        usage.user + usage.system
    };
    let before = used();
    let (mut made, mut failures) = (0, 0);
    let mut ready = Vec::new();
    loop {
        let planned = schedule.first().map(|(at, _)| *at);
        let wake = planned.into_iter().chain(attempts.next_wake()).min();
        timer.arm(wake).expect("a timer");
        events.wait(&mut ready).expect("events");
        let now = sys::clock::now();
        if now >= end {
            break;
        }
        if ready.contains(&2) {
            timer.acknowledge().expect("a timer");
        }
        attempts.hear(now).expect("events");
        attempts.tick(now, checks);
        while let Some(ended) = attempts.poll_verdict() {
            made += 1;
            if ended.verdict != Verdict::Success {
                failures += 1;
            }
            schedule.insert((now + every, ended.check.0));
        }
        while let Some(&(at, check)) = schedule.first()
            && at <= now
        {
            schedule.pop_first();
            checks.plans.borrow_mut()[usize::try_from(check).expect("small")] = at;
            attempts.start(CheckId(check), Attempt::default());
        }
    }
    let wall = sys::clock::now().since(begin);
    Figures {
        attempts: made,
        failures,
        wall,
        cpu: used().saturating_sub(before),
        late: checks.late.take(),
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
