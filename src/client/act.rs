//! The name of an act.

use uuid::Uuid;

use crate::model::ActId;

/// A name for an act that nobody has used. Whoever wants the act makes it: the engine carries out a name once, however
/// often it is asked over a line that breaks.
#[must_use]
pub fn act_id() -> ActId {
    ActId::from_uuid(Uuid::now_v7())
}
