//! Settings of the processes: `global_defs` and the keywords that stand beside it.
//!
//! What a protocol core needs of `global_defs` is in that core's own settings.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Command;

/// Settings of the processes; keepalived's defaults where the file says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Global {
    /// `router_id`; `None`: the host name.
    pub router_id: Option<String>,
    /// `instance`: appended to pid file names and syslog idents.
    pub instance: Option<String>,
    /// `use_pid_dir`, or implied by `net_namespace`: pid files go into a directory of their own below the run directory.
    pub use_pid_dir: bool,
    /// `child_wait_time`: how long the parent waits for its children to end before it kills them.
    pub child_wait_time: Duration,
    /// `umask`: permission bits that files are made without.
    pub umask: u32,
    /// `enable_script_security`: a script that somebody but root could change does not run as root.
    pub enable_script_security: bool,
    /// `dynamic_interfaces`: an interface that does not exist yet is waited for.
    pub dynamic_interfaces: bool,
    /// `dynamic_interfaces allow_if_changes`: an interface may also turn into one of another kind.
    pub allow_if_changes: bool,
    /// `default_interface`: where static addresses go that name no interface.
    pub default_interface: String,
    /// `disable_local_igmp`: the kernel reports no membership of groups in 224.0.0.0/24.
    pub disable_local_igmp: bool,
    /// `json_version`: 1 or 2.
    pub json_version: u8,
    /// `log_unknown_vrids`.
    pub log_unknown_vrids: bool,
    /// Names of generated VMAC interfaces.
    pub vmac_names: VmacNames,
    /// How the processes run.
    pub processes: Processes,
    /// In which network namespaces.
    pub namespaces: Namespaces,
    /// Scripts around the life of the daemon.
    pub scripts: Scripts,
    /// Alerts by mail.
    pub mail: Mail,
    /// Where changes of state are written to.
    pub fifos: Fifos,
    /// The AgentX subagent.
    pub snmp: Snmp,
    /// The D-Bus service.
    pub dbus: Dbus,
    /// How packets to addresses without `accept` are dropped.
    pub firewall: Firewall,
    /// Receive buffers of sockets.
    pub buffers: Buffers,
    /// What happens around a reload.
    pub reload: Reload,
    /// Where files are.
    pub files: Files,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            router_id: None,
            instance: None,
            use_pid_dir: false,
            child_wait_time: Duration::from_secs(5),
            umask: 0o177,
            enable_script_security: false,
            dynamic_interfaces: false,
            allow_if_changes: false,
            default_interface: "eth0".to_owned(),
            disable_local_igmp: false,
            json_version: 1,
            log_unknown_vrids: false,
            vmac_names: VmacNames::default(),
            processes: Processes::default(),
            namespaces: Namespaces::default(),
            scripts: Scripts::default(),
            mail: Mail::default(),
            fifos: Fifos::default(),
            snmp: Snmp::default(),
            dbus: Dbus::default(),
            firewall: Firewall::default(),
            buffers: Buffers::default(),
            reload: Reload::default(),
            files: Files::default(),
        }
    }
}

/// What the names of generated interfaces begin with; the kernel cuts a name at 15 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmacNames {
    /// `vmac_prefix`: those of instances.
    pub instances: String,
    /// `vmac_addr_prefix`: those of addresses on other interfaces; the same as `instances` when not given.
    pub addresses: String,
}

impl Default for VmacNames {
    fn default() -> Self {
        Self {
            instances: "vrrp".to_owned(),
            addresses: "vrrp".to_owned(),
        }
    }
}

/// How the processes run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processes {
    /// `process_name`: the parent's task name; `None`: the name it was called by.
    pub parent_name: Option<String>,
    /// The VRRP child.
    pub vrrp: Process,
    /// The checker child.
    pub checker: Process,
    /// The BFD child.
    pub bfd: Process,
    /// `max_auto_priority`: how far a process that is scheduled late may raise itself.
    pub max_auto_priority: AutoPriority,
    /// `min_auto_priority_delay`: how late it must have been for that; 1 µs to 10 s.
    pub min_auto_priority_delay: Duration,
}

impl Default for Processes {
    fn default() -> Self {
        Self {
            parent_name: None,
            vrrp: Process::default(),
            checker: Process::default(),
            bfd: Process::default(),
            max_auto_priority: AutoPriority::Off,
            min_auto_priority_delay: Duration::from_secs(1),
        }
    }
}

