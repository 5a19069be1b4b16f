//! The schedule of gratuitous ARPs: instance over `global_defs` over keepalived's defaults.

use vrrp::settings::GarpSettings;

use crate::draft::Defaults;

/// The limit of `garp_lower_prio_repeat`, below that of `garp_master_repeat`.
const MOST_LOWER_PRIO_REPEATS: u32 = 2_147_483_647;

/// The schedule of an instance that says nothing about it.
pub(super) fn global(defaults: &Defaults) -> GarpSettings {
    let mut base = GarpSettings::default();
    if defaults.min_garp {
        // DEVIATION(keepalived): there `vrrp_min_garp` only reaches what stands before it.
        base.master_repeat = 1;
        base.master_delay = 0;
    }
    let mut garp = defaults.garp.over(&base);
    // The blocks after a lower-priority advert are like those after becoming master.
    garp.lower_prio_delay = defaults.garp.lower_prio_delay.unwrap_or(garp.master_delay);
    garp.lower_prio_repeat = defaults
        .garp
        .lower_prio_repeat
        .unwrap_or(garp.master_repeat.min(MOST_LOWER_PRIO_REPEATS));
    garp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_prio_follows_master() {
        let mut defaults = Defaults::default();
        assert_eq!(global(&defaults), GarpSettings::default());
        defaults.garp.master_delay = Some(2);
        defaults.garp.master_repeat = Some(3);
        let garp = global(&defaults);
        assert_eq!((garp.lower_prio_delay, garp.lower_prio_repeat), (2, 3));
        defaults.garp.lower_prio_repeat = Some(0);
        assert_eq!(global(&defaults).lower_prio_repeat, 0);
    }

    #[test]
    fn min_garp_leaves_what_was_said() {
        let mut defaults = Defaults {
            min_garp: true,
            ..Defaults::default()
        };
        assert_eq!(
            (
                global(&defaults).master_delay,
                global(&defaults).master_repeat
            ),
            (0, 1)
        );
        defaults.garp.master_repeat = Some(7);
        assert_eq!(
            (
                global(&defaults).master_repeat,
                global(&defaults).lower_prio_repeat
            ),
            (7, 7)
        );
    }
}
