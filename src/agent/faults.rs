//! The steps between which an agent or its machine can fail.

use std::fmt;
use std::io;
use std::sync::Arc;

/// A step that is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultPoint {
    /// The job's directory is made.
    AfterMkdir,
    /// The order is written down.
    AfterReq,
    /// The order is durable.
    AfterAccepted,
    /// `started` is linked, and not durable yet.
    AfterStarted,
    /// `started` is durable; where it is a runner's, the next step runs the command.
    BeforeExec,
    /// The command is over.
    BeforeResult,
    /// How it ended is written down.
    AfterResult,
}

impl FaultPoint {
    /// Every step, in order.
    pub const ALL: [Self; 7] = [
        Self::AfterMkdir,
        Self::AfterReq,
        Self::AfterAccepted,
        Self::AfterStarted,
        Self::BeforeExec,
        Self::BeforeResult,
        Self::AfterResult,
    ];
}

/// What is asked at each step whether to go on.
type Asked = dyn Fn(FaultPoint) -> io::Result<()> + Send + Sync;

/// What fails where; nothing, unless a simulation says so. An error ends what is done right there, as a crash would.
#[derive(Clone, Default)]
pub struct Faults(Option<Arc<Asked>>);

impl Faults {
    /// Faults as `asked` decides.
    #[must_use]
    pub fn new(asked: impl Fn(FaultPoint) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(asked)))
    }

    pub(super) fn after(&self, point: FaultPoint) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |asked| asked(point))
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Faults(some)" } else { "Faults(none)" })
    }
}
