//! The file language: lines, blocks, parameters, conditions, includes.

use crate::testing::Fake;
use crate::{Class, FileProblem, LoadOptions, Loaded, Settings, exit_status_of_test, load};

/// An instance that is complete but for what is put into it.
fn instance(inside: &str) -> String {
    format!(
        "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n{inside}\n}}\n"
    )
}

fn settings(text: impl AsRef<[u8]>) -> Settings {
    let loaded = Fake::default().load(text);
    assert_eq!(loaded.diagnostics, []);
    loaded.settings.unwrap()
}

fn classes(loaded: &Loaded) -> Vec<(Class, u32)> {
    loaded
        .diagnostics
        .iter()
        .map(|d| (d.class, d.line))
        .collect()
}

fn names(loaded: &Loaded) -> Vec<&str> {
    loaded
        .settings
        .as_ref()
        .unwrap()
        .vrrp
        .instances
        .iter()
        .map(|i| i.name.as_str())
        .collect()
}

#[test]
fn braces_may_stand_anywhere() {
    let forms = [
        "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n",
        "vrrp_instance A\n\n# comment\n{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress\n{\n10.0.0.1\n}\n}",
        "vrrp_instance A{interface eth0\r\nvirtual_router_id 1\r\nvirtual_ipaddress{10.0.0.1}}\r\n",
        "\"vrrp_instance\" \"A\" { interface eth0\nvirtual_router_id 1 } # end",
    ];
    let expected = settings(forms[0]);
    for form in &forms[1..3] {
        assert_eq!(settings(form), expected, "{form}");
    }
    assert_eq!(names(&Fake::default().load(forms[3])), ["A"]);
}

#[test]
fn words_behind_the_last_argument_are_ignored() {
    assert_eq!(
        settings(instance("nopreempt yes please")),
        settings(instance("nopreempt"))
    );
}

#[test]
fn unknown_keywords_do_not_cascade() {
    let loaded = Fake::default().load(format!(
        "vrrp_instanse B {{\n priority 5\n virtual_ipaddress {{\n 1.2.3.4\n }}\n}}\n{}",
        instance("unicst_peer {\n 10.0.0.2\n priority 7 }\npriority 50")
    ));
    assert_eq!(
        classes(&loaded),
        [(Class::UnknownKeyword, 1), (Class::UnknownKeyword, 13)]
    );
    assert_eq!(names(&loaded), ["A"]);
    assert_eq!(
        loaded.settings.unwrap().vrrp.instances[0].priority.get(),
        50,
        "the rest of the block counts"
    );
}

#[test]
fn a_missing_closing_brace_is_found_at_the_next_block() {
    let loaded = Fake::default().load(format!(
        "vrrp_instance B {{\ninterface eth0\nvirtual_router_id 2\nvirtual_ipaddress {{\n10.0.0.2\n}}\n{}",
        instance("")
    ));
    assert_eq!(classes(&loaded), [(Class::MissingClose, 7)]);
    assert_eq!(names(&loaded), ["B", "A"]);
}

#[test]
fn a_missing_closing_brace_within_an_instance_is_found_too() {
    let text =
        instance("authentication {\nauth_type PASS\nauth_pass x\ntrack_interface {\neth1\n}");
    let loaded = Fake::default().load(text);
    assert_eq!(classes(&loaded), [(Class::MissingClose, 10)]);
    assert_eq!(
        loaded.settings.unwrap().vrrp.instances[0]
            .track_interface
            .len(),
        1
    );
}

#[test]
fn a_block_that_is_never_closed_counts() {
    let text = instance("");
    let loaded = Fake::default().load(text.trim_end().strip_suffix('}').unwrap());
    assert_eq!(classes(&loaded), [(Class::MissingClose, 1)]);
    assert_eq!(names(&loaded), ["A"]);
}

#[test]
fn a_missing_opening_brace_is_read_as_if_it_were_there() {
    let loaded = Fake::default().load(instance("authentication\nauth_type PASS\nauth_pass x\n}"));
    assert_eq!(classes(&loaded), [(Class::MissingOpen, 7)]);
    assert!(matches!(
        loaded.settings.unwrap().vrrp.instances[0].authentication,
        vrrp::settings::Authentication::Pass(_)
    ));
}

