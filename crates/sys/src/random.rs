//! Numbers that nobody can guess.

use std::fs::File;
use std::io::Read as _;

use crate::Error;

/// Random bytes, taken from the kernel some at a time.
#[derive(Debug)]
pub struct Random {
    source: File,
    pool: [u8; 256],
    left: usize,
}

impl Random {
    /// Opens the kernel's source.
    ///
    /// # Errors
    /// When there is none (`/dev` is not what it should be).
    pub fn open() -> Result<Self, Error> {
        let name = "/dev/urandom";
        let source = File::open(name).map_err(Error::object("open", &name))?;
        Ok(Self {
            source,
            pool: [0; 256],
            left: 0,
        })
    }

    /// The next two bytes.
    ///
    /// # Errors
    /// When the kernel gives none; not expected.
    pub fn draw(&mut self) -> Result<u16, Error> {
        if self.left < 2 {
            self.source
                .read_exact(&mut self.pool)
                .map_err(Error::system("read random bytes"))?;
            self.left = self.pool.len();
        }
        self.left -= 2;
        let bytes = self.pool.get(self.left..).and_then(<[u8]>::first_chunk);
        Ok(bytes.map_or(0, |bytes| u16::from_ne_bytes(*bytes)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn they_do_not_repeat_with_the_pool() {
        let mut random = Random::open().unwrap();
        let mut next = || random.draw().unwrap();
        let pools: Vec<Vec<u16>> = (0..4)
            .map(|_| std::iter::repeat_with(&mut next).take(128).collect())
            .collect();
        let different: BTreeSet<_> = pools.iter().collect();
        assert_eq!(different.len(), 4);
        let values: BTreeSet<u16> = pools.into_iter().flatten().collect();
        assert!(values.len() > 400, "{} of 512 differ", values.len());
    }
}
