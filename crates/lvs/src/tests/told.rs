//! FILE_CHECK and BFD_CHECK: a server's state is a function of what is told, at the start, over reloads and in between.

use super::*;
use crate::settings::checkers::{FileCheck, FileWeight};

/// Two servers, the first one with this check beside none other.
fn told(kind: CheckerKind, alpha: bool) -> Settings {
    let mut service = virtual_server(&[5, 10]);
    service.real_servers[1].checkers.clear();
    service.real_servers[0].checkers[0] = Checker {
        kind,
        alpha,
        ..tcp_check(1)
    };
    one(service)
}

fn file(weight: i32, reverse: bool) -> Settings {
    let weight = FileWeight { weight, reverse };
    let check = FileCheck {
        track_file: "load".into(),
        weight,
    };
    told(CheckerKind::File(Box::new(check)), false)
}

fn session(alpha: bool) -> Settings {
    told(CheckerKind::Bfd("neighbour".into()), alpha)
}

impl Bench {
    fn number(&mut self, value: i32) {
        self.lvs.handle_file(self.now, "load", value);
        self.drain();
    }

    fn session_is(&mut self, up: bool) {
        self.lvs.handle_session(self.now, "neighbour", up);
        self.drain();
    }

    /// The same settings again: nothing happens, and nothing is said.
    fn reload_of(&mut self, settings: Settings, when: &str) {
        let (table, commands) = (self.table(), self.kernel.commands);
        self.news();
        self.lines("");
        self.settings(settings);
        assert_eq!(self.table(), table, "{when}");
        assert_eq!(self.kernel.commands, commands, "{when}");
        assert_eq!(self.news(), "", "{when}");
        assert_eq!(self.lines(""), [""; 0], "{when}");
    }
}

#[test]
fn a_number_is_a_weight_or_a_verdict() {
    for (settings, value, table) in [
        (file(2, false), 0, ".1:5 .2:10"),
        (file(2, false), 3, ".1:11 .2:10"),
        (file(2, true), 3, ".1:0 .2:10"),
        (file(2, true), -3, ".1:11 .2:10"),
        (file(-1, false), 100, ".1:0 .2:10"),
        (file(i32::MAX, false), i32::MAX, ".1:2147483647 .2:10"),
        (file(i32::MAX, true), i32::MAX, ".2:10"),
        (file(0, false), 0, ".1:5 .2:10"),
        (file(0, false), 1, ".2:10"),
        (file(0, true), 0, ".2:10"),
        (file(0, true), 1, ".1:5 .2:10"),
    ] {
        let what = format!(
            "{value} {:?}",
            settings.virtual_servers[0].real_servers[0].checkers
        );
        // Known ahead of the settings.
        let mut bench = Bench::new();
        bench.number(value);
        bench.settings(settings.clone());
        assert_eq!(bench.table(), table, "at the start: {what}");
        bench.reload_of(settings.clone(), &what);
        // Told later on: from any other value it comes to the same.
        for before in [0, 1, -1] {
            let mut bench = Bench::new();
            bench.number(before);
            bench.settings(settings.clone());
            bench.number(value);
            assert_eq!(bench.table(), table, "after {before}: {what}");
            bench.reload_of(settings.clone(), &what);
        }
    }
}

#[test]
fn who_hears_of_a_number() {
    let mut bench = Bench::begin(file(0, false));
    assert_eq!(bench.news(), "quorum_up");
    bench.number(1);
    assert_eq!(bench.news(), "down .1");
    bench.number(2);
    assert_eq!(bench.news(), "");
    bench.number(0);
    assert_eq!(bench.news(), "up .1");
    // Another weight over a reload.
    bench.number(3);
    bench.news();
    bench.settings(file(2, false));
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".1:11 .2:10", "up .1")
    );
    bench.settings(file(4, false));
    assert_eq!(bench.table(), ".1:17 .2:10");
    assert_eq!(bench.lines("Changing weight from 11 to 17").len(), 1);
    // Without the check what it added goes.
    let mut settings = file(4, false);
    settings.virtual_servers[0].real_servers[0].checkers.clear();
    bench.settings(settings);
    assert_eq!(bench.table(), ".1:5 .2:10");
}

/// No session is up before anybody says so.
#[test]
fn a_session_is_down_until_it_is_up() {
    let mut bench = Bench::begin(session(false));
    assert_eq!(bench.table(), ".2:10");
    assert!(bench.news().contains("down .1"));
    bench.reload_of(session(false), "down");
    bench.session_is(false);
    assert_eq!(bench.news(), "");
    bench.session_is(true);
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".1:5 .2:10", "up .1")
    );
    bench.reload_of(session(false), "up");
    bench.session_is(false);
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".2:10", "down .1")
    );
    // A strange one is nobody's.
    bench.lvs.handle_session(bench.now, "stranger", true);
    bench.drain();
    assert_eq!(bench.table(), ".2:10");
}

#[test]
fn an_alpha_server_with_a_session_is_told_down_once() {
    let mut bench = Bench::begin(session(true));
    assert_eq!(bench.table(), ".2:10");
    assert_eq!(bench.news(), "down .1, quorum_up");
    bench.reload_of(session(true), "down");
    bench.session_is(true);
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".1:5 .2:10", "up .1")
    );
    // One that is up before the settings come.
    let mut bench = Bench::new();
    bench.session_is(true);
    bench.settings(session(true));
    assert_eq!(bench.table(), ".1:5 .2:10");
}
