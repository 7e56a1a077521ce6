//! Which world is played.

use std::fmt;
use std::str::FromStr;

/// A world by its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scene {
    /// Now and then something arrives, and a check goes down and comes back.
    #[default]
    Lively,
    /// Nothing changes.
    Still,
    /// Forty checks, each with other figures every second.
    Busy,
}

impl Scene {
    /// Every scene.
    pub const ALL: [Self; 3] = [Self::Lively, Self::Still, Self::Busy];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lively => "lively",
            Self::Still => "still",
            Self::Busy => "busy",
        }
    }
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Scene {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = Self::ALL.map(Self::as_str).join(", ");
        let found = Self::ALL.into_iter().find(|scene| scene.as_str() == text);
        found.ok_or_else(|| format!("unknown scene `{text}`; the scenes are {names}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for scene in Scene::ALL {
            assert_eq!(scene.to_string().parse(), Ok(scene));
        }
        assert!("loud".parse::<Scene>().expect_err("unknown").contains("lively, still, busy"));
    }
}
