//! Whether a check of the new settings is one of those before, so that it keeps what is known (keepalived: what it compares).
//!
//! What is not compared, such as delays, is simply used from then on.

use crate::settings::Settings;
use crate::settings::checkers::{Checker, CheckerKind, HttpCheck, Regex, Sni, Url};

/// Whether it is the same check.
pub(super) fn is_same(
    (before, old): (&Checker, &Settings),
    (after, new): (&Checker, &Settings),
) -> bool {
    match (&before.kind, &after.kind) {
        (CheckerKind::Tcp(before), CheckerKind::Tcp(after))
        | (CheckerKind::Ping(before), CheckerKind::Ping(after)) => before == after,
        (CheckerKind::Udp(before), CheckerKind::Udp(after)) => before.endpoint == after.endpoint,
        (CheckerKind::Http(before), CheckerKind::Http(after)) => is_same_http(before, after),
        (CheckerKind::Smtp(before), CheckerKind::Smtp(after)) => before == after,
        (CheckerKind::Dns(before), CheckerKind::Dns(after)) => before == after,
        (CheckerKind::Misc(before), CheckerKind::Misc(after)) => {
            let runs = old.command(before.command);
            runs.is_some() && runs == new.command(after.command) && before.dynamic == after.dynamic
        }
        (CheckerKind::Bfd(before), CheckerKind::Bfd(after)) => before == after,
        // What it says is a function of the file; it keeps nothing.
        _ => false,
    }
}

fn is_same_http(before: &HttpCheck, after: &HttpCheck) -> bool {
    // keepalived takes HTTP_GET and SSL_GET for the same; what was known of one says nothing of the other.
    before.endpoint == after.endpoint
        && tls(before) == tls(after)
        && before.virtualhost == after.virtualhost
        && before.urls.len() == after.urls.len()
        && before
            .urls
            .iter()
            .zip(&after.urls)
            .all(|(before, after)| is_same_page(before, after))
}

/// What of TLS says whether a server is well. A name counts where it is verified; else only `sni_name` does: whether SNI is
/// sent at all, and a virtual host that stands in for its name, do not (keepalived).
fn tls(check: &HttpCheck) -> Option<(bool, Option<&Sni>)> {
    check.tls.as_ref().map(|tls| {
        let counts = tls.verify_peer || matches!(tls.sni, Sni::Named(_));
        (tls.verify_peer, counts.then_some(&tls.sni))
    })
}

