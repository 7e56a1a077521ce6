//! The processes of a job: all that descend from its runner, into whatever session or group they have moved.

use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, waitpid};

use super::Machine;
use super::machine::Process;

/// The processes below this one. This process is their subreaper: whoever loses its parent becomes its child.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    machine: &'a Machine,
    root: u32,
}

impl<'a> Tree<'a> {
    /// Those below this process.
    pub(super) fn below_this(machine: &'a Machine) -> Self {
        Self { machine, root: std::process::id() }
    }

    /// Those that run.
    pub(super) fn running(&self) -> Vec<Process> {
        let mut found = self.machine.descendants(self.root);
        found.retain(|process| !process.is_dead());
        found
    }

    /// Sends `signal` to each that runs.
    pub(super) fn signal(&self, signal: Signal) {
        for process in self.running() {
            send(self.machine, &process, signal);
        }
    }

    /// Reaps what has become our child and has ended, but not `main`: somebody waits for that one.
    pub(super) fn reap(&self, main: Option<u32>) {
        for process in self.machine.descendants(self.root) {
            if process.parent == self.root && process.is_dead() && Some(process.pid) != main {
                // It may have been reaped meanwhile.
                let _ = waitpid(pid(process.pid), WaitOptions::NOHANG);
            }
        }
    }
}

/// Sends `signal` to exactly this process: a number that was given to another one meanwhile is left alone.
pub(super) fn send(machine: &Machine, process: &Process, signal: Signal) -> bool {
    let Some(fd) = pid(process.pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else { return false };
    machine.is_alive(process.pid, process.start) && pidfd_send_signal(fd, signal).is_ok()
}

pub(super) fn pid(raw: u32) -> Option<Pid> {
    i32::try_from(raw).ok().and_then(Pid::from_raw)
}
