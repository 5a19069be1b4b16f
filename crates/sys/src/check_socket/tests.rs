use std::io::{Read as _, Write as _};
use std::net::{SocketAddrV4, TcpListener, UdpSocket};
use std::time::Duration;

use super::*;

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
const PATIENCE: Duration = Duration::from_secs(20);

/// Nothing gets as far as there.
const UNUSED: SocketAddr = SocketAddr::new(IpAddr::V4(LOOPBACK), 9);

fn wait(socket: &CheckSocket, flags: PollFlags) {
    let mut fds = [PollFd::new(socket, flags)];
    let limit = Timespec {
        tv_sec: i64::try_from(PATIENCE.as_secs()).unwrap(),
        tv_nsec: 0,
    };
    assert_eq!(poll(&mut fds, Some(&limit)).unwrap(), 1, "{flags:?}");
}

/// Opens a connection and waits for it.
fn connected(destination: SocketAddr, origin: &Origin<'_>) -> CheckSocket {
    match CheckSocket::open(Carrier::Stream, destination, origin).unwrap() {
        Opened::Connected(socket) => socket,
        Opened::InProgress(socket) => {
            wait(&socket, PollFlags::OUT);
            socket.outcome().unwrap();
            socket
        }
        Opened::Refused(trouble) => panic!("{trouble}"),
    }
}

fn received(socket: &CheckSocket) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 7];
    loop {
        wait(socket, PollFlags::IN);
        match socket.receive(&mut buffer) {
            Heard::Bytes(count) => all.extend_from_slice(&buffer[..count]),
            Heard::Nothing => {}
            Heard::End => return all,
            Heard::Trouble(trouble) => panic!("{trouble}"),
        }
    }
}

#[test]
fn a_stream_is_opened_written_read_and_ends() {
    let any_v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    for address in [IpAddr::V4(LOOPBACK), any_v6] {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let socket = connected(listener.local_addr().unwrap(), &Origin::default());
        let (mut peer, _) = listener.accept().unwrap();
        assert!(matches!(socket.receive(&mut [0; 4]), Heard::Nothing));
        assert!(matches!(socket.send(b"hello"), Sent::Bytes(5)));
        let mut got = [0; 5];
        peer.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"hello");
        peer.write_all(b"nice to meet you").unwrap();
        drop(peer);
        assert_eq!(received(&socket), b"nice to meet you");
    }
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let trouble = match CheckSocket::open(Carrier::Stream, address, &Origin::default()).unwrap() {
        Opened::Refused(trouble) => trouble,
        Opened::InProgress(socket) => {
            wait(&socket, PollFlags::OUT);
            assert!(socket.is_decided());
            socket.outcome().unwrap_err()
        }
        Opened::Connected(_) => panic!("somebody listens"),
    };
    assert_eq!(trouble.kind, TroubleKind::Refused);
    assert_eq!(trouble.number(), libc::ECONNREFUSED);
    assert_eq!(trouble.text(), "Connection refused");
}

#[test]
fn a_refused_datagram_is_heard_of() {
    let server = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    let address = server.local_addr().unwrap();
    let open = || match CheckSocket::open(Carrier::Datagrams, address, &Origin::default()) {
        Ok(Opened::Connected(socket)) => socket,
        other => panic!("{other:?}"),
    };
    let socket = open();
    assert!(matches!(socket.send(b"ping"), Sent::Bytes(4)));
    let mut buffer = [0; 16];
    let (count, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"ping");
    assert!(!socket.is_readable());
    server.send_to(b"", from).unwrap();
    wait(&socket, PollFlags::IN);
    assert!(
        matches!(socket.receive(&mut buffer), Heard::Bytes(0)),
        "an empty datagram is no end"
    );
    drop(server);
    assert!(matches!(socket.send(b"ping"), Sent::Bytes(4)));
    wait(&socket, PollFlags::IN);
    let heard = socket.receive(&mut buffer);
    let Heard::Trouble(trouble) = heard else {
        panic!("{heard:?}");
    };
    assert_eq!(trouble.kind, TroubleKind::Refused);
}

