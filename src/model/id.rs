//! Typed ids with a prefix, so that a log line needs no label.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::{Uuid, Variant, Version};

use super::HostName;

/// Text that is not an id of the expected type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}; expected `{prefix}` and 32 hexadecimal digits")]
pub struct BadId {
    what: &'static str,
    prefix: &'static str,
    text: String,
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// The id over `uuid`.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The 128 bits without the prefix, as the store keeps them.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix($prefix)
                    .filter(|hex| hex.len() == 32)
                    .and_then(|hex| Uuid::try_parse(hex).ok())
                    .map(Self)
                    .ok_or_else(|| BadId { what: $what, prefix: $prefix, text: text.to_owned() })
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

id_type!(
    /// An event: a `UUIDv7`, so ids sort by time of arrival.
    EventId, "evt_", "an event id"
);
id_type!(
    /// A message. It carries the same 128 bits as the event it was read from.
    MessageId, "msg_", "a message id"
);
id_type!(
    /// A conversation within one channel.
    ConversationId, "cnv_", "a conversation id"
);
id_type!(
    /// A person or system that writes on one channel.
    ContactId, "con_", "a contact id"
);
id_type!(
    /// An act of an operator. Whoever acts makes it, so that asking again does not act again.
    ActId, "act_", "an act id"
);
id_type!(
    /// A token of the API. It says nothing about the token's secret.
    TokenId, "tok_", "a token id"
);

id_type!(
    /// A job: a `UUIDv7`, made before the first byte is sent. A host runs each at most once, whichever road it comes by.
    JobId, "job_", "a job id"
);
id_type!(
    /// A plan that waits for other people's yes.
    ApprovalId, "apr_", "an approval id"
);
id_type!(
    /// An engine: made once for each state directory. Agents hold their lease by it.
    EngineId, "eng_", "an engine id"
);
id_type!(
    /// The journal of a host: made with the spool, so that a mount that shows another one is found out.
    SpoolId, "spl_", "a spool id"
);
id_type!(
    /// One life of a node's log: made with the database, and anew when others hold more of it than it does.
    EpochId, "epo_", "an epoch id"
);
id_type!(
    /// One run of an engine's process.
    BootId, "boot_", "a boot id"
);
id_type!(
    /// An entry of a node's log.
    SharedId, "shr_", "the id of an entry"
);

impl JobId {
    /// The name of the job on `host`, of several that are called so: the same each time it is asked for.
    #[must_use]
    pub fn on(self, host: &HostName) -> Self {
        self.made_of("aurora job 1\n", host)
    }

    /// The name of the job that undoes it on `host`.
    #[must_use]
    pub fn undoing_on(self, host: &HostName) -> Self {
        self.made_of("aurora undoing 1\n", host)
    }

    /// The first 48 bits are the time, as before: hosts refuse names that are too old.
    fn made_of(self, what: &str, host: &HostName) -> Self {
        let mut hash = Sha256::new();
        hash.update(what);
        hash.update(self.0.as_bytes());
        hash.update(host.as_str());
        let mut bytes = *self.0.as_bytes();
        bytes[6..].copy_from_slice(&hash.finalize()[..10]);
        let name = uuid::Builder::from_bytes(bytes).with_version(Version::SortRand).with_variant(Variant::RFC4122);
        Self(name.into_uuid())
    }
}

impl From<EventId> for MessageId {
    fn from(id: EventId) -> Self {
        Self(id.0)
    }
}

impl From<MessageId> for EventId {
    fn from(id: MessageId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_names_the_mistake() {
        let id = EventId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
        assert_eq!(id.to_string(), "evt_01900000000070008000000000000001");
        assert_eq!(id.to_string().parse(), Ok(id));
        let error = "msg_01900000000070008000000000000001".parse::<EventId>().expect_err("prefix");
        assert!(error.to_string().contains("is not an event id"), "{error}");
    }

    #[test]
    fn jobs_of_one_name_have_names_of_their_own_that_are_always_the_same() {
        let id = JobId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
        let hosts = ["web-1", "web-2"].map(|name| name.parse::<HostName>().expect("a name"));
        let names = [id, id.on(&hosts[0]), id.on(&hosts[1]), id.undoing_on(&hosts[0]), id.undoing_on(&hosts[1])];
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), 5);
        assert_eq!(id.on(&hosts[0]), names[1]);
        for name in names {
            assert_eq!((name.0.get_version_num(), name.0.as_bytes()[..6] == id.0.as_bytes()[..6]), (7, true));
        }
    }
}
