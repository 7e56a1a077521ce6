//! `aurora host install`: brings the binary, or the shim, to a host over ssh, and proves that it came whole.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::bridge::{Ran, SHIM, SshCall};
use crate::config::{Config, HostConfig};
use crate::model::{HostName, nearest};
use crate::screen;

use super::exit::{Exit, Failure, Outcome};
use super::output;

/// Time for a question that carries nothing.
const QUESTION: Duration = Duration::from_mins(1);
/// Time for the binary on a slow line.
const COPY: Duration = Duration::from_mins(15);
/// Where the program goes when the configuration names no path.
const PLACE: &str = "~/.local/bin/aurora";
/// Where its configuration goes then.
const AGENT_CONFIG: &str = "~/.config/aurora/agent.toml";

/// Brings it.
pub(super) async fn install(config: &Config, host: &HostName, shim: bool) -> Outcome {
    let host = find(config, host)?;
    let Some(ssh) = &host.ssh else {
        return Err(Failure::usage(format!("host `{}` has no `ssh`, and nothing else carries a program", host.name)));
    };
    let far = Far {
        call: SshCall::new(&host.name, ssh, &config.state_dir.join("ssh")),
        place: if ssh.agent.contains('/') { ssh.agent.clone() } else { PLACE.to_owned() },
        agent_config: ssh.agent_config.clone().unwrap_or_else(|| AGENT_CONFIG.to_owned()),
    };
    let program = if shim { SHIM.as_bytes().to_vec() } else { this_program()? };
    let ours = hex::encode(Sha256::digest(&program));
    let found = far.look().await?;
    say(format_args!("{}: {}, as {}", host.name, found.system, found.user))?;
    refuse(&found, shim)?;
    if found.sum == ours {
        say(format_args!("{} is there already, sha256 {ours}", far.place))?;
    } else {
        far.bring(&program, &ours).await?;
        say(format_args!("{} was written, {} bytes, sha256 {ours} on both sides", far.place, program.len()))?;
    }
    if shim {
        say(format_args!("the shim serves the layer `exec` only, and says in `aurora host check` what it lacks"))?;
    } else if found.has_config {
        say(format_args!("{} was there, and is as it was", far.agent_config))?;
    } else {
        far.configure(&host.name).await?;
        say(format_args!("{} was written; the commands that may run there go into it", far.agent_config))?;
    }
    remains(host, &far, &found, shim)?;
    Ok(Exit::Fine)
}

fn find<'a>(config: &'a Config, name: &HostName) -> Result<&'a HostConfig, Failure> {
    config.hosts.get(name).ok_or_else(|| {
        let near = nearest(name.as_str(), config.hosts.keys().map(HostName::as_str));
        let help = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Failure::usage(format!("no host is called `{name}` in [hosts]{help}"))
    })
}

fn this_program() -> Result<Vec<u8>, Failure> {
    let read = std::env::current_exe().and_then(std::fs::read);
    read.map_err(|error| Failure::new(Exit::Failed, format!("failed to read this program: {error}")))
}

fn say(text: std::fmt::Arguments<'_>) -> std::io::Result<()> {
    output::line(&text.to_string())
}

/// What was found on the host.
#[derive(Debug, Default)]
struct Found {
    system: String,
    user: String,
    /// SHA-256 of what is at the place; empty where nothing is.
    sum: String,
    /// The first two bytes of it, as hexadecimal digits.
    begins: String,
    on_path: bool,
    has_config: bool,
}

impl Found {
    /// Reads the lines `MARK key value`; whatever else the host's shell prints is skipped.
    fn read(printed: &[u8], mark: &str) -> Self {
        let mut found = Self::default();
        for line in String::from_utf8_lossy(printed).lines() {
            let Some((key, value)) = line.strip_prefix(mark).and_then(|rest| rest.trim_start().split_once(' ')) else {
                continue;
            };
            let value = screen::line(value.trim());
            match key {
                "system" => found.system = value,
                "user" => found.user = value,
                "sum" => found.sum = value,
                "begins" => found.begins = value,
                "path" => found.on_path = true,
                "config" => found.has_config = true,
                _ => {}
            }
        }
        found
    }
}

/// A binary for another machine would not run there, and a shim in place of a binary would lose what that promises.
fn refuse(found: &Found, shim: bool) -> Result<(), Failure> {
    if shim {
        if !found.begins.is_empty() && found.begins != "2321" {
            let text = "the host has a program there that is no shim; an agent promises more, so it stays";
            return Err(Failure::new(Exit::Failed, text));
        }
        return Ok(());
    }
    let here = rustix::system::uname();
    let here = format!("{} {}", here.sysname().to_string_lossy(), here.machine().to_string_lossy());
    if found.system != here {
        let text = format!(
            "this program is for {here} and the host is {}; install a build for it by hand, or use --shim",
            found.system
        );
        return Err(Failure::new(Exit::Failed, text));
    }
    Ok(())
}

/// The far side of the installation.
struct Far {
    call: SshCall,
    place: String,
    agent_config: String,
}

