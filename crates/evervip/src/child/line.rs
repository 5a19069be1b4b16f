//! The line to the parent: what it tells a child that runs, and what the child has to tell.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use log::{error, warn};
use sys::channel::{Channel, Delivery, Receipt};
use sys::event_loop::EventLoop;
use types::Instant;

use super::orders::Order;
use crate::messages::{LONGEST, OVERRIDDEN_PER_MESSAGE, ToChild, ToParent};

/// When to try again to tell a parent that has too much to read.
const PACE: Duration = Duration::from_millis(100);

/// The line to the parent.
pub(crate) struct Line {
    channel: Channel,
    /// What it has to be told and did not listen to. Few: it is not told the same twice, except that settings are taken, and it
    /// sends no others before it knows that.
    kept: VecDeque<ToParent>,
    /// When to tell it again.
    try_at: Instant,
}

/// What the parent has said.
pub(super) enum Heard {
    /// Nothing more, for now.
    Nothing,
    /// It is gone. SIGTERM is on its way; nobody is left to listen to.
    Gone,
    /// What to do.
    Order(Order),
}

impl Line {
    pub(super) const fn new(channel: Channel) -> Self {
        Self {
            channel,
            kept: VecDeque::new(),
            try_at: Instant::ZERO,
        }
    }

    /// The next thing that the parent has said.
    pub(super) fn hear(&self) -> Result<Heard> {
        let mut buffer = vec![0; LONGEST];
        loop {
            let (length, attachment) = match self.channel.receive(&mut buffer)? {
                Receipt::Message { length, attachment } => (length, attachment),
                Receipt::Nothing => return Ok(Heard::Nothing),
                Receipt::Closed => return Ok(Heard::Gone),
            };
            let message = postcard::from_bytes(buffer.get(..length).unwrap_or_default())
                .context("message of the parent")?;
            return Ok(match (message, attachment) {
                (ToChild::Reload, Some(memory)) => {
                    let bytes = sys::channel::read_sealed(&memory)?;
                    let settings =
                        postcard::from_bytes(&bytes).context("settings from the parent")?;
                    Heard::Order(Order::Reload(Box::new(settings)))
                }
                (ToChild::Sessions, Some(end)) => Heard::Order(Order::ListenTo(end.into())),
                (ToChild::Follower(role), Some(end)) => Heard::Order(Order::Tell(role, end.into())),
                (ToChild::Stop, _) => Heard::Order(Order::Stop),
                (ToChild::Dump(dump), _) => Heard::Order(Order::Dump(dump)),
                // Whoever comes after us gets it at the start.
                (lost @ (ToChild::Reload | ToChild::Sessions | ToChild::Follower(_)), None) => {
                    bail!(
                        "what came with {lost:?} was lost: too many files are open (raise LimitNOFILE of the service)"
                    );
                }
                (other, _) => {
                    warn!("the parent sent {other:?} at the wrong time");
                    continue;
                }
            });
        }
    }

    /// There is nobody to hear any more.
    pub(super) fn hang_up(&self, events: &EventLoop) -> Result<()> {
        Ok(events.remove(&self.channel)?)
    }

    /// Tells the parent something that it must not miss: if it has too much to read now, [`tick`](Self::tick) tells it later.
    pub(crate) fn tell(&mut self, message: ToParent) {
        // Of these each counts, and their order does.
        let counts = matches!(message, ToParent::SettingsTaken | ToParent::FlushIsDue(_));
        if counts || !self.kept.contains(&message) {
            self.kept.push_back(message);
        }
        self.tell_kept();
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        (!self.kept.is_empty()).then_some(self.try_at)
    }

    /// Tells the parent what it did not listen to before.
    pub(crate) fn tick(&mut self, now: Instant) {
        if self.kept.is_empty() || now < self.try_at {
            return;
        }
        self.tell_kept();
        self.try_at = now + PACE;
    }

    fn tell_kept(&mut self) {
        while let Some(message) = self.kept.front() {
            match self.send(message) {
                Ok(Delivery::Sent) => {}
                Ok(Delivery::Full) => return,
                // Nobody is left to tell.
                Ok(Delivery::Closed) => return self.kept.clear(),
                Err(problem) => error!("cannot tell the parent {message:?}: {problem:#}"),
            }
            self.kept.pop_front();
        }
    }

