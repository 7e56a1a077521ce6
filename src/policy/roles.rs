//! Which role and which scope a request needs. The engine asks here before it does anything.

use crate::model::{Identity, Role, Scope};
use crate::protocol::{BridgeRequest, NodeOrder, NodeRequest, PaneRequest, Request};

/// The role a request needs.
#[must_use]
pub fn needed(request: &Request) -> Role {
    match request {
        Request::Snapshot
        | Request::Events { .. }
        | Request::EventCount(_)
        | Request::Event(_)
        | Request::Inbox { .. }
        | Request::InboxCount(_)
        | Request::Unread { .. }
        | Request::Search { .. }
        | Request::Message(_)
        | Request::Conversations { .. }
        | Request::Conversation { .. }
        | Request::Labels
        | Request::Views
        | Request::Trace(_)
        | Request::Operators
        | Request::Contacts { .. }
        | Request::Attachment { .. }
        | Request::Contact(_)
        | Request::CheckHistory { .. }
        | Request::Overall
        | Request::Health
        | Request::Stats
        | Request::Figures
        | Request::WhoAmI => Role::Viewer,
        Request::Replay(_)
        | Request::Act { .. }
        | Request::Undo(_)
        | Request::SaveView { .. }
        | Request::DeleteView(_)
        | Request::SetVip { .. }
        | Request::Person { .. }
        | Request::CheckNow(_)
        | Request::RestartTask(_)
        | Request::Reload => Role::Operator,
        Request::Bridge(request) => needed_for_bridge(request),
        Request::Pane(request) => needed_for_pane(request),
        Request::Node(request) => needed_for_nodes(request),
        Request::Tokens | Request::AddToken(_) | Request::RevokeToken(_) => Role::Admin,
    }
}

/// The role a request about the bridge needs. What a command itself needs is decided with its plan.
fn needed_for_bridge(request: &BridgeRequest) -> Role {
    match request {
        BridgeRequest::Hosts
        | BridgeRequest::Commands
        | BridgeRequest::Jobs { .. }
        | BridgeRequest::Job(_)
        | BridgeRequest::JobOutput { .. }
        | BridgeRequest::Rollouts { .. }
        | BridgeRequest::Rollout(_)
        | BridgeRequest::Approvals { .. }
        | BridgeRequest::Approval(_)
        | BridgeRequest::Audit { .. }
        | BridgeRequest::VerifyAudit => Role::Viewer,
        BridgeRequest::Probe(_)
        | BridgeRequest::DryRun(_)
        | BridgeRequest::Run(_)
        | BridgeRequest::Cancel(_)
        | BridgeRequest::Resolve { .. }
        | BridgeRequest::Manual(_) => Role::Operator,
        BridgeRequest::Vote { .. } => Role::Approver,
    }
}

/// The role a request about panes needs: what is shown there is for everybody, what is typed there is not.
fn needed_for_pane(request: &PaneRequest) -> Role {
    match request {
        PaneRequest::List
        | PaneRequest::Follow(_)
        | PaneRequest::Watch { .. }
        | PaneRequest::Pace { .. }
        | PaneRequest::Unwatch { .. }
        | PaneRequest::History { .. }
        | PaneRequest::Search { .. } => Role::Viewer,
        PaneRequest::Take { .. }
        | PaneRequest::Keys { .. }
        | PaneRequest::Release { .. }
        | PaneRequest::Record { .. }
        | PaneRequest::Mark { .. } => Role::Operator,
    }
}

/// The role a request about nodes needs: who is trusted is decided by an admin. What is asked of another node is also
/// judged there.
fn needed_for_nodes(request: &NodeRequest) -> Role {
    match request {
        NodeRequest::List => Role::Viewer,
        NodeRequest::On { order: NodeOrder::Bridge(request), .. } => needed_for_bridge(request),
        NodeRequest::On { order: NodeOrder::RestartTask(_), .. } => Role::Operator,
        NodeRequest::Invite { .. }
        | NodeRequest::Join { .. }
        | NodeRequest::Add { .. }
        | NodeRequest::Trust { .. }
        | NodeRequest::Remove(_)
        | NodeRequest::Rotate => Role::Admin,
    }
}

/// What opens a request to a token that is limited to scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opens {
    /// Anybody may ask, without a token too.
    Any,
    /// A token with this scope does.
    One(Scope),
    /// Only a token that is not limited does.
    Unlimited,
}

