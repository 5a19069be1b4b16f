//! The programs that tests need from the machine, and how to get those that are missing (Debian).

use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

/// A program that some test runs.
struct Need {
    program: &'static str,
    package: &'static str,
    why: &'static str,
}

/// All of them. Add a line when a test begins to use another program.
const NEEDS: &[Need] = &[
    Need {
        program: "keepalived",
        package: "keepalived",
        why: "the peer that we must get on with",
    },
    Need {
        program: "vrrpd",
        package: "frr",
        why: "another peer, with another idea of the protocol",
    },
    Need {
        program: "linux.uml",
        package: "user-mode-linux",
        why: "a kernel with everything that this machine's may lack",
    },
    Need {
        program: "modprobe",
        package: "kmod",
        why: "loads that kernel's modules",
    },
    Need {
        program: "busybox",
        package: "busybox-static",
        why: "sets up and switches off the machine of that kernel",
    },
    Need {
        program: "tshark",
        package: "tshark",
        why: "a judge of our packets who did not write them",
    },
    Need {
        program: "haproxy",
        package: "haproxy",
        why: "the service behind the virtual address in a scenario",
    },
    Need {
        program: "ipvsadm",
        package: "ipvsadm",
        why: "shows what the kernel balances, and changes it behind our back",
    },
    Need {
        program: "genhash",
        package: "keepalived",
        why: "computes digests that ours must equal",
    },
    Need {
        program: "nginx",
        package: "nginx-light",
        why: "a web server to check",
    },
    Need {
        program: "dnsmasq",
        package: "dnsmasq-base",
        why: "a name server to check",
    },
    Need {
        program: "openssl",
        package: "openssl",
        why: "TLS servers of old and new versions, and their certificates",
    },
    Need {
        program: "killall",
        package: "psmisc",
        why: "check scripts found in the wild call it",
    },
    Need {
        program: "pgrep",
        package: "procps",
        why: "check scripts found in the wild call it",
    },
    Need {
        program: "ip",
        package: "iproute2",
        why: "notify scripts found in the wild call it",
    },
];

/// Installs what is missing. Says what and why.
///
/// # Errors
/// When something is missing and cannot be installed; the error holds the commands to run by hand.
pub(crate) fn install_missing() -> Result<()> {
    let missing: Vec<&Need> = NEEDS
        .iter()
        .filter(|need| !shell::is_installed(need.program))
        .collect();
    if missing.is_empty() {
        println!("all {} programs that the tests use are there", NEEDS.len());
        return Ok(());
    }
    for need in &missing {
        println!(
            "{} is missing ({}): installing package {}",
            need.program, need.why, need.package
        );
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    let script = install_script(&packages);
    let mut command = as_root(&script)?;
    shell::run(&mut command).with_context(|| {
        format!(
            "cannot install {}; please run this as root:\n{script}",
            packages.join(" ")
        )
    })
}

/// A shell script that installs packages and starts nothing: a keepalived or haproxy that runs as a service would
/// disturb this machine and the tests alike. Debian asks `policy-rc.d` (101: do not start); one that is there is left
/// alone, ours goes again.
fn install_script(packages: &[&str]) -> String {
    format!(
        "set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\\nexit 101\\n' >$policy
    chmod 755 $policy
fi
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    )
}

fn as_root(script: &str) -> Result<Command> {
    let user = shell::read(Command::new("id").arg("-u"))?;
    if user.trim() == "0" {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        return Ok(command);
    }
    // -n: a test run does not ask for a password.
    let mut command = Command::new("sudo");
    command.args(["-n", "sh", "-c", script]);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_starts_no_service_and_leaves_a_policy_alone() {
        let script = install_script(&["keepalived", "haproxy"]);
        assert!(script.ends_with("install -y --no-install-recommends keepalived haproxy"));
        let guarded = script.find("if [ ! -e $policy ]").unwrap();
        let written = script.find("exit 101").unwrap();
        let installed = script.find("apt-get install").unwrap();
        assert!(guarded < written && written < installed);
        let checked = Command::new("sh").args(["-n", "-c", &script]).status();
        assert!(checked.unwrap().success(), "sh understands it");
    }

    #[test]
    fn each_program_is_listed_once() {
        let programs: std::collections::BTreeSet<&str> =
            NEEDS.iter().map(|need| need.program).collect();
        assert_eq!(programs.len(), NEEDS.len());
    }
}
