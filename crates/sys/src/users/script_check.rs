//! Whether a script can be run as its user, and whether running it would hand root's power to somebody
//! else (keepalived: "Users and security").

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::{env, fmt, io};

use crate::process::Credentials;

const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;
const STICKY: u32 = 0o1000;
const GROUP_WRITE: u32 = 0o020;
const OTHER_WRITE: u32 = 0o002;
const ANY_EXECUTE: u32 = 0o111;

/// A script that its user can execute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedScript {
    /// The file itself, every symbolic link on the way followed.
    pub path: PathBuf,
    /// As configured but absolute, links kept; what `use_symlink_paths` wants executed.
    pub configured: PathBuf,
    /// It was given by name and found in the search path, which deserves a warning.
    pub searched: bool,
    /// Somebody other than root could make root execute something else. `enable_script_security`
    /// disables such a script.
    pub violation: Option<SecurityViolation>,
}

/// Why a script cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptProblem {
    /// The configuration names nothing.
    #[error("no script is named")]
    Empty,
    /// A bare name that no directory of the search path has.
    #[error("script {name} is not in the search path {search_path}")]
    NotInSearchPath {
        /// The name.
        name: String,
        /// Where it was looked for.
        search_path: String,
    },
    /// The file or a directory on the way is missing, or we may not look.
    #[error("cannot find script {}: {reason}", path.display())]
    Missing {
        /// As configured.
        path: PathBuf,
        /// The kernel's reason.
        reason: io::Error,
    },
    /// A directory, a device ...
    #[error("script {} is not a regular file", path.display())]
    NotAFile {
        /// With links followed.
        path: PathBuf,
    },
    /// The user may not execute the file, or not enter a directory on the way.
    #[error("user {uid} group {gid} may not {} {}", if *.is_directory { "enter" } else { "execute" }, component.display())]
    NotExecutable {
        /// The file or directory that refuses.
        component: PathBuf,
        /// Which of the two it is.
        is_directory: bool,
        /// The user.
        uid: u32,
        /// Its group.
        gid: u32,
    },
}

/// A component of a path that somebody other than root has power over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {fault}", component.display())]
pub struct SecurityViolation {
    /// The file or directory, absolute.
    pub component: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a component of a path that root would execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Neither a directory nor, at the end, a regular file: it was exchanged while it was looked at.
    WrongType,
    /// It, be it a symbolic link, belongs to this user.
    OwnedBy(u32),
    /// This group can write to it.
    WritableByGroup(u32),
    /// Everybody can write to it, and it is not a sticky directory.
    WritableByAll,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongType => f.write_str("is of the wrong type"),
            Self::OwnedBy(uid) => write!(f, "is not owned by root but by user {uid}"),
            Self::WritableByGroup(gid) => write!(f, "is writable by group {gid}"),
            Self::WritableByAll => f.write_str("is writable by everybody"),
        }
    }
}

/// Finds the script `name` (a path, or a bare name for which the directories of `search_path` are tried in
/// order) and tells whether `user` can execute it, by the mode bits of the file and of the directories on
/// the way. For a script that would run as root (user 0, group 0, or a file with set-id root), every
/// directory and symbolic link on the way from `/` to the file is checked too.
///
/// DEVIATION(keepalived): 2.4.3 refuses any directory that is reached by a link, so that `/bin/true` is not secure where
/// `/bin` is a link. Here, as in 2.2.7, links of root are followed; what they lead through is checked.
///
/// # Errors
/// When it cannot be run at all. A violation of security is not an error: the configuration decides.
pub fn script_check(
    name: &str,
    user: &Credentials,
    search_path: &OsStr,
) -> Result<ResolvedScript, ScriptProblem> {
    if name.is_empty() {
        return Err(ScriptProblem::Empty);
    }
    let searched = !name.contains('/');
    let (configured, path, metadata) = if searched {
        search(name, user, search_path)?
    } else {
        locate(Path::new(name), user)?
    };
    let violation = if runs_as_root(user, &metadata) {
        first_violation(&configured)?
    } else {
        None
    };
    Ok(ResolvedScript {
        path,
        configured,
        searched,
        violation,
    })
}

type Located = (PathBuf, PathBuf, Metadata);

/// The first match that the user can execute; if there are only others, the first of their problems.
fn search(name: &str, user: &Credentials, search_path: &OsStr) -> Result<Located, ScriptProblem> {
    let mut first_problem = None;
    for directory in env::split_paths(search_path) {
        match locate(&directory.join(name), user) {
            Ok(located) => return Ok(located),
            Err(ScriptProblem::Missing { .. }) => {}
            Err(problem) => first_problem = first_problem.or(Some(problem)),
        }
    }
    Err(
        first_problem.unwrap_or_else(|| ScriptProblem::NotInSearchPath {
            name: name.to_owned(),
            search_path: search_path.to_string_lossy().into_owned(),
        }),
    )
}

