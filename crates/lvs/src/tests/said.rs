//! What the log says over a life, word for word: those who search logs know keepalived's lines. And who is told what, where the
//! tables of the kernel do not show it.

use super::*;
use crate::dialogue::{Trouble, TroubleKind};
use crate::settings::checkers::MiscCheck;

impl Bench {
    /// The next attempt begins, and ends with this.
    fn attempt(&mut self, verdict: &Verdict) {
        while self.open.is_empty() {
            self.now = self.lvs.next_deadline().expect("a check is due");
            self.lvs.handle_timeout(self.now);
            self.drain();
        }
        let id = self.open.remove(0);
        self.lvs.handle_verdict(self.now, id, verdict);
        self.drain();
    }

    /// The next command begins, and ends with this status.
    fn command(&mut self, status: i32) {
        while self.running.is_empty() {
            self.now = self.lvs.next_deadline().expect("a command is due");
            self.lvs.handle_timeout(self.now);
            self.drain();
        }
        let id = self.running.remove(0);
        let end = crate::CommandEnd::Exited(status);
        self.lvs.handle_command_end(self.now, id, end);
        self.drain();
    }

    /// The end.
    fn stop(&mut self) {
        self.lvs.handle_stop(false);
        self.drain();
    }

    #[track_caller]
    fn says(&mut self, wanted: &[&str]) {
        assert_eq!(self.lines(""), wanted);
    }
}

fn refused() -> Verdict {
    Verdict::Failure(Failure::Connect(Trouble {
        kind: TroubleKind::Refused,
        number: 111,
        text: "Connection refused".into(),
    }))
}

/// One server of weight 1 with so many retries.
fn single(retry: u32) -> VirtualServer {
    let mut service = virtual_server(&[1]);
    service.real_servers[0].checkers[0].retry = retry;
    service
}

#[test]
fn a_life() {
    let mut service = single(1);
    service.sorry_server = Some(sorry_server(9));
    let mut bench = Bench::begin(one(service));
    bench.says(&[
        "Activating healthchecker for service [10.1.0.1]:tcp:80 for VS [10.0.0.1]:tcp:80",
        "Gained quorum 1+0=1 <= 1 for VS [10.0.0.1]:tcp:80",
    ]);
    bench.attempt(&Verdict::Success);
    bench.says(&["TCP connection to [10.1.0.1]:tcp:80 success."]);
    bench.attempt(&Verdict::Success);
    bench.attempt(&refused());
    bench.says(&[]);
    bench.attempt(&refused());
    bench.says(&[
        "TCP_CHECK on service [10.1.0.1]:tcp:80 failed after 1 retries. (no connection: Connection refused)",
        "Removing service [10.1.0.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
        "Lost quorum 1-0=1 > 0 for VS [10.0.0.1]:tcp:80",
        "Adding sorry server [10.1.0.9]:tcp:80 to VS [10.0.0.1]:tcp:80",
        "Removing alive servers from the pool for VS [10.0.0.1]:tcp:80",
    ]);
    bench.attempt(&refused());
    bench.says(&[]);
    bench.attempt(&Verdict::Success);
    bench.says(&[
        "TCP connection to [10.1.0.1]:tcp:80 success.",
        "Adding service [10.1.0.1]:tcp:80 to VS [10.0.0.1]:tcp:80",
        "Gained quorum 1+0=1 <= 1 for VS [10.0.0.1]:tcp:80",
        "Removing sorry server [10.1.0.9]:tcp:80 from VS [10.0.0.1]:tcp:80",
        "Adding alive servers to the pool for VS [10.0.0.1]:tcp:80",
    ]);
    bench.stop();
    bench.says(&["Shutting down service [10.1.0.1]:tcp:80 from VS [10.0.0.1]:tcp:80"]);
}

