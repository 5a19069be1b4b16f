//! Processes as `/proc` shows them: which there are, what they are called, with which words they were started.

use std::fs::{self, File};
use std::io::{self, Read as _};

use crate::error::Error;

/// `/proc/PID/stat`: the name has 15 bytes, the numbers are some hundred.
const STATUS_LENGTH: usize = 1024;

/// A walk through all processes, which can be made in steps: on a machine with thousands of them it takes a while.
#[derive(Debug)]
pub struct ProcessScan {
    directory: fs::ReadDir,
}

impl ProcessScan {
    /// Begins a walk.
    ///
    /// # Errors
    /// When there is no `/proc`.
    pub fn begin() -> Result<Self, Error> {
        let directory =
            fs::read_dir("/proc").map_err(Error::system("list the processes in /proc"))?;
        Ok(Self { directory })
    }

    /// Appends the numbers of the next processes, `most` at most. False: that was all.
    ///
    /// # Errors
    /// Not expected.
    pub fn next(&mut self, most: usize, processes: &mut Vec<u32>) -> Result<bool, Error> {
        for _ in 0..most {
            let Some(entry) = self.directory.next() else {
                return Ok(false);
            };
            let entry = entry.map_err(Error::system("list the processes in /proc"))?;
            processes.extend(
                entry
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse::<u32>().ok()),
            );
        }
        Ok(true)
    }
}

/// The name that the kernel keeps for a process, at most 15 bytes; `None`: there is no such process any more.
#[must_use]
pub fn task_name(process: u32) -> Option<Vec<u8>> {
    let status = start_of(process, "stat", STATUS_LENGTH)?;
    let (name, state) = name_and_state(&status)?;
    // A zombie, or dead: it only waits for its parent to take note.
    (!matches!(state, b'Z' | b'X' | b'x')).then(|| name.to_vec())
}

/// The words that a process was started with, each followed by a NUL, unless the process put something else in their place;
/// cut behind `most` bytes. `None`: there is no such process any more.
#[must_use]
pub fn command_line(process: u32, most: usize) -> Option<Vec<u8>> {
    start_of(process, "cmdline", most)
}

fn start_of(process: u32, file: &str, most: usize) -> Option<Vec<u8>> {
    let mut file = File::open(format!("/proc/{process}/{file}")).ok()?;
    let mut bytes = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let read: io::Result<usize> = io::Read::by_ref(&mut file)
        .take(most)
        .read_to_end(&mut bytes);
    read.ok()?;
    Some(bytes)
}

/// proc_pid_stat(5): `PID (NAME) STATE ...`, where the name can hold anything.
fn name_and_state(status: &[u8]) -> Option<(&[u8], u8)> {
    let open = status.iter().position(|byte| *byte == b'(')?;
    let close = status.iter().rposition(|byte| *byte == b')')?;
    let name = status.get(open + 1..close)?;
    Some((name, *status.get(close + 2)?))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn names_can_hold_anything() {
        let read = |text: &'static str| name_and_state(text.as_bytes());
        assert_eq!(read("1 (init) S 0 1"), Some((b"init".as_slice(), b'S')));
        assert_eq!(
            read("9 (a) R 1) ) Z 1"),
            Some((b"a) R 1) ".as_slice(), b'Z'))
        );
        for odd in ["", "1", "1 (", "1 )(", "1 (x)", "1 (x) "] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_process_is_found_until_it_ends() {
        let mut child = Command::new("/bin/sleep")
            .args(["1000", "2000"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let number = child.id();
        // The standard library returns when the kernel has closed our descriptors in it: its name is set by then, its
        // arguments are a moment later.
        let until = crate::clock::now() + std::time::Duration::from_secs(10);
        while command_line(number, 1).is_none_or(|line| line.is_empty())
            && crate::clock::now() < until
        {}
        assert_eq!(task_name(number).unwrap(), b"sleep");
        assert_eq!(
            command_line(number, 100).unwrap(),
            b"/bin/sleep\x001000\x002000\0"
        );
        assert_eq!(command_line(number, 4).unwrap(), b"/bin");
        let mut scan = ProcessScan::begin().unwrap();
        let mut all = Vec::new();
        while scan.next(7, &mut all).unwrap() {}
        assert!(all.contains(&number) && all.contains(&std::process::id()));
        child.kill().unwrap();
        // Nobody has waited for it: a zombie.
        while task_name(number).is_some() && crate::clock::now() < until {}
        assert_eq!(task_name(number), None);
        child.wait().unwrap();
        assert_eq!((task_name(number), command_line(number, 9)), (None, None));
    }
}