fn opens(request: &Request) -> Opens {
    match request {
        Request::Overall | Request::WhoAmI => Opens::Any,
        Request::Health => Opens::One(Scope::Health),
        Request::Stats => Opens::One(Scope::Stats),
        Request::Figures => Opens::One(Scope::Metrics),
        Request::Node(NodeRequest::List) => Opens::One(Scope::Federation),
        Request::Events { .. } | Request::Snapshot => Opens::One(Scope::Updates),
        Request::EventCount(_)
        | Request::Event(_)
        | Request::Inbox { .. }
        | Request::InboxCount(_)
        | Request::Unread { .. }
        | Request::Search { .. }
        | Request::Message(_)
        | Request::Conversations { .. }
        | Request::Conversation { .. }
        | Request::Labels
        | Request::Views
        | Request::Trace(_)
        | Request::Operators
        | Request::Contacts { .. }
        | Request::Attachment { .. }
        | Request::Contact(_)
        | Request::Replay(_)
        | Request::Act { .. }
        | Request::Undo(_)
        | Request::SaveView { .. }
        | Request::DeleteView(_)
        | Request::SetVip { .. }
        | Request::Person { .. }
        | Request::CheckHistory { .. }
        | Request::CheckNow(_)
        | Request::RestartTask(_)
        | Request::Reload
        | Request::Tokens
        | Request::AddToken(_)
        | Request::RevokeToken(_)
        | Request::Bridge(_)
        | Request::Pane(_)
        | Request::Node(_) => Opens::Unlimited,
    }
}

/// Whether `identity` may ask `request`.
///
/// # Errors
/// A sentence that names what is needed and what is held.
pub fn may(identity: &Identity, request: &Request) -> Result<(), String> {
    let needed = needed(request);
    if identity.role < needed {
        return Err(format!("this needs the role {needed}; {} has the role {}", identity.operator, identity.role));
    }
    is_open(identity, opens(request))
}

/// Whether `identity` may follow: begin with a snapshot and hear every change.
///
/// # Errors
/// A sentence that names what is needed and what is held.
pub fn may_follow(identity: &Identity) -> Result<(), String> {
    is_open(identity, Opens::One(Scope::Updates))
}

