use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::dialogue::{Attempt, BodyMatcher, Dialogue, Transport, TroubleKind};
use crate::settings::checkers::{
    CheckerKind, Endpoint, HttpVersion, Regex, RegexOptions, Sni, Tls,
};

const LIMIT: Duration = Duration::from_secs(5);

/// Finds a text; `?` cannot be looked for, and `!` gives up.
#[derive(Debug)]
struct Needle(Vec<u8>, Vec<u8>);

impl BodyMatcher for Needle {
    fn feed(&mut self, bytes: &[u8]) {
        self.1.extend_from_slice(bytes);
    }

    fn finish(&mut self) -> Result<bool, Trouble> {
        if self.0 == b"!" {
            return Err(trouble(TroubleKind::Other, "too many steps"));
        }
        Ok(self.1.windows(self.0.len()).any(|window| window == self.0))
    }
}

struct Needles;

impl Patterns for Needles {
    fn matcher(&self, regex: &Regex) -> Result<Box<dyn BodyMatcher>, Trouble> {
        if regex.pattern == b"?" {
            return Err(trouble(TroubleKind::Other, "no memory"));
        }
        Ok(Box::new(Needle(regex.pattern.clone(), Vec::new())))
    }
}

fn trouble(kind: TroubleKind, text: &str) -> Trouble {
    Trouble {
        kind,
        number: 0,
        text: text.into(),
    }
}

fn page() -> Url {
    Url {
        path: "/".into(),
        virtualhost: None,
        digest: None,
        status_codes: vec![StatusRange::SUCCESS],
        regex: None,
        tls_compliant: false,
    }
}

fn pattern(pattern: &str, no_match: bool) -> Url {
    Url {
        regex: Some(Box::new(Regex {
            pattern: pattern.into(),
            options: RegexOptions::default(),
            no_match,
            min_offset: 0,
            max_offset: None,
            stack: None,
        })),
        ..page()
    }
}

fn check(page: Url, tls: Option<Tls>) -> CheckerKind {
    CheckerKind::Http(Box::new(HttpCheck {
        endpoint: Endpoint {
            destination: SocketAddr::from(([192, 0, 2, 1], 80)),
            connect_timeout: Microseconds::from_secs(5),
            source: None,
        },
        tls,
        version: HttpVersion::V1_0,
        virtualhost: None,
        fast_recovery: false,
        urls: vec![page],
    }))
}

fn at(milliseconds: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(milliseconds)
}

fn begin(page: Url, tls: Option<Tls>) -> Dialogue {
    Dialogue::begin(at(0), &check(page, tls), Attempt::default(), &Needles).unwrap()
}

fn connected(page: Url) -> Dialogue {
    let mut dialogue = begin(page, None);
    assert_eq!(dialogue.poll_transmit(), None);
    dialogue.handle_connected(at(0));
    let request = dialogue.poll_transmit().unwrap();
    assert!(request.starts_with(b"GET / HTTP/1.0\r\n"));
    assert_eq!(dialogue.poll_transmit(), None);
    dialogue
}

/// The verdict on a whole answer that comes in pieces of this size.
fn judge(page: &Url, answer: &[u8], piece: usize) -> (Verdict, Vec<Note>) {
    let mut dialogue = connected(page.clone());
    for piece in answer.chunks(piece) {
        dialogue.handle_bytes(at(1), piece);
    }
    dialogue.handle_end(at(2));
    let notes = dialogue.notes().to_vec();
    (dialogue.verdict().cloned().unwrap(), notes)
}

/// What is said of an answer; `ok`: it is good.
#[track_caller]
fn says(page: &Url, answer: &str, wanted: &str) {
    for piece in [1, 7, usize::MAX] {
        let (verdict, notes) = judge(page, answer.as_bytes(), piece);
        let mut text = match verdict {
            Verdict::Success => "ok".to_owned(),
            Verdict::Failure(failure) => format!("{}|{failure}", reason(&failure, false)),
            Verdict::NoResult(obstacle) => format!("{obstacle:?}"),
        };
        for note in notes {
            text += &format!("; {note}");
        }
        assert_eq!(text, wanted, "{answer:?} in pieces of {piece}");
    }
}

