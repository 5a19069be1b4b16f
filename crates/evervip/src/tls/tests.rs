use std::path::{Path, PathBuf};

use lvs::settings::ssl::Password;
use openssl::ssl::SslVersion;
use openssl::symm::Cipher;

use super::testing::{Server, ServerContext, identity};
use super::*;

const VERSIONS: [SslVersion; 2] = [SslVersion::TLS1_2, SslVersion::TLS1_3];

/// Carries bytes to and fro, in pieces of this size, until nobody has more to say.
pub(super) fn exchange(client: &mut Session, server: &mut Server, piece: usize) -> Vec<Event> {
    let mut events = Vec::new();
    let mut buffer = [0; 64];
    loop {
        let asked = client.take_output();
        for piece in asked.iter().flat_map(|asked| asked.chunks(piece)) {
            server.feed(piece);
        }
        let answered = server.take_output();
        for piece in answered.chunks(piece) {
            client.feed(piece);
            while let Some(event) = client.poll(&mut buffer) {
                events.push(event);
            }
        }
        if asked.is_none() && answered.is_empty() {
            return events;
        }
    }
}

fn context() -> Context {
    Context::new(None, false).unwrap()
}

#[test]
fn a_conversation() {
    for version in VERSIONS {
        for piece in [1, 100, usize::MAX] {
            let mut server = Server::new(&ServerContext::new(version, false));
            let mut client = context().begin(None, None).unwrap();
            assert_eq!(
                exchange(&mut client, &mut server, piece),
                [Event::Connected]
            );
            client.send(b"hello").unwrap();
            assert_eq!(exchange(&mut client, &mut server, piece), []);
            assert_eq!(server.heard, b"hello");
            server.say(b"world");
            assert_eq!(exchange(&mut client, &mut server, piece), [Event::Bytes(5)]);
            server.say_goodbye();
            assert_eq!(exchange(&mut client, &mut server, piece), [Event::End]);
            assert_eq!(client.poll(&mut [0; 10]), None);
        }
    }
}

#[test]
fn an_end_without_goodbye() {
    for version in VERSIONS {
        let mut server = Server::new(&ServerContext::new(version, false));
        let mut client = context().begin(None, None).unwrap();
        exchange(&mut client, &mut server, 100);
        client.end();
        assert_eq!(client.poll(&mut [0; 10]), Some(Event::End));
    }
}

#[test]
fn goodbye_is_said_when_it_is_wanted() {
    for version in VERSIONS {
        let mut server = Server::new(&ServerContext::new(version, false));
        let mut client = context().begin(None, None).unwrap();
        exchange(&mut client, &mut server, 100);
        assert!(!server.goodbye);
        client.say_goodbye();
        exchange(&mut client, &mut server, 100);
        assert!(server.goodbye);
    }
}

#[test]
fn the_name_of_the_server() {
    for name in [None, Some("www.example.com")] {
        let mut server = Server::new(&ServerContext::new(SslVersion::TLS1_3, false));
        let mut client = context()
            .begin(name.map(Octets::from).as_ref(), None)
            .unwrap();
        exchange(&mut client, &mut server, 100);
        assert_eq!(server.name().as_deref(), name);
    }
    // What cannot be sent is said.
    let too_long = [b'x'; 256];
    for bytes in [&too_long[..], b"m\xfcnchen", b"a\0b", b""] {
        let name = Octets::new(bytes.to_vec());
        let trouble = context().begin(Some(&name), None).unwrap_err();
        assert_eq!(trouble.kind, TroubleKind::Tls);
        assert_eq!(
            trouble.to_string(),
            format!("'{name}' cannot be sent as a server name (SNI)")
        );
    }
    // What is not refused before is not refused by the library either.
    for name in ["x".repeat(255), "m\u{fc}nchen".into(), "a b".into()] {
        let name = Octets::from(&*name);
        assert!(context().begin(Some(&name), None).is_ok(), "{name}");
    }
}