#[test]
fn stray_braces_are_one_mistake_each() {
    for (text, expected) in [
        (
            instance("priority 100 {\nnopreempt\n}"),
            vec![(Class::UnexpectedOpen, 7)],
        ),
        (
            format!("{}}}\n", instance("")),
            vec![(Class::UnexpectedClose, 9)],
        ),
        (
            format!("{{\n{}}}\n", instance("")),
            vec![(Class::UnexpectedOpen, 1)],
        ),
    ] {
        let loaded = Fake::default().load(&text);
        assert_eq!(classes(&loaded), expected, "{text}");
        assert_eq!(names(&loaded), ["A"]);
    }
}

#[test]
fn a_second_group_block_adds_members() {
    let both = format!(
        "{}{}",
        instance(""),
        instance("")
            .replace("instance A", "instance B")
            .replace("_id 1", "_id 2")
    );
    let loaded = Fake::default().load(format!(
        "vrrp_sync_group G {{ group {{ A }}\n group {{ B }} }}\n{both}"
    ));
    assert_eq!(loaded.diagnostics, []);
    assert_eq!(
        loaded.settings.unwrap().vrrp.sync_groups[0].members,
        ["A", "B"]
    );
}

#[test]
fn global_defs_may_stand_last() {
    let settings = settings(format!(
        "{}global_defs {{\nvrrp_version 3\n}}\n",
        instance("")
    ));
    assert_eq!(settings.vrrp.instances[0].version, types::Version::V3);
}

#[test]
fn parameters_and_conditions() {
    let text = format!(
        "$P=77\n$REST=priority ${{P}} # comment\n{}",
        instance("@node1 $REST\n@^node1 priority 1\n@other priority 2\n@node1 @other")
    );
    let loaded = Fake::default().load(text);
    assert_eq!(
        classes(&loaded),
        [(Class::UnknownKeyword, 12)],
        "only one condition per line"
    );
    assert_eq!(
        loaded.settings.unwrap().vrrp.instances[0].priority.get(),
        77
    );
    let options = LoadOptions {
        config_id: Some("other".into()),
        check_includes: false,
        ..LoadOptions::default()
    };
    let machine = Fake::default().file("/etc/keepalived/x.conf", instance("@other priority 2"));
    assert_eq!(
        load("x.conf", &machine, &options)
            .settings
            .unwrap()
            .vrrp
            .instances[0]
            .priority
            .get(),
        2
    );
}

#[test]
fn a_condition_behind_a_brace_governs_the_rest_of_the_line() {
    let text = format!(
        "global_defs {{ @other router_id b }}\nrouter_id a\n}}\n{}",
        instance("")
    );
    assert_eq!(settings(text).global.router_id.as_deref(), Some("a"));
}

#[test]
fn an_undefined_parameter_does_not_open_a_block() {
    let loaded = Fake::default().load(instance("priority ${PRIO}"));
    assert_eq!(
        classes(&loaded),
        [(Class::UnexpectedOpen, 7), (Class::InvalidNumber, 7)]
    );
    assert_eq!(names(&loaded), ["A"]);
}

#[test]
fn what_is_not_supported_yet_is_no_silent_loss() {
    for line in ["~SEQ(A,1,3) x", "~LST(A,b) x", "$M=\\\n a \\\n b"] {
        let loaded = Fake::default().load(format!("{line}\n{}", instance("")));
        assert_eq!(
            (loaded.diagnostics.len(), loaded.status),
            (1, 2),
            "{line}: {:?}",
            loaded.diagnostics
        );
        assert_eq!(loaded.settings, None);
    }
}

#[test]
fn includes() {
    let machine = || {
        Fake::default()
            .file(
                "/etc/keepalived/x.conf",
                "include conf.d/*.conf\ninclude one.conf\n",
            )
            .file("/etc/keepalived/conf.d/b.conf", instance(""))
            .file("/etc/keepalived/conf.d/a.conf", "include sub/g.conf\n")
            .file(
                "/etc/keepalived/conf.d/sub/g.conf",
                "global_defs {\nrouter_id ${_PWD}\n}\n",
            )
            .file("/etc/keepalived/one.conf", "use_pid_dir\n")
    };
    let options = LoadOptions::default();
    let loaded = load("x.conf", &machine(), &options);
    assert_eq!(loaded.diagnostics, []);
    let settings = loaded.settings.unwrap();
    assert_eq!(
        settings.global.router_id.as_deref(),
        Some("/etc/keepalived/conf.d/sub")
    );
    assert!(settings.global.use_pid_dir);
    assert_eq!(settings.vrrp.instances.len(), 1);

    for (line, problem, status, count) in [
        ("include none.conf", None, 0, 1),
        ("includem none.conf", None, 6, 1),
        ("include none/*", None, 0, 1),
        ("include conf.d/*.txt", None, 0, 0),
        ("includew conf.d/*.txt", None, 6, 1),
        ("includeb {one,two}.conf", None, 6, 1),
        ("include {one,two}.conf", None, 0, 1),
        ("include bad.conf", Some(FileProblem::Executable), 0, 1),
        ("includer bad.conf", Some(FileProblem::Executable), 6, 1),
        (
            "global_defs {\ninclude_check\n}\ninclude none.conf",
            None,
            6,
            1,
        ),
    ] {
        let mut machine = machine().file(
            "/etc/keepalived/x.conf",
            format!("{line}\n{}", instance("")),
        );
        if let Some(problem) = problem {
            machine = machine.problem("/etc/keepalived/bad.conf", problem);
        }
        let loaded = load("x.conf", &machine, &options);
        assert_eq!(
            (loaded.status, loaded.diagnostics.len()),
            (status, count),
            "{line}: {:?}",
            loaded.diagnostics
        );
        assert_eq!(exit_status_of_test(&loaded.diagnostics), status, "{line}");
    }
}

