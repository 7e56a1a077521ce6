//! Operators: who is attached, and what they may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::name::is_name;
use super::{NodeName, Scope, TokenId};

super::name::name_id! {
    /// The name of an operator: the table name under `[operators.*]`, and what a mark says about who took a message.
    /// One of another node has its name behind an `@`: `anna@hub-2`.
    OperatorName,
    /// An operator name that cannot be used.
    BadOperatorName, "operator", is_operator
}

fn is_operator(text: &str) -> bool {
    match text.split_once('@') {
        Some((name, node)) => is_name(name) && is_name(node),
        None => is_name(text),
    }
}

impl OperatorName {
    /// Whoever has no name of their own: `operator`.
    #[must_use]
    pub fn unnamed() -> Self {
        Self("operator".into())
    }

    /// This operator as another node calls it that hears of it from `node`.
    #[must_use]
    pub fn of(&self, node: &NodeName) -> Self {
        Self(format!("{}@{node}", self.person()).into())
    }

    /// The name without the node. Nobody knows whether two nodes mean the same person by it, so where two people are
    /// wanted one name counts once.
    #[must_use]
    pub fn person(&self) -> &str {
        self.0.split_once('@').map_or(&*self.0, |(name, _)| name)
    }

    /// Whether it is an operator of another node.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.0.contains('@')
    }
}

/// What an operator may do. Each may everything the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look.
    Viewer,
    /// Do the daily work: marks, VIPs, restarts.
    Operator,
    /// Say yes to what needs more than one person.
    Approver,
    /// Decide who may what.
    Admin,
}

impl Role {
    /// Every role, least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Approver, Self::Admin];

    /// The name used in configuration, on screens and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("unknown role `{text}`; the roles are viewer, operator, approver, admin"))
    }
}

/// How somebody was recognised.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecognisedBy {
    /// The uid the state directory belongs to, or root.
    Owner(u32),
    /// The uid of an operator.
    Uid(u32),
    /// The name of an ssh key, from the forced command.
    SshKey(String),
    /// A token.
    Token(TokenId),
    /// Another node that has the trust `command`, and says who it is. This node itself, for what it shares.
    Node(NodeName),
    /// Nothing: whoever asks whether aurora is well.
    Nobody,
}

/// Who a client is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// What it is called.
    pub operator: OperatorName,
    /// What it may do.
    pub role: Role,
    /// Of what its role may, only this; everything when absent.
    pub scopes: Option<Vec<Scope>>,
    /// How it was recognised.
    pub by: RecognisedBy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_of_another_node_is_somebody_else_with_the_same_name() {
        let anna: OperatorName = "anna".parse().expect("a name");
        let far = anna.of(&"hub-2".parse().expect("a name"));
        assert_eq!((far.as_str(), far.person(), far.is_remote()), ("anna@hub-2", "anna", true));
        assert_eq!(far.to_string().parse(), Ok(far.clone()));
        assert_eq!(far.of(&"hub-3".parse().expect("a name")).as_str(), "anna@hub-3", "who says so counts");
        assert!(["a@", "@b", "a@b@c", "a@-b"].iter().all(|bad| bad.parse::<OperatorName>().is_err()));
    }

    #[test]
    fn roles_are_ordered_and_read_back() {
        assert!(Role::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().expect_err("unknown").contains("viewer, operator, approver, admin"));
    }
}
