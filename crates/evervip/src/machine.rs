//! Answers the configuration's questions about this machine.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::net::{IpAddr, ToSocketAddrs as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use config::settings::RunAs;
use config::{
    DeviceFacts, FileProblem, InterfaceFacts, Machine, PatternProblem, ResolvedScript,
    ScriptProblem,
};
use log::warn;
use lvs::settings::checkers::RegexOptions;
use sys::netlink::{LinkKind, RouteSocket};
use sys::process::Credentials;
use sys::users;
use types::{IfIndex, Prefix};

use crate::patterns;

/// The real machine. Interfaces and addresses are read once, when the first question about one is asked.
#[derive(Default)]
pub(crate) struct ThisMachine {
    interfaces: OnceCell<BTreeMap<String, InterfaceFacts>>,
    /// By interface.
    addresses: OnceCell<BTreeMap<String, Vec<Prefix>>>,
}

/// The node's name.
pub(crate) fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

/// Where scripts without a `/` in their name are looked for.
fn search_path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| {
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()
    })
}

/// Open without waiting: a FIFO in place of a file must not stop the daemon.
const O_NONBLOCK: i32 = 0o4000;
/// How often a file is read that changes meanwhile.
const ATTEMPTS: usize = 3;
/// Names of a directory; whoever has more of them in it matches no pattern that would be accepted.
const MOST_NAMES: usize = 1_000_000;

impl Machine for ThisMachine {
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileProblem> {
        read_settled(|| read_once(path, limit))
    }

    fn exists(&self, path: &Path) -> bool {
        match fs::metadata(path) {
            Ok(_) => true,
            Err(problem) => problem.kind() != io::ErrorKind::NotFound,
        }
    }

    fn is_open_to_others(&self, path: &Path) -> bool {
        fs::metadata(path).map_or(true, |metadata| metadata.mode() & 0o077 != 0)
    }

    fn list(&self, directory: &Path) -> Option<Vec<String>> {
        let entries = fs::read_dir(directory).ok()?;
        Some(
            entries
                .take(MOST_NAMES)
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect(),
        )
    }

    fn current_dir(&self) -> PathBuf {
        std::env::current_dir().unwrap_or_default()
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn random(&self) -> u32 {
        let mut bytes = [0; 4];
        match fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)) {
            Ok(()) => u32::from_ne_bytes(bytes),
            // Without /dev the clock's lowest digits have to do.
            Err(_) => sys::clock::wall().nanos(),
        }
    }

    fn host_name(&self) -> String {
        host_name()
    }

    fn interface(&self, name: &str) -> Option<InterfaceFacts> {
        self.interfaces
            .get_or_init(read_interfaces)
            .get(name)
            .copied()
    }

    fn addresses(&self, interface: &str) -> Option<Vec<Prefix>> {
        self.addresses
            .get_or_init(read_addresses)
            .get(interface)
            .cloned()
    }

    fn is_readable_by_all(&self, path: &Path) -> Option<bool> {
        let path = fs::canonicalize(path).ok()?;
        if fs::metadata(&path).ok()?.mode() & 0o004 == 0 {
            return Some(false);
        }
        // A directory on the way that others may not enter protects what is in it.
        for directory in path.ancestors().skip(1) {
            if fs::metadata(directory).ok()?.mode() & 0o001 == 0 {
                return Some(false);
            }
        }
        Some(true)
    }

    fn processors(&self) -> u16 {
        fs::read_to_string("/sys/devices/system/cpu/online")
            .ok()
            .and_then(|list| count_processors(list.trim()))
            .unwrap_or(1)
    }

    fn resolve_host(&self, name: &str) -> Option<IpAddr> {
        // The port plays no part in it.
        match (name, 0).to_socket_addrs() {
            Ok(mut addresses) => addresses.next().map(|address| address.ip()),
            Err(problem) => {
                warn!("{name}: {problem}");
                None
            }
        }
    }

    fn pattern_problem(&self, pattern: &[u8], options: RegexOptions) -> Option<PatternProblem> {
        let error = sys::regex::check(pattern, patterns::options(options)).err()?;
        Some(PatternProblem {
            offset: error.offset,
            text: error.text,
        })
    }

    fn user(&self, name: &str) -> Option<(u32, u32)> {
        known(users::user(name)).map(|user| (user.uid, user.gid))
    }

    fn group(&self, name: &str) -> Option<u32> {
        known(users::group(name))
    }

    fn groups_of(&self, user: &str) -> Vec<u32> {
        let Some(user) = known(users::user(user)) else {
            return Vec::new();
        };
        users::groups_of(&user).unwrap_or_else(|problem| {
            warn!("{problem}");
            Vec::new()
        })
    }

    fn own_ids(&self) -> (u32, u32) {
        users::current_ids().map_or((0, 0), |ids| (ids.effective_uid(), ids.effective_gid()))
    }

    fn resolve_script(
        &self,
        script: &str,
        user: &RunAs,
        keep_links: bool,
    ) -> Result<ResolvedScript, ScriptProblem> {
        let credentials = Credentials {
            uid: user.uid,
            gid: user.gid,
            groups: (!user.groups.is_empty()).then(|| user.groups.clone()),
        };
        let path = search_path();
        let resolved =
            users::script_check(script, &credentials, OsStr::new(&path)).map_err(problem)?;
        let path = if keep_links {
            &resolved.configured
        } else {
            &resolved.path
        };
        Ok(ResolvedScript {
            path: path.to_string_lossy().into_owned(),
            insecure: resolved.violation.map(|violation| violation.to_string()),
        })
    }
}