#[test]
fn a_file_that_includes_itself_ends() {
    let loaded = Fake::default().load("include x.conf\ninclude x.conf\n");
    assert_eq!(loaded.status, 6);
    assert!(
        loaded.diagnostics[0].message.contains("32 deep"),
        "{:?}",
        loaded.diagnostics[0]
    );
}

#[test]
fn blocks_span_files() {
    let machine = Fake::default()
        .file(
            "/etc/keepalived/x.conf",
            "vrrp_instance A {\ninclude rest.conf\ninterface eth0\n}\n",
        )
        .file(
            "/etc/keepalived/rest.conf",
            "virtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n",
        );
    let loaded = load("x.conf", &machine, &LoadOptions::default());
    assert_eq!(loaded.diagnostics, []);
}

#[test]
fn main_files() {
    let options = LoadOptions::default();
    let missing = load("none.conf", &Fake::default(), &options);
    assert_eq!(
        (missing.status, exit_status_of_test(&missing.diagnostics)),
        (6, 0)
    );
    let directory = Fake::default().problem("/etc/keepalived/x.conf", FileProblem::Directory);
    assert_eq!(load("x.conf", &directory, &options).status, 6);
    let two = Fake::default()
        .file("/etc/keepalived/a.conf", "use_pid_dir")
        .file("/etc/keepalived/b.conf", instance(""));
    let loaded = load("*.conf", &two, &options);
    assert_eq!(classes(&loaded), [(Class::MultipleFiles, 0)]);
    assert_eq!(names(&loaded), ["A"]);
}

#[test]
fn odd_bytes() {
    let loaded = Fake::default().load(b"# caf\xe9\nglobal_defs {\nrouter_id caf\xe9\n}\n");
    assert_eq!(classes(&loaded), [(Class::Uncounted, 3)]);
    assert_eq!(
        loaded.settings.unwrap().global.router_id.as_deref(),
        Some("caf\u{FFFD}")
    );
    let mut text = instance("authentication {\nauth_type PASS\nauth_pass X\n}").into_bytes();
    let at = text.iter().position(|b| *b == b'X').unwrap();
    text[at] = 0xe9;
    match &settings(text).vrrp.instances[0].authentication {
        vrrp::settings::Authentication::Pass(pass) => {
            assert_eq!(pass.bytes(), &[0xe9, 0, 0, 0, 0, 0, 0, 0])
        }
        vrrp::settings::Authentication::None => panic!("no password"),
    }
}

#[test]
fn limits() {
    let long = format!("# {}\n{}", "x".repeat(1100), instance(""));
    let loaded = Fake::default().load(long);
    assert_eq!(
        classes(&loaded),
        [(Class::General, 1)],
        "keepalived would drop it"
    );
    assert_eq!(names(&loaded), ["A"]);
    let endless = format!("{}\n{}", "x".repeat(1_000_000), instance(""));
    assert_eq!(
        classes(&Fake::default().load(endless)),
        [(Class::General, 1)]
    );
    let binary = Fake::default().load("\0\n".repeat(1000));
    assert_eq!((binary.status, binary.diagnostics.len()), (2, 2));
    let huge = Fake::default().load("x\n".repeat(40_000_000));
    assert_eq!(huge.status, 6);
    assert!(
        huge.diagnostics[0].message.contains("larger than"),
        "{:?}",
        huge.diagnostics
    );
}