/// How a child runs (`vrrp_priority`, `checker_priority`, `bfd_priority`, and their kin).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its task name, 15 bytes at most; `None`: the parent's program name.
    pub name: Option<String>,
    /// Its nice value, -20 to 19.
    pub nice: i8,
    /// Its memory is locked.
    pub no_swap: bool,
    /// Its priority under SCHED_RR, 1 to 99; `None`: it runs under the ordinary scheduler.
    pub realtime: Option<u8>,
    /// The CPUs it may run on, in ascending order; empty: all.
    pub cpus: Vec<u16>,
    /// How long it may run without a system call under SCHED_RR (RLIMIT_RTTIME), at least 2 µs; `None`: the limit is
    /// not touched.
    pub rttime_limit: Option<Duration>,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            name: None,
            nice: 0,
            no_swap: false,
            realtime: None,
            cpus: Vec::new(),
            rttime_limit: Some(Duration::from_millis(10)),
        }
    }
}

/// Whether a process that is scheduled late raises its real-time priority (`max_auto_priority`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AutoPriority {
    /// It does not, and says when it would have helped.
    #[default]
    Off,
    /// It does not, and says nothing.
    OffAndQuiet,
    /// Step by step, up to this SCHED_RR priority; 1 to 99.
    UpTo(u8),
}

/// Network namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    /// `net_namespace`: where the daemon runs; `None`: where it was started.
    pub network: Option<String>,
    /// `net_namespace_ipvs`: where IPVS is programmed.
    pub ipvs: IpvsNamespace,
    /// `namespace_with_ipsets`: ipsets may be used within a namespace, although kernels before 3.13 share them.
    pub with_ipsets: bool,
}

/// Where IPVS is programmed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpvsNamespace {
    /// Where the daemon runs.
    #[default]
    SameAsDaemon,
    /// Where the daemon was started, whatever `net_namespace` says.
    Initial,
    /// In the one of this name.
    Named(String),
}

/// Scripts around the life of the daemon, run by the parent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scripts {
    /// `use_symlink_paths`: all scripts run by the path as written; otherwise symbolic links in it are followed.
    pub use_symlink_paths: bool,
    /// `startup_script`: run once, before the children start.
    pub startup: Option<TimedCommand>,
    /// `shutdown_script`: run once, when the children have ended.
    pub shutdown: Option<TimedCommand>,
}

/// A command that must end in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimedCommand {
    /// What to run.
    pub command: Command,
    /// When to kill it; 1 s to 1000 s.
    pub timeout: Duration,
}

/// Alerts by mail. Nothing is sent without a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// `smtp_server`.
    pub server: Option<MailServer>,
    /// `smtp_helo_name`; `None`: the host name.
    pub helo_name: Option<String>,
    /// `smtp_connect_timeout`: how long a connection may take to come about; 1 s to 4294 s.
    pub connect_timeout: Duration,
    /// `notification_email_from`, as it stands in a header (RFC 5322 3.4); `None`: the daemon's user at the host name.
    pub from: Option<String>,
    /// `notification_email`, as they stand in a header.
    pub to: Vec<String>,
    /// `smtp_alert`: what holds where nothing more specific does.
    pub alert: Option<bool>,
    /// `smtp_alert_vrrp`: what holds for instances and sync groups.
    pub alert_vrrp: Option<bool>,
    /// `smtp_alert_checker`: what holds for virtual and real servers.
    pub alert_checker: Option<bool>,
    /// `no_email_faults`: no mail says that an instance has a fault.
    pub no_faults: bool,
    /// `no_checker_emails`: only the state of a whole real server is worth a mail, not that of one checker.
    pub no_checkers: bool,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            server: None,
            helo_name: None,
            connect_timeout: Duration::from_secs(30),
            from: None,
            to: Vec::new(),
            alert: None,
            alert_vrrp: None,
            alert_checker: None,
            no_faults: false,
            no_checkers: false,
        }
    }
}

/// A mail relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailServer {
    /// As the file names it: an address or a host name.
    pub host: String,
    /// Where it was when the file was read.
    pub address: SocketAddr,
}

