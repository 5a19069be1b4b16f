//! The TLS client material of SSL_GET.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `SSL`: what SSL_GET checks use. Files are named as written; they are read when the checks begin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ssl {
    /// `password` of the private key.
    pub password: Option<Password>,
    /// `ca`: the file of trusted authorities.
    pub ca: Option<String>,
    /// `certificate`: our own.
    pub certificate: Option<String>,
    /// `key`: the private key to it.
    pub key: Option<String>,
}

/// A password. It is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password(String);

impl Password {
    /// Takes it.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// Hands it out, for the one who unlocks the key.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    /// Secrets do not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(********)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let ssl = Ssl {
            password: Some(Password::new("hush".into())),
            ..Ssl::default()
        };
        assert!(!format!("{ssl:?}").contains("hush"));
        assert_eq!(ssl.password.unwrap().reveal(), "hush");
    }
}
