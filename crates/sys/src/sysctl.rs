//! The kernel's settings of interfaces (`/proc/sys/net/ipv4/conf`, `/proc/sys/net/ipv6/conf`): read, written, and put back.
//!
//! [`Overrides`] counts who wants a setting to have a value. The first claim remembers what it was, the last release puts that
//! back, unless somebody else has changed it meanwhile: then it is theirs. `/proc/sys` shows the network namespace of whoever
//! asks; where it is read-only (containers) a claim fails, and its release has nothing to do.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;

use types::{Family, IfName};

use crate::Error;

/// Where the kernel shows its settings.
const ROOT: &str = "/proc/sys";

/// Whose setting it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// `all`: what it means beside an interface's own differs from setting to setting.
    All,
    /// `default`: what interfaces begin with that are made from now on.
    Default,
    /// One interface's own.
    Interface(IfName),
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Default => f.write_str("default"),
            Self::Interface(name) => name.fmt(f),
        }
    }
}

/// A setting of interfaces. `Display` names it as sysctl(8) does, with slashes: `net/ipv4/conf/eth0.5/arp_ignore`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sysctl {
    /// For which family it counts.
    pub family: Family,
    /// Of which interface.
    pub whose: Whose,
    /// Its name: `promote_secondaries`, `arp_ignore`, ...
    pub name: &'static str,
}

impl Sysctl {
    /// A setting of one interface.
    pub const fn of(family: Family, interface: IfName, name: &'static str) -> Self {
        Self {
            family,
            whose: Whose::Interface(interface),
            name,
        }
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        };
        write!(f, "net/{family}/conf/{}/{}", self.whose, self.name)
    }
}

/// The settings that we have changed, and what they were.
#[derive(Debug)]
pub struct Overrides {
    root: PathBuf,
    held: BTreeMap<Sysctl, Held>,
    /// What a predecessor changed and could not put back, by the setting's name.
    inherited: BTreeMap<String, i64>,
    news: Vec<(String, Option<i64>)>,
}

#[derive(Debug)]
struct Held {
    claims: u32,
    value: i64,
    before: i64,
}

impl Default for Overrides {
    fn default() -> Self {
        Self::new()
    }
}

impl Overrides {
    /// None yet.
    pub fn new() -> Self {
        Self::below(PathBuf::from(ROOT))
    }

    const fn below(root: PathBuf) -> Self {
        Self {
            root,
            held: BTreeMap::new(),
            inherited: BTreeMap::new(),
            news: Vec::new(),
        }
    }

    /// Reads a setting.
    ///
    /// # Errors
    /// When there is no such interface or setting, or it is not one number.
    pub fn read(&self, setting: &Sysctl) -> Result<i64, Error> {
        const WHAT: &str = "read the kernel's setting";
        let path = self.root.join(setting.to_string());
        let text = std::fs::read_to_string(path).map_err(Error::object(WHAT, setting))?;
        text.trim().parse().map_err(|_not_a_number| {
            Error::object(WHAT, setting)(io::Error::from(io::ErrorKind::InvalidData))
        })
    }

    /// Writes a setting, and remembers nothing.
    ///
    /// # Errors
    /// When there is no such interface or setting, it does not take the value, or we may not write it.
    pub fn write(&self, setting: &Sysctl, value: i64) -> Result<(), Error> {
        let path = self.root.join(setting.to_string());
        std::fs::write(path, value.to_string())
            .map_err(Error::object("write the kernel's setting", setting))
    }

    /// What a setting would be without us and without our predecessor.
    ///
    /// # Errors
    /// As [`Self::read`], when neither has changed it.
    pub fn original(&self, setting: &Sysctl) -> Result<i64, Error> {
        let held = self.held.get(setting).map(|held| held.before);
        let inherited = || self.inherited.get(&setting.to_string()).copied();
        held.or_else(inherited)
            .map_or_else(|| self.read(setting), Ok)
    }

