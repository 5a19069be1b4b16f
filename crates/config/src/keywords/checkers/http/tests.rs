use lvs::settings::Octets;
use lvs::settings::checkers::{Checker, CheckerKind, HttpCheck};

use super::super::tests::{GENERAL, LOGGED, MISSING, NUMBER, SILENT, outcome, table};
use super::*;
use crate::testing::Fake;

fn http(checker: &Checker) -> &HttpCheck {
    let CheckerKind::Http(check) = &checker.kind else {
        panic!("{checker:?}");
    };
    check
}

fn shown(octets: Option<&Octets>) -> String {
    octets.map(Octets::to_string).unwrap_or_default()
}

const CHECKERS: [&str; 2] = [
    "HTTP_GET {\n...\nurl {\npath /\n}\n}",
    "SSL_GET {\n...\nurl {\npath /\n}\n}",
];
const URLS: [&str; 2] = [
    "HTTP_GET {\nurl {\npath /\n...\n}\n}",
    "SSL_GET {\nurl {\npath /\n...\n}\n}",
];
const DEPRECATED: &[Class] = &[Class::Deprecated];

#[test]
fn keywords_of_the_checker() {
    for block in CHECKERS {
        table(
            block,
            |checker| checker.retry.to_string(),
            &[
                ("nb_get_retry 3", "3", DEPRECATED),
                (
                    "nb_get_retry x",
                    "1",
                    &[Class::Deprecated, Class::InvalidNumber],
                ),
                ("nb_get_retry 3\nretry 4", "4", DEPRECATED),
            ],
        );
        table(
            block,
            |checker| shown(http(checker).virtualhost.as_ref()),
            &[
                ("", "", &[]),
                ("virtualhost a", "a", &[]),
                ("virtualhost a\nvirtualhost b", "b", GENERAL),
                ("virtualhost a\nvirtualhost", "a", GENERAL),
            ],
        );
        table(
            block,
            |checker| format!("{:?}", http(checker).version),
            &[
                ("", "V1_0", &[]),
                ("http_protocol 1.0", "V1_0", &[]),
                ("http_protocol 1.0C", "V1_0Close", &[]),
                ("http_protocol 1.0c", "V1_0Close", &[]),
                ("http_protocol 1.1", "V1_1", &[]),
                ("http_protocol 1.1\nhttp_protocol 2", "V1_1", GENERAL),
                ("http_protocol", "V1_0", GENERAL),
            ],
        );
        table(
            block,
            |checker| http(checker).fast_recovery.to_string(),
            &[
                ("", "false", &[]),
                ("fast_recovery", "true", &[]),
                ("fast_recovery maybe", "false", GENERAL),
            ],
        );
    }
}

#[test]
fn tls() {
    let show = |checker: &Checker| {
        let http = http(checker);
        let tls = http.tls.as_ref().unwrap();
        let verified = if tls.verify_peer { " verified" } else { "" };
        let name = http.sni(&http.urls[0]).map(Octets::to_string);
        format!(
            "{} {}{verified}",
            name.as_deref().unwrap_or("-"),
            tls.compliant
        )
    };
    table(
        CHECKERS[1],
        show,
        &[
            ("", "- false", &[]),
            ("tls_compliant", "- true", &[]),
            ("tls_compliant maybe", "- false", GENERAL),
            ("verify_peer", "- false verified", &[]),
            ("verify_peer on", "- false verified", &[]),
            ("verify_peer\nverify_peer off", "- false", &[]),
            ("verify_peer maybe", "- false", GENERAL),
            ("virtualhost a", "- false", &[]),
            ("virtualhost a\nenable_sni", "a false", &[]),
            ("virtualhost a\nenable_sni\nenable_sni off", "- false", &[]),
            ("virtualhost a\nenable_sni maybe", "- false", GENERAL),
            ("virtualhost a\nsni_name", "a false", &[]),
            ("virtualhost a\nsni_name b", "b false", &[]),
            ("sni_name b\nsni_name c", "c false", GENERAL),
            ("sni_name b\nsni_name", "b false", GENERAL),
            ("sni_name b\nenable_sni off", "- false", &[]),
        ],
    );
    let plain = |checker: &Checker| format!("{:?}", http(checker).tls);
    table(
        CHECKERS[0],
        plain,
        &[
            ("enable_sni\nsni_name a", "None", &[]),
            ("tls_compliant", "None", &[Class::UnknownKeyword]),
            ("verify_peer", "None", &[Class::UnknownKeyword]),
        ],
    );
}

