//! Tracked processes: which ones are meant, whether there are enough of them, and when that counts.
//!
//! keepalived: `vrrp_track_process`. The host finds the processes; here are the words that they are known by, the quorum and
//! the delays.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use types::Instant;

use crate::deadlines::Armed;
use crate::settings::{ParameterMatch, ProcessSettings};

/// Bytes of a name that the kernel keeps (`TASK_COMM_LEN` less the final NUL).
const TASK_NAME: usize = 15;

impl ProcessSettings {
    /// Whether a process is one of those that are counted. `task_name` is what the kernel keeps of its name;
    /// `command_line` has the words that it was started with, each followed by a NUL, and is asked for only where it counts.
    #[must_use]
    pub fn matches(
        &self,
        task_name: &[u8],
        command_line: impl FnOnce() -> Option<Vec<u8>>,
    ) -> bool {
        if !self.full_command {
            let wanted = self.command.as_bytes();
            let kept = wanted.get(..TASK_NAME).unwrap_or(wanted);
            return task_name == kept;
        }
        command_line().is_some_and(|line| self.matches_words(&line))
    }

    /// How much of a command line has to be known to decide, in bytes.
    #[must_use]
    pub fn needs_bytes(&self) -> usize {
        // One more: that there is something behind a match has to be seen, too.
        self.words().map(|word| word.len() + 1).sum::<usize>() + 1
    }

    fn words(&self) -> impl Iterator<Item = &[u8]> {
        core::iter::once(&self.command)
            .chain(&self.parameters)
            .map(|word| word.as_bytes())
    }

    fn matches_words(&self, line: &[u8]) -> bool {
        // A process that overwrote its words may have left no NUL behind the last one.
        let line = line.strip_suffix(&[0]).unwrap_or(line);
        let mut have = line.split(|byte| *byte == 0);
        let mut wanted = self.words().peekable();
        while let Some(word) = wanted.next() {
            let Some(found) = have.next() else {
                return false;
            };
            let begins = self.matching == ParameterMatch::Initial
                && !self.parameters.is_empty()
                && wanted.peek().is_none();
            if found != word && !(begins && found.starts_with(word)) {
                return false;
            }
        }
        // Without parameters only the program counts, whatever its own parameters are.
        self.matching != ParameterMatch::Exact
            || self.parameters.is_empty()
            || have.next().is_none()
    }

    /// Whether so many are enough, and not too many.
    #[must_use]
    pub fn has_quorum(&self, count: u32) -> bool {
        count >= u32::from(self.quorum)
            && self.quorum_max.is_none_or(|most| count <= u32::from(most))
    }

    /// Whether the same processes are counted.
    #[must_use]
    pub fn counts_the_same(&self, other: &Self) -> bool {
        self.command == other.command
            && self.parameters == other.parameters
            && self.full_command == other.full_command
            && self.matching == other.matching
    }
}

/// Processes as dumps show them.
#[derive(Clone, Copy, Debug)]
pub struct ProcessView<'a> {
    /// Their settings.
    pub settings: &'a ProcessSettings,
    /// How many there are; 0 before they have been counted.
    pub count: u32,
    /// Whether that counts as enough.
    pub quorum: bool,
    /// The quorum will be gained soon, unless the number changes.
    pub gaining: bool,
    /// It will be lost soon.
    pub losing: bool,
}

/// Processes that are counted.
#[derive(Debug)]
pub(crate) struct Processes {
    pub(crate) name: Arc<str>,
    pub(crate) settings: ProcessSettings,
    pub(crate) armed: Armed,
    /// `None`: nobody has counted them yet.
    count: Option<u32>,
    quorum: bool,
    /// When the quorum turns into its opposite, which is what the number says.
    turns_at: Option<Instant>,
}

impl Processes {
    /// The first number counts at once; until there is one, they concern nobody.
    pub(crate) fn new(settings: ProcessSettings, count: Option<u32>) -> Self {
        Self {
            name: settings.name.as_str().into(),
            armed: Armed::default(),
            count,
            quorum: count.is_some_and(|count| settings.has_quorum(count)),
            turns_at: None,
            settings,
        }
    }

    /// What is known about the same processes under other settings; `None`: they are others.
    pub(crate) fn updated(mut self, settings: ProcessSettings) -> Result<Self, ProcessSettings> {
        if !self.settings.counts_the_same(&settings) {
            return Err(settings);
        }
        self.armed = Armed::default();
        let timing = |settings: &ProcessSettings| {
            let ProcessSettings {
                quorum,
                quorum_max,
                fork_delay,
                terminate_delay,
                ..
            } = settings;
            (*quorum, *quorum_max, *fork_delay, *terminate_delay)
        };
        if timing(&self.settings) != timing(&settings) {
            self.quorum = self.count.is_some_and(|count| settings.has_quorum(count));
            self.turns_at = None;
        }
        self.settings = settings;
        Ok(self)
    }

    pub(crate) const fn has_quorum(&self) -> bool {
        self.quorum
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.turns_at
    }

    /// There are so many now. True when the quorum changed, or is known now.
    pub(crate) fn handle_count(&mut self, now: Instant, count: u32) -> bool {
        let first = self.count.replace(count).is_none();
        let has = self.settings.has_quorum(count);
        if first {
            self.quorum = has;
            return true;
        }
        if has == self.quorum {
            self.turns_at = None;
            return false;
        }
        let delay = if has {
            self.settings.fork_delay
        } else {
            self.settings.terminate_delay
        };
        if delay == Duration::ZERO {
            self.turn();
            return true;
        }
        // A delay that runs goes on: what it waits for has not changed.
        self.turns_at.get_or_insert(now + delay);
        false
    }

    /// Time has passed. True when the quorum changed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let due = self.turns_at.is_some_and(|at| at <= now);
        if due {
            self.turn();
        }
        due
    }

    fn turn(&mut self) {
        self.turns_at = None;
        self.quorum = !self.quorum;
    }

    pub(crate) const fn count(&self) -> Option<u32> {
        self.count
    }

    pub(crate) const fn view(&self) -> ProcessView<'_> {
        let waits = self.turns_at.is_some();
        ProcessView {
            settings: &self.settings,
            count: match self.count {
                Some(count) => count,
                None => 0,
            },
            quorum: self.quorum,
            gaining: waits && !self.quorum,
            losing: waits && self.quorum,
        }
    }
}

#[cfg(test)]
mod tests;
