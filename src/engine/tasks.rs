//! The tasks as they are shown. What is told late of an older task of the same name changes nothing.

use std::collections::BTreeMap;

use crate::model::TaskStatus;

/// The newest task of each name.
#[derive(Debug, Default)]
pub(super) struct Tasks(BTreeMap<String, (u64, TaskStatus)>);

impl Tasks {
    /// Takes in the state of the task numbered `generation`; answers whether it is the newest of its name.
    pub(super) fn changed(&mut self, generation: u64, status: &TaskStatus) -> bool {
        if self.is_older(generation, &status.name) {
            return false;
        }
        self.0.insert(status.name.clone(), (generation, status.clone()));
        true
    }

    /// Forgets the task numbered `generation`; answers whether it was the newest of its name.
    pub(super) fn gone(&mut self, generation: u64, name: &str) -> bool {
        !self.is_older(generation, name) && self.0.remove(name).is_some()
    }

    /// Whether a task is called so.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All of them, by name.
    pub(super) fn all(&self) -> Vec<TaskStatus> {
        self.0.values().map(|(_, status)| status.clone()).collect()
    }

    fn is_older(&self, generation: u64, name: &str) -> bool {
        self.0.get(name).is_some_and(|(newest, _)| generation < *newest)
    }
}