/// How many processors a list such as `0-3,6` names; `None`: it names none, or is no such list.
fn count_processors(list: &str) -> Option<u16> {
    let count = list.split(',').try_fold(0_u16, |count, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        count.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })?;
    (count > 0).then_some(count)
}

/// What was read of a file, and what the system said of it before and after.
struct Attempt {
    bytes: Vec<u8>,
    before: Stamp,
    after: Stamp,
}

/// What changes when a file does: its size, and its times of modification and change.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp(u64, (i64, i64), (i64, i64));

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self(
            metadata.len(),
            (metadata.mtime(), metadata.mtime_nsec()),
            (metadata.ctime(), metadata.ctime_nsec()),
        )
    }
}

/// Reads until the file stood still meanwhile. Somebody who saves a file is done in no time; who writes it on and on is not
/// waited for.
fn read_settled(
    mut attempt: impl FnMut() -> Result<Attempt, FileProblem>,
) -> Result<Vec<u8>, FileProblem> {
    for _ in 0..ATTEMPTS {
        let Attempt {
            bytes,
            before,
            after,
        } = attempt()?;
        if before == after {
            return Ok(bytes);
        }
    }
    Err(FileProblem::Changing)
}

fn read_once(path: &Path, limit: usize) -> Result<Attempt, FileProblem> {
    let unreadable = |problem: io::Error| {
        if problem.kind() == io::ErrorKind::NotFound {
            FileProblem::Missing
        } else {
            FileProblem::Unreadable(problem.to_string())
        }
    };
    let mut file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(path)
        .map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(FileProblem::Directory);
    }
    if !metadata.is_file() {
        return Err(FileProblem::NotRegular);
    }
    if metadata.mode() & 0o111 != 0 {
        return Err(FileProblem::Executable);
    }
    let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if size > limit {
        return Err(FileProblem::TooLarge { limit });
    }
    // Room for one byte more, so that the end shows without the room having to grow.
    let mut bytes = Vec::with_capacity(size + 1);
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    (&mut file)
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > limit {
        return Err(FileProblem::TooLarge { limit });
    }
    let after = file.metadata().map_err(unreadable)?;
    Ok(Attempt {
        bytes,
        before: Stamp::of(&metadata),
        after: Stamp::of(&after),
    })
}

fn problem(problem: users::ScriptProblem) -> ScriptProblem {
    if let users::ScriptProblem::NotInSearchPath { .. } = problem {
        return ScriptProblem::NotFound;
    }
    if let users::ScriptProblem::NotExecutable {
        is_directory: false,
        ..
    } = problem
    {
        return ScriptProblem::NotExecutable;
    }
    if let users::ScriptProblem::Missing { reason, .. } = &problem
        && reason.kind() == io::ErrorKind::NotFound
    {
        return ScriptProblem::NotFound;
    }
    ScriptProblem::Other(problem.to_string())
}

/// A user database that cannot be asked is a user that is not known, with a word in the log.
fn known<T>(answer: Result<Option<T>, sys::Error>) -> Option<T> {
    answer.unwrap_or_else(|problem| {
        warn!("{problem}");
        None
    })
}

/// `ARPHRD_ETHER`.
const ETHERNET: u16 = 1;

fn read_interfaces() -> BTreeMap<String, InterfaceFacts> {
    let links = RouteSocket::new()
        .and_then(|mut socket| socket.links())
        .unwrap_or_else(|problem| {
            warn!("{problem}");
            Vec::new()
        });
    links
        .into_iter()
        .map(|link| {
            let facts = InterfaceFacts {
                loopback: link.loopback,
                multicast: link.multicast,
                mtu: link.mtu,
                ethernet: link.hardware == ETHERNET,
                number: link.index.get(),
                lower: link.lower.map(IfIndex::get),
                device: match link.kind {
                    LinkKind::Macvlan { private: true } => DeviceFacts::PrivateMacvlan,
                    LinkKind::Ipvlan { layer2: true, .. } => DeviceFacts::Ipvlan,
                    LinkKind::Macvlan { private: false }
                    | LinkKind::Ipvlan { layer2: false, .. }
                    | LinkKind::Vrf { .. }
                    | LinkKind::Other => DeviceFacts::Other,
                },
            };
            (link.name.as_str().to_owned(), facts)
        })
        .collect()
}

/// The addresses by interface. A port of a bridge, a bond or a VRF is left out: what it has counts elsewhere.
fn read_addresses() -> BTreeMap<String, Vec<Prefix>> {
    let answer = RouteSocket::new().and_then(|mut socket| {
        let links = socket.links()?;
        Ok((links, socket.addresses()?))
    });
    let (links, addresses) = answer.unwrap_or_else(|problem| {
        warn!("{problem}");
        Default::default()
    });
    let mut names = BTreeMap::new();
    let mut known: BTreeMap<String, Vec<Prefix>> = BTreeMap::new();
    for link in links.into_iter().filter(|link| link.master.is_none()) {
        let name = link.name.as_str().to_owned();
        known.insert(name.clone(), Vec::new());
        names.insert(link.index, name);
    }
    for address in addresses {
        let prefix = match address.peer {
            // Its length is that of the other end's network.
            Some(peer) => Prefix::new(peer, address.prefix.length()).ok(),
            None => Some(address.prefix),
        };
        let all = names
            .get(&address.interface)
            .and_then(|name| known.get_mut(name));
        if let (Some(all), Some(prefix)) = (all, prefix) {
            all.push(prefix);
        }
    }
    known
}

#[cfg(test)]
mod tests;
