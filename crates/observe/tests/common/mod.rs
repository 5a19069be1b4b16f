//! What all comparisons with keepalived's dumps need: a configuration that is read, and two texts side by side.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use config::settings::RunAs;
use config::{
    FileProblem, InterfaceFacts, LoadOptions, Machine, ResolvedScript, ScriptProblem, Settings,
};

/// A machine with one file, where every script can be run.
struct Desk(&'static str);

impl Machine for Desk {
    fn read(&self, path: &Path, _limit: usize) -> Result<Vec<u8>, FileProblem> {
        if path == Path::new("/etc/keepalived/keepalived.conf") {
            return Ok(self.0.into());
        }
        Err(FileProblem::Missing)
    }

    fn exists(&self, path: &Path) -> bool {
        path == Path::new("/run")
    }

    fn is_open_to_others(&self, _path: &Path) -> bool {
        false
    }

    fn list(&self, directory: &Path) -> Option<Vec<String>> {
        (directory == Path::new("/run")).then(Vec::new)
    }

    fn current_dir(&self) -> PathBuf {
        "/".into()
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }

    fn random(&self) -> u32 {
        4
    }

    fn host_name(&self) -> String {
        "alpha".into()
    }

    fn interface(&self, _name: &str) -> Option<InterfaceFacts> {
        None
    }

    fn processors(&self) -> u16 {
        1
    }

    fn resolve_host(&self, _name: &str) -> Option<IpAddr> {
        None
    }

    fn user(&self, name: &str) -> Option<(u32, u32)> {
        (name == "root").then_some((0, 0))
    }

    fn group(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }

    fn groups_of(&self, _user: &str) -> Vec<u32> {
        Vec::new()
    }

    fn own_ids(&self) -> (u32, u32) {
        (0, 0)
    }

    fn resolve_script(
        &self,
        script: &str,
        _user: &RunAs,
        _keep_links: bool,
    ) -> Result<ResolvedScript, ScriptProblem> {
        Ok(ResolvedScript {
            path: script.into(),
            insecure: None,
        })
    }
}

/// What a configuration says there.
pub(crate) fn settings(text: &'static str) -> Settings {
    let options = LoadOptions::default();
    let loaded = config::load("/etc/keepalived/keepalived.conf", &Desk(text), &options);
    loaded.settings.unwrap()
}

/// The lines that only one of two texts has, in their order, each behind `-` or `+`.
pub(crate) fn differences(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    // The length of the longest common subsequence of what is left of both.
    let mut common = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for (at, line) in old.iter().enumerate().rev() {
        for (other, twin) in new.iter().enumerate().rev() {
            common[at][other] = if line == twin {
                common[at + 1][other + 1] + 1
            } else {
                common[at + 1][other].max(common[at][other + 1])
            };
        }
    }
    let (mut at, mut other, mut text) = (0, 0, String::new());
    while at < old.len() || other < new.len() {
        if at < old.len() && other < new.len() && old[at] == new[other] {
            (at, other) = (at + 1, other + 1);
        } else if other == new.len()
            || (at < old.len() && common[at + 1][other] >= common[at][other + 1])
        {
            text += &format!("-{}\n", old[at]);
            at += 1;
        } else {
            text += &format!("+{}\n", new[other]);
            other += 1;
        }
    }
    text
}
