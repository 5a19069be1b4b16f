use super::*;
use crate::netlink::message::{Message, Messages};

fn prefix(address: &str, length: u8) -> Prefix {
    Prefix::new(address.parse().unwrap(), length).unwrap()
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn on(number: u32) -> Option<IfIndex> {
    IfIndex::new(number)
}

fn encode(change: &RouteChange) -> Vec<u8> {
    let mut buffer = Vec::new();
    change.encode(&mut buffer, 9).unwrap();
    buffer
}

fn add(route: KernelRoute) -> RouteChange {
    RouteChange::Add {
        route,
        insert: Insert::Before,
    }
}

fn message(bytes: &[u8]) -> Message<'_> {
    Messages::new(bytes).next().unwrap().unwrap()
}

fn decode(bytes: &[u8]) -> Route {
    Route::decode(message(bytes).payload).unwrap().unwrap()
}

fn attributes(bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    Attributes::new(&message(bytes).payload[FIXED..])
        .map(Result::unwrap)
        .map(|attribute| (attribute.kind, attribute.value.to_vec()))
        .collect()
}

/// With everything that a route can have.
fn everything() -> KernelRoute {
    let mut route = KernelRoute::new(prefix("192.0.2.0", 24), 18);
    route.source = ip("198.18.0.9");
    route.via = ip("198.18.0.254");
    route.interface = on(5);
    route.onlink = true;
    route.tos = 0x10;
    route.table = 1000;
    route.scope = 253;
    route.metric = Some(50);
    route.encap = Some(Encap::Mpls(vec![100, 1_048_575]));
    route.metrics = vec![(2, 1400), (13, 300)];
    route.locks = 1 << 2;
    route.congestion = Some("cubic".to_owned());
    route.realms = Some(0x0003_0004);
    route.ttl_propagate = Some(true);
    route
}

#[test]
fn golden_bytes_of_a_whole_route() {
    let bytes = encode(&add(everything()));
    let mut golden: Vec<u8> = vec![
        184, 0, 0, 0, 24, 0, 0x05, 0x04, 9, 0, 0, 0, 0, 0, 0,
        0, // header: CREATE | REQUEST | ACK
        2, 24, 0, 0x10, 0, 18, 253, 1, 4, 0, 0, 0, // rtmsg, onlink
        8, 0, 1, 0, 192, 0, 2, 0, // destination
        8, 0, 15, 0, 0xe8, 3, 0, 0, // table 1000
        8, 0, 6, 0, 50, 0, 0, 0, // metric
        8, 0, 7, 0, 198, 18, 0, 9, // preferred source
        8, 0, 4, 0, 5, 0, 0, 0, // interface
        8, 0, 5, 0, 198, 18, 0, 254, // next router
        6, 0, 21, 0, 1, 0, 0, 0, // MPLS
        16, 0, 22, 0x80, 12, 0, 1, 0, 0, 6, 0x40, 0, 0xff, 0xff, 0xf1, 0, // its labels
        8, 0, 11, 0, 4, 0, 3, 0, // realms
        5, 0, 26, 0, 1, 0, 0, 0, // TTL is propagated
        40, 0, 8, 0x80, // metrics
        8, 0, 1, 0, 4, 0, 0, 0, // MTU is locked
        8, 0, 2, 0, 0x78, 5, 0, 0, // MTU 1400
        8, 0, 13, 0, 0x2c, 1, 0, 0, // rto_min 300
    ];
    golden.extend([10, 0, 16, 0]);
    golden.extend(b"cubic\0");
    golden.extend([0, 0]);
    // The length of the whole, and of the metrics, follow from the parts.
    let length = u8::try_from(golden.len()).unwrap();
    golden[0] = length;
    if cfg!(target_endian = "little") {
        assert_eq!(bytes, golden);
    }
}

#[test]
fn a_request_reads_back_as_the_route() {
    let route = everything();
    assert_eq!(
        decode(&encode(&add(route.clone()))),
        Route {
            destination: route.destination,
            from: None,
            kind: 1,
            tos: 0x10,
            table: 1000,
            protocol: 18,
            scope: 253,
            metric: 50,
            via: route.via,
            interface: route.interface,
            next_hops: Vec::new(),
        }
    );
    let mut v6 = KernelRoute::new(prefix("::", 0), 18);
    v6.from = Some(prefix("2001:db8:1::", 48));
    v6.via = ip("fe80::1");
    v6.interface = on(7);
    (v6.expires, v6.preference) = (Some(600), Some(3));
    let bytes = encode(&add(v6.clone()));
    let read = decode(&bytes);
    assert_eq!(
        (read.destination, read.from, read.metric),
        (v6.destination, v6.from, 1024),
        "the default metric is named"
    );
    let options = attributes(&bytes);
    assert!(options.contains(&(numbers::ROUTE_EXPIRES, 600_u32.to_ne_bytes().to_vec())));
    assert!(options.contains(&(numbers::ROUTE_PREFERENCE, vec![3])));
}

#[test]
fn several_ways_read_back_in_order() {
    let hop = |via: &str, number, hops| KernelNextHop {
        via: ip(via),
        interface: on(number),
        hops,
        onlink: hops == 0,
        encap: None,
        realms: Some(u32::from(hops)),
    };
    let mut route = KernelRoute::new(prefix("192.0.2.0", 24), 18);
    route.next_hops = vec![
        hop("198.18.0.1", 5, 0),
        hop("198.18.0.2", 6, 255),
        hop("fd00::1", 7, 1),
    ];
    let bytes = encode(&add(route));
    assert_eq!(
        decode(&bytes).next_hops,
        [
            (ip("198.18.0.1"), on(5)),
            (ip("198.18.0.2"), on(6)),
            (ip("fd00::1"), on(7)),
        ],
        "a next router of the other family comes as RTA_VIA"
    );
    let (_, hops) = attributes(&bytes)
        .into_iter()
        .find(|(kind, _)| *kind == numbers::ROUTE_HOPS)
        .unwrap();
    assert_eq!(
        hops[..8],
        [24, 0, 4, 0, 5, 0, 0, 0],
        "length, onlink, weight 1, interface"
    );
    assert_eq!(hops[24..32], [24, 0, 0, 255, 6, 0, 0, 0], "weight 256");
}

