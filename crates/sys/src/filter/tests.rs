use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_B, BPF_H, BPF_IMM, BPF_IND, BPF_JA, BPF_JEQ, BPF_JMP, BPF_JSET,
    BPF_K, BPF_LD, BPF_LDX, BPF_MEM, BPF_MISC, BPF_MSH, BPF_RET, BPF_RSH, BPF_ST, BPF_TAX, BPF_W,
    BPF_X,
};

use super::*;

/// The classic BPF machine, as far as our programs use it. Panics on anything else.
fn run(program: &[Instruction], packet: &[u8]) -> u32 {
    let (mut a, mut x, mut memory, mut at) = (0_u32, 0_u32, [0_u32; 16], 0_usize);
    loop {
        let Instruction {
            code,
            then,
            otherwise,
            operand: k,
        } = program[at];
        at += 1;
        let byte = |offset: u32| packet.get(offset as usize).copied().map(u32::from);
        let branch = |holds: bool| usize::from(if holds { then } else { otherwise });
        match code {
            c if c == BPF_LDX | BPF_B | BPF_MSH => match byte(k) {
                Some(value) => x = 4 * (value & 15),
                None => return 0,
            },
            c if c == BPF_LD | BPF_B | BPF_IND => match byte(x + k) {
                Some(value) => a = value,
                None => return 0,
            },
            c if c == BPF_LD | BPF_B | BPF_ABS => match byte(k) {
                Some(value) => a = value,
                None => return 0,
            },
            c if c == BPF_LD | BPF_H | BPF_ABS => match (byte(k), byte(k + 1)) {
                (Some(high), Some(low)) => a = high << 8 | low,
                _ => return 0,
            },
            c if c == BPF_LD | BPF_W | BPF_ABS => {
                let word = packet.get(k as usize..k as usize + 4);
                match word.and_then(|word| word.try_into().ok()) {
                    Some(word) => a = u32::from_be_bytes(word),
                    None => return 0,
                }
            }
            c if c == BPF_LD | BPF_IMM => a = k,
            c if c == BPF_LD | BPF_MEM => a = memory[k as usize],
            c if c == BPF_ST => memory[k as usize] = a,
            c if c == BPF_MISC | BPF_TAX => x = a,
            c if c == BPF_ALU | BPF_AND | BPF_K => a &= k,
            c if c == BPF_ALU | BPF_RSH | BPF_K => a >>= k,
            c if c == BPF_ALU | BPF_RSH | BPF_X => a >>= x,
            c if c == BPF_JMP | BPF_JA => at += k as usize,
            c if c == BPF_JMP | BPF_JEQ | BPF_K => at += branch(a == k),
            c if c == BPF_JMP | BPF_JSET | BPF_K => at += branch(a & k != 0),
            c if c == BPF_RET | BPF_K => return k,
            other => panic!("instruction {other:#x}"),
        }
    }
}

fn packet(family: Family, options: usize, vrid: u8) -> Vec<u8> {
    let mut packet = match family {
        Family::V4 => vec![0; 20 + 4 * options],
        Family::V6 => Vec::new(),
    };
    if let Some(first) = packet.first_mut() {
        *first = 0x45 + u8::try_from(options).unwrap();
    }
    packet.extend([0x31, vrid, 100, 1, 0, 100, 0, 0]);
    packet
}

fn set(vrids: impl IntoIterator<Item = u8>) -> BTreeSet<Vrid> {
    vrids
        .into_iter()
        .map(|vrid| Vrid::new(vrid).unwrap())
        .collect()
}

#[test]
fn every_vrid_alone_passes_alone() {
    for family in [Family::V4, Family::V6] {
        for wanted in 1..=255 {
            let program = vrid_program(family, 0, &set([wanted]));
            for vrid in 0..=255 {
                let expected = if vrid == wanted { WHOLE_PACKET } else { 0 };
                assert_eq!(
                    run(&program, &packet(family, 0, vrid)),
                    expected,
                    "{family} {wanted} {vrid}"
                );
            }
        }
    }
}

