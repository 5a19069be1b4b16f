//! The sockets of BFD against a real kernel, in network namespaces of its own: one host that speaks to itself.
//!
//! Needs no privilege where the machine lets ordinary users make user namespaces.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise; the whole file is one"
)]

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::num::NonZeroU8;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::time::Duration;

use evervip_sys::bfd_socket::{
    BfdReceiver, BfdSender, Origin, Payload, Received, SendFailureKind, Sent, SourcePorts,
};
use evervip_sys::event_loop::EventLoop;
use evervip_sys::namespace::{NetworkNamespace, enter_private_user_namespace};
use evervip_sys::netlink::{
    AddressChange, Change, Insert, KernelAddress, KernelRoute, RouteChange, RouteSocket,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use types::bfd::Port;
use types::{Family, IfIndex, IfName, Prefix};

fn main() -> ExitCode {
    if !rustix::process::geteuid().is_root() {
        enter_private_user_namespace().unwrap();
    }
    let tests: &[(&str, fn())] = &[
        (
            "one socket hears both families, and tells who, whom to, where and how far",
            both_families,
        ),
        ("a link-local sender can be answered", link_local),
        ("both ports are heard, each by its own socket", both_ports),
        (
            "where IPv6 is switched off, IPv4 is heard",
            ipv6_switched_off,
        ),
        ("where there is no IPv6, IPv4 is heard", no_ipv6),
        ("empty packets and long ones", lengths),
        ("a second receiver is refused", second_receiver),
        ("a storm is received in portions", storm),
        ("a pause of 50 ms loses nothing", pause),
        ("an epoll set tells of packets", event_loop),
        ("ports that are taken are passed over", taken_ports),
        ("what comes to a sender is not kept", deaf_senders),
        ("failures to send say why", send_failures),
        ("a full buffer is no failure", full_buffer),
    ];
    let mut failed = 0;
    for (name, test) in tests {
        let passed = panic::catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("{} {name}", if passed { "ok    " } else { "FAILED" });
        failed += usize::from(!passed);
    }
    println!("{} passed, {failed} failed", tests.len() - failed);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The address of lo beside 127.0.0.1.
const SECOND_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
/// The address of lo beside ::1.
const SECOND_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 7));
const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Enters a host with nothing but lo, which is up and has four addresses.
fn host() -> (RouteSocket, IfIndex) {
    NetworkNamespace::create_for_this_thread().unwrap();
    let mut route = RouteSocket::new().unwrap();
    let lo = index(&mut route, "lo");
    route.set_up(lo).unwrap();
    add_address(&mut route, lo, Prefix::host(SECOND_V4));
    add_address(&mut route, lo, Prefix::host(SECOND_V6));
    (route, lo)
}

fn name(text: &str) -> IfName {
    IfName::new(text).unwrap()
}

fn index(route: &mut RouteSocket, text: &str) -> IfIndex {
    route.link(&name(text)).unwrap().unwrap().index
}

fn add_address(route: &mut RouteSocket, interface: IfIndex, prefix: Prefix) {
    let mut address = KernelAddress::new(prefix);
    address.nodad = true;
    let change = AddressChange::Add { interface, address };
    for result in route.change_addresses(&[change]).unwrap() {
        result.unwrap();
    }
    // Of an IPv6 address nothing is in its place at once, the route to it last of all.
    let usable = |address: IpAddr| -> io::Result<()> {
        let mut own = SocketAddr::new(address, 0);
        if let SocketAddr::V6(own) = &mut own {
            own.set_scope_id(interface.get());
        }
        let socket = UdpSocket::bind(own)?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        socket.send_to(b"!", socket.local_addr()?)?;
        socket.recv(&mut [0]).map(|_one| ())
    };
    while usable(prefix.address()).is_err() {}
}

/// An interface with a wire that leads to another one of this host.
fn wire(route: &mut RouteSocket) -> IfIndex {
    route.add_veth(&name("eth0"), &name("eth1"), None).unwrap();
    let eth0 = index(route, "eth0");
    for it in [eth0, index(route, "eth1")] {
        route.set_up(it).unwrap();
    }
    eth0
}

fn origin(source: impl Into<Option<IpAddr>>, family: Family, hop_limit: u8) -> Origin {
    Origin {
        family,
        source: source.into(),
        hop_limit: NonZeroU8::new(hop_limit).unwrap(),
    }
}

fn sender(source: impl Into<Option<IpAddr>>, family: Family, hop_limit: u8) -> BfdSender {
    let ports = SourcePorts::of_this_host().unwrap();
    BfdSender::new(&origin(source, family, hop_limit), ports, 4711).unwrap()
}

