//! How many BFD packets a second one core sends and receives, without anything being made of them.
//!
//!     cargo bench -p evervip-sys --bench bfd_socket -- [--sessions N] [--seconds N]
//!
//! In a network namespace of its own a thread speaks to itself over the loopback interface. What the kernel does to deliver a
//! packet there is charged to who sends it, so sending costs more here, and receiving less, than over a network. Time is the
//! thread's own, in and out of the kernel.

// The bench is no daemon: it stops at the first surprise.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a bench stops at the first surprise"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU8;
use std::time::Duration;

use evervip_sys::bfd_socket::{BfdReceiver, BfdSender, Origin, Received, Sent, SourcePorts};
use evervip_sys::clock::{now, thread_time};
use evervip_sys::namespace::{NetworkNamespace, enter_private_user_namespace};
use evervip_sys::netlink::RouteSocket;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use types::bfd::Port;
use types::{Family, IfName};

fn main() {
    let mut words = std::env::args().skip(1);
    let (mut sessions, mut seconds) = (1000, 3);
    while let Some(word) = words.next() {
        let mut number = || -> u64 { words.next().and_then(|it| it.parse().ok()).expect(&word) };
        match word.as_str() {
            "--sessions" => sessions = number(),
            "--seconds" => seconds = number(),
            // Cargo's own.
            "--bench" => {}
            other => panic!("unknown option {other}"),
        }
    }
    let allowed = getrlimit(Resource::Nofile);
    let current = allowed.maximum;
    setrlimit(Resource::Nofile, Rlimit { current, ..allowed }).expect("descriptors");
    if !rustix::process::geteuid().is_root() {
        enter_private_user_namespace().expect("a user namespace");
    }
    NetworkNamespace::create_for_this_thread().expect("a network namespace");
    let mut route = RouteSocket::new().expect("netlink");
    let lo = IfName::new("lo").expect("a name");
    let lo = route.link(&lo).expect("interfaces").expect("lo");
    route.set_up(lo.index).expect("lo is up");
    let length = Duration::from_secs(seconds);
    for address in [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ] {
        // As after a pause, and as when there is none.
        for together in [sessions, 1] {
            run(address, sessions, together, length);
        }
    }
}

/// Lets `sessions` sockets send in turn, and receives whenever `together` packets wait.
fn run(address: IpAddr, sessions: u64, together: u64, length: Duration) {
    let mut receiver = BfdReceiver::new(Port::SingleHop).expect("a receiver");
    let ports = SourcePorts::of_this_host().expect("ports");
    let origin = Origin {
        family: Family::of(address),
        source: Some(address),
        hop_limit: NonZeroU8::MAX,
    };
    let senders: Vec<BfdSender> = (0..sessions)
        .map(|seed| BfdSender::new(&origin, ports, seed).expect("a sender"))
        .collect();
    let to = SocketAddr::new(address, Port::SingleHop.number());
    let mut packets: Vec<Received> = Vec::new();
    let (mut sending, mut receiving, mut count) = (Duration::ZERO, Duration::ZERO, 0_u64);
    let begin = now();
    let mut senders = senders.iter().cycle();
    while now().since(begin) < length {
        let before = thread_time();
        for (_, sender) in (0..together).zip(senders.by_ref()) {
            let sent = sender.send(&[0x20; 24], to).expect("it is sent");
            assert_eq!(sent, Sent::Whole);
        }
        let between = thread_time();
        let mut missing = together;
        while missing > 0 {
            packets.clear();
            let summary = receiver.receive(&mut packets).expect("it is received");
            missing -= u64::from(summary.delivered);
        }
        sending += between - before;
        receiving += thread_time() - between;
        count += together;
    }
    println!(
        "{}, {sessions} sessions, {together} at a time: {} sent, {} received per second of one core",
        origin.family,
        per_second(count, sending),
        per_second(count, receiving),
    );
}

fn per_second(count: u64, time: Duration) -> u64 {
    let nanos = u64::try_from(time.as_nanos()).expect("a short time");
    count.saturating_mul(1_000_000_000) / nanos.max(1)
}