#[track_caller]
fn trouble_of(events: &[Event]) -> &str {
    match events.last() {
        Some(Event::Trouble(trouble)) => {
            assert_eq!(trouble.kind, TroubleKind::Tls);
            &trouble.text
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_tls() {
    let mut server = Server::new(&ServerContext::new(SslVersion::TLS1_3, false));
    let mut client = context().begin(None, None).unwrap();
    server.spoil(b"HTTP/1.0 400 Bad Request\r\n\r\n");
    let events = exchange(&mut client, &mut server, 100);
    assert_eq!(trouble_of(&events), "wrong version number");
    let [Event::Trouble(trouble)] = &events[..] else {
        panic!("{events:?}");
    };
    // ERR_LIB_SSL and SSL_R_WRONG_VERSION_NUMBER.
    assert_eq!(trouble.number & 0xfff, 267);
    assert_ne!(trouble.number >> 23, 0);

    let mut client = context().begin(None, None).unwrap();
    client.end();
    let event = client.poll(&mut [0; 10]).unwrap();
    assert_eq!(
        trouble_of(&[event]),
        "it closed during the handshake of TLS"
    );
}

#[test]
fn an_alert() {
    for version in VERSIONS {
        // The client has no certificate.
        let mut server = Server::new(&ServerContext::new(version, true));
        let mut client = context().begin(None, None).unwrap();
        let events = exchange(&mut client, &mut server, 100);
        let text = trouble_of(&events);
        assert!(
            text.contains("alert certificate required") || text.contains("alert handshake failure"),
            "{text}"
        );
        assert!(server.trouble.is_some());
    }
}

#[test]
fn what_is_spoilt_on_the_way() {
    let mut server = Server::new(&ServerContext::new(SslVersion::TLS1_3, false));
    let mut client = context().begin(None, None).unwrap();
    exchange(&mut client, &mut server, 100);
    server.say(b"world");
    let mut bytes = server.take_output();
    *bytes.last_mut().unwrap() ^= 1;
    client.feed(&bytes);
    let event = client.poll(&mut [0; 10]).unwrap();
    assert_eq!(trouble_of(&[event]), "decryption failed or bad record mac");
}

/// A directory of a test's own, removed with it.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("evervip-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn file(&self, name: &str, content: &[u8]) -> String {
        let path: &Path = &self.0.join(name);
        fs::write(path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn a_certificate_of_our_own() {
    let folder = Folder::new("own");
    let (certificate, key) = identity();
    let certificate = folder.file("certificate", &certificate.to_pem().unwrap());
    let encrypted = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"secret");
    let encrypted = folder.file("encrypted", &encrypted.unwrap());
    let plain = folder.file("plain", &key.private_key_to_pem_pkcs8().unwrap());
    for (file, password) in [(plain, None), (encrypted, Some("secret"))] {
        for version in VERSIONS {
            let settings = Ssl {
                password: password.map(|password| Password::new(password.to_owned())),
                ca: Some(certificate.clone()),
                certificate: Some(certificate.clone()),
                key: Some(file.clone()),
            };
            let mut server = Server::new(&ServerContext::new(version, true));
            let context = Context::new(Some(&settings), false).unwrap();
            let mut client = context.begin(None, None).unwrap();
            let events = exchange(&mut client, &mut server, 100);
            assert_eq!(events, [Event::Connected]);
            assert!(server.knows_client());
        }
    }
}

#[test]
fn files_that_cannot_be_used() {
    let folder = Folder::new("bad");
    let (certificate, key) = identity();
    let (_, other) = identity();
    let certificate = folder.file("certificate", &certificate.to_pem().unwrap());
    let encrypted = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"secret");
    let encrypted = folder.file("encrypted", &encrypted.unwrap());
    let other = folder.file("other", &other.private_key_to_pem_pkcs8().unwrap());
    let empty = folder.file("empty", b"");
    let missing = folder.0.join("missing").to_str().unwrap().to_owned();
    // Whoever opens this one waits.
    let fifo = folder.0.join("fifo").to_str().unwrap().to_owned();
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let zero = "/dev/zero".to_owned();
    let large = folder.file("large", b"");
    let sparse = fs::OpenOptions::new().write(true).open(&large).unwrap();
    sparse.set_len(LARGEST_FILE + 1).unwrap();
    let own = |key: &str, password: Option<&str>| Ssl {
        password: password.map(|password| Password::new(password.to_owned())),
        certificate: Some(certificate.clone()),
        key: Some(key.to_owned()),
        ca: None,
    };
    let ca = |file: &str| Ssl {
        ca: Some(file.to_owned()),
        ..Ssl::default()
    };
    let certificate = |file: &str| Ssl {
        certificate: Some(file.to_owned()),
        ..Ssl::default()
    };
    for (settings, keyword, file, why) in [
        (
            certificate(&missing),
            "certificate",
            &missing,
            "No such file",
        ),
        (certificate(&empty), "certificate", &empty, "no start line"),
        (ca(&missing), "ca", &missing, "No such file"),
        (ca(&empty), "ca", &empty, "no certificate or crl found"),
        (own(&missing, None), "key", &missing, "No such file"),
        (own(&empty, None), "key", &empty, ""),
        (certificate(&fifo), "certificate", &fifo, "not a regular"),
        (ca(&zero), "ca", &zero, "not a regular"),
        (own(&fifo, None), "key", &fifo, "not a regular"),
        (own(&large, None), "key", &large, "larger than"),
        (own(&encrypted, None), "key", &encrypted, ""),
        (own(&encrypted, Some("wrong")), "key", &encrypted, ""),
        (own(&other, None), "key", &other, "key values mismatch"),
    ] {
        let error = Context::new(Some(&settings), false)
            .unwrap_err()
            .to_string();
        let wanted = format!("SSL: {keyword} {file} cannot be used: ");
        assert!(error.starts_with(&wanted), "{error}");
        assert!(error.contains(why) && error.len() > wanted.len(), "{error}");
        assert!(!error.contains("secret") && !error.contains("wrong p"));
    }
}

#[test]
fn whoever_makes_us_answer_without_end_is_left_alone() {
    let mut wire = Wire::default();
    let piece = [0; 1024];
    let written = (0..1000).take_while(|_| wire.write(&piece).is_ok()).count();
    assert_eq!(written * piece.len(), MOST_UNSENT);
}
