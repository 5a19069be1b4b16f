//! What a reload of a running service does: the rows of a running keepalived, but for what it does worse.

use super::*;

#[test]
fn two_servers_and_a_quorum_of_two_over_many_reloads() {
    let service = |count: usize| {
        let mut service = virtual_server(&vec![1; count]);
        service.quorum = 2;
        service.sorry_server = Some(sorry_server(9));
        service
    };
    let mut bench = Bench::begin(one(service(2)));
    let expect = |bench: &mut Bench, table: &str, news: &str| {
        assert_eq!(
            (bench.table().as_str(), bench.news().as_str()),
            (table, news)
        );
    };
    expect(&mut bench, ".1:1 .2:1", "quorum_up");
    bench.round(&[2]);
    expect(&mut bench, ".9:1", "down .2, quorum_down");
    bench.settings(one(service(3)));
    expect(&mut bench, ".1:1 .3:1", "quorum_up");
    bench.round(&[2, 3]);
    expect(&mut bench, ".9:1", "down .3, quorum_down");
    let mut without = service(3);
    without.sorry_server = None;
    bench.settings(one(without.clone()));
    expect(&mut bench, ".1:1", "");
    bench.settings(one(service(3)));
    expect(&mut bench, ".9:1", "quorum_down");
    let mut easy = service(3);
    easy.quorum = 1;
    bench.settings(one(easy));
    expect(&mut bench, ".1:1", "quorum_up");
    let mut inhibited = service(3);
    for server in &mut inhibited.real_servers {
        server.inhibit_on_failure = true;
    }
    bench.settings(one(inhibited.clone()));
    expect(&mut bench, ".1:0 .2:0 .3:0 .9:1", "quorum_down");
    bench.round(&[]);
    assert_eq!(bench.table(), ".1:1 .2:1 .3:1");
    let news = bench.news();
    assert!(
        ["up .2, quorum_up, up .3", "up .3, quorum_up, up .2"].contains(&news.as_str()),
        "{news}"
    );
    let mut shared = service(3);
    shared.sorry_server = Some(sorry_server(1));
    bench.settings(one(shared));
    expect(&mut bench, ".1:1 .2:1 .3:1", "");
    bench.round(&[2, 3]);
    assert_eq!(bench.table(), ".1:1");
    bench.news();
    bench.round(&[3]);
    expect(&mut bench, ".1:1 .2:1", "up .2, quorum_up");
}

#[test]
fn what_changes_is_one_command_and_what_does_not_is_none() {
    let base = || virtual_server(&[1, 2]);
    let mut bench = Bench::begin(one(base()));
    bench.round(&[]);
    let commands = |bench: &mut Bench, service: VirtualServer, wanted: usize, table: &str| {
        let before = bench.kernel.commands;
        bench.settings(one(service));
        assert_eq!(bench.kernel.commands - before, wanted);
        assert_eq!(bench.table(), table);
    };
    commands(&mut bench, base(), 0, ".1:1 .2:2");
    let mut more = base();
    more.real_servers.push(real_server(3, 3));
    commands(&mut bench, more.clone(), 1, ".1:1 .2:2 .3:3");
    more.real_servers.remove(1);
    commands(&mut bench, more.clone(), 1, ".1:1 .3:3");
    more.real_servers[0].weight = 7;
    commands(&mut bench, more.clone(), 1, ".1:7 .3:3");
    assert!(bench.log.iter().any(|line| line
        == "Changing weight from 1 to 7 for active service [10.1.0.1]:tcp:80 of VS [10.0.0.1]:tcp:80"));
    more.real_servers[0].uthreshold = 9;
    more.real_servers[1].lvs_method = Forwarding::DirectRouting;
    commands(&mut bench, more.clone(), 2, ".1:7 .3:3");
    more.scheduler = "rr".into();
    commands(&mut bench, more.clone(), 1, ".1:7 .3:3");
    let mut moved = more;
    moved.service = Service::Address {
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        port: 8080,
        protocol: Protocol::Tcp,
    };
    bench.settings(one(moved));
    assert_eq!(bench.kernel.services.len(), 1);
    assert_eq!(bench.table(), ".1:7 .3:3");
    assert!(
        bench
            .log
            .iter()
            .any(|line| line == "Removing Virtual Server [10.0.0.1]:tcp:80")
    );
    bench.settings(Settings::default());
    assert_eq!(bench.table(), "-");
}

