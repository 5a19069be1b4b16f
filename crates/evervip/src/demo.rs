//! placeholder
use crate::exit::Exit;
use std::ffi::OsString;
pub(crate) fn run(_words: &[OsString]) -> Exit {
    Exit::Fatal
}
