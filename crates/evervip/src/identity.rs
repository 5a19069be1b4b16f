//! What this program calls itself, which depends on what it was called by.

use std::ffi::OsString;
use std::path::Path;

use crate::messages::Role;

/// The version of keepalived whose behaviour, files and packets this program has.
pub(crate) const KEEPALIVED_VERSION: &str = "2.4.3";

/// Names of the program and its processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The last component of the name it was called by.
    pub program: String,
    /// It is keepalived to every other program.
    pub is_keepalived: bool,
}

impl Identity {
    /// From the first word of the command line.
    pub(crate) fn of(called: Option<OsString>) -> Self {
        let called = called.unwrap_or_else(|| OsString::from("evervip"));
        let program = Path::new(&called).file_name().map_or_else(
            || String::from("evervip"),
            |name| name.to_string_lossy().into_owned(),
        );
        let is_keepalived = program == "keepalived";
        Self {
            program,
            is_keepalived,
        }
    }

    /// The name that the parent logs under.
    pub(crate) fn parent_ident(&self) -> &'static str {
        if self.is_keepalived {
            "Keepalived"
        } else {
            "evervip"
        }
    }

    /// The name that a child logs under.
    pub(crate) const fn child_ident(&self, role: Role) -> &'static str {
        match (role, self.is_keepalived) {
            (Role::Vrrp, true) => "Keepalived_vrrp",
            (Role::Vrrp, false) => "evervip_vrrp",
            (Role::Checkers, true) => "Keepalived_healthcheckers",
            (Role::Checkers, false) => "evervip_healthcheckers",
            (Role::Bfd, true) => "Keepalived_bfd",
            (Role::Bfd, false) => "evervip_bfd",
        }
    }
}

/// What `-v` prints. The first line is read by programs, which compare the number with keepalived's, and the options by some who
/// want to know what they may ask for: so those that work are there, in keepalived's words, and no others.
pub(crate) fn version() -> String {
    format!(
        "Keepalived v{KEEPALIVED_VERSION} (09/30,2026)\n\n\
         This is evervip {}, a drop-in successor of keepalived {KEEPALIVED_VERSION}.\n\
         Licence: MIT OR Apache-2.0\n\n\
         configure options: --enable-json --enable-bfd --enable-regex\n\n\
         Config options:  NFTABLES LVS REGEX VRRP VRRP_AUTH VRRP_VMAC JSON BFD OLD_CHKSUM_COMPAT\n",
        env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn called_as_keepalived_it_is_keepalived() {
        let identity = |word: &str| Identity::of(Some(OsString::from(word)));
        assert!(identity("/usr/sbin/keepalived").is_keepalived);
        assert!(identity("keepalived").is_keepalived);
        assert_eq!(identity("/usr/sbin/evervip").program, "evervip");
        let keepalived = identity("keepalived");
        assert_eq!(keepalived.child_ident(Role::Vrrp), "Keepalived_vrrp");
        assert_eq!(
            keepalived.child_ident(Role::Checkers),
            "Keepalived_healthcheckers"
        );
    }

    /// The readers of the first line, as they are found in the wild.
    #[test]
    fn version_line_satisfies_its_readers() {
        let text = version();
        let first = text.lines().next().unwrap();
        let word = first.split(' ').nth(1).unwrap();
        let numbers: Vec<u32> = word
            .strip_prefix('v')
            .unwrap()
            .split('.')
            .map(|part| part.parse().unwrap())
            .collect();
        assert_eq!(numbers.len(), 3);
        assert_eq!(first.split(' ').count(), 3, "nothing behind the date");
        assert!(text.contains("--enable-json"));
    }

    /// In the form that keepalived 2.2.7 prints them in.
    #[test]
    fn options_are_those_that_work() {
        let text = version();
        let options = |heading: &str| -> Vec<&str> {
            let line = text.lines().find_map(|line| line.strip_prefix(heading));
            line.unwrap().split_whitespace().collect()
        };
        let compiled = options("Config options: ");
        for works in [
            "VRRP",
            "VRRP_VMAC",
            "LVS",
            "REGEX",
            "NFTABLES",
            "BFD",
            "JSON",
        ] {
            assert!(compiled.contains(&works), "{works}");
        }
        let configured = options("configure options: ");
        for does_not_yet in ["SNMP", "DBUS", "SYSTEMD", "MAIL"] {
            let names_it = |option: &&str| option.to_uppercase().contains(does_not_yet);
            assert!(!compiled.iter().chain(&configured).any(names_it));
        }
    }
}
