//! Users and groups by name, and which scripts may run as whom.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use crate::error::Error;

mod script_check;

pub use script_check::{Fault, ResolvedScript, ScriptProblem, SecurityViolation, script_check};

/// Where a buffer for one entry of the user or group database starts and stops to grow. A group of 10 000
/// members fits into the latter.
const ENTRY_LENGTHS: [usize; 4] = [1 << 10, 1 << 13, 1 << 16, 1 << 20];

/// Where the list of a user's groups stops to grow; the kernel's own limit.
const MOST_GROUPS: usize = 65_536;

/// An entry of the user database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// User number.
    pub uid: u32,
    /// Number of its own group.
    pub gid: u32,
}

/// The user of this name, or `None` when there is none.
///
/// # Errors
/// When the database cannot be read.
pub fn user(name: &str) -> Result<Option<User>, Error> {
    let Ok(wanted) = CString::new(name) else {
        return Ok(None);
    };
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    look_up(name, "look up user", |buffer| {
        let mut found = ptr::null_mut();
        // SAFETY: all pointers are valid for the call and the buffer is as long as said; the entry is read
        // only when the function says that it filled it.
        unsafe {
            let status = libc::getpwnam_r(
                wanted.as_ptr(),
                entry.as_mut_ptr(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                &raw mut found,
            );
            let user = found.as_ref().map(|entry| User {
                name: CStr::from_ptr(entry.pw_name).to_string_lossy().into_owned(),
                uid: entry.pw_uid,
                gid: entry.pw_gid,
            });
            (status, user)
        }
    })
}

/// The number of the group of this name, or `None` when there is none.
///
/// # Errors
/// When the database cannot be read.
pub fn group(name: &str) -> Result<Option<u32>, Error> {
    let Ok(wanted) = CString::new(name) else {
        return Ok(None);
    };
    let mut entry = MaybeUninit::<libc::group>::uninit();
    look_up(name, "look up group", |buffer| {
        let mut found = ptr::null_mut();
        // SAFETY: as for users.
        unsafe {
            let status = libc::getgrnam_r(
                wanted.as_ptr(),
                entry.as_mut_ptr(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                &raw mut found,
            );
            (status, found.as_ref().map(|entry| entry.gr_gid))
        }
    })
}

/// Calls `ask` with ever longer buffers until the entry fits.
fn look_up<T>(
    name: &str,
    what: &'static str,
    mut ask: impl FnMut(&mut [u8]) -> (libc::c_int, Option<T>),
) -> Result<Option<T>, Error> {
    for length in ENTRY_LENGTHS {
        match ask(&mut vec![0; length]) {
            (0, found) => return Ok(found),
            // getpwnam(3) lists these as ways to say "not found".
            (libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM, _) => return Ok(None),
            (libc::ERANGE, _) => {}
            (errno, _) => {
                return Err(Error::object(what, &name)(io::Error::from_raw_os_error(
                    errno,
                )));
            }
        }
    }
    Err(Error::object(what, &name)(io::Error::from_raw_os_error(
        libc::ERANGE,
    )))
}

/// All groups of a user, its own included, in the order of the database.
///
/// # Errors
/// When there are more than the kernel could give to a process.
pub fn groups_of(user: &User) -> Result<Vec<u32>, Error> {
    const WHAT: &str = "list the groups of user";
    let name = CString::new(user.name.as_str()).map_err(Error::object(WHAT, &user.name))?;
    let mut room = 64;
    loop {
        let mut groups: Vec<u32> = vec![0; room];
        let mut count = libc::c_int::try_from(room).unwrap_or(libc::c_int::MAX);
        // SAFETY: the list has as many places as `count` says.
        let result = unsafe {
            libc::getgrouplist(name.as_ptr(), user.gid, groups.as_mut_ptr(), &raw mut count)
        };
        if result >= 0 {
            groups.truncate(usize::try_from(count).unwrap_or(0));
            return Ok(groups);
        }
        if room >= MOST_GROUPS {
            return Err(Error::object(WHAT, &user.name)(
                io::Error::from_raw_os_error(libc::ERANGE),
            ));
        }
        room *= 4;
    }
}

/// Who this process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentIds {
    /// Real, effective and saved user number.
    pub uids: [u32; 3],
    /// Real, effective and saved group number.
    pub gids: [u32; 3],
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

impl CurrentIds {
    /// The user number that permissions are checked for.
    pub fn effective_uid(&self) -> u32 {
        let [_, effective, _] = self.uids;
        effective
    }

    /// The group number that permissions are checked for.
    pub fn effective_gid(&self) -> u32 {
        let [_, effective, _] = self.gids;
        effective
    }

    /// Whether the process is this user and this group in every respect.
    pub fn are_all(&self, uid: u32, gid: u32) -> bool {
        self.uids == [uid; 3] && self.gids == [gid; 3]
    }

    /// Whether these are its supplementary groups, in whatever order.
    pub fn has_exactly(&self, groups: &[u32]) -> bool {
        groups.iter().all(|group| self.groups.contains(group))
            && self.groups.iter().all(|group| groups.contains(group))
    }
}

/// Who this process is.
///
/// # Errors
/// Not expected.
pub fn current_ids() -> Result<CurrentIds, Error> {
    let (mut uids, mut gids) = ([0; 3], [0; 3]);
    {
        let [real, effective, saved] = &mut uids;
        // SAFETY: three numbers to write to.
        unsafe { libc::getresuid(real, effective, saved) };
        let [real, effective, saved] = &mut gids;
        // SAFETY: three numbers to write to.
        unsafe { libc::getresgid(real, effective, saved) };
    }
    let failed = || Error::system("list our own groups")(io::Error::last_os_error());
    // SAFETY: a length of 0 asks for the count only.
    let count = unsafe { libc::getgroups(0, ptr::null_mut()) };
    let mut groups = vec![0; usize::try_from(count).map_err(|_| failed())?];
    // SAFETY: the list has `count` places.
    let count = unsafe { libc::getgroups(count, groups.as_mut_ptr()) };
    groups.truncate(usize::try_from(count).map_err(|_| failed())?);
    Ok(CurrentIds { uids, gids, groups })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_and_nobody_else() {
        let root = user("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid, root.name.as_str()), (0, 0, "root"));
        assert_eq!(group("root").unwrap(), Some(0));
        assert!(groups_of(&root).unwrap().contains(&0));
        assert_eq!(user("no-such-user-here").unwrap(), None);
        assert_eq!(group("no-such-group-here").unwrap(), None);
        assert_eq!(user("a\0b").unwrap(), None);
    }

    #[test]
    fn we_are_who_we_are() {
        let ids = current_ids().unwrap();
        assert!(ids.are_all(ids.effective_uid(), ids.effective_gid()));
        assert!(!ids.are_all(ids.effective_uid() + 1, ids.effective_gid()));
        assert!(ids.has_exactly(&ids.groups));
        assert!(!ids.has_exactly(&[ids.groups.clone(), vec![4_000_000]].concat()));
    }
}