#[test]
fn a_dead_server_stays_dead_whatever_becomes_of_its_check() {
    let mut bench = Bench::begin(one(virtual_server(&[1, 2])));
    bench.round(&[1]);
    assert_eq!(bench.table(), ".2:2");
    bench.news();
    bench.settings(one(virtual_server(&[1, 2])));
    assert_eq!(bench.table(), ".2:2");
    // Its check is another one now: that it is well has yet to be seen.
    let mut other = virtual_server(&[1, 2]);
    let CheckerKind::Tcp(endpoint) = &mut other.real_servers[0].checkers[0].kind else {
        panic!("a TCP_CHECK");
    };
    endpoint.connect_timeout = Microseconds::from_secs(3);
    bench.settings(one(other.clone()));
    assert_eq!(bench.table(), ".2:2");
    bench.round(&[1]);
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".2:2", "")
    );
    bench.round(&[]);
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".1:1 .2:2", "up .1")
    );
    // Without a check it is well.
    bench.round(&[1]);
    other.real_servers[0].checkers.clear();
    bench.settings(one(other));
    assert_eq!(bench.table(), ".1:1 .2:2");
}

#[test]
fn a_check_that_stays_keeps_its_timer_and_its_attempt() {
    let mut bench = Bench::begin(one(virtual_server(&[1])));
    bench.round(&[]);
    let until = bench.lvs.next_deadline();
    bench.settings(one(virtual_server(&[1, 5])));
    assert_eq!(bench.lvs.next_deadline(), until);
    while bench.open.is_empty() {
        bench.now = bench.lvs.next_deadline().unwrap();
        bench.lvs.handle_timeout(bench.now);
        bench.drain();
    }
    let open = bench.open.clone();
    let mut weighted = virtual_server(&[4, 5]);
    weighted.real_servers[0].checkers[0].retry = 7;
    bench.settings(one(weighted));
    assert_eq!(bench.open, open, "the attempt goes on");
    // One that goes ends its attempt, and a late answer finds nobody.
    bench.settings(Settings::default());
    assert_eq!(bench.open, []);
    bench
        .lvs
        .handle_verdict(bench.now, open[0], &Verdict::Success);
    bench.drain();
}

#[test]
fn left_overs_are_adopted_and_foreign_services_are_left_alone() {
    let foreign = ServiceKey::Mark {
        mark: 9,
        family: types::Family::V4,
    };
    let ours = ServiceKey::Address {
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        port: 80,
        protocol: Protocol::Tcp,
    };
    let options = |scheduler: &str| ServiceOptions {
        scheduler: scheduler.into(),
        one_packet: false,
        scheduler_flags: [false; 3],
        persistence: None,
    };
    let destination = |number: u8, weight| {
        let key = DestinationKey {
            address: IpAddr::V4(Ipv4Addr::new(10, 1, 0, number)),
            port: 80,
        };
        let options = DestinationOptions {
            forwarding: Forwarding::DirectRouting,
            weight,
            upper_threshold: 0,
            lower_threshold: 0,
        };
        (key, options)
    };
    let mut bench = Bench::new();
    for (key, scheduler) in [(foreign, "lc"), (ours, "wlc")] {
        let destinations = [destination(1, 9), destination(7, 9)].into_iter().collect();
        bench
            .kernel
            .services
            .insert(key, (options(scheduler), destinations));
    }
    let held: Vec<_> = bench
        .kernel
        .services
        .keys()
        .map(|key| (*key, bench.kernel.held(key).unwrap()))
        .collect();
    bench.lvs.handle_new_table(held);
    let mut service = virtual_server(&[1, 1]);
    service.scheduler = "rr".into();
    bench.settings(one(service.clone()));
    assert_eq!(bench.table(), ".1:1 .2:1");
    assert_eq!(bench.kernel.services[&ours].0.scheduler, "rr");
    assert_eq!(bench.kernel.services[&foreign].1.len(), 2);
    bench.lvs.handle_stop(false);
    bench.drain();
    assert_eq!(bench.kernel.services.keys().collect::<Vec<_>>(), [&foreign]);
    // With lvs_flush nothing is left alone.
    let mut bench = Bench::new();
    bench
        .kernel
        .services
        .insert(foreign, (options("lc"), BTreeMap::new()));
    let mut settings = one(service);
    settings.global.flush = true;
    bench.settings(settings);
    assert_eq!(bench.kernel.services.keys().collect::<Vec<_>>(), [&ours]);
}

