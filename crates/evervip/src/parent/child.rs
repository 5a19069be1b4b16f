//! A child process: its channel, what it last said, and when it may be started again.

use std::os::fd::AsFd as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use log::{error, warn};
use sys::channel::{Channel, Delivery, sealed_memory};
use sys::event_loop::EventLoop;
use sys::heartbeat::Heartbeat;
use sys::process::{self, Pid};
use types::Instant;

use crate::legacy::Legacy;
use crate::messages::{Role, Start, ToChild};

/// A child that ran so long is started again at once when it ends (keepalived: 60 s).
const LONG_ENOUGH: Duration = Duration::from_secs(60);
/// Seconds before the first, second, ... restart of a child that keeps ending early (keepalived).
const DELAYS: [u64; 8] = [0, 1, 2, 4, 8, 16, 32, 60];

/// A running child.
pub(super) struct Child {
    process: process::Child,
    channel: Channel,
    started: Instant,
    /// It has confirmed settings.
    begun: bool,
    /// Settings that it has not confirmed yet.
    unconfirmed: u32,
    /// The BFD process that it was connected with last.
    follows: Option<Pid>,
    /// Its channel is in the epoll set.
    listened_to: bool,
    legacy: Legacy,
}

impl Child {
    /// Starts a child and tells it how to begin. Its channel is in `events` then, under `token`.
    pub(super) fn spawn(
        start: &Start,
        heartbeat: &Heartbeat,
        now: Instant,
        (events, token): (&EventLoop, u64),
    ) -> Result<Self> {
        // What may fail comes first: a child that knows nothing of what became of us would have to be ended again.
        let memory =
            sealed_memory(&postcard::to_allocvec(start).context("settings for the child")?)?;
        let (channel, theirs) = Channel::pair()?;
        events.add(&channel, token)?;
        let process = process::spawn_self(theirs.as_fd())?;
        drop(theirs);
        let child = Self {
            process,
            channel,
            started: now,
            begun: false,
            unconfirmed: 1,
            follows: None,
            listened_to: true,
            legacy: start.legacy.clone(),
        };
        child.send(&ToChild::Heartbeat, Some(heartbeat.fd()))?;
        child.send(&ToChild::Start, Some(memory.as_fd()))?;
        Ok(child)
    }

    /// Hands over new settings.
    pub(super) fn reload(&mut self, settings: &[u8]) -> Result<()> {
        let memory = sealed_memory(settings)?;
        self.send(&ToChild::Reload, Some(memory.as_fd()))?;
        self.unconfirmed = self.unconfirmed.saturating_add(1);
        Ok(())
    }

    /// Connects it with the BFD process, unless it is already. `role`: what it is itself.
    pub(super) fn follow(&mut self, bfd: &Self, role: Role) -> Result<()> {
        if self.follows == Some(bfd.pid()) {
            return Ok(());
        }
        let (near, far) = Channel::pair()?;
        // Should the second message fail, the BFD process drops this end when the next one comes, or finds nobody at the other.
        bfd.send(&ToChild::Follower(role), Some(near.as_fd()))?;
        self.send(&ToChild::Sessions, Some(far.as_fd()))?;
        self.follows = Some(bfd.pid());
        Ok(())
    }

    /// Sends a message that comes with nothing. A child that cannot be reached has ended, or will be noticed otherwise.
    pub(super) fn tell(&self, message: &ToChild) {
        if let Err(problem) = self.send(message, None) {
            warn!("{message:?} does not reach the child: {problem:#}");
            if *message == ToChild::Stop
                && let Err(problem) = process::kill(self.pid(), 15)
            {
                error!("{problem}");
            }
        }
    }

    fn send(
        &self,
        message: &ToChild,
        attachment: Option<std::os::fd::BorrowedFd<'_>>,
    ) -> Result<()> {
        let bytes = postcard::to_allocvec(message).context("message to the child")?;
        match self.channel.send(&bytes, attachment)? {
            Delivery::Sent => Ok(()),
            Delivery::Full => bail!("it does not read what it is sent"),
            Delivery::Closed => bail!("it has closed the connection"),
        }
    }

    pub(super) const fn pid(&self) -> Pid {
        self.process.pid
    }

    pub(super) const fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Whether it works: it has confirmed settings at least once.
    pub(super) const fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether it has settings that it has not confirmed yet.
    pub(super) const fn is_busy(&self) -> bool {
        self.unconfirmed > 0
    }

    /// Its channel has nothing to say any more. True the first time.
    pub(super) fn stop_listening(&mut self) -> bool {
        std::mem::take(&mut self.listened_to)
    }

    /// It has taken the oldest settings that it had not confirmed.
    pub(super) const fn settings_taken(&mut self) {
        self.begun = true;
        self.unconfirmed = self.unconfirmed.saturating_sub(1);
    }

    /// What it leaves, as far as it has spoken.
    pub(super) const fn legacy(&self) -> &Legacy {
        &self.legacy
    }

    /// It says something about that.
    pub(super) const fn legacy_mut(&mut self) -> &mut Legacy {
        &mut self.legacy
    }
}

/// When a child may be started again, and what its successor inherits.
#[derive(Default)]
pub(super) struct RestartPace {
    early_ends: usize,
    legacy: Legacy,
    heartbeat: Option<Heartbeat>,
}

impl RestartPace {
    /// How long to wait after the end of a child.
    pub(super) fn after(&mut self, child: &Child, now: Instant) -> Duration {
        if now.since(child.started) >= LONG_ENOUGH {
            self.early_ends = 0;
        }
        let delay = DELAYS
            .get(self.early_ends)
            .or(DELAYS.last())
            .copied()
            .unwrap_or_default();
        self.early_ends += 1;
        Duration::from_secs(delay)
    }

    /// A child has ended. `tidily`: what it left changed is to stay.
    pub(super) fn ended(&mut self, child: &Child, tidily: bool) {
        let legacy = if tidily {
            Legacy::default()
        } else {
            child.legacy.clone()
        };
        self.legacy = Legacy {
            flush_is_due: child.legacy.flush_is_due,
            ..legacy
        };
    }

    /// What the last child has left, and those before it.
    pub(super) const fn legacy(&self) -> &Legacy {
        &self.legacy
    }

    /// The next child has them, or the addresses have been given up: nobody else carries on.
    pub(super) fn forget_names(&mut self) {
        self.legacy.names.clear();
    }

    /// The memory in which each child notes when it last served its timers; the same for all of them.
    pub(super) fn heartbeat(&mut self) -> Result<&Heartbeat> {
        match &mut self.heartbeat {
            Some(heartbeat) => Ok(heartbeat),
            none => Ok(none.insert(Heartbeat::create()?)),
        }
    }
}
