//! What a child is told to do while it runs, by signals and by its parent, and which of its processes have ended.
//!
//! One order at a time: whoever obeys it has done so before the next one is read.

use anyhow::Result;
use config::Settings;
use sys::channel::Channel;
use sys::event_loop::EventLoop;
use sys::process::{self, Exit};
use sys::signals::SignalSet;

use super::line::{Heard, Line};
use super::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use crate::messages::{Dump, Role, ToParent};

/// What a child is to do.
pub(crate) enum Order {
    /// Stop cleanly; heard more than once, perhaps.
    Stop,
    /// Go by other settings.
    Reload(Box<Settings>),
    /// Write a dump.
    Dump(Dump),
    /// Listen to the BFD process, which is there anew.
    ListenTo(Channel),
    /// Tell this child of BFD sessions; it is there anew.
    Tell(Role, Channel),
    /// Note that this process has ended.
    Bury(Exit),
}

/// Where orders come from.
pub(crate) struct Orders {
    signals: SignalSet,
    /// SIGCHLD came: one of them may stand for several processes.
    reaping: bool,
    /// There is no parent any more.
    orphaned: bool,
}

impl Orders {
    pub(super) const fn new(signals: SignalSet) -> Self {
        Self {
            signals,
            reaping: false,
            orphaned: false,
        }
    }

    /// The next order that signals bring; `None`: there are no more.
    pub(crate) fn next_of_signals(&mut self, line: &mut Line) -> Result<Option<Order>> {
        loop {
            if self.reaping {
                if let Some(exit) = process::reap()? {
                    return Ok(Some(Order::Bury(exit)));
                }
                self.reaping = false;
            }
            let Some(signal) = self.signals.read()? else {
                return Ok(None);
            };
            match signal.number {
                SIGTERM => return Ok(Some(Order::Stop)),
                SIGCHLD => self.reaping = true,
                SIGHUP => line.tell(ToParent::ReloadWanted),
                // A terminal sends SIGINT to everybody; the parent decides what comes of it.
                SIGINT => {}
                number => {
                    if let Some(dump) = Dump::asked_by(number) {
                        return Ok(Some(Order::Dump(dump)));
                    }
                }
            }
        }
    }

    /// The next order of the parent; `None`: there are no more. When the parent is gone it is one to stop, the last one.
    pub(crate) fn next_of_parent(
        &mut self,
        line: &Line,
        events: &EventLoop,
    ) -> Result<Option<Order>> {
        if self.orphaned {
            return Ok(None);
        }
        Ok(match line.hear()? {
            Heard::Nothing => None,
            Heard::Gone => {
                line.hang_up(events)?;
                self.orphaned = true;
                Some(Order::Stop)
            }
            Heard::Order(order) => Some(order),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use super::*;
    use crate::messages::ToChild;

    #[test]
    fn a_parent_that_is_gone_means_stop_once() {
        let (near, far) = Channel::pair().unwrap();
        let events = EventLoop::new().unwrap();
        events.add(&near, 0).unwrap();
        let line = Line::new(near);
        let mut orders = Orders::new(SignalSet::block_and_listen(&[]).unwrap());
        assert!(orders.next_of_parent(&line, &events).unwrap().is_none());
        let mut far = File::from(far);
        for message in [ToChild::Dump(Dump::Json), ToChild::Stop] {
            let bytes = postcard::to_allocvec(&message).unwrap();
            far.write_all(&bytes).unwrap();
        }
        drop(far);
        let mut next = || orders.next_of_parent(&line, &events).unwrap();
        assert!(matches!(next(), Some(Order::Dump(Dump::Json))));
        assert!(matches!(next(), Some(Order::Stop)));
        assert!(matches!(next(), Some(Order::Stop)), "it is gone");
        assert!(next().is_none());
    }
}