fn to(address: IpAddr, port: Port) -> SocketAddr {
    SocketAddr::new(address, port.number())
}

fn send(sender: &BfdSender, payload: &[u8], to: SocketAddr) {
    assert_eq!(sender.send(payload, to).unwrap(), Sent::Whole);
}

/// Receives until there are `count` packets.
#[track_caller]
fn receive(receiver: &mut BfdReceiver, count: usize) -> Vec<Received> {
    let mut packets = Vec::new();
    while packets.len() < count {
        wait(receiver);
        let before = packets.len();
        let summary = receiver.receive(&mut packets).unwrap();
        assert_eq!(summary.delivered as usize, packets.len() - before);
        assert_eq!(summary.dropped, 0);
    }
    assert_eq!(packets.len(), count);
    packets
}

#[track_caller]
fn wait(receiver: &BfdReceiver) {
    let patience = Timespec {
        tv_sec: 20,
        tv_nsec: 0,
    };
    let mut fds = [PollFd::new(receiver, PollFlags::IN)];
    assert_eq!(poll(&mut fds, Some(&patience)).unwrap(), 1, "nothing comes");
}

fn both_families() {
    let (_route, lo) = host();
    let mut receiver = BfdReceiver::new(Port::SingleHop).unwrap();
    assert!(receiver.hears(Family::V4) && receiver.hears(Family::V6));
    assert_eq!(receiver.receive(&mut Vec::new()).unwrap().delivered, 0);
    // The source that is asked for, the destination, the source that comes out of it, the hop limit.
    let cases = [
        (Some(V4), V4, V4, 255),
        (Some(SECOND_V4), V4, SECOND_V4, 64),
        (Some(V4), SECOND_V4, V4, 1),
        (None, SECOND_V4, SECOND_V4, 254),
        (Some(V6), V6, V6, 255),
        (Some(SECOND_V6), V6, SECOND_V6, 64),
        (Some(V6), SECOND_V6, V6, 1),
        (None, SECOND_V6, SECOND_V6, 254),
    ];
    for (number, (source, destination, expected, hop_limit)) in (0_u8..).zip(cases) {
        let sender = sender(source, Family::of(destination), hop_limit);
        assert!(sender.local().port() >= 49152);
        send(&sender, &[number; 24], to(destination, Port::SingleHop));
        send(&sender, &[number; 25], to(destination, Port::SingleHop));
        let packets = receive(&mut receiver, 2);
        for (packet, length) in packets.iter().zip([24, 25]) {
            assert_eq!(
                packet.source,
                SocketAddr::new(expected, sender.local().port())
            );
            assert_eq!(packet.destination, destination);
            assert_eq!(packet.interface, lo);
            assert_eq!(packet.hop_limit, Some(hop_limit));
            assert_eq!(packet.payload.bytes(), vec![number; length]);
        }
    }
}

fn link_local() {
    let (mut route, _lo) = host();
    let eth0 = wire(&mut route);
    let address: Ipv6Addr = "fe80::a".parse().unwrap();
    add_address(&mut route, eth0, Prefix::new(address.into(), 64).unwrap());
    let sender = sender(None, Family::V6, 255);
    let mut receiver = BfdReceiver::new(Port::SingleHop).unwrap();
    let scoped = SocketAddrV6::new(address, Port::SingleHop.number(), 0, eth0.get());
    send(&sender, b"question", scoped.into());
    let question = receive(&mut receiver, 1)[0];
    assert_eq!(question.source.ip(), address);
    let mut back = question.source;
    back.set_port(Port::SingleHop.number());
    send(&sender, b"answer", back);
    assert_eq!(receive(&mut receiver, 1)[0].payload.bytes(), b"answer");
    let without_scope = origin(IpAddr::V6(address), Family::V6, 255);
    let error = BfdSender::new(&without_scope, SourcePorts::RFC_5881, 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot bind to [fe80::a]:49152: Invalid argument (os error 22)"
    );
}

fn both_ports() {
    let _host = host();
    let mut receivers = Port::ALL.map(|port| BfdReceiver::new(port).unwrap());
    let sender = sender(None, Family::V4, 255);
    for port in Port::ALL {
        send(&sender, port.to_string().as_bytes(), to(V4, port));
    }
    for receiver in &mut receivers {
        let name = receiver.port().to_string();
        assert_eq!(receive(receiver, 1)[0].payload.bytes(), name.as_bytes());
    }
}

