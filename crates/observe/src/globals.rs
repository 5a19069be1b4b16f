//! The section `Global definitions` of a dump: `global_defs`, with every default applied.
//!
//! What only instances of VRRP go by is not here: it is resolved into them, and `keepalived.data` shows it with each.

use std::fmt::{Arguments, Write as _};

use config::settings::Command;
use config::settings::global::{
    AdvertBufferPolicy, AutoPriority, Buffers, BusyFile, Fifo, Fifos, Files, Global, IpvsNamespace,
    Mail, Process, Reload, Scripts, Snmp,
};
use lvs::settings::global::{FlushOnStop, GlobalSettings, SyncDaemon};

use crate::page::Page;

/// A command and whom it runs as: each word in single quotes, the program as it is found.
pub(crate) fn command(command: &Command) -> String {
    let mut text = String::new();
    let params = || {
        let words = command.argv.iter().map(|word| format!("'{word}'"));
        words.collect::<Vec<_>>().join(" ")
    };
    // What is run and what it is called may differ: symbolic links were followed.
    let by_name = command.argv.first() == Some(&command.path);
    text += &if by_name {
        params()
    } else {
        format!("{}, params = {}", command.path, params())
    };
    let user = &command.user;
    text += &format!(", uid:gid {}:{}", user.uid, user.gid);
    text
}

const fn able(is: bool) -> &'static str {
    if is { "enabled" } else { "disabled" }
}

const fn alert(setting: Option<bool>) -> &'static str {
    match setting {
        None => "unset",
        Some(true) => "on",
        Some(false) => "off",
    }
}

/// The whole section. `host_name` is the router's name if it has no other.
pub(crate) fn globals(page: &mut Page, global: &Global, lvs: &GlobalSettings, host_name: &str) {
    page.section("Global definitions");
    let mut section = Section(page);
    section.names(global, host_name);
    section.mail(&global.mail);
    section.say("Checkers log all failures", lvs.log_all_failures);
    section.around_reloads(&global.reload, &global.files);
    section.scripts(&global.scripts);
    section.say("Dynamic interfaces", global.dynamic_interfaces);
    if global.allow_if_changes {
        section.say("Allow interface changes", true);
    }
    if global.mail.no_faults {
        section.say("Send emails for fault transitions", "off");
    }
    section.ipvs(lvs);
    let igmp = if global.disable_local_igmp {
        "yes"
    } else {
        "no"
    };
    section.say("Disable local IGMP", igmp);
    if let Some(daemon) = &lvs.sync_daemon {
        section.sync_daemon(daemon);
    }
    section.say("LVS flush", lvs.flush);
    let on_stop = match lvs.flush_on_stop {
        FlushOnStop::No => "disabled",
        FlushOnStop::Everything => "full",
        FlushOnStop::VirtualServers => "VS",
    };
    section.say("LVS flush on stop", on_stop);
    section.fifos(&global.fifos);
    if let Some(table) = &lvs.nftables.table {
        section.say("ipvs nftables table name", table);
        section.say("ipvs nftables base chain priority", lvs.nftables.priority);
        section.say("ipvs nftables start fwmark", lvs.nftables.start_fwmark);
    }
    let with = if global.firewall.nftables_counters {
        "with"
    } else {
        "without"
    };
    section.line(format_args!("nftables {with} counters"));
    section.processes(global);
    section.snmp(&global.snmp);
    section.line(format_args!("DBus {}", able(global.dbus.enabled)));
    section.say("DBus service name", &global.dbus.service_name);
    if let Some(name) = &global.dbus.no_interface_name {
        section.say("DBus no interface name", name);
    }
    section.line(format_args!(
        "Script security {}",
        able(global.enable_script_security)
    ));
    section.buffers(&global.buffers);
    section.say("rs_init_notifies", u8::from(lvs.rs_init_notifies));
    section.say("no_checker_emails", u8::from(global.mail.no_checkers));
    section.advert_buffers(&global.buffers);
    section.line(format_args!("umask = {:04o}", global.umask));
    if global.log_unknown_vrids {
        section.say("log_unknown_vrids", true);
    }
    section.line(format_args!("json_version {}", global.json_version));
    section.files(&global.files);
}

/// The section, as far as it is written.
struct Section<'a>(&'a mut Page);

