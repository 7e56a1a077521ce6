//! An sshd of this user on a loopback port, with keys that are thrown away.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{eventually, free_port};

/// Makes a pair of keys at `path` and `path.pub`.
pub fn make_key(path: &Path, passphrase: &str) {
    let args = ["-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f"];
    assert!(Command::new("ssh-keygen").args(args).arg(path).status().expect("ssh-keygen runs").success());
}

/// Every process below `pid`.
pub fn descendants(pid: u32) -> Vec<u32> {
    let children = |pid: u32| -> Vec<u32> {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
    };
    let mut found = children(pid);
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children(*pid));
        next += 1;
    }
    found
}

/// Whether `pid` runs a job: it is a session of its own, which no connection takes along.
fn is_runner(pid: u32) -> bool {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words.split(|byte| *byte == 0).any(|word| word == b"runner")
}

/// A process and everything below it.
fn family(pid: u32) -> Vec<u32> {
    let mut family = descendants(pid);
    family.push(pid);
    family
}

/// A machine behind an sshd: a home of its own, and who may come in.
pub struct Machine {
    dir: TempDir,
    pub port: u16,
    sshd: Option<Child>,
}

impl Machine {
    /// A machine whose sshd runs and is known.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut machine = Self { dir, port: free_port(), sshd: None };
        std::fs::create_dir(machine.home()).expect("a directory");
        for key in ["host", "key"] {
            make_key(&machine.file(key), "");
        }
        let (files, home) = (machine.file("").display().to_string(), machine.home().display().to_string());
        std::fs::copy(machine.file("key.pub"), machine.file("authorized_keys")).expect("copies");
        let config = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {files}host\nAuthorizedKeysFile {files}authorized_keys\n\
             PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             SetEnv HOME={home}\nMaxStartups 100\n",
            machine.port
        );
        std::fs::write(machine.file("sshd_config"), config).expect("writes");
        machine.knows("host");
        machine.run();
        machine
    }

    /// A file beside the machine: what the near side has, and what sshd reads.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where its user is at home.
    pub fn home(&self) -> PathBuf {
        self.file("home")
    }

    /// The near side believes that the key called `name` is that of the host, at any port.
    pub fn knows(&self, name: &str) {
        let key = std::fs::read_to_string(self.file(&format!("{name}.pub"))).expect("a key");
        std::fs::write(self.file("known_hosts"), format!("[127.0.0.1]:*,[localhost]:* {key}")).expect("writes");
    }

    /// Starts its sshd.
    pub fn run(&mut self) {
        // sshd wants to be called by its whole path.
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(self.file("sshd_config"))
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(self.file("sshd.log")).expect("a log"))
            .spawn()
            .expect("sshd runs");
        self.sshd = Some(child);
        let port = self.port;
        eventually("sshd listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    /// Ends its sshd and every connection, as a machine that loses its network does. What runs in sessions of its own
    /// goes on.
    pub fn stop(&mut self) {
        let Some(mut sshd) = self.sshd.take() else { return };
        let below = descendants(sshd.id());
        let spared: Vec<u32> = below.iter().filter(|pid| is_runner(**pid)).flat_map(|pid| family(*pid)).collect();
        let _ = sshd.kill();
        let _ = sshd.wait();
        for pid in below.into_iter().filter(|pid| !spared.contains(pid)) {
            let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
            // A parent may have taken its child along.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }

    /// `[hosts.NAME]` for it, by way of `port`, with more keys of the table `ssh`.
    pub fn host(&self, name: &str, port: u16, layers: &str, more: &str) -> String {
        format!(
            "[hosts.{name}]\nlayers = [{layers}]\nssh = {{ target = \"127.0.0.1\", port = {port}, identity = \"{}\", \
             known_hosts = \"{}\"{more} }}\n",
            self.file("key").display(),
            self.file("known_hosts").display(),
        )
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.stop();
    }
}