#[test]
fn a_life_of_one_that_is_inhibited() {
    let mut service = single(0);
    service.quorum = 2;
    service.real_servers.push(real_server(2, 1));
    service.real_servers[0].inhibit_on_failure = true;
    service.real_servers[1].checkers.clear();
    service.sorry_server = Some(SorryServer {
        inhibit: true,
        ..sorry_server(9)
    });
    let mut bench = Bench::begin(one(service));
    bench.lines("");
    bench.attempt(&refused());
    bench.says(&[
        "TCP_CHECK on service [10.1.0.1]:tcp:80 failed. (no connection: Connection refused)",
        "Disabling service [10.1.0.1]:tcp:80 of VS [10.0.0.1]:tcp:80",
        "Lost quorum 2-0=2 > 1 for VS [10.0.0.1]:tcp:80",
        "Enabling sorry server [10.1.0.9]:tcp:80 to VS [10.0.0.1]:tcp:80",
        "Removing alive servers from the pool for VS [10.0.0.1]:tcp:80",
    ]);
    bench.attempt(&Verdict::Success);
    bench.says(&[
        "TCP connection to [10.1.0.1]:tcp:80 success.",
        "Enabling service [10.1.0.1]:tcp:80 of VS [10.0.0.1]:tcp:80",
        "Gained quorum 2+0=2 <= 2 for VS [10.0.0.1]:tcp:80",
        "Disabling sorry server [10.1.0.9]:tcp:80 from VS [10.0.0.1]:tcp:80",
        "Adding alive servers to the pool for VS [10.0.0.1]:tcp:80",
    ]);
    bench.attempt(&refused());
    bench.lines("");
    bench.stop();
    bench.says(&[
        "Shutting down (inhibited) service [10.1.0.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
        "Shutting down service [10.1.0.2]:tcp:80 from VS [10.0.0.1]:tcp:80",
    ]);
}

/// With `log_all_failures` of the check or of all checks, each failure that does not count yet has a line; none has while the
/// server is down.
#[test]
fn every_failure_is_said_if_that_is_wanted() {
    let timeout = Verdict::Failure(Failure::ConnectTimeout(Duration::from_secs(5)));
    let said = [
        "TCP connection to [10.1.0.1]:tcp:80 failed. (no connection: Connection refused)",
        "TCP connection to [10.1.0.1]:tcp:80 timeout. (no connection within 5s)",
    ];
    for (of_check, of_all) in [(false, false), (true, false), (false, true)] {
        let mut settings = one(single(2));
        let checker = &mut settings.virtual_servers[0].real_servers[0].checkers[0];
        checker.log_all_failures = of_check;
        settings.global.log_all_failures = of_all;
        let mut bench = Bench::begin(settings);
        bench.attempt(&Verdict::Success);
        bench.lines("");
        bench.attempt(&refused());
        bench.attempt(&timeout);
        bench.says(if of_check || of_all { &said } else { &[] });
        bench.attempt(&refused());
        assert_eq!(bench.lines("failed after 2 retries.").len(), 1);
        bench.attempt(&refused());
        bench.attempt(&timeout);
        bench.says(&[]);
    }
}

#[test]
fn a_command_says_how_often_it_is_tried() {
    let mut service = single(2);
    service.real_servers[0].checkers[0].kind = CheckerKind::Misc(MiscCheck {
        command: CommandId(0),
        timeout: Microseconds::from_secs(5),
        dynamic: false,
    });
    service.real_servers[0].checkers[0].log_all_failures = true;
    let mut bench = Bench::begin(one(service));
    bench.command(0);
    bench.lines("");
    let name = "Misc check for [[10.1.0.1]:tcp:80 VS [10.0.0.1]:tcp:80] by []";
    for words in [
        "failed, will do 2 retries (exited with status 1)",
        "failed on retry 1/2 (exited with status 1)",
        "failed after 2 retries (exited with status 1)",
    ] {
        bench.command(1);
        let lines = bench.lines("Misc check");
        assert_eq!(lines, [format!("{name} {words}.")]);
    }
}

