//! A machine made of tables.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use lvs::settings::checkers::RegexOptions;
use types::Prefix;

use crate::machine::{
    DeviceFacts, FileProblem, InterfaceFacts, Machine, PatternProblem, ResolvedScript,
    ScriptProblem,
};
use crate::settings::RunAs;
use crate::{LoadOptions, Loaded, load};

/// Users root, nobody and daemon, host node1.example.com that knows mail.example.com, four processors, directory /etc/keepalived, interfaces lo, eth0 and eth1, and
/// every script below /bin.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) files: BTreeMap<PathBuf, Result<Vec<u8>, FileProblem>>,
    pub(crate) interfaces: BTreeMap<String, InterfaceFacts>,
    pub(crate) scripts: BTreeMap<String, Result<ResolvedScript, ScriptProblem>>,
    pub(crate) insecure: bool,
    pub(crate) addresses: BTreeMap<String, Vec<Prefix>>,
    pub(crate) readable_by_all: BTreeSet<PathBuf>,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            files: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            scripts: BTreeMap::new(),
            insecure: false,
            addresses: BTreeMap::new(),
            readable_by_all: BTreeSet::new(),
        }
        .interface("eth0")
        .interface("eth1")
        .with_loopback()
    }
}

impl Fake {
    pub(crate) fn file(mut self, path: &str, text: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.into(), Ok(text.as_ref().to_vec()));
        self
    }

    pub(crate) fn problem(mut self, path: &str, problem: FileProblem) -> Self {
        self.files.insert(path.into(), Err(problem));
        self
    }

    pub(crate) fn interface(mut self, name: &str) -> Self {
        let number = u32::try_from(self.interfaces.len()).unwrap() + 1;
        self.interfaces.insert(
            name.into(),
            InterfaceFacts {
                loopback: false,
                multicast: true,
                mtu: 1500,
                ethernet: true,
                number,
                lower: None,
                device: DeviceFacts::Other,
            },
        );
        self
    }

    /// A device such as instances make, over an interface that is there.
    pub(crate) fn device(self, name: &str, base: &str, device: DeviceFacts) -> Self {
        let lower = self.interfaces.get(base).map(|base| base.number);
        let mut machine = self.interface(name);
        let facts = machine.interfaces.get_mut(name).unwrap();
        (facts.lower, facts.device) = (lower, device);
        machine
    }

    pub(crate) fn script(self, path: &str) -> Self {
        self.with_script(path, None)
    }

    /// A script that somebody but root could change.
    pub(crate) fn insecure_script(self, path: &str, why: &str) -> Self {
        self.with_script(path, Some(why.to_owned()))
    }

    /// A script that cannot run.
    pub(crate) fn unusable_script(mut self, path: &str, problem: ScriptProblem) -> Self {
        self.scripts.insert(path.into(), Err(problem));
        self
    }

    fn with_script(mut self, path: &str, insecure: Option<String>) -> Self {
        let script = ResolvedScript {
            path: path.to_owned(),
            insecure,
        };
        self.scripts.insert(path.into(), Ok(script));
        self
    }

    /// Gives an interface an address; its length follows a `/`.
    pub(crate) fn address(mut self, interface: &str, text: &str) -> Self {
        let (address, length) = text.split_once('/').unwrap();
        let prefix = Prefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap();
        let addresses = self.addresses.entry(interface.into()).or_default();
        addresses.push(prefix);
        self
    }

    pub(crate) fn readable_by_all(mut self, path: &str) -> Self {
        self.readable_by_all.insert(path.into());
        self
    }

    fn with_loopback(mut self) -> Self {
        self.interfaces.insert(
            "lo".into(),
            InterfaceFacts {
                loopback: true,
                multicast: false,
                mtu: 65536,
                ethernet: false,
                number: 100,
                lower: None,
                device: DeviceFacts::Other,
            },
        );
        self
    }

    /// Loads a text as the main file `x.conf`; what it leads to must be the same from its normal form.
    pub(crate) fn load(self, text: impl AsRef<[u8]>) -> Loaded {
        let machine = self.file("/etc/keepalived/x.conf", text);
        let loaded = load("x.conf", &machine, &LoadOptions::default());
        if let Some(settings) = &loaded.settings {
            crate::tests::canonical::round_trip(&machine, settings);
        }
        loaded
    }
}

impl Machine for Fake {
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileProblem> {
        let content = self
            .files
            .get(path)
            .cloned()
            .unwrap_or(Err(FileProblem::Missing))?;
        if content.len() > limit {
            Err(FileProblem::TooLarge { limit })
        } else {
            Ok(content)
        }
    }

    fn is_open_to_others(&self, path: &Path) -> bool {
        path.extension()
            .is_some_and(|extension| extension == "open")
    }

    fn list(&self, directory: &Path) -> Option<Vec<String>> {
        let names: BTreeSet<String> = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(directory).ok())
            .filter_map(|rest| rest.components().next())
            .map(|first| first.as_os_str().to_str().unwrap().to_owned())
            .collect();
        (!names.is_empty()).then(|| names.into_iter().collect())
    }

    fn current_dir(&self) -> PathBuf {
        "/etc/keepalived".into()
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "HOME").then(|| "/root".into())
    }

    fn random(&self) -> u32 {
        7
    }

    fn host_name(&self) -> String {
        "node1.example.com".into()
    }

    fn interface(&self, name: &str) -> Option<InterfaceFacts> {
        self.interfaces.get(name).copied()
    }

    /// A pattern without its second parenthesis is none.
    fn pattern_problem(&self, pattern: &[u8], _options: RegexOptions) -> Option<PatternProblem> {
        let wrong = pattern.contains(&b'(') && !pattern.contains(&b')');
        wrong.then(|| PatternProblem {
            offset: pattern.len(),
            text: "a parenthesis is missing".into(),
        })
    }

    fn addresses(&self, interface: &str) -> Option<Vec<Prefix>> {
        self.addresses.get(interface).cloned()
    }

    fn is_readable_by_all(&self, path: &Path) -> Option<bool> {
        Some(self.readable_by_all.contains(path))
    }

    fn processors(&self) -> u16 {
        4
    }

    fn resolve_host(&self, name: &str) -> Option<IpAddr> {
        (name == "mail.example.com").then(|| [192, 0, 2, 25].into())
    }

    fn user(&self, name: &str) -> Option<(u32, u32)> {
        match name {
            "root" => Some((0, 0)),
            "daemon" => Some((1, 1)),
            "nobody" => Some((65534, 65534)),
            _ => None,
        }
    }

    fn group(&self, name: &str) -> Option<u32> {
        self.user(name).map(|(_, gid)| gid)
    }

    fn groups_of(&self, user: &str) -> Vec<u32> {
        if user == "daemon" {
            vec![1, 20]
        } else {
            Vec::new()
        }
    }

    fn own_ids(&self) -> (u32, u32) {
        (0, 0)
    }

    fn resolve_script(
        &self,
        script: &str,
        _: &RunAs,
        _: bool,
    ) -> Result<ResolvedScript, ScriptProblem> {
        if let Some(known) = self.scripts.get(script) {
            return known.clone();
        }
        if !script.starts_with("/bin/") {
            return Err(ScriptProblem::NotFound);
        }
        let insecure = self.insecure.then(|| "/bin is writable by all".to_owned());
        Ok(ResolvedScript {
            path: script.to_owned(),
            insecure,
        })
    }
}
