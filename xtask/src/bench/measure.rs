//! What the kernel says of processes and interfaces, and the statistics made of it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab::{Host, Pid};

/// CPU time, user and system, that these processes have used so far, to the nanosecond.
///
/// Interrupts that came in meanwhile are part of it, as they are of everything the kernel accounts to a process; the
/// way of a packet through a veth pair is.
///
/// # Errors
/// When one of them is gone.
pub(super) fn cpu_time(processes: &[Pid]) -> Result<Duration> {
    let mut total = Duration::ZERO;
    for pid in processes {
        let path = format!("/proc/{pid}/task");
        for task in fs::read_dir(&path).with_context(|| format!("cannot read {path}"))? {
            let path = task
                .with_context(|| format!("cannot read {path}"))?
                .path()
                .join("schedstat");
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            total +=
                running_time(&text).with_context(|| format!("{} says {text:?}", path.display()))?;
        }
    }
    Ok(total)
}

/// The first of the three numbers of a schedstat file: nanoseconds on a CPU.
fn running_time(schedstat: &str) -> Option<Duration> {
    let first = schedstat.split_whitespace().next()?;
    first.parse().ok().map(Duration::from_nanos)
}

/// Proportional set size of these processes together, in KiB: memory of their own, plus their share of what they
/// share with others.
///
/// # Errors
/// When one of them is gone.
pub(super) fn pss(processes: &[Pid]) -> Result<u64> {
    let mut total = 0;
    for pid in processes {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        total += pss_line(&text).with_context(|| format!("{path} has no line \"Pss\""))?;
    }
    Ok(total)
}

fn pss_line(rollup: &str) -> Option<u64> {
    let rest = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    rest.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Packets that passed a host's interfaces since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Packets {
    /// That came in.
    pub(super) received: u64,
    /// That went out.
    pub(super) sent: u64,
}

/// The packets of a host's Ethernet interfaces, counted by the interfaces themselves: nobody has to look at them.
///
/// # Errors
/// Not expected.
pub(super) fn packets(host: &Host) -> Result<Packets> {
    // Not /proc/net: that is the namespace of the first thread, whoever asks.
    let text = host.run(|| fs::read_to_string("/proc/thread-self/net/dev"))??;
    match count_packets(&text) {
        Some(packets) => Ok(packets),
        None => bail!("/proc/net/dev is not understood: {text}"),
    }
}

fn count_packets(table: &str) -> Option<Packets> {
    let mut packets = Packets::default();
    for line in table.lines() {
        let Some((name, numbers)) = line.split_once(':') else {
            continue; // a heading
        };
        if !name.trim_start().starts_with("eth") {
            continue;
        }
        let numbers: Vec<u64> = numbers
            .split_whitespace()
            .map(|word| word.parse().ok())
            .collect::<Option<_>>()?;
        // bytes, packets, and six more of what came in; then the same of what went out
        packets.received += numbers.get(1)?;
        packets.sent += numbers.get(9)?;
    }
    Some(packets)
}

/// The value below which `per_mille` of 1000 of the values lie, by nearest rank; `None` when there are none.
pub(super) fn quantile(values: &[f64], per_mille: usize) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * per_mille.min(1000)).div_ceil(1000);
    sorted.get(rank.saturating_sub(1)).copied()
}

/// The middle one, or between the two in the middle.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some((sorted.get(sorted.len() / 2 - 1)? + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_kernel_are_read() {
        assert_eq!(
            running_time("461605713 89865104 60\n"),
            Some(Duration::from_nanos(461_605_713))
        );
        assert_eq!(running_time(""), None);
        let rollup = "555de9c99000-7ffd10e76000 ---p 00000000 00:00 0    [rollup]\nRss:    1780 kB\nPss:     377 kB\nPss_Dirty:    116 kB\n";
        assert_eq!(pss_line(rollup), Some(377));
        assert_eq!(pss_line("Rss: 1 kB\n"), None);
        let table = "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes packets\n    lo: 8389 117 0 0 0 0 0 0 8389 117 0 0 0 0 0 0\n  eth0: 10 1 0 0 0 0 0 0 20 2 0 0 0 0 0 0\n  eth1: 10 3 0 0 0 0 0 0 20 4 0 0 0 0 0 0\n";
        assert_eq!(
            count_packets(table),
            Some(Packets {
                received: 4,
                sent: 6
            })
        );
        assert_eq!(count_packets("eth0: 1 2"), None);
    }

    /// Not this process: the threads of its other tests come and go while they are counted.
    #[test]
    fn a_process_that_works_uses_cpu_time_and_memory() {
        let mut busy = std::process::Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .unwrap();
        let pid = [Pid::new(i32::try_from(busy.id()).unwrap()).unwrap()];
        let measured = cpu_time(&pid).and_then(|before| {
            // It works all the time, so this ends.
            while cpu_time(&pid)? <= before {}
            pss(&pid)
        });
        busy.kill().unwrap();
        busy.wait().unwrap();
        assert!(measured.unwrap() > 0);
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        assert_eq!(quantile(&values, 500), Some(10.0));
        assert_eq!(quantile(&values, 900), Some(18.0));
        assert_eq!(quantile(&values, 990), Some(20.0));
        assert_eq!(quantile(&values, 1000), Some(20.0));
        assert_eq!(quantile(&values, 0), Some(1.0));
        assert_eq!(quantile(&[], 500), None);
    }

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }
}
