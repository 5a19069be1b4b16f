//! For any sequence of results, reloads and meddling, the kernel's table is what it should be.

use proptest::prelude::*;

use super::*;
use crate::settings::global::FlushOnStop;
use crate::settings::{Group, GroupEntry, GroupId};

#[derive(Clone, Debug)]
enum Input {
    /// Time passes; these servers fail.
    Pass(u16, Vec<u8>),
    Reload(Box<Settings>),
    /// Somebody removes a destination, or a service with all of them.
    Meddle(bool),
}

fn service(number: u8) -> impl Strategy<Value = VirtualServer> {
    let server = (1_u8..6, 0_u32..4, any::<bool>(), any::<bool>(), 0_usize..3);
    (
        prop::collection::vec(server, 1..5),
        (0_u32..5, 0_u32..3),
        prop::option::of((1_u8..9, any::<bool>())),
        any::<[bool; 2]>(),
        any::<bool>(),
    )
        .prop_map(
            move |(servers, (quorum, hysteresis), sorry, [omega, rr], group)| {
                let mut result = virtual_server(&[]);
                result.service = if group {
                    Service::Group {
                        group: GroupId(0),
                        ordinal: u32::from(number),
                        protocol: Some(Protocol::Tcp),
                        family: Some(types::Family::V4),
                    }
                } else {
                    Service::Address {
                        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, number)),
                        port: 80,
                        protocol: Protocol::Tcp,
                    }
                };
                for (number, weight, inhibit, alpha, checks) in servers {
                    let mut server = real_server(number, weight);
                    if result
                        .real_servers
                        .iter()
                        .any(|known| known.address == server.address)
                    {
                        continue;
                    }
                    server.inhibit_on_failure = inhibit;
                    server.checkers = vec![tcp_check(number); checks];
                    for checker in &mut server.checkers {
                        checker.alpha = alpha;
                    }
                    result.real_servers.push(server);
                }
                (result.quorum, result.omega) = (quorum, omega);
                result.hysteresis = hysteresis.min(quorum.saturating_sub(1));
                result.sorry_server = sorry.map(|(number, inhibit)| SorryServer {
                    inhibit,
                    ..sorry_server(number)
                });
                if rr {
                    result.scheduler = "rr".into();
                }
                result
            },
        )
}

fn settings() -> impl Strategy<Value = Settings> {
    let services = (
        prop::option::of(service(1)),
        prop::option::of(service(2)),
        prop::option::of(service(3)),
    );
    (services, 1_u8..4, any::<bool>()).prop_map(|((a, b, c), addresses, marks)| {
        let mut settings = Settings {
            virtual_servers: [a, b, c].into_iter().flatten().collect(),
            groups: vec![Group {
                name: "G".into(),
                entries: vec![GroupEntry::Addresses {
                    first: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
                    last: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1 + addresses)),
                    port: 80,
                }],
            }],
            ..Settings::default()
        };
        if marks {
            settings.global.nftables.table = Some("t".into());
        }
        settings
    })
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        6 => (0_u16..30, prop::collection::vec(1_u8..6, 0..5))
            .prop_map(|(seconds, failing)| Input::Pass(seconds, failing)),
        2 => settings().prop_map(|settings| Input::Reload(Box::new(settings))),
        1 => any::<bool>().prop_map(Input::Meddle),
    ]
}

fn is_right(bench: &Bench) {
    let lvs = &bench.lvs;
    for key in lvs.users.keys() {
        assert_eq!(bench.kernel.held(key), lvs.wanted(key), "{key}");
    }
    assert_eq!(bench.kernel.services.len(), lvs.users.len());
    for (service, state) in lvs.settings.virtual_servers.iter().zip(&lvs.services) {
        assert_eq!(service.real_servers.len(), state.servers.len());
        for (server, state) in service.real_servers.iter().zip(&state.servers) {
            assert_eq!(server.checkers.len(), state.checks.len());
            let down = state
                .checks
                .iter()
                .filter(|id| !lvs.checks.get(**id).unwrap().progress.up);
            assert_eq!(u32::try_from(down.count()).unwrap(), state.failed);
        }
        assert_eq!(
            state.sorry_in_use,
            service.sorry_server.is_some() && !state.quorum_up
        );
        // Whatever the way was: between what keeps a quorum and what gains it, both are right.
        let alive = service.real_servers.iter().zip(&state.servers);
        let alive = alive.filter(|(_, state)| state.is_alive());
        let sum: u32 = alive.map(|(server, _)| server.weight).sum();
        let (quorum, hysteresis) = (service.quorum, service.hysteresis);
        if state.quorum_up {
            assert!(sum > 0 && sum >= quorum - hysteresis.min(quorum));
        } else {
            assert!(quorum == 0 || sum < quorum + hysteresis);
        }
    }
    let known: usize = lvs
        .services
        .iter()
        .flat_map(|service| &service.servers)
        .map(|server| server.checks.len())
        .sum();
    assert_eq!(lvs.checks.iter().count(), known);
}