/// FIFOs that changes of state are written to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fifos {
    /// `notify_fifo`: everything.
    pub all: Option<Fifo>,
    /// `vrrp_notify_fifo`: what concerns instances and sync groups.
    pub vrrp: Option<Fifo>,
    /// `lvs_notify_fifo`: what concerns virtual and real servers.
    pub lvs: Option<Fifo>,
    /// `fifo_write_vrrp_states_on_reload`: a reload writes the state of every instance once more.
    pub vrrp_states_on_reload: bool,
}

/// A FIFO and its reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fifo {
    /// Where it is.
    pub path: String,
    /// Whom it belongs to; `None`: the daemon.
    pub owner: Option<Owner>,
    /// `..._fifo_script`: what reads it; its last argument is the path.
    pub reader: Option<Command>,
}

/// Whom a file belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// The user's name.
    pub user: String,
    /// The group's name, where one was given; else it is the user's own group.
    pub group: Option<String>,
}

/// The AgentX subagent (RFC 2741).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snmp {
    /// `snmp_socket`: the master agent; `None`: `unix:/var/agentx/master`.
    pub socket: Option<String>,
    /// `enable_traps`.
    pub traps: bool,
    /// `enable_snmp_vrrp`: keepalived's own MIB for VRRP.
    pub vrrp: bool,
    /// `enable_snmp_checker`: keepalived's own MIB for virtual servers.
    pub checker: bool,
    /// `enable_snmp_rfcv2`, `enable_snmp_rfc`: the MIB of RFC 2787.
    pub rfc2787: bool,
    /// `enable_snmp_rfcv3`, `enable_snmp_rfc`: the MIB of RFC 6527.
    pub rfc6527: bool,
    /// `snmp_vs_stats_update_interval`: least time between two reads of the counters of virtual servers; 1 ms to 30 s.
    pub virtual_server_interval: Duration,
    /// `snmp_rs_stats_update_interval`: the same for real servers.
    pub real_server_interval: Duration,
}

impl Default for Snmp {
    fn default() -> Self {
        Self {
            socket: None,
            traps: false,
            vrrp: false,
            checker: false,
            rfc2787: false,
            rfc6527: false,
            virtual_server_interval: Duration::from_secs(5),
            real_server_interval: Duration::from_secs(5),
        }
    }
}

/// The D-Bus service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dbus {
    /// `enable_dbus`.
    pub enabled: bool,
    /// `dbus_service_name`.
    pub service_name: String,
    /// `dbus_no_interface_name`: the path element of instances without an interface.
    pub no_interface_name: Option<String>,
}

impl Default for Dbus {
    fn default() -> Self {
        Self {
            enabled: false,
            service_name: "org.keepalived.Vrrp1".to_owned(),
            no_interface_name: None,
        }
    }
}

/// How packets to addresses without `accept`, and those of VMAC interfaces, are filtered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// `nftables`: the table's name; `None`: not asked for. It goes before iptables.
    pub nftables: Option<String>,
    /// `nftables_priority`: of the base chains.
    pub nftables_priority: i32,
    /// `nftables_ifindex`: sets of link-local addresses name interfaces by number.
    pub nftables_ifindex: bool,
    /// `nftables_counters`: rules count; those for IPVS too.
    pub nftables_counters: bool,
    /// `vrrp_iptables`: `None`: not asked for.
    pub iptables: Option<IptablesChains>,
    /// `vrrp_ipsets`; matters with iptables only.
    pub ipsets: Ipsets,
}

impl Default for Firewall {
    fn default() -> Self {
        Self {
            nftables: None,
            nftables_priority: -1,
            nftables_ifindex: false,
            nftables_counters: false,
            iptables: None,
            ipsets: Ipsets::default(),
        }
    }
}

/// The chains that rules go into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IptablesChains {
    /// What arrives.
    pub input: String,
    /// What leaves; `None`: that is not filtered.
    pub output: Option<String>,
}

/// Whether iptables rules use sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ipsets {
    /// One rule per address instead.
    Off,
    /// Sets of these names.
    Named(Box<IpsetNames>),
}

impl Default for Ipsets {
    fn default() -> Self {
        Self::Named(Box::new(IpsetNames::derived_from("keepalived")))
    }
}