impl Far {
    /// Runs `script` in the host's `sh`, which reads it from its input: nothing of it passes another shell.
    async fn script(&self, what: &str, script: &str) -> Result<Ran, Failure> {
        let failed = |why: String| Failure::new(Exit::Failed, format!("failed to {what}: {why}"));
        let ran = self.call.run("exec sh", script.as_bytes(), QUESTION).await.map_err(failed)?;
        match ran.failed {
            Some(why) => Err(failed(why)),
            None => Ok(ran),
        }
    }

    async fn look(&self) -> Result<Found, Failure> {
        let mark = mark();
        // The paths were checked when the configuration was read: they are one word each, and `~` is expanded.
        let script = format!(
            "set -u\nplace={place} config={config}\necho\n\
             printf '{mark} system %s\\n' \"$(uname -sm)\"\n\
             printf '{mark} user %s\\n' \"$(id -un)\"\n\
             [ ! -f \"$place\" ] || printf '{mark} sum %s\\n' \"$(sha256sum <\"$place\" | cut -d' ' -f1)\"\n\
             [ ! -f \"$place\" ] || printf '{mark} begins %s\\n' \"$(od -An -N2 -tx1 \"$place\" | tr -d ' ')\"\n\
             case $(command -v aurora) in \"$place\") printf '{mark} path yes\\n' ;; esac\n\
             [ ! -e \"$config\" ] || printf '{mark} config yes\\n'\n",
            place = self.place,
            config = self.agent_config,
        );
        let found = Found::read(&self.script("look at the host", &script).await?.printed, &mark);
        if found.system.is_empty() {
            return Err(Failure::new(Exit::Failed, "the host's shell did not say what machine it is"));
        }
        Ok(found)
    }

    /// Copies to a name of its own, compares on the far side, and puts it in place by renaming.
    async fn bring(&self, program: &[u8], sum: &str) -> Result<(), Failure> {
        let fresh = format!("{}.{}", self.place, mark());
        let (dir, _) = self.place.rsplit_once('/').unwrap_or((".", ""));
        self.script("make the directory", &format!("set -eu\numask 077\nmkdir -p {dir}/\n")).await?;
        let failed = |why: String| Failure::new(Exit::Failed, format!("failed to copy: {why}"));
        let copied = self.call.run(&format!("exec tee {fresh} >/dev/null"), program, COPY).await.map_err(failed)?;
        if let Some(why) = copied.failed {
            return Err(failed(why));
        }
        let script = format!(
            "set -eu\nfresh={fresh} place={place}\n\
             if [ \"$(sha256sum <\"$fresh\" | cut -d' ' -f1)\" != {sum} ]; then rm -f \"$fresh\"\n\
             echo 'what arrived is not what was sent' >&2; exit 1; fi\n\
             chmod 755 \"$fresh\"\nsync\nmv -f \"$fresh\" \"$place\"\n",
            place = self.place,
        );
        self.script("put it in place", &script).await?;
        Ok(())
    }

    /// Writes the agent's configuration where there is none.
    async fn configure(&self, host: &HostName) -> Result<(), Failure> {
        let (dir, _) = self.agent_config.rsplit_once('/').unwrap_or((".", ""));
        // A host's name is letters, digits and . _ - only.
        let script = format!(
            "set -euC\numask 077\nmkdir -p {dir}/\ncat >{path} <<'END'\n\
             # The agent of this host; `aurora host install` wrote it. Only what stands under [commands.*] here ever runs.\n\
             [agent]\nname = \"{host}\"\nEND\n",
            path = self.agent_config,
        );
        self.script("write the agent's configuration", &script).await?;
        Ok(())
    }
}

/// A word that nothing else prints.
fn mark() -> String {
    format!("{:016x}", rand::random::<u64>())
}

fn remains(host: &HostConfig, far: &Far, found: &Found, shim: bool) -> Result<(), Failure> {
    let ssh = host.ssh.as_ref();
    let mut todo = Vec::new();
    if ssh.is_some_and(|ssh| !ssh.agent.contains('/')) && !found.on_path {
        todo.push(format!("in [hosts.{}], ssh: agent = \"{}\"", host.name, far.place));
    }
    if ssh.is_some_and(|ssh| ssh.agent_config.is_none()) && !shim {
        todo.push("nothing more for tmux and exec: the agent finds its file there by itself".to_owned());
    }
    if shim {
        todo.push(format!("in [hosts.{}]: layers = [\"exec\"]", host.name));
    } else {
        todo.push("for socket and trigger: the two units in packaging/ on the host, and `key` in its file".to_owned());
    }
    for line in todo {
        say(format_args!("remains: {line}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_prints_is_read_by_its_mark_and_shown_as_text() {
        let printed = b"Welcome\nsystem Plan9 mips\nM1 system Linux x86_64\nM1 user op\x1b[31ms\nM1 config yes\nM1 x\n";
        let found = Found::read(printed, "M1");
        assert_eq!((found.system.as_str(), found.has_config, found.on_path), ("Linux x86_64", true, false));
        assert!(!found.user.contains('\x1b'), "{found:?}");
        assert!(refuse(&Found { system: "Plan9 mips".into(), ..Found::default() }, false).is_err());
        assert!(refuse(&Found { begins: "7f45".into(), ..Found::default() }, true).is_err(), "a binary stays");
        assert!(refuse(&Found { begins: "2321".into(), ..Found::default() }, true).is_ok());
    }
}
