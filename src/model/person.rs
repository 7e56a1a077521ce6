//! Who of the contacts are one person: what is said about it, and what became of that.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ActId, Contact, ContactId};

/// What is said about who somebody is. Saying it twice changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PersonAct {
    /// Two contacts, and all that are known to be either of them, are one person.
    Merge {
        /// The one.
        contact: ContactId,
        /// The other.
        with: ContactId,
    },
    /// A contact is a person by itself; the others of its person stay together.
    Split {
        /// Which.
        contact: ContactId,
    },
}

impl PersonAct {
    /// The contact it begins with.
    #[must_use]
    pub fn contact(&self) -> ContactId {
        match self {
            Self::Merge { contact, .. } | Self::Split { contact } => *contact,
        }
    }
}

impl fmt::Display for PersonAct {
    /// As the audit log has it, behind the contact it is about.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Merge { with, .. } => write!(f, "is the same person as {with}"),
            Self::Split { .. } => f.write_str("is a person by itself"),
        }
    }
}

/// What became of a [`PersonAct`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonActed {
    /// The act, as it is undone by.
    pub id: ActId,
    /// Contacts that belong to another person than before, or to none any more; 0 when it was so already.
    pub changed: u64,
    /// The contact it began with, as it is now, with the others of its person.
    pub contact: Contact,
}

impl PersonActed {
    /// A sentence about how it is now: `ann@example.org is one person with +491700000000`. It may hold text from outside.
    #[must_use]
    pub fn told(&self) -> String {
        let Contact { address, others, .. } = &self.contact;
        let already = if self.changed == 0 { " already" } else { "" };
        let others: Vec<&str> = others.iter().map(|other| other.address.as_str()).collect();
        match others.as_slice() {
            [] => format!("{address} is a person by itself{already}"),
            others => format!("{address} is one person with {}{already}", others.join(", ")),
        }
    }
}