fn is_same_page(before: &Url, after: &Url) -> bool {
    before.path == after.path
        && before.digest == after.digest
        && before.status_codes == after.status_codes
        && before.virtualhost == after.virtualhost
        && match (&before.regex, &after.regex) {
            (Some(before), Some(after)) => is_same_regex(before, after),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
}

/// `regex_stack` changes no result.
fn is_same_regex(before: &Regex, after: &Regex) -> bool {
    before.pattern == after.pattern
        && before.options == after.options
        && before.no_match == after.no_match
        && before.min_offset == after.min_offset
        && before.max_offset == after.max_offset
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use types::IfName;

    use super::*;
    use crate::settings::CommandFacts;
    use crate::settings::checkers::{
        CommandId, DnsCheck, DnsType, Endpoint, FileCheck, FileWeight, HttpVersion, Microseconds,
        MiscCheck, RegexOptions, RegexStack, Reply, SmtpCheck, Source, StatusRange, Tls, UdpCheck,
    };

    fn endpoint() -> Endpoint {
        Endpoint {
            destination: SocketAddr::from(([10, 1, 0, 1], 80)),
            connect_timeout: Microseconds::from_secs(5),
            source: None,
        }
    }

    fn checker(kind: CheckerKind) -> Checker {
        Checker {
            kind,
            retry: 1,
            delay_before_retry: Microseconds::from_secs(1),
            warmup: Microseconds::from_secs(2),
            delay_loop: Microseconds::from_secs(3),
            alpha: false,
            log_all_failures: false,
        }
    }

    fn http() -> HttpCheck {
        let regex = Regex {
            pattern: b"a".to_vec(),
            options: RegexOptions::default(),
            no_match: false,
            min_offset: 0,
            max_offset: None,
            stack: None,
        };
        let page = |path: &str| Url {
            path: path.into(),
            virtualhost: None,
            digest: None,
            status_codes: vec![StatusRange::SUCCESS],
            regex: Some(Box::new(regex.clone())),
            tls_compliant: false,
        };
        HttpCheck {
            endpoint: endpoint(),
            tls: Some(Tls {
                sni: Sni::Off,
                compliant: false,
                verify_peer: false,
            }),
            version: HttpVersion::V1_0,
            virtualhost: None,
            fast_recovery: false,
            urls: vec![page("/1"), page("/2")],
        }
    }

    fn settings() -> Settings {
        let command = |line: &str, uid| CommandFacts {
            line: line.into(),
            user: (uid, 0),
        };
        Settings {
            // The first one twice.
            commands: vec![
                command("check 1", 0),
                command("check 1", 0),
                command("check 2", 0),
                command("check 1", 7),
            ],
            ..Settings::default()
        }
    }

    /// With a change it is the same check, or not.
    #[track_caller]
    fn judge(kind: CheckerKind, wanted: bool, change: impl FnOnce(&mut Checker)) {
        let (before, mut after) = (checker(kind.clone()), checker(kind));
        change(&mut after);
        let settings = settings();
        let found = is_same((&before, &settings), (&after, &settings));
        assert_eq!(found, wanted, "{before:?} and {after:?}");
    }

    /// A function that makes something else of an endpoint.
    type Elsewhere = fn(&mut Endpoint);

    /// What is compared of every socket.
    const ELSEWHERE: [Elsewhere; 6] = [
        |it| it.destination.set_port(81),
        |it| it.destination = SocketAddr::from(([10, 1, 0, 2], 80)),
        |it| it.connect_timeout = Microseconds::from_secs(6),
        |it| it.source.get_or_insert_default().fwmark = 1,
        |it| {
            let source: &mut Source = it.source.get_or_insert_default();
            source.address = Some([10, 1, 0, 9].into());
        },
        |it| {
            let source: &mut Source = it.source.get_or_insert_default();
            source.interface = Some(IfName::new("eth1").expect("a name"));
        },
    ];

    fn endpoint_of(kind: &mut CheckerKind) -> &mut Endpoint {
        match kind {
            CheckerKind::Tcp(endpoint) | CheckerKind::Ping(endpoint) => endpoint,
            CheckerKind::Udp(check) => &mut check.endpoint,
            CheckerKind::Http(check) => &mut check.endpoint,
            CheckerKind::Smtp(check) => &mut check.endpoint,
            CheckerKind::Dns(check) => &mut check.endpoint,
            CheckerKind::Misc(_) | CheckerKind::File(_) | CheckerKind::Bfd(_) => {
                panic!("no socket")
            }
        }
    }

    fn udp() -> UdpCheck {
        UdpCheck {
            endpoint: endpoint(),
            payload: None,
            reply: Reply::NotNeeded,
        }
    }

    fn smtp() -> SmtpCheck {
        SmtpCheck {
            endpoint: endpoint(),
            helo_name: "me".into(),
        }
    }

    fn dns() -> DnsCheck {
        DnsCheck {
            endpoint: endpoint(),
            record: DnsType::Soa,
            name: "example.com".into(),
        }
    }

    fn misc(command: u32, dynamic: bool) -> CheckerKind {
        CheckerKind::Misc(MiscCheck {
            command: CommandId(command),
            timeout: Microseconds::from_secs(5),
            dynamic,
        })
    }

    #[test]
    fn what_is_not_compared() {
        let sockets = [
            CheckerKind::Tcp(endpoint()),
            CheckerKind::Ping(endpoint()),
            CheckerKind::Udp(Box::new(udp())),
            CheckerKind::Http(Box::new(http())),
            CheckerKind::Smtp(Box::new(smtp())),
            CheckerKind::Dns(Box::new(dns())),
        ];
        let rest = [misc(0, true), CheckerKind::Bfd("b".into())];
        for kind in sockets.iter().cloned().chain(rest) {
            judge(kind.clone(), true, |_| ());
            judge(kind, true, |it| {
                it.retry = 9;
                it.delay_before_retry = Microseconds(1);
                it.warmup = Microseconds(1);
                it.delay_loop = Microseconds(1);
                it.alpha = true;
                it.log_all_failures = true;
            });
        }
        for kind in sockets {
            for elsewhere in ELSEWHERE {
                judge(kind.clone(), false, |it| {
                    elsewhere(endpoint_of(&mut it.kind))
                });
            }
        }
    }

    #[test]
    fn what_is_compared_of_a_kind() {
        for (other, wanted) in [
            (CheckerKind::Ping(endpoint()), false),
            (CheckerKind::Tcp(endpoint()), true),
        ] {
            judge(CheckerKind::Tcp(endpoint()), wanted, |it| it.kind = other);
        }
        let other = UdpCheck {
            payload: Some(vec![1]),
            reply: Reply::Any,
            ..udp()
        };
        judge(CheckerKind::Udp(Box::new(udp())), true, |it| {
            it.kind = CheckerKind::Udp(Box::new(other));
        });
        let other = SmtpCheck {
            helo_name: "you".into(),
            ..smtp()
        };
        judge(CheckerKind::Smtp(Box::new(smtp())), false, |it| {
            it.kind = CheckerKind::Smtp(Box::new(other));
        });
        for other in [
            DnsCheck {
                record: DnsType::A,
                ..dns()
            },
            DnsCheck {
                name: "example.org".into(),
                ..dns()
            },
        ] {
            judge(CheckerKind::Dns(Box::new(dns())), false, |it| {
                it.kind = CheckerKind::Dns(Box::new(other));
            });
        }
        for (other, wanted) in [
            (misc(1, false), true),
            (misc(2, false), false),
            (misc(3, false), false),
            (misc(0, true), false),
            (misc(99, false), false),
        ] {
            judge(misc(0, false), wanted, |it| it.kind = other);
        }
        judge(misc(0, false), true, |it| {
            if let CheckerKind::Misc(check) = &mut it.kind {
                check.timeout = Microseconds::from_secs(9);
            }
        });
        judge(CheckerKind::Bfd("a".into()), false, |it| {
            it.kind = CheckerKind::Bfd("b".into());
        });
        let file = CheckerKind::File(Box::new(FileCheck {
            track_file: "load".into(),
            weight: FileWeight {
                weight: 1,
                reverse: false,
            },
        }));
        judge(file, false, |_| ());
    }

    #[test]
    fn what_is_compared_of_pages() {
        type Change = fn(&mut HttpCheck);
        let cases: [(Change, bool); 21] = [
            (|it| it.version = HttpVersion::V1_1, true),
            (|it| it.fast_recovery = true, true),
            (|it| it.urls[0].tls_compliant = true, true),
            (|it| tls(it).compliant = true, true),
            (
                |it| tls(it).sni = Sni::Virtualhost(Some("www".into())),
                true,
            ),
            (|it| tls(it).sni = Sni::Named("www".into()), false),
            (|it| it.tls = None, false),
            (|it| tls(it).verify_peer = true, false),
            (|it| it.virtualhost = Some("www".into()), false),
            (|it| it.urls[0].virtualhost = Some("www".into()), false),
            (|it| it.urls[0].path = "/3".into(), false),
            (|it| it.urls[1].digest = Some([0; 16]), false),
            (|it| it.urls[1].status_codes.clear(), false),
            (|it| it.urls.swap(0, 1), false),
            (|it| it.urls.truncate(1), false),
            (|it| it.urls[1].regex = None, false),
            (|it| pattern(it).pattern = b"b".to_vec(), false),
            (|it| pattern(it).no_match = true, false),
            (|it| pattern(it).min_offset = 1, false),
            (|it| pattern(it).max_offset = Some(1), false),
            (
                |it| pattern(it).stack = Some(RegexStack { start: 1, most: 2 }),
                true,
            ),
        ];
        for (change, wanted) in cases {
            judge(CheckerKind::Http(Box::new(http())), wanted, |it| {
                let CheckerKind::Http(check) = &mut it.kind else {
                    panic!("it is one");
                };
                change(check);
            });
        }
        // Where the name is verified, any name counts.
        let mut verified = http();
        tls(&mut verified).verify_peer = true;
        judge(CheckerKind::Http(Box::new(verified)), false, |it| {
            let CheckerKind::Http(check) = &mut it.kind else {
                panic!("it is one");
            };
            tls(check).sni = Sni::Virtualhost(Some("www".into()));
        });
        judge(CheckerKind::Http(Box::new(http())), false, |it| {
            let CheckerKind::Http(check) = &mut it.kind else {
                panic!("it is one");
            };
            assert!(pattern(check).options.insert("caseless"));
        });
    }

    fn tls(check: &mut HttpCheck) -> &mut Tls {
        check.tls.as_mut().expect("TLS")
    }

    fn pattern(check: &mut HttpCheck) -> &mut Regex {
        check.urls[1].regex.as_mut().expect("a pattern")
    }
}
