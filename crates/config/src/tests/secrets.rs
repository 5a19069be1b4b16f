//! No secret is in anything that is said, wherever it was put by mistake.

use proptest::prelude::*;

use crate::testing::Fake;
use crate::{LoadOptions, Loaded, Style, load};

/// What stands inside an instance, with `%` for the secret; each of them is a mistake that there is something to say of.
const INSIDE: &[&str] = &[
    "authentication {\nauth_pass=%\n}",
    "authentication {\nauth_pass;%\n}",
    "authentication {\nauth_pass,%\n}",
    "authentication {\nauth_pass:%\n}",
    "authentication {\nauth_pass%\n}",
    "authentication {\nauth_pas %\n}",
    "authentication {\nauth_pas=%\n}",
    "authentication {\npass %\n}",
    "authentication {\npwd %\n}",
    "authentication {\nfoo %\n}",
    "authentication {\nfoo x %\n}",
    "authentication {\nPASS %\n}",
    "authentication {\nfoo \"%\n}",
    "authentication {\nauth_type %\n}",
    "authentication {\nauth_type PASS % {\n}",
    "authentication {\nauth_pass \"%\\\" x\"\n}",
    "authentication PASS %\n",
    "authentication PASS % {\nfoo\n}",
    "auth_pas %",
    "auth_pass %",
    "auth_pass=%",
    "key:1:%",
    "kay 1 %",
    "auth_hmac {\nkey:1:%\n}",
    "auth_hmac {\nkey=%\n}",
    "auth_hmac {\nkey % 1\n}",
    "auth_hmac {\nkey 1 %\nkey 1 %\n}",
    "auth_hmac {\nkay 1 %\n}",
    "auth_hmac {\nkey1 %\n}",
    "auth_hmac {\nactive_key %\n}",
    "auth_hmac {\nmode %\n}",
    "auth_hmac {\ntime_window %\n}",
    "auth_hmac {\nanti_replay %\n}",
    "~LST(P,%,%x) authentication { auth_pass $P extra {",
    "authentication {\n~LST(P,%,%x) auth_pass $P {\n}",
    "authentication {\n~LST(P,%,%x) auth_pas $P\n}",
    "authentication {\n~LST(P,%,%x) foo $P\n}",
    "authentication {\n~LST(P,% auth_pass $P\n}",
    "authentication {\nauth_pass $P123456789\n$P=%\nauth_pass $P {\n}",
    "authentication {\n$P=%\nauth_pas $P\n}",
    "authentication {\n$P=%\nfoo $P\n}",
    "authentication {\n$P=%\nauth_type $P\n}",
    "authentication {\n$P=%\n$Q=$P\nauth_pass ${Q}xyzzyxyzzy\n}",
    "authentication {\n$P=%\n~LST(Q,1,2) auth_pass $P $Q {\n}",
    "authentication {\n~LST(P,%,%x) auth_type $P\n}",
    "authentication {\n~LST({P,Q},{%,%x},{%y,%z}) foo $P $Q\n}",
    "authentication {\n$M=auth_pass % {\n$M\n}",
    "authentication {\n$M=auth_pas %\n$M\n}",
    "authentication { auth_pass=% }",
    "authentication { foo % } nonsense",
    "authentication {\nfoo x\\#% y\n}",
    "authentication {\nfoo\u{1} %\n}",
    "authenticaton {\nauth_pass %\n}",
    "authentication { auth_type PASS auth_pass % }",
    "virtual_ipaddress {\nauth_pass %\n}",
];

/// The same at the root.
const OUTSIDE: &[&str] = &[
    "SSL {\npassword=%\n}",
    "SSL {\npassword %\npassword %\n}",
    "SSL {\npassword%\n}",
    "SSL {\npasswort %\n}",
    "SSL {\nfoo %\n}",
    "SSL {\npassword % {\n}\n}",
    "$P=% \"x\nSSL {\npassword $P y {\n}\n}",
    "auth_pass %",
    "$PASSWORD=\"%",
];

/// What shows the secret, if anything does; it proves nothing when nothing is said.
fn leak(text: &str, secret: &str) -> Option<String> {
    let text = text.replace('%', secret);
    let machine = Fake::default().file("/etc/keepalived/x.conf", &text);
    let options = LoadOptions {
        lints: true,
        ..LoadOptions::default()
    };
    let Loaded { diagnostics, .. } = load("x.conf", &machine, &options);
    if diagnostics.is_empty() {
        return Some(format!("nothing is said of\n{text}"));
    }
    let leaks = diagnostics.into_iter().find_map(|diagnostic| {
        let shown = format!(
            "{}\n{}\n{diagnostic:?}",
            diagnostic.render(Style::Plain),
            diagnostic.terse()
        );
        shown.contains(secret).then_some(shown)
    });
    leaks.map(|shown| format!("{text}\n{shown}"))
}

fn texts() -> impl Iterator<Item = String> {
    let inside = INSIDE.iter().map(|inside| {
        format!("vrrp_instance a {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n{inside}\n}}\n")
    });
    inside.chain(OUTSIDE.iter().map(|text| format!("{text}\n")))
}

#[test]
fn misplaced_secrets_are_hidden() {
    let leaks: Vec<String> = texts()
        .flat_map(|text| ["hunter2", "x7-q+z"].map(|secret| leak(&text, secret)))
        .flatten()
        .collect();
    assert!(leaks.is_empty(), "{}", leaks.join("\n\n"));
}

#[test]
fn what_is_no_secret_is_shown() {
    let text =
        "vrrp_instance a {\nauthentication {\nauth_type PAS\n}\nstate hunter2\npriority 300\n}\n";
    let loaded = Fake::default().load(text);
    let shown: String = loaded
        .diagnostics
        .iter()
        .map(|d| d.render(Style::Plain))
        .collect();
    assert!(
        shown.contains("state hunter2") && shown.contains("priority 300"),
        "{shown}"
    );
}

proptest! {
    #[test]
    fn no_secret_is_ever_said(secret in "[a-z0-9]{2}[a-z0-9._/+-]{4,40}q7", at in 0..INSIDE.len() + OUTSIDE.len()) {
        let all: Vec<String> = texts().collect();
        prop_assert_eq!(leak(&all[at], &secret), None);
    }
}