/// `lvs_flush` without a table: it waits for one, and is done once. Who does not want it any more is not obeyed late.
#[test]
fn a_flush_waits_for_a_table() {
    let mut wanted = one(virtual_server(&[1]));
    wanted.global.flush = true;
    let unwanted = one(virtual_server(&[1]));
    let foreign = ServiceKey::Mark {
        mark: 7,
        family: types::Family::V4,
    };
    let flushes = |bench: &mut Bench| {
        let mut count = 0;
        while let Some(action) = bench.lvs.poll_action() {
            if let Action::Ipvs(command) = action {
                count += usize::from(command == Command::Flush);
                bench.kernel.try_apply(command).unwrap();
            }
        }
        count
    };
    let full = Bench::begin(wanted.clone()).kernel.services;
    for (later, expected) in [(&wanted, 1), (&unwanted, 0)] {
        let mut bench = Bench::new();
        bench.lvs.handle_no_table();
        assert!(bench.lvs.flush_is_due(), "nobody knows");
        bench.lvs.handle_settings(bench.now, wanted.clone());
        while bench.lvs.poll_action().is_some() {}
        assert!(bench.lvs.flush_is_due(), "a successor is to know");
        bench.lvs.handle_settings(bench.now, later.clone());
        while bench.lvs.poll_action().is_some() {}
        assert_eq!(bench.lvs.flush_is_due(), expected == 1);
        let options = full.values().next().unwrap().0.clone();
        let entry = (options.clone(), BTreeMap::new());
        bench.kernel.services.insert(foreign, entry);
        let listing = [(foreign, Held::new(options.clone(), Vec::new()))];
        bench.lvs.handle_new_table(listing);
        assert!(!bench.lvs.flush_is_due(), "before it is done");
        assert_eq!(flushes(&mut bench), expected);
        assert_eq!(bench.kernel.services.contains_key(&foreign), expected == 0);
        assert_eq!(bench.kernel.services.len(), 2 - expected);
        // Nor is it done again, neither by a reload nor with another table.
        bench.lvs.handle_settings(bench.now, wanted.clone());
        assert_eq!(flushes(&mut bench), 0);
        bench.kernel.services.clear();
        bench.lvs.handle_no_table();
        bench.lvs.handle_new_table([]);
        assert_eq!(flushes(&mut bench), 0);
        assert_eq!(bench.kernel.services, full);
    }
}

#[test]
fn a_successor_knows_who_was_down() {
    let mut bench = Bench::new();
    bench
        .lvs
        .handle_predecessor(["[10.0.0.1]:tcp:80 [10.1.0.1]:tcp:80".into()], []);
    bench.settings(one(virtual_server(&[1, 2])));
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".2:2", "quorum_up")
    );
    bench.round(&[1]);
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".2:2", "")
    );
    bench.round(&[]);
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".1:1 .2:2", "up .1")
    );
}