/// The first failed check of a server takes it out, and the last one that recovers brings it back.
#[test]
fn a_server_with_two_checks() {
    let mut service = virtual_server(&[1, 1]);
    service.real_servers[1].checkers.clear();
    let mut second = tcp_check(7);
    second.retry = 0;
    service.real_servers[0].checkers[0].retry = 0;
    service.real_servers[0].checkers.push(second);
    let mut bench = Bench::begin(one(service));
    bench.round(&[]);
    bench.lines("");
    for (failing, table, turns) in [
        (&[7][..], ".2:1", 1),
        (&[1, 7], ".2:1", 0),
        (&[1], ".2:1", 0),
        (&[1, 7], ".2:1", 0),
        (&[], ".1:1 .2:1", 1),
    ] {
        bench.news();
        bench.round(failing);
        assert_eq!(bench.table(), table, "{failing:?}");
        let news = bench.news();
        assert_eq!(news.matches(".1").count(), turns, "{failing:?}: {news}");
    }
}

/// `rs_init_notifies`: who is in from the start is told of, and no reload tells again.
#[test]
fn who_is_there_at_the_start_is_told_if_that_is_wanted() {
    for (wanted, news) in [(false, "quorum_up"), (true, "up .1, up .2, quorum_up")] {
        let mut settings = one(virtual_server(&[1, 1, 1]));
        settings.global.rs_init_notifies = wanted;
        // One that is not in.
        settings.virtual_servers[0].real_servers[2].checkers[0].alpha = true;
        let mut bench = Bench::begin(settings.clone());
        assert_eq!(bench.news(), news);
        bench.settings(settings);
        assert_eq!(bench.news(), "");
        bench.round(&[]);
        assert_eq!(bench.news(), "up .3");
    }
}

/// One with `alpha` that a reload brings is not known to be down: nobody is told when it turns out to be.
#[test]
fn a_newcomer_that_has_to_prove_itself() {
    let mut settings = one(virtual_server(&[1, 1]));
    let mut bench = Bench::begin(settings.clone());
    bench.round(&[]);
    let mut third = real_server(3, 1);
    third.checkers[0].alpha = true;
    settings.virtual_servers[0].real_servers.push(third);
    bench.news();
    bench.settings(settings);
    bench.lines("");
    bench.round(&[3]);
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".1:1 .2:1", "")
    );
    bench.says(&[]);
    bench.round(&[]);
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".1:1 .2:1 .3:1", "up .3")
    );
}

/// A virtual server that a reload takes away takes its servers along, and the quorum that it had; `omega` is about stops.
#[test]
fn what_a_reload_takes_away_is_told() {
    let mut service = virtual_server(&[1, 1]);
    service.real_servers[0].checkers[0].retry = 0;
    let mut bench = Bench::begin(one(service));
    bench.round(&[1]);
    bench.news();
    bench.lines("");
    bench.settings(Settings::default());
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        ("-", "down .2, quorum_down")
    );
    bench.says(&[
        "Removing Virtual Server [10.0.0.1]:tcp:80",
        "Removing service [10.1.0.2]:tcp:80 from VS [10.0.0.1]:tcp:80",
    ]);
}

#[test]
fn a_start_without_a_quorum_is_said_if_there_is_a_sorry_server() {
    for (sorry, wanted) in [
        (None, &[][..]),
        (
            Some(sorry_server(9)),
            &[
                "Starting with quorum down 3-1=4 > 2 for VS [10.0.0.1]:tcp:80",
                "Adding sorry server [10.1.0.9]:tcp:80 to VS [10.0.0.1]:tcp:80",
                "Removing alive servers from the pool for VS [10.0.0.1]:tcp:80",
            ],
        ),
    ] {
        let mut service = virtual_server(&[1, 1]);
        (service.quorum, service.hysteresis) = (3, 1);
        service.sorry_server = sorry;
        for server in &mut service.real_servers {
            server.checkers.clear();
        }
        Bench::begin(one(service)).says(wanted);
    }
}
