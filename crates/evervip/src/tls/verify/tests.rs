use std::collections::BTreeMap;

use lvs::settings::{Octets, Ssl};
use openssl::ssl::SslVersion;

use super::super::testing::certificates::{Content, Identity, Purpose, Season};
use super::super::testing::{Server, ServerContext};
use super::super::tests::{Folder, exchange};
use super::super::{Context, Event};
use super::*;

const VERSIONS: [SslVersion; 2] = [SslVersion::TLS1_2, SslVersion::TLS1_3];
const WWW: &[&str] = &["DNS:www.example.com"];

/// What becomes of a handshake with a server that shows these certificates, its own first.
fn meet(context: &Context, shown: &[&Identity], peer: Option<&str>) -> Event {
    let peer = peer.map(PeerName::of);
    let mut events = VERSIONS.map(|version| {
        let mut server = Server::new(&ServerContext::showing(version, shown));
        let mut client = context.begin(None, peer.as_ref()).unwrap();
        let mut events = exchange(&mut client, &mut server, 1000);
        assert_eq!(events.len(), 1, "{events:?}");
        let is_refused = matches!(events[0], Event::Refused(_));
        assert_eq!(client.poll(&mut [0; 10]), None);
        // It is told why, by an alert.
        assert_eq!(server.trouble.is_some(), is_refused);
        events.remove(0)
    });
    assert_eq!(events[0], events[1], "the version makes no difference");
    std::mem::replace(&mut events[0], Event::End)
}

fn trusting(folder: &Folder, authorities: &[&Identity]) -> Context {
    let pem: Vec<u8> = authorities
        .iter()
        .flat_map(|authority| authority.certificate_pem())
        .collect();
    let settings = Ssl {
        ca: Some(folder.file("ca", &pem)),
        ..Ssl::default()
    };
    let context = Context::new(Some(&settings), true).unwrap();
    assert_eq!(context.distrust(), None);
    context
}

/// What is said of a certificate that is refused; empty: it is good.
#[track_caller]
fn said(event: Event) -> String {
    match event {
        Event::Connected => String::new(),
        Event::Refused(bad) => bad.to_string(),
        Event::Bytes(_) | Event::End | Event::Trouble(_) => panic!("{event:?}"),
    }
}

#[test]
fn names() {
    let folder = Folder::new("names");
    let root = Content::authority("root").by_itself();
    let context = trusting(&folder, &[&root]);
    let good = "";
    let mismatch = "certificate 'CN=server' (depth 0): hostname mismatch; it is for ";
    let other_address = "certificate 'CN=server' (depth 0): IP address mismatch; it is for ";
    let cases: [(&[&str], &str, &str, &str); 20] = [
        (WWW, "www.example.com", good, ""),
        (WWW, "WWW.Example.COM", good, ""),
        (WWW, "www.example.com.:8443", good, ""),
        (
            WWW,
            "example.com",
            mismatch,
            "www.example.com, wanted a good one for example.com",
        ),
        (
            WWW,
            "www.example.com.evil.example",
            mismatch,
            "www.example.com",
        ),
        (
            WWW,
            "192.0.2.1",
            other_address,
            "www.example.com, wanted a good one for 192.0.2.1",
        ),
        (&["DNS:a.example", "DNS:b.example"], "b.example", good, ""),
        (
            &["DNS:a.example", "IP:192.0.2.9"],
            "c.example",
            mismatch,
            "a.example, 192.0.2.9, wanted",
        ),
        (&["DNS:*.example.com"], "www.example.com", good, ""),
        (
            &["DNS:*.example.com"],
            "a.b.example.com",
            mismatch,
            "*.example.com",
        ),
        (
            &["DNS:*.example.com"],
            "example.com",
            mismatch,
            "*.example.com",
        ),
        (
            &["DNS:w*.example.com"],
            "www.example.com",
            mismatch,
            "w*.example.com",
        ),
        (&["IP:192.0.2.1"], "192.0.2.1", good, ""),
        (&["IP:192.0.2.1"], "192.0.2.1:443", good, ""),
        (
            &["IP:192.0.2.1"],
            "192.0.2.2",
            other_address,
            "192.0.2.1, wanted",
        ),
        (&["IP:2001:db8::1"], "[2001:db8::1]:443", good, ""),
        (
            &["IP:2001:db8::1"],
            "2001:db8::2",
            other_address,
            "2001:db8::1, wanted",
        ),
        // A name that looks like an address is none.
        (
            &["DNS:192.0.2.1"],
            "192.0.2.1",
            other_address,
            "192.0.2.1, wanted",
        ),
        // Only the subject bears it.
        (
            &[],
            "server",
            mismatch,
            "no name, wanted a good one for server",
        ),
        (&[], "192.0.2.1", other_address, "no name"),
    ];
    for (names, peer, begin, more) in cases {
        let server = Content::server(names).by(&root);
        let text = said(meet(&context, &[&server], Some(peer)));
        assert_eq!(
            text.is_empty(),
            begin.is_empty(),
            "{names:?} {peer}: {text}"
        );
        assert!(text.starts_with(&format!("{begin}{more}")), "{text}");
        // Without the keyword nobody looks.
        assert_eq!(meet(&context, &[&server], None), Event::Connected);
    }
}