proptest! {
    #[test]
    fn the_kernel_holds_what_it_should(
        first in settings(),
        inputs in prop::collection::vec(input(), 0..24),
        keep in any::<bool>(),
        flush in any::<bool>(),
    ) {
        let mut first = first;
        if flush {
            first.global.flush_on_stop = FlushOnStop::Everything;
        }
        let mut bench = Bench::begin(first);
        is_right(&bench);
        for input in inputs {
            match input {
                Input::Pass(seconds, failing) => {
                    let until = bench.now + Duration::from_secs(u64::from(seconds));
                    bench.pass(until, &failing);
                }
                Input::Reload(settings) => {
                    bench.settings(settings.as_ref().clone());
                    // The same settings again change nothing.
                    let commands = bench.kernel.commands;
                    bench.news();
                    bench.settings(*settings);
                    prop_assert_eq!(bench.kernel.commands, commands);
                    prop_assert_eq!(bench.news(), "");
                }
                Input::Meddle(whole) => {
                    let Some(mut entry) = bench.kernel.services.first_entry() else { continue };
                    if whole {
                        entry.remove();
                    } else {
                        entry.get_mut().1.pop_first();
                    }
                    // Somebody looks at everything within a minute. Nothing fails meanwhile, so that no command meets what
                    // is not there.
                    for _ in 0..12 {
                        bench.now = bench.now + Duration::from_secs(5);
                        bench.lvs.keep_watch(bench.now);
                        bench.drain();
                    }
                }
            }
            is_right(&bench);
        }
        bench.lvs.handle_stop(keep);
        bench.drain();
        prop_assert!(keep || bench.kernel.services.is_empty());
        prop_assert_eq!(bench.lvs.next_deadline(), None);
    }
}

/// What others do to the kernel's table.
#[derive(Clone, Debug)]
enum Trouble {
    /// What else happens.
    Input(Input),
    /// The kernel refuses everything for so many seconds.
    Refuses(u16),
    /// The first service is balanced in another way.
    Scheduler,
    /// Its first destination has another weight and method.
    Destination,
    /// It has one more.
    Stranger(u8),
    /// Everything is gone.
    Cleared,
    /// Nobody reaches the table for so many seconds, which the core is told or not; perhaps there is a reload meanwhile. Then
    /// it is shown all of it, and all is right at once.
    Lost(u16, bool, Option<Box<Settings>>),
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        6 => input().prop_map(Trouble::Input),
        2 => (0_u16..40).prop_map(Trouble::Refuses),
        1 => Just(Trouble::Scheduler),
        1 => Just(Trouble::Destination),
        1 => (1_u8..9).prop_map(Trouble::Stranger),
        1 => Just(Trouble::Cleared),
        3 => (0_u16..40, any::<bool>(), prop::option::of(settings().prop_map(Box::new)))
            .prop_map(|(seconds, told, reload)| Trouble::Lost(seconds, told, reload)),
    ]
}

/// The core gets to know all of the kernel's table.
fn show_table(bench: &mut Bench) {
    let kernel = &bench.kernel;
    let keys = kernel.services.keys();
    let listing: Vec<_> = keys
        .filter_map(|key| Some((*key, kernel.held(key)?)))
        .collect();
    bench.lvs.handle_new_table(listing);
    bench.drain();
}

