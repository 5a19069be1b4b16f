//! Certificates of servers (`verify_peer`): who is trusted, what is demanded, and what is said of one that is refused.
//!
//! The chain must lead to somebody who is trusted: whom the file `SSL { ca }` names, else whom the system trusts; a
//! certificate of that file counts though it is not the end of its chain. Each certificate must be in date and allowed to
//! do what it does. The server's own must be for whoever was asked for, by its alternative names: the one in its subject
//! does not count (RFC 9525 6.3). Whether a certificate was revoked is not asked.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use lvs::dialogue::Trouble;
use lvs::dialogue::http::{BadCertificate, Got};
use lvs::settings::peer::PeerName;
use openssl::error::ErrorStack;
use openssl::ssl::{SslContextBuilder, SslRef, SslVerifyMode};
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags};
use openssl::x509::{X509, X509NameRef, X509Ref, X509StoreContextRef};

use super::{trouble, words};

/// X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL.
const NOT_YET_VALID: i32 = 9;
const HAS_EXPIRED: i32 = 10;
/// X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
const OTHER_NAME: i32 = 62;
const OTHER_ADDRESS: i32 = 64;

/// A text of a certificate is cut to so many characters.
const LONGEST_TEXT: usize = 200;
/// Of the names of a certificate as many are shown.
const MOST_NAMES: usize = 8;

/// Why a certificate was refused, once one was.
pub(super) type Refusal = Arc<OnceLock<BadCertificate>>;

/// Trusts whom the system trusts, as the library was built for it or its environment says (SSL_CERT_FILE, SSL_CERT_DIR).
///
/// # Errors
/// When there is nobody, in words.
pub(super) fn trust_system(builder: &mut SslContextBuilder) -> Result<(), String> {
    builder
        .set_default_verify_paths()
        .map_err(|error| words(&error))?;
    // The library does not say whether it found any.
    let (file, directories) = system_paths(openssl::version::dir(), |name| env::var_os(name));
    somebody(Path::new(&file), &directories)
}

/// Where the library looks: a file of certificates, and directories (as in PATH) with a file for each. `built_for`: its
/// `OPENSSLDIR: "/usr/lib/ssl"`.
fn system_paths(
    built_for: &str,
    variable: impl Fn(&str) -> Option<OsString>,
) -> (OsString, OsString) {
    let own = Path::new(built_for.split('"').nth(1).unwrap_or_default());
    let path = |name, default| variable(name).unwrap_or_else(|| own.join(default).into());
    (
        path("SSL_CERT_FILE", "cert.pem"),
        path("SSL_CERT_DIR", "certs"),
    )
}

/// Whether a file or some directory holds a certificate.
fn somebody(file: &Path, directories: &OsStr) -> Result<(), String> {
    let in_file = match file.to_str() {
        Some(name) => super::read_file(name).and_then(|bytes| {
            let certificates = X509::stack_from_pem(&bytes).map_err(|error| words(&error))?;
            let any = !certificates.is_empty();
            any.then_some(())
                .ok_or_else(|| "no certificate is in it".to_owned())
        }),
        None => Err("this is no name of a file".to_owned()),
    };
    let Err(why_no_file) = in_file else {
        return Ok(());
    };
    if env::split_paths(directories).any(|directory| has_certificate(&directory)) {
        return Ok(());
    }
    Err(format!(
        "the system trusts nobody ({}: {why_no_file}; {}: no certificate is there); name the authorities with SSL {{ ca FILE }}, \
         or install those of the system (ca-certificates)",
        file.display(),
        directories.display()
    ))
}

/// Whether there is a file with the name that the library looks for: a hash of eight digits, a dot and a number.
fn has_certificate(directory: &Path) -> bool {
    let is_hash = |name: &str| {
        let parts = name.split_once('.');
        parts.is_some_and(|(hash, number)| {
            let hash_is_one = hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            hash_is_one && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    // One that cannot be read holds nothing for the library either.
    let Ok(entries) = fs::read_dir(directory) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| entry.file_name().to_str().is_some_and(is_hash))
}

/// Demands a good certificate for `peer`. What is wrong with a bad one is in what is handed back.
///
/// # Errors
/// When no certificate can be for `peer`, or there is no memory.
pub(super) fn demand(ssl: &mut SslRef, peer: &PeerName) -> Result<Refusal, Trouble> {
    let library = |error: ErrorStack| trouble(words(&error));
    let parameters = ssl.param_mut();
    parameters
        .set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT);
    parameters
        .set_flags(X509VerifyFlags::PARTIAL_CHAIN)
        .map_err(library)?;
    match peer {
        PeerName::Name(name) if peer.is_possible() => parameters.set_host(name),
        PeerName::Address(address) => parameters.set_ip(*address),
        PeerName::Name(_) | PeerName::Bytes(_) => {
            return Err(trouble(format!("no certificate can be for '{peer}'")));
        }
    }
    .map_err(library)?;
    let refusal = Refusal::default();
    let (told, wanted) = (Arc::clone(&refusal), peer.clone());
    ssl.set_verify_callback(SslVerifyMode::PEER, move |is_good, context| {
        if !is_good {
            // The first one that is bad ends it.
            told.get_or_init(|| describe(context, &wanted));
        }
        is_good
    });
    Ok(refusal)
}

fn describe(context: &X509StoreContextRef, wanted: &PeerName) -> BadCertificate {
    let problem = context.error();
    let certificate = context.current_cert();
    let got = |of: fn(&X509Ref) -> String| certificate.map(of).unwrap_or_default().into();
    BadCertificate {
        depth: context.error_depth(),
        subject: got(|certificate| name(certificate.subject_name())),
        why: problem.error_string().into(),
        got: match problem.as_raw() {
            OTHER_NAME | OTHER_ADDRESS => Got::Names(got(names)),
            NOT_YET_VALID => Got::From(got(|certificate| certificate.not_before().to_string())),
            HAS_EXPIRED => Got::Until(got(|certificate| certificate.not_after().to_string())),
            _ => Got::Issuer(got(|certificate| name(certificate.issuer_name()))),
        },
        wanted: wanted.clone(),
    }
}

/// `CN=www.example.com, O=Example`.
fn name(name: &X509NameRef) -> String {
    let parts = name.entries().map(|entry| {
        let kind = entry.object().nid().short_name().unwrap_or("?");
        format!("{kind}={}", printable(entry.data().as_slice()))
    });
    cut(&parts.collect::<Vec<_>>().join(", "))
}

/// Whom a certificate is for: names and addresses.
fn names(certificate: &X509Ref) -> String {
    let all = certificate.subject_alt_names();
    let shown = |bytes: &[u8]| match *bytes {
        [a, b, c, d] => IpAddr::from([a, b, c, d]).to_string(),
        _ => match <[u8; 16]>::try_from(bytes) {
            Ok(bytes) => IpAddr::from(bytes).to_string(),
            Err(_) => "an address that is none".to_owned(),
        },
    };
    let mut names = all.iter().flatten().filter_map(|name| {
        let host = name.dnsname().map(|name| cut(&printable(name.as_bytes())));
        host.or_else(|| name.ipaddress().map(shown))
    });
    let first: Vec<String> = names.by_ref().take(MOST_NAMES).collect();
    let mut text = first.join(", ");
    let more = names.count();
    if more > 0 {
        text += &format!(" and {more} more");
    }
    text
}

/// The server's bytes, for a log.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.escape_debug().to_string()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