#[test]
fn wrappings() {
    let of = |encap| {
        let mut route = KernelRoute::new(prefix("192.0.2.0", 24), 18);
        route.encap = Some(encap);
        let attributes = attributes(&encode(&add(route)));
        let value = |wanted| {
            attributes
                .iter()
                .find(|(kind, _)| *kind == wanted)
                .map(|(_, value)| value.clone())
                .unwrap()
        };
        let kind = value(numbers::ROUTE_ENCAP_TYPE);
        let inner = value(numbers::ROUTE_ENCAP);
        let inner: Vec<_> = Attributes::new(&inner)
            .map(Result::unwrap)
            .map(|attribute| (attribute.kind, attribute.value.to_vec()))
            .collect();
        (u16::from_ne_bytes([kind[0], kind[1]]), inner)
    };
    let header = TunnelHeader {
        id: Some(0x0102),
        destination: Some(Ipv4Addr::new(198, 18, 0, 1)),
        source: Some(Ipv4Addr::new(198, 18, 0, 2)),
        traffic_class: Some(4),
        hop_limit: Some(64),
        flags: Some(0x0102),
    };
    assert_eq!(
        of(Encap::Ip(header)),
        (
            2,
            vec![
                (1, vec![0, 0, 0, 0, 0, 0, 1, 2]),
                (2, vec![198, 18, 0, 1]),
                (3, vec![198, 18, 0, 2]),
                (5, vec![4]),
                (4, vec![64]),
                (6, vec![1, 2]),
            ]
        )
    );
    let header = TunnelHeader {
        id: None,
        destination: Some(Ipv6Addr::LOCALHOST),
        source: None,
        traffic_class: None,
        hop_limit: None,
        flags: None,
    };
    let localhost = Ipv6Addr::LOCALHOST.octets().to_vec();
    assert_eq!(of(Encap::Ip6(header)), (4, vec![(2, localhost)]));
    assert_eq!(
        of(Encap::Mpls(vec![16])),
        (1, vec![(1, vec![0, 1, 1, 0])]),
        "label 16, bottom of the stack"
    );
    assert_eq!(
        of(Encap::Ila(0x2001_0db8_0000_0001)),
        (3, vec![(1, vec![0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1])])
    );
}

#[test]
fn flags_of_a_request_say_where_it_goes() {
    for (insert, flags) in [
        (Insert::Before, 0x405),
        (Insert::Alone, 0x605),
        (Insert::Behind, 0xc05),
        (Insert::Instead, 0x505),
    ] {
        let route = everything();
        let bytes = encode(&RouteChange::Add { route, insert });
        assert_eq!(message(&bytes).flags, flags);
    }
    let bytes = encode(&RouteChange::Remove {
        route: everything(),
    });
    let message = message(&bytes);
    assert_eq!((message.kind, message.flags), (25, 0x5));
    assert_eq!(message.payload[6], 255, "of any scope");
    assert!(
        attributes(&bytes)
            .iter()
            .all(|(kind, _)| *kind != numbers::ROUTE_METRICS),
        "options do not tell routes apart"
    );
}

#[test]
fn what_is_as_it_should_be_is_no_error() {
    let refused = |errno| Err(Refusal::new(errno, None));
    let add = add(everything());
    assert_eq!(add.judge(refused(libc::EEXIST)).unwrap(), Changed::Already);
    let remove = RouteChange::Remove {
        route: everything(),
    };
    assert_eq!(
        remove.judge(refused(libc::ESRCH)).unwrap(),
        Changed::Already
    );
    assert_eq!(
        add.judge(refused(libc::ENETUNREACH))
            .unwrap_err()
            .to_string(),
        "cannot add the route to 192.0.2.0/24 in table 1000: Network is unreachable (os error 101)"
    );
}

#[test]
fn truncation_never_panics() {
    let mut route = everything();
    route.next_hops = vec![
        KernelNextHop {
            via: ip("fd00::1"),
            interface: on(6),
            hops: 1,
            onlink: false,
            encap: Some(Encap::Mpls(vec![5])),
            realms: None,
        };
        2
    ];
    let bytes = encode(&add(route));
    let payload = message(&bytes).payload;
    for length in 0..payload.len() {
        if let Ok(read) = Route::decode(&payload[..length]) {
            assert_eq!(read.unwrap().protocol, 18);
        }
    }
    for position in 0..payload.len() {
        let mut payload = payload.to_vec();
        for value in [0, 1, 3, 0x7f, 0xff] {
            payload[position] = value;
            // Whatever comes of it, it comes.
            if let Ok(Some(read)) = Route::decode(&payload) {
                assert!(read.next_hops.len() <= payload.len() / HOP);
            }
        }
    }
    assert_eq!(
        Route::decode(&[7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        Ok(None)
    );
    let cached = [10, 128, 0, 0, 254, 18, 0, 1, 0, 2, 0, 0];
    if cfg!(target_endian = "little") {
        assert_eq!(Route::decode(&cached), Ok(None), "RTM_F_CLONED");
    }
}