#[test]
fn who_is_down_is_known_to_the_host_and_what_it_knows_makes_a_successor() {
    let mut bench = Bench::begin(one(virtual_server(&[1, 2])));
    let turns = bench.lvs.turns();
    bench.round(&[]);
    assert_eq!(bench.lvs.turns(), turns, "nothing happened");
    assert_eq!(bench.lvs.down().count(), 0);
    bench.round(&[2]);
    assert!(bench.lvs.turns() > turns);
    let down: Vec<String> = bench.lvs.down().collect();
    assert_eq!(down, ["[10.0.0.1]:tcp:80 [10.1.0.2]:tcp:80"]);
    let mut successor = Bench::new();
    successor
        .lvs
        .handle_predecessor(down.iter().map(|name| name.as_str().into()), []);
    successor.settings(one(virtual_server(&[1, 2])));
    assert_eq!(successor.lvs.down().collect::<Vec<_>>(), down);
    assert_eq!(successor.table(), ".1:1");
}

#[test]
fn a_table_that_was_lost_is_made_anew() {
    let mut bench = Bench::begin(one(virtual_server(&[1, 2])));
    bench.kernel.services.clear();
    bench.lvs.handle_new_table([]);
    bench.drain();
    assert_eq!(bench.table(), ".1:1 .2:2");
    // What is there already is not made again, what is too much goes, and others are left alone.
    let foreign = ServiceKey::Mark {
        mark: 7,
        family: types::Family::V4,
    };
    let (options, mut destinations) = bench.kernel.services.values().next().unwrap().clone();
    bench
        .kernel
        .services
        .insert(foreign, (options.clone(), BTreeMap::new()));
    let ours = *bench.kernel.services.keys().next().unwrap();
    let (name, is) = destinations.pop_first().unwrap();
    let stranger = DestinationKey {
        address: [10, 1, 0, 99].into(),
        ..name
    };
    destinations.insert(stranger, is);
    bench.kernel.services.insert(ours, (options, destinations));
    let before = bench.kernel.commands;
    let table: Vec<_> = [ours, foreign]
        .into_iter()
        .filter_map(|key| Some((key, bench.kernel.held(&key)?)))
        .collect();
    bench.lvs.handle_new_table(table);
    bench.drain();
    assert_eq!(bench.table(), ".1:1 .2:2");
    assert_eq!(bench.kernel.commands - before, 2);
    assert!(bench.kernel.services.contains_key(&foreign));
}

#[test]
fn a_service_that_the_file_has_twice_is_the_same_twice() {
    let mut settings = one(virtual_server(&[1]));
    settings.virtual_servers.push(virtual_server(&[1, 2]));
    let mut bench = Bench::begin(settings.clone());
    assert_eq!(bench.table(), ".1:1 .2:2");
    assert_eq!(bench.news(), "quorum_up, quorum_up");
    let commands = bench.kernel.commands;
    bench.settings(settings);
    assert_eq!(
        (bench.news().as_str(), bench.kernel.commands),
        ("", commands)
    );
}

#[test]
fn whatever_is_open_for_a_check_that_goes_is_closed_between_two_attempts_too() {
    let mut bench = Bench::begin(one(virtual_server(&[1])));
    bench.round(&[]);
    assert_eq!(bench.open, []);
    bench.lvs.handle_settings(bench.now, Settings::default());
    let closed = std::iter::from_fn(|| bench.lvs.poll_action())
        .filter(|action| matches!(action, Action::Abandon(_)))
        .count();
    assert_eq!(closed, 1);
}

