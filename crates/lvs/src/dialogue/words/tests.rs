use std::time::Duration;

use super::*;
use crate::dialogue::tests::{dns_check, endpoint, smtp_check, udp_check};
use crate::dialogue::{Mismatch, ResponseCode};
use crate::settings::checkers::Reply;

const LIMIT: Duration = Duration::from_secs(5);

fn trouble(kind: TroubleKind, number: i32, text: &str) -> Trouble {
    Trouble {
        kind,
        number,
        text: text.into(),
    }
}

/// Everything that is said of one check and one failure.
fn lines(kind: &CheckerKind, failure: &Failure) -> Vec<String> {
    let subject = Subject {
        kind,
        server: &"[10.0.0.1]:tcp:25",
        address: "10.0.0.1:25".parse().unwrap(),
        service: &"[192.0.2.1]:tcp:80",
    };
    [
        subject.detail(failure),
        subject.failed(failure),
        subject.went_down(failure, Some(3)),
        subject.went_down(failure, None),
        subject.is_well(),
        subject.mail(Some(failure)),
        subject.mail(None),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn each_kind_has_its_lines() {
    let refused = Failure::Connect(trouble(TroubleKind::Refused, 111, "Connection refused"));
    assert_eq!(
        lines(&CheckerKind::Tcp(endpoint()), &refused),
        [
            "TCP connection to [10.0.0.1]:tcp:25 failed.",
            "TCP_CHECK on service [10.0.0.1]:tcp:25 failed after 3 retries.",
            "TCP_CHECK on service [10.0.0.1]:tcp:25 failed.",
            "TCP connection to [10.0.0.1]:tcp:25 success.",
            "=> TCP CHECK failed on service <=",
            "=> TCP CHECK succeed on service <=",
        ]
    );
    let mismatch = Failure::Udp(Mismatch::Content { got: [0].into() });
    assert_eq!(
        lines(
            &CheckerKind::Udp(Box::new(udp_check(None, Reply::Any))),
            &mismatch
        ),
        [
            "UDP check to [10.0.0.1]:tcp:25 reply data mismatch.",
            "UDP_CHECK on service [10.0.0.1]:tcp:25 failed after 3 retries.",
            "UDP_CHECK on service [10.0.0.1]:tcp:25 failed.",
            "UDP connection to [10.0.0.1]:tcp:25 success.",
            "=> UDP CHECK failed on service <=",
            "=> UDP CHECK succeed on service <=",
        ]
    );
    let other = Failure::Ping(EchoFailure::Sequence { got: 3, wanted: 4 });
    assert_eq!(
        lines(&CheckerKind::Ping(endpoint()), &other),
        [
            "Ping reply expected seq no 4, received 3",
            "ICMP connection to [10.0.0.1]:tcp:25 of [192.0.2.1]:tcp:80 failed.",
            "ICMP CHECK on service [10.0.0.1]:tcp:25 of [192.0.2.1]:tcp:80 failed after 3 retries.",
            "ICMP CHECK on service [10.0.0.1]:tcp:25 failed.",
            "ICMP connection to [10.0.0.1]:tcp:25 success.",
            "=> ICMP CHECK failed on service <=",
            "=> ICMP CHECK succeed on service <=",
        ]
    );
    let nxdomain = Failure::Dns(ResponseCode(3));
    assert_eq!(
        lines(&CheckerKind::Dns(Box::new(dns_check("a.b"))), &nxdomain),
        [
            "DNS_CHECK ([10.0.0.1]:tcp:25) read error occurred. (rcode = 3)",
            "DNS_CHECK ([10.0.0.1]:tcp:25) read error occurred. (rcode = 3) after 3 retries",
            "DNS_CHECK ([10.0.0.1]:tcp:25) read error occurred. (rcode = 3)",
            "=> DNS_CHECK: failed on service <=",
            "=> DNS_CHECK: succeed on service <=",
        ]
    );
    let greeting = Failure::Smtp(SmtpFailure::Greeting("554 no".into()));
    assert_eq!(
        lines(&CheckerKind::Smtp(Box::new(smtp_check())), &greeting),
        [
            "SMTP_CHECK Bad greeting banner from server [10.0.0.1]:25",
            "SMTP_CHECK Bad greeting banner from server [10.0.0.1]:25",
            "SMTP_CHECK Bad greeting banner from server [10.0.0.1]:25",
            "Remote SMTP server [10.0.0.1]:tcp:25 succeed on service.",
            "=> CHECK failed on service : Bad greeting banner from server [10.0.0.1]:25 <=",
            "=> CHECK succeed on service <=",
        ]
    );
}

/// The line of a failed attempt, for every failure that a kind can have.
#[test]
fn each_failure_has_its_text() {
    let refused = || trouble(TroubleKind::Refused, 111, "Connection refused");
    let unreachable = || trouble(TroubleKind::Unreachable, 101, "Network is unreachable");
    let other = || trouble(TroubleKind::Other, 110, "Connection timed out");
    let tcp = CheckerKind::Tcp(endpoint());
    let smtp = CheckerKind::Smtp(Box::new(smtp_check()));
    let dns = CheckerKind::Dns(Box::new(dns_check("")));
    let ping = CheckerKind::Ping(endpoint());
    let table: [(&CheckerKind, Failure, &str); 23] = [
        (
            &tcp,
            Failure::ConnectTimeout(LIMIT),
            "TCP connection to RS timeout.",
        ),
        (
            &tcp,
            Failure::Connect(unreachable()),
            "TCP connection to RS failed.",
        ),
        (
            &ping,
            Failure::ReadTimeout(LIMIT),
            "ICMP connection to address RS timeout.",
        ),
        (
            &ping,
            Failure::Connect(unreachable()),
            "ICMP connection to RS of VS failed.",
        ),
        (
            &smtp,
            Failure::ConnectTimeout(LIMIT),
            "SMTP_CHECK Connection timeout to server [10.0.0.1]:25",
        ),
        (
            &smtp,
            Failure::Connect(refused()),
            "SMTP_CHECK Could not connect to server [10.0.0.1]:25",
        ),
        (
            &smtp,
            Failure::Connect(other()),
            "SMTP_CHECK Error connecting to server [10.0.0.1]:25",
        ),
        (
            &smtp,
            Failure::Connect(unreachable()),
            "SMTP_CHECK Network unreachable for server 127.0.0.1 - real server [10.0.0.1]:25",
        ),
        (
            &smtp,
            Failure::ReadTimeout(LIMIT),
            "SMTP_CHECK Read timeout from server [10.0.0.1]:25",
        ),
        (
            &smtp,
            Failure::Broken(refused()),
            "SMTP_CHECK Read failure from server [10.0.0.1]:25",
        ),
        (
            &smtp,
            Failure::Smtp(SmtpFailure::Closed),
            "SMTP_CHECK Read failure from server [10.0.0.1]:25",
        ),
        (
            &smtp,
            Failure::WriteTimeout(LIMIT),
            "SMTP_CHECK Write timeout to server [10.0.0.1]:25",
        ),
        (
            &smtp,
            Failure::Send(refused()),
            "SMTP_CHECK Write failure to server [10.0.0.1]:25",
        ),
        (
            &smtp,
            Failure::Smtp(SmtpFailure::Helo("250-x".into())),
            "SMTP_CHECK Bad HELO response from server [10.0.0.1]:25",
        ),
        (
            &smtp,
            Failure::Smtp(SmtpFailure::TooLong("220 x".into())),
            "SMTP_CHECK Buffer overflow reading from server [10.0.0.1]:25",
        ),
        (
            &dns,
            Failure::ReadTimeout(LIMIT),
            "DNS_CHECK (RS) read timeout from socket",
        ),
        (
            &dns,
            Failure::Broken(refused()),
            "DNS_CHECK (RS) failed to read socket; errno 111 (Connection refused)",
        ),
        (
            &dns,
            Failure::Send(refused()),
            "DNS_CHECK (RS) failed to write socket.",
        ),
        (
            &dns,
            Failure::WriteTimeout(LIMIT),
            "DNS_CHECK (RS) failed to write socket.",
        ),
        (
            &dns,
            Failure::Connect(unreachable()),
            "DNS_CHECK (RS) network unreachable for [127.0.0.1]:53",
        ),
        (
            &dns,
            Failure::Connect(other()),
            "DNS_CHECK (RS) connection error.",
        ),
        (
            &dns,
            Failure::ConnectTimeout(LIMIT),
            "DNS_CHECK (RS) connection timeout.",
        ),
        (
            &dns,
            Failure::Dns(ResponseCode(2)),
            "DNS_CHECK (RS) read error occurred. (rcode = 2)",
        ),
    ];
    for (kind, failure, expected) in table {
        let subject = Subject {
            kind,
            server: &"RS",
            address: "10.0.0.1:25".parse().unwrap(),
            service: &"VS",
        };
        assert_eq!(subject.failed(&failure).as_deref(), Some(expected));
        assert!(!failure.to_string().is_empty());
    }
}

#[test]
fn no_result_is_said_too() {
    let problem = || trouble(TroubleKind::Other, 99, "Cannot assign requested address");
    for (kind, socket, bind) in [
        (
            CheckerKind::Tcp(endpoint()),
            "TCP connect fail to create socket. Rescheduling.",
            "TCP socket bind failed. Rescheduling.",
        ),
        (
            CheckerKind::Smtp(Box::new(smtp_check())),
            "SMTP_CHECK connect fail to create socket. Rescheduling.",
            "SMTP_CHECK socket bind failed. Rescheduling.",
        ),
        (
            CheckerKind::Dns(Box::new(dns_check(""))),
            "DNS_CHECK (RS) UDP connect fail to create socket. Rescheduling.",
            "DNS_CHECK (RS) UDP socket bind failed. Rescheduling.",
        ),
    ] {
        let subject = Subject {
            kind: &kind,
            server: &"RS",
            address: "10.0.0.1:25".parse().unwrap(),
            service: &"VS",
        };
        let line = |obstacle| subject.no_result(&obstacle);
        assert_eq!(line(Obstacle::Socket(problem())).as_deref(), Some(socket));
        assert_eq!(line(Obstacle::Bind(problem())).as_deref(), Some(bind));
        assert_eq!(line(Obstacle::Connect(problem())).as_deref(), Some(bind));
    }
}
