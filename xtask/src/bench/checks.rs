//! What an attempt of a check costs, and how late attempts begin: `crates/evervip/benches/attempts.rs` for TCP_CHECK, as a
//! program with the daemon's own loop in it; `https.rs` for the SSL_GETs of a daemon. evervip alone: keepalived makes its checks
//! with a kernel that has IPVS only, and is measured there ([`super::lvs`]).

use std::env;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// Builds and runs one of them.
///
/// # Errors
/// When it does not build, or an option is wrong.
pub(super) fn run(name: &str, options: &[&str]) -> Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["bench", "--quiet", "--package", "evervip", "--bench"])
        .args([name, "--"])
        .args(options)
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("the bench {name} failed");
    }
    Ok(())
}
