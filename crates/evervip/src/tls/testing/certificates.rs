//! Authorities and the certificates that they issue, good ones and bad ones. Compiled into the tests of the daemon, too.

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
};
use openssl::x509::{X509, X509NameBuilder};

/// A certificate and the key to it.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) certificate: X509,
    pub(crate) key: PKey<Private>,
}

/// What a certificate may be used for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Authority,
    Server,
    Client,
}

/// When it counts.
#[derive(Clone, Copy)]
pub(crate) enum Season {
    Now,
    /// In the year 1970.
    Past,
    /// From the day after tomorrow on.
    Future,
}

/// What is in a certificate.
#[derive(Clone)]
pub(crate) struct Content<'a> {
    /// The common name of its subject.
    pub(crate) subject: &'a str,
    /// Whom it is for: `DNS:www.example.com` or `IP:192.0.2.1`.
    pub(crate) names: &'a [&'a str],
    pub(crate) purpose: Purpose,
    pub(crate) season: Season,
}

impl<'a> Content<'a> {
    /// An authority.
    pub(crate) const fn authority(subject: &'a str) -> Self {
        Self {
            subject,
            names: &[],
            purpose: Purpose::Authority,
            season: Season::Now,
        }
    }

    /// A server.
    pub(crate) const fn server(names: &'a [&'a str]) -> Self {
        Self {
            subject: "server",
            names,
            purpose: Purpose::Server,
            season: Season::Now,
        }
    }

    /// One that it has signed itself.
    pub(crate) fn by_itself(&self) -> Identity {
        self.issue(None)
    }

    /// One that `issuer` has signed, whether it may or not.
    pub(crate) fn by(&self, issuer: &Identity) -> Identity {
        self.issue(Some(issuer))
    }

    fn issue(&self, issuer: Option<&Identity>) -> Identity {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", self.subject).unwrap();
        let name = name.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(&name).unwrap();
        let by = issuer.map_or(&*name, |issuer| issuer.certificate.subject_name());
        builder.set_issuer_name(by).unwrap();
        builder.set_pubkey(&key).unwrap();
        let (from, to) = self.dates();
        builder.set_not_before(&from).unwrap();
        builder.set_not_after(&to).unwrap();
        let mut constraints = BasicConstraints::new();
        let mut usage = KeyUsage::new();
        if self.purpose == Purpose::Authority {
            constraints.ca();
            usage.key_cert_sign();
        } else {
            usage.digital_signature();
            let mut extended = ExtendedKeyUsage::new();
            if self.purpose == Purpose::Server {
                extended.server_auth();
            } else {
                extended.client_auth();
            }
            builder.append_extension(extended.build().unwrap()).unwrap();
        }
        let constraints = constraints.critical().build().unwrap();
        builder.append_extension(constraints).unwrap();
        let usage = usage.critical().build().unwrap();
        builder.append_extension(usage).unwrap();
        if !self.names.is_empty() {
            let mut names = SubjectAlternativeName::new();
            for name in self.names {
                match name.split_once(':').unwrap() {
                    ("DNS", name) => names.dns(name),
                    ("IP", address) => names.ip(address),
                    other => panic!("{other:?}"),
                };
            }
            let names = names.build(&builder.x509v3_context(None, None)).unwrap();
            builder.append_extension(names).unwrap();
        }
        let signer = issuer.map_or(&key, |issuer| &issuer.key);
        builder.sign(signer, MessageDigest::sha256()).unwrap();
        Identity {
            certificate: builder.build(),
            key,
        }
    }

    fn dates(&self) -> (Asn1Time, Asn1Time) {
        let days = |number| Asn1Time::days_from_now(number).unwrap();
        let of_1970 = |day: i64| Asn1Time::from_unix(day * 86_400).unwrap();
        match self.season {
            Season::Now => (days(0), days(2)),
            Season::Past => (of_1970(0), of_1970(364)),
            Season::Future => (days(2), days(4)),
        }
    }
}

impl Identity {
    /// The certificate as a file has it.
    pub(crate) fn certificate_pem(&self) -> Vec<u8> {
        self.certificate.to_pem().unwrap()
    }
}