fn ipv6_switched_off() {
    let _host = host();
    fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").unwrap();
    let mut receiver = BfdReceiver::new(Port::SingleHop).unwrap();
    send(
        &sender(V4, Family::V4, 255),
        b"here",
        to(V4, Port::SingleHop),
    );
    let packet = receive(&mut receiver, 1)[0];
    assert_eq!((packet.destination, packet.hop_limit), (V4, Some(255)));
    let error = BfdSender::new(
        &origin(SECOND_V6, Family::V6, 64),
        SourcePorts::RFC_5881,
        16383,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot bind to [fd00::7]:65535: Cannot assign requested address (os error 99)"
    );
    let unbound = sender(None, Family::V6, 64);
    let failure = unbound
        .send(b"lost", to(SECOND_V6, Port::SingleHop))
        .unwrap_err();
    assert_eq!(failure.kind, SendFailureKind::Source);
    assert_eq!(
        failure.to_string(),
        "no address on this host to send to [fd00::7]:3784 from: Cannot assign requested address (os error 99)"
    );
}

/// In a thread that gets no IPv6 sockets, as a service with systemd's `RestrictAddressFamilies=` and on a kernel that was
/// started with `ipv6.disable=1`.
fn no_ipv6() {
    let _host = host();
    let test = || {
        refuse_ipv6();
        assert!(UdpSocket::bind((V6, 0)).is_err());
        let mut receiver = BfdReceiver::new(Port::MultiHop).unwrap();
        assert!(receiver.hears(Family::V4) && !receiver.hears(Family::V6));
        send(
            &sender(V4, Family::V4, 17),
            b"here",
            to(SECOND_V4, Port::MultiHop),
        );
        let packet = receive(&mut receiver, 1)[0];
        assert_eq!(
            (packet.source.ip(), packet.destination, packet.hop_limit),
            (V4, SECOND_V4, Some(17))
        );
        let error = BfdSender::new(&origin(None, Family::V6, 64), SourcePorts::RFC_5881, 0);
        assert!(error.unwrap_err().is_unsupported());
        let error = BfdReceiver::new(Port::MultiHop).err().unwrap();
        assert!(error.to_string().contains("UDP port 4784"), "{error}");
    };
    std::thread::spawn(test).join().unwrap();
}

/// From here on the calling thread is told that there is no IPv6 whenever it asks for a socket.
fn refuse_ipv6() {
    const LOAD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const ERROR: u32 = 0x0005_0000;
    let line = |code, k, jf| libc::sock_filter { code, jt: 0, jf, k };
    let number = |value: i64| u32::try_from(value).unwrap();
    // struct seccomp_data: the number of the system call, and at 16 its first argument, whose low half matters.
    let low_half = if cfg!(target_endian = "big") { 20 } else { 16 };
    let mut program = [
        line(LOAD, 0, 0),
        line(JUMP_IF_EQUAL, number(libc::SYS_socket), 3),
        line(LOAD, low_half, 0),
        line(JUMP_IF_EQUAL, number(libc::AF_INET6.into()), 1),
        line(RETURN, ERROR | number(libc::EAFNOSUPPORT.into()), 0),
        line(RETURN, ALLOW, 0),
    ];
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).unwrap(),
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the program lives through the calls, which change nothing but what this thread is allowed.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program),
            0
        );
    }
}

fn lengths() {
    let _host = host();
    let mut receiver = BfdReceiver::new(Port::SingleHop).unwrap();
    let sender = sender(None, Family::V6, 255);
    let bytes: Vec<u8> = (0..60_000_u16).map(|it| it.to_le_bytes()[0]).collect();
    let lengths = [
        0,
        1,
        23,
        24,
        52,
        Payload::KEPT,
        Payload::KEPT + 1,
        1400,
        60_000,
    ];
    for length in lengths {
        send(&sender, &bytes[..length], to(V6, Port::SingleHop));
    }
    let packets = receive(&mut receiver, lengths.len());
    for (packet, length) in packets.iter().zip(lengths) {
        assert_eq!(packet.payload.length(), length);
        assert_eq!(packet.payload.bytes(), &bytes[..length.min(Payload::KEPT)]);
        assert_eq!(packet.hop_limit, Some(255));
    }
}

fn second_receiver() {
    let _host = host();
    let first = BfdReceiver::new(Port::SingleHop).unwrap();
    let error = BfdReceiver::new(Port::SingleHop).err().unwrap();
    assert_eq!(
        error.to_string(),
        "cannot receive BFD packets on UDP port 3784: Address already in use (os error 98)"
    );
    drop(first);
    // Another program that listens on one family, were it on one address.
    let other = UdpSocket::bind(to(V4, Port::SingleHop)).unwrap();
    assert!(BfdReceiver::new(Port::SingleHop).is_err());
    drop(other);
    BfdReceiver::new(Port::SingleHop).unwrap();
}

