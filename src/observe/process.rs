//! What the operating system knows of this process: its pages and the time it has computed.
//!
//! Read from `/proc` on Linux. Where there is none, or a line is missing, the answer is 0: these figures are for people
//! and dashboards, and nothing is decided by them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// Length of a clock tick in `/proc/*/stat`: a hundredth of a second, fixed for programs whatever the kernel's own is.
const TICK: Duration = Duration::from_millis(10);

/// Bytes of this process that are in memory.
pub fn resident_bytes() -> u64 {
    kilobytes(&read("/proc/self/status"), "VmRSS:")
}

/// Bytes of memory that the machine has.
pub fn system_bytes() -> u64 {
    kilobytes(&read("/proc/meminfo"), "MemTotal:")
}

/// The anonymous mapping that an address lies in, `None` if it is not known.
pub fn mapping_of(address: usize) -> Option<Range<usize>> {
    find_mapping(&read("/proc/self/maps"), address)
}

/// Whether this is the only thread of the process; false if that is not known.
pub fn is_single_threaded() -> bool {
    read("/proc/self/status").lines().any(|line| line.split_whitespace().eq(["Threads:", "1"]))
}

/// Whether the machine's owner lets programs have huge pages.
pub fn may_use_huge_pages() -> bool {
    let modes = read("/sys/kernel/mm/transparent_hugepage/enabled");
    modes.contains("[madvise]") || modes.contains("[always]")
}

/// The kernel's release, such as `6.1.0`; empty if it is not known.
pub fn kernel_release() -> String {
    read("/proc/sys/kernel/osrelease").trim().to_owned()
}

/// Time spent computing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// In the kernel.
    pub system: Duration,
    /// In the program.
    pub user: Duration,
}

/// The operating system's number of the calling thread; 0 if it is not known.
pub fn thread_number() -> u32 {
    let link = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    link.file_name().and_then(|name| name.to_str()?.parse().ok()).unwrap_or(0)
}

/// Nanoseconds that a thread of this process has computed; 0 if that is not known.
pub fn thread_nanos(number: u32) -> u64 {
    thread_times(number).0
}

/// The same, and nanoseconds that it could have computed in and had no core.
pub fn thread_times(number: u32) -> (u64, u64) {
    let line = read(&format!("/proc/self/task/{number}/schedstat"));
    let mut fields = line.split_whitespace().map(|field| field.parse().unwrap_or(0));
    (fields.next().unwrap_or(0), fields.next().unwrap_or(0))
}

/// Nanoseconds that each thread of this process has computed, by its name; those of one name are added up. The kernel
/// keeps only the first 15 bytes of a name.
pub fn threads() -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return found };
    let numbers = tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse::<u32>().ok());
    for number in numbers {
        let name = read(&format!("/proc/self/task/{number}/comm"));
        *found.entry(name.trim_end().to_owned()).or_default() += thread_nanos(number);
    }
    found
}

/// Time that the machine's cores have had nothing to do, summed over them.
pub fn idle_time() -> Duration {
    let stat = read("/proc/stat");
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(4);
    TICK * fields.take(2).filter_map(|field| field.parse::<u32>().ok()).fold(0, u32::saturating_add)
}

/// Time that all threads of this process have computed.
pub fn cpu_time() -> CpuTime {
    parse_stat(&read("/proc/self/stat"))
}

/// Time that the thread of `main` has computed.
pub fn main_thread_cpu_time() -> CpuTime {
    // The first thread has the number of the process.
    parse_stat(&read(&format!("/proc/self/task/{}/stat", std::process::id())))
}

/// The 14th and 15th field, in ticks. The second one is the program's name in brackets, which may hold blanks.
fn parse_stat(line: &str) -> CpuTime {
    let after_name = line.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut ticks = after_name.split_whitespace().skip(11).map(|field| field.parse::<u32>().unwrap_or(0));
    let user = TICK * ticks.next().unwrap_or(0);
    let system = TICK * ticks.next().unwrap_or(0);
    CpuTime { system, user }
}

/// The value of a line such as `VmRSS:   1234 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    number.map_or(0, |kilobytes| kilobytes.saturating_mul(1024))
}

/// Looks for an address in lines such as `7f0000000000-7f0000200000 rw-p 00000000 00:00 0`; a file's have its name behind.
fn find_mapping(maps: &str, address: usize) -> Option<Range<usize>> {
    maps.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (from, to) = words.next()?.split_once('-')?;
        let range = usize::from_str_radix(from, 16).ok()?..usize::from_str_radix(to, 16).ok()?;
        (range.contains(&address) && words.count() == 4).then_some(range)
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "/proc is the kernel speaking, not a file that could be lost or torn"
)]
fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_blanks_and_brackets_does_not_shift_the_fields() {
        let line = "42 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 250 30 0 0";
        let time = CpuTime { system: Duration::from_millis(300), user: Duration::from_millis(2500) };
        assert_eq!(parse_stat(line), time);
        assert_eq!(parse_stat(""), CpuTime::default());
    }

    #[test]
    fn sizes_are_read_in_bytes() {
        let text = "Name:\tx\nVmRSSx: 1 kB\nVmRSS:\t   1234 kB\n";
        assert_eq!(kilobytes(text, "VmRSS:"), 1234 * 1024);
        assert_eq!(kilobytes(text, "MemTotal:"), 0);
    }

    #[test]
    fn an_anonymous_mapping_is_found_by_an_address_in_it() {
        let maps = "1000-3000 rw-p 00000000 fe:00 17    /bin/x\n4000-6000 rw-p 00000000 00:00 0 \n";
        assert_eq!(find_mapping(maps, 0x5fff), Some(0x4000..0x6000));
        assert_eq!(find_mapping(maps, 0x6000), None);
        assert_eq!(find_mapping(maps, 0x2000), None, "a file's");
        assert_eq!(find_mapping("", 0x2000), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_occupies_memory_of_this_machine() {
        assert!(resident_bytes() > 100 * 1024);
        assert!(system_bytes() > resident_bytes());
        assert!(!kernel_release().is_empty());
        assert!(threads().values().sum::<u64>() > 0);
    }
}