    /// Wants a setting to have a value, once more. A setting that has it already is not written. Claims of one setting
    /// agree on its value; if they do not, the last one counts.
    ///
    /// # Errors
    /// As [`Self::read`] and [`Self::write`]; the claim is then not counted.
    pub fn claim(&mut self, setting: &Sysctl, value: i64) -> Result<(), Error> {
        let now = self.read(setting)?;
        if now != value {
            self.write(setting, value)?;
        }
        let (inherited, news) = (&mut self.inherited, &mut self.news);
        let held = self.held.entry(setting.clone()).or_insert_with(|| {
            let name = setting.to_string();
            let before = inherited.remove(&name).unwrap_or(now);
            news.push((name, Some(before)));
            Held {
                claims: 0,
                value,
                before,
            }
        });
        held.claims += 1;
        held.value = value;
        Ok(())
    }

    /// Withdraws a claim; the last one puts back what was there before the first. Without a claim: nothing to do.
    ///
    /// # Errors
    /// As [`Self::read`] and [`Self::write`]; the claim is withdrawn all the same.
    pub fn release(&mut self, setting: &Sysctl) -> Result<(), Error> {
        let Some(held) = self.held.get_mut(setting) else {
            return Ok(());
        };
        held.claims -= 1;
        if held.claims > 0 {
            return Ok(());
        }
        match self.held.remove(setting) {
            Some(held) => {
                self.news.push((setting.to_string(), None));
                self.put_back(setting, &held)
            }
            None => Ok(()),
        }
    }

    /// What a predecessor of this process had changed when it died: settings by their names, and what they were before.
    /// A claim remembers that instead of what it finds.
    pub fn inherit(&mut self, before: BTreeMap<String, i64>) {
        self.inherited = before;
    }

    /// Puts back what a predecessor changed and nobody has claimed. What could not be put back is in the answer.
    pub fn put_back_inherited(&mut self) -> Vec<Error> {
        const WHAT: &str = "write the kernel's setting";
        let mut problems = Vec::new();
        for (name, before) in std::mem::take(&mut self.inherited) {
            let path = self.root.join(&name);
            if let Err(problem) = std::fs::write(path, before.to_string()) {
                problems.push(Error::object(WHAT, &name)(problem));
            }
            self.news.push((name, None));
        }
        problems
    }

    /// What happened since the last call: the name of each setting that was changed, with what it was before, or `None`
    /// when it is no longer ours. For [`Self::inherit`] of a successor.
    pub fn take_news(&mut self) -> Vec<(String, Option<i64>)> {
        std::mem::take(&mut self.news)
    }

    /// A setting that is not counted here is about to be ours, and was `now` before; the answer is what it was before a
    /// predecessor changed it.
    pub(crate) fn begin_elsewhere(&mut self, name: &str, now: i64) -> i64 {
        let before = self.inherited.remove(name).unwrap_or(now);
        self.news.push((name.to_owned(), Some(before)));
        before
    }

    /// It is not ours any more.
    pub(crate) fn end_elsewhere(&mut self, name: &str) {
        self.news.push((name.to_owned(), None));
    }

    /// Withdraws all claims. What could not be put back is in the answer.
    pub fn release_all(&mut self) -> Vec<Error> {
        let mut problems = Vec::new();
        for (setting, held) in std::mem::take(&mut self.held) {
            self.news.push((setting.to_string(), None));
            problems.extend(self.put_back(&setting, &held).err());
        }
        problems
    }

    /// An interface is gone, and its settings with it. One that comes back under its name begins with the defaults:
    /// claim anew.
    pub fn interface_is_gone(&mut self, interface: &IfName) {
        let news = &mut self.news;
        self.held.retain(|setting, _| {
            let stays = setting.whose != Whose::Interface(*interface);
            if !stays {
                news.push((setting.to_string(), None));
            }
            stays
        });
    }