#[test]
fn pages() {
    let paths = |checker: &Checker| {
        let paths: Vec<_> = http(checker)
            .urls
            .iter()
            .map(|url| url.path.to_string())
            .collect();
        paths.join(" ")
    };
    table(
        "HTTP_GET {\n...\n}",
        paths,
        &[
            ("url {\npath /a\n}\nurl {\npath /b\n}", "/a /b", &[]),
            ("url {\npath \"/a b\"\n}", "/a b", &[]),
            ("url {\npath /a\npath /b\n}", "/b", GENERAL),
            (
                "url {\npath /a\n}\nurl {\nstatus_code 200\n}",
                "/a",
                GENERAL,
            ),
            ("", "", GENERAL),
            ("url {\n}", "", &[Class::General, Class::General]),
            (
                "url {\npath\n}",
                "fatal",
                &[Class::General, Class::General, Class::MissingParameter],
            ),
        ],
    );
    let host = |checker: &Checker| shown(http(checker).urls[0].virtualhost.as_ref());
    for block in URLS {
        table(
            block,
            host,
            &[
                ("virtualhost a", "a", &[]),
                ("virtualhost a\nvirtualhost b", "b", GENERAL),
                ("virtualhost", "", GENERAL),
            ],
        );
    }
    let compliant = |checker: &Checker| http(checker).urls[0].tls_compliant.to_string();
    table(
        URLS[1],
        compliant,
        &[
            ("tls_compliant", "true", &[]),
            ("tls_compliant maybe", "false", GENERAL),
        ],
    );
    table(
        URLS[0],
        compliant,
        &[("tls_compliant", "false", &[Class::UnknownKeyword])],
    );
}

#[test]
fn digests() {
    let show = |checker: &Checker| {
        http(checker).urls[0]
            .digest
            .map_or(String::new(), |digest| {
                format!("{:02x}{:02x}", digest[0], digest[15])
            })
    };
    for block in URLS {
        table(
            block,
            show,
            &[
                ("digest 00112233445566778899aabbccddeeff", "00ff", &[]),
                ("digest A0112233445566778899AABBCCDDEEFF", "a0ff", &[]),
                ("digest 00112233445566778899aabbccddeef", "", GENERAL),
                ("digest 00112233445566778899aabbccddeefg", "", GENERAL),
                (
                    "digest 00112233445566778899aabbccddeeff\ndigest 10112233445566778899aabbccddeeff",
                    "00ff",
                    GENERAL,
                ),
                (
                    "digest x\ndigest 00112233445566778899aabbccddeeff",
                    "00ff",
                    GENERAL,
                ),
                ("digest", "fatal", MISSING),
            ],
        );
    }
}

#[test]
fn status_codes() {
    let show = |checker: &Checker| {
        let codes: Vec<_> = http(checker).urls[0]
            .status_codes
            .iter()
            .map(ToString::to_string)
            .collect();
        codes.join(" ")
    };
    for block in URLS {
        table(
            block,
            show,
            &[
                ("", "200-299", &[]),
                ("status_code", "200-299", &[]),
                ("status_code 200", "200", &[]),
                (
                    "status_code 200-210 404\nstatus_code 100-599",
                    "200-210 404 100-599",
                    &[],
                ),
                (
                    "status_code 99 200 600",
                    "200",
                    &[Class::General, Class::General],
                ),
                ("status_code 300-200", "200-299", GENERAL),
                ("status_code 200x", "200-299", GENERAL),
                ("status_code -200", "200-299", GENERAL),
                ("status_code 200-", "200-299", GENERAL),
                ("status_code 200,201", "200-299", GENERAL),
            ],
        );
    }
}

