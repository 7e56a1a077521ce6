//! `[agent]`: what a managed host is called, where it is reached, where its journal is, and its own whitelist.

use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::model::HostName;

use super::commands::{commands, harmless};
use super::mistake::{Mistake, Source};
use super::prompts::places;
use super::resolved::{default_state_dir, expand_home};
use super::{Commands, ConfigError, ConfigFile, SecretRef};

/// `[agent]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AgentFile {
    /// The host's name, as the engine's `[hosts.*]` has it; any name is answered to when absent.
    #[schemars(with = "Option<String>")]
    pub name: Option<Spanned<String>>,
    /// Where its socket is, `127.0.0.1:8899` when absent; or `unix:PATH`, or `off`.
    #[schemars(with = "Option<String>")]
    pub listen: Option<Spanned<String>>,
    /// A reference to the secret it shares with the engine.
    #[schemars(with = "Option<String>")]
    pub key: Option<Spanned<String>>,
    /// The directory of its journal.
    #[schemars(with = "Option<String>")]
    pub spool: Option<Spanned<String>>,
    /// A directory that the engine sees too, for the trigger layer.
    #[schemars(with = "Option<String>")]
    pub trigger: Option<Spanned<String>>,
    /// What engines may do with the panes of its tmux; `watch` when absent, `drive` where there is no file at all.
    pub panes: Option<AgentPanes>,
}

/// What engines may do with the panes of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AgentPanes {
    /// Nothing; they are not even listed.
    Off,
    /// List and watch them.
    Watch,
    /// Type into them, too.
    Drive,
}

impl AgentPanes {
    /// What is allowed where nothing is written: a file says what a host allows, and typing is not among it by itself.
    /// Without a file it is the tmux of whoever runs the engine.
    pub(super) fn of(typed: &AgentFile, has_file: bool) -> Self {
        typed.panes.unwrap_or(if has_file { Self::Watch } else { Self::Drive })
    }
}

/// Where an agent's socket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentListen {
    /// There is none.
    Off,
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// What an agent needs. The commands in it are all that ever runs there, whatever an engine says.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentConfig {
    /// The host's name; `None` answers to any.
    pub name: Option<HostName>,
    /// Where its socket is.
    pub listen: AgentListen,
    /// The secret it shares with the engine.
    pub key: Option<SecretRef>,
    /// The directory of its journal.
    pub spool: PathBuf,
    /// The directory of the trigger layer.
    pub trigger: Option<PathBuf>,
    /// What engines may do with the panes of its tmux.
    pub panes: AgentPanes,
    /// Its own whitelist.
    pub commands: Commands,
    /// Relative secret files are looked for here.
    pub file_dir: Option<PathBuf>,
    /// SHA-256 of where it came from and what it says, and of the version of this program: two agents with the same one
    /// serve alike.
    pub digest: [u8; 32],
}

/// Where agents listen by default.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8899);
/// The journal of an agent that root runs.
const SYSTEM_SPOOL: &str = "/var/lib/aurora/spool";
/// The configuration of an agent for the whole machine.
const SYSTEM_FILE: &str = "/etc/aurora/agent.toml";

impl AgentConfig {
    /// Validates what was typed. A journal below `state_dir` counts more than the file.
    fn new(
        typed: &AgentFile,
        commands: Commands,
        path: Option<&Path>,
        state_dir: Option<&Path>,
    ) -> Result<Self, Mistake> {
        let spool = match (state_dir, &typed.spool) {
            (Some(dir), _) => dir.join("spool"),
            (None, Some(spool)) => absolute(spool)?,
            (None, None) if rustix::process::geteuid().is_root() => PathBuf::from(SYSTEM_SPOOL),
            (None, None) => default_state_dir().join("spool"),
        };
        let name = typed
            .name
            .as_ref()
            .map(|name| name.get_ref().parse().map_err(|error| Mistake::at(name, format!("{error}"))));
        let key = typed.key.as_ref().map(|key| key.get_ref().parse().map_err(|error: String| Mistake::at(key, error)));
        Ok(Self {
            name: name.transpose()?,
            listen: typed.listen.as_ref().map_or(Ok(AgentListen::Tcp(LISTEN)), listen)?,
            key: key.transpose()?,
            spool,
            trigger: typed.trigger.as_ref().map(absolute).transpose()?,
            panes: AgentPanes::of(typed, path.is_some()),
            commands,
            file_dir: path.and_then(Path::parent).map(Path::to_owned),
            digest: digest(path, ""),
        })
    }

