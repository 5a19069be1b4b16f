//! `keepalived_check.data` beside the file that Debian's keepalived 2.2.7 wrote of the same configuration, in User Mode
//! Linux a few seconds after its start.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::time::Duration;

use config::Settings;
use evervip_observe::{CheckContext, WallClock, check_data};
use lvs::dialogue::{Failure, Trouble, TroubleKind, Verdict};
use lvs::settings::checkers::CheckerKind;
use lvs::{Action, CommandEnd, Lvs};
use types::Instant;

use common::{differences, settings};

const CONFIGURATION: &str = include_str!("check_data/everything.conf");
const KEEPALIVED: &str = include_str!("check_data/keepalived-2.2.7.data");

/// Answers what the core asks: a page and a name server are bad, echo requests are answered, commands end with status 7.
fn drain(lvs: &mut Lvs, now: Instant) {
    while let Some(action) = lvs.poll_action() {
        match action {
            Action::Attempt(id, _) => {
                let kind = &lvs.checker(id).unwrap().kind;
                let verdict = if matches!(kind, CheckerKind::Http(_) | CheckerKind::Dns(_)) {
                    Verdict::Failure(Failure::ReadTimeout(Duration::from_secs(5)))
                } else {
                    Verdict::Success
                };
                lvs.handle_verdict(now, id, &verdict);
            }
            Action::RunCommand(id, _) => lvs.handle_command_end(now, id, CommandEnd::Exited(7)),
            _ => {}
        }
    }
}

fn dump(lvs: &Lvs, settings: &Settings) -> String {
    check_data(
        lvs,
        &CheckContext {
            clock: WallClock {
                now: Instant::ZERO,
                unix_nanos: 1_700_000_000_000_000_000,
            },
            settings,
            host_name: "alpha",
            calendar: |seconds| match seconds {
                0 => "Thu Jan  1 00:00:00 1970".into(),
                _ => format!("Tue Nov 14 22:13:{:02} 2023", 20 + seconds - 1_700_000_000),
            },
        },
    )
}

/// The lines that differ, and why:
/// - Of the global section: what only VRRP goes by is in `keepalived.data`, and 2.4.3 has lines that 2.2.7 has not.
/// - The password is hidden.
/// - 2.4.3 says `VS alive`, `default forwarding method` of a tunnel, too, and more of a sorry server, of TLS and of echo
///   requests.
/// - The family of a service and the time limit of a command are always known.
/// - FILE_CHECK stands where the configuration has it. BFD_CHECK has no pace.
/// - `regex_options` are those that were given.
#[test]
fn beside_keepalived() {
    let settings = settings(CONFIGURATION);
    let mut lvs = Lvs::new(1);
    lvs.handle_settings(Instant::ZERO, settings.lvs.clone());
    drain(&mut lvs, Instant::ZERO);
    let text = dump(&lvs, &settings);
    assert!(!text.contains("hush"), "no secret reaches a dump");
    insta::assert_snapshot!("differences", differences(KEEPALIVED, &text));
}

/// A keyword that keepalived does not have changes no line but its own.
#[test]
fn a_verified_certificate_is_mentioned() {
    let [with, without] = [
        "virtual_server 192.0.2.1 443 {\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n real_server 198.18.0.1 443 {\n SSL_GET {\n \
         verify_peer\n url {\n path /\n }\n }\n }\n}\n",
        "virtual_server 192.0.2.1 443 {\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n real_server 198.18.0.1 443 {\n SSL_GET {\n \
         url {\n path /\n }\n }\n }\n}\n",
    ]
    .map(|text| {
        let settings = settings(text);
        let mut lvs = Lvs::new(1);
        lvs.handle_settings(Instant::ZERO, settings.lvs.clone());
        dump(&lvs, &settings)
    });
    assert_eq!(differences(&without, &with), "+   verify_peer set\n");
}