#[test]
fn chains() {
    let folder = Folder::new("chains");
    let root = Content::authority("root").by_itself();
    let stranger = Content::authority("stranger").by_itself();
    let between = Content::authority("between").by(&root);
    let server = Content::server(WWW);
    let in_season = |season, content: &Content<'static>| Content {
        season,
        ..content.clone()
    };
    let good = server.by(&root);
    let behind = server.by(&between);
    let expired = in_season(Season::Past, &server).by(&root);
    let early = in_season(Season::Future, &server).by(&root);
    let old_between = in_season(Season::Past, &Content::authority("between")).by(&root);
    let behind_old = server.by(&old_between);
    let foreign = server.by(&stranger);
    let own = server.by_itself();
    let client = Content {
        purpose: Purpose::Client,
        ..server.clone()
    }
    .by(&root);
    // Signed by one who is no authority.
    let rogue = Content {
        subject: "rogue",
        ..server.clone()
    }
    .by(&root);
    let usurped = server.by(&rogue);
    let context = trusting(&folder, &[&root]);
    let until = expired.certificate.not_after().to_string();
    assert_eq!(until, "Dec 31 00:00:00 1970 GMT");
    let cases: [(&[&Identity], &str); 13] = [
        (&[&good], ""),
        (&[&good, &root], ""),
        (&[&behind, &between], ""),
        (&[&behind, &between, &root], ""),
        (
            &[&behind],
            "'CN=server' (depth 0): unable to get local issuer certificate; it is issued by 'CN=between', wanted",
        ),
        (
            &[&expired],
            "'CN=server' (depth 0): certificate has expired; it is valid until Dec 31 00:00:00 1970 GMT, wanted",
        ),
        (
            &[&early],
            "'CN=server' (depth 0): certificate is not yet valid; it is valid from ",
        ),
        (
            &[&behind_old, &old_between],
            "'CN=between' (depth 1): certificate has expired; it is valid until Dec 31",
        ),
        (
            &[&foreign],
            "'CN=server' (depth 0): unable to get local issuer certificate; it is issued by 'CN=stranger', wanted",
        ),
        (
            &[&foreign, &stranger],
            "'CN=stranger' (depth 1): self-signed certificate in certificate chain; it is issued by 'CN=stranger'",
        ),
        (
            &[&own],
            "'CN=server' (depth 0): self-signed certificate; it is issued by 'CN=server', wanted",
        ),
        (
            &[&client],
            "'CN=server' (depth 0): unsuitable certificate purpose; it is issued by 'CN=root', wanted",
        ),
        (
            &[&usurped, &rogue],
            "'CN=rogue' (depth 1): invalid CA certificate; it is issued by 'CN=root', wanted",
        ),
    ];
    for (number, (shown, wanted)) in cases.into_iter().enumerate() {
        let text = said(meet(&context, shown, Some("www.example.com")));
        let wanted = match wanted {
            "" => String::new(),
            wanted => format!("certificate {wanted}"),
        };
        // OpenSSL 1 writes "self signed".
        let text = text.replace("self signed", "self-signed");
        assert_eq!(text.is_empty(), wanted.is_empty(), "{number}: {text}");
        assert!(text.starts_with(&wanted), "{number}: {text}");
        // Without the keyword nobody looks.
        assert_eq!(meet(&context, shown, None), Event::Connected);
    }
    // What the file names counts, wherever its own chain ends.
    let narrow = trusting(&folder, &[&between]);
    assert_eq!(said(meet(&narrow, &[&behind], Some("www.example.com"))), "");
    assert_ne!(said(meet(&narrow, &[&good], Some("www.example.com"))), "");
    let pinned = trusting(&folder, &[&own]);
    assert_eq!(said(meet(&pinned, &[&own], Some("www.example.com"))), "");
    assert_ne!(said(meet(&pinned, &[&own], Some("example.com"))), "");
}

