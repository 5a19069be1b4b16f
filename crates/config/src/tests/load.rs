//! What `load` hands out besides settings: statuses, order of messages, the description for `-d`.

use crate::testing::Fake;
use crate::{Class, Severity, describe, exit_status_of_test};

const GOOD: &str = "vrrp_script s {\n script /bin/x\n}\nvrrp_instance A {\n interface eth0\n virtual_router_id 1\n \
                    authentication {\n auth_type PASS\n auth_pass hunter2\n }\n virtual_ipaddress {\n 10.0.0.1/24\n }\n \
                    track_script {\n s weight -5\n }\n notify_fault \"/bin/y a\"\n}\nvrrp_instance B {\n interface eth1\n \
                    virtual_router_id 2\n virtual_ipaddress {\n 10.0.1.1\n }\n}\nvrrp_sync_group G {\n group { A B }\n \
                    sync_group_tracking_weight\n}\n";

#[test]
fn the_description_names_everything_but_the_password() {
    let text = describe(&Fake::default().load(GOOD).settings.unwrap());
    insta::assert_snapshot!(text.split_once("instance B").unwrap().0, @r#"
    global
      router_id = (host name)
      enable_script_security = false
      process_name = (as called)
      vrrp_process_name = (as called)
      instance = (none)
      use_pid_dir = false
      child_wait_time = 5s
      umask = 0177
      dynamic_interfaces = false
      json_version = 1
      log_unknown_vrids = false
      vrrp_garp_interval = 0s
      vrrp_gna_interval = 0s
    script s
      command = '/bin/x' (file /bin/x, user 0:0)
      interval = 1s
      timeout = 1s
      rise = 1
      fall = 1
    instance A
      interface = eth0
      version = 2
      family = IPv4
      virtual_router_id = 1
      priority = 100
      state = BACKUP
      advert_int = 1s
      down_timer_adverts = 3
      preempt = immediately
      authentication = password ********
      mcast_src_ip = (first address of the interface)
      mcast_dst_ip = 224.0.0.18
      accept = true
      virtual_ipaddress = 10.0.0.1/24 dev eth0
      dont_track_primary = false
      track_script = s weight -5
      garp_master_delay = 5s
      garp_master_repeat = 5
      garp_master_refresh = 0s
      garp_master_refresh_repeat = 1
      garp_lower_prio_delay = 5s
      garp_lower_prio_repeat = 5
      lower_prio_no_advert = false
      higher_prio_send_advert = false
      owner_ignore_adverts = false
      skip_check_adv_addr = false
      notify_priority_changes = false
      notify_fault = '/bin/y' 'a' (file /bin/y, user 0:0)
    "#);
    assert!(text.ends_with("sync group G\n  members = A B\n"), "{text}");
    assert!(!text.contains("hunter2"));
}

#[test]
fn messages_come_in_the_order_of_the_file_and_general_ones_last() {
    let loaded = Fake::default().load(format!("bananas\n{GOOD}oranges\n"));
    let lines: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|d| (d.line, d.class))
        .collect();
    assert_eq!(
        lines,
        [
            (1, Class::UnknownKeyword),
            (31, Class::UnknownKeyword),
            (0, Class::Security)
        ]
    );
    assert_eq!(
        exit_status_of_test(&loaded.diagnostics),
        6,
        "the numerically largest class"
    );
    assert_eq!(
        loaded.diagnostics[0].terse(),
        "(x.conf: Line 1) Unknown keyword 'bananas'"
    );
    assert_eq!(
        loaded.diagnostics[2].terse(),
        "SECURITY VIOLATION - scripts are being executed but script_security not enabled."
    );
}

#[test]
fn an_insecure_script_runs_or_not_as_script_security_says() {
    let machine = Fake {
        insecure: true,
        ..Fake::default()
    };
    let open = machine.clone().load(GOOD);
    assert!(open.settings.unwrap().commands.contains_key("s"));
    assert!(
        open.diagnostics[0]
            .help
            .as_ref()
            .unwrap()
            .contains("writable by all")
    );
    let secured = machine.load(format!(
        "global_defs {{\nenable_script_security\nscript_user root\n}}\n{GOOD}"
    ));
    assert_eq!(secured.settings.unwrap().commands.len(), 0);
    let said: Vec<_> = secured
        .diagnostics
        .iter()
        .map(|d| (d.severity, d.class))
        .collect();
    assert_eq!(
        said,
        [
            (Severity::Error, Class::General),
            (Severity::Error, Class::Uncounted)
        ]
    );
}

#[test]
fn without_a_user_for_scripts_they_are_removed() {
    let loaded = Fake::default().load(format!(
        "global_defs {{\nenable_script_security\n}}\n{GOOD}"
    ));
    let settings = loaded.settings.unwrap();
    assert!(settings.vrrp.scripts.is_empty() && settings.instance_notify.is_empty());
}

#[test]
fn what_follows_from_a_mistake_is_marked_and_counts() {
    let told = |text: &str| -> Vec<(bool, String)> {
        let loaded = Fake::default().load(text);
        let said = loaded.diagnostics.into_iter();
        said.map(|one| (one.follows, one.message)).collect()
    };
    let lacks = "instance B has no virtual_router_id".to_owned();
    let misspelt = GOOD.replace("virtual_router_id 2", "virtual_routerid 2");
    assert!(told(&misspelt).contains(&(true, lacks.clone())));
    let loaded = Fake::default().load(&misspelt);
    assert_eq!((loaded.settings, loaded.status), (None, 2));
    let absent = GOOD.replace("virtual_router_id 2", "");
    assert!(told(&absent).contains(&(false, lacks)));

    let empty = "vrrp_sync_group H {\n group {\n}\n}\n";
    let removed = "sync group H has no members and is removed".to_owned();
    assert!(told(&format!("{GOOD}{empty}")).contains(&(false, removed.clone())));
    let outside = empty.replace("group {\n}", "A");
    assert!(told(&format!("{GOOD}{outside}")).contains(&(true, removed)));
}

#[test]
fn a_secret_is_in_no_message() {
    for text in [
        GOOD.replace("auth_pass", "auth_pasword"),
        GOOD.replace("hunter2", "hunter2hunter2"),
        GOOD.replace("auth_pass hunter2", "auth_pass \"hunter2"),
        GOOD.replace("auth_type PASS", "auth_type PASS auth_pass hunter2 {"),
        format!("$PASSWORD=hunter2\\\n{GOOD}").replace("auth_pass hunter2", ""),
        GOOD.replace("script /bin/x", "script /bin/x --password hunter2"),
        GOOD.replace("\"/bin/y a\"", "/bin/y --password hunter2"),
    ] {
        for diagnostic in Fake::default().load(&text).diagnostics {
            let shown = format!(
                "{}{}{diagnostic:?}",
                diagnostic.render(crate::Style::Plain),
                diagnostic.terse()
            );
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