#[test]
fn answers() {
    let ok = "HTTP/1.0 200 OK\r\n\r\n";
    says(&page(), ok, "ok");
    says(&page(), "HTTP/1.0 204 \r\n\r\nbody", "ok");
    says(
        &page(),
        "",
        "Read, no data received from |it closed without an answer",
    );
    says(
        &page(),
        "HTTP/1.0 200 OK\n\nbody",
        "Read, no data received from |it closed after 21 bytes, within the header of its answer",
    );
    says(
        &page(),
        "HTTP/1.0 404 Not Found\r\n\r\n",
        "HTTP status code error to|status 404, wanted 200-299",
    );
    says(
        &page(),
        "HTTP/1.0 200\r\n\r\n",
        "HTTP status code error to|no status in 'HTTP/1.0 200', wanted 200-299",
    );
    let several = Url {
        status_codes: vec![
            StatusRange {
                least: 301,
                most: 301,
            },
            StatusRange {
                least: 400,
                most: 404,
            },
        ],
        ..page()
    };
    says(&several, "HTTP/1.0 404 Not Found\r\n\r\n", "ok");
    says(
        &several,
        ok,
        "HTTP status code error to|status 200, wanted 301 400-404",
    );
    says(
        &page(),
        "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n1234",
        "ok; content_length (5) does not match received bytes (4)",
    );
    // A status that is wrong is judged before the length is.
    says(
        &page(),
        "HTTP/1.0 500 Oh\r\nContent-Length: 5\r\n\r\n1234",
        "HTTP status code error to|status 500, wanted 200-299",
    );
}

/// MD5 of "hello".
const HELLO: [u8; 16] = [
    0x5d, 0x41, 0x40, 0x2a, 0xbc, 0x4b, 0x2a, 0x76, 0xb9, 0x71, 0x9d, 0x91, 0x10, 0x17, 0xc5, 0x92,
];

#[test]
fn digests() {
    let hello = Url {
        digest: Some(HELLO),
        ..page()
    };
    says(&hello, "HTTP/1.0 200 OK\r\n\r\nhello", "ok");
    says(
        &hello,
        "HTTP/1.0 200 OK\r\n\r\n",
        "MD5 digest error to|digest d41d8cd98f00b204e9800998ecf8427e, wanted 5d41402abc4b2a76b9719d911017c592",
    );
    // What is more than announced does not count.
    says(
        &hello,
        "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello world",
        "ok; content_length (5) does not match received bytes (11)",
    );
    says(
        &hello,
        "HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\nhello",
        "ok; content_length (11) does not match received bytes (5)",
    );
}

#[test]
fn patterns() {
    let header = "HTTP/1.0 200 OK\r\nX: needle\r\n\r\n";
    let hay = format!("{header}a needle.");
    says(&pattern("needle", false), &hay, "ok");
    // The header is no part of the page.
    says(
        &pattern("needle", false),
        &format!("{header}hay"),
        "Regex match failed|no match for 'needle' in 3 bytes of body",
    );
    says(
        &pattern("needle", true),
        &hay,
        "Regex match failed|the body matches 'needle'",
    );
    says(&pattern("needle", true), header, "ok");
    says(
        &pattern("!", false),
        &hay,
        "Regex match failed|whether the body matches '!' is unclear: too many steps",
    );
    says(
        &pattern("!", true),
        &hay,
        "ok; whether the body matches '!' is unclear: too many steps",
    );
    says(
        &pattern("?", true),
        &hay,
        "Pattern(Trouble { kind: Other, number: 0, text: \"no memory\" })",
    );
    let both = Url {
        digest: Some(HELLO),
        ..pattern("ell", false)
    };
    says(&both, "HTTP/1.0 200 OK\r\n\r\nhello", "ok");
    assert_eq!(criterion(&both), "Regex match");
    let digest = Url {
        regex: None,
        ..both
    };
    assert_eq!(criterion(&digest), "MD5 digest");
    assert_eq!(criterion(&page()), "HTTP status code");
}

