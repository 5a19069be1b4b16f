//! MISC_CHECK: weights that a command gives, over failures, time-outs and reloads.

use super::*;
use crate::CommandEnd;
use crate::settings::CommandFacts;
use crate::settings::checkers::MiscCheck;

/// Two servers; the first one has a command that may take seven seconds.
fn weighed(weight: u32, dynamic: bool) -> Settings {
    let mut service = virtual_server(&[weight, 10]);
    service.real_servers[1].checkers.clear();
    service.real_servers[0].checkers[0] = Checker {
        kind: CheckerKind::Misc(MiscCheck {
            command: CommandId(4),
            timeout: Microseconds::from_secs(7),
            dynamic,
        }),
        retry: 0,
        warmup: Microseconds(0),
        ..tcp_check(1)
    };
    let fact = |line: &str| CommandFacts {
        line: line.into(),
        user: (0, 0),
    };
    Settings {
        commands: ["up", "down", "gained", "lost", "weigh"].map(fact).into(),
        ..one(service)
    }
}

impl Bench {
    /// Waits until the command runs.
    fn command_runs(&mut self) {
        for _ in 0..20 {
            if self.running.is_empty() {
                self.wait(1);
            }
        }
    }

    /// The same, and ends it.
    fn command_ends(&mut self, end: CommandEnd) {
        self.command_runs();
        let [id] = self.running[..] else {
            panic!("one command runs");
        };
        self.running.clear();
        self.lvs.handle_command_end(self.now, id, end);
        self.drain();
    }
}

#[test]
fn a_status_is_a_weight() {
    use CommandEnd::{Exited, NotStarted, Signalled};
    let mut bench = Bench::begin(weighed(3, true));
    bench.news();
    for (end, table, news) in [
        (Exited(0), ".1:3 .2:10", ""),
        (Exited(22), ".1:20 .2:10", ""),
        (Exited(2), ".1:0 .2:10", ""),
        (Exited(255), ".1:253 .2:10", ""),
        (Exited(1), ".2:10", "down .1"),
        // What it added is taken back.
        (Exited(0), ".1:3 .2:10", "up .1"),
        (Exited(7), ".1:5 .2:10", ""),
        (Signalled(9), ".2:10", "down .1"),
        (Exited(7), ".1:5 .2:10", "up .1"),
        (NotStarted, ".2:10", "down .1"),
        (Exited(0), ".1:3 .2:10", "up .1"),
    ] {
        bench.command_ends(end);
        assert_eq!(
            (bench.table().as_str(), bench.news().as_str()),
            (table, news),
            "{end:?}"
        );
    }
}

#[test]
fn a_reload_keeps_the_weight_that_a_command_gave() {
    let mut bench = Bench::begin(weighed(3, true));
    bench.command_ends(CommandEnd::Exited(0));
    bench.lines("");
    let commands = bench.kernel.commands;
    bench.settings(weighed(3, true));
    assert_eq!(bench.kernel.commands, commands, "status 0 adds nothing");
    bench.command_ends(CommandEnd::Exited(7));
    assert_eq!(bench.lines("Changing weight from 3 to 5").len(), 1);
    // The weight is the command's, whatever the settings say.
    let commands = bench.kernel.commands;
    bench.settings(weighed(9, true));
    assert_eq!(bench.table(), ".1:5 .2:10");
    assert_eq!(
        (bench.lines("Changing weight").len(), bench.kernel.commands),
        (0, commands)
    );
    bench.command_ends(CommandEnd::Exited(0));
    assert_eq!(bench.table(), ".1:9 .2:10");
    // One that says nothing of weights is another check.
    bench.command_ends(CommandEnd::Exited(7));
    bench.settings(weighed(9, false));
    assert_eq!(bench.table(), ".1:9 .2:10");
    bench.command_ends(CommandEnd::Exited(0));
    assert_eq!(bench.table(), ".1:9 .2:10");
}

#[test]
fn one_that_takes_too_long_is_ended_and_its_weight_is_taken_back() {
    let mut bench = Bench::begin(weighed(3, true));
    bench.command_ends(CommandEnd::Exited(12));
    assert_eq!(bench.table(), ".1:10 .2:10");
    bench.news();
    bench.command_runs();
    assert_eq!((bench.running.len(), bench.signals.len()), (1, 0));
    bench.wait(30);
    // Asked after 7 s, killed 2 s later, and every 10 s from then on.
    assert_eq!(
        bench.signals,
        [Signal::Terminate, Signal::Kill, Signal::Kill, Signal::Kill]
    );
    assert_eq!(bench.running.len(), 1, "never two at a time");
    bench.lines("");
    bench.command_ends(CommandEnd::Exited(0));
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".2:10", "down .1")
    );
    assert_eq!(bench.lines("timed out").len(), 1);
    bench.command_ends(CommandEnd::Exited(0));
    assert_eq!(bench.table(), ".1:3 .2:10");
}

/// A reload that keeps the check leaves its command alone, one that removes it does not.
#[test]
fn a_command_that_runs_during_a_reload() {
    let mut bench = Bench::begin(weighed(3, true));
    bench.wait(5);
    let running = bench.running.clone();
    assert_eq!(running.len(), 1);
    bench.settings(weighed(4, true));
    assert_eq!(bench.running, running);
    bench.settings(weighed(4, false));
    assert!(bench.running.is_empty(), "it is abandoned");
    // That it ended is nobody's business any more.
    bench
        .lvs
        .handle_command_end(bench.now, running[0], CommandEnd::Exited(1));
    bench.drain();
    assert_eq!(bench.table(), ".1:4 .2:10");
}

/// What is allowed to take long is not late.
#[test]
fn a_slow_command_is_not_reported() {
    let mut settings = weighed(3, false);
    let CheckerKind::Misc(misc) = &mut settings.virtual_servers[0].real_servers[0].checkers[0].kind
    else {
        panic!("a MISC_CHECK");
    };
    misc.timeout = Microseconds::from_secs(300);
    let mut bench = Bench::begin(settings);
    bench.wait(250);
    assert_eq!(bench.running.len(), 1);
    assert_eq!(bench.lines("has not come to an end"), [""; 0]);
}

/// That we have no process for a command says nothing of the server.
#[test]
fn without_a_process_there_is_no_result() {
    let mut settings = weighed(3, true);
    settings.virtual_servers[0].real_servers[0].checkers[0].retry = 1;
    let mut bench = Bench::begin(settings);
    bench.command_ends(CommandEnd::Exited(12));
    assert_eq!(bench.table(), ".1:10 .2:10");
    bench.news();
    bench.lines("");
    for _again in 0..5 {
        let before = bench.now;
        bench.command_ends(CommandEnd::NoProcess);
        // No retry, which would be a second later.
        assert!(bench.now >= before + Duration::from_secs(9));
        assert_eq!(
            (bench.table().as_str(), bench.news().as_str()),
            (".1:10 .2:10", "")
        );
    }
    assert_eq!(bench.lines("Misc check"), [""; 0]);
    // The first failure is still the first one.
    bench.command_ends(CommandEnd::Exited(1));
    assert_eq!(bench.table(), ".1:10 .2:10");
    bench.command_ends(CommandEnd::Exited(1));
    assert_eq!(bench.table(), ".2:10");
    // Nor does it bring a server back.
    bench.command_ends(CommandEnd::NoProcess);
    assert_eq!(bench.table(), ".2:10");
}
