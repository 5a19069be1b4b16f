//! The resolved configuration written as a configuration again: every default spelled out, one spelling for
//! everything, nothing but what counts.
//!
//! Reading the page on the same machine leads to the same settings. Two files that mean the same have the same page.
//! What several keywords decided together is written where it counts: the defaults of `global_defs` and the effects of
//! strict mode in each instance, the trackers of a group in its members, the times of servers in each check.
//!
//! The structures are taken apart field by field, so that whoever adds a setting is reminded of this place.

mod bfd;
mod checkers;
mod global;
mod lvs;
mod page;
mod routes;
mod tracking;
mod vrrp;

use page::Page;

use crate::settings::Settings;

/// The normal form of a configuration: bytes, for a password need not be UTF-8.
///
/// It holds every secret that the settings hold.
pub fn canonical(settings: &Settings) -> Vec<u8> {
    let mut page = Page::default();
    global::write(&mut page, settings);
    bfd::write(&mut page, settings);
    tracking::write(&mut page, settings);
    routes::write_static(&mut page, &settings.vrrp);
    vrrp::write(&mut page, settings);
    lvs::write(&mut page, settings);
    crate::bytes::encode(&page.finish())
}