    /// Tells the parent something that can be told again if it does not listen now.
    pub(crate) fn send(&self, message: &ToParent) -> Result<Delivery> {
        let bytes = postcard::to_allocvec(message).context("message to the parent")?;
        Ok(self.channel.send(&bytes, None)?)
    }

    /// Lets the parent know which of the kernel's settings are to be put back, should we not be able to. What was told is
    /// taken out of `news`.
    pub(crate) fn tell_overrides(&self, news: &mut Vec<(String, Option<i64>)>) {
        while !news.is_empty() {
            let some: Vec<_> = news.iter().take(OVERRIDDEN_PER_MESSAGE).cloned().collect();
            let count = some.len();
            match self.send(&ToParent::Overridden(some)) {
                Ok(Delivery::Sent) => drop(news.drain(..count)),
                // Told with the next wake-up.
                Ok(Delivery::Full | Delivery::Closed) => return,
                Err(problem) => {
                    error!("cannot tell the parent what was changed in the kernel: {problem:#}");
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::messages::Role;

    /// A line whose other end nobody reads, filled up.
    fn full_line() -> (Line, File) {
        let (near, far) = Channel::pair().unwrap();
        let line = Line::new(near);
        let names = ToParent::Names {
            gained: vec!["name".repeat(1000)],
            lost: Vec::new(),
        };
        while line.send(&names).unwrap() == Delivery::Sent {}
        (line, File::from(far))
    }

    /// What has arrived, names left out.
    fn arrived(mut far: &File) -> Vec<ToParent> {
        let mut told = Vec::new();
        let mut buffer = vec![0; LONGEST];
        while let Ok(length) = far.read(&mut buffer) {
            let message = postcard::from_bytes(&buffer[..length]).unwrap();
            if !matches!(message, ToParent::Names { .. }) {
                told.push(message);
            }
        }
        told
    }

    /// The kernel drops what comes with a message when there is no descriptor left for it.
    #[test]
    fn a_message_that_lost_what_came_with_it_is_no_other_message() {
        for lost in [
            ToChild::Reload,
            ToChild::Sessions,
            ToChild::Follower(Role::Vrrp),
        ] {
            let (near, far) = Channel::pair().unwrap();
            let bytes = postcard::to_allocvec(&lost).unwrap();
            File::from(far).write_all(&bytes).unwrap();
            let problem = Line::new(near).hear().err().unwrap();
            assert!(problem.to_string().contains("LimitNOFILE"), "{problem:#}");
        }
    }

    #[test]
    fn what_must_arrive_arrives_when_the_parent_listens_again() {
        let (mut line, far) = full_line();
        line.tell(ToParent::SettingsTaken);
        for _ in 0..3 {
            line.tell(ToParent::ReloadWanted);
        }
        line.tell(ToParent::SettingsTaken);
        for due in [true, false, true] {
            line.tell(ToParent::FlushIsDue(due));
        }
        let now = Instant::ZERO + PACE;
        assert_eq!(line.next_wake(), Some(Instant::ZERO), "at once");
        line.tick(now);
        assert_eq!(line.next_wake(), Some(now + PACE), "not in a busy loop");
        assert_eq!(arrived(&far), []);
        line.tick(now);
        assert_eq!(arrived(&far), [], "before its time");
        line.tick(now + PACE);
        let wanted = [
            ToParent::SettingsTaken,
            ToParent::ReloadWanted,
            ToParent::SettingsTaken,
            ToParent::FlushIsDue(true),
            ToParent::FlushIsDue(false),
            ToParent::FlushIsDue(true),
        ];
        assert_eq!(arrived(&far), wanted);
        assert_eq!(line.next_wake(), None);
    }

    #[test]
    fn a_parent_that_is_gone_is_told_nothing() {
        let (mut line, far) = full_line();
        line.tell(ToParent::SettingsTaken);
        drop(far);
        line.tick(Instant::ZERO);
        assert_eq!(line.next_wake(), None);
    }
}
