//! Settings as children get them, and as the parent keeps them for the next child.

use anyhow::{Context as _, Result};
use config::Settings;
use config::settings::Global;

/// A configuration in its compact form: 60 KiB for a thousand instances, of which the value takes more than a megabyte.
pub(super) struct Packed {
    /// What the parent itself goes by.
    pub(super) global: Global,
    /// Whether there is anything for a VRRP process to do.
    pub(super) has_instances: bool,
    /// All of it.
    pub(super) bytes: Vec<u8>,
}

impl Packed {
    pub(super) fn new(settings: Settings) -> Result<Self> {
        Ok(Self {
            has_instances: !settings.vrrp.instances.is_empty(),
            bytes: postcard::to_allocvec(&settings).context("settings for the children")?,
            global: settings.global,
        })
    }

    pub(super) fn unpack(&self) -> Result<Settings> {
        postcard::from_bytes(&self.bytes).context("settings for the children")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let mut settings = Settings::default();
        settings.global.instance = Some("one".to_owned());
        let packed = Packed::new(settings.clone()).unwrap();
        assert!(!packed.has_instances);
        assert_eq!(packed.unpack().unwrap(), settings);
    }
}