#[test]
fn patterns() {
    let show = |checker: &Checker| {
        let Some(regex) = &http(checker).urls[0].regex else {
            return String::new();
        };
        let mut words = vec![regex.pattern.escape_ascii().to_string()];
        words.extend(regex.options.names().map(str::to_owned));
        words.extend(regex.no_match.then(|| "not".into()));
        words.extend((regex.min_offset > 0).then(|| format!("from {}", regex.min_offset)));
        words.extend(regex.max_offset.map(|most| format!("to {most}")));
        words.extend(
            regex
                .stack
                .map(|stack| format!("{}/{}", stack.start, stack.most)),
        );
        words.join(" ")
    };
    for block in URLS {
        table(
            block,
            show,
            &[
                ("regex ab", "ab", &[]),
                ("regex \"a b\"", "a b", &[]),
                ("regex 'a b'c", "a bc", &[]),
                ("regex \"a\\\\.b\\x41\\xe9\"", "a\\\\.bA\\xe9", &[]),
                ("regex", "", GENERAL),
                ("regex a b", "", GENERAL),
                ("regex 'a", "", &[Class::UnmatchedQuote]),
                ("regex a\nregex b", "b", GENERAL),
                ("regex a\nregex_no_match", "a not", &[]),
                ("regex_no_match\nregex a", "a not", &[]),
                ("regex_no_match", "", LOGGED),
                ("regex_min_offset 5\nregex_no_match", "", LOGGED),
                ("regex a\nregex_options caseless utf", "a caseless utf", &[]),
                ("regex a\nregex_options", "a", &[]),
                ("regex a\nregex_options caseles utf", "a utf", LOGGED),
                ("regex a\nregex_min_offset 5", "a from 5", &[]),
                ("regex a\nregex_min_offset", "a", LOGGED),
                ("regex a\nregex_min_offset x", "a", LOGGED),
                ("regex a\nregex_max_offset 0", "a to 0", &[]),
                ("regex a\nregex_max_offset -1", "a", LOGGED),
                (
                    "regex a\nregex_min_offset 5\nregex_max_offset 5",
                    "a from 5 to 5",
                    &[],
                ),
                (
                    "regex a\nregex_max_offset 4\nregex_min_offset 5",
                    "a",
                    LOGGED,
                ),
                ("regex a\nregex_stack 1024 65536", "a 1024/65536", &[]),
                ("regex a\nregex_stack 5 3", "a", LOGGED),
                ("regex a\nregex_stack 5", "a", LOGGED),
                ("regex a\nregex_stack x 5", "a", LOGGED),
            ],
        );
    }
}

#[test]
fn a_url_with_a_wrong_pattern_is_left_out() {
    let show = |checker: &Checker| {
        let paths = http(checker).urls.iter().map(|url| url.path.to_string());
        paths.collect::<Vec<_>>().join(" ")
    };
    table(
        "HTTP_GET {\nurl {\npath /a\n...\n}\nurl {\npath /b\n}\n}",
        show,
        &[
            ("regex a(b", "/b", GENERAL),
            ("regex a(b\nregex a", "/a /b", GENERAL),
            ("regex a(b)", "/a /b", &[]),
        ],
    );
    let outcome = outcome(
        "HTTP_GET {\nurl {\npath /\nregex \"a(b\\x1b\"\n}\n}",
        &SILENT,
        "",
    );
    assert!(outcome.checkers.is_empty());
    assert_eq!(
        outcome.messages.last().unwrap(),
        "this pattern is none: a parenthesis is missing at offset 4; the url is ignored"
    );
}

#[test]
fn a_number_may_be_too_large() {
    assert_eq!(parse_status("99999999999"), None);
    table(
        CHECKERS[0],
        |checker| checker.retry.to_string(),
        &[("retry 99999999999999999999", "1", NUMBER)],
    );
}

#[test]
fn whom_no_certificate_can_be_for() {
    let said = |lines: &str| {
        let block = format!("SSL_GET {{\n{lines}\nurl {{\npath /\n}}\n}}");
        let outcome = outcome(&block, &SILENT, "");
        assert_eq!(outcome.checkers.len(), 1);
        outcome.messages
    };
    for name in ["www.example.com", "192.0.2.1:443", "[::1]"] {
        assert!(said(&format!("virtualhost {name}\nverify_peer")).is_empty());
    }
    for (name, shown) in [
        (".example.com", ".example.com"),
        ("m\u{fc}nchen.example:443", "m\u{fc}nchen.example"),
        (":443", ""),
    ] {
        assert_eq!(
            said(&format!("virtualhost {name}\nverify_peer")),
            [format!(
                "verify_peer: no certificate can be for '{shown}', so there is no result"
            )]
        );
        assert!(said(&format!("virtualhost {name}")).is_empty());
    }
}

