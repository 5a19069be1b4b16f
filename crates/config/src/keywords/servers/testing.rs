//! What texts about servers lead to.

use lvs::settings::{RealServer, VirtualServer};

use crate::testing::Fake;
use crate::{Class, Settings};

pub(crate) const GENERAL: &[Class] = &[Class::General];
pub(crate) const NUMBER: &[Class] = &[Class::InvalidNumber];
pub(crate) const MISSING: &[Class] = &[Class::MissingParameter];
pub(crate) const LOGGED: &[Class] = &[Class::Uncounted];

/// The settings, and the classes of what is reported; not that something is not acted on yet.
pub(crate) fn load(text: &str) -> (Option<Settings>, Vec<Class>) {
    let loaded = Fake::default().load(format!(
        "global_defs {{\n enable_script_security\n script_user root\n}}\n{text}"
    ));
    let classes = loaded.diagnostics.iter().map(|d| d.class);
    let classes = classes.filter(|class| *class != Class::Pending).collect();
    (loaded.settings, classes)
}

/// A service with further lines, in front of its two real servers.
pub(crate) fn service(lines: &str) -> String {
    format!(
        "virtual_server 192.0.2.1 80 {{\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n {lines}\n real_server 10.0.0.1 80 {{\n}}\n real_server 10.0.0.2 80 {{\n}}\n}}\n"
    )
}

/// Each line in a service, what `show` says of it, and the classes of what is reported.
pub(crate) fn services(show: fn(&VirtualServer) -> String, rows: &[(&str, &str, &[Class])]) {
    for (lines, expected, classes) in rows {
        let (settings, said) = load(&service(lines));
        let shown = settings.map_or("fatal".to_owned(), |settings| {
            let first = settings.lvs.virtual_servers.first();
            first.map_or("left out".to_owned(), show)
        });
        assert_eq!(shown, *expected, "{lines}");
        assert_eq!(said, *classes, "{lines}");
    }
}

/// The same for lines in the second of three real servers.
pub(crate) fn reals(
    show: fn(&RealServer, &VirtualServer) -> String,
    rows: &[(&str, &str, &[Class])],
) {
    for (lines, expected, classes) in rows {
        let text = service(&format!("real_server 10.0.0.9 80 {{\n {lines}\n}}"));
        let (settings, said) = load(&text);
        let shown = settings.map_or("fatal".to_owned(), |settings| {
            let service = &settings.lvs.virtual_servers[0];
            let ours = "10.0.0.9".parse::<std::net::IpAddr>().unwrap();
            let mut reals = service.real_servers.iter();
            let real = reals.find(|real| real.address == ours);
            real.map_or("left out".to_owned(), |real| show(real, service))
        });
        assert_eq!(shown, *expected, "{lines}");
        assert_eq!(said, *classes, "{lines}");
    }
}
