//! Who a client is: by the uid behind a socket, by the name of an ssh key, by a token. Pure.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::config::Operators;
use crate::model::{
    Identity, NodeName, OperatorName, RecognisedBy, Role, Scope, Token, TokenHash, TokenId, TokenRow, TokenWish,
};
use crate::policy;

/// Tokens kept. More are a mistake of a script, not a need.
const TOKENS: usize = 1_000;
/// How exactly the last use of a token is remembered.
const USED: SignedDuration = SignedDuration::from_secs(60);
/// Characters of a name from outside that a refusal repeats.
const REPEATED: usize = 64;

/// What the holder of a token that does not count is told; no more, so that nobody can tell which.
const NO_TOKEN: &str = "the token is unknown, expired or revoked, or its operator is gone";

/// What a client shows to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A process on this machine.
    Local {
        /// Its uid, as the kernel says.
        uid: u32,
        /// The ssh key it came with, as it says itself.
        ssh_key: Option<String>,
    },
    /// A token.
    Token(TokenHash),
    /// An operator of another node, which has proven that it is that node and may have things done here.
    Node(NodeName, Box<Identity>),
    /// This node itself: it follows what happens, to share it.
    Itself(NodeName),
    /// Nothing. That is enough to ask whether aurora is well.
    Nobody,
}

/// Why a client was not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TurnedAway {
    /// Nobody knows it.
    #[error("{0}")]
    Unrecognised(String),
    /// It is known, and may not do what it came for.
    #[error("not allowed: {0}")]
    Denied(String),
    /// The engine has stopped.
    #[error("the engine has stopped")]
    Stopped,
}

impl TurnedAway {
    /// Whether it is for who the client is, and not for how the engine is.
    #[must_use]
    pub fn is_denial(&self) -> bool {
        matches!(self, Self::Unrecognised(_) | Self::Denied(_))
    }
}

/// A token that may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whose it is to be.
    pub operator: OperatorName,
    /// What it may do.
    pub role: Role,
    /// Whether its operator is in the configuration.
    pub configured: bool,
    /// Of what its role may, only this; everything when absent.
    pub scopes: Option<Vec<Scope>>,
    /// The moment after which it no longer counts.
    pub expires: Option<Timestamp>,
}

/// Whoever owns the state directory.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub uid: u32,
    pub name: OperatorName,
    /// What root is called.
    pub root: OperatorName,
}

/// Everything that decides who a client is.
#[derive(Debug)]
pub(super) struct Access {
    owner: Owner,
    operators: Operators,
    tokens: HashMap<TokenHash, Token>,
}

impl Access {
    pub(super) fn new(owner: Owner, operators: Operators, tokens: Vec<(TokenHash, Token)>) -> Self {
        Self { owner, operators, tokens: tokens.into_iter().collect() }
    }

    /// Recognises a client that wants in, and to `follow`.
    pub(super) fn admit(
        &mut self,
        credential: &Credential,
        follow: bool,
        now: Timestamp,
    ) -> Result<Identity, TurnedAway> {
        let identity = match credential {
            Credential::Local { uid, ssh_key: None } => self.by_uid(*uid),
            Credential::Local { uid, ssh_key: Some(key) } => self.by_key(*uid, key),
            Credential::Token(hash) => self.by_token(hash, now),
            Credential::Node(node, who) => Ok(Identity {
                operator: who.operator.of(node),
                role: who.role,
                scopes: who.scopes.clone(),
                by: RecognisedBy::Node(node.clone()),
            }),
            Credential::Itself(node) => Ok(Identity {
                operator: OperatorName::unnamed(),
                role: Role::Viewer,
                scopes: None,
                by: RecognisedBy::Node(node.clone()),
            }),
            Credential::Nobody => Ok(Identity {
                operator: OperatorName::unnamed(),
                role: Role::Viewer,
                scopes: Some(Vec::new()),
                by: RecognisedBy::Nobody,
            }),
        };
        let identity = identity.map_err(TurnedAway::Unrecognised)?;
        if follow {
            policy::may_follow(&identity).map_err(TurnedAway::Denied)?;
        }
        Ok(identity)
    }

    /// Everybody who may be given something: the operators of the configuration, and the owner.
    pub(super) fn operators(&self) -> Vec<OperatorName> {
        let mut names: Vec<OperatorName> = self.operators.keys().cloned().collect();
        // An operator with the owner's uid is the owner.
        if self.operators.values().all(|operator| operator.unix != Some(self.owner.uid)) {
            names.push(self.owner.name.clone());
        }
        names.sort();
        names.dedup();
        names
    }