#[test]
fn sets_and_header_options() {
    let odd = set((1..=255).filter(|vrid| vrid % 2 == 1 || vrid % 7 == 0));
    for family in [Family::V4, Family::V6] {
        for options in 0..=10 {
            let program = vrid_program(family, 0, &odd);
            for vrid in 0..=255 {
                let expected = Vrid::new(vrid).is_ok_and(|vrid| odd.contains(&vrid));
                assert_eq!(
                    run(&program, &packet(family, options, vrid)) != 0,
                    expected,
                    "{family} {vrid}"
                );
            }
        }
    }
}

#[test]
fn size_is_constant_and_within_the_kernels_limit() {
    for family in [Family::V4, Family::V6] {
        let sizes =
            [set([]), set([1]), set(1..=255)].map(|vrids| only_vrids(family, 0, &vrids).len());
        assert_eq!(sizes[0], sizes[1]);
        assert_eq!(sizes[0], sizes[2]);
        assert!(sizes[0] <= 4096, "BPF_MAXINSNS");
    }
}

#[test]
fn short_packets_and_the_empty_set_pass_nothing() {
    for family in [Family::V4, Family::V6] {
        let whole = packet(family, 0, 7);
        let up_to_vrid = whole.len() - 6;
        let program = vrid_program(family, 0, &set([7]));
        for length in 0..=whole.len() {
            let expected = if length >= up_to_vrid {
                WHOLE_PACKET
            } else {
                0
            };
            assert_eq!(
                run(&program, &whole[..length]),
                expected,
                "{family} {length}"
            );
        }
        let none = vrid_program(family, 0, &set([]));
        assert!((0..=255).all(|vrid| run(&none, &packet(family, 0, vrid)) == 0));
    }
}

#[test]
fn behind_an_authentication_header() {
    let program = vrid_program(Family::V4, 24, &set([7]));
    for options in 0..=10 {
        for vrid in 0..=255 {
            let mut behind = packet(Family::V4, options, 7);
            let header = behind.len() - 8;
            behind.splice(header..header, [99; 24]);
            behind[header + 25] = vrid;
            assert_eq!(run(&program, &behind) != 0, vrid == 7, "{vrid}");
            assert_eq!(
                run(&program, &behind[..header + 25]),
                0,
                "too short to have one"
            );
        }
    }
}

#[test]
fn of_routes_and_additions_only_the_wanted_pass_and_of_the_rest_everything() {
    let notification = |kind: u16, port: u32, protocol: u8| {
        let mut bytes = vec![28, 0, 0, 0];
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(12, 0);
        bytes.extend(port.to_ne_bytes());
        bytes.resize(28, 0);
        bytes[21] = protocol;
        bytes
    };
    for (kind, port, protocol, heard) in [
        // Heard with no filter of routes, or with one.
        (libc::RTM_NEWROUTE, 77, 18, [true, true]),
        (libc::RTM_NEWROUTE, 0, 186, [true, false]),
        (libc::RTM_DELROUTE, 0, 18, [true, true]),
        (libc::RTM_DELROUTE, 0, 2, [true, false]),
        (libc::RTM_NEWLINK, 0, 186, [true, true]),
        (libc::RTM_DELRULE, 0, 0, [true, true]),
        (libc::RTM_DELADDR, 77, 2, [true, true]),
        (libc::RTM_NEWADDR, 78, 2, [true, true]),
        (libc::RTM_NEWADDR, 0, 2, [true, true]),
        (libc::RTM_NEWADDR, 77, 2, [false, false]),
    ] {
        for (routes_but_of, heard) in [None, Some(18)].into_iter().zip(heard) {
            let message = notification(kind, port, protocol);
            let verdict = |additions_of| {
                let unheard = Unheard {
                    additions_of,
                    routes_but_of,
                };
                run(&notification_program(unheard), &message) != 0
            };
            let case =
                format!("type {kind} of port {port}, protocol {protocol}, {routes_but_of:?}");
            assert_eq!(verdict(Some(77)), heard, "{case}");
            let of_own = kind == libc::RTM_NEWADDR && port == 77;
            assert_eq!(verdict(None), heard || of_own, "{case}");
        }
    }
    let program = notification_program(Unheard::default());
    assert_eq!(run(&program, &[0; 3]), 0, "too short to be a message");
}
