//! The line to the parent: what it tells a child that runs, and what the child has to tell.

use anyhow::{Context as _, Result};
use config::Settings;
use log::{error, warn};
use sys::channel::{Channel, Delivery, Receipt};
use sys::event_loop::EventLoop;

use crate::messages::{Dump, LONGEST, OVERRIDDEN_PER_MESSAGE, ToChild, ToParent};

/// The line to the parent.
pub(crate) struct Line {
    channel: Channel,
}

/// What the parent has said.
pub(crate) enum Heard {
    /// Nothing more, for now.
    Nothing,
    /// It is gone. SIGTERM is on its way; nobody is left to listen to.
    Gone,
    /// There are other settings.
    Reload(Box<Settings>),
    /// Stop cleanly.
    Stop,
    /// Write a dump.
    Dump(Dump),
}

impl Line {
    pub(super) const fn new(channel: Channel) -> Self {
        Self { channel }
    }

    /// The next thing that the parent has said.
    pub(crate) fn hear(&self) -> Result<Heard> {
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
                    Heard::Reload(Box::new(settings))
                }
                (ToChild::Stop, _) => Heard::Stop,
                (ToChild::Dump(dump), _) => Heard::Dump(dump),
                (other, _) => {
                    warn!("the parent sent {other:?} at the wrong time");
                    continue;
                }
            });
        }
    }

    /// There is nobody to hear any more.
    pub(crate) fn hang_up(&self, events: &EventLoop) -> Result<()> {
        Ok(events.remove(&self.channel)?)
    }

    /// Tells the parent something that it had better not miss.
    pub(crate) fn tell(&self, message: &ToParent) {
        match self.send(message) {
            Ok(Delivery::Sent | Delivery::Closed) => {}
            Ok(Delivery::Full) => warn!("the parent does not listen: {message:?} is lost"),
            Err(problem) => error!("cannot tell the parent {message:?}: {problem:#}"),
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