    /// Reads the configuration of this host's agent: at `path`, else the user's `agent.toml`, else the machine's, else
    /// the defaults. With `state_dir` its journal is `spool` below that.
    ///
    /// # Errors
    /// When a file that was named is missing, others may write to it, or it holds a mistake.
    pub fn load(path: Option<&Path>, state_dir: Option<&Path>) -> Result<Self, Box<ConfigError>> {
        let found = match path {
            Some(path) => Some(path.to_owned()),
            None => usual_files().into_iter().find(|path| path.exists()),
        };
        let Some(path) = found else { return Self::parse("", None, state_dir) };
        let fail = |message: String, help: Option<String>| {
            let file = path.display().to_string();
            Box::new(ConfigError { file, source: String::new(), span: None, message, help })
        };
        let text = std::fs::read_to_string(&path)
            .map_err(|error| fail(format!("failed to read the configuration: {error}"), None))?;
        let meta = std::fs::metadata(&path).map_err(|error| fail(error.to_string(), None))?;
        // Whoever can write it decides what runs here.
        let euid = rustix::process::geteuid().as_raw();
        if meta.mode() & 0o002 != 0 || (meta.uid() != euid && meta.uid() != 0) {
            let help = format!("run: chmod o-w {0}; chown {euid} {0}", path.display());
            return Err(fail(
                "others may change what runs here: the file is theirs or they can write to it".into(),
                Some(help),
            ));
        }
        Self::parse(&text, Some(&path), state_dir)
    }

    /// Reads the configuration `text`, which came from `path`.
    ///
    /// # Errors
    /// When it holds a mistake, with its place.
    pub fn parse(text: &str, path: Option<&Path>, state_dir: Option<&Path>) -> Result<Self, Box<ConfigError>> {
        let name = path.map_or_else(|| "<defaults>".to_owned(), |path| path.display().to_string());
        let file: ConfigFile = toml::from_str(text).map_err(|e| ConfigError::from_toml(&name, text, &e))?;
        let source = Source { name, text: text.to_owned() };
        let config = own_commands(&file, &source)
            .and_then(|commands| Self::new(&file.agent, commands, path, state_dir))
            .map_err(|mistake| source.error(mistake))?;
        Ok(Self { digest: digest(path, text), ..config })
    }
}

/// What an agent with the file at `path`, which says `text`, is known by.
fn digest(path: Option<&Path>, text: &str) -> [u8; 32] {
    let path = path.map(|path| path.canonicalize().unwrap_or_else(|_| path.to_owned()));
    let mut hash = Sha256::new();
    for part in [env!("CARGO_PKG_VERSION").as_bytes(), path.as_ref().map_or(&[], |path| path.as_os_str().as_bytes())] {
        hash.update(part);
        // In no path and no version.
        hash.update([0]);
    }
    hash.update(text);
    hash.finalize().into()
}

/// The mistakes in `[agent]`, for an engine's file that holds one.
pub(super) fn check(typed: &AgentFile) -> Result<(), Mistake> {
    AgentConfig::new(typed, Commands::new(), None, None).map(drop)
}

/// The whitelist of the file, or a few harmless commands when it has none.
fn own_commands(file: &ConfigFile, source: &Source) -> Result<Commands, Mistake> {
    if !file.commands.is_empty() {
        return commands(&file.commands, true, &places(&file.hosts)?, source);
    }
    Ok("here".parse().map(|here| harmless(&here)).unwrap_or_default())
}

/// Where an agent's configuration is looked for without `--config`, in order.
fn usual_files() -> Vec<PathBuf> {
    let own = directories::ProjectDirs::from("", "", "aurora").map(|dirs| dirs.config_dir().join("agent.toml"));
    own.into_iter().chain([PathBuf::from(SYSTEM_FILE)]).collect()
}

fn absolute(typed: &Spanned<String>) -> Result<PathBuf, Mistake> {
    let path = expand_home(typed.get_ref());
    if path.is_absolute() { Ok(path) } else { Err(Mistake::at(typed, "it has to begin with `/` or `~/`")) }
}

