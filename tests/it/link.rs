//! The far end of ssh by pipes, the near end through something that stands for ssh, and the service manager.

use std::io::{BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use aurora::model::InboxFilter;
use aurora::protocol::{Request, VERSION};
use serde_json::{Value, json};

use crate::support::{AURORA, CHANNELS, PATIENCE, Screen, Site, borrowed, eventually, now, standard};

fn deliver(site: &Site, id: &str) {
    let body = format!("{{\"type\":\"note\",\"subject\":\"subject {id}\",\"from\":\"ann@example.org\"}}");
    let headers = standard(&site.secret("standard"), id, now(), body.as_bytes());
    assert_eq!(site.post("/hooks/standard", &borrowed(&headers), body.as_bytes()).status, 204);
}

fn write_frame(to: &mut impl Write, frame: &Value) {
    let frame = frame.to_string();
    to.write_all(&u32::try_from(frame.len()).expect("short").to_be_bytes()).expect("writes");
    to.write_all(frame.as_bytes()).expect("writes");
    to.flush().expect("writes");
}

/// The next frame; `None` at the end.
fn read_frame(from: &mut impl Read) -> Option<Value> {
    let mut length = [0; 4];
    from.read_exact(&mut length).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    from.read_exact(&mut frame).expect("a whole frame");
    Some(serde_json::from_slice(&frame).expect("JSON"))
}

fn hello(follow: bool) -> Value {
    json!({"hello": {"version": VERSION, "follow": follow, "read_only": false, "ssh_key": "somebody-else"}})
}

/// `aurora attach --stdio`, as sshd runs it for a forced command.
struct FarEnd {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl FarEnd {
    fn start(site: &Site, args: &[&str]) -> Self {
        let mut child = Command::new(AURORA)
            .args(site.args())
            .args(args)
            .env("SSH_ORIGINAL_COMMAND", "aurora attach --stdio --as root; touch /nowhere")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("aurora runs");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, input, output }
    }

    /// Reads frames until one holds `key`, and answers what is below it.
    #[track_caller]
    fn until(&mut self, key: &str) -> Value {
        loop {
            let frame = read_frame(&mut self.output).unwrap_or_else(|| panic!("it ended before {key:?}"));
            if let Some(value) = frame.get(key) {
                return value.clone();
            }
        }
    }

    /// Waits for its end: exit code, what is left on standard output, standard error.
    fn ended(mut self) -> (Option<i32>, Vec<u8>, String) {
        let mut rest = Vec::new();
        self.output.read_to_end(&mut rest).expect("reads");
        let mut said = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("reads");
        (self.child.wait().expect("ends").code(), rest, said)
    }
}

#[test]
fn frames_cross_the_far_end_until_the_engine_stops() {
    let mut site = Site::served();
    deliver(&site, "m1");
    site.projected(1);
    let mut far = FarEnd::start(&site, &["attach", "--stdio"]);
    write_frame(&mut far.input, &hello(true));
    assert!(read_frame(&mut far.output).expect("an answer").get("welcome").is_some(), "nothing comes before it");
    assert_eq!(far.until("snapshot")["inbox"][0]["subject"], "subject m1");
    write_frame(&mut far.input, &json!({"ping": 7}));
    assert_eq!(far.until("pong"), 7);
    let request = Request::InboxCount(InboxFilter { unread: true, ..InboxFilter::default() });
    write_frame(&mut far.input, &json!({"ask": {"id": 3, "request": request}}));
    let reply = far.until("reply");
    assert_eq!((&reply["id"], &reply["reply"]["Ok"]["count"]), (&json!(3), &json!(1)), "{reply}");
    deliver(&site, "m2");
    while far.until("notice")["arrived"]["rows"][0]["subject"] != "subject m2" {}
    assert!(site.stop());
    while far.until("notice") != "stopping" {}
    let (code, rest, said) = far.ended();
    assert_eq!((code, rest.len(), said.as_str()), (Some(0), 0, ""));
}

#[test]
fn the_far_end_ends_with_the_near_one() {
    let site = Site::served();
    let mut far = FarEnd::start(&site, &["attach", "--stdio"]);
    write_frame(&mut far.input, &hello(true));
    far.until("snapshot");
    let FarEnd { mut child, input, .. } = far;
    drop(input);
    assert_eq!(child.wait().expect("ends").code(), Some(0));
}

/// An engine that only listens shows what the far end makes of a greeting.
#[test]
fn the_far_end_says_whose_key_it_is() {
    let site = Site::new();
    let engine = UnixListener::bind(site.path().join("state/aurora.sock")).expect("listens");
    for (args, key, read_only) in [
        (&["attach", "--stdio", "--as", "anna-laptop"][..], json!("anna-laptop"), false),
        (&["attach", "--stdio"], Value::Null, false),
        (&["--read-only", "attach", "--stdio", "--as", "guest"], json!("guest"), true),
    ] {
        let mut far = FarEnd::start(&site, args);
        write_frame(&mut far.input, &hello(false));
        let (mut client, _) = engine.accept().expect("it connects");
        let frame = read_frame(&mut client).expect("a greeting");
        assert_eq!((&frame["hello"]["ssh_key"], &frame["hello"]["read_only"]), (&key, &json!(read_only)), "{frame}");
        drop(client);
        assert_eq!(far.ended().0, Some(0));
    }
}

#[test]
fn without_an_engine_both_sides_hear_why() {
    let site = Site::new();
    let mut far = FarEnd::start(&site, &["attach", "--stdio", "--as", "anna-laptop"]);
    write_frame(&mut far.input, &hello(true));
    let reason = far.until("goodbye")["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("no engine listens at") && reason.contains("aurora serve"), "{reason}");
    let (code, rest, said) = far.ended();
    assert_eq!((code, rest.len(), said.lines().count()), (Some(4), 0, 1), "{said}");
    assert!(said.contains("no engine listens at") && said.contains("aurora serve"), "{said}");
    for args in
        [&["attach", "--as", "anna"][..], &["attach", "--stdio", "--as", "a b"], &["attach", "--stdio", "unix:x"]]
    {
        assert_eq!(site.aurora(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_bad_target_is_refused_before_anything_runs() {
    let site = Site::new();
    for target in ["ssh://-oProxyCommand=touch x", "ssh://hub/path", "hub", "wss://hub.example.org", "ssh://a b@hub"] {
        let output = site.aurora(&["attach", target]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{target}: {said}");
        assert!(said.contains("ssh://"), "{said}");
    }
}

/// A directory with an `ssh` that writes down how it was called and then is the far end itself.
fn pretended_ssh(site: &Site) -> String {
    let bin = site.path().join("bin");
    std::fs::create_dir(&bin).expect("a directory");
    let args: Vec<String> = site.args().iter().map(|arg| format!("'{}'", arg.display())).collect();
    let dir = site.path().display();
    let script = format!(
        "#!/bin/sh\necho \"$@\" >>'{dir}/ssh.log'\necho $$ >'{dir}/ssh.pid'\n\
         if [ -e '{dir}/refuse' ]; then echo 'hub: Permission denied (publickey).' >&2; exit 255; fi\n\
         exec '{AURORA}' {} attach --stdio\n",
        args.join(" ")
    );
    std::fs::write(bin.join("ssh"), script).expect("writes");
    std::fs::set_permissions(bin.join("ssh"), PermissionsExt::from_mode(0o755)).expect("chmod");
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default())
}

fn kill(pid: &str) {
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("kills");
}

#[test]
fn a_line_over_ssh_is_mended_and_nothing_is_lost() {
    let site = Site::served();
    let path = pretended_ssh(&site);
    let pid = || std::fs::read_to_string(site.path().join("ssh.pid")).expect("a pid");
    deliver(&site, "m1");
    let mut screen = Screen::start_with(&site, &["attach", "ssh://anna@hub:2222"], (100, 24), &[("PATH", &path)]);
    screen.shows("subject m1");
    screen.shows("attached");
    screen.keys("3");
    screen.shows("1 of 1");
    // The line breaks and cannot be had again for a while: why is on the screen, what is typed waits.
    std::fs::write(site.path().join("refuse"), "").expect("writes");
    kill(&pid());
    screen.shows("RECONNECTING");
    screen.shows("Permission denied (publickey)");
    screen.keys("a");
    deliver(&site, "m2");
    std::fs::remove_file(site.path().join("refuse")).expect("removes");
    screen.shows("attached");
    screen.shows("subject m2");
    eventually("what was typed is done", || site.json(&["inbox", "list"])[1]["marks"]["acked"].is_string());
    let calls = std::fs::read_to_string(site.path().join("ssh.log")).expect("a log");
    let calls: Vec<&str> = calls.lines().collect();
    assert!(calls[0].ends_with("-p 2222 -l anna -- hub aurora attach --stdio"), "{}", calls[0]);
    assert!(!calls[0].contains("BatchMode") && calls[1..].iter().all(|call| call.contains("BatchMode=yes")));
    let last = pid();
    screen.keys("Q");
    assert!(screen.ends() && screen.is_restored());
    let gone = format!("/proc/{}", last.trim());
    eventually("nothing is left of ssh", || !std::path::Path::new(&gone).exists());
}

#[test]
fn a_line_that_never_comes_up_is_told_in_full() {
    let site = Site::new();
    let path = pretended_ssh(&site);
    std::fs::write(site.path().join("refuse"), "").expect("writes");
    let env = [("PATH", path.as_str())];
    let mut screen = Screen::start_with(&site, &["attach", "ssh://hub"], (100, 24), &env);
    screen.shows("failed to attach to ssh://hub: hub: Permission denied (publickey).");
    assert!(!screen.ends());
    std::fs::remove_file(site.path().join("refuse")).expect("removes");
    let mut screen = Screen::start_with(&site, &["attach", "ssh://hub"], (100, 24), &env);
    screen.shows("failed to attach to ssh://hub: no engine listens at");
    assert!(!screen.ends());
}

/// A service manager: what it was told, message by message.
struct Manager {
    socket: UnixDatagram,
    child: Child,
}

impl Manager {
    fn start(site: &Site) -> Self {
        let path = site.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("binds");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let child = Command::new(AURORA)
            .args(site.args())
            .arg("serve")
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "3000000")
            .env_remove("WATCHDOG_PID")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("aurora serves");
        Self { socket, child }
    }

    #[track_caller]
    fn told(&self) -> String {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("a message");
        String::from_utf8_lossy(&message[..length]).into_owned()
    }

    /// Waits for a message that holds `text`; answers what came before it.
    #[track_caller]
    fn until(&self, text: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let told = self.told();
            if told.contains(text) {
                return before;
            }
            before.push(told);
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_service_manager_hears_ready_alive_and_stopping() {
    let site = Site::new();
    let mut manager = Manager::start(&site);
    let first = manager.told();
    let all = CHANNELS.len();
    assert!(first.starts_with(&format!("READY=1\nSTATUS={all} of {all} channels listen")), "{first}");
    assert!(std::net::TcpStream::connect(site.address()).is_ok(), "ready means that it listens");
    assert_eq!(site.json(&["status"])["status"], "ok");
    for _ in 0..3 {
        assert!(manager.until("WATCHDOG=1").iter().all(|told| told.starts_with("STATUS=")));
    }
    let pid = rustix::process::Pid::from_child(&manager.child);
    let file = site.path().join("config.toml");
    let config = std::fs::read_to_string(&file).expect("a configuration");
    for name in ["\"renamed\"", "[broken"] {
        std::fs::write(&file, config.replace("\"test\"", name)).expect("writes");
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).expect("signals");
        manager.until("RELOADING=1\nMONOTONIC_USEC=");
        manager.until("READY=1");
    }
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signals");
    manager.until("STOPPING=1");
    assert!(manager.child.wait().expect("ends").success());
}

#[test]
fn a_port_that_is_taken_is_told_and_holds_up_nothing() {
    let site = Site::new();
    let _taken = std::net::TcpListener::bind(site.address()).expect("binds");
    let manager = Manager::start(&site);
    let first = manager.told();
    let none = format!("READY=1\nSTATUS=0 of {} channels listen; listener 127.0.0.1:", CHANNELS.len());
    assert!(first.starts_with(&none), "{first}");
    manager.until("WATCHDOG=1");
}

/// Somebody else holds the database for a while, so a delivery keeps the writer waiting.
#[test]
fn a_writer_that_is_stuck_ends_the_feeding_until_it_goes_on() {
    let site = Site::new();
    let manager = Manager::start(&site);
    manager.until("WATCHDOG=1");
    let other = rusqlite::Connection::open(site.path().join("state/aurora.db")).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("holds it");
    let body = b"{\"type\":\"note\"}";
    let headers = standard(&site.secret("standard"), "m1", now(), body);
    std::thread::scope(|scope| {
        scope.spawn(|| site.post("/hooks/standard", &borrowed(&headers), body));
        manager.until("store writer");
        other.execute_batch("ROLLBACK").expect("lets go");
        manager.until("WATCHDOG=1");
    });
}
