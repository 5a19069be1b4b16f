//! The watchdog: what somebody else did to the kernel's table, what the kernel refuses, and checks that do not come to an end.

use super::*;

fn service_key() -> ServiceKey {
    ServiceKey::Address {
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        port: 80,
        protocol: Protocol::Tcp,
    }
}

fn destination(number: u8) -> DestinationKey {
    DestinationKey {
        address: IpAddr::V4(Ipv4Addr::new(10, 1, 0, number)),
        port: 80,
    }
}

/// A service whose checks take their time: what happens here is about its table.
fn quiet(weights: &[u32]) -> Settings {
    let mut service = virtual_server(weights);
    for server in &mut service.real_servers {
        server.checkers.clear();
    }
    one(service)
}

#[test]
fn what_somebody_else_changed_is_said_and_put_right() {
    let mut bench = Bench::begin(quiet(&[1, 2, 3]));
    bench.meddled = true;
    bench.lines("");
    bench.wait(100);
    assert_eq!(bench.lines("somebody else"), [""; 0], "nothing happened");
    let wanted = bench.kernel.services.clone();
    let key = service_key();
    {
        let (options, destinations) = bench.kernel.services.get_mut(&key).unwrap();
        options.scheduler = "rr".into();
        destinations.remove(&destination(1));
        destinations.get_mut(&destination(2)).unwrap().weight = 9;
        let copy = destinations[&destination(3)];
        destinations.insert(destination(7), copy);
    }
    bench.wait(60);
    assert_eq!(bench.kernel.services, wanted);
    let lines = bench.lines("somebody else");
    assert_eq!(lines.len(), 4, "{lines:#?}");
    for (line, words) in lines.iter().zip([
        "(lvs_sched rr, wanted wlc): it is set right",
        "10.1.0.1:80 was removed",
        "10.1.0.2:80 in IPVS service 10.0.0.1:tcp:80 was changed by somebody else (weight 9, wanted 2)",
        "10.1.0.7:80 was added",
    ]) {
        assert!(line.contains(words), "{line}");
    }
    // All of it goes; and a service of somebody else comes.
    bench.kernel.services.clear();
    let foreign = ServiceKey::Mark {
        mark: 5,
        family: types::Family::V4,
    };
    let other = (wanted[&key].0.clone(), BTreeMap::new());
    bench.kernel.services.insert(foreign, other);
    bench.wait(60);
    assert_eq!(bench.kernel.services.len(), 2, "that one is not ours");
    assert_eq!(bench.kernel.services[&key], wanted[&key]);
    let lines = bench.lines("somebody else");
    assert_eq!(lines.len(), 1, "{lines:?}");
}

/// Somebody was faster: it is found out soon, not within a minute.
#[test]
fn commands_that_meet_something_else_are_followed_by_a_look() {
    let mut bench = Bench::begin(quiet(&[1, 2]));
    bench.meddled = true;
    let key = service_key();
    // One that we are about to add is there with another weight, one that we are about to remove is not.
    let copy = bench.kernel.services[&key].1[&destination(1)];
    let other = DestinationOptions { weight: 77, ..copy };
    let (_, destinations) = bench.kernel.services.get_mut(&key).unwrap();
    destinations.insert(destination(3), other);
    destinations.remove(&destination(2));
    let mut settings = quiet(&[1, 2, 3]);
    settings.virtual_servers[0].real_servers.remove(1);
    bench.settings(settings);
    assert_eq!(bench.table(), ".1:1 .3:77");
    bench.wait(1);
    assert_eq!(bench.table(), ".1:1 .3:3");
    // The service itself is gone when a server is to be added.
    bench.kernel.services.clear();
    bench.settings(quiet(&[1, 2, 3]));
    assert_eq!(bench.table(), "-");
    bench.wait(1);
    assert_eq!(bench.table(), ".1:1 .2:2 .3:3");
}

