//! The place of one child: the process, if it runs, and what its successor has to know.

use log::{error, info, warn};
use sys::event_loop::EventLoop;
use sys::process;
use types::Instant;

use super::SECOND_TRY;
use super::child::{Child, RestartPace};
use crate::messages::{Role, ToChild};

const SIGKILL: i32 = 9;

/// The place of one child.
pub(super) struct Slot {
    pub(super) role: Role,
    pub(super) child: Option<Child>,
    pub(super) pace: RestartPace,
    /// A child ended too soon after its start; its successor is started then.
    pub(super) restart_at: Option<Instant>,
    /// The child could not be given the settings that hold now; it is tried again then.
    pub(super) give_at: Option<Instant>,
    /// The settings that what a child has left in the kernel may still be of: those before the ones that nobody has
    /// confirmed yet.
    pub(super) previous: Option<Vec<u8>>,
    /// A child has died. What the kernel holds is its.
    pub(super) bereft: bool,
    /// The child has been told to end, for it has nothing to do any more.
    pub(super) retiring: bool,
}

impl Slot {
    pub(super) fn new(role: Role) -> Self {
        Self {
            role,
            child: None,
            pace: RestartPace::default(),
            restart_at: None,
            give_at: None,
            previous: None,
            bereft: false,
            retiring: false,
        }
    }

    /// The process, in words.
    pub(super) const fn name(&self) -> &'static str {
        match self.role {
            Role::Vrrp => "the VRRP process",
            Role::Checkers => "the checker process",
            Role::Bfd => "the BFD process",
        }
    }

    /// The token of the child's channel in the epoll set.
    pub(super) const fn token(&self) -> u64 {
        match self.role {
            Role::Vrrp => 2,
            Role::Checkers => 3,
            Role::Bfd => 4,
        }
    }

    /// A child is about to take settings.
    pub(super) fn is_busy(&self) -> bool {
        let is_behind = |child: &Child| child.is_busy() || self.give_at.is_some();
        !self.retiring && self.child.as_ref().is_some_and(is_behind)
    }

    /// When something is to be tried again.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        [self.restart_at, self.give_at].into_iter().flatten().min()
    }

    /// Tells the child, if there is one.
    pub(super) fn tell(&self, message: &ToChild) {
        if let Some(child) = &self.child {
            child.tell(message);
        }
    }

    /// Other settings: for the child, or for the one that will be started. `old` are those before.
    pub(super) fn reload(&mut self, now: Instant, new: &[u8], old: Vec<u8>) {
        match &self.child {
            // Its successor, if there is to be one, begins with the new settings.
            Some(_) if self.retiring => {}
            Some(_) => {
                self.previous = Some(old);
                self.give(now, new);
            }
            None if self.bereft => {
                self.previous.get_or_insert(old);
            }
            None => {}
        }
    }

    /// Gives the child other settings. If that cannot be done now (there is no memory, it has too much to read), it is tried
    /// again.
    pub(super) fn give(&mut self, now: Instant, settings: &[u8]) {
        self.give_at = None;
        let name = self.name();
        let given = self.child.as_mut().map(|child| child.reload(settings));
        if let Some(Err(problem)) = given {
            let seconds = SECOND_TRY.as_secs();
            error!(
                "{name} does not get the new settings; trying again in {seconds} s: {problem:#}"
            );
            self.give_at = Some(now + SECOND_TRY);
        }
    }

    /// The child has taken settings. True if these were the last ones that it was sent.
    pub(super) fn settings_taken(&mut self) -> bool {
        let Some(child) = &mut self.child else {
            return false;
        };
        child.settings_taken();
        if child.is_busy() || self.give_at.is_some() {
            return false;
        }
        self.previous = None;
        self.bereft = false;
        true
    }

    /// There is nothing to do for the child.
    pub(super) fn retire(&mut self) {
        if !self.retiring && self.child.is_some() {
            info!("{} has nothing to do any more", self.name());
            self.retiring = true;
            self.tell(&ToChild::Stop);
        }
    }

    /// It does not end.
    pub(super) fn kill(&self) {
        if let Some(child) = &self.child {
            error!("{} does not end: killing it", self.name());
            if let Err(problem) = process::kill(child.pid(), SIGKILL) {
                error!("{problem}");
            }
        }
    }

    /// The child's channel has nothing to say any more. Its end is heard of by SIGCHLD, too.
    pub(super) fn stop_listening(&mut self, events: &EventLoop) {
        if let Some(child) = &mut self.child
            && child.stop_listening()
            && let Err(problem) = events.remove(child.channel())
        {
            warn!("{}: {problem}", self.name());
        }
    }
}
