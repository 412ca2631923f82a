//! What processes of this machine take: memory and processor time.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Serialize;

use crate::client::output::plain;

/// How many samples of a process are kept; beyond, every second one is let go.
const SAMPLES: usize = 240;

/// The longest name.
const MAX_NAME: usize = 64;

/// A process to be watched, and what to call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WatchedPid {
    name: String,
    pid: u32,
}

impl FromStr for WatchedPid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, pid) = text.split_once('=').unwrap_or(("", text));
        let pid: u32 = pid
            .parse()
            .ok()
            .filter(|pid| (1..=i32::MAX as u32).contains(pid))
            .ok_or_else(|| format!("{pid:?} is no process id"))?;
        let is_name = name.len() <= MAX_NAME && !name.chars().any(char::is_control);
        if !is_name || text.starts_with('=') {
            return Err(format!(
                "a process' name has 1 to {MAX_NAME} bytes, and no control characters"
            ));
        }
        let name = if name.is_empty() {
            format!("process {pid}")
        } else {
            name.to_owned()
        };
        Ok(Self { name, pid })
    }
}

/// A process, and what it took so far.
pub(super) struct Watched {
    name: String,
    pid: u32,
    /// Tells it from a later process of the same id.
    started: u64,
    first: Sample,
    last: Sample,
    most: u64,
    samples: Vec<Sample>,
    /// Of how many samples one is kept.
    every: usize,
    taken: usize,
    has_ended: bool,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sample {
    /// Since the start of the load.
    at_seconds: f64,
    resident_kib: u64,
    #[serde(skip)]
    cpu_seconds: f64,
}

/// What a process took.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Usage {
    pub(super) name: String,
    pub(super) pid: u32,
    pub(super) start_kib: u64,
    pub(super) end_kib: u64,
    pub(super) max_kib: u64,
    pub(super) growth_percent: f64,
    pub(super) cpu_seconds: f64,
    /// Of one core.
    pub(super) cpu_percent: f64,
    pub(super) has_ended: bool,
    samples: Vec<Sample>,
}

impl Watched {
    /// Begins to watch a process.
    pub(super) fn begin(watched: &WatchedPid) -> anyhow::Result<Self> {
        ensure!(
            cfg!(target_os = "linux"),
            "--watch-pid reads /proc, which only Linux has"
        );
        let WatchedPid { name, pid } = watched.clone();
        let (started, first) = read(pid, Duration::ZERO)
            .with_context(|| format!("--watch-pid: {} cannot be watched", plain(&name)))?;
        Ok(Self {
            name,
            pid,
            started,
            first,
            last: first,
            most: first.resident_kib,
            samples: vec![first],
            every: 1,
            taken: 1,
            has_ended: false,
        })
    }

    /// Looks at it again, so long after the start.
    pub(super) fn look(&mut self, since: Duration) {
        let now = read(self.pid, since).ok();
        let now = now.filter(|(started, _)| *started == self.started && !self.has_ended);
        let Some((_, sample)) = now else {
            self.has_ended = true;
            return;
        };
        self.last = sample;
        self.most = self.most.max(sample.resident_kib);
        if self.taken.is_multiple_of(self.every) {
            self.samples.push(sample);
        }
        self.taken += 1;
        if self.samples.len() > SAMPLES {
            let mut number = 0;
            self.samples.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.every *= 2;
        }
    }

    /// What it took.
    pub(super) fn usage(&self) -> Usage {
        let (first, last) = (self.first, self.last);
        let grown = last.resident_kib as f64 / first.resident_kib.max(1) as f64 - 1.0;
        let cpu_seconds = last.cpu_seconds - first.cpu_seconds;
        let seconds = (last.at_seconds - first.at_seconds).max(0.001);
        Usage {
            name: self.name.clone(),
            pid: self.pid,
            start_kib: first.resident_kib,
            end_kib: last.resident_kib,
            max_kib: self.most,
            growth_percent: rounded(grown * 100.0),
            cpu_seconds: rounded(cpu_seconds),
            cpu_percent: rounded(cpu_seconds / seconds * 100.0),
            has_ended: self.has_ended,
            samples: self.samples.clone(),
        }
    }
}

fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// When a process started, in the system's own ticks, and what it takes.
fn read(pid: u32, since: Duration) -> anyhow::Result<(u64, Sample)> {
    let file = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))
    };
    let (started, cpu_seconds) =
        times(&file("stat")?).with_context(|| format!("/proc/{pid}/stat is not as expected"))?;
    let resident_kib = resident(&file("status")?)
        .with_context(|| format!("process {pid} has no memory of its own: it is over"))?;
    let sample = Sample {
        at_seconds: rounded(since.as_secs_f64()),
        resident_kib,
        cpu_seconds,
    };
    Ok((started, sample))
}

/// Of `/proc/PID/stat`: when it started, and its processor time in seconds.
/// The fields are counted from behind its name, which may hold anything.
fn times(stat: &str) -> Option<(u64, f64)> {
    /// The kernel tells programs of hundredths of a second, whatever it
    /// counts in itself (`USER_HZ`).
    const TICKS: f64 = 100.0;
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let cpu = number(11)? + number(12)?;
    Some((number(19)?, cpu as f64 / TICKS))
}

/// Of `/proc/PID/status`: the resident memory in KiB.
fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_named_or_not() {
        let read = |text: &str| text.parse::<WatchedPid>();
        let named = read("worker=12").expect("a process");
        assert_eq!((named.name.as_str(), named.pid), ("worker", 12));
        assert_eq!(read("12").expect("a process").name, "process 12");
        for (text, part) in [
            ("", "is no process id"),
            ("worker", "\"worker\" is no process id"),
            ("worker=", "is no process id"),
            ("a=b=1", "\"b=1\" is no process id"),
            ("0", "is no process id"),
            ("-1", "is no process id"),
            ("4294967295", "is no process id"),
            ("=1", "a process' name has"),
            ("a\u{1b}b=1", "no control characters"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn what_the_kernel_says_is_read_whatever_a_process_calls_itself() {
        let stat = "12 (a) R 1 (b) S 1 2 3 4 5 6 7 8 9 10 250 50 13 14 15 16 17 18 4711 20 21";
        assert_eq!(times(stat), Some((4711, 3.0)));
        assert_eq!(times("12 (a) S 1"), None);
        assert_eq!(times(""), None);
        assert_eq!(resident("Name:\tx\nVmRSS:\t  1234 kB\nX: 1"), Some(1234));
        assert_eq!(resident("Name:\tzombie"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_that_a_process_takes_is_seen_as_growth() {
        let own = WatchedPid {
            name: "this test".to_owned(),
            pid: std::process::id(),
        };
        let mut watched = Watched::begin(&own).expect("a process");
        let taken = vec![1_u8; 256 << 20];
        for second in 1..=1000 {
            watched.look(Duration::from_secs(second));
        }
        assert!(taken.iter().all(|byte| *byte == 1));
        let usage = watched.usage();
        assert!(usage.end_kib >= usage.start_kib + (200 << 10), "{usage:?}");
        assert!(usage.max_kib >= usage.end_kib, "{usage:?}");
        assert!(usage.growth_percent > 10.0 && !usage.has_ended, "{usage:?}");
        assert!((2..=SAMPLES).contains(&usage.samples.len()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_is_not_there_is_named() {
        let nobody = WatchedPid {
            name: "nobody".to_owned(),
            pid: i32::MAX as u32,
        };
        let error = Watched::begin(&nobody).err().expect("nobody is there");
        assert!(
            format!("{error:#}").contains("nobody cannot be watched"),
            "{error:#}"
        );
    }
}