#[test]
fn what_a_server_says_of_itself_is_bounded_and_harmless() {
    let folder = Folder::new("harmless");
    let root = Content::authority("root").by_itself();
    let context = trusting(&folder, &[&root]);
    let many: Vec<String> = (0..500)
        .map(|number| format!("DNS:{number}.example"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long = format!("DNS:{}", "x".repeat(5000));
    let several = [&many[..], &[&long]].concat();
    let server = Content {
        subject: "a\u{1b}[2Jb\nc",
        ..Content::server(&several)
    };
    let text = said(meet(
        &context,
        &[&server.by(&root)],
        Some("www.example.com"),
    ));
    assert_eq!(
        text,
        "certificate 'CN=a\\u{1b}[2Jb\\nc' (depth 0): hostname mismatch; it is for 0.example, 1.example, 2.example, 3.example, \
         4.example, 5.example, 6.example, 7.example and 493 more, wanted a good one for www.example.com"
    );
    let server = Content::server(&[&long]).by(&root);
    let text = said(meet(&context, &[&server], Some("www.example.com")));
    assert!(
        text.contains("xxx..., wanted") && text.len() < 400,
        "{text}"
    );
    assert_eq!(printable(b"\xff\x00a"), "\u{fffd}\\0a");
    assert_eq!(cut(&"ä".repeat(201)), format!("{}...", "ä".repeat(200)));
}

#[test]
fn whom_no_certificate_can_be_for() {
    let context = Context::new(None, false).unwrap();
    let hosts = ["", ":443", ".example.com", "a\0b", "m\u{fc}nchen.example"];
    let bytes = Octets::new(b"m\xfcnchen.example".to_vec());
    for host in hosts.map(Octets::from).into_iter().chain([bytes]) {
        let peer = PeerName::from(&host);
        let trouble = context.begin(None, Some(&peer)).unwrap_err();
        assert_eq!(
            trouble.to_string(),
            format!("no certificate can be for '{peer}'")
        );
    }
}

#[test]
fn where_the_system_has_its_authorities() {
    let paths = |variables: &[(&str, &str)]| {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        let variable = |name: &str| variables.get(name).map(OsString::from);
        let (file, directories) = system_paths("OPENSSLDIR: \"/usr/lib/ssl\"", variable);
        format!("{} {}", file.display(), directories.display())
    };
    assert_eq!(paths(&[]), "/usr/lib/ssl/cert.pem /usr/lib/ssl/certs");
    assert_eq!(
        paths(&[("SSL_CERT_FILE", "/a"), ("SSL_CERT_DIR", "/b:/c")]),
        "/a /b:/c"
    );
}

#[test]
fn whether_the_system_trusts_anybody() {
    let folder = Folder::new("system");
    let root = Content::authority("root").by_itself();
    let full = folder.file("full", &root.certificate_pem());
    let empty = folder.file("empty", b"");
    let hashed = folder.0.join("hashed");
    let bare = folder.0.join("bare");
    for directory in [&hashed, &bare] {
        fs::create_dir(directory).unwrap();
    }
    fs::write(hashed.join("0a1b2c3d.0"), root.certificate_pem()).unwrap();
    for name in ["ca.pem", "0a1b2c3.0", "0a1b2c3d.", "0a1b2c3d.x", "0a1b2c3d"] {
        fs::write(bare.join(name), root.certificate_pem()).unwrap();
    }
    let nowhere = Path::new("/nowhere");
    let both = env::join_paths([nowhere, &hashed]).unwrap();
    assert_eq!(somebody(Path::new(&full), nowhere.as_os_str()), Ok(()));
    assert_eq!(somebody(Path::new(&empty), hashed.as_os_str()), Ok(()));
    assert_eq!(somebody(nowhere, &both), Ok(()));
    let problem = somebody(nowhere, bare.as_os_str()).unwrap_err();
    let wanted = format!(
        "the system trusts nobody (/nowhere: No such file or directory (os error 2); {}: no certificate is there); name the \
         authorities with SSL {{ ca FILE }}, or install those of the system (ca-certificates)",
        bare.display()
    );
    assert_eq!(problem, wanted);
    let problem = somebody(Path::new(&empty), nowhere.as_os_str()).unwrap_err();
    assert!(
        problem.contains("empty: no certificate is in it; "),
        "{problem}"
    );

    // Checks that verify have no result then; the others go on.
    let mut context = Context::new(None, false).unwrap();
    context.distrust = Some("nobody".into());
    let peer = PeerName::of("www.example.com");
    let trouble = context.begin(None, Some(&peer)).unwrap_err();
    assert_eq!(trouble.to_string(), "nobody");
    let server = Content::server(WWW).by(&root);
    assert_eq!(meet(&context, &[&server], None), Event::Connected);
}
