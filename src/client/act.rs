//! The names of an act and of a job.

use uuid::Uuid;

use crate::model::{ActId, JobId};

/// A name for an act that nobody has used. Whoever wants the act makes it: the engine carries out a name once, however
/// often it is asked over a line that breaks.
#[must_use]
pub fn act_id() -> ActId {
    ActId::from_uuid(Uuid::now_v7())
}

/// A name for a job that nobody has used. As with an act, asking again under it runs nothing twice.
#[must_use]
pub fn job_id() -> JobId {
    JobId::from_uuid(Uuid::now_v7())
}