fn storm() {
    let _host = host();
    let mut receiver = BfdReceiver::new(Port::SingleHop).unwrap();
    let sender = sender(None, Family::V4, 255);
    for number in 0..1300_u32 {
        send(&sender, &number.to_be_bytes(), to(V4, Port::SingleHop));
    }
    let mut packets = Vec::with_capacity(512);
    let mut next = 0_u32;
    while next < 1300 {
        wait(&receiver);
        packets.clear();
        let summary = receiver.receive(&mut packets).unwrap();
        assert!(packets.len() <= 512);
        assert_eq!(packets.capacity(), 512, "nothing was allocated");
        assert_eq!(summary.more, packets.len() == 512);
        for packet in &packets {
            assert_eq!(packet.payload.bytes(), next.to_be_bytes());
            next += 1;
        }
    }
}

/// What a thousand sessions send meanwhile, every 10 ms.
fn pause() {
    let _host = host();
    let mut receiver = BfdReceiver::new(Port::SingleHop).unwrap();
    for family in [Family::V4, Family::V6] {
        let sender = sender(None, family, 255);
        let to = to(if family == Family::V4 { V4 } else { V6 }, Port::SingleHop);
        for _packet in 0..5000 {
            send(&sender, &[0; 24], to);
        }
        receive(&mut receiver, 5000);
    }
}

fn event_loop() {
    let _host = host();
    let mut receivers = Port::ALL.map(|port| BfdReceiver::new(port).unwrap());
    let events = EventLoop::new().unwrap();
    for (token, receiver) in (0..).zip(&receivers) {
        events.add(receiver, token).unwrap();
    }
    let mut ready = vec![7];
    events.poll(&mut ready).unwrap();
    assert!(ready.is_empty());
    let sender = sender(None, Family::V6, 255);
    send(&sender, b"wake up", to(V6, Port::MultiHop));
    events.wait(&mut ready).unwrap();
    assert_eq!(ready, [1]);
    receive(&mut receivers[1], 1);
    events.poll(&mut ready).unwrap();
    assert!(ready.is_empty());
}

fn taken_ports() {
    let _host = host();
    let allowed = getrlimit(Resource::Nofile);
    let enough = Rlimit {
        current: allowed
            .maximum
            .map_or(Some(4096), |most| Some(most.min(4096))),
        ..allowed
    };
    setrlimit(Resource::Nofile, enough).unwrap();
    fs::write("/proc/sys/net/ipv4/ip_local_port_range", "50000 51023").unwrap();
    let ports = SourcePorts::of_this_host().unwrap();
    assert_eq!(ports.to_string(), "50000 to 51023");
    let open = |source: IpAddr, seed| {
        BfdSender::new(&origin(source, Family::of(source), 255), ports, seed)
    };
    let seed = 1022;
    let _taken = UdpSocket::bind((V4, 51022)).unwrap();
    let first = open(V4, seed).unwrap();
    let second = open(V4, seed).unwrap();
    assert_eq!(first.local(), SocketAddr::new(V4, 51023));
    assert_eq!(
        second.local(),
        SocketAddr::new(V4, 50000),
        "the first follows the last"
    );
    let unbound = BfdSender::new(&origin(None, Family::V4, 255), ports, seed).unwrap();
    assert_eq!(
        unbound.local().port(),
        50001,
        "any address is all addresses"
    );
    for other in [SECOND_V4, V6, SECOND_V6] {
        assert_eq!(
            open(other, seed).unwrap().local(),
            SocketAddr::new(other, 51022)
        );
    }
    let unbound_v6 = BfdSender::new(&origin(None, Family::V6, 255), ports, seed).unwrap();
    assert_eq!(unbound_v6.local().port(), 51022, "IPv4 and IPv6 are apart");

    let mut others = Vec::new();
    let error = loop {
        match open(V4, seed) {
            Ok(sender) => others.push(sender),
            Err(error) => break error,
        }
        assert!(others.len() <= 1024);
    };
    assert_eq!(others.len(), 1024 - 4);
    assert_eq!(
        error.to_string(),
        "cannot bind to any of the ports 50000 to 51023 of 127.0.0.1: none is free: Address already in use (os error 98)"
    );
    let released = others.swap_remove(500).local();
    assert_eq!(open(V4, seed).unwrap().local(), released);
    let absent: IpAddr = "192.0.2.99".parse().unwrap();
    assert_eq!(
        open(absent, 0).unwrap_err().to_string(),
        "cannot bind to 192.0.2.99:50000: Cannot assign requested address (os error 99)"
    );
}

