//! What the kernel says of this machine and its processes.

use std::path::PathBuf;

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

    /// Changes whenever the machine starts again.
    ///
    /// # Errors
    /// When the kernel does not tell it.
    pub fn boot_id(&self) -> std::io::Result<String> {
        Ok(std::fs::read_to_string(self.proc.join("sys/kernel/random/boot_id"))?.trim().to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

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
