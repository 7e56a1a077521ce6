//! Clients of the engine: who is in, and what is done with what they ask.

use jiff::Timestamp;

use crate::model::{Act, AuditKind, AuditNote, Identity, RecognisedBy};
use crate::policy;
use crate::protocol::{ClientId, Notice, Refusal, Reply, Request, RequestId, Update};
use crate::store::{ActOrder, PersonOrder};

use super::{Credential, Effect, Engine, Occasion, TokenEffect, desk, views};

#[derive(Debug)]
pub(super) struct Follower {
    pub identity: Identity,
    pub follow: bool,
    pub read_only: bool,
    /// It has missed notices; it gets a snapshot as soon as it has room for one.
    pub lagging: bool,
}

impl Engine {
    /// Screens that follow. This node itself follows too, to share what happens, and is none.
    pub(super) fn followers(&self) -> usize {
        let is_screen = |client: &&Follower| client.follow && !matches!(client.identity.by, RecognisedBy::Node(_));
        self.clients.values().filter(is_screen).count()
    }

    pub(super) fn joined(
        &mut self,
        client: ClientId,
        credential: &Credential,
        follow: bool,
        read_only: bool,
        now: Timestamp,
    ) -> Vec<Effect> {
        let identity = match self.access.admit(credential, follow, now) {
            Ok(identity) => identity,
            Err(turned_away) => return vec![Effect::Admit(client, Err(turned_away))],
        };
        let mut effects = vec![Effect::Admit(client, Ok(identity.clone()))];
        effects.extend(self.access.used(&identity, now).map(|token| Effect::Token(TokenEffect::Used(token, now))));
        self.clients.insert(client, Follower { identity, follow, read_only, lagging: false });
        if follow {
            // The snapshot first: whatever is published next changes it.
            effects.push(self.send_snapshot(client, now));
            effects.push(Effect::Publish(Notice::Clients(self.followers())));
        }
        effects
    }

    pub(super) fn left(&mut self, client: ClientId) -> Vec<Effect> {
        match self.clients.remove(&client) {
            Some(Follower { follow: true, .. }) => {
                vec![Effect::Drop(client), Effect::Publish(Notice::Clients(self.followers()))]
            }
            _ => vec![Effect::Drop(client)],
        }
    }

    pub(super) fn lagging(&mut self, client: ClientId) -> Vec<Effect> {
        if let Some(follower) = self.clients.get_mut(&client) {
            follower.lagging = true;
        }
        Vec::new()
    }

