//! What processes of this machine take: memory and processor time.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::{Value, json};

use crate::client::output::plain;

/// How many samples of a process are kept; beyond, every second one is dropped.
const SAMPLES: usize = 240;

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
        let known = pid.parse().ok().filter(|pid| *pid > 0);
        let pid = known.ok_or_else(|| format!("{pid:?} is no process id"))?;
        let name = match name {
            "" => format!("process {pid}"),
            name => plain(name),
        };
        Ok(Self { name, pid })
    }
}

/// A process, and what it took so far.
pub(super) struct Watched {
    pid: WatchedPid,
    /// Tells it from a later process of the same id.
    started: u64,
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

impl Watched {
    /// Begins to watch a process.
    pub(super) fn begin(pid: &WatchedPid) -> anyhow::Result<Self> {
        ensure!(
            cfg!(target_os = "linux"),
            "--watch-pid reads /proc, which only Linux has"
        );
        let (started, first) = read(pid.pid, Duration::ZERO)
            .with_context(|| format!("--watch-pid: {} cannot be watched", pid.name))?;
        Ok(Self {
            pid: pid.clone(),
            started,
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
        let now = read(self.pid.pid, since).ok();
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
            self.samples = self.samples.iter().copied().step_by(2).collect();
            self.every *= 2;
        }
    }

    /// What it took.
    pub(super) fn usage(&self) -> Value {
        let (first, last) = (self.samples[0], self.last);
        let grown = last.resident_kib as f64 / first.resident_kib.max(1) as f64 - 1.0;
        let cpu_seconds = last.cpu_seconds - first.cpu_seconds;
        let seconds = (last.at_seconds - first.at_seconds).max(0.001);
        json!({
            "name": self.pid.name,
            "pid": self.pid.pid,
            "startKib": first.resident_kib,
            "endKib": last.resident_kib,
            "maxKib": self.most,
            "growthPercent": rounded(grown * 100.0),
            "cpuSeconds": rounded(cpu_seconds),
            // Of one core.
            "cpuPercent": rounded(cpu_seconds / seconds * 100.0),
            "hasEnded": self.has_ended,
            "samples": self.samples,
        })
    }

    /// What it is called, where it ended while it was watched.
    pub(super) fn ended(&self) -> Option<&str> {
        self.has_ended.then_some(&self.pid.name)
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
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read_whatever_a_process_calls_itself() {
        let stat = "12 (a) R 1 (b) S 1 2 3 4 5 6 7 8 9 10 250 50 13 14 15 16 17 18 4711 20 21";
        assert_eq!(times(stat), Some((4711, 3.0)));
        assert_eq!(times("12 (a) S 1"), None);
        assert_eq!(resident("Name:\tx\nVmRSS:\t  1234 kB\nX: 1"), Some(1234));
        assert_eq!(resident("Name:\tzombie"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_watched_by_its_id_and_one_that_is_not_there_is_named() {
        let own: WatchedPid = std::process::id().to_string().parse().expect("a process");
        assert!(own.name.starts_with("process "), "{own:?}");
        let mut watched = Watched::begin(&own).expect("a process");
        let taken = vec![1_u8; 256 << 20];
        for second in 1..=1000 {
            watched.look(Duration::from_secs(second));
        }
        assert!(taken.iter().all(|byte| *byte == 1));
        let usage = watched.usage();
        let kib = |name: &str| usage[name].as_u64().expect("KiB");
        assert!(kib("endKib") >= kib("startKib") + (200 << 10), "{usage}");
        assert!(kib("maxKib") >= kib("endKib"), "{usage}");
        assert_eq!(watched.ended(), None);
        assert!((2..=SAMPLES).contains(&watched.samples.len()));
        for text in ["", "worker=", "a=b=1", "0", "-1"] {
            assert!(text.parse::<WatchedPid>().is_err(), "{text}");
        }
        let nobody = "nobody=2147483647".parse().expect("an id");
        let error = Watched::begin(&nobody).err().expect("nobody is there");
        let error = format!("{error:#}");
        assert!(error.contains("nobody cannot be watched"), "{error}");
    }
}
