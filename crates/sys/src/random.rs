//! Numbers that nobody can guess.

use std::fs::File;
use std::io::Read as _;

use crate::Error;

/// A number from the kernel's source, another one each time.
///
/// # Errors
/// When there is no source (`/dev` is not what it should be).
pub fn number() -> Result<u64, Error> {
    let name = "/dev/urandom";
    let mut source = File::open(name).map_err(Error::object("open", &name))?;
    let mut bytes = [0; 8];
    source
        .read_exact(&mut bytes)
        .map_err(Error::system("read random bytes"))?;
    Ok(u64::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_differ() {
        assert_ne!(number().unwrap(), number().unwrap());
    }
}