/// Begins with what an earlier run has left, and a service of somebody else, in the kernel's table; which is found `late`,
/// after so many seconds, or at once.
fn begin_among_left_overs(first: &Settings, late: Option<u16>) -> Bench {
    let mut bench = Bench::new();
    bench.meddled = true;
    bench.kernel = Bench::begin(first.clone()).kernel;
    let foreign = ServiceKey::Mark {
        family: types::Family::V4,
        mark: 77,
    };
    let options = ServiceOptions {
        scheduler: "rr".into(),
        one_packet: false,
        scheduler_flags: [false; 3],
        persistence: None,
    };
    bench
        .kernel
        .services
        .insert(foreign, (options, BTreeMap::new()));
    if let Some(seconds) = late {
        bench.deaf = true;
        bench.lvs.handle_no_table();
        bench.settings(first.clone());
        let until = bench.now + Duration::from_secs(u64::from(seconds));
        bench.pass(until, &[1, 3]);
        bench.deaf = false;
        show_table(&mut bench);
    } else {
        show_table(&mut bench);
        bench.settings(first.clone());
    }
    let flushed = first.global.flush && !first.virtual_servers.is_empty();
    let stayed = bench.kernel.services.remove(&foreign);
    assert_eq!(stayed.is_none(), flushed, "somebody else's service");
    bench
}

fn cause(bench: &mut Bench, trouble: Trouble) {
    let now = bench.now;
    let later = |seconds: u16| now + Duration::from_secs(u64::from(seconds));
    match trouble {
        Trouble::Input(Input::Pass(seconds, failing)) => bench.pass(later(seconds), &failing),
        Trouble::Input(Input::Reload(settings)) => bench.settings(*settings),
        Trouble::Refuses(seconds) => {
            bench.kernel.stubborn = true;
            bench.pass(later(seconds), &[1, 3]);
            bench.kernel.stubborn = false;
        }
        Trouble::Cleared => bench.kernel.services.clear(),
        Trouble::Lost(seconds, told, reload) => {
            bench.deaf = true;
            if told {
                bench.lvs.handle_no_table();
            }
            bench.pass(later(seconds), &[1, 3]);
            if let Some(settings) = reload {
                bench.settings(*settings);
            }
            bench.deaf = false;
            show_table(bench);
            is_right(bench);
        }
        Trouble::Input(Input::Meddle(_))
        | Trouble::Scheduler
        | Trouble::Destination
        | Trouble::Stranger(_) => {
            let Some(mut entry) = bench.kernel.services.first_entry() else {
                return;
            };
            let (options, destinations) = entry.get_mut();
            match trouble {
                Trouble::Scheduler => options.scheduler = "sed".into(),
                Trouble::Destination => {
                    if let Some(mut first) = destinations.first_entry() {
                        first.get_mut().weight += 7;
                        first.get_mut().forwarding = Forwarding::DirectRouting;
                    }
                }
                Trouble::Stranger(number) => {
                    let name = DestinationKey {
                        address: IpAddr::V4(Ipv4Addr::new(10, 1, 0, number)),
                        port: 80,
                    };
                    let options = DestinationOptions {
                        forwarding: Forwarding::Nat,
                        weight: 99,
                        upper_threshold: 0,
                        lower_threshold: 0,
                    };
                    destinations.insert(name, options);
                }
                Trouble::Input(Input::Meddle(false)) => drop(destinations.pop_first()),
                Trouble::Input(_) | Trouble::Refuses(_) | Trouble::Cleared | Trouble::Lost(..) => {
                    drop(entry.remove())
                }
            }
        }
    }
}

proptest! {
    /// Whatever others do and whatever the kernel refuses, at whatever moment: two minutes of peace later all is right.
    #[test]
    fn the_kernel_comes_to_hold_what_it_should(
        mut first in settings(),
        flush in any::<bool>(),
        late in prop::option::of(0_u16..40),
        troubles in prop::collection::vec(trouble(), 0..24),
    ) {
        first.global.flush = flush;
        let mut bench = begin_among_left_overs(&first, late);
        is_right(&bench);
        for trouble in troubles {
            cause(&mut bench, trouble);
        }
        let until = bench.now + Duration::from_secs(120);
        bench.pass(until, &[]);
        is_right(&bench);
    }
}
