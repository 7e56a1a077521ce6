//! Secrets by reference: `env:`, `file:`, `credential:` and `cmd:`.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use secrecy::SecretString;

/// Where a secret is kept. The value itself is never part of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file only its owner may read; trailing newlines are dropped.
    File(PathBuf),
    /// A systemd credential, read below `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// What a program prints; it is run without a shell.
    Command(Vec<String>),
}

/// A secret that could not be read. The text never holds the value.
#[derive(Debug, thiserror::Error)]
#[error("failed to read secret {reference}: {why}")]
pub struct SecretError {
    reference: String,
    why: String,
}

/// How long a `cmd:` secret may take, until its output ends.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// No secret is larger; a larger file is a mistake.
const MAX_LEN: u64 = 16 * 1024;

impl SecretRef {
    /// Reads the secret. A relative file is looked for in each of `bases` in turn.
    ///
    /// # Errors
    /// When it is missing, empty, or a file that others can read.
    pub fn read(&self, bases: &[&Path]) -> Result<SecretString, SecretError> {
        let value = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| format!("the environment variable {name} is not set")),
            Self::File(path) => read_private_file(&locate(path, bases)),
            Self::Credential(name) => match std::env::var_os("CREDENTIALS_DIRECTORY") {
                Some(dir) => {
                    let path = Path::new(&dir).join(name);
                    open(&path).and_then(|file| read_file(&path, file))
                }
                None => Err("$CREDENTIALS_DIRECTORY is not set; is this a systemd unit with LoadCredential=?".into()),
            },
            Self::Command(argv) => run(argv, COMMAND_TIMEOUT),
        };
        let fail = |why: String| SecretError { reference: self.to_string(), why };
        let value = value.map_err(fail)?;
        let value = value.trim_end_matches(['\r', '\n']);
        if value.is_empty() {
            return Err(fail("it is empty".into()));
        }
        Ok(value.to_owned().into())
    }
}

/// Where a relative `path` is: below the first of `bases` that has it, else below the first.
pub(super) fn locate(path: &Path, bases: &[&Path]) -> PathBuf {
    let candidates = bases.iter().map(|base| base.join(path));
    candidates
        .clone()
        .find(|candidate| candidate.exists())
        .or_else(|| candidates.clone().next())
        .unwrap_or_else(|| path.to_owned())
}

/// Reads the file at `path`, at most 16 KiB, which nobody but its owner may read.
///
/// # Errors
/// When it cannot be read or others can; the text names the file and what to do, and holds nothing of it.
pub fn read_private_file(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let file = open(path)?;
    let meta = file.metadata().map_err(|e| format!("{shown}: {e}"))?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!("{shown} can be read by others (mode {mode:04o}); run: chmod 600 {shown}"));
    }
    read_file(path, file)
}

