//! Which addresses take no packets: those that a master holds for forwarding only (RFC 9568 section 6.1, Accept_Mode).
//!
//! Blocked is a multiset, as what is held is: a reload claims for the new settings before it lets go of the old ones, so an
//! address that stays blocked is never touched. The host filters by address alone, so an address that one instance blocks
//! is blocked for whoever else holds it; a link-local address is another one on each interface.

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use types::IfName;

use crate::action::Action;
use crate::instance::{Instance, Shared};
use crate::settings::{Few, InstanceSettings, VirtualAddress};
use crate::vrrp::Vrrp;

/// An address that takes and sends no packets but those of neighbour discovery.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blocked {
    /// The address.
    pub address: IpAddr,
    /// Where it is; `None` for all but link-local ones, which are blocked wherever they are.
    pub interface: Option<IfName>,
}

impl Blocked {
    /// What is blocked when this address is.
    #[must_use]
    pub fn of(address: &VirtualAddress) -> Self {
        let on = address.prefix.address();
        let link_local = match on {
            IpAddr::V4(_) => false,
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        Self {
            address: on,
            interface: link_local.then_some(address.interface),
        }
    }
}

/// Everything that is blocked, and how many instances want it.
#[derive(Debug, Default)]
pub(crate) struct Firewall {
    claims: BTreeMap<Blocked, u32>,
}

impl Firewall {
    fn claim(&mut self, blocked: &Blocked) -> Option<Action> {
        if let Some(claims) = self.claims.get_mut(blocked) {
            *claims += 1;
            return None;
        }
        self.claims.insert(blocked.clone(), 1);
        Some(Action::Block(blocked.clone()))
    }

    fn release(&mut self, blocked: Blocked) -> Option<Action> {
        let claims = self.claims.get_mut(&blocked)?;
        *claims -= 1;
        if *claims > 0 {
            return None;
        }
        self.claims.remove(&blocked);
        Some(Action::Unblock(blocked))
    }
}

impl InstanceSettings {
    /// Whether its addresses take no packets while it holds them: somebody else owns them, and it does not stand in
    /// (`no_accept`).
    pub const fn blocks(&self) -> bool {
        !self.accept && !self.is_owner()
    }
}

impl Instance {
    /// Blocks its addresses, if its settings say so. Comes before the addresses themselves, so that there is no moment in
    /// which they answer.
    pub(crate) fn block_addresses(&mut self, shared: &mut Shared) {
        if !self.settings.blocks() {
            return;
        }
        let wanted: Few<Blocked> = self
            .addresses()
            .map(|address| Blocked::of(address))
            .collect();
        for blocked in wanted.iter() {
            if let Some(action) = shared.firewall.claim(blocked) {
                shared.act(action);
            }
        }
        self.blocked = wanted;
    }

    /// Lets go of what was blocked before; the addresses are gone by now, or take packets again.
    pub(crate) fn unblock_addresses(
        blocked: impl IntoIterator<Item = Blocked>,
        shared: &mut Shared,
    ) {
        for blocked in blocked {
            if let Some(action) = shared.firewall.release(blocked) {
                shared.act(action);
            }
        }
    }
}

impl Vrrp {
    /// Every address that takes no packets now.
    pub fn blocked(&self) -> impl Iterator<Item = &Blocked> {
        self.shared.firewall.claims.keys()
    }
}

#[cfg(test)]
mod tests;
