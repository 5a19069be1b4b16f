//! Programs that tests need from the machine, and where to get those that are missing.

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Where programs for administrators live, which an ordinary user's PATH may leave out.
const FURTHER_PLACES: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Debian's packages of programs that go by another name.
const PACKAGES: [(&str, &str); 16] = [
    ("arping", "iputils-arping"),
    ("bfdd", "frr"),
    ("busybox", "busybox-static"),
    ("dbus-daemon", "dbus"),
    ("dnsmasq", "dnsmasq-base"),
    ("genhash", "keepalived"),
    ("ip", "iproute2"),
    ("linux.uml", "user-mode-linux"),
    ("modprobe", "kmod"),
    ("nft", "nftables"),
    ("nginx", "nginx-light"),
    ("ping", "iputils-ping"),
    ("snmpwalk", "snmp"),
    ("vrrpd", "frr"),
    ("vtysh", "frr"),
    ("zebra", "frr"),
];

/// Where FRR keeps its daemons.
const FRR_PLACE: &str = "/usr/lib/frr";

/// The program of this name, or `None` when it is not installed.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(
            FURTHER_PLACES
                .into_iter()
                .chain([FRR_PLACE])
                .map(PathBuf::from),
        )
        .map(|directory| directory.join(program))
        .find(|file| is_executable(file))
}

/// The program of this name.
///
/// # Errors
/// When it is not installed; the error names Debian's package that has it.
pub fn require(program: &str) -> Result<PathBuf> {
    match find(program) {
        Some(path) => Ok(path),
        None => bail!(
            "{program} is not installed; Debian has it in package {}",
            package_of(program)
        ),
    }
}

/// Debian's package that has a program; most are called like it.
fn package_of(program: &str) -> &str {
    PACKAGES
        .iter()
        .find(|(name, _)| *name == program)
        .map_or(program, |(_, package)| package)
}

fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found_and_what_is_not_is_named_with_its_package() {
        assert!(require("sh").unwrap().is_absolute());
        assert_eq!(find("no-such-program"), None);
        let error = require("no-such-program").unwrap_err().to_string();
        assert_eq!(
            error,
            "no-such-program is not installed; Debian has it in package no-such-program"
        );
        assert_eq!(package_of("vrrpd"), "frr");
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(PACKAGES.is_sorted());
    }
}
