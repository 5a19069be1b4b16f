//! Lines on standard error that never hold up the loop that writes them.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The kernel takes so many bytes into a pipe without waiting once it says that there is room (POSIX `PIPE_BUF`).
const MOST: usize = 4096;

/// Lines that were not written because nobody read the earlier ones.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Writes a line to standard error if there is room for it, and drops it if there is not: a pipe that nobody reads must
/// not stop a router. The rest of an overlong line is cut.
pub fn write_line(line: &str) {
    let stderr = rustix::stdio::stderr();
    let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let room = poll(&mut ready, Some(&now)).is_ok_and(|count| count > 0);
    let text = line.as_bytes();
    let mut bytes = Vec::with_capacity(text.len() + 1);
    bytes.extend_from_slice(text.get(..MOST - 1).unwrap_or(text));
    bytes.push(b'\n');
    if !room || rustix::io::write(stderr, &bytes).is_err() {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// How many lines were dropped so far.
#[must_use]
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Whether standard error is a terminal.
#[must_use]
pub fn is_terminal() -> bool {
    io::IsTerminal::is_terminal(&io::stderr())
}