fn is_open(identity: &Identity, opens: Opens) -> Result<(), String> {
    let Some(scopes) = &identity.scopes else { return Ok(()) };
    let held = || match &scopes[..] {
        [] => "nothing".to_owned(),
        scopes => scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", "),
    };
    match opens {
        Opens::Any => Ok(()),
        Opens::One(scope) if scopes.contains(&scope) => Ok(()),
        Opens::One(scope) => Err(format!("this needs the scope {scope}; the token is limited to {}", held())),
        Opens::Unlimited => Err(format!("this needs a token without scopes; this one is limited to {}", held())),
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{
        Act, ActId, ApprovalId, ContactFilter, ContactId, ConversationId, EventFilter, EventId, HostName, InboxFilter,
        JobId, MessageId, NodeKey, NodeName, Order, PaneAddress, PaneId, PersonAct, Plan, RecognisedBy, TokenId,
        TokenWish, Trust,
    };

    use crate::protocol::{Draft, JobFilter, PaneMark, PanePace};

    use super::*;

    /// One line a request: how it looks, an example, the least role, and the scope that opens it to a limited token.
    /// The same lines make a `match` without a wildcard, so a new request does not compile until it has its line.
    macro_rules! table {
        ($($variant:pat => $example:expr, $role:ident, $scope:expr;)*) => {
            fn table() -> Vec<(Request, Role, Opens)> {
                let line = |request: &Request| match request { $($variant => (Role::$role, $scope),)* };
                let examples = vec![$($example),*];
                $(assert!(examples.iter().any(|request| matches!(request, $variant)), "an example of each");)*
                examples.into_iter().map(|request| { let (role, scope) = line(&request); (request, role, scope) }).collect()
            }
        };
    }

    fn id<T>(make: impl Fn(uuid::Uuid) -> T) -> T {
        make(uuid::Uuid::from_u128(7))
    }

    fn node() -> NodeName {
        "hub-2".parse().expect("a name")
    }

    table! {
        Request::Snapshot => Request::Snapshot, Viewer, Opens::One(Scope::Updates);
        Request::Events { .. } => Request::Events { filter: EventFilter::default(), before: None, after: None, limit: 1 },
            Viewer, Opens::One(Scope::Updates);
        Request::EventCount(_) => Request::EventCount(EventFilter::default()), Viewer, Opens::Unlimited;
        Request::Event(_) => Request::Event(id(EventId::from_uuid)), Viewer, Opens::Unlimited;
        Request::Replay(_) => Request::Replay(EventFilter::default()), Operator, Opens::Unlimited;
        Request::Inbox { .. } => Request::Inbox { filter: InboxFilter::default(), before: None, limit: 1 },
            Viewer, Opens::Unlimited;
        Request::InboxCount(_) => Request::InboxCount(InboxFilter::default()), Viewer, Opens::Unlimited;
        Request::Unread { .. } => Request::Unread { limit: 1 }, Viewer, Opens::Unlimited;
        Request::Search { .. } => Request::Search { filter: InboxFilter::default(), order: Order::Best, before: None, limit: 1 },
            Viewer, Opens::Unlimited;
        Request::Message(_) => Request::Message(id(MessageId::from_uuid)), Viewer, Opens::Unlimited;
        Request::Attachment { .. } => Request::Attachment { message: id(MessageId::from_uuid), number: 1, offset: 0 },
            Viewer, Opens::Unlimited;
        Request::Conversations { .. } => Request::Conversations {
            filter: InboxFilter::default(), before: None, limit: 1,
        }, Viewer, Opens::Unlimited;
        Request::Conversation { .. } => Request::Conversation {
            id: id(ConversationId::from_uuid), before: None, limit: 1,
        }, Viewer, Opens::Unlimited;
        Request::Labels => Request::Labels, Viewer, Opens::Unlimited;
        Request::Operators => Request::Operators, Viewer, Opens::Unlimited;
        Request::Views => Request::Views, Viewer, Opens::Unlimited;
        Request::SaveView { .. } => Request::SaveView { name: "x".into(), query: "vip".into() },
            Operator, Opens::Unlimited;
        Request::DeleteView(_) => Request::DeleteView("x".into()), Operator, Opens::Unlimited;
        Request::Trace(_) => Request::Trace(id(EventId::from_uuid)), Viewer, Opens::Unlimited;
        Request::Act { .. } => Request::Act { id: id(ActId::from_uuid), on: Vec::new(), act: Act::Wake, seen: None },
            Operator, Opens::Unlimited;
        Request::Undo(_) => Request::Undo(id(ActId::from_uuid)), Operator, Opens::Unlimited;
        Request::Contacts { .. } => Request::Contacts { filter: ContactFilter::default(), limit: 1 },
            Viewer, Opens::Unlimited;
        Request::Contact(_) => Request::Contact(id(ContactId::from_uuid)), Viewer, Opens::Unlimited;
        Request::SetVip { .. } => Request::SetVip { id: id(ContactId::from_uuid), vip: true },
            Operator, Opens::Unlimited;
        Request::Person { .. } => Request::Person {
            id: id(ActId::from_uuid), act: PersonAct::Split { contact: id(ContactId::from_uuid) },
        }, Operator, Opens::Unlimited;
        Request::CheckHistory { .. } => Request::CheckHistory {
            id: "web".parse().expect("an id"), since: jiff::Timestamp::UNIX_EPOCH, until: jiff::Timestamp::UNIX_EPOCH, slots: 24,
        }, Viewer, Opens::Unlimited;
        Request::CheckNow(_) => Request::CheckNow("web".parse().expect("an id")), Operator, Opens::Unlimited;
        Request::RestartTask(_) => Request::RestartTask("t".into()), Operator, Opens::Unlimited;
        Request::Reload => Request::Reload, Operator, Opens::Unlimited;
        Request::Overall => Request::Overall, Viewer, Opens::Any;
        Request::Health => Request::Health, Viewer, Opens::One(Scope::Health);
        Request::Stats => Request::Stats, Viewer, Opens::One(Scope::Stats);
        Request::Figures => Request::Figures, Viewer, Opens::One(Scope::Metrics);
        Request::WhoAmI => Request::WhoAmI, Viewer, Opens::Any;
        Request::Tokens => Request::Tokens, Admin, Opens::Unlimited;
        Request::AddToken(_) => Request::AddToken(TokenWish {
            operator: "anna".parse().expect("a name"), role: None, scopes: None, expires: None,
        }), Admin, Opens::Unlimited;
        Request::RevokeToken(_) => Request::RevokeToken(id(TokenId::from_uuid)), Admin, Opens::Unlimited;
        Request::Bridge(BridgeRequest::Hosts) => Request::Bridge(BridgeRequest::Hosts), Viewer, Opens::Unlimited;
        Request::Bridge(BridgeRequest::Probe(_)) => Request::Bridge(BridgeRequest::Probe(host())),
            Operator, Opens::Unlimited;
        Request::Bridge(BridgeRequest::Commands) => Request::Bridge(BridgeRequest::Commands), Viewer, Opens::Unlimited;
        Request::Bridge(BridgeRequest::DryRun(_)) => Request::Bridge(BridgeRequest::DryRun(draft())),
            Operator, Opens::Unlimited;
        Request::Bridge(BridgeRequest::Run(_)) => Request::Bridge(BridgeRequest::Run(draft())),
            Operator, Opens::Unlimited;
        Request::Bridge(BridgeRequest::Jobs { .. }) => Request::Bridge(BridgeRequest::Jobs {
            filter: JobFilter::default(), before: None, limit: 1,
        }), Viewer, Opens::Unlimited;
        Request::Bridge(BridgeRequest::Job(_)) => Request::Bridge(BridgeRequest::Job(id(JobId::from_uuid))),
            Viewer, Opens::Unlimited;
        Request::Bridge(BridgeRequest::Rollouts { .. }) => Request::Bridge(BridgeRequest::Rollouts {
            open: true, limit: 1,
        }), Viewer, Opens::Unlimited;
        Request::Bridge(BridgeRequest::Rollout(_)) => Request::Bridge(BridgeRequest::Rollout(id(JobId::from_uuid))),
            Viewer, Opens::Unlimited;
        Request::Bridge(BridgeRequest::JobOutput { .. }) => Request::Bridge(BridgeRequest::JobOutput {
            id: id(JobId::from_uuid), from: 0,
        }), Viewer, Opens::Unlimited;
        Request::Bridge(BridgeRequest::Cancel(_)) => Request::Bridge(BridgeRequest::Cancel(id(JobId::from_uuid))),
            Operator, Opens::Unlimited;
        Request::Bridge(BridgeRequest::Resolve { .. }) => Request::Bridge(BridgeRequest::Resolve {
            id: id(JobId::from_uuid), ran: true, note: None,
        }), Operator, Opens::Unlimited;
        Request::Bridge(BridgeRequest::Manual(_)) => Request::Bridge(BridgeRequest::Manual(id(JobId::from_uuid))),
            Operator, Opens::Unlimited;
        Request::Bridge(BridgeRequest::Approvals { .. }) => Request::Bridge(BridgeRequest::Approvals {
            all: true, limit: 1,
        }), Viewer, Opens::Unlimited;
        Request::Bridge(BridgeRequest::Approval(_)) => Request::Bridge(BridgeRequest::Approval(
            id(ApprovalId::from_uuid),
        )), Viewer, Opens::Unlimited;
        Request::Bridge(BridgeRequest::Vote { .. }) => Request::Bridge(BridgeRequest::Vote {
            id: id(ApprovalId::from_uuid), hash: plan().hash(), yes: true, note: None,
        }), Approver, Opens::Unlimited;
        Request::Bridge(BridgeRequest::Audit { .. }) => Request::Bridge(BridgeRequest::Audit {
            about: None, before: None, limit: 1,
        }), Viewer, Opens::Unlimited;
        Request::Bridge(BridgeRequest::VerifyAudit) => Request::Bridge(BridgeRequest::VerifyAudit),
            Viewer, Opens::Unlimited;
        Request::Node(NodeRequest::List) => Request::Node(NodeRequest::List), Viewer, Opens::One(Scope::Federation);
        Request::Node(NodeRequest::Invite { .. }) => Request::Node(NodeRequest::Invite { trust: Trust::Report }),
            Admin, Opens::Unlimited;
        Request::Node(NodeRequest::Join { .. }) => Request::Node(NodeRequest::Join {
            token: "t".into(), trust: Trust::Report,
        }), Admin, Opens::Unlimited;
        Request::Node(NodeRequest::Add { .. }) => Request::Node(NodeRequest::Add {
            name: node(), url: "http://127.0.0.1:1".into(), key: NodeKey::from_bytes([1; 32]), trust: Trust::Report,
        }), Admin, Opens::Unlimited;
        Request::Node(NodeRequest::Trust { .. }) => Request::Node(NodeRequest::Trust {
            name: node(), trust: Trust::Report,
        }), Admin, Opens::Unlimited;
        Request::Node(NodeRequest::Remove(_)) => Request::Node(NodeRequest::Remove(node())), Admin, Opens::Unlimited;
        Request::Node(NodeRequest::Rotate) => Request::Node(NodeRequest::Rotate), Admin, Opens::Unlimited;
        Request::Node(NodeRequest::On { .. }) => Request::Node(NodeRequest::On {
            node: node(), order: NodeOrder::RestartTask("t".into()),
        }), Operator, Opens::Unlimited;
        Request::Pane(PaneRequest::List) => Request::Pane(PaneRequest::List), Viewer, Opens::Unlimited;
        Request::Pane(PaneRequest::Follow(_)) => Request::Pane(PaneRequest::Follow(true)), Viewer, Opens::Unlimited;
        Request::Pane(PaneRequest::Watch { .. }) => Request::Pane(PaneRequest::Watch {
            watch: 1, pane: pane(), pace: PanePace::LIVE,
        }), Viewer, Opens::Unlimited;
        Request::Pane(PaneRequest::Pace { .. }) => Request::Pane(PaneRequest::Pace { watch: 1, pace: PanePace::LITE }),
            Viewer, Opens::Unlimited;
        Request::Pane(PaneRequest::Unwatch { .. }) => Request::Pane(PaneRequest::Unwatch { watch: 1 }),
            Viewer, Opens::Unlimited;
        Request::Pane(PaneRequest::History { .. }) => Request::Pane(PaneRequest::History {
            pane: pane(), before: None, limit: 1,
        }), Viewer, Opens::Unlimited;
        Request::Pane(PaneRequest::Search { .. }) => Request::Pane(PaneRequest::Search {
            pane: pane(), pattern: "x".into(), before: None, limit: 1,
        }), Viewer, Opens::Unlimited;
        Request::Pane(PaneRequest::Take { .. }) => Request::Pane(PaneRequest::Take { pane: pane() }),
            Operator, Opens::Unlimited;
        Request::Pane(PaneRequest::Keys { .. }) => Request::Pane(PaneRequest::Keys {
            pane: pane(), bytes: b"x".to_vec(),
        }), Operator, Opens::Unlimited;
        Request::Pane(PaneRequest::Release { .. }) => Request::Pane(PaneRequest::Release { pane: pane() }),
            Operator, Opens::Unlimited;
        Request::Pane(PaneRequest::Record { .. }) => Request::Pane(PaneRequest::Record { pane: pane(), on: true, stays: true }),
            Operator, Opens::Unlimited;
        Request::Pane(PaneRequest::Mark { .. }) => Request::Pane(PaneRequest::Mark {
            pane: pane(), mark: PaneMark::default(),
        }), Operator, Opens::Unlimited;
    }

    fn pane() -> PaneAddress {
        PaneAddress { host: host(), pane: PaneId { server: 1, number: 0 } }
    }

    fn host() -> HostName {
        "web-1".parse().expect("a name")
    }

    fn draft() -> Box<Draft> {
        Box::new(Draft::sample("web-1"))
    }

    fn plan() -> Plan {
        Plan::sample("web-1", "todo", &[])
    }

    fn identity(role: Role, scopes: Option<Vec<Scope>>) -> Identity {
        let operator = "anna".parse().expect("a name");
        Identity { operator, role, scopes, by: RecognisedBy::Nobody }
    }

    #[test]
    fn every_request_meets_every_role() {
        for (request, least, _) in table() {
            assert_eq!(needed(&request), least, "{request:?}");
            for role in Role::ALL {
                let answer = may(&identity(role, None), &request);
                assert_eq!(answer.is_ok(), role >= least, "{role} asks {request:?}");
                if let Err(sentence) = answer {
                    assert_eq!(sentence, format!("this needs the role {least}; anna has the role {role}"));
                }
            }
        }
    }

    #[test]
    fn every_request_meets_every_scope() {
        for (request, _, opened) in table() {
            assert_eq!(opens(&request), opened, "{request:?}");
            for scope in Scope::ALL {
                let answer = may(&identity(Role::Admin, Some(vec![scope])), &request);
                assert_eq!(answer.is_ok(), opened == Opens::Any || opened == Opens::One(scope), "{scope}: {request:?}");
            }
            let nothing = may(&identity(Role::Admin, Some(Vec::new())), &request);
            assert_eq!(nothing.is_ok(), opened == Opens::Any, "{request:?}");
        }
    }

    #[test]
    fn nothing_that_writes_is_open_to_a_viewer_or_a_limited_token() {
        for (request, role, opened) in table() {
            if request.writes() {
                assert!(role > Role::Viewer && opened == Opens::Unlimited, "{request:?}");
            }
        }
        assert!(may_follow(&identity(Role::Viewer, Some(vec![Scope::Metrics]))).is_err());
        assert!(may_follow(&identity(Role::Viewer, Some(vec![Scope::Updates]))).is_ok());
    }
}
