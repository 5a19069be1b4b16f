//! Where the pid files are.

use std::path::{Path, PathBuf};

use config::settings::Global;
use log::warn;

use crate::command_line::Options;
use crate::messages::Role;

/// Where they are, unless the command line says otherwise.
const RUN_DIRECTORY: &str = "/run";

/// Paths of the pid files.
pub(super) struct PidFiles {
    pub(super) parent: PathBuf,
    vrrp: PathBuf,
    checkers: PathBuf,
    bfd: PathBuf,
}

impl PidFiles {
    pub(super) fn new(options: &Options, global: &Global) -> Self {
        let own_directory = global.use_pid_dir || global.instance.is_some();
        let directory = if own_directory {
            Path::new(RUN_DIRECTORY).join("keepalived")
        } else {
            PathBuf::from(RUN_DIRECTORY)
        };
        let suffix = global
            .instance
            .as_ref()
            .map(|instance| format!("_{instance}"))
            .unwrap_or_default();
        let file = |given: &Option<PathBuf>, name: &str| {
            given
                .clone()
                .unwrap_or_else(|| directory.join(format!("{name}{suffix}.pid")))
        };
        Self {
            parent: file(&options.pid, "keepalived"),
            vrrp: file(&options.vrrp_pid, "vrrp"),
            checkers: file(&options.checkers_pid, "checkers"),
            bfd: file(&options.bfd_pid, "bfd"),
        }
    }

    /// That of a child.
    pub(super) fn of(&self, role: Role) -> &Path {
        match role {
            Role::Vrrp => &self.vrrp,
            Role::Checkers => &self.checkers,
            Role::Bfd => &self.bfd,
        }
    }

    pub(super) fn make_directories(&self) {
        for directory in [&self.parent, &self.vrrp, &self.checkers, &self.bfd]
            .into_iter()
            .filter_map(|file| file.parent())
        {
            if let Err(problem) = std::fs::create_dir_all(directory) {
                warn!("cannot make {}: {problem}", directory.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_they_are() {
        let paths = |options: &Options, global: &Global| {
            let files = PidFiles::new(options, global);
            [
                &files.parent,
                files.of(Role::Vrrp),
                files.of(Role::Checkers),
            ]
            .map(|path| path.display().to_string())
        };
        let mut options = Options::default();
        let mut global = Global::default();
        assert_eq!(
            paths(&options, &global),
            ["/run/keepalived.pid", "/run/vrrp.pid", "/run/checkers.pid"]
        );
        global.use_pid_dir = true;
        global.instance = Some("one".to_owned());
        options.vrrp_pid = Some("/v".into());
        assert_eq!(
            paths(&options, &global),
            [
                "/run/keepalived/keepalived_one.pid",
                "/v",
                "/run/keepalived/checkers_one.pid"
            ]
        );
        options.checkers_pid = Some("/c".into());
        assert_eq!(paths(&options, &global)[2], "/c");
    }
}
