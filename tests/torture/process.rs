//! The server under torture: any Redis-compatible program, its directory, and its ends.
//!
//! Unlike the `Server` of the other tests a start that fails is no end of the test here, but a result.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::support::client::{Client, Value};

/// A start takes a few hundredths of a second; on a machine that is busy with other things it may take long.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// What a Pinstripe ends with when somebody else has the port; redis-server says so in words.
const EXIT_ADDRESS_IN_USE: i32 = 76;

/// Which program is tortured.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) binary: PathBuf,
    /// It is a redis-server: a few directives have other names or defaults.
    pub(crate) redis: bool,
    /// Variables that the process is given besides ours.
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// A start that came to nothing.
#[derive(Debug)]
pub(crate) struct Refused {
    /// `None` when it had to be killed, or was by a signal.
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no start (exit code {:?}): {}", self.code, self.said.trim())
    }
}

/// A running server. Dropped, it is killed.
pub(crate) struct Process {
    child: Child,
    pub(crate) port: u16,
}

impl Process {
    /// Starts on `dir` and waits until it answers. `output` gets what it says.
    pub(crate) fn start(
        target: &Target,
        dir: &Path,
        output: &Path,
        arguments: &[&str],
    ) -> Result<Process, Refused> {
        Process::start_until(target, dir, output, arguments, |reply| reply.error().is_none())
    }

    /// The same for a server with a password: that it asks for it will do.
    pub(crate) fn start_closed(
        target: &Target,
        dir: &Path,
        output: &Path,
        arguments: &[&str],
    ) -> Result<Process, Refused> {
        let asks = |reply: &Value| reply.error().is_some_and(|error| error.starts_with("NOAUTH"));
        Process::start_until(target, dir, output, arguments, asks)
    }

    fn start_until(
        target: &Target,
        dir: &Path,
        output: &Path,
        arguments: &[&str],
        is_up: impl Fn(&Value) -> bool,
    ) -> Result<Process, Refused> {
        for _ in 0..5 {
            let mut process = Process::spawn(target, dir, output, arguments);
            match process.wait_until_up(&is_up) {
                Ok(()) => return Ok(process),
                Err(code) => {
                    process.kill9();
                    let said = last_words(output);
                    if code != Some(EXIT_ADDRESS_IN_USE) && !said.contains("Address already in use") {
                        return Err(Refused { code, said });
                    }
                }
            }
        }
        Err(Refused { code: None, said: "no free port".to_owned() })
    }

    fn spawn(target: &Target, dir: &Path, output: &Path, arguments: &[&str]) -> Process {
        let port = free_port();
        let file = File::create(output).expect("a file for the server's output");
        let errors = file.try_clone().expect("a second handle of it");
        let mut command = Command::new(&target.binary);
        command.args(["--port", &port.to_string(), "--dir"]).arg(dir);
        command.args(["--appendonly", "yes", "--save", "", "--enable-debug-command", "yes"]);
        command.envs(target.environment.iter().cloned());
        if !target.redis {
            // A few clients would all be served by one worker, and nothing would happen at the same time.
            command.args(["--io-threads-spread", "yes"]);
        }
        command.args(arguments).stdin(Stdio::null()).stdout(file).stderr(errors);
        Process { child: command.spawn().expect("the server's process"), port }
    }

    /// The exit code when it ended instead.
    fn wait_until_up(&mut self, is_up: &impl Fn(&Value) -> bool) -> Result<(), Option<i32>> {
        let began = Instant::now();
        while began.elapsed() < START_TIMEOUT {
            if let Some(status) = self.child.try_wait().expect("the server's status") {
                return Err(status.code());
            }
            let pid = self.child.id();
            let answers = Client::connect(("127.0.0.1", self.port))
                .and_then(|mut client| Ok(is_up(&client.try_call(&["PING"])?) && client.is_of(pid)?));
            if answers.is_ok_and(|answers| answers) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(None)
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(("127.0.0.1", self.port)).expect("a connection to the server")
    }

    pub(crate) fn kill9(&mut self) {
        // Already ended is as good as killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM; whether it ended by itself with exit code 0.
    pub(crate) fn terminate(&mut self) -> bool {
        // The shell's own kill: the program of that name is not on every machine.
        let order = format!("kill -TERM {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &order]).status();
        sent.is_ok_and(|status| status.success()) && self.end(START_TIMEOUT) == Some(Some(0))
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its own end, for a while.
    pub(crate) fn end(&mut self, patience: Duration) -> Option<Option<i32>> {
        let began = Instant::now();
        while began.elapsed() < patience {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status.code());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        None
    }

    /// Resident memory in bytes; 0 when it has ended.
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        line.trim().trim_end_matches(" kB").parse::<u64>().map_or(0, |kb| kb * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
    }
}

fn last_words(output: &Path) -> String {
    let said = String::from_utf8_lossy(&fs::read(output).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(6)..].join(" / ")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// A directory of one's own in memory, where there is such a place: a kill loses nothing that was handed to the operating
/// system, so a disk would only cost time.
pub(crate) fn scratch() -> tempfile::TempDir {
    let fast = Path::new("/dev/shm");
    let place = if fast.is_dir() { fast.to_path_buf() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("torture-").tempdir_in(place).expect("a directory")
}

/// Copies a directory and what is in it.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let path = entry.path();
        if path.is_dir() {
            copy_tree(&path, &to.join(entry.file_name()));
        } else {
            fs::copy(&path, to.join(entry.file_name())).expect("a copy");
        }
    }
}
