//! Typical mistakes, as they are shown.

use crate::Style;
use crate::testing::Fake;

/// Everything said about a text.
fn shown(text: &str) -> String {
    let loaded = Fake::default().load(text);
    loaded
        .diagnostics
        .iter()
        .map(|d| format!("{}\n", d.render(Style::Plain)))
        .collect()
}

#[test]
fn state_slave() {
    // A word of another program, common in copied files.
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 state SLAVE
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: instance A has unknown state 'SLAVE'
     --> x.conf:7:8
      |
    7 |  state SLAVE
      |        ^^^^^
      |
      = help: did you mean 'BACKUP'? That is used
    "#);
}

#[test]
fn misspelt_sync_daemon() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 lvs_sync_daemon_inteface eth0
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: unknown keyword 'lvs_sync_daemon_inteface' in vrrp_instance
     --> x.conf:7:2
      |
    7 |  lvs_sync_daemon_inteface eth0
      |  ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean 'lvs_sync_daemon_interface'?
    "#);
}

#[test]
fn unknown_keyword() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 bananas 7
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: unknown keyword 'bananas' in vrrp_instance
     --> x.conf:7:2
      |
    7 |  bananas 7
      |  ^^^^^^^
    "#);
}

#[test]
fn misplaced_keyword() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 router_id x
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: unknown keyword 'router_id' in vrrp_instance
     --> x.conf:7:2
      |
    7 |  router_id x
      |  ^^^^^^^^^
      |
      = help: 'router_id' belongs into global_defs
    "#);
}

#[test]
fn misplaced_at_the_root() {
    let text = r#"
priority 100
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: unknown keyword 'priority' outside of all blocks
     --> x.conf:1:1
      |
    1 | priority 100
      | ^^^^^^^^
      |
      = help: 'priority' belongs into vrrp_instance
    "#);
}

#[test]
fn priority_out_of_range() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 priority 300
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: priority: 300 is out of range
     --> x.conf:7:11
      |
    7 |  priority 300
      |           ^^^
      |
      = note: allowed: 1 to 255 (default: 100; 255 with 'state MASTER')
    "#);
}

#[test]
fn priority_is_no_number() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 priority high
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: priority: 'high' is not a number
     --> x.conf:7:11
      |
    7 |  priority high
      |           ^^^^
      |
      = note: allowed: 1 to 255 (default: 100; 255 with 'state MASTER')
    "#);
}

#[test]
fn password_too_long() {
    // The password is not shown.
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 authentication {
  auth_type PASS
  auth_pass my-secret-password
 }
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    warning: auth_pass has 18 bytes, only the first 8 count
     --> x.conf:9:13
      |
    9 |   auth_pass ********
      |             ^^^^^^^^
      |
      = note: an advert has room for no more, and longer ones may turn out equal
      = help: every router of the group must have the same eight
    "#);
}

#[test]
fn misspelt_password() {
    // The password is not shown.
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 authentication {
  auth_type PASS
  auth_passs my-secret
 }
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    warning: instance A authenticates without a password; authentication is ignored
     --> x.conf:8:3
      |
    8 |   auth_type PASS
      |   ^^^^^^^^^^^^^^
    error: unknown keyword 'auth_passs' in vrrp_instance/authentication
     --> x.conf:9:3
      |
    9 |   auth_passs ********
      |   ^^^^^^^^^^
      |
      = help: did you mean 'auth_pass'?
    "#);
}

#[test]
fn missing_argument() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 advert_int
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: 'advert_int' lacks its argument
     --> x.conf:7:2
      |
    7 |  advert_int
      |  ^^^^^^^^^^
      |
      = help: advert_int 0.01..255
    "#);
}

#[test]
fn missing_interface() {
    let text = r#"
vrrp_instance A {
 interface eth7
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: interface eth7 does not exist
     --> x.conf:2:12
      |
    2 |  interface eth7
      |            ^^^^
      |
      = help: create it first, correct the name, or set dynamic_interfaces in global_defs
    "#);
}

#[test]
fn missing_vrid() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_ipaddress {
  10.0.0.1
 }
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: instance A has no virtual_router_id
     --> x.conf:1:1
      |
    1 | vrrp_instance A {
      | ^^^^^^^^^^^^^^^
      |
      = help: virtual_router_id 1..255, the same on all routers of the group
    "#);
}

#[test]
fn same_vrid_twice() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 
}
vrrp_instance B {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 priority 50
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: instances A and B both have virtual_router_id 1 on eth0
      --> x.conf:11:20
       |
    11 |  virtual_router_id 1
       |                    ^
       |
       = help: give one of them another virtual_router_id, or another mcast_dst_ip
    "#);
}

#[test]
fn unknown_script() {
    let text = r#"
vrrp_script check_nginx {
 script "/bin/x"
}
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 track_script {
  chk_nginx
 }
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    warning: script check_nginx is not tracked by any running instance and never runs
     --> x.conf:1:1
      |
    1 | vrrp_script check_nginx {
      | ^^^^^^^^^^^^^^^^^^^^^^^
    error: A tracks script 'chk_nginx', which is not defined
      --> x.conf:11:3
       |
    11 |   chk_nginx
       |   ^^^^^^^^^
       |
       = help: did you mean 'check_nginx'?
    warning: scripts run although enable_script_security is off
     |
     = help: set enable_script_security in global_defs, and script_user if there is no user keepalived_script
    "#);
}

#[test]
fn bad_address() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 virtual_ipaddress {
  10.0.0.300/24
 }
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: '10.0.0.300/24' is not an IP address
     --> x.conf:8:3
      |
    8 |   10.0.0.300/24
      |   ^^^^^^^^^^^^^
    "#);
}