fn listen(typed: &Spanned<String>) -> Result<AgentListen, Mistake> {
    let text = typed.get_ref();
    if text == "off" {
        return Ok(AgentListen::Off);
    }
    if let Some(path) = text.strip_prefix("unix:") {
        let path = expand_home(path);
        return if path.is_absolute() {
            Ok(AgentListen::Unix(path))
        } else {
            Err(Mistake::at(typed, "the path of a socket begins with `/` or `~/`"))
        };
    }
    let help = "write it as 127.0.0.1:8899, unix:/run/aurora/agent.sock or off";
    text.parse().map(AgentListen::Tcp).map_err(|_| Mistake::at(typed, format!("{text:?} is not an address")).help(help))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn parse(text: &str) -> Result<AgentConfig, Box<ConfigError>> {
        AgentConfig::parse(text, Some(Path::new("/etc/aurora/agent.toml")), None)
    }

    #[test]
    fn a_section_is_read_and_the_rest_of_an_engines_file_does_not_matter() {
        let config = parse(
            "[agent]\nname = \"web-1\"\nlisten = \"unix:/run/a.sock\"\nkey = \"file:secrets/web-1\"\nspool = \"/var/s\"\n\
             trigger = \"/mnt/t\"\npanes = \"drive\"\n[listen]\ningress = \"127.0.0.1:1\"\n",
        )
        .expect("a configuration");
        assert_eq!(config.name, "web-1".parse().ok());
        assert_eq!(config.listen, AgentListen::Unix("/run/a.sock".into()));
        assert_eq!(config.key, "file:secrets/web-1".parse().ok());
        assert_eq!((config.spool.as_path(), config.trigger), (Path::new("/var/s"), Some("/mnt/t".into())));
        assert_eq!(config.file_dir, Some("/etc/aurora".into()));
        assert_eq!(config.panes, AgentPanes::Drive);
        assert_eq!(parse("[agent]\n").expect("a configuration").panes, AgentPanes::Watch, "typing has to be allowed");
        let below = AgentConfig::parse("[agent]\nspool = \"/var/s\"\n", None, Some(Path::new("/d"))).expect("one");
        assert_eq!(below.panes, AgentPanes::Drive, "there is no file");
        assert_eq!((below.spool, below.listen), ("/d/spool".into(), AgentListen::Tcp(LISTEN)));
        assert!(below.commands.keys().any(|name| name.as_str() == "uptime"), "a few harmless commands");
        let own = parse("[commands.date]\nargv = [\"date\"]\n").expect("no host is needed");
        assert_eq!(own.commands.keys().map(ToString::to_string).collect::<Vec<_>>(), ["date"]);
    }

    #[test]
    fn mistakes_are_shown_at_their_place() {
        for (text, place, words) in [
            ("[agent]\nname = \"a b\"\n", (2, 8), "host id"),
            ("[agent]\nlisten = \"8899\"\n", (2, 10), "not an address"),
            ("[agent]\nlisten = \"unix:a.sock\"\n", (2, 10), "begins with"),
            ("[agent]\nkey = \"hunter2\"\n", (2, 7), "reference"),
            ("[agent]\nspool = \"spool\"\n", (2, 9), "begin with"),
            ("[agent]\nshell = true\n", (2, 1), "shell"),
            ("[agent]\npanes = \"all\"\n", (2, 9), "`off`, `watch`, `drive`"),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.position(), Some(place), "{error}");
            assert!(error.to_string().contains(words), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(super::super::parse(text, None).is_err(), "an engine says so too: {text}");
        }
    }

    #[test]
    fn a_file_that_others_can_write_to_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("agent.toml");
        std::fs::write(&path, "[agent]\nname = \"a\"\n").expect("writes");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o646)).expect("chmod");
        let error = AgentConfig::load(Some(&path), None).expect_err("refused");
        assert!(error.message.contains("others may change"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("chmod");
        assert_eq!(AgentConfig::load(Some(&path), None).expect("read").name, "a".parse().ok());
        assert!(AgentConfig::load(Some(&dir.path().join("none")), None).is_err(), "a file that was named");
    }
}
