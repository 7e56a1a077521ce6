//! One connection, or one letter, as the desk knows it.

/// Who speaks, since the hello. Dropping it ends what is told over it; jobs go on.
#[derive(Debug, Default)]
pub struct Session {
    pub(super) greeted: bool,
}

impl Session {
    /// Nobody has said anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}
