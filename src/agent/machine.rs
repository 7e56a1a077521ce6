//! What the kernel says of this machine and its processes.

use std::path::{Path, PathBuf};

/// Where the kernel tells it; tests have one of their own.
#[derive(Debug, Clone)]
pub struct Machine {
    proc: PathBuf,
}

impl Default for Machine {
    fn default() -> Self {
        Self::at("/proc")
    }
}

impl Machine {
    /// The machine that `proc` (proc(5)) tells of.
    #[must_use]
    pub fn at(proc: impl Into<PathBuf>) -> Self {
        Self { proc: proc.into() }
    }

    /// Where the kernel tells of it.
    #[must_use]
    pub fn proc(&self) -> &Path {
        &self.proc
    }

    /// Changes whenever the machine starts again.
    ///
    /// # Errors
    /// When the kernel does not tell it.
    pub fn boot_id(&self) -> std::io::Result<String> {
        Ok(std::fs::read_to_string(self.proc.join("sys/kernel/random/boot_id"))?.trim().to_owned())
    }

    /// Whether the process `pid` that started at the tick `start` still runs. One that only waits to be reaped does not.
    #[must_use]
    pub fn is_alive(&self, pid: u32, start: u64) -> bool {
        self.process(pid).is_some_and(|process| process.start == start && !process.is_dead())
    }

    /// The process `pid`, when there is one.
    #[must_use]
    pub fn process(&self, pid: u32) -> Option<Process> {
        let stat = std::fs::read(self.proc.join(pid.to_string()).join("stat")).ok()?;
        Process::parse(&String::from_utf8_lossy(&stat))
    }

    /// Every process that descends from `root`, whatever session or group it has put itself into.
    #[must_use]
    pub fn descendants(&self, root: u32) -> Vec<Process> {
        let all = self.processes();
        let mut family = vec![root];
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(parent) = family.get(at).copied() {
            at += 1;
            for process in all.iter().filter(|process| process.parent == parent && process.pid != root) {
                if !family.contains(&process.pid) {
                    family.push(process.pid);
                    found.push(*process);
                }
            }
        }
        found
    }

    /// Every process whose first environment had `name` with `value`, as far as this user may look.
    #[must_use]
    pub fn marked(&self, name: &str, value: &str) -> Vec<Process> {
        let mark = format!("{name}={value}");
        let is_marked = |process: &Process| {
            let environment =
                std::fs::read(self.proc.join(process.pid.to_string()).join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        self.processes().into_iter().filter(is_marked).collect()
    }

    fn processes(&self) -> Vec<Process> {
        let Ok(entries) = std::fs::read_dir(&self.proc) else { return Vec::new() };
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter_map(|pid| self.process(pid)).collect()
    }

    /// Its load over one minute, in hundredths.
    #[must_use]
    pub fn load_percent(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.proc.join("loadavg")).ok()?;
        let (whole, part) = text.split_whitespace().next()?.split_once('.')?;
        let part = format!("{part:0<2}");
        whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(part.get(..2)?.parse().ok()?)
    }
}

/// A process, as `proc_pid_stat(5)` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// The number of its parent.
    pub parent: u32,
    /// When it started, in ticks since the machine did.
    pub start: u64,
    /// One letter for how it is.
    state: char,
}

impl Process {
    fn parse(stat: &str) -> Option<Self> {
        // A name may hold anything, parentheses and newlines too.
        let (pid, rest) = stat.split_once(' ')?;
        let mut fields = rest.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        Some(Self { pid: pid.parse().ok()?, parent, start: fields.nth(17)?.parse().ok()?, state })
    }

    /// Whether it only waits to be reaped.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_the_next_one_with_its_number() {
        let machine = Machine::default();
        let own = machine.process(std::process::id()).expect("this one");
        assert!(machine.is_alive(own.pid, own.start) && !machine.is_alive(own.pid, own.start + 1));
        assert_eq!(
            Process::parse("7 (a) b) (c) Z 3 4 5 0 -1 1 2 3 4 5 6 7 8 9 20 0 1 0 99 1"),
            Some(Process { pid: 7, parent: 3, start: 99, state: 'Z' })
        );
        let mut child = std::process::Command::new("sleep").arg("30").spawn().expect("starts");
        assert!(machine.descendants(own.pid).iter().any(|process| process.pid == child.id()));
        child.kill().expect("ends");
        let pid = rustix::process::Pid::from_child(&child);
        let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).expect("ends");
        let process = machine.process(child.id()).expect("waits to be reaped");
        assert!(!machine.is_alive(process.pid, process.start), "a zombie does not run");
        child.wait().expect("reaped");
    }

    #[test]
    fn the_load_is_read_in_hundredths() {
        let dir = tempfile::tempdir().expect("a directory");
        let machine = Machine::at(dir.path());
        assert_eq!(machine.load_percent(), None);
        for (text, load) in
            [("0.52 0.1 0 1/2 3\n", Some(52)), ("12.05 1", Some(1_205)), ("3.5 1", Some(350)), ("x", None)]
        {
            std::fs::write(dir.path().join("loadavg"), text).expect("writes");
            assert_eq!(machine.load_percent(), load, "{text}");
        }
        assert!(Machine::default().boot_id().expect("a boot id").len() >= 32);
    }
}