impl Section<'_> {
    fn line(&mut self, text: Arguments<'_>) {
        self.0.object(text);
    }

    fn say(&mut self, label: &str, value: impl std::fmt::Display) {
        self.line(format_args!("{label} = {value}"));
    }

    fn say_if(&mut self, label: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.say(label, value);
        }
    }

    fn names(&mut self, global: &Global, host_name: &str) {
        self.say_if("Config save dir", global.files.config_save_dir.as_ref());
        let namespaces = &global.namespaces;
        let network = namespaces.network.as_deref();
        self.say("Network namespace", network.unwrap_or("(default)"));
        let ipvs = match &namespaces.ipvs {
            IpvsNamespace::SameAsDaemon => "(main namespace)",
            IpvsNamespace::Initial => "(default)",
            IpvsNamespace::Named(name) => name,
        };
        self.say("Network namespace ipvs", ipvs);
        self.say_if("Instance name", global.instance.as_ref());
        let processes = &global.processes;
        self.say_if("Parent process name", processes.parent_name.as_ref());
        for (who, process) in [
            ("VRRP", &processes.vrrp),
            ("LVS", &processes.checker),
            ("BFD", &processes.bfd),
        ] {
            self.say_if(&format!("{who} process name"), process.name.as_ref());
        }
        let what = if global.scripts.use_symlink_paths {
            "Keep"
        } else {
            "Replace"
        };
        self.line(format_args!("{what} symlinks in script paths"));
        let router = global.router_id.as_deref();
        self.say("Router ID", router.unwrap_or(host_name));
    }

    fn mail(&mut self, mail: &Mail) {
        if let Some(server) = &mail.server {
            self.say("Smtp server", server.address.ip());
            self.say("Smtp server port", server.address.port());
            self.say_if("Smtp HELO name", mail.helo_name.as_ref());
            let patience = mail.connect_timeout.as_secs();
            self.say("Smtp server connection timeout", patience);
            self.say_if("Email notification from", mail.from.as_ref());
        }
        if !mail.to.is_empty() {
            self.line(format_args!("Email notification to:"));
        }
        for address in &mail.to {
            self.0.field(format_args!("{address}"));
        }
        self.say("Default smtp_alert", alert(mail.alert));
        self.say("Default smtp_alert_vrrp", alert(mail.alert_vrrp));
        self.say("Default smtp_alert_checker", alert(mail.alert_checker));
    }

    fn around_reloads(&mut self, reload: &Reload, files: &Files) {
        match &reload.check_config {
            Some(file) => self.line(format_args!("Test config before reload, log to {file}")),
            None => self.line(format_args!("No test config before reload")),
        }
        self.say_if("Reload time file", reload.time_file.as_ref());
        match &reload.busy_file {
            Some(BusyFile::At(path)) => self.say("Reload_file", path),
            Some(BusyFile::BesidePidFiles) => self.say("Reload_file", "keepalived.reload"),
            None => {}
        }
        if files.dumps_carry_instance {
            self.line(format_args!("Use instance name in data dumps"));
        }
    }

    fn scripts(&mut self, scripts: &Scripts) {
        for (label, script) in [
            ("Startup script", &scripts.startup),
            ("Shutdown script", &scripts.shutdown),
        ] {
            if let Some(script) = script {
                let (text, patience) = (command(&script.command), script.timeout.as_secs());
                self.line(format_args!("{label} = {text}, timeout {patience}"));
            }
        }
    }

    fn ipvs(&mut self, lvs: &GlobalSettings) {
        let timeouts = &lvs.timeouts;
        for (label, timeout) in [
            ("LVS TCP timeout", timeouts.tcp),
            ("LVS TCP FIN timeout", timeouts.tcpfin),
            // It is UDP's, and keepalived calls it so. Who reads the lines in their order may rely on it.
            ("LVS TCP timeout", timeouts.udp),
        ] {
            self.say_if(label, timeout.map(|timeout| timeout.as_secs()));
        }
    }

    fn sync_daemon(&mut self, daemon: &SyncDaemon) {
        self.say_if("LVS syncd vrrp instance", daemon.instance.as_ref());
        self.say("LVS syncd interface", daemon.interface);
        self.say("LVS syncd syncid", daemon.id);
        self.say_if("LVS syncd maxlen", daemon.maxlen);
        if let Some(group) = daemon.group {
            self.line(format_args!("LVS mcast group {group}"));
        }
        self.say_if("LVS syncd mcast port", daemon.port);
        self.say_if("LVS syncd mcast ttl", daemon.ttl);
    }

    fn fifos(&mut self, fifos: &Fifos) {
        for (who, fifo) in [
            ("Global", &fifos.all),
            ("VRRP", &fifos.vrrp),
            ("LVS", &fifos.lvs),
        ] {
            if let Some(fifo) = fifo {
                self.fifo(who, fifo);
            }
        }
        let again = fifos.vrrp_states_on_reload;
        self.say("FIFO write vrrp states on reload", again);
    }

    fn fifo(&mut self, who: &str, fifo: &Fifo) {
        let mut text = fifo.path.clone();
        if let Some(owner) = &fifo.owner {
            text += &format!(", uid:gid {}:{}", owner.uid, owner.gid);
        }
        self.say(&format!("{who} notify fifo"), text);
        let script = fifo.reader.as_ref().map(command);
        self.say_if(&format!("{who} notify fifo script"), script);
    }

    fn processes(&mut self, global: &Global) {
        let processes = &global.processes;
        let most = match processes.max_auto_priority {
            AutoPriority::Off => 0,
            AutoPriority::OffAndQuiet => -1,
            AutoPriority::UpTo(priority) => i16::from(priority),
        };
        self.say("Max auto priority", most);
        let delay = processes.min_auto_priority_delay.as_micros();
        self.line(format_args!("Min auto priority delay = {delay} usecs"));
        for (who, process) in [
            ("VRRP", &processes.vrrp),
            ("Checker", &processes.checker),
            ("BFD", &processes.bfd),
        ] {
            self.process(who, process);
        }
    }

    fn process(&mut self, who: &str, process: &Process) {
        self.line(format_args!("{who} process priority = {}", process.nice));
        self.line(format_args!("{who} don't swap = {}", process.no_swap));
        let realtime = process.realtime.unwrap_or(0);
        self.line(format_args!("{who} realtime priority = {realtime}"));
        if !process.cpus.is_empty() {
            let mut cpus = String::new();
            for cpu in &process.cpus {
                // Writing to a string cannot fail.
                if write!(cpus, " {cpu}").is_err() {
                    break;
                }
            }
            self.line(format_args!("{who} CPU Affinity ={cpus}"));
        }
        if let Some(limit) = process.rttime_limit {
            self.line(format_args!("{who} realtime limit = {}", limit.as_micros()));
        }
    }

    fn snmp(&mut self, snmp: &Snmp) {
        for (what, is) in [
            ("vrrp", snmp.vrrp),
            ("checker", snmp.checker),
            ("RFCv2", snmp.rfc2787),
            ("RFCv3", snmp.rfc6527),
            ("traps", snmp.traps),
        ] {
            self.line(format_args!("SNMP {what} {}", able(is)));
        }
        let socket = snmp.socket.as_deref();
        self.say(
            "SNMP socket",
            socket.unwrap_or("default (unix:/var/agentx/master)"),
        );
        for (who, interval) in [
            ("VS", snmp.virtual_server_interval),
            ("RS", snmp.real_server_interval),
        ] {
            let seconds = interval.as_secs_f64();
            self.line(format_args!(
                "SNMP {who} stats update interval = {seconds:.6}"
            ));
        }
    }

    fn buffers(&mut self, buffers: &Buffers) {
        for (name, buffer) in [
            ("vrrp_netlink_cmd_rcv_bufs", buffers.vrrp_netlink_cmd),
            (
                "vrrp_netlink_monitor_rcv_bufs",
                buffers.vrrp_netlink_monitor,
            ),
            ("process_monitor_rcv_bufs", buffers.process_monitor),
            ("lvs_netlink_cmd_rcv_bufs", buffers.lvs_netlink_cmd),
            ("lvs_netlink_monitor_rcv_bufs", buffers.lvs_netlink_monitor),
        ] {
            self.say(name, buffer.size);
            self.line(format_args!("{name}_force = {}", u8::from(buffer.force)));
        }
    }

    fn advert_buffers(&mut self, buffers: &Buffers) {
        match buffers.adverts.policy {
            AdvertBufferPolicy::System => {}
            AdvertBufferPolicy::Mtu => self.say("rx_bufs_policy", "MTU"),
            AdvertBufferPolicy::Advert => self.say("rx_bufs_policy", "ADVERT"),
            AdvertBufferPolicy::Bytes(size) => self.say("rx_bufs_size", size),
        }
        self.say("rx_bufs_multiples", buffers.adverts.multiplier);
    }

    fn files(&mut self, files: &Files) {
        for (label, file) in [
            ("iproute usr directory", &files.iproute_usr_dir),
            ("iproute etc directory", &files.iproute_etc_dir),
        ] {
            if let Some(file) = file {
                self.line(format_args!("{label} {file}"));
            }
        }
        for (label, file) in [
            ("state dump file", &files.state_dump),
            ("stats dump file", &files.stats_dump),
            ("json dump file", &files.json_dump),
        ] {
            self.say_if(label, file.as_ref());
        }
    }
}
