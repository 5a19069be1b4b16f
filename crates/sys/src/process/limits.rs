//! Resource limits that we raise for ourselves and give back to scripts.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::Error;

/// The limit on open files before we raised it.
static ORIGINAL_OPEN_FILES: OnceLock<Rlimit> = OnceLock::new();

/// Allows this process at least `count` open files; scripts get the limit as it was before. As much of it
/// as the hard limit allows when we may not raise that.
///
/// # Errors
/// When the kernel refuses even that.
pub fn raise_open_files(count: u64) -> Result<(), Error> {
    let before = *ORIGINAL_OPEN_FILES.get_or_init(|| getrlimit(Resource::Nofile));
    let now = getrlimit(Resource::Nofile);
    // `None` is "unlimited".
    if now.current.is_none_or(|current| current >= count) {
        return Ok(());
    }
    let maximum = now.maximum.map(|maximum| maximum.max(count));
    if setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(count),
            maximum,
        },
    )
    .is_ok()
    {
        return Ok(());
    }
    let current = before.maximum.map(|maximum| maximum.min(count));
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current,
            maximum: now.maximum,
        },
    )
    .map_err(Error::object("raise the limit of open files to", &count))
}

/// How many files this process may have open at a time.
pub fn most_open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// The limits as a script should find them; `None` when we never changed any.
pub(super) fn original_open_files() -> Option<libc::rlimit> {
    let unlimited = |value: Option<u64>| value.unwrap_or(libc::RLIM_INFINITY);
    ORIGINAL_OPEN_FILES.get().map(|limit| libc::rlimit {
        rlim_cur: unlimited(limit.current),
        rlim_max: unlimited(limit.maximum),
    })
}
