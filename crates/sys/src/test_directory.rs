//! A directory for one test, removed when the test ends.

use std::fs;
use std::path::{Path, PathBuf};

/// Removed with everything in it when dropped.
pub(crate) struct TestDirectory(PathBuf);

impl TestDirectory {
    /// `name` is the test's own, so that tests do not meet.
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("evervip-sys-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(fs::canonicalize(path).unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TestDirectory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}
