//! What the core wants done.

use alloc::boxed::Box;
use alloc::string::String;

use wire::bfd::LENGTH;

use crate::event::Event;
use crate::record::Record;

/// A session, for as long as it exists; a reload that keeps the session keeps the number, and none is given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u32);

/// Who goes by the state of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consumer {
    /// `track_bfd` of instances and groups.
    Vrrp,
    /// `BFD_CHECK` of real servers.
    Checker,
}

/// Something to be done, in the order in which it is polled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Make the socket that a session sends from, by its settings, instead of the one that it may have. What came of it is told by
    /// [`handle_socket`](crate::Bfd::handle_socket).
    Open(SessionId),
    /// Close it: the session is gone, and so is its number.
    Close(SessionId),
    /// Send these bytes to the neighbour. What came of it is told by [`handle_sent`](crate::Bfd::handle_sent).
    Send(SessionId, [u8; LENGTH]),
    /// Tell somebody the state of a session, whether it is news or not.
    Tell {
        /// Whom.
        to: Consumer,
        /// The name of the session.
        name: String,
        /// It is up.
        up: bool,
    },
    /// Keep this for a successor of this process, should it die ([`handle_predecessor`](crate::Bfd::handle_predecessor)): what there is
    /// to know of the session of this name now; `None`: nothing.
    Remember(String, Option<Box<Record>>),
    /// Log.
    Log(Event),
}
