//! 122 configurations from the wild, when they are at hand: none may panic or take long, and most end as keepalived says.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::machine::{
    DeviceFacts, FileProblem, InterfaceFacts, Machine, ResolvedScript, ScriptProblem,
};
use crate::settings::RunAs;
use crate::testing::Fake;
use crate::{LoadOptions, exit_status_of_test, load};

/// How many of the test statuses equal keepalived's. It only grows.
const EQUAL: usize = 121;

/// The machine that the corpus' README describes.
struct Room {
    directory: PathBuf,
    interfaces: Vec<String>,
    users: Fake,
}

impl Machine for Room {
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileProblem> {
        if path.is_dir() {
            return Err(FileProblem::Directory);
        }
        let content = std::fs::read(path).map_err(|_| FileProblem::Missing)?;
        if content.len() > limit {
            Err(FileProblem::TooLarge { limit })
        } else {
            Ok(content)
        }
    }

    fn is_open_to_others(&self, _: &Path) -> bool {
        false
    }

    fn list(&self, directory: &Path) -> Option<Vec<String>> {
        let entries = std::fs::read_dir(directory).ok()?;
        Some(
            entries
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect(),
        )
    }

    fn current_dir(&self) -> PathBuf {
        self.directory.clone()
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn random(&self) -> u32 {
        0
    }

    fn host_name(&self) -> String {
        "host".into()
    }

    fn interface(&self, name: &str) -> Option<InterfaceFacts> {
        if name == "lo" {
            return Some(InterfaceFacts {
                loopback: true,
                multicast: false,
                mtu: 65536,
                ethernet: false,
                number: 1,
                lower: None,
                device: DeviceFacts::Other,
            });
        }
        let facts = InterfaceFacts {
            loopback: false,
            multicast: true,
            mtu: 1500,
            ethernet: true,
            number: 2,
            lower: None,
            device: DeviceFacts::Other,
        };
        self.interfaces
            .iter()
            .any(|known| known == name)
            .then_some(facts)
    }

    fn processors(&self) -> u16 {
        64
    }

    fn resolve_host(&self, _: &str) -> Option<IpAddr> {
        None
    }

    fn user(&self, name: &str) -> Option<(u32, u32)> {
        if name == "daemon" {
            None
        } else {
            self.users.user(name)
        }
    }

    fn group(&self, name: &str) -> Option<u32> {
        self.users.group(name)
    }

    fn groups_of(&self, _: &str) -> Vec<u32> {
        Vec::new()
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
        const THERE: [&str; 15] = [
            "bash", "sh", "[", "test", "echo", "kill", "killall", "pidof", "pgrep", "pkill",
            "curl", "ip", "rm", "touch", "service",
        ];
        let name = Path::new(script)
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let directory = script.strip_suffix(name).unwrap_or_default();
        let known = THERE.contains(&name) || ["systemctl", "python3", "killall5"].contains(&name);
        if known && ["", "/usr/bin/", "/bin/", "/sbin/", "/usr/sbin/"].contains(&directory) {
            return Ok(ResolvedScript {
                path: format!("/usr/bin/{name}"),
                insecure: None,
            });
        }
        Err(ScriptProblem::NotFound)
    }
}

/// How keepalived's test of a file ended: a status, or what happened instead.
fn ending(root: &Path, version: &str, number: &str) -> Option<String> {
    let recording = root.join(version).join(format!("{number}.txt"));
    let text = std::fs::read(recording).ok()?;
    let text = String::from_utf8_lossy(&text);
    let first = text.lines().next()?;
    first.strip_prefix("exit: ").map(str::to_owned)
}

#[test]
fn the_corpus_loads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let Ok(index) = std::fs::read_to_string(root.join("INDEX.tsv")) else {
        eprintln!("no corpus at {}: nothing to compare with", root.display());
        return;
    };
    let mut equal = 0;
    let mut seen = 0;
    let mut differences = Vec::new();
    for line in index.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let file = columns[0];
        let number = &file[..3.min(file.len())];
        let Some(mut expected) = ending(&root, "expected-2.4.3", number) else {
            continue;
        };
        if expected.parse::<i32>().is_err() {
            // It crashes or hangs there; the older version may not.
            expected = ending(&root, "expected", number).unwrap();
        }
        let room = Room {
            directory: root.clone(),
            interfaces: columns[5].split(',').map(str::to_owned).collect(),
            users: Fake::default(),
        };
        let loaded = load(file, &room, &LoadOptions::default());
        if let Some(settings) = &loaded.settings {
            super::canonical::round_trip(&room, settings);
        }
        let status = exit_status_of_test(&loaded.diagnostics).to_string();
        for diagnostic in &loaded.diagnostics {
            assert!(!diagnostic.render(crate::Style::Plain).is_empty());
        }
        seen += 1;
        // Where both hang, the right answer is to refuse the file.
        if status == expected || expected == "timeout" && status != "0" {
            equal += 1;
        } else {
            differences.push(format!("{file}: keepalived {expected}, we {status}"));
        }
    }
    eprintln!(
        "{equal} of {seen} test statuses equal keepalived's\n{}",
        differences.join("\n")
    );
    assert_eq!(seen, 122);
    assert!(equal >= EQUAL, "{equal} of {seen}");
}