/// What is said of an SSL_GET of these lines, which need not be text.
fn said_of_bytes(lines: &[u8]) -> Vec<String> {
    let before = b"virtual_server 192.0.2.1 443 {\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n real_server 10.0.0.1 443 {\n \
        SSL_GET {\n";
    let text = [&before[..], lines, b"\n}\n}\n}\n"].concat();
    let loaded = Fake::default().load(&text);
    let diagnostics = loaded.diagnostics.iter();
    diagnostics
        .map(|diagnostic| diagnostic.message.to_string())
        .collect()
}

#[test]
fn bytes_in_no_certificate() {
    for (host, shown) in [
        (&b"m\xfcnchen.example"[..], "m\\xfcnchen.example"),
        (b"m\xfcnchen.example:443", "m\\xfcnchen.example:443"),
        (b"a\x01b", "a\\u{1}b"),
    ] {
        for (before, after) in [
            (
                &b"verify_peer\nvirtualhost "[..],
                &b"\nurl {\npath /\n}"[..],
            ),
            (b"verify_peer\nurl {\npath /\nvirtualhost ", b"\n}"),
        ] {
            assert_eq!(
                said_of_bytes(&[before, host, after].concat()),
                [format!(
                    "verify_peer: no certificate can be for '{shown}', so there is no result"
                )]
            );
        }
    }
}

/// The server would stay in the pool, and nobody would look.
#[test]
fn names_that_tls_cannot_send() {
    let refused = |name: &str| {
        [format!(
            "'{name}' cannot be sent as a server name (SNI), so there is no result"
        )]
    };
    let munich = "m\\xfcnchen.example";
    let page = b"\nurl {\npath /\n}";
    for lines in [
        &b"enable_sni\nvirtualhost m\xfcnchen.example"[..],
        b"sni_name m\xfcnchen.example",
        b"virtualhost www\nsni_name m\xfcnchen.example",
        // One mistake, one message.
        b"verify_peer\nsni_name m\xfcnchen.example",
        b"sni_name m\xfcnchen.example\nurl {\npath /a\n}",
    ] {
        assert_eq!(said_of_bytes(&[lines, page].concat()), refused(munich));
    }
    let of_page = b"enable_sni\nurl {\npath /\n}\nurl {\npath /\nvirtualhost m\xfcnchen.example\n}";
    assert_eq!(said_of_bytes(of_page), refused(munich));
    let long = [b'x'; 256];
    let name = |length: usize| [b"sni_name ", &long[..length], page].concat();
    assert_eq!(said_of_bytes(&name(256)), refused(&"x".repeat(256)));
    assert!(said_of_bytes(&name(255)).is_empty());
    for lines in [
        &b"virtualhost m\xfcnchen.example"[..],
        b"sni_name m\xfcnchen.example\nenable_sni off",
        "sni_name m\u{fc}nchen.example".as_bytes(),
        b"sni_name www\nvirtualhost m\xfcnchen.example",
    ] {
        assert!(said_of_bytes(&[lines, page].concat()).is_empty());
    }
}

/// keepalived takes its file for bytes, and sends them.
#[test]
fn bytes_that_are_no_text_are_kept() {
    let text = b"virtual_server 192.0.2.1 80 {\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n virtualhost s\xe9\n \
        real_server 10.0.0.1 80 {\n virtualhost r\xe9\n SSL_GET {\n virtualhost c\x01\xe9\n sni_name n\xff\n url {\n \
        path \"/caf\xe9 \xe2\x80\x8b\"\n virtualhost u\xe9\n }\n }\n }\n}\n";
    let loaded = Fake::default().load(text);
    let [diagnostic] = &loaded.diagnostics[..] else {
        panic!("{:?}", loaded.diagnostics);
    };
    assert!(diagnostic.message.starts_with("'n\\xff' cannot be sent"));
    let service = loaded.settings.unwrap().lvs.virtual_servers.remove(0);
    let real = &service.real_servers[0];
    let check = http(&real.checkers[0]);
    let url = &check.urls[0];
    let rare = real.rare.as_ref().unwrap();
    for (octets, bytes) in [
        (service.virtualhost.as_ref(), &b"s\xe9"[..]),
        (rare.virtualhost.as_ref(), b"r\xe9"),
        (check.virtualhost.as_ref(), b"c\x01\xe9"),
        (check.sni(url), b"n\xff"),
        (check.host(url), b"u\xe9"),
        (Some(&url.path), b"/caf\xe9 \xe2\x80\x8b"),
    ] {
        assert_eq!(octets.unwrap().as_bytes(), bytes);
    }
}