    fn is_owner(&self, uid: u32) -> bool {
        uid == self.owner.uid || uid == 0
    }

    /// An entry counts for the owner too: it gives a name, and a role that may be less.
    fn by_uid(&self, uid: u32) -> Result<Identity, String> {
        let is_owner = self.is_owner(uid);
        let by = if is_owner { RecognisedBy::Owner(uid) } else { RecognisedBy::Uid(uid) };
        if let Some((name, operator)) = self.operators.iter().find(|(_, operator)| operator.unix == Some(uid)) {
            return Ok(Identity { operator: name.clone(), role: operator.role, scopes: None, by });
        }
        if !is_owner {
            return Err(format!("uid {uid} is no operator; add `unix = {uid}` to one in the configuration"));
        }
        let name = if uid == self.owner.uid { &self.owner.name } else { &self.owner.root };
        Ok(Identity { operator: name.clone(), role: Role::Admin, scopes: None, by })
    }

    /// Only the owner may say which key somebody came with: sshd runs the forced command as the owner.
    fn by_key(&self, uid: u32, key: &str) -> Result<Identity, String> {
        if !self.is_owner(uid) {
            return Err(format!("uid {uid} may not name an ssh key; only the owner of the state directory may"));
        }
        let named = self.operators.iter().find(|(_, operator)| operator.ssh_key.as_deref() == Some(key));
        let (name, operator) = named.ok_or_else(|| {
            let key: String = key.chars().take(REPEATED).collect();
            format!("no operator has the ssh key {key:?}; add `ssh_key` to one in the configuration")
        })?;
        let by = RecognisedBy::SshKey(key.to_owned());
        Ok(Identity { operator: name.clone(), role: operator.role, scopes: None, by })
    }

    fn by_token(&self, hash: &TokenHash, now: Timestamp) -> Result<Identity, String> {
        let token = self.tokens.get(hash).filter(|token| token.is_active(now));
        let token = token.ok_or(NO_TOKEN)?;
        Ok(Identity {
            operator: token.operator.clone(),
            role: self.role_of(token).ok_or(NO_TOKEN)?,
            scopes: token.scopes.clone(),
            by: RecognisedBy::Token(token.id),
        })
    }

    /// What `token` may do by now. Whoever may less since it was made may less by it too, and whoever is no operator
    /// any more may nothing.
    fn role_of(&self, token: &Token) -> Option<Role> {
        match self.operators.get(&token.operator) {
            Some(operator) => Some(token.role.min(operator.role)),
            None => (!token.configured).then_some(token.role),
        }
    }

    /// Notes that the token behind `identity` is used; answers its id when that is worth keeping.
    pub(super) fn used(&mut self, identity: &Identity, now: Timestamp) -> Option<TokenId> {
        let RecognisedBy::Token(id) = identity.by else { return None };
        let token = self.tokens.values_mut().find(|token| token.id == id)?;
        let is_news = token.used.is_none_or(|used| now.duration_since(used) >= USED);
        is_news.then(|| {
            token.used = Some(now);
            id
        })
    }

    /// Who a client is by now that was let in as `identity`: its token may have ended, the configuration may have
    /// changed.
    pub(super) fn again(&self, identity: &Identity, now: Timestamp) -> Result<Identity, String> {
        match &identity.by {
            RecognisedBy::Owner(uid) | RecognisedBy::Uid(uid) => self.by_uid(*uid),
            RecognisedBy::SshKey(key) => self.by_key(self.owner.uid, key),
            RecognisedBy::Token(id) => {
                let found = self.tokens.iter().find(|(_, token)| token.id == *id);
                found.map_or_else(|| Err(NO_TOKEN.to_owned()), |(hash, _)| self.by_token(hash, now))
            }
            // What another node may is looked up with each order; it stays for one alone.
            RecognisedBy::Node(_) | RecognisedBy::Nobody => Ok(identity.clone()),
        }
    }

    /// Takes over the operators of a configuration that was read again.
    pub(super) fn configure(&mut self, operators: Operators) {
        self.operators = operators;
    }

