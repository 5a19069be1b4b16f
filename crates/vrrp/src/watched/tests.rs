use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::StateName;
use crate::settings::{
    Few, FileSettings, InstanceSettings, ParameterMatch, ProcessSettings, Settings, TrackWeight,
    Tracked,
};
use crate::testbench::{Bench, instance};

fn file(path: &str) -> FileSettings {
    FileSettings {
        name: String::from("F"),
        path: String::from(path),
        init: None,
        weight: TrackWeight::ONE,
        reverse: false,
    }
}

fn processes(quorum: u16) -> ProcessSettings {
    ProcessSettings {
        name: String::from("P"),
        command: String::from("prog"),
        parameters: Vec::new(),
        full_command: false,
        matching: ParameterMatch::Exact,
        quorum,
        quorum_max: None,
        fork_delay: Duration::from_secs(2),
        terminate_delay: Duration::from_secs(1),
        weight: TrackWeight::FAULT,
        reverse: false,
    }
}

fn tracks(name: &str, weight: i16, reverse: bool) -> Few<Tracked> {
    vec![Tracked {
        name: String::from(name),
        weight: TrackWeight::new(weight).unwrap(),
        reverse,
    }]
    .into()
}

/// One instance that tracks one object of each kind as `change` says.
fn settings(change: impl FnOnce(&mut InstanceSettings)) -> Settings {
    let mut instance = instance("VI");
    change(&mut instance);
    Settings {
        instances: vec![instance],
        track_files: vec![file("/run/f")],
        track_processes: vec![processes(1)],
        bfd_sessions: vec![String::from("B")],
        ..Settings::default()
    }
}

fn started(settings: Settings, file: i32, count: u32) -> Bench {
    let mut bench = Bench::idle();
    bench.vrrp.tell_ahead(
        [(String::from("F"), file)],
        [(String::from("P"), count)],
        [],
    );
    bench.settings(settings);
    bench
}

fn priority(bench: &Bench) -> u8 {
    bench.view(0).effective_priority.get()
}

impl Bench {
    fn file(&mut self, value: i32) -> Vec<String> {
        self.vrrp.handle_file(self.now, "F", value);
        self.drain()
    }

    fn count(&mut self, count: u32) -> Vec<String> {
        self.vrrp.handle_process_count(self.now, "P", count);
        self.drain()
    }

    fn bfd(&mut self, up: bool) -> Vec<String> {
        self.vrrp.handle_bfd(self.now, "B", up);
        self.drain()
    }
}

/// A running master does not wait until the processes that a reload brought in have been counted.
#[test]
fn processes_of_a_reload_count_once_they_are_counted() {
    for (count, reverse, state) in [
        (1, false, StateName::Master),
        (0, false, StateName::Fault),
        (1, true, StateName::Fault),
        (0, true, StateName::Master),
    ] {
        let mut bench = started(settings(|_| ()), 0, 1);
        bench.run(10_000);
        assert_eq!(bench.state(0), StateName::Master);
        let mut other = settings(|i| i.track_process = tracks("P", 0, reverse));
        other.track_processes = vec![ProcessSettings {
            command: String::from("other"),
            ..processes(1)
        }];
        bench.settings(other.clone());
        assert_eq!(bench.state(0), StateName::Master, "not counted yet");
        // Nor with another quorum in the meantime.
        for known in &mut other.track_processes {
            known.quorum_max = Some(5);
        }
        bench.settings(other);
        assert_eq!(bench.state(0), StateName::Master, "not counted yet");
        bench.count(count);
        assert_eq!(bench.state(0), state, "{count}, reverse: {reverse}");
    }
}

#[test]
fn content_moves_the_priority() {
    let mut bench = started(settings(|i| i.track_file = tracks("F", 2, false)), 10, 0);
    assert_eq!(priority(&bench), 170);
    assert_eq!(
        bench.file(-10),
        [
            "log track_file F changed from 10 to -10",
            "log (VI) Changing effective priority from 170 to 130"
        ]
    );
    assert_eq!(bench.file(-10), Vec::<String>::new());
    assert_eq!(
        bench.file(-127),
        [
            "log track_file F changed from -10 to -127",
            "log (VI) fault: tracked file F says -127",
            "log (VI) Changing effective priority from 130 to 150",
            "(VI) Entering FAULT STATE"
        ]
    );
    bench.file(1000);
    assert_eq!((bench.state(0), priority(&bench)), (StateName::Backup, 254));
    bench.vrrp.handle_file(bench.now, "unknown", 7);
    assert_eq!(bench.drain(), Vec::<String>::new());
}

#[test]
fn a_file_that_is_a_fault_is_one_from_the_start() {
    for (reverse, value, state) in [
        (false, 0, StateName::Backup),
        (false, 1, StateName::Fault),
        (true, 0, StateName::Fault),
        (true, 1, StateName::Backup),
    ] {
        let mut bench = Bench::idle();
        bench.vrrp.tell_ahead([(String::from("F"), value)], [], []);
        let said = bench.settings(settings(|i| i.track_file = tracks("F", 0, reverse)));
        assert_eq!(bench.state(0), state, "{reverse} {value}");
        let entered = said.iter().filter(|line| line.contains("Entering")).count();
        assert_eq!(entered, 1, "{said:?}");
    }
}

