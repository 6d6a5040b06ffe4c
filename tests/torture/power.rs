//! The power goes: a file system of our own on a loop device, shut down in the middle of writing.
//!
//! ext4's shutdown ioctl (what xfstests calls "godown") ends all writing at once, without a last commit of the journal;
//! every write and sync from then on fails. So there is no race in the oracle: whatever the clients hold as acknowledged was
//! acknowledged before, or should not have been. Then the process is killed, the file system unmounted and mounted again,
//! which replays its journal, and the server started on what is left.
//!
//! It loses data and names that were not synced, as a power cut does; it does not reorder what a disk's own cache holds.
//! That is the simulated disk's part. Needs root and loop devices.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::dice::Dice;
use super::process::{Process, scratch};
use super::report::{Order, Outcome, side_by_side};
use super::traffic::{Promise, Traffic};

/// Enough for seconds of unsynced writes; the file is sparse.
const IMAGE_LEN: u64 = 512 * 1024 * 1024;
const WRITERS: usize = 4;
/// File systems that are tortured at the same time.
const SERVERS: u64 = 2;
/// Rounds on one file system.
const ROUNDS: usize = 25;
/// `EXT4_IOC_SHUTDOWN`, and "do not even write the journal out".
const EXT4_IOC_SHUTDOWN: libc::c_ulong = 0x8004_587d;
const NO_LOG_FLUSH: u32 = 2;
/// With `everysec` no more is lost than two seconds and one sync; how long that takes here, a probe measures.
const EVERYSEC_LAG: Duration = Duration::from_millis(2_500);
const UNMOUNT_TIMEOUT: Duration = Duration::from_secs(10);
const PROBE_PAUSE: Duration = Duration::from_millis(20);

/// A file system in a file, mounted. Dropped, it is unmounted.
pub(crate) struct Mount {
    place: PathBuf,
    image: PathBuf,
    mounted: bool,
}

impl Mount {
    /// Makes an ext4 below `home` and mounts it; the reason if this machine does not allow that.
    pub(crate) fn ext4(home: &Path) -> Result<Mount, String> {
        let (image, place) = (home.join("image"), home.join("mount"));
        std::fs::create_dir_all(&place).map_err(|e| e.to_string())?;
        File::create(&image).and_then(|file| file.set_len(IMAGE_LEN)).map_err(|e| e.to_string())?;
        run("mkfs.ext4", &["-q", "-F", &image.to_string_lossy()])?;
        let mut mount = Mount { place, image, mounted: false };
        mount.mount()?;
        Ok(mount)
    }

    /// A file system in memory of so many bytes.
    pub(crate) fn tmpfs(home: &Path, bytes: u64) -> Result<Mount, String> {
        let place = home.join("mount");
        std::fs::create_dir_all(&place).map_err(|e| e.to_string())?;
        run("mount", &["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs", &place.to_string_lossy()])?;
        Ok(Mount { image: PathBuf::new(), place, mounted: true })
    }

    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    fn mount(&mut self) -> Result<(), String> {
        run("mount", &["-o", "loop", &self.image.to_string_lossy(), &self.place.to_string_lossy()])?;
        self.mounted = true;
        Ok(())
    }