/// The absolute path, the real path and what is there, if the user can execute that.
fn locate(path: &Path, user: &Credentials) -> Result<Located, ScriptProblem> {
    let missing = |reason| ScriptProblem::Missing {
        path: path.to_owned(),
        reason,
    };
    let absolute = if path.is_absolute() {
        path.to_owned()
    } else {
        env::current_dir().map_err(missing)?.join(path)
    };
    let real = fs::canonicalize(&absolute).map_err(missing)?;
    let metadata = fs::metadata(&real).map_err(missing)?;
    if !metadata.is_file() {
        return Err(ScriptProblem::NotAFile { path: real });
    }
    for component in components(&real) {
        let is_directory = component != real;
        if !may_execute(user, &fs::metadata(&component).map_err(missing)?) {
            return Err(ScriptProblem::NotExecutable {
                component,
                is_directory,
                uid: user.uid,
                gid: user.gid,
            });
        }
    }
    Ok((absolute, real, metadata))
}

/// By the mode bits, as the kernel judges: the most specific class counts, even if it allows less.
fn may_execute(user: &Credentials, metadata: &Metadata) -> bool {
    let mode = metadata.mode();
    if user.uid == 0 {
        // Root enters any directory, and executes what anybody may execute.
        return metadata.is_dir() || mode & ANY_EXECUTE != 0;
    }
    let in_group = |gid| {
        user.gid == gid
            || user
                .groups
                .as_ref()
                .is_some_and(|groups| groups.contains(&gid))
    };
    let bit = if metadata.uid() == user.uid {
        0o100
    } else if in_group(metadata.gid()) {
        0o010
    } else {
        0o001
    };
    mode & bit != 0
}

fn runs_as_root(user: &Credentials, metadata: &Metadata) -> bool {
    user.uid == 0
        || user.gid == 0
        || (metadata.mode() & SET_UID != 0 && metadata.uid() == 0)
        || (metadata.mode() & SET_GID != 0 && metadata.gid() == 0)
}

/// `/`, `/a`, `/a/b`, ... up to the whole path.
fn components(path: &Path) -> Vec<PathBuf> {
    let mut so_far = PathBuf::new();
    path.components()
        .filter(|component| *component != Component::CurDir)
        .map(|component| {
            so_far.push(component);
            so_far.clone()
        })
        .collect()
}

/// As many symbolic links the kernel follows in one path.
const MOST_LINKS: usize = 40;

/// The first component that somebody other than root has power over, in the order in which the kernel meets them: a link,
/// then what its target leads through, then what stands behind it.
fn first_violation(path: &Path) -> Result<Option<SecurityViolation>, ScriptProblem> {
    let mut so_far = PathBuf::new();
    let mut links = 0;
    // The next one last.
    let mut ahead = names(path);
    while let Some(name) = ahead.pop() {
        let missing = |path: &Path, reason| ScriptProblem::Missing {
            path: path.to_owned(),
            reason,
        };
        if name == ".." {
            // No link is left in it, and its parent was checked.
            so_far.pop();
            continue;
        }
        let component = so_far.join(&name);
        let metadata =
            fs::symlink_metadata(&component).map_err(|reason| missing(&component, reason))?;
        if let Some(fault) = fault_of(&metadata, ahead.is_empty()) {
            return Ok(Some(SecurityViolation { component, fault }));
        }
        if metadata.is_symlink() {
            links += 1;
            if links > MOST_LINKS {
                return Err(missing(path, rustix::io::Errno::LOOP.into()));
            }
            let target = fs::read_link(&component).map_err(|reason| missing(&component, reason))?;
            ahead.append(&mut names(&target));
        } else {
            so_far = component;
        }
    }
    Ok(None)
}

/// The parts of a path, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter(|component| *component != Component::CurDir)
        .map(|component| component.as_os_str().to_owned())
        .collect()
}

fn fault_of(metadata: &Metadata, is_last: bool) -> Option<Fault> {
    let kind = metadata.file_type();
    let right_type = kind.is_symlink()
        || if is_last {
            kind.is_file()
        } else {
            kind.is_dir()
        };
    let (uid, gid, mode) = (metadata.uid(), metadata.gid(), metadata.mode());
    if !right_type {
        Some(Fault::WrongType)
    } else if uid != 0 {
        Some(Fault::OwnedBy(uid))
    } else if kind.is_symlink() {
        // The mode of a link means nothing; its directory and its target are checked.
        None
    } else if mode & OTHER_WRITE != 0 && !(kind.is_dir() && mode & STICKY != 0) {
        Some(Fault::WritableByAll)
    } else if mode & GROUP_WRITE != 0 && gid != 0 {
        Some(Fault::WritableByGroup(gid))
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