#[test]
fn a_master_gives_up_for_a_file() {
    let mut bench = started(settings(|i| i.track_file = tracks("F", 0, false)), 0, 0);
    bench.run(5_000);
    assert_eq!(bench.state(0), StateName::Master);
    let said = bench.file(1);
    assert!(said.contains(&String::from("advert 0")), "{said:?}");
    assert_eq!(bench.state(0), StateName::Fault);
    bench.file(0);
    assert_eq!(bench.state(0), StateName::Backup);
}

#[test]
fn processes_count_when_they_last() {
    let mut bench = started(settings(|i| i.track_process = tracks("P", 0, false)), 0, 1);
    assert_eq!(bench.state(0), StateName::Backup);
    assert_eq!(bench.count(0), Vec::<String>::new());
    assert_eq!(
        bench.run(1_000),
        [
            "1000 log vrrp_track_process P has no quorum: 0 running",
            "1000 log (VI) fault: the number of tracked process P",
            "1000 (VI) Entering FAULT STATE"
        ]
    );
    bench.count(1);
    bench.run(1_999);
    assert_eq!(bench.state(0), StateName::Fault);
    bench.run(1);
    assert_eq!(bench.state(0), StateName::Backup);
    // Fewer than enough for a moment.
    bench.count(0);
    bench.run(900);
    bench.count(3);
    bench.run(5_000);
    assert_eq!(bench.state(0), StateName::Master);
}

#[test]
fn weights_of_processes_and_sessions() {
    // weight, reverse; priority without and with
    for (weight, reverse, without, with) in [
        (20, false, 150, 170),
        (-20, false, 130, 150),
        (20, true, 150, 130),
        (-20, true, 170, 150),
        (254, false, 150, 254),
        (-254, false, 1, 150),
    ] {
        let tracked = settings(|i| i.track_process = tracks("P", weight, reverse));
        let mut bench = started(tracked, 0, 0);
        assert_eq!(priority(&bench), without);
        bench.count(1);
        bench.run(2_000);
        assert_eq!(priority(&bench), with);
        let Some(weight) = TrackWeight::new(weight.clamp(-253, 253)) else {
            panic!("within the range");
        };
        let tracked = settings(|i| i.track_bfd = tracks("B", weight.get(), reverse));
        let mut bench = started(tracked, 0, 0);
        assert_eq!(priority(&bench), without, "a session is down at first");
        bench.bfd(true);
        assert_eq!(priority(&bench), with);
        bench.bfd(false);
        assert_eq!(priority(&bench), without);
    }
}

#[test]
fn a_session_without_weight_is_a_fault() {
    let mut bench = started(settings(|i| i.track_bfd = tracks("B", 0, false)), 0, 0);
    assert_eq!(bench.state(0), StateName::Fault);
    assert_eq!(
        bench.bfd(true),
        ["log BFD session B is up", "(VI) Entering BACKUP STATE"]
    );
    assert_eq!(
        bench.bfd(false),
        [
            "log BFD session B is down",
            "log (VI) fault: the state of tracked BFD session B",
            "(VI) Entering FAULT STATE"
        ]
    );
    assert_eq!(bench.bfd(false), Vec::<String>::new());
    let mut bench = started(settings(|i| i.track_bfd = tracks("B", 0, true)), 0, 0);
    assert_eq!(bench.state(0), StateName::Backup);
    bench.bfd(true);
    assert_eq!(bench.state(0), StateName::Fault);
}

#[test]
fn a_reload_keeps_what_is_known() {
    let wanted = || {
        settings(|i| {
            i.track_file = tracks("F", 1, false);
            i.track_process = tracks("P", 20, false);
            i.track_bfd = tracks("B", 40, false);
        })
    };
    let mut bench = started(wanted(), -10, 1);
    bench.bfd(true);
    assert_eq!(priority(&bench), 200);
    assert_eq!(bench.settings(wanted()), Vec::<String>::new());
    assert_eq!(priority(&bench), 200);
    // Another path under the same name says nothing until it is told.
    let mut other = wanted();
    other.track_files = vec![file("/run/other")];
    bench.settings(other.clone());
    assert_eq!(priority(&bench), 210);
    bench.vrrp.tell_ahead([(String::from("F"), -5)], [], []);
    assert_eq!(priority(&bench), 210, "told ahead, it does not count yet");
    bench.settings(other);
    assert_eq!(priority(&bench), 205);
    // A higher quorum counts at once, and so does a number that is told ahead.
    let mut more = wanted();
    more.track_processes = vec![processes(2)];
    bench.vrrp.tell_ahead([(String::from("F"), -5)], [], []);
    bench.settings(more.clone());
    assert_eq!(priority(&bench), 185);
    bench.vrrp.tell_ahead([], [(String::from("P"), 2)], []);
    bench.settings(more);
    assert_eq!(priority(&bench), 205);
    // Nobody tracks it any more.
    let mut none = settings(|_| ());
    none.track_files.clear();
    none.track_processes.clear();
    none.bfd_sessions.clear();
    bench.settings(none);
    assert_eq!(priority(&bench), 150);
    assert_eq!(
        (
            bench.vrrp.files().count(),
            bench.vrrp.processes().count(),
            bench.vrrp.bfd_sessions().count()
        ),
        (0, 0, 0)
    );
}