    /// It may be in use for a moment: another thread that starts a program has a child which holds all open files until it has
    /// become that program.
    fn unmount(&mut self) -> Result<(), String> {
        let began = Instant::now();
        while let Err(why) = run("umount", &[&self.place.to_string_lossy()]) {
            if began.elapsed() > UNMOUNT_TIMEOUT {
                return Err(why);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.mounted = false;
        Ok(())
    }

    fn cut_the_power(&self) -> Result<(), String> {
        let root = File::open(&self.place).map_err(|e| e.to_string())?;
        shutdown(&root).map_err(|e| format!("the shutdown ioctl: {e}"))
    }
}

#[expect(unsafe_code, reason = "the standard library has no ioctl; the argument outlives the call")]
fn shutdown(root: &File) -> std::io::Result<()> {
    let flags = NO_LOG_FLUSH;
    // SAFETY: the descriptor is open, and the kernel reads four bytes at the address of a live u32.
    let result = unsafe { libc::ioctl(root.as_raw_fd(), EXT4_IOC_SHUTDOWN, &raw const flags) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.mounted {
            let _ = self.unmount();
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

pub(crate) fn run_harness(order: &Order) -> Outcome {
    match Mount::ext4(scratch().path()) {
        Ok(_) => {}
        Err(why) => return Outcome::skipped(why),
    }
    let mut outcome = side_by_side(order, SERVERS, file_systems);
    outcome.require("power cuts", 3);
    outcome
}

/// One file system after the other.
fn file_systems(order: &Order) -> Outcome {
    let mut outcome = Outcome::default();
    let mut dice = Dice::new(order.seed);
    // `always` has the strongest promise, so it gets half of the rounds.
    let modes = ["always", "everysec", "always", "no"];
    let mut era = 0;
    while !order.is_over() {
        let fsync = modes[era % modes.len()];
        if let Err(why) = one_file_system(order, &mut dice, fsync, &mut outcome) {
            outcome.fail(format!("{fsync}: {why}"));
        }
        era += 1;
    }
    outcome
}

fn one_file_system(order: &Order, dice: &mut Dice, fsync: &str, outcome: &mut Outcome) -> Result<(), String> {
    let home = scratch();
    let mut mount = Mount::ext4(home.path())?;
    let (dir, output) = (mount.place().join("data"), home.path().join("output"));
    std::fs::create_dir(&dir).map_err(|e| e.to_string())?;
    let workers = *dice.pick(&["1", "2", "4"]);
    let arguments = ["--appendfsync", fsync, "--io-threads", workers];
    let start = || Process::start(&order.target, &dir, &output, &arguments).map_err(|e| e.to_string());
    let mut traffic = Traffic::new(WRITERS, dice.next());
    let mut server = start()?;
    // The directory itself must have reached the disk, as it has on a server that was not set up a moment ago.
    File::open(mount.place()).and_then(|root| root.sync_all()).map_err(|e| e.to_string())?;
    for round in 0..if order.short { 5 } else { ROUNDS } {
        if order.is_over() {
            break;
        }
        // Some rounds with `everysec` are long enough to see its second.
        let long = fsync == "everysec" && round % 8 == 7;
        let length = if long { dice.between(3_000, 4_000) } else { dice.between(10, 120) };
        let mut cut = Ok(());
        let failed = outcome.failures();
        let rewrites = dice.one_in(2);
        let (witness, slowest) = std::thread::scope(|scope| {
            let probe = long.then(|| scope.spawn(|| slowest_sync(mount.place())));
            let witness =
                traffic.round(&mut server, Duration::from_millis(length as u64), rewrites, |server| {
                    cut = mount.cut_the_power();
                    // A moment for what should not be acknowledged any more, but would be.
                    std::thread::sleep(Duration::from_millis(5));
                    server.kill9();
                });
            (witness, probe.map_or(Duration::ZERO, |probe| probe.join().expect("the probe")))
        });
        cut?;
        mount.unmount()?;
        mount.mount()?;
        let promise = match fsync {
            "always" => Promise::Everything { observed: true, before_end: true },
            "everysec" => Promise::Prefix { lag: EVERYSEC_LAG + slowest },
            _ => Promise::Prefix { lag: Duration::from_secs(86_400) },
        };
        server = start().inspect_err(|_| outcome.count("starts refused", 1))?;
        let mut client = server.client();
        traffic.verify(&mut client, &witness, promise, outcome).map_err(|e| e.to_string())?;
        outcome.count("power cuts", 1);
        outcome.count(&format!("of them with {fsync}"), 1);
        outcome.count("acknowledged units", witness.acknowledged());
        outcome.peak("ms for a sync in such a round at most", slowest.as_millis() as u64);
        if outcome.failures() > failed {
            outcome.fail(format!("… in round {round} with appendfsync {fsync}, io-threads {workers}"));
        }
    }
    Ok(())
}

/// Syncs a file of its own until the power goes, and tells how long that took at most.
fn slowest_sync(place: &Path) -> Duration {
    let mut slowest = Duration::ZERO;
    let Ok(mut file) = File::create(place.join("probe")) else { return slowest };
    loop {
        let began = Instant::now();
        let synced = file.write_all(b"a line").and_then(|()| file.sync_data());
        slowest = slowest.max(began.elapsed());
        if synced.is_err() {
            return slowest;
        }
        std::thread::sleep(PROBE_PAUSE);
    }
}