    pub(super) fn asked(&mut self, client: ClientId, id: RequestId, request: Request, now: Timestamp) -> Vec<Effect> {
        let Some(follower) = self.clients.get(&client) else { return Vec::new() };
        let answer = |reply| vec![Effect::Send(client, Box::new(Update::Reply { id, reply }))];
        let by = Some(&follower.identity.operator);
        let refused = |why| Effect::Audit(AuditNote::new(now, by, AuditKind::Refused, request.name(), why));
        if follower.read_only && request.writes() {
            let why = "this client is read-only".to_owned();
            let mut effects = answer(Err(Refusal::Denied(why.clone())));
            effects.push(refused(why));
            return effects;
        }
        let changed = |about: &str, what: &str| Effect::Audit(AuditNote::new(now, by, AuditKind::Changed, about, what));
        if let Err(why) = policy::may(&follower.identity, &request) {
            let mut effects = answer(Err(Refusal::Denied(why.clone())));
            if request.writes() {
                effects.push(refused(why));
            }
            return effects;
        }
        let identity = &follower.identity;
        let mut request = request;
        if let Some(Err(why)) = request.filter_mut().map(|filter| filter.answer(&self.node, &identity.operator)) {
            return answer(Err(Refusal::Unknown(why)));
        }
        match request {
            Request::Overall => {
                let fresh = self.glance.fresh(now);
                let overall = fresh.unwrap_or_else(|| self.glance.keep(self.snapshot(now).overall(now), now));
                answer(Ok(Reply::Overall(overall)))
            }
            Request::Health => answer(Ok(Reply::Health(self.checks.health()))),
            Request::Figures => vec![Effect::Figures { client, id, figures: Box::new(self.figures()) }],
            Request::WhoAmI => answer(Ok(Reply::Identity(identity.clone()))),
            Request::Tokens => answer(Ok(Reply::Tokens(self.access.tokens()))),
            Request::AddToken(wish) => match self.access.grant(wish, now) {
                Ok(grant) => vec![Effect::Token(TokenEffect::Add { client, by: identity.operator.clone(), id, grant })],
                Err(why) => answer(Err(Refusal::Failed(why))),
            },
            Request::RevokeToken(token) if self.access.knows(token) => {
                vec![Effect::Token(TokenEffect::Revoke { client, by: identity.operator.clone(), id, token })]
            }
            Request::RevokeToken(token) => answer(Err(Refusal::Unknown(format!(
                "no token has the id {token}; `aurora access token list` names them"
            )))),
            Request::Bridge(request) => vec![Effect::Bridge { client, id, identity: identity.clone(), request }],
            Request::Pane(request) => vec![Effect::Pane { client, id, identity: identity.clone(), request }],
            Request::Node(request) => vec![Effect::Node { client, id, identity: identity.clone(), request }],
            Request::Snapshot => answer(Ok(Reply::Snapshot(Box::new(self.snapshot(now))))),
            Request::Operators => answer(Ok(Reply::Operators(self.access.operators()))),
            Request::Act { act: Act::Assign(name), .. }
                if name != identity.operator && !self.access.operators().contains(&name) =>
            {
                let names: Vec<String> = self.access.operators().iter().map(ToString::to_string).collect();
                answer(Err(Refusal::Unknown(format!("no operator is called {name}; there are {}", names.join(", ")))))
            }
            Request::Act { id: act, on, act: what, seen } => {
                let order = ActOrder { id: act, on, act: what, who: identity.operator.as_str().to_owned(), seen };
                match desk::fault(&order, now) {
                    None => vec![Effect::Act { client, id, order }],
                    Some(why) => answer(Err(Refusal::Failed(why))),
                }
            }
            Request::Views => {
                vec![Effect::Views { client, id, node: self.node.clone(), who: identity.operator.clone() }]
            }
            Request::SaveView { name, query } => match views::wanted(&name, &query) {
                Ok((name, query)) => vec![Effect::KeepView { client, id, name, query: Some(query) }],
                Err(why) => answer(Err(Refusal::Failed(why))),
            },
            Request::DeleteView(name) => vec![Effect::KeepView { client, id, name, query: None }],
            Request::Undo(act) => vec![Effect::Undo { client, id, act, who: identity.operator.clone() }],
            Request::SetVip { id: contact, vip } => vec![Effect::SetVip { client, id, contact, vip }],
            Request::Person { id: act, act: what } => {
                let order = PersonOrder { id: act, act: what, who: identity.operator.clone() };
                vec![Effect::Person { client, id, order }]
            }
            Request::Replay(filter) => vec![Effect::Replay { client, id, filter }],
            Request::Reload => {
                vec![changed("configuration", "read again"), Effect::Reload(Occasion::Client(client, id))]
            }
            Request::RestartTask(name) if self.tasks.has(&name) => {
                let mut effects = vec![changed(&name, "the task is started again"), Effect::RestartTask(name)];
                effects.extend(answer(Ok(Reply::Done)));
                effects
            }
            Request::RestartTask(name) => {
                answer(Err(Refusal::Unknown(format!("no task is called {name:?}; `aurora task list` names them"))))
            }
            Request::CheckNow(check) => vec![Effect::CheckNow { client, id, check }],
            request => vec![Effect::Read { client, id, request }],
        }
    }

    /// Recognises every client again, and drops those nobody knows any more. A screen on a token that ended ends too.
    pub(super) fn let_go(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut gone = Vec::new();
        for (client, follower) in &mut self.clients {
            match self.access.again(&follower.identity, now) {
                Ok(identity) => follower.identity = identity,
                Err(_) => gone.push(*client),
            }
        }
        gone.into_iter().flat_map(|client| self.left(client)).collect()
    }
}