    /// Decides on a wish for a token, or says why there cannot be such a token.
    pub(super) fn grant(&self, wish: TokenWish, now: Timestamp) -> Result<Grant, String> {
        if wish.operator.is_remote() {
            return Err("another node's operators have their tokens there".to_owned());
        }
        let most = self.operators.get(&wish.operator).map(|operator| operator.role);
        let role = wish.role.or(most).unwrap_or(Role::Viewer);
        if let Some(most) = most.filter(|most| role > *most) {
            return Err(format!("{} has the role {most}; a token cannot have the role {role}", wish.operator));
        }
        if wish.expires.is_some_and(|end| end <= now) {
            return Err("the token would have expired already".to_owned());
        }
        if self.tokens.len() >= TOKENS {
            return Err(format!("there are {TOKENS} tokens already; revoke some"));
        }
        let TokenWish { operator, scopes, expires, .. } = wish;
        Ok(Grant { operator, role, configured: most.is_some(), scopes, expires })
    }

    pub(super) fn knows(&self, id: TokenId) -> bool {
        self.tokens.values().any(|token| token.id == id)
    }

    pub(super) fn add(&mut self, hash: TokenHash, token: Token) {
        self.tokens.insert(hash, token);
    }

    pub(super) fn revoke(&mut self, id: TokenId) {
        self.tokens.retain(|_, token| token.id != id);
    }

    /// All tokens, the oldest first.
    pub(super) fn tokens(&self) -> Vec<TokenRow> {
        let mut tokens: Vec<TokenRow> = self.tokens.values().map(|token| row(token, self.role_of(token))).collect();
        tokens.sort_by_key(|token| (token.created, token.id));
        tokens
    }
}

/// `token` as it is told of.
pub(super) fn row(token: &Token, role: Option<Role>) -> TokenRow {
    TokenRow {
        id: token.id,
        operator: token.operator.clone(),
        role,
        scopes: token.scopes.clone(),
        created: token.created,
        expires: token.expires,
        used: token.used,
    }
}

#[cfg(test)]
mod tests {
    use crate::config;

    use super::*;