/// Numbers of errors stand where keepalived has them, and stay when the server is well again.
#[test]
fn the_last_errors() {
    let settings = settings(
        "virtual_server 192.0.2.1 443 {\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n real_server 198.18.0.1 443 {\n SSL_GET {\n \
         retry 0\n url {\n path /\n virtualhost a\n }\n url {\n path /b\n }\n }\n }\n}\n",
    );
    let mut lvs = Lvs::new(1);
    lvs.handle_settings(Instant::ZERO, settings.lvs.clone());
    let before = dump(&lvs, &settings);
    let mut attempt = |seconds: u64, verdict: &Verdict| {
        let now = Instant::from_nanos(seconds * 1_000_000_000);
        lvs.handle_timeout(now);
        while let Some(action) = lvs.poll_action() {
            if let Action::Attempt(id, _) = action {
                lvs.handle_verdict(now, id, verdict);
            }
        }
    };
    let trouble = |kind, number| Trouble {
        kind,
        number,
        text: "trouble".into(),
    };
    let refused = trouble(TroubleKind::Refused, 111);
    attempt(100, &Verdict::Failure(Failure::Connect(refused)));
    let spoilt = trouble(TroubleKind::Tls, 0xa00_010b);
    attempt(200, &Verdict::Failure(Failure::Broken(spoilt)));
    for seconds in [300, 400, 500, 600] {
        attempt(seconds, &Verdict::Success);
    }
    let text = dump(&lvs, &settings);
    let wanted = "+     Last errno = 111\n+     Last SSL error = 0xa00010b\n";
    let of_errors: String = differences(&before, &text)
        .lines()
        .filter(|line| line.contains("Last"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(of_errors, wanted);
    assert!(text.contains("   Up = yes\n"));
    assert!(text.contains("     Timeout = 5.000000\n     Last errno = 111\n   Keepalive method"));
    assert!(
        text.contains(
            "     Virtual host = a\n     Last SSL error = 0xa00010b\n   Checked url = /b\n"
        )
    );
}

/// What checks have found out, what nftables marks, and what a reload kept.
#[test]
fn after_checks_and_a_reload() {
    let text = "global_defs {\n nftables_ipvs table\n nftables_ipvs_start_fwmark 70\n}\n\
         track_file load {\n file /run/load\n}\n\
         virtual_server_group G {\n 192.0.2.1 80\n 192.0.2.4-9 80\n 2001:db8::1 80\n}\n\
         virtual_server group G {\n protocol UDP\n lvs_sched rr\n lvs_method TUN\n delay_loop 3\n warmup 0\n \
         sorry_server 198.18.0.9 80\n \
         real_server 198.18.0.1 80 {\n weight 4\n MISC_CHECK {\n misc_path \"/bin/weigh it\"\n misc_dynamic\n }\n \
         PING_CHECK {\n }\n FILE_CHECK {\n track_file load\n weight 2\n }\n }\n \
         real_server 198.18.0.2 80 {\n weight 3\n HTTP_GET {\n url {\n path /a\n }\n url {\n path /b\n }\n }\n \
         DNS_CHECK {\n retry 3\n }\n }\n}\n";
    let settings = settings(text);
    let mut lvs = Lvs::new(1);
    lvs.handle_file(Instant::ZERO, "load", -1);
    lvs.handle_settings(Instant::ZERO, settings.lvs.clone());
    drain(&mut lvs, Instant::ZERO);
    let now = Instant::from_nanos(1_500_000_000);
    lvs.handle_timeout(now);
    drain(&mut lvs, now);
    let mut bigger = settings.clone();
    bigger.lvs.virtual_servers[0].real_servers[1].weight = 5;
    lvs.handle_settings(now, bigger.lvs.clone());
    drain(&mut lvs, now);
    let text = dump(&lvs, &bigger);
    let start = text.find("------< LVS Topology >------").unwrap();
    insta::assert_snapshot!("after_checks_and_a_reload", text[start..]);
}
