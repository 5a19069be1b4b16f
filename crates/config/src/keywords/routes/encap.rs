//! `encap`: what the packets of a route are wrapped in.
//!
//! keepalived keeps a route whose tunnel has a mistake, without the tunnel or with half of it. Its packets would go
//! where nobody wants them, so such a route is dropped here; the report is the same.

use std::net::IpAddr;

use types::Family;
use vrrp::settings::routes::{Encap, IpEncap};

use crate::keywords::entry::{Dropped, Entry};
use crate::names::{Kind, c_number};

/// The greatest MPLS label (RFC 3032 section 2.1: 20 bits).
const GREATEST_LABEL: u64 = 0xf_ffff;
/// The most labels of a stack; keepalived's limit.
const MOST_LABELS: usize = 16;
/// The types, for "did you mean".
const TYPES: [&str; 4] = ["ip", "ip6", "mpls", "ila"];

/// Reads what stands behind `encap`.
pub(super) fn read(entry: &mut Entry<'_, '_, '_>) -> Result<Encap, Dropped> {
    match entry.word() {
        Some("ip") => {
            let header = header(entry, "tos", "ttl", |address| match address {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            })?;
            Ok(Encap::Ip(header))
        }
        Some("ip6") => {
            let header = header(entry, "tc", "hoplimit", |address| match address {
                IpAddr::V6(address) => Some(address),
                IpAddr::V4(_) => None,
            })?;
            Ok(Encap::Ip6(header))
        }
        Some("mpls") => mpls(entry),
        Some("ila") => ila(entry),
        Some(other) => {
            let help = match crate::suggest::nearest(other, TYPES.into_iter()) {
                Some(near) => format!("did you mean '{near}'?"),
                None => "ip, ip6, mpls or ila".to_owned(),
            };
            Err(entry.drop_with_help(format!("unknown encap '{other}'"), help))
        }
        None => Err(entry.drop_with_help("'encap' lacks its type", "ip, ip6, mpls or ila")),
    }
}

/// `[id N] [dst A] [src A] [CLASS N] [LIMIT N] [flags N]`, as far as such words follow.
fn header<Address>(
    entry: &mut Entry<'_, '_, '_>,
    class: &str,
    limit: &str,
    of_family: fn(IpAddr) -> Option<Address>,
) -> Result<IpEncap<Address>, Dropped> {
    let mut header = IpEncap::default();
    let known = ["id", "dst", "flags", class, limit];
    loop {
        let position = entry.position();
        let Some(word) = entry.word() else { break };
        // The other words are options of the route too, and are missed as such.
        let own = matches!(word, "id" | "dst" | "tc" | "ttl" | "flags") && known.contains(&word);
        if own && entry.peek().is_none() {
            return Err(entry.drop(format!("'{word}' of an encap lacks its argument")));
        }
        match word {
            "id" => header.id = Some(entry.number("encap id", 0..=u64::MAX)?),
            "dst" => header.destination = Some(address(entry, word, of_family)?),
            "src" => header.source = Some(address(entry, word, of_family)?),
            "flags" => {
                let flags = entry.number("encap flags", 0..=u64::from(u16::MAX))?;
                header.flags = u16::try_from(flags).ok();
            }
            _ if word == class => {
                header.traffic_class = Some(entry.named_byte(class, Kind::TrafficClass)?);
            }
            _ if word == limit => header.hop_limit = Some(entry.byte(limit)?),
            _ => {
                entry.back_to(position);
                break;
            }
        }
    }
    if header.id.is_none() && header.destination.is_none() {
        return Err(entry.drop("an IP encap needs 'id' or 'dst'"));
    }
    Ok(header)
}

fn address<Address>(
    entry: &mut Entry<'_, '_, '_>,
    word: &str,
    of_family: fn(IpAddr) -> Option<Address>,
) -> Result<Address, Dropped> {
    let address = entry.address(word)?;
    of_family(address).ok_or_else(|| {
        let family = Family::of(address);
        entry.drop(format!("'{address}' is {family}, which this encap is not"))
    })
}

fn mpls(entry: &mut Entry<'_, '_, '_>) -> Result<Encap, Dropped> {
    let help = format!("up to {MOST_LABELS} labels from 0 to {GREATEST_LABEL}: A/B/C");
    let Some(text) = entry.word() else {
        return Err(entry.drop_with_help("'encap mpls' lacks its labels", help));
    };
    let label = |text: &str| {
        c_number(text)
            .filter(|label| *label <= GREATEST_LABEL)
            .and_then(|label| u32::try_from(label).ok())
    };
    // One more than allowed is enough to know.
    let labels: Option<Vec<u32>> = text.split('/').take(MOST_LABELS + 1).map(label).collect();
    match labels.filter(|labels| labels.len() <= MOST_LABELS) {
        Some(labels) => Ok(Encap::Mpls(labels)),
        None => Err(entry.drop_with_help(format!("'{text}' is no stack of MPLS labels"), help)),
    }
}

fn ila(entry: &mut Entry<'_, '_, '_>) -> Result<Encap, Dropped> {
    let help = "four groups of up to four hexadecimal digits: A:B:C:D";
    let Some(text) = entry.word() else {
        return Err(entry.drop_with_help("'encap ila' lacks its locator", help));
    };
    let groups: Option<Vec<u64>> = text
        .split(':')
        .take(5)
        .map(|group| {
            let digits = (1..=4).contains(&group.len())
                && group.bytes().all(|byte| byte.is_ascii_hexdigit());
            digits
                .then(|| u64::from_str_radix(group, 16).ok())
                .flatten()
        })
        .collect();
    match groups.filter(|groups| groups.len() == 4) {
        Some(groups) => Ok(Encap::Ila(
            groups
                .iter()
                .fold(0, |locator, group| locator << 16 | group),
        )),
        None => Err(entry.drop_with_help(format!("'{text}' is no ILA locator"), help)),
    }
}
