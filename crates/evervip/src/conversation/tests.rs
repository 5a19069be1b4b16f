use lvs::dialogue::NoPatterns;
use lvs::dialogue::{Failure, http};
use lvs::settings::checkers::{
    Endpoint, HttpCheck, HttpVersion, Microseconds, Sni, StatusRange, Tls, Url,
};
use openssl::ssl::SslVersion;
use std::net::SocketAddr;

use super::*;
use crate::tls::testing::{Server, ServerContext};

const NOW: Instant = Instant::ZERO;
const REQUEST: &[u8] =
    b"GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 192.0.2.1:443\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\n\r\nhello";

/// An SSL_GET that wants the page "hello".
fn check(compliant: bool) -> CheckerKind {
    CheckerKind::Http(Box::new(HttpCheck {
        endpoint: Endpoint {
            destination: SocketAddr::from(([192, 0, 2, 1], 443)),
            connect_timeout: Microseconds::from_secs(5),
            source: None,
        },
        tls: Some(Tls {
            sni: Sni::Named("www".into()),
            compliant,
            verify_peer: false,
        }),
        version: HttpVersion::V1_0,
        virtualhost: None,
        fast_recovery: false,
        urls: vec![Url {
            path: "/".into(),
            virtualhost: None,
            digest: Some([
                0x5d, 0x41, 0x40, 0x2a, 0xbc, 0x4b, 0x2a, 0x76, 0xb9, 0x71, 0x9d, 0x91, 0x10, 0x17,
                0xc5, 0x92,
            ]),
            status_codes: vec![StatusRange::SUCCESS],
            regex: None,
            tls_compliant: false,
        }],
    }))
}

fn begin(compliant: bool, context: Option<&Context>) -> Conversation {
    let attempt = Attempt::default();
    let mut conversation =
        Conversation::begin(NOW, &check(compliant), attempt, &NoPatterns, context).unwrap();
    assert_eq!(conversation.poll_transmit(NOW), None);
    conversation.handle_connected(NOW);
    conversation
}

/// What a server does that answers once.
fn serve(server: &mut Server, said: &mut bool, goodbye: bool) {
    if !*said && server.heard == REQUEST {
        *said = true;
        server.say(ANSWER);
        if goodbye {
            server.say_goodbye();
        }
    }
}

/// The verdict when the server's bytes come in pieces of this size, and end after so many. Says how many there were.
fn run(
    (client, server): (&Context, &ServerContext),
    piece: usize,
    most: usize,
    goodbye: bool,
) -> (Verdict, usize, Server) {
    let mut conversation = begin(goodbye, Some(client));
    let mut server = Server::new(server);
    let (mut said, mut total) = (false, 0);
    while conversation.verdict().is_none() {
        while let Some(bytes) = conversation.poll_transmit(NOW) {
            server.feed(&bytes);
        }
        serve(&mut server, &mut said, goodbye);
        let answered = server.take_output();
        let (now, lost) = answered.split_at(answered.len().min(most - total));
        for piece in now.chunks(piece) {
            conversation.handle_bytes(NOW, piece);
        }
        total += now.len();
        if answered.is_empty() || !lost.is_empty() {
            conversation.handle_end(NOW);
        }
    }
    while let Some(bytes) = conversation.poll_transmit(NOW) {
        server.feed(&bytes);
    }
    (conversation.verdict().unwrap().clone(), total, server)
}

#[test]
fn a_page() {
    let client = Context::new(None, false).unwrap();
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let context = ServerContext::new(version, false);
        for piece in [1, 50, usize::MAX] {
            for goodbye in [true, false] {
                let (verdict, _, server) = run((&client, &context), piece, usize::MAX, goodbye);
                assert_eq!(verdict, Verdict::Success);
                assert_eq!(server.name().as_deref(), Some("www"));
                assert_eq!(server.goodbye, goodbye);
            }
        }
    }
}

