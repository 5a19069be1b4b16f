//! The way to the kernel's IPVS, for whichever process needs it; the kernel's sync daemons and timeouts.

pub(crate) mod sync_daemons;
pub(crate) mod timeouts;

use std::env;

use anyhow::{Context as _, Result, anyhow};
use config::settings::global::IpvsNamespace;
use sys::ipvs::{Ipvs, begin_to_load_module, load_module};

/// Set to `leave` where no kernel module may be loaded: tests run as root on machines that are not theirs.
const MODULES_VARIABLE: &str = "EVERVIP_KERNEL_MODULES";

/// Whether a kernel without IPVS is told to load it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Module {
    /// Everything else waits for it.
    Load,
    /// Nothing waits: it may be there at a later attempt.
    Begin,
    Leave,
}

/// Opens the IPVS that the settings mean.
///
/// # Errors
/// When there is none, or we may not use it.
pub(crate) fn open(namespace: &IpvsNamespace, module: Module) -> Result<Ipvs> {
    let namespace = match namespace {
        // We run where we were started.
        IpvsNamespace::SameAsDaemon | IpvsNamespace::Initial => None,
        IpvsNamespace::Named(name) => Some(name.as_str()),
    };
    let look = || Ipvs::open(namespace).context("IPVS: Can't initialize ipvs");
    if let Some(ipvs) = look()? {
        return Ok(ipvs);
    }
    // keepalived's words; behind them what is behind it.
    let missing = || anyhow!("IPVS: Can't initialize ipvs: No such file or directory");
    let may_load = env::var_os(MODULES_VARIABLE).is_none_or(|value| value != "leave");
    let loaded = match module {
        _ if !may_load => return Err(missing()),
        Module::Leave => return Err(missing()),
        Module::Begin => begin_to_load_module().map(|()| None),
        Module::Load => load_module().map(|()| Some(())),
    };
    match loaded {
        Ok(Some(())) => look()?.ok_or_else(missing),
        Ok(None) => Err(missing()),
        Err(problem) => Err(anyhow!("{} ({problem})", missing())),
    }
}
