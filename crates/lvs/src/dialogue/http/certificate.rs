//! A certificate that was refused (`verify_peer`): which one of the chain, why, and whom it should have been for.

use std::fmt;

use crate::settings::peer::PeerName;

/// What was got, and what was wanted. Its texts come from the server: what cannot be printed in them is escaped, and they
/// are cut to a length for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadCertificate {
    /// How far it is from the server's own: that is 0, its issuer's is 1, and so on.
    pub depth: u32,
    /// Whose it is: its subject, as `CN=www.example.com, O=Example`.
    pub subject: Box<str>,
    /// Why it is refused, in the words of the library that did so.
    pub why: Box<str>,
    /// What of it was the reason.
    pub got: Got,
    /// Whom the server's own should have been for.
    pub wanted: PeerName,
}

/// What of a certificate was the reason to refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    /// The names and addresses that it is for: `www.example.com, 192.0.2.1`. A name that only the subject has does not count
    /// (RFC 9525 6.3).
    Names(Box<str>),
    /// The time it begins to count.
    From(Box<str>),
    /// The time it has counted until.
    Until(Box<str>),
    /// Whoever has issued it.
    Issuer(Box<str>),
}

impl fmt::Display for BadCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            depth,
            subject,
            why,
            got,
            wanted,
        } = self;
        write!(f, "certificate '{subject}' (depth {depth}): {why}; it is ")?;
        match got {
            Got::Names(names) if names.is_empty() => f.write_str("for no name")?,
            Got::Names(names) => write!(f, "for {names}")?,
            Got::From(time) => write!(f, "valid from {time}")?,
            Got::Until(time) => write!(f, "valid until {time}")?,
            Got::Issuer(issuer) => write!(f, "issued by '{issuer}'")?,
        }
        write!(f, ", wanted a good one for {wanted}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let mut bad = BadCertificate {
            depth: 0,
            subject: "CN=a".into(),
            why: "hostname mismatch".into(),
            got: Got::Names("a.example, 192.0.2.1".into()),
            wanted: PeerName::of("b.example"),
        };
        assert_eq!(
            bad.to_string(),
            "certificate 'CN=a' (depth 0): hostname mismatch; it is for a.example, 192.0.2.1, wanted a good one for b.example"
        );
        for (got, wanted) in [
            (Got::Names("".into()), "it is for no name, wanted"),
            (Got::From("May 1".into()), "it is valid from May 1, wanted"),
            (
                Got::Until("May 1".into()),
                "it is valid until May 1, wanted",
            ),
            (
                Got::Issuer("CN=ca".into()),
                "it is issued by 'CN=ca', wanted",
            ),
        ] {
            bad.got = got;
            let text = bad.to_string();
            assert!(text.contains(wanted), "{text}");
        }
    }
}