fn failure(dialogue: &Dialogue) -> &Failure {
    match dialogue.verdict() {
        Some(Verdict::Failure(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_step_has_its_time() {
    let mut dialogue = begin(page(), None);
    assert_eq!(dialogue.transport(), Transport::Tcp);
    assert_eq!(dialogue.deadline(), at(5000));
    dialogue.handle_timeout(at(4999));
    assert_eq!(dialogue.verdict(), None);
    dialogue.handle_timeout(at(5000));
    assert_eq!(failure(&dialogue), &Failure::ConnectTimeout(LIMIT));
    assert_eq!(reason(failure(&dialogue), false), "Timeout connecting");

    let mut dialogue = begin(page(), None);
    dialogue.handle_connected(at(4000));
    assert_eq!(dialogue.deadline(), at(9000));
    dialogue.handle_timeout(at(9000));
    assert_eq!(failure(&dialogue), &Failure::ReadTimeout(LIMIT));
    assert_eq!(reason(failure(&dialogue), false), "Timeout WEB read");

    let mut dialogue = connected(page());
    dialogue.handle_bytes(at(4000), b"HTTP/1.0 200 OK\r\n\r\nabc");
    assert_eq!(dialogue.deadline(), at(9000));
    dialogue.handle_timeout(at(9000));
    assert_eq!(
        failure(&dialogue).to_string(),
        "nothing more for 5s, after 3 bytes of body"
    );
    assert_eq!(reason(failure(&dialogue), false), "Timeout HTTP read");
}

#[test]
fn a_byte_per_second_ends() {
    for answer in [&b"HTTP/1.0 200 OK\r\n\r\n"[..], b"x"] {
        let mut dialogue = connected(page());
        dialogue.handle_bytes(at(0), answer);
        let mut now = at(0);
        while dialogue.verdict().is_none() {
            now = now + Duration::from_secs(1);
            assert!(now <= at(50_000), "bounded");
            if now >= dialogue.deadline() {
                dialogue.handle_timeout(now);
            } else {
                dialogue.handle_bytes(now, b"x");
            }
        }
        assert_eq!(now, at(50_000));
        assert!(
            failure(&dialogue)
                .to_string()
                .starts_with("it has not closed within 50s, after ")
        );
    }
}

#[test]
fn a_header_without_end_ends() {
    let mut dialogue = connected(page());
    let mut sent = 0;
    while dialogue.verdict().is_none() {
        dialogue.handle_bytes(at(1), b"X: y\r\n");
        sent += 6;
        assert!(sent < 5000);
    }
    assert_eq!(
        failure(&dialogue),
        &Failure::Http(Box::new(HttpFailure::HeaderTooLong))
    );
}

#[test]
fn a_body_without_end_ends() {
    let mut dialogue = connected(page());
    dialogue.handle_bytes(at(1), b"HTTP/1.0 200 OK\r\n\r\n");
    let piece = vec![0; 16 << 20];
    let mut pieces = 0;
    while dialogue.verdict().is_none() {
        dialogue.handle_bytes(at(1), &piece);
        pieces += 1;
        assert!(pieces <= 65);
    }
    assert_eq!(
        failure(&dialogue).to_string(),
        "the body has more than 1073741824 bytes"
    );
}

fn tls(compliant: bool) -> Option<Tls> {
    Some(Tls {
        sni: Sni::Named("www".into()),
        compliant,
        verify_peer: false,
    })
}

#[test]
fn with_tls() {
    for (whole, own) in [(false, false), (true, false), (false, true)] {
        let page = Url {
            tls_compliant: own,
            ..page()
        };
        let dialogue = begin(page, tls(whole));
        assert_eq!(
            dialogue.tls(),
            Some(&TlsWish {
                name: Some("www".into()),
                compliant: whole || own,
                peer: None,
            })
        );
    }
    assert_eq!(begin(page(), None).tls(), None);

    let mut dialogue = begin(page(), tls(false));
    dialogue.handle_tls_begins(at(3000));
    assert_eq!(dialogue.poll_transmit(), None);
    assert_eq!(dialogue.deadline(), at(8000));
    let mut late = begin(page(), tls(false));
    late.handle_tls_begins(at(3000));
    late.handle_timeout(at(8000));
    assert_eq!(failure(&late).to_string(), "no TLS within 5s");
    assert_eq!(reason(failure(&late), true), "Timeout connecting");

    dialogue.handle_connected(at(4000));
    assert!(dialogue.poll_transmit().is_some());
    dialogue.handle_tls_begins(at(4100));
    assert_eq!(dialogue.deadline(), at(9000));
    // All reads share one time.
    dialogue.handle_bytes(at(8000), b"HTTP/1.0 200 OK\r\n\r\n");
    assert_eq!(dialogue.deadline(), at(9000));
    dialogue.handle_timeout(at(9000));
    assert_eq!(
        failure(&dialogue).to_string(),
        "it has not closed within 5s, after 0 bytes of body"
    );
    assert_eq!(reason(failure(&dialogue), true), "Timeout SSL read");
}

#[test]
fn a_bad_certificate() {
    let mut wanted = tls(false);
    wanted.as_mut().unwrap().verify_peer = true;
    for connected in [false, true] {
        let mut dialogue = begin(page(), wanted.clone());
        let peer = dialogue.tls().unwrap().peer.clone().unwrap();
        assert_eq!(peer, PeerName::Name("www".into()));
        dialogue.handle_tls_begins(at(0));
        if connected {
            dialogue.handle_connected(at(0));
        }
        dialogue.handle_bad_certificate(BadCertificate {
            depth: 1,
            subject: "CN=ca".into(),
            why: "certificate has expired".into(),
            got: Got::Until("yesterday".into()),
            wanted: peer,
        });
        assert_eq!(
            failure(&dialogue).to_string(),
            "certificate 'CN=ca' (depth 1): certificate has expired; it is valid until yesterday, wanted a good one for www"
        );
        assert_eq!(
            reason(failure(&dialogue), true),
            "SSL certificate refused of"
        );
    }
}

#[test]
fn trouble_has_a_reason() {
    for (connected, tls, kind, wanted) in [
        (false, false, TroubleKind::Refused, "Connection failed"),
        (false, false, TroubleKind::Other, "Connection failed"),
        (
            false,
            true,
            TroubleKind::Unreachable,
            "HTTP/SSL_CHECK - network unreachable",
        ),
        (
            false,
            true,
            TroubleKind::Tls,
            "SSL handshake/communication error connecting to",
        ),
        (true, true, TroubleKind::Tls, "SSL read error from"),
        (true, false, TroubleKind::Refused, "Read error with"),
    ] {
        let mut dialogue = begin(page(), None);
        if connected {
            dialogue.handle_connected(at(1));
            dialogue.handle_bytes(at(1), b"HTTP/1.0 200 OK\r\n\r\n");
        }
        dialogue.handle_trouble(at(2), trouble(kind, "so it is"));
        let failure = failure(&dialogue);
        assert_eq!(reason(failure, tls), wanted);
        assert!(failure.to_string().ends_with(": so it is"));
    }
    let mut dialogue = connected(page());
    dialogue.handle_send_trouble(at(2), trouble(TroubleKind::Other, "so it is"));
    assert_eq!(
        reason(failure(&dialogue), false),
        "Cannot send get request to"
    );
    let mut dialogue = begin(page(), None);
    let obstacle = Obstacle::Bind(trouble(TroubleKind::Other, "not ours"));
    dialogue.handle_obstacle(obstacle.clone());
    assert_eq!(dialogue.verdict(), Some(&Verdict::NoResult(obstacle)));
}

#[test]
fn nothing_counts_after_the_verdict() {
    let mut dialogue = connected(page());
    dialogue.handle_bytes(at(1), b"HTTP/1.0 200 OK\r\n\r\n");
    dialogue.handle_end(at(2));
    dialogue.handle_end(at(2));
    dialogue.handle_bytes(at(3), b"more");
    dialogue.handle_trouble(at(4), trouble(TroubleKind::Other, "late"));
    dialogue.handle_timeout(at(100_000));
    assert_eq!(dialogue.verdict(), Some(&Verdict::Success));
    assert_eq!(dialogue.notes(), &[]);
}

fn some_answer() -> impl Strategy<Value = Vec<u8>> {
    let one_of = |texts: &'static [&'static str]| prop::sample::select(texts);
    let line = one_of(&[
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 503 No\r\n",
        "HTTP/1.1 200\r\n",
        "HTTP/1.1 200 OK\n",
    ]);
    let field = one_of(&[
        "",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "\r",
    ]);
    let fill = prop_oneof![0..20_usize, 4000..4200_usize];
    let body = proptest::collection::vec(one_of(&["hello", "\r\n\r\n", "needle"]), 0..4);
    (line, field, fill, body).prop_map(|(line, field, fill, body)| {
        let filler = "x".repeat(fill);
        format!("{line}{field}X: {filler}\r\n\r\n{}", body.concat()).into_bytes()
    })
}

fn some_page() -> impl Strategy<Value = Url> {
    let digest = prop_oneof![Just(None), Just(Some(HELLO))];
    let regex = prop_oneof![
        Just(page().regex),
        Just(pattern("needle", false).regex),
        Just(pattern("needle", true).regex),
    ];
    (digest, regex).prop_map(|(digest, regex)| Url {
        digest,
        regex,
        ..page()
    })
}

proptest! {
    /// How an answer is cut does not matter.
    #[test]
    fn any_pieces(
        page in some_page(),
        answer in some_answer(),
        cuts in proptest::collection::vec(1..5000_usize, 0..10),
        piece in 1..50_usize,
    ) {
        let whole = judge(&page, &answer, usize::MAX);
        prop_assert_eq!(&judge(&page, &answer, piece), &whole);
        let mut dialogue = connected(page);
        let mut rest = answer.as_slice();
        for cut in cuts {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            dialogue.handle_bytes(at(1), now);
            rest = later;
        }
        dialogue.handle_bytes(at(1), rest);
        dialogue.handle_end(at(1));
        prop_assert_eq!(dialogue.verdict(), Some(&whole.0));
        prop_assert_eq!(dialogue.notes(), &whole.1);
    }

    /// No bytes do harm.
    #[test]
    fn any_bytes(page in some_page(), answer in proptest::collection::vec(any::<u8>(), 0..5000)) {
        prop_assert_eq!(judge(&page, &answer, 13), judge(&page, &answer, usize::MAX));
    }
}
