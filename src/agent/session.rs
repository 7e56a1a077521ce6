//! One connection, or one letter, as the desk knows it.

use std::collections::HashMap;

use tokio::task::{AbortHandle, JoinSet};

use crate::model::{EngineId, JobId};

use super::panes::Visit;

/// Who speaks, since the hello. Dropping it ends what is told over it; jobs go on.
#[derive(Debug, Default)]
pub struct Session {
    pub(super) greeted: Option<Greeted>,
    tasks: JoinSet<()>,
    /// The jobs that are followed.
    followed: HashMap<JobId, AbortHandle>,
    /// Whether it is a letter: answered, and over.
    is_letter: bool,
    /// What is asked about panes.
    pub(super) panes: Visit,
}

/// An engine that has said hello.
#[derive(Debug, Clone, Copy)]
pub(super) struct Greeted {
    pub engine: EngineId,
    pub epoch: u64,
}

/// Jobs one session follows at once.
const FOLLOWED: usize = 1_024;

impl Session {
    /// Nobody has said anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One question in a letter. Nothing that goes on is told over it but the job it is about.
    #[must_use]
    pub fn letter() -> Self {
        Self { is_letter: true, ..Self::default() }
    }

    pub(super) fn is_letter(&self) -> bool {
        self.is_letter
    }

    /// Whether `id` may be followed too.
    pub(super) fn has_room_for(&mut self, id: JobId) -> bool {
        while self.tasks.try_join_next().is_some() {}
        self.followed.retain(|_, task| !task.is_finished());
        self.followed.len() < FOLLOWED || self.followed.contains_key(&id)
    }

    /// Lets `task` tell of the job `id`. Whatever told of it before ends: who asks again wants it from there.
    pub(super) fn follow(&mut self, id: JobId, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(before) = self.followed.insert(id, self.tasks.spawn(task)) {
            before.abort();
        }
    }
}