#[test]
fn a_service_that_the_kernel_refuses_is_not_asked_for_all_the_time() {
    let mut lvs = Lvs::new(1);
    lvs.handle_settings(Instant::ZERO, one(virtual_server(&[1, 2])));
    let mut now = Instant::ZERO;
    let mut asked = 0;
    // It has no such scheduler: everything is refused, and nothing is there.
    while now < Instant::ZERO + Duration::from_secs(600) {
        while let Some(action) = lvs.poll_action() {
            match action {
                Action::Ipvs(command) => {
                    let kind = if matches!(command, Command::AddService(..)) {
                        asked += 1;
                        RefusalKind::Other
                    } else {
                        RefusalKind::Missing
                    };
                    lvs.handle_refusal(now, &command, kind);
                }
                Action::Read(key) => lvs.handle_service(now, key, None),
                Action::Log(line) => {
                    let text = lvs.describe(&line.text).to_string();
                    assert!(!text.contains("somebody else"), "{text}");
                }
                Action::Mark(_)
                | Action::Attempt(..)
                | Action::RunCommand(..)
                | Action::SignalCommand(..)
                | Action::Abandon(_)
                | Action::Announce(_) => {}
            }
        }
        now = now.max(lvs.next_deadline().unwrap());
        lvs.handle_timeout(now);
    }
    assert!((30..=62).contains(&asked), "{asked}");
}

#[test]
fn a_service_that_was_ours_is_removed_even_if_the_kernel_could_not_be_told() {
    let key = ServiceKey::Address {
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        port: 80,
        protocol: Protocol::Tcp,
    };
    let mut bench = Bench::begin(one(virtual_server(&[1])));
    // The conversation breaks while it is told.
    bench.lvs.handle_settings(bench.now, Settings::default());
    while bench.lvs.poll_action().is_some() {}
    let held = bench.kernel.held(&key).unwrap();
    bench.lvs.handle_new_table([(key, held)]);
    bench.drain();
    assert_eq!(bench.table(), "-");
    bench.round(&[]);
    // From then on it may be somebody else's.
    bench.kernel.services.insert(
        key,
        (
            crate::entries::options(&virtual_server(&[]), &key),
            BTreeMap::new(),
        ),
    );
    let held = bench.kernel.held(&key).unwrap();
    bench.lvs.handle_new_table([(key, held)]);
    bench.drain();
    assert_eq!(bench.table(), "");
    // The kernel refuses: it is asked again.
    let mut bench = Bench::begin(one(virtual_server(&[1])));
    bench.lvs.handle_settings(bench.now, Settings::default());
    while let Some(action) = bench.lvs.poll_action() {
        if let Action::Ipvs(command) = action {
            let kind = RefusalKind::Other;
            bench.lvs.handle_refusal(bench.now, &command, kind);
        }
    }
    bench.round(&[]);
    assert_eq!(bench.table(), "-");
    assert_eq!(bench.lvs.next_deadline(), None);
}

#[test]
fn refusals_do_not_put_off_the_moment_of_truth() {
    let mut lvs = Lvs::new(1);
    lvs.handle_settings(Instant::ZERO, one(virtual_server(&[1])));
    let key = *lvs.users.keys().next().unwrap();
    let add = Command::AddService(key, crate::entries::options(&virtual_server(&[]), &key));
    let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
    lvs.handle_refusal(at(0), &add, RefusalKind::Other);
    for second in 1..9 {
        let missing = Command::RemoveService(key);
        lvs.handle_refusal(at(second), &missing, RefusalKind::Missing);
        lvs.handle_refusal(at(second), &add, RefusalKind::Other);
    }
    while lvs.poll_action().is_some() {}
    lvs.handle_timeout(at(10));
    let reads = std::iter::from_fn(|| lvs.poll_action())
        .filter(|action| matches!(action, Action::Read(_)))
        .count();
    assert_eq!(reads, 1);
}

#[test]
fn a_sorry_server_that_serves_is_not_news_when_its_inhibit_changes() {
    let service = |inhibit| {
        let mut service = virtual_server(&[1]);
        service.sorry_server = Some(SorryServer {
            inhibit,
            ..sorry_server(9)
        });
        one(service)
    };
    let mut bench = Bench::begin(service(false));
    bench.round(&[1]);
    bench.news();
    bench.settings(service(true));
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".9:1", "")
    );
}
