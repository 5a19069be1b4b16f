//! Directories that are removed with what is in them.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail};

/// Where a lab's files go: not below /tmp or /run, over which hosts mount file systems of their own.
const PLACE: &str = "/var/tmp";

/// Where they go instead, if this variable is set: the runner of scenarios sets it, to remove what a killed
/// scenario could not.
pub(crate) const PLACE_VARIABLE: &str = "EVERVIP_LAB_PLACE";

/// How many names are tried.
const ATTEMPTS: u32 = 1000;

/// A new directory, removed with everything in it when dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Its name tells whose it was, should it ever be left behind. Where somebody else removes it, it is short: the
    /// path of a socket may have 107 bytes.
    pub(crate) fn create(name: &str) -> Result<Self> {
        let given = env::var_os(PLACE_VARIABLE).map(PathBuf::from);
        let prefix = match given {
            Some(_) => String::from("lab"),
            None => format!("evervip-lab-{name}-{}", std::process::id()),
        };
        let place = given.unwrap_or_else(|| PathBuf::from(PLACE));
        for attempt in 0..ATTEMPTS {
            let path = place.join(format!("{prefix}-{attempt}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot create {}", path.display()));
                }
            }
        }
        bail!(
            "{ATTEMPTS} directories of lab {name} are left in {}",
            place.display()
        )
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}
