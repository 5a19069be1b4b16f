//! What the LVS core is told: the resolved configuration, with every default applied.
//!
//! `config` builds these from the text of `keepalived.conf`. Field names are keepalived's keywords where there is one.

use serde::{Deserialize, Serialize};

pub mod global;

/// Everything the core is told at start and at every reload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What concerns all virtual servers together.
    pub global: global::GlobalSettings,
}