fn deaf_senders() {
    let _host = host();
    let mut receiver = BfdReceiver::new(Port::SingleHop).unwrap();
    let sender = sender(V4, Family::V4, 255);
    let stranger = UdpSocket::bind((V4, 0)).unwrap();
    for _packet in 0..10 {
        stranger.send_to(&[0; 1000], sender.local()).unwrap();
    }
    // What is sent later arrives later.
    stranger.send_to(b"!", to(V4, Port::SingleHop)).unwrap();
    receive(&mut receiver, 1);
    let sockets = fs::read_to_string("/proc/thread-self/net/udp").unwrap();
    let ours = format!(":{:04X} ", sender.local().port());
    let line = sockets.lines().find(|line| line.contains(&ours)).unwrap();
    // Bytes on the way out and bytes that wait.
    assert!(line.contains(" 07 00000000:00000000 "), "{line}");
    send(&sender, b"still there", to(V4, Port::SingleHop));
    receive(&mut receiver, 1);
}

fn send_failures() {
    let (mut route, lo) = host();
    let destination: IpAddr = "203.0.113.1".parse().unwrap();
    let there = to(destination, Port::SingleHop);
    let bound = sender(SECOND_V4, Family::V4, 255);
    let unbound = sender(None, Family::V4, 255);
    for sender in [&bound, &unbound] {
        let failure = sender.send(b"lost", there).unwrap_err();
        assert_eq!(failure.kind, SendFailureKind::Unreachable);
        assert_eq!(
            failure.to_string(),
            "no way to 203.0.113.1:3784: Network is unreachable (os error 101)"
        );
    }
    let there_v6 = to("2001:db8::1".parse().unwrap(), Port::SingleHop);
    let failure = sender(None, Family::V6, 64)
        .send(b"lost", there_v6)
        .unwrap_err();
    assert_eq!(failure.kind, SendFailureKind::Unreachable, "{failure}");
    let failure = unbound.send(b"lost", there_v6).unwrap_err();
    assert_eq!(failure.kind, SendFailureKind::Other, "{failure}");
    let failure = unbound
        .send(&[0; 65_530], to(V4, Port::SingleHop))
        .unwrap_err();
    assert_eq!(failure.kind, SendFailureKind::Other, "{failure}");

    for (number, kind, expected) in [
        (2, libc::RTN_PROHIBIT, SendFailureKind::Permission),
        (3, libc::RTN_UNREACHABLE, SendFailureKind::Unreachable),
        (4, libc::RTN_BLACKHOLE, SendFailureKind::Other),
    ] {
        let destination = IpAddr::V4(Ipv4Addr::new(203, 0, 113, number));
        let mut hole = KernelRoute::new(Prefix::host(destination), 18);
        hole.kind = kind;
        let change = Change::Route(Box::new(RouteChange::Add {
            route: hole,
            insert: Insert::Before,
        }));
        for result in route.change_routing(&[change]).unwrap() {
            result.unwrap();
        }
        let failure = bound
            .send(b"lost", to(destination, Port::SingleHop))
            .unwrap_err();
        assert_eq!(failure.kind, expected, "{failure}");
    }

    let address = KernelAddress::new(Prefix::host(SECOND_V4));
    let change = AddressChange::Remove {
        interface: lo,
        address,
    };
    for result in route.change_addresses(&[change]).unwrap() {
        result.unwrap();
    }
    let failure = bound.send(b"lost", to(V4, Port::SingleHop)).unwrap_err();
    assert_eq!(failure.kind, SendFailureKind::Source, "{failure}");
    // Which error it is depends on the kernel's version.
    let text = failure.to_string();
    let expected = "source address 192.0.2.7 is not on this host: ";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(
        unbound.send(b"there", to(V4, Port::SingleHop)).unwrap(),
        Sent::Whole
    );
}

fn full_buffer() {
    let (mut route, _lo) = host();
    let eth0 = wire(&mut route);
    let prefix = Prefix::new("198.51.100.1".parse().unwrap(), 24).unwrap();
    add_address(&mut route, eth0, prefix);
    // Packets to a neighbour that does not answer wait for it, more of them than the socket may have on the way.
    let limit = "/proc/sys/net/ipv4/neigh/eth0/unres_qlen_bytes";
    fs::write(limit, "100000000").unwrap();
    let sender = sender(None, Family::V4, 255);
    let nobody = to("198.51.100.2".parse().unwrap(), Port::SingleHop);
    let mut sent = 0;
    while sender.send(&[0; 24], nobody).unwrap() == Sent::Whole {
        sent += 1;
        assert!(sent < 100_000);
    }
    assert!(sent > 10);
}