#[test]
fn our_own_end_is_as_it_was_asked_for() {
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let own = Ipv4Addr::new(127, 5, 6, 7);
    let origin = Origin {
        address: Some(IpAddr::V4(own)),
        ..Origin::default()
    };
    let _socket = connected(address, &origin);
    let (_peer, from) = listener.accept().unwrap();
    assert_eq!(from.ip(), IpAddr::V4(own));

    // A port that is free now; whoever takes it meanwhile makes this a test of the other outcome.
    let free = UdpSocket::bind((own, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let origin = Origin {
        address: Some(IpAddr::V4(own)),
        port: NonZeroU16::new(free),
        ..Origin::default()
    };
    for _check in 0..3 {
        // To the same place, while the connection before is in TIME_WAIT: what checks do.
        let socket = connected(address, &origin);
        let (peer, from) = listener.accept().unwrap();
        assert_eq!(from, SocketAddr::V4(SocketAddrV4::new(own, free)));
        drop(socket);
        drop(peer);
    }
}

#[test]
fn our_own_end_over_ipv6() {
    let own = Origin {
        address: Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ..Origin::default()
    };
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let _socket = connected(listener.local_addr().unwrap(), &own);
    let server = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let address = server.local_addr().unwrap();
    drop(server);
    let opened = CheckSocket::open(Carrier::Datagrams, address, &own).unwrap();
    let Opened::Connected(socket) = opened else {
        panic!("{opened:?}");
    };
    assert!(matches!(socket.send(b"ping"), Sent::Bytes(4)));
    wait(&socket, PollFlags::IN);
    let heard = socket.receive(&mut [0; 16]);
    assert!(
        matches!(&heard, Heard::Trouble(trouble) if trouble.kind == TroubleKind::Refused),
        "{heard:?}"
    );
}

#[test]
fn what_we_cannot_do_is_an_obstacle_and_not_the_servers_fault() {
    let missing = IfName::new("nosuch0").unwrap();
    let cases = [
        Origin {
            interface: Some(&missing),
            ..Origin::default()
        },
        Origin {
            // TEST-NET-1, RFC 5737: no address of ours.
            address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
            ..Origin::default()
        },
        Origin {
            // Of the other family.
            address: Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
            ..Origin::default()
        },
    ];
    for carrier in [Carrier::Stream, Carrier::Datagrams] {
        for origin in &cases {
            match CheckSocket::open(carrier, UNUSED, origin) {
                Err(Obstacle::Bind(trouble)) => assert_ne!(trouble.number(), 0),
                other => panic!("{origin:?}: {other:?}"),
            }
        }
    }
    // IPv6 without an interface: EINVAL is no answer of the network.
    let link_local: SocketAddr = "[fe80::1]:80".parse().unwrap();
    match CheckSocket::open(Carrier::Stream, link_local, &Origin::default()) {
        Err(Obstacle::Connect(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn errors_are_sorted() {
    for (errno, expected) in [
        (Errno::CONNREFUSED, TroubleKind::Refused),
        (Errno::CONNRESET, TroubleKind::Refused),
        (Errno::NETUNREACH, TroubleKind::Unreachable),
        (Errno::HOSTUNREACH, TroubleKind::Unreachable),
        (Errno::NETDOWN, TroubleKind::Unreachable),
        (Errno::HOSTDOWN, TroubleKind::Unreachable),
        (Errno::TIMEDOUT, TroubleKind::Other),
        (Errno::PERM, TroubleKind::Other),
    ] {
        assert_eq!(trouble(errno).kind, expected, "{errno:?}");
        assert_eq!(trouble(errno).number(), errno.raw_os_error());
    }
    assert!(!is_of_the_network(Errno::ADDRNOTAVAIL), "no port is left");
    assert!(!is_of_the_network(Errno::ACCESS));
    assert!(is_of_the_network(Errno::TIMEDOUT));
}
