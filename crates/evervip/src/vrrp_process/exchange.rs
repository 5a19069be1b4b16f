//! Exchanges with the kernel that fail as a whole: its answers did not fit into our socket, it had no memory, or they made
//! no sense. Then nobody knows what was done.
//!
//! What we ask for can be asked again: to add what is there, or to remove what is not, is no error. So that comes first.
//! If it does not help, the process ends. Its successor reads everything afresh, removes what nobody wants, adds what is
//! missing, and carries on as master.

use std::fmt::Display;

use log::warn;

/// A shortage of memory passes in no time or not soon; adverts must not wait for it.
const ATTEMPTS: u32 = 3;

/// Repeats an exchange until it comes through, at most [`ATTEMPTS`] times.
///
/// # Errors
/// That of the last attempt.
pub(super) fn persist<T, E: Display>(mut exchange: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    for _ in 1..ATTEMPTS {
        match exchange() {
            Ok(answers) => return Ok(answers),
            Err(problem) => warn!("{problem}: asking again"),
        }
    }
    exchange()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An exchange that fails so many times, and how often it was tried.
    fn after(failures: u32) -> (Result<&'static str, String>, u32) {
        let mut attempts = 0;
        let outcome = persist(|| {
            attempts += 1;
            if attempts > failures {
                Ok("done")
            } else {
                Err(format!("failure {attempts}"))
            }
        });
        (outcome, attempts)
    }

    #[test]
    fn an_exchange_is_repeated_but_not_for_ever() {
        assert_eq!(after(0), (Ok("done"), 1));
        assert_eq!(after(2), (Ok("done"), 3));
        assert_eq!(after(3), (Err(String::from("failure 3")), 3));
    }
}