#[test]
fn bad_prefix() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 virtual_ipaddress {
  10.0.0.3/240
 }
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: prefix length '240' of 10.0.0.3 is not valid
     --> x.conf:8:3
      |
    8 |   10.0.0.3/240
      |   ^^^^^^^^^^^^
      |
      = help: 0 to 32; 32 is used
    "#);
}

#[test]
fn misspelt_address_option() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 virtual_ipaddress {
  10.0.0.3/24 devv eth1
 }
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: unknown option 'devv' of an address is ignored
     --> x.conf:8:15
      |
    8 |   10.0.0.3/24 devv eth1
      |               ^^^^
      |
      = help: did you mean 'dev'?
    "#);
}

#[test]
fn missing_closing_brace() {
    let text = r#"
vrrp_instance B {
 interface eth1
 virtual_router_id 2
 virtual_ipaddress {
  10.0.0.9
 }

vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: a '}' is missing: 'vrrp_instance' cannot stand inside 'vrrp_instance'
     --> x.conf:8:1
      |
    8 | vrrp_instance A {
      | ^^^^^^^^^^^^^
      |
     ::: x.conf:1:1
      |
    1 | vrrp_instance B {
      | --------------- this block is still open
      |
      = help: close the blocks above this line
    "#);
}

#[test]
fn never_closed() {
    let text = r#"
global_defs {
 router_id a
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: this block is never closed
     --> x.conf:1:13
      |
    1 | global_defs {
      |             ^
      |
      = help: add the missing '}'
    "#);
}

#[test]
fn brace_too_many() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 }

}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: no block is open here
     --> x.conf:9:1
      |
    9 | }
      | ^
      |
      = help: remove this '}', or look for a '}' too many above
    "#);
}

#[test]
fn unexpected_brace() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 priority 100 {
 }
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: no block can begin here
     --> x.conf:7:15
      |
    7 |  priority 100 {
      |               ^
      |
      = help: this '{' and the '}' that belongs to it are ignored
    "#);
}

#[test]
fn open_quote() {
    let text = r#"
global_defs {
 router_id "node one
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: a double quote is not closed
     --> x.conf:2:2
      |
    2 |  router_id "node one
      |  ^^^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn unit_behind_a_number() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 preempt_delay 10s
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: preempt_delay: '10s' is not a number
     --> x.conf:7:16
      |
    7 |  preempt_delay 10s
      |                ^^^
      |
      = note: allowed: 0 to 1000, without a unit (default: 0)
    "#);
}

#[test]
fn undefined_parameter() {
    let text = r#"
$PRIO=7
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 virtual_ipaddress {
  ${VIP}
 }
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: parameter 'VIP' is not defined
     --> x.conf:9:3
      |
    9 |   ${VIP}
      |   ^^^^^^
      |
      = help: define it before its use: $VIP=VALUE
    "#);
}

#[test]
fn vrf() {
    let text = r#"
vrrp_instance A {
 vrf eth1
 unicast_src_ip 10.0.0.2
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1 dev eth0
 }
 unicast_peer {
  10.0.0.9
 }
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    error: instance A is left out: evervip does not support 'vrf' yet
     --> x.conf:2:2
      |
    2 |  vrf eth1
      |  ^^^^^^^^
      |
      = help: without it the instance would talk to the wrong routers, or trust them without proof
    "#);
}

#[test]
fn pending() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 use_vmac
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    warning: 'use_vmac' is a keyword of keepalived that evervip does not act on yet
     --> x.conf:7:2
      |
    7 |  use_vmac
      |  ^^^^^^^^
      |
      = note: the instance runs on its interface itself, with the MAC address of that interface
    "#);
}

#[test]
fn nopreempt_as_master() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 state MASTER
 priority 100
 nopreempt
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    warning: instance A: nopreempt has no effect with initial state MASTER
     --> x.conf:9:2
      |
    9 |  nopreempt
      |  ^^^^^^^^^
      |
      = note: who begins as MASTER takes over whenever it starts, which nopreempt is to prevent
      = help: set 'state BACKUP' on every router that shall not preempt
    "#);
}

#[test]
fn unknown_member() {
    let text = r#"
vrrp_sync_group G {
 group {
  AA
  A
 }
}
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    warning: sync group G has one member only
     --> x.conf:1:1
      |
    1 | vrrp_sync_group G {
      | ^^^^^^^^^^^^^^^^^
      |
      = help: a group makes several instances change state together; for one it does nothing
    error: sync group G has unknown member 'AA'
     --> x.conf:3:3
      |
    3 |   AA
      |   ^^
      |
      = help: did you mean 'A'?
    "#);
}

#[test]
fn arguments_outside_the_quotes() {
    let text = r#"
vrrp_script s {
 script /bin/pgrep nginx
}
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 track_script {
  s
 }
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    warning: script: the words behind '/bin/pgrep' are ignored
     --> x.conf:2:20
      |
    2 |  script /bin/pgrep nginx
      |                    ^^^^^
      |
      = help: put the command and its arguments between double quotes
    warning: scripts run although enable_script_security is off
     |
     = help: set enable_script_security in global_defs, and script_user if there is no user keepalived_script
    "#);
}

#[test]
fn user_instead_of_argument() {
    let text = r#"
vrrp_instance A {
 interface eth0
 virtual_router_id 1
 virtual_ipaddress {
  10.0.0.1
 }
 notify_master /bin/notify.sh MASTER
}
"#;
    let shown = shown(text.trim_start());
    insta::assert_snapshot!(shown, @r#"
    warning: notify_master is ignored: there is no user or group 'MASTER'
     --> x.conf:7:31
      |
    7 |  notify_master /bin/notify.sh MASTER
      |                               ^^^^^^
      |
      = help: a command with arguments stands between double quotes; what follows it is a user
    "#);
}