/// The server closes after every possible byte: the check fails at once, and knows why.
#[test]
fn every_end() {
    let client = Context::new(None, false).unwrap();
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let context = ServerContext::new(version, false);
        let (verdict, total, _) = run((&client, &context), usize::MAX, usize::MAX, false);
        assert_eq!(verdict, Verdict::Success);
        let (mut handshakes, mut pages) = (0, 0);
        // A signature may be a few bytes shorter next time.
        for most in 0..total - 16 {
            let (verdict, _, _) = run((&client, &context), 1000, most, false);
            match &verdict {
                Verdict::Failure(Failure::Connect(trouble)) => {
                    assert_eq!(trouble.kind, TroubleKind::Tls);
                    handshakes += 1;
                }
                Verdict::Failure(Failure::Http(failure)) => {
                    assert_eq!(**failure, http::HttpFailure::NoHeader { received: 0 });
                    pages += 1;
                }
                Verdict::Success | Verdict::Failure(_) | Verdict::NoResult(_) => {
                    panic!("after {most} of {total} bytes: {verdict:?}")
                }
            }
        }
        assert!(handshakes > 300 && pages > 10, "{handshakes} {pages}");
    }
}

/// A certificate that its owner has signed, for another name.
#[test]
fn a_certificate_that_is_verified() {
    let client = Context::new(None, true).unwrap();
    let CheckerKind::Http(mut wanted) = check(false) else {
        panic!("an SSL_GET");
    };
    wanted.tls.as_mut().unwrap().verify_peer = true;
    let kind = CheckerKind::Http(wanted);
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        for piece in [1, usize::MAX] {
            let mut conversation =
                Conversation::begin(NOW, &kind, Attempt::default(), &NoPatterns, Some(&client))
                    .unwrap();
            conversation.handle_connected(NOW);
            let mut server = Server::new(&ServerContext::new(version, false));
            server.feed(&conversation.poll_transmit(NOW).unwrap());
            for piece in server.take_output().chunks(piece) {
                conversation.handle_bytes(NOW, piece);
            }
            let Some(Verdict::Failure(Failure::Http(failure))) = conversation.verdict() else {
                panic!("{:?}", conversation.verdict());
            };
            let http::HttpFailure::Certificate(bad) = &**failure else {
                panic!("{failure:?}");
            };
            assert_eq!((&*bad.subject, bad.depth), ("CN=test.example", 0));
            // The server is told, and nothing is asked of it.
            server.feed(&conversation.poll_transmit(NOW).unwrap());
            assert!(server.trouble.is_some() && server.heard.is_empty());
        }
    }
}

#[test]
fn without_tls_there_is_no_result() {
    let conversation = begin(false, None);
    let Some(Verdict::NoResult(obstacle)) = conversation.verdict() else {
        panic!("{:?}", conversation.verdict());
    };
    assert_eq!(
        obstacle.to_string(),
        "TLS cannot be spoken: what the SSL block names cannot be used"
    );
}

#[test]
fn the_handshake_has_its_own_time() {
    let client = Context::new(None, false).unwrap();
    let attempt = Attempt::default();
    let mut conversation =
        Conversation::begin(NOW, &check(false), attempt, &NoPatterns, Some(&client)).unwrap();
    let later = conversation.deadline();
    conversation.handle_connected(later);
    assert!(conversation.poll_transmit(later).is_some(), "a hello");
    let last = conversation.deadline();
    assert_eq!(last.since(later), later.since(NOW));
    conversation.handle_timeout(last);
    let Some(Verdict::Failure(failure)) = conversation.verdict() else {
        panic!("{:?}", conversation.verdict());
    };
    assert_eq!(failure.to_string(), "no TLS within 5s");
}

#[test]
fn without_tls_it_is_the_dialogue() {
    let CheckerKind::Http(mut check) = check(false) else {
        panic!("an SSL_GET");
    };
    check.tls = None;
    let kind = CheckerKind::Http(check);
    let mut conversation =
        Conversation::begin(NOW, &kind, Attempt::default(), &NoPatterns, None).unwrap();
    assert_eq!(conversation.transport(), Transport::Tcp);
    conversation.handle_connected(NOW);
    assert_eq!(conversation.poll_transmit(NOW).as_deref(), Some(REQUEST));
    conversation.handle_bytes(NOW, b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello");
    conversation.handle_end(NOW);
    assert_eq!(conversation.verdict(), Some(&Verdict::Success));
    assert_eq!(conversation.notes().len(), 1);
}