#[test]
fn what_the_kernel_refuses_is_tried_again_and_blamed_on_nobody() {
    let mut bench = Bench::new();
    bench.meddled = true;
    bench.kernel.stubborn = true;
    bench.settings(quiet(&[1, 2]));
    bench.wait(300);
    assert_eq!(bench.table(), "-");
    bench.kernel.stubborn = false;
    bench.wait(61);
    assert_eq!(bench.table(), ".1:1 .2:2");
    // A change of a service that is there.
    bench.kernel.stubborn = true;
    bench.settings(quiet(&[1, 5]));
    bench.wait(300);
    assert_eq!(bench.table(), ".1:1 .2:2");
    bench.kernel.stubborn = false;
    bench.wait(61);
    assert_eq!(bench.table(), ".1:1 .2:5");
    assert_eq!(bench.lines("somebody else"), [""; 0]);
}

#[test]
fn an_attempt_that_does_not_end_is_made_again() {
    let mut bench = Bench::begin(one(virtual_server(&[1])));
    // Every ten seconds: 30 are allowed, and 5 for an attempt.
    bench.wait(11);
    assert_eq!(bench.open.len(), 1);
    let first = bench.now;
    let said = |bench: &mut Bench| bench.lines("has not come to an end").len();
    bench.wait(23);
    assert_eq!((said(&mut bench), bench.open.len()), (0, 1));
    bench.wait(20);
    assert_eq!((said(&mut bench), bench.open.len()), (1, 1));
    let began = |bench: &Bench| {
        let [id] = bench.open[..] else {
            panic!("one attempt");
        };
        bench.lvs.checks.get(id).unwrap().began
    };
    assert!(began(&bench) <= first);
    // Ten times as long: whoever made it has lost it. Nor does the next one end, nor the one after that: it is said once.
    bench.wait(1100);
    let second = began(&bench);
    assert!(second > first, "another one");
    bench.wait(1200);
    assert!(began(&bench) > second, "and another one");
    assert_eq!((said(&mut bench), bench.open.len()), (0, 1));
    bench.answer(&[]);
    bench.round(&[]);
    assert_eq!(said(&mut bench), 0);
    // When it happens again it is said again.
    bench.wait(200);
    assert_eq!(said(&mut bench), 1);
}

/// What stays as it is until a reload is said once, in words of its own; what may pass, each time.
#[test]
fn what_is_in_the_way_is_said_once() {
    use crate::dialogue::{Obstacle, Trouble, TroubleKind};
    let trouble = |kind| Trouble {
        kind,
        number: 0,
        text: "no such key".into(),
    };
    let mut bench = Bench::begin(one(virtual_server(&[5])));
    let mut tries = |verdict: &Verdict| {
        bench.log.clear();
        while bench.open.is_empty() {
            bench.now = bench.now.max(bench.lvs.next_deadline().unwrap());
            bench.lvs.handle_timeout(bench.now);
            bench.drain();
        }
        for id in std::mem::take(&mut bench.open) {
            bench.lvs.handle_verdict(bench.now, id, verdict);
            bench.drain();
        }
        bench.log.clone()
    };
    let lasting = Verdict::NoResult(Obstacle::Tls(trouble(TroubleKind::Tls)));
    let said = tries(&lasting);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("A check of [") && said[0].ends_with("no such key"),
        "{said:?}"
    );
    assert_eq!(tries(&lasting), [""; 0]);
    let passing = Verdict::NoResult(Obstacle::Socket(trouble(TroubleKind::Other)));
    for _again in 0..2 {
        assert_eq!(tries(&passing).len(), 1);
    }
    assert_eq!(tries(&lasting).len(), 1);
    tries(&Verdict::Success);
    assert_eq!(tries(&lasting).len(), 1);
}

/// All services go, and come back before the kernel was asked whether they have gone: somebody looks at them as before.
#[test]
fn the_watch_goes_on_when_services_come_back_at_once() {
    let mut bench = Bench::begin(quiet(&[1, 2]));
    bench.meddled = true;
    bench.settings(Settings::default());
    bench.settings(quiet(&[1, 2]));
    bench.wait(1);
    let (options, _) = bench.kernel.services.get_mut(&service_key()).unwrap();
    options.scheduler = "rr".into();
    bench.wait(60);
    assert_eq!(bench.kernel.services[&service_key()].0.scheduler, "wlc");
}

