//! Socket options that no library of ours offers, and buffer sizes with their fallback.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use rustix::net::sockopt;

use crate::Error;

/// Sets an option whose value is a C `int`. `what` is read after "cannot".
///
/// # Errors
/// When the kernel refuses.
pub(crate) fn set_int(
    socket: &impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
    what: &'static str,
) -> Result<(), Error> {
    const LENGTH: libc::socklen_t = 4;
    // SAFETY: the descriptor is open for as long as it is borrowed; the pointer is to an `int` that lives
    // through the call, and the length is that of an `int`. The kernel only reads it.
    let done = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            (&raw const value).cast::<libc::c_void>(),
            LENGTH,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(Error::system(what)(io::Error::last_os_error()))
    }
}

/// Asks for a receive buffer of `bytes`: beyond the system's limit if we are privileged, else as much of
/// it as the limit allows (the kernel cuts without complaint).
///
/// # Errors
/// When the kernel refuses even that.
pub(crate) fn set_receive_buffer(socket: &impl AsFd, bytes: usize) -> Result<(), Error> {
    sockopt::set_socket_recv_buffer_size_force(socket, bytes)
        .or_else(|_unprivileged| sockopt::set_socket_recv_buffer_size(socket, bytes))
        .map_err(Error::system("set the size of a receive buffer"))
}

/// Asks for a receive buffer of `wanted` bytes, as an operator does, but never for less than the `least` that we would have
/// without a word: beyond the system's limit (`net.core.rmem_max`) with `force` only.
///
/// # Errors
/// When the kernel refuses even the smaller size.
pub(crate) fn enlarge_receive_buffer(
    socket: &impl AsFd,
    least: usize,
    wanted: usize,
    force: bool,
) -> Result<(), Error> {
    let what = "set the size of a receive buffer";
    if wanted <= least || force {
        return set_receive_buffer(socket, wanted.max(least));
    }
    sockopt::set_socket_recv_buffer_size(socket, wanted).map_err(Error::system(what))?;
    // The kernel has cut it to the limit, and tells twice the number.
    let got = sockopt::socket_recv_buffer_size(socket).map_err(Error::system(what))? / 2;
    if got < least {
        set_receive_buffer(socket, least)?;
    }
    Ok(())
}

/// The same for the send buffer.
///
/// # Errors
/// When the kernel refuses even the smaller size.
pub(crate) fn set_send_buffer(socket: &impl AsFd, bytes: usize) -> Result<(), Error> {
    sockopt::set_socket_send_buffer_size_force(socket, bytes)
        .or_else(|_unprivileged| sockopt::set_socket_send_buffer_size(socket, bytes))
        .map_err(Error::system("set the size of a send buffer"))
}