/// The names of the sets; all different, 31 bytes at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpsetNames {
    /// IPv4 addresses.
    pub address4: String,
    /// IPv6 addresses.
    pub address6: String,
    /// Link-local IPv6 addresses with their interface.
    pub interface6: String,
    /// Interfaces that send no IGMP.
    pub igmp: String,
    /// Interfaces that send no MLD.
    pub mld: String,
    /// Addresses that neighbour discovery is let through for.
    pub nd: String,
}

impl IpsetNames {
    /// The names that follow from the first one.
    pub fn derived_from(name: &str) -> Self {
        Self {
            address4: name.to_owned(),
            address6: format!("{name}6"),
            interface6: format!("{name}_if6"),
            igmp: format!("{name}_igmp"),
            mld: format!("{name}_mld"),
            nd: format!("{name}_nd"),
        }
    }
}

/// Receive buffers of sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffers {
    /// `vrrp_netlink_cmd_rcv_bufs`: answers to the VRRP process' own requests.
    pub vrrp_netlink_cmd: ReceiveBuffer,
    /// `vrrp_netlink_monitor_rcv_bufs`: what the kernel tells the VRRP process of interfaces and addresses.
    pub vrrp_netlink_monitor: ReceiveBuffer,
    /// `lvs_netlink_cmd_rcv_bufs`: answers to the checker process' own requests.
    pub lvs_netlink_cmd: ReceiveBuffer,
    /// `lvs_netlink_monitor_rcv_bufs`: what the kernel tells the checker process.
    pub lvs_netlink_monitor: ReceiveBuffer,
    /// `process_monitor_rcv_bufs`: what the kernel tells of processes.
    pub process_monitor: ReceiveBuffer,
    /// Adverts.
    pub adverts: AdvertBuffer,
}

/// The receive buffer of a netlink socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiveBuffer {
    /// In bytes; 0: as the system has it.
    pub size: u32,
    /// It may exceed `net.core.rmem_max`.
    pub force: bool,
}

/// The receive buffer of the sockets that adverts come in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvertBuffer {
    /// `vrrp_rx_bufs_policy`: what its size goes by.
    pub policy: AdvertBufferPolicy,
    /// `vrrp_rx_bufs_multiplier`: room for so many of what the policy names, at least 1.
    pub multiplier: u32,
}

impl Default for AdvertBuffer {
    fn default() -> Self {
        Self {
            policy: AdvertBufferPolicy::System,
            multiplier: 3,
        }
    }
}

/// What the size of a receive buffer for adverts goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdvertBufferPolicy {
    /// It is left as the system has it.
    #[default]
    System,
    /// The largest MTU of the interfaces.
    Mtu,
    /// The largest advert.
    Advert,
    /// So many bytes, whatever the multiplier.
    Bytes(u32),
}

/// What happens around a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reload {
    /// `reload_check_config`: a file that has any mistake is not reloaded; where the report goes.
    pub check_config: Option<String>,
    /// `reload_time_file`: holds the time of day of a reload to come.
    pub time_file: Option<String>,
    /// `reload_repeat`: that reload happens every day.
    pub repeat: bool,
    /// `reload_file`: a file that is there for as long as the configuration is being read.
    pub busy_file: Option<BusyFile>,
}

/// The file that is there for as long as the configuration is being read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BusyFile {
    /// `keepalived.reload`, beside the pid files.
    BesidePidFiles,
    /// This one.
    At(String),
}

/// Where files are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// `state_dump_file`: what SIGUSR1 writes; a trailing slash makes it a directory. `None`: the temporary directory.
    pub state_dump: Option<String>,
    /// `stats_dump_file`: what SIGUSR2 writes, likewise.
    pub stats_dump: Option<String>,
    /// `json_dump_file`: what the JSON signal writes, likewise.
    pub json_dump: Option<String>,
    /// `data_use_instance`: their names carry those of the instance and the network namespace.
    pub dumps_carry_instance: bool,
    /// `config_save_dir`: where the configuration and the state around a reload are kept.
    pub config_save_dir: Option<String>,
    /// `tmp_config_directory`: where keepalived keeps the text while it reads it.
    pub tmp_config_directory: Option<String>,
    /// `iproute_usr_dir`: the distribution's names of route tables, scopes and so on; `None`: iproute2's own place.
    pub iproute_usr_dir: Option<String>,
    /// `iproute_etc_dir`: the administrator's, which go before those.
    pub iproute_etc_dir: Option<String>,
}