    fn put_back(&self, setting: &Sysctl, held: &Held) -> Result<(), Error> {
        if held.before != held.value && self.read(setting)? == held.value {
            self.write(setting, held.before)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::test_directory::TestDirectory;

    fn setting() -> Sysctl {
        Sysctl::of(
            Family::V4,
            IfName::new("eth0.5").unwrap(),
            "promote_secondaries",
        )
    }

    /// A directory in the place of `/proc/sys`, with one setting in it.
    fn kernel(name: &str) -> (TestDirectory, Overrides) {
        let directory = TestDirectory::new(name);
        let interface = directory.join("net/ipv4/conf/eth0.5");
        fs::create_dir_all(&interface).unwrap();
        fs::write(interface.join("promote_secondaries"), "0\n").unwrap();
        let overrides = Overrides::below(directory.path().to_owned());
        (directory, overrides)
    }

    #[test]
    fn names_as_sysctl_knows_them() {
        assert_eq!(
            setting().to_string(),
            "net/ipv4/conf/eth0.5/promote_secondaries"
        );
        let all = Sysctl {
            family: Family::V6,
            whose: Whose::All,
            name: "forwarding",
        };
        assert_eq!(all.to_string(), "net/ipv6/conf/all/forwarding");
    }

    #[test]
    fn a_successor_puts_back_what_its_predecessor_found() {
        let (directory, mut first) = kernel("sysctl-heirs");
        let file = directory.join("net/ipv4/conf/eth0.5/promote_secondaries");
        first.claim(&setting(), 1).unwrap();
        first.claim(&setting(), 1).unwrap();
        let news = first.take_news();
        let name = setting().to_string();
        assert_eq!(news, [(name.clone(), Some(0))], "each setting once");
        drop(first);
        let heir = || {
            let mut heir = Overrides::below(directory.path().to_owned());
            heir.inherit(BTreeMap::from([(name.clone(), 0)]));
            heir
        };
        let mut second = heir();
        assert_eq!(second.original(&setting()).unwrap(), 0, "inherited");
        second.claim(&setting(), 1).unwrap();
        assert!(second.put_back_inherited().is_empty());
        assert_eq!(fs::read_to_string(&file).unwrap().trim(), "1");
        second.release(&setting()).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap().trim(), "0");
        assert_eq!(
            second.take_news(),
            [(name.clone(), Some(0)), (name.clone(), None)]
        );
        // Nobody needs it any more.
        fs::write(&file, "1").unwrap();
        assert!(heir().put_back_inherited().is_empty());
        assert_eq!(fs::read_to_string(&file).unwrap().trim(), "0");
    }

    #[test]
    fn the_last_release_puts_back_what_was_there() {
        let (_directory, mut kernel) = kernel("sysctl-claims");
        let setting = setting();
        assert_eq!(kernel.original(&setting).unwrap(), 0, "read");
        kernel.claim(&setting, 1).unwrap();
        kernel.claim(&setting, 1).unwrap();
        assert_eq!(kernel.read(&setting).unwrap(), 1);
        assert_eq!(kernel.original(&setting).unwrap(), 0, "remembered");
        kernel.release(&setting).unwrap();
        assert_eq!(kernel.read(&setting).unwrap(), 1, "somebody still wants it");
        kernel.release(&setting).unwrap();
        assert_eq!(kernel.read(&setting).unwrap(), 0);
        kernel.release(&setting).unwrap();
        kernel.claim(&setting, 1).unwrap();
        assert!(kernel.release_all().is_empty());
        assert_eq!(kernel.read(&setting).unwrap(), 0);
    }

    #[test]
    fn what_others_have_changed_stays_theirs() {
        let (_directory, mut kernel) = kernel("sysctl-others");
        let setting = setting();
        kernel.claim(&setting, 1).unwrap();
        kernel.write(&setting, 2).unwrap();
        kernel.release(&setting).unwrap();
        assert_eq!(kernel.read(&setting).unwrap(), 2);
    }

    #[test]
    fn an_interface_that_is_gone_takes_its_settings_along() {
        let (directory, mut kernel) = kernel("sysctl-gone");
        let setting = setting();
        kernel.claim(&setting, 1).unwrap();
        fs::remove_dir_all(directory.join("net/ipv4/conf/eth0.5")).unwrap();
        kernel.interface_is_gone(&IfName::new("eth0.5").unwrap());
        assert!(kernel.release_all().is_empty());
    }

    #[test]
    fn what_is_not_there_is_said_by_name_and_not_counted() {
        let (_directory, mut kernel) = kernel("sysctl-missing");
        let missing = Sysctl {
            name: "arp_ignore",
            ..setting()
        };
        assert_eq!(
            kernel.claim(&missing, 1).unwrap_err().to_string(),
            "cannot read the kernel's setting net/ipv4/conf/eth0.5/arp_ignore: No such file or directory (os error 2)"
        );
        assert!(kernel.release(&missing).is_ok());
        assert!(kernel.release_all().is_empty());
    }
}
