//! The screen over a real ssh and a real sshd on this machine.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::sshd::{descendants, make_key};
use crate::support::{AURORA, Screen, Site, borrowed, eventually, free_port, now, standard};

fn deliver(site: &Site, id: &str) {
    let body = format!("{{\"type\":\"note\",\"subject\":\"subject {id}\",\"from\":\"ann@example.org\"}}");
    let headers = standard(&site.secret("standard"), id, now(), body.as_bytes());
    assert_eq!(site.post("/hooks/standard", &borrowed(&headers), body.as_bytes()).status, 204);
}

/// An sshd of this user in the site's directory, and an `ssh` that knows it as `hub`.
struct Sshd {
    child: Child,
    path: String,
}

/// A served engine that knows the key of the forced command.
fn hub() -> Site {
    let mut site = Site::with("[operators.anna]\nrole = \"operator\"\nssh_key = \"anna-laptop\"\n");
    site.serve();
    site
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file").trim().to_owned()
}

impl Sshd {
    fn start(site: &Site, passphrase: &str) -> Self {
        let dir = site.path().join("ssh");
        std::fs::create_dir(&dir).expect("a directory");
        let place = |name: &str| dir.join(name);
        let write = |name: &str, text: String| std::fs::write(dir.join(name), text).expect("writes");
        make_key(&place("host"), "");
        make_key(&place("key"), passphrase);
        let args: Vec<String> = site.args().iter().map(|arg| arg.display().to_string()).collect();
        let key = read(&place("key.pub"));
        let command = format!("{AURORA} {} attach --stdio --as anna-laptop", args.join(" "));
        write("authorized_keys", format!("command=\"{command}\",restrict {key}\n"));
        let port = free_port();
        let shown = dir.display();
        write(
            "sshd_config",
            format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {shown}/host\nAuthorizedKeysFile {shown}/authorized_keys\n\
                 PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            ),
        );
        write(
            "ssh_config",
            format!(
                "Host hub\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {shown}/key\n  IdentitiesOnly yes\n  \
                 IdentityAgent none\n  UserKnownHostsFile {shown}/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
            ),
        );
        let bin = site.path().join("bin");
        std::fs::create_dir(&bin).expect("a directory");
        let ssh = format!("#!/bin/sh\nPATH=${{PATH#*:}}\nexec ssh -F '{shown}/ssh_config' \"$@\"\n");
        std::fs::write(bin.join("ssh"), ssh).expect("writes");
        std::fs::set_permissions(bin.join("ssh"), PermissionsExt::from_mode(0o755)).expect("chmod");
        // sshd wants to be called by its whole path.
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(place("sshd_config"))
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(place("sshd.log")).expect("a log"))
            .spawn()
            .expect("sshd runs");
        eventually("sshd listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        Self { child, path }
    }

    /// Lets ssh know the host.
    fn known(self, site: &Site) -> Self {
        let dir = site.path().join("ssh");
        let config = read(&dir.join("sshd_config"));
        let port = config.lines().find_map(|line| line.strip_prefix("Port ")).expect("a port");
        let host = read(&dir.join("host.pub"));
        std::fs::write(dir.join("known_hosts"), format!("[127.0.0.1]:{port} {host}\n")).expect("writes");
        self
    }

    fn attach(&self, site: &Site, args: &[&str]) -> Screen {
        Screen::start_with(site, &[args, &["attach", "ssh://hub"]].concat(), (100, 24), &[("PATH", &self.path)])
    }

    /// Ends every connection at once, as a line that is cut does. The listener stays.
    fn cut(&self) {
        for pid in descendants(self.child.id()) {
            let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
            // A parent may have taken its child along.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.cut();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs sshd"]
fn a_cut_line_comes_back_with_nothing_lost() {
    let site = hub();
    let sshd = Sshd::start(&site, "").known(&site);
    deliver(&site, "m1");
    let mut screen = sshd.attach(&site, &[]);
    screen.shows("subject m1");
    screen.shows("attached");
    screen.keys("3");
    screen.shows("1 of 1");
    for round in 2..5 {
        sshd.cut();
        deliver(&site, &format!("m{round}"));
        screen.shows("attached");
        screen.shows(&format!("subject m{round}"));
    }
    screen.keys("a");
    eventually("the mark crosses", || {
        let rows = site.json(&["inbox", "list"]);
        rows.as_array().expect("a list").iter().any(|row| row["marks"]["acked_by"] == "anna")
    });
    screen.keys("Q");
    assert!(screen.ends() && screen.is_restored());
    eventually("the far end has gone", || descendants(sshd.child.id()).is_empty());
}

#[test]
#[ignore = "needs sshd"]
fn ssh_asks_before_the_screen_opens_and_never_behind_it() {
    let site = hub();
    deliver(&site, "m1");
    let sshd = Sshd::start(&site, "open sesame");
    let mut screen = sshd.attach(&site, &[]);
    screen.shows("authenticity of host");
    screen.keys("yes\r");
    screen.shows("Enter passphrase for key");
    screen.keys("open sesame\r");
    screen.shows("subject m1");
    screen.shows("attached");
    sshd.cut();
    screen.shows("RECONNECTING");
    screen.shows("Permission denied (publickey)");
    assert!(!screen.text().contains("passphrase"), "{}", screen.text());
    screen.keys("Q");
    assert!(screen.ends() && screen.is_restored());
}

#[test]
#[ignore = "needs sshd"]
fn a_host_that_is_not_who_it_was_is_refused_with_what_ssh_says() {
    let site = hub();
    let sshd = Sshd::start(&site, "").known(&site);
    let dir = site.path().join("ssh");
    make_key(&dir.join("other"), "");
    let known = read(&dir.join("known_hosts"));
    let address = known.split(' ').next().expect("an address");
    std::fs::write(dir.join("known_hosts"), format!("{address} {}\n", read(&dir.join("other.pub")))).expect("writes");
    let mut screen = sshd.attach(&site, &[]);
    screen.shows("Host key verification failed.");
    assert!(!screen.ends());
}

#[test]
#[ignore = "needs sshd"]
fn a_forced_command_decides_what_runs_whatever_is_asked_for() {
    let site = hub();
    let sshd = Sshd::start(&site, "").known(&site);
    let marker = site.path().join("ran");
    let run = Command::new("ssh")
        .env("PATH", &sshd.path)
        .args(["-o", "BatchMode=yes", "hub"])
        .arg(format!("touch {}", marker.display()))
        .stdin(Stdio::null())
        .output()
        .expect("ssh runs");
    assert!(run.stdout.is_empty() && !marker.exists(), "{run:?}");
    deliver(&site, "m1");
    let mut screen = sshd.attach(&site, &["--read-only"]);
    screen.shows("subject m1");
    screen.shows("READ-ONLY");
    screen.keys("Q");
    assert!(screen.ends());
}
