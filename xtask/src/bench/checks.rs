//! What an attempt of a check costs, and how late attempts begin: `crates/evervip/benches/attempts.rs`, as a program with the
//! daemon's own loop in it. evervip alone: keepalived makes its checks with a kernel that has IPVS only, and is measured there
//! ([`super::lvs`]).

use std::env;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// Builds and runs it.
///
/// # Errors
/// When it does not build, or an option is wrong.
pub(super) fn run(options: &[&str]) -> Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["bench", "--quiet", "--package", "evervip", "--bench"])
        .args(["attempts", "--"])
        .args(options)
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("the bench of attempts failed");
    }
    Ok(())
}
