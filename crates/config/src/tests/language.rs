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
    assert_eq!(classes(&loaded), [(Class::UnknownKeyword, 7)]);
    assert_eq!(names(&loaded), ["B", "A"]);
    // keepalived takes the next block for a keyword of the open one, and misses the brace at the end.
    let all: Vec<_> = loaded.diagnostics[0].classes().collect();
    assert_eq!(all, [Class::UnknownKeyword, Class::MissingClose]);
}

#[test]
fn a_missing_closing_brace_within_an_instance_is_found_too() {
    let text =
        instance("authentication {\nauth_type PASS\nauth_pass x\ntrack_interface {\neth1\n}");
    let loaded = Fake::default().load(text);
    assert_eq!(classes(&loaded), [(Class::UnknownKeyword, 10)]);
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
fn a_list_without_its_brace_is_read_all_the_same() {
    for (lines, expected, tracked) in [
        // keepalived only logs that.
        ("track_interface\neth1\n}", vec![], 1),
        (
            "track_interface eth1\neth1\n}",
            vec![(Class::General, 7)],
            1,
        ),
        ("track_interface eth1", vec![(Class::General, 7)], 0),
        ("track_interface", vec![(Class::General, 7)], 0),
        (
            "track_interface {\neth1 {\n}\n}",
            vec![(Class::General, 8)],
            1,
        ),
    ] {
        let loaded = Fake::default().load(instance(&format!("{lines}\nnopreempt")));
        let said: Vec<_> = loaded
            .diagnostics
            .iter()
            .filter(|d| d.class.is_counted())
            .map(|d| (d.class, d.line))
            .collect();
        assert_eq!(said, expected, "{lines}");
        let settings = loaded.settings.unwrap().vrrp;
        let instance = &settings.instances[0];
        assert_eq!(instance.track_interface.len(), tracked, "{lines}");
        assert_eq!(instance.preempt, vrrp::settings::Preempt::Never, "{lines}");
    }
}

#[test]
fn what_follows_from_an_open_quote_is_part_of_it() {
    let of = |line: &str| {
        let loaded = Fake::default().load(instance(line));
        let all: Vec<Vec<Class>> = loaded
            .diagnostics
            .iter()
            .map(|diagnostic| diagnostic.classes().collect())
            .collect();
        (all, loaded.settings.is_some())
    };
    let (quote, general) = (Class::UnmatchedQuote, Class::General);
    assert_eq!(
        of("notify_master /bin/x \"a"),
        (vec![vec![quote, general, quote]], true)
    );
    assert_eq!(
        of("priority \"100"),
        (vec![vec![quote, general, Class::MissingParameter]], false)
    );
    assert_eq!(
        of("state ${NONE}"),
        (vec![vec![Class::UnexpectedOpen, general]], true)
    );
    assert_eq!(
        of("nosuch ${NONE}"),
        (
            vec![vec![Class::UnexpectedOpen, Class::UnknownKeyword]],
            true
        )
    );
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
fn one_mistake_with_braces_is_one_message() {
    let other = instance("")
        .replace("instance A", "instance B")
        .replace("_id 1", "_id 2");
    let other = other.replace("10.0.0.1", "10.0.0.2");
    for (text, expected, left) in [
        // An instance within an instance: the last brace is the outer one's.
        (
            instance(&format!("nopreempt\n{other}")),
            vec![(Class::UnknownKeyword, 8)],
            vec!["A", "B"],
        ),
        (
            instance("priority { 5 }\nnopreempt"),
            vec![(Class::MissingParameter, 7)],
            vec![],
        ),
        (
            instance("virtual_ipaddress_excluded {\n10.0.0.9\npriority 50\nnopreempt"),
            vec![(Class::General, 9)],
            vec!["A"],
        ),
        (
            format!("track_group\n}}\n{other}"),
            vec![(Class::MissingOpen, 1)],
            vec!["B"],
        ),
    ] {
        let loaded = Fake::default().load(&text);
        let counted: Vec<_> = loaded
            .diagnostics
            .iter()
            .filter(|d| d.class.is_counted())
            .map(|d| (d.class, d.line))
            .collect();
        assert_eq!(counted, expected, "{text}");
        if !left.is_empty() {
            assert_eq!(names(&loaded), left, "{text}");
        }
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
    let said: Vec<_> = loaded.diagnostics.iter().map(|d| d.class).collect();
    assert_eq!(said, [Class::General]);
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
        [(Class::UnexpectedOpen, 7)],
        "one mistake, one message"
    );
    assert_eq!(names(&loaded), ["A"]);
}

/// The words that reach the block parser at the top level, where each is unknown, with their lines.
fn delivered(text: &str) -> Vec<String> {
    let loaded = Fake::default().load(text);
    loaded
        .diagnostics
        .iter()
        .map(|d| match d.message.split('\'').nth(1) {
            Some(word) if d.class == Class::UnknownKeyword => format!("{} {word}", d.line),
            _ => format!("{} {:?}: {}", d.line, d.class, d.message),
        })
        .collect()
}

#[test]
fn generators() {
    for (text, expected) in [
        ("~SEQ(A, 2) q$A", vec!["1 q1", "1 q2"]),
        ("~SEQ(A, 2) q$A.", vec!["1 q$A."]),
        ("~SEQ(A, 2) q${A}", vec!["1 q1", "1 q2"]),
        (
            "~SEQ(A,1,2) ~SEQ(B, $A, 2) q${A}_${B}\nlast${A}${B}",
            vec!["1 q1_1", "1 q1_2", "1 q2_2", "2 last22"],
        ),
        (
            "~LST({V,W}, {a,1}, {b}) w${V}-${W}\n$Q=zz\n~LST(V, $Q) w$V",
            vec!["1 wa-1", "1 wb-", "3 wzz"],
        ),
        ("~SEQ(A,2) @node1 ~LST(B, x, y) @^node1 no", vec![]),
        ("~SEQ(A,2) $B=b${A}\n${B}", vec!["2 b2"]),
        (
            "@other ~SEQ(A,2) no\n@node1 ~SEQ(A,2) yes${A}",
            vec!["2 yes1", "2 yes2"],
        ),
        ("$P=~SEQ(A,2)\n$P x", vec!["2 ~SEQ(A,2)"]),
        (
            "~SEQ(A,1,3,-1) x\n~LST(A x\n~FOO(A)",
            vec![
                "1 General: ~SEQ has a step that never leads to the end; the line is ignored",
                "2 General: ~LST is not well-formed; the line is ignored",
                "3 ~FOO(A)",
            ],
        ),
    ] {
        assert_eq!(delivered(text), expected, "{text}");
    }
}

#[test]
fn parameters_of_several_lines() {
    for (text, expected) in [
        (
            "$M=aa \\\n bb \\\n cc\npre $M\n",
            vec!["4 pre", "4 bb", "4 cc"],
        ),
        ("$M=\\\naa \\\nbb # comment\n$M\n", vec!["4 aa", "4 bb"]),
        ("$M=aa \\\n\nbb\n$M\n", vec!["3 bb", "4 aa"]),
        ("$M=aa \\\n# comment\nbb\n$M\n", vec!["3 bb", "4 aa"]),
        (
            "$M=aa\\\nbb\n~SEQ(A,1,2) ${A}$M\n",
            vec!["3 1aa", "3 bb", "3 2aa", "3 bb"],
        ),
        (
            "$M=x${A}\\\ny${A}\n~SEQ(A,1,2) $M\n",
            vec!["3 x1", "3 y1", "3 x2", "3 y2"],
        ),
        (
            "$I=i1\\\ni2\n$O=o1\\\n$I\\\n~SEQ(N,2) n$N\\\n@other no\\\n$K=v\\\no2\n$O\n${K}",
            vec!["9 o1", "9 i1", "9 i2", "9 n1", "9 n2", "9 o2", "10 v"],
        ),
        ("$F=@node1 x\\\n@node1 y\n$F", vec!["3 @node1", "3 y"]),
        // The rest of a line behind a brace comes first.
        (
            "$M=aa\\\nbb\n} $M",
            vec!["3 UnexpectedClose: no block is open here", "3 aa", "3 bb"],
        ),
        // DEVIATION(keepalived): there the further lines would be statements.
        ("@other $M=aa\\\nbb\\\ncc\ndd", vec!["4 dd"]),
        (
            "$M=aa\\\nbb\n${M} post\n",
            vec![
                "3 UnexpectedOpen: parameter 'M' has several lines, so nothing may follow it on its line",
            ],
        ),
    ] {
        assert_eq!(delivered(text), expected, "{text}");
    }
}

#[test]
fn blocks_can_be_generated() {
    let text = "$BODY=interface eth0\\\nvirtual_router_id ${ID}\\\nvirtual_ipaddress {\\\n10.0.0.${ID}\\\n}\\\n}\n\
                ~SEQ(ID, 11, 13) vrrp_instance I${ID} { $BODY\n";
    let loaded = Fake::default().load(text);
    assert_eq!(loaded.diagnostics, []);
    assert_eq!(names(&loaded), ["I11", "I12", "I13"]);
    let text = instance("~SEQ(A, 2, 4) virtual_ipaddress { 10.0.0.${A} }");
    let settings = settings(text);
    assert_eq!(settings.vrrp.instances[0].addresses().count(), 4);
}

#[test]
fn generated_lines_say_where_they_come_from() {
    let machine = Fake::default()
        .file("/etc/keepalived/x.conf", "include a/b.conf\n")
        .file("/etc/keepalived/a/b.conf", "include c.conf\n")
        .file(
            "/etc/keepalived/a/c.conf",
            "\n~SEQ(A, 8, 9) auth_pass$A secret\n$M=fine\\\nnot ${NONE}\n$M\n",
        );
    let loaded = load("x.conf", &machine, &LoadOptions::default());
    let said: Vec<String> = loaded
        .diagnostics
        .iter()
        .map(|d| {
            format!(
                "{}:{} {}",
                d.file.as_deref().unwrap(),
                d.line,
                d.notes.join("; ")
            )
        })
        .collect();
    let from = "included from a/b.conf:1; included from x.conf:1";
    assert_eq!(
        said,
        [
            format!("c.conf:2 in what ~SEQ made of it: auth_pass8 ********; {from}"),
            format!("c.conf:2 in what ~SEQ made of it: auth_pass9 ********; {from}"),
            format!("c.conf:5 in what $M made of it: fine; {from}"),
            format!("c.conf:5 in what $M made of it: not ${{NONE}}; {from}"),
        ]
    );
}

#[test]
fn what_never_ends_ends() {
    for (text, expected) in [
        ("$A=${A}x\n$A", "expands without end"),
        ("$A=x\\\n$A\n$A", "more than 250000 lines"),
        (
            "~SEQ(A, 9223372036854775807) @other x",
            "more than 250000 lines",
        ),
    ] {
        let loaded = Fake::default().load(text);
        let said = loaded.diagnostics.iter().find(|d| d.fatal).unwrap();
        assert!(said.message.contains(expected), "{text}: {said:?}");
        assert_eq!(loaded.status, 2, "{text}");
    }
    let long = "y".repeat(10_000);
    let loaded = Fake::default().load(format!("$L={long}\n~SEQ(A, 100000) x${{L}}"));
    assert!(
        loaded
            .diagnostics
            .iter()
            .any(|d| d.message.contains("more than 64 MiB")),
        "{:?}",
        loaded.diagnostics.last()
    );
    let loaded = Fake::default().load(format!("~SEQ(A, 100000) $L={long} \\\nlast"));
    assert!(
        loaded.diagnostics[1]
            .message
            .contains("a definition has more than"),
        "{:?}",
        loaded.diagnostics
    );
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
        vrrp::settings::Authentication::None
        | vrrp::settings::Authentication::Ah(_)
        | vrrp::settings::Authentication::Hmac(_) => panic!("no password"),
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

#[test]
fn bytes_that_are_no_text_count_as_bytes() {
    let line = |bytes: usize| {
        let mut text = b"# ".to_vec();
        text.resize(bytes, 0xe9);
        Fake::default().load(text).diagnostics
    };
    assert_eq!(line(1022), []);
    let said = line(1023);
    assert_eq!(
        said[0].message,
        "a line of 1023 bytes: keepalived reads at most 1022"
    );
}

#[test]
fn an_escaped_quote_leaves_words_open() {
    for (line, shell) in [
        (
            "authentication {\nauth_type PASS\nauth_pass \"ab\\\"cd\"\n}",
            false,
        ),
        ("unicast_peer {\n\"10.0.0.5\\\"\"\n}", false),
        ("description \"a\\\"b\"", false),
        ("notify \"/bin/x \\\"q\\\" \"", true),
        ("notify \"/bin/x \\\"a b\\\" q\"", true),
    ] {
        let loaded = Fake::default().load(instance(line));
        let quotes = loaded
            .diagnostics
            .iter()
            .filter(|d| d.class == Class::UnmatchedQuote)
            .count();
        assert_eq!(
            quotes,
            usize::from(!shell),
            "{line} {:?}",
            loaded.diagnostics
        );
        assert_eq!(
            exit_status_of_test(&loaded.diagnostics) == 5,
            !shell,
            "{line}"
        );
    }
    let script = |text: &str| {
        format!(
            "vrrp_script s {{\nscript {text}\n}}\n{}",
            instance("track_script {\ns\n}")
        )
    };
    let loaded = Fake::default().load(script("\"/bin/x \\\"q\\\" \\\"a b\\\"\""));
    assert!(
        loaded
            .diagnostics
            .iter()
            .all(|d| d.class != Class::UnmatchedQuote)
    );
    assert_eq!(loaded.settings.unwrap().vrrp.instances.len(), 1);
    let loaded = Fake::default().load(script("\"/bin/x \\\"q\""));
    let text = crate::describe(&loaded.settings.unwrap());
    assert!(text.contains("command = '/bin/x' '\"q'"), "{text}");
}
