//! A server process of a test's own: its directory, its port, its end.
//!
//! The directory outlives the process, so `kill9` and `start_again` are what a crash and a restart are to an operator.
//! When the test fails, what the server said is printed beside the failure.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::client::Client;

/// A debug build on a busy machine that replays a log has started by then.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A server that was asked to end has ended by then.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Between asking for a free port and binding it another program may take it: then the next one is tried.
const PORT_ATTEMPTS: usize = 5;

/// A running server, or the remains of one. Dropping it kills the process and removes the directory.
pub(crate) struct Server {
    home: tempfile::TempDir,
    arguments: Vec<String>,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Starts a server on a free port and an empty directory, and waits until it answers.
    pub(crate) fn start(arguments: &[&str]) -> Server {
        let home = tempfile::tempdir().expect("a directory for the server");
        fs::create_dir(home.path().join("data")).expect("the server's data directory");
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let mut server = Server { home, arguments, port: 0, child: None };
        server.start_again();
        server
    }

    /// Starts the server on the directory that its predecessor left.
    pub(crate) fn start_again(&mut self) {
        for _ in 0..PORT_ATTEMPTS {
            self.kill9();
            self.spawn();
            match self.wait_until_up() {
                Ok(()) => return,
                Err(_) if self.output().contains("in use") => {}
                Err(why) => panic!("the server did not start: {why}\n{}", self.output()),
            }
        }
        panic!("no free port found\n{}", self.output());
    }

    /// Ends the server in the gentle way and starts it again.
    pub(crate) fn restart(&mut self) {
        self.terminate();
        self.start_again();
    }

    /// SIGKILL: no destructor, no last flush.
    pub(crate) fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Already ended is as good as killed.
            let _ = child.kill();
            child.wait().expect("the killed server's status");
        }
    }

    /// SIGTERM, then waits for the end.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        // The shell's own kill: the program of that name is not on every machine.
        let order = format!("kill -TERM {}", self.pid());
        let sent = Command::new("sh").args(["-c", &order]).status().expect("a shell");
        assert!(sent.success(), "SIGTERM could not be sent");
        self.wait_for_end()
    }

    /// Waits until the process ends by itself.
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        let began = Instant::now();
        let mut child = self.child.take().expect("a running server");
        loop {
            if let Some(status) = child.try_wait().expect("the server's status") {
                return status;
            }
            if began.elapsed() > STOP_TIMEOUT {
                let _ = child.kill();
                let _ = child.wait();
                panic!("the server did not end\n{}", self.output());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// A new connection.
    pub(crate) fn client(&self) -> Client {
        match Client::connect(("127.0.0.1", self.port)) {
            Ok(client) => client,
            Err(error) => panic!("no connection to the server: {error}\n{}", self.output()),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running server").id()
    }

    /// The server's directory: what `--dir` says.
    pub(crate) fn dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(path).expect("the server's /proc status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        let kilobytes = line.trim().trim_end_matches(" kB");
        kilobytes.parse::<u64>().expect("VmRSS in kB") * 1024
    }

    /// All that the process and its predecessors wrote to stdout and stderr.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.output_path()).unwrap_or_default()).into_owned()
    }

    fn output_path(&self) -> PathBuf {
        self.home.path().join("output")
    }

    fn spawn(&mut self) {
        self.port = free_port();
        let output = fs::OpenOptions::new().create(true).append(true).open(self.output_path());
        let output = output.expect("the file for the server's output");
        let errors = output.try_clone().expect("a second handle of that file");
        let child = Command::new(binary())
            .args(["--port", &self.port.to_string(), "--dir"])
            .arg(self.dir())
            .args(["--enable-debug-command", "yes", "--save", ""])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn();
        self.child = Some(child.expect("the server's process"));
    }

    /// Whether it is up, and it is this one that is. Whoever has not given the password is told of that even while the data
    /// loads, so it is given.
    fn answers(&self) -> io::Result<bool> {
        let mut client = Client::connect(("127.0.0.1", self.port))?;
        if let Some(at) = self.arguments.iter().position(|word| word == "--requirepass") {
            client.try_call(&["AUTH", &self.arguments[at + 1]])?;
        }
        let reply = client.try_call(&["PING"])?;
        let is_loading = reply.error().is_some_and(|text| text.starts_with("LOADING"));
        Ok(!is_loading && client.is_of(self.pid())?)
    }

    /// Waits for the first reply that is not "still loading".
    fn wait_until_up(&mut self) -> Result<(), String> {
        let began = Instant::now();
        while began.elapsed() < START_TIMEOUT {
            if !self.is_alive() {
                return Err("it ended".into());
            }
            if self.answers().is_ok_and(|answers| answers) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(format!("no answer within {START_TIMEOUT:?}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            eprintln!("--- what the server said ---\n{}---", self.output());
        }
    }
}

/// The program under test. `PINSTRIPE_TEST_BINARY` puts another in its place: these tests say what they ask of any
/// Redis-compatible server, so running them over `redis-server` is how the tests themselves are checked.
fn binary() -> PathBuf {
    match std::env::var_os("PINSTRIPE_TEST_BINARY") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_BIN_EXE_pinstripe")).to_path_buf(),
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