/// What keeps one check from running may keep all of them: the log stays short.
#[test]
fn many_that_hang_are_counted() {
    let mut service = virtual_server(&[1; 100]);
    for server in &mut service.real_servers {
        // All at once.
        server.checkers[0].warmup = Microseconds(0);
    }
    let mut bench = Bench::begin(one(service));
    bench.wait(60);
    let lines = bench.lines("not come to an end");
    assert_eq!(lines.len(), 21, "{lines:#?}");
    let last = lines.last().unwrap();
    assert_eq!(last, "80 more checks have not come to an end for as long");
    bench.wait(60);
    assert_eq!(bench.lines("not come to an end"), [""; 0]);
}

/// What the kernel refused to make is not removed either: at a reload and at the stop.
#[test]
fn what_was_never_made_is_not_removed() {
    let leave: [fn(&mut Bench); 2] = [
        |bench| bench.settings(Settings::default()),
        |bench| {
            bench.lvs.handle_stop(false);
            bench.drain();
        },
    ];
    for leave in leave {
        let mut bench = Bench::new();
        bench.meddled = true;
        bench.kernel.stubborn = true;
        bench.settings(quiet(&[1, 2]));
        bench.kernel.stubborn = false;
        // From now on each command must make sense.
        bench.meddled = false;
        leave(&mut bench);
        assert_eq!(bench.kernel.commands, 0);
    }
}

/// What is shown of a virtual server is what the kernel has.
#[test]
fn it_is_set_when_the_kernel_has_it() {
    let is_set = |bench: &Bench| bench.lvs.services().next().unwrap().is_set();
    let mut bench = Bench::new();
    bench.lvs.handle_no_table();
    bench.settings(quiet(&[1]));
    assert!(!is_set(&bench), "there is nothing to have it");
    bench.kernel.services.clear();
    bench.lvs.handle_new_table([]);
    bench.drain();
    assert!(is_set(&bench));
    bench.lvs.handle_no_table();
    assert!(!is_set(&bench));
    // A kernel that refuses it.
    let mut bench = Bench::new();
    bench.meddled = true;
    bench.kernel.stubborn = true;
    bench.settings(quiet(&[1, 2]));
    for _look in 0..5 {
        assert!(!is_set(&bench));
        bench.wait(7);
    }
    bench.kernel.stubborn = false;
    bench.wait(20);
    assert!(is_set(&bench));
    // A change that it refuses does not undo it.
    bench.kernel.stubborn = true;
    bench.settings(quiet(&[1, 5]));
    assert!(is_set(&bench));
}

/// What came instead of an echo reply is said each time (keepalived), before what it means.
#[test]
fn what_came_instead_of_an_echo_reply() {
    use crate::dialogue::{EchoFailure, Trouble, TroubleKind};
    let mut service = virtual_server(&[1]);
    let checker = &mut service.real_servers[0].checkers[0];
    let CheckerKind::Tcp(endpoint) = checker.kind.clone() else {
        panic!("a TCP_CHECK");
    };
    checker.kind = CheckerKind::Ping(endpoint);
    let mut bench = Bench::begin(one(service));
    bench.round(&[]);
    let mut fails = |failure: Failure| {
        bench.log.clear();
        while bench.open.is_empty() {
            bench.wait(1);
        }
        let id = bench.open.remove(0);
        let verdict = Verdict::Failure(failure);
        bench.lvs.handle_verdict(bench.now, id, &verdict);
        bench.drain();
        bench.log.clone()
    };
    let unsent = Trouble {
        kind: TroubleKind::Other,
        number: 1,
        text: "Operation not permitted".into(),
    };
    // The first one does not count yet, the second one does.
    let said = fails(Failure::Ping(EchoFailure::Type(3)));
    assert_eq!(said, ["Got ICMP packet with type 0x3 ([10.1.0.1]:tcp:80)"]);
    let said = fails(Failure::Ping(EchoFailure::Sequence { got: 7, wanted: 2 }));
    assert_eq!(
        said[0],
        "Ping reply expected seq no 2, received 7 ([10.1.0.1]:tcp:80)"
    );
    assert!(said[1].starts_with("ICMP CHECK on service"), "{said:?}");
    let said = fails(Failure::Send(unsent));
    assert_eq!(said, ["send ICMP packet fail ([10.1.0.1]:tcp:80)"]);
    let late = fails(Failure::ReadTimeout(Duration::from_secs(5)));
    assert_eq!(late, [""; 0]);
}