fn open(path: &Path) -> Result<File, String> {
    File::open(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn read_file(path: &Path, file: File) -> Result<String, String> {
    let shown = path.display();
    let mut text = String::new();
    file.take(MAX_LEN + 1).read_to_string(&mut text).map_err(|e| format!("{shown}: {e}"))?;
    if text.len() as u64 > MAX_LEN {
        return Err(format!("{shown} is larger than {MAX_LEN} bytes"));
    }
    Ok(text)
}

/// What `argv` prints until it ends, which it has to within `patience`; of a program it leaves behind the output has to end,
/// too.
fn run(argv: &[String], patience: Duration) -> Result<String, String> {
    let (program, args) = argv.split_first().ok_or("no program is named")?;
    let fail = |error: io::Error| format!("{program}: {error}");
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(fail)?;
    let read = read_output(&mut child, patience);
    if read.is_err() {
        // Both may fail only because it has just ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
    read.map_err(|why| format!("{program} {why}"))
}

/// Reads while `child` writes: one that wrote more than a pipe holds would never end.
fn read_output(child: &mut Child, patience: Duration) -> Result<String, String> {
    let fail = |error: io::Error| format!("failed: {error}");
    let mut stdout = child.stdout.take().ok_or("has no output")?;
    rustix::fs::fcntl_setfl(&stdout, OFlags::NONBLOCK).map_err(|error| fail(error.into()))?;
    let started = Instant::now();
    let (mut bytes, mut is_whole, mut ended) = (Vec::new(), false, None);
    loop {
        ended = match ended {
            None => child.try_wait().map_err(fail)?,
            known => known,
        };
        if let Some(status) = ended.filter(|status| !status.success()) {
            return Err(format!("ended with {status}"));
        }
        while !is_whole {
            let mut part = [0; 4096];
            match stdout.read(&mut part) {
                Ok(0) => is_whole = true,
                Ok(count) => bytes.extend_from_slice(&part[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(fail(error)),
            }
            if bytes.len() as u64 > MAX_LEN {
                return Err(format!("printed more than {MAX_LEN} bytes"));
            }
        }
        if is_whole && ended.is_some() {
            return String::from_utf8(bytes).map_err(|_| "printed what is no UTF-8".to_owned());
        }
        if started.elapsed() > patience {
            let what = if ended.is_some() { "ended, but left its output open for" } else { "did not end within" };
            return Err(format!("{what} {} s", patience.as_secs_f32()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl FromStr for SecretRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        let rest = rest.trim();
        match scheme {
            "env" | "file" | "credential" | "cmd" if rest.is_empty() => Err(format!("`{scheme}:` names nothing")),
            "env" => Ok(Self::Env(rest.to_owned())),
            "file" => Ok(Self::File(PathBuf::from(rest))),
            "credential" if rest.contains('/') => Err("a credential name holds no `/`".to_owned()),
            "credential" => Ok(Self::Credential(rest.to_owned())),
            "cmd" => Ok(Self::Command(rest.split_whitespace().map(str::to_owned).collect())),
            // The text is not repeated: it may be the secret itself.
            _ => Err("a secret is a reference: env:NAME, file:PATH, credential:NAME or cmd:PROGRAM ARGS".to_owned()),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Credential(name) => write!(f, "credential:{name}"),
            Self::Command(argv) => write!(f, "cmd:{}", argv.join(" ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_literal_secret_is_refused_and_not_repeated() {
        let error = "hunter2-hunter2".parse::<SecretRef>().expect_err("no scheme");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("s");
        std::fs::write(&path, "value\n").expect("write");
        let reference = SecretRef::File(path.clone());
        for (mode, readable) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o644, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("chmod");
            let read = reference.read(&[]);
            assert_eq!(read.is_ok(), readable, "mode {mode:o}");
            match read {
                Ok(value) => assert_eq!(value.expose_secret(), "value"),
                Err(error) => assert!(error.to_string().contains("chmod 600"), "{error}"),
            }
        }
    }

    #[test]
    fn commands_run_without_a_shell() {
        let reference: SecretRef = "cmd:echo $HOME;id".parse().expect("a reference");
        assert_eq!(reference.read(&[]).expect("echo runs").expose_secret(), "$HOME;id");
        let failing: SecretRef = "cmd:false".parse().expect("a reference");
        assert!(failing.read(&[]).is_err());
    }

    #[test]
    fn a_command_that_prints_too_much_or_leaves_its_output_open_is_refused_in_time() {
        let sh = |script: &str, patience| run(&["sh", "-c", script].map(str::to_owned), patience);
        let (long, short) = (Duration::from_secs(30), Duration::from_millis(500));
        assert_eq!(sh("head -c 16384 /dev/zero | tr '\\0' x", long).map(|text| text.len()), Ok(16_384));
        for bytes in [16_385, 1 << 20] {
            let error = sh(&format!("head -c {bytes} /dev/zero | tr '\\0' x"), long).expect_err("no secret is as long");
            assert_eq!(error, "sh printed more than 16384 bytes");
        }
        assert_eq!(
            sh("sleep 5 & echo x", short).expect_err("who sleeps may write"),
            "sh ended, but left its output open for 0.5 s"
        );
        assert_eq!(sh("echo x; exec sleep 5", short).expect_err("it goes on"), "sh did not end within 0.5 s");
        assert_eq!(sh("echo x; exit 3", long).expect_err("it failed"), "sh ended with exit status: 3");
        assert_eq!(sh("sleep 1 >&- & echo x", long).as_deref(), Ok("x\n"), "who sleeps cannot write");
    }
}