    const OPERATORS: &str = "[operators.anna]\nrole = \"approver\"\nunix = 1001\nssh_key = \"anna-laptop\"\n\
                             [operators.ci]\nrole = \"viewer\"\n";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).expect("in range")
    }

    fn name(text: &str) -> OperatorName {
        text.parse().expect("a name")
    }

    fn access(text: &str) -> Access {
        let operators = config::parse(text, None).expect("no mistake").operators;
        Access::new(Owner { uid: 1000, name: name("otto"), root: name("root") }, operators, Vec::new())
    }

    fn local(uid: u32, key: Option<&str>) -> Credential {
        Credential::Local { uid, ssh_key: key.map(str::to_owned) }
    }

    fn token(number: u8, operator: &str, role: Role) -> (TokenHash, Token) {
        let id = TokenId::from_uuid(uuid::Uuid::from_u128(number.into()));
        let token = Token {
            id,
            operator: name(operator),
            role,
            configured: true,
            scopes: None,
            created: at(0),
            expires: Some(at(100)),
            used: None,
        };
        (TokenHash([number; 32]), token)
    }

    #[test]
    fn uids_keys_and_nobody() {
        let mut access = access(OPERATORS);
        let mut who = |credential: &Credential| {
            access
                .admit(credential, false, at(0))
                .map(|who| (who.operator.to_string(), who.role))
                .map_err(|e| e.to_string())
        };
        assert_eq!(who(&local(1000, None)), Ok(("otto".into(), Role::Admin)), "the owner");
        assert_eq!(who(&local(0, None)), Ok(("root".into(), Role::Admin)));
        assert_eq!(who(&local(1001, None)), Ok(("anna".into(), Role::Approver)));
        assert!(who(&local(1002, None)).expect_err("unknown").contains("unix = 1002"));
        assert_eq!(who(&local(1000, Some("anna-laptop"))), Ok(("anna".into(), Role::Approver)), "less than the owner");
        assert!(who(&local(1000, Some("x\u{1b}[2J"))).expect_err("unknown").contains("\\u{1b}"), "escaped");
        assert!(who(&local(1001, Some("anna-laptop"))).expect_err("not the owner").contains("may not name"));
        assert_eq!(access.admit(&Credential::Nobody, false, at(0)).map(|who| who.scopes), Ok(Some(Vec::new())));
        assert!(matches!(access.admit(&Credential::Nobody, true, at(0)), Err(TurnedAway::Denied(_))));
    }

    #[test]
    fn an_entry_for_the_owner_counts() {
        let mut access = access("[operators.anna]\nrole = \"viewer\"\nunix = 1000\n");
        let who = access.admit(&local(1000, None), true, at(0)).expect("known");
        assert_eq!((who.operator, who.role, who.by), (name("anna"), Role::Viewer, RecognisedBy::Owner(1000)));
    }

    #[test]
    fn tokens_count_until_they_end() {
        let mut access = access(OPERATORS);
        let (hash, kept) = token(1, "anna", Role::Admin);
        access.add(hash, kept.clone());
        let who = access.admit(&Credential::Token(hash), true, at(100)).expect("active to the last second");
        assert_eq!((who.operator.as_str(), who.role), ("anna", Role::Approver), "no more than its operator");
        assert!(access.admit(&Credential::Token(hash), true, at(101)).is_err(), "expired");
        assert!(access.admit(&Credential::Token(TokenHash([9; 32])), true, at(0)).is_err(), "unknown");
        assert_eq!(access.used(&who, at(100)), Some(kept.id));
        assert_eq!(access.used(&who, at(159)), None, "to the minute");
        assert_eq!(access.used(&who, at(160)), Some(kept.id));
        assert_eq!(access.again(&who, at(100)), Ok(who.clone()));
        assert!(access.again(&who, at(101)).is_err());
        access.revoke(kept.id);
        assert!(access.again(&who, at(0)).is_err() && access.tokens().is_empty());
    }

    #[test]
    fn another_configuration_changes_who_is_in() {
        let mut access = access(OPERATORS);
        let (hash, kept) = token(1, "anna", Role::Admin);
        access.add(hash, kept);
        let by = [local(1001, None), local(1000, Some("anna-laptop")), Credential::Token(hash)];
        let in_by =
            |access: &mut Access| by.clone().map(|credential| access.admit(&credential, true, at(0)).expect("in"));
        let before = in_by(&mut access);
        let operators = |text: &str| config::parse(text, None).expect("no mistake").operators;
        access.configure(operators("[operators.anna]\nrole = \"viewer\"\nunix = 1001\nssh_key = \"anna-laptop\"\n"));
        for who in &before {
            assert_eq!(access.again(who, at(0)).map(|who| who.role), Ok(Role::Viewer), "{who:?}");
        }
        access.configure(operators(""));
        let roles = before.map(|who| access.again(&who, at(0)).map(|who| who.role).ok());
        assert_eq!(roles, [None, None, None], "nobody comes back with an older role");
    }

    #[test]
    fn a_token_ends_with_its_operator_and_one_of_nobody_configured_has_its_own_role() {
        let mut access = access("[operators.anna]\nrole = \"admin\"\n");
        let operators = |text: &str| config::parse(text, None).expect("no mistake").operators;
        let (hash, anna) = token(1, "anna", Role::Admin);
        access.add(hash, anna);
        let (other, script) = token(2, "script", Role::Operator);
        access.add(other, Token { configured: false, ..script });
        let roles = |access: &mut Access| {
            let listed: Vec<_> = access.tokens().into_iter().map(|token| token.role).collect();
            let counts = [hash, other].map(|hash| access.admit(&Credential::Token(hash), true, at(0)));
            assert_eq!(listed, counts.map(|who| who.ok().map(|who| who.role)), "the list tells what counts");
            listed
        };
        assert_eq!(roles(&mut access), [Some(Role::Admin), Some(Role::Operator)]);
        access.configure(operators("[operators.anna]\nrole = \"viewer\"\n[operators.script]\nrole = \"viewer\"\n"));
        assert_eq!(roles(&mut access), [Some(Role::Viewer), Some(Role::Viewer)], "demoted");
        access.configure(operators(""));
        assert_eq!(roles(&mut access), [None, Some(Role::Operator)], "removed");
        access.configure(operators("[operators.anna]\nrole = \"approver\"\n"));
        assert_eq!(roles(&mut access), [Some(Role::Approver), Some(Role::Operator)], "back");
    }

    #[test]
    fn a_wish_is_completed_or_refused() {
        let access = access(OPERATORS);
        let wish = |operator: &str, role| TokenWish {
            operator: name(operator),
            role,
            scopes: Some(vec![Scope::Stats]),
            expires: Some(at(10)),
        };
        let role = |wish| access.grant(wish, at(0)).map(|grant| (grant.role, grant.configured));
        assert_eq!(role(wish("anna", None)), Ok((Role::Approver, true)));
        assert_eq!(role(wish("ci", None)), Ok((Role::Viewer, true)));
        assert_eq!(role(wish("new", None)), Ok((Role::Viewer, false)), "not configured");
        assert!(role(wish("ci", Some(Role::Admin))).expect_err("more").contains("ci has the role viewer"));
        assert!(access.grant(wish("ci", None), at(10)).expect_err("late").contains("expired"));
    }
}
