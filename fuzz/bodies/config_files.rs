//! The machine that the bodies about configurations read on.
//!
//! An input is one file, or several behind one another: a line `%% NAME` begins the file of that name. The first file is
//! the main one.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

use config::settings::RunAs;
use config::{DeviceFacts, FileProblem, InterfaceFacts, Machine, ResolvedScript, ScriptProblem};
use types::Prefix;

/// A machine that has the input's files, two interfaces and nobody but root.
pub(crate) struct Files(BTreeMap<PathBuf, Vec<u8>>);

impl Files {
    pub(crate) fn new(data: &[u8]) -> Self {
        let mut files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
        let mut path = PathBuf::from("/etc/keepalived/main.conf");
        files.entry(path.clone()).or_default();
        for line in data.split_inclusive(|byte| *byte == b'\n') {
            if let Some(name) = line.strip_prefix(b"%% ") {
                path = Path::new("/etc/keepalived").join(String::from_utf8_lossy(name).trim());
            }
            let file = files.entry(path.clone()).or_default();
            if !line.starts_with(b"%% ") {
                file.extend_from_slice(line);
            }
        }
        Self(files)
    }

    /// The same machine with another main file.
    pub(crate) fn with_main(&self, text: Vec<u8>) -> Self {
        let mut files = self.0.clone();
        files.insert("/etc/keepalived/main.conf".into(), text);
        Self(files)
    }
}

impl Machine for Files {
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileProblem> {
        let content = self.0.get(path).ok_or(FileProblem::Missing)?;
        if content.len() > limit {
            return Err(FileProblem::TooLarge { limit });
        }
        Ok(content.clone())
    }

    fn list(&self, directory: &Path) -> Option<Vec<String>> {
        let names = self.0.keys().filter_map(|path| {
            let name = path.strip_prefix(directory).ok()?.components().next()?;
            Some(name.as_os_str().to_str()?.to_owned())
        });
        Some(names.collect())
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
        ["eth0", "eth1"].contains(&name).then_some(InterfaceFacts {
            loopback: false,
            multicast: true,
            mtu: 1500,
            ethernet: true,
            number: 2,
            lower: None,
            device: DeviceFacts::Other,
        })
    }

    fn addresses(&self, interface: &str) -> Option<Vec<Prefix>> {
        let addresses = [
            Prefix::new([10, 0, 0, 5].into(), 24),
            Prefix::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 5).into(), 64),
        ];
        (interface == "eth0").then(|| addresses.into_iter().flatten().collect())
    }

    fn is_readable_by_all(&self, _: &Path) -> Option<bool> {
        Some(true)
    }

    fn user(&self, name: &str) -> Option<(u32, u32)> {
        (name == "root").then_some((0, 0))
    }

    fn group(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }

    fn groups_of(&self, _: &str) -> Vec<u32> {
        Vec::new()
    }

    fn own_ids(&self) -> (u32, u32) {
        (0, 0)
    }

    fn processors(&self) -> u16 {
        2
    }

    fn resolve_host(&self, name: &str) -> Option<IpAddr> {
        (name == "mail.example.com").then_some(IpAddr::from([192, 0, 2, 25]))
    }

    fn is_open_to_others(&self, path: &Path) -> bool {
        path.ends_with("open")
    }

    fn resolve_script(
        &self,
        script: &str,
        _: &RunAs,
        _: bool,
    ) -> Result<ResolvedScript, ScriptProblem> {
        if !script.starts_with("/bin/") {
            return Err(ScriptProblem::NotFound);
        }
        Ok(ResolvedScript {
            path: script.to_owned(),
            insecure: None,
        })
    }
}
