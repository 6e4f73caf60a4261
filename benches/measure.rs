//! The cost of a process: time, processor time, peak memory.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The kernel counts processor time in hundredths of a second.
const TICKS: f64 = 100.0;

/// The cost of one process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub seconds: f64,
    pub processor: f64,
    pub peak_kib: u64,
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Cost {
    let before = children();
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut peak_kib = 0;
    let status = loop {
        peak_kib = peak_kib.max(peak(child.id()));
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(matches!(status.code(), Some(0 | 1 | 3)), "{command:?} ended with {status}");
    Cost { seconds: started.elapsed().as_secs_f64(), processor: children() - before, peak_kib }
}

/// Processor time of the children that have ended.
fn children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    ticks(&stat, 15) + ticks(&stat, 16)
}

/// Processor time of a child that goes on.
pub(crate) fn busy(child: &Child) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    ticks(&stat, 13) + ticks(&stat, 14)
}

/// A field of /proc/PID/stat, counted from 0; the name in field 1 may hold spaces.
fn ticks(stat: &str, field: usize) -> f64 {
    let rest = stat.rsplit(')').next().unwrap_or_default();
    rest.split_whitespace().nth(field - 2).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0) / TICKS
}

fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The middle one of an odd number of figures.
pub(crate) fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The middle one of an odd number of costs, by time.
pub(crate) fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    costs[costs.len() / 2]
}
