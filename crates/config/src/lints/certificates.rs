//! Certificates that are verified.

use std::net::IpAddr;

use lvs::settings::checkers::HttpCheck;

use super::Lint;
use crate::diagnostics::{Reporter, Span};

/// A certificate that must bear an address.
pub(super) const WITHOUT_NAME: Lint = Lint {
    name: "verify_peer_without_name",
    what: "an SSL_GET with `verify_peer` that asks for no name",
    why: "the certificate must then bear the address that is connected to, and hardly any does",
    fix: "say which name is asked for: `sni_name NAME`, or `virtualhost NAME` and `enable_sni`",
};

/// Looks at a check; `span`: where `verify_peer` is written.
pub(crate) fn check(check: &HttpCheck, server: IpAddr, span: Span, report: &mut Reporter) {
    if !report.wants_lints() {
        return;
    }
    let nameless = |url| check.sni(url).or_else(|| check.host(url)).is_none();
    let Some(url) = check.urls.iter().find(|url| nameless(*url)) else {
        return;
    };
    if let Some(peer) = check.peer(url) {
        let message = format!(
            "SSL_GET of real server {server} asks for '{}' by no name, so the certificate must be for {peer}",
            url.path
        );
        report.lint(span, WITHOUT_NAME.found(message));
    }
}

#[cfg(test)]
mod tests {
    use crate::lints::tests::found;

    fn lints(service: &str, real: &str, check: &str) -> Vec<String> {
        let text = format!(
            "virtual_server 10.0.0.1 443 {{\nprotocol TCP\nlvs_sched rr\nlvs_method NAT\n{service}\nreal_server 10.0.1.1 443 {{\n{real}\n\
             SSL_GET {{\n{check}\n}}\n}}\n}}\n"
        );
        let lints = found(&text, "verify_peer_without_name").into_iter();
        lints
            .map(|lint| format!("{}: {}", lint.source.trim(), lint.message))
            .collect()
    }

    #[test]
    fn nobody_says_a_name() {
        let page = "url {\npath /\n}";
        assert_eq!(
            lints("", "", &format!("verify_peer\n{page}")),
            [
                "verify_peer: SSL_GET of real server 10.0.1.1 asks for '/' by no name, so the certificate must be for 10.0.1.1"
            ]
        );
        let elsewhere = format!("connect_ip 10.0.2.1\nenable_sni\nverify_peer\n{page}");
        let [lint] = &lints("", "", &elsewhere)[..] else {
            panic!("one lint");
        };
        assert!(lint.ends_with("must be for 10.0.2.1"), "{lint}");
        let one_of_two = "verify_peer\nurl {\npath /a\nvirtualhost a\n}\nurl {\npath /b\n}";
        let [lint] = &lints("", "", one_of_two)[..] else {
            panic!("one lint");
        };
        assert!(lint.contains("asks for '/b'"), "{lint}");
    }

    #[test]
    fn somebody_does_or_nobody_looks() {
        let page = "url {\npath /\n}";
        let verified = format!("verify_peer\n{page}");
        for (service, real, check) in [
            ("virtualhost a", "", verified.clone()),
            ("", "virtualhost a", verified.clone()),
            ("", "", format!("virtualhost a\n{verified}")),
            ("", "", format!("virtualhost 10.0.1.1\n{verified}")),
            ("", "", format!("sni_name a\n{verified}")),
            (
                "",
                "",
                "verify_peer\nurl {\npath /\nvirtualhost a\n}".into(),
            ),
            ("", "", format!("verify_peer\nverify_peer off\n{page}")),
            ("", "", page.into()),
        ] {
            assert!(
                lints(service, real, &check).is_empty(),
                "{service} {real} {check}"
            );
        }
    }
}
