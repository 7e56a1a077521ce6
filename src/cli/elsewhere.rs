//! Where something is carried out: at the engine that is asked, or on a node that it knows.

use crate::model::NodeName;
use crate::protocol::{BridgeRequest, NodeOrder, NodeReply, NodeRequest, Reply, Request};

use super::args::{Command, Global, HostCommand, TaskCommand};
use super::exit::Failure;

/// What is carried out elsewhere, too.
pub(super) const GOES: &str = "run, job, host list, host check and task restart";

/// The engine that is asked; or the node of this name, over that engine.
#[derive(Debug, Clone, Default)]
pub(super) struct Elsewhere(Option<NodeName>);

impl Elsewhere {
    /// On `node`; at the engine itself without one.
    pub(super) fn on(node: Option<NodeName>) -> Self {
        Self(node)
    }

    /// `request`, as the engine is asked for it.
    ///
    /// # Errors
    /// When another node is not asked for such things.
    pub(super) fn request(&self, request: Request) -> Result<Request, Failure> {
        match (&self.0, request) {
            (None, request) => Ok(request),
            (Some(_), Request::Bridge(request)) => Ok(self.bridge(request)),
            (Some(node), Request::RestartTask(name)) => Ok(on(node, NodeOrder::RestartTask(name))),
            (Some(_), _) => Err(not_there()),
        }
    }

    /// The same for something about hosts and jobs.
    pub(super) fn bridge(&self, request: BridgeRequest) -> Request {
        match &self.0 {
            Some(node) => on(node, NodeOrder::Bridge(request)),
            None => Request::Bridge(request),
        }
    }

    /// What was answered there, as the engine itself would have answered it.
    pub(super) fn told(&self, reply: Reply) -> Reply {
        match (&self.0, reply) {
            (Some(_), Reply::Node(NodeReply::Bridge(reply))) => Reply::Bridge(*reply),
            (Some(_), Reply::Node(NodeReply::Done)) => Reply::Done,
            (_, reply) => reply,
        }
    }
}

/// Refuses `--node` for a command that it would not turn anywhere.
///
/// # Errors
/// When it is given, and the command is about this machine, this engine or its screen.
pub(super) fn check(global: &Global, command: Option<&Command>) -> Result<(), Failure> {
    let goes = matches!(
        command,
        Some(
            Command::Run(_)
                | Command::Job(_)
                | Command::Host(HostCommand::List(_) | HostCommand::Check { .. })
                | Command::Task(TaskCommand::Restart { .. })
        )
    );
    if global.node.is_some() && !goes { Err(not_there()) } else { Ok(()) }
}

fn not_there() -> Failure {
    Failure::usage(format!("--node is for {GOES}; leave it out here"))
}

fn on(node: &NodeName, order: NodeOrder) -> Request {
    Request::Node(NodeRequest::On { node: node.clone(), order })
}

#[cfg(test)]
mod tests {
    use crate::protocol::BridgeReply;

    use super::*;

    #[test]
    fn what_is_asked_of_a_node_goes_there_and_its_answer_reads_the_same() {
        let node: NodeName = "hub-2".parse().expect("a name");
        let (here, there) = (Elsewhere::default(), Elsewhere::on(Some(node.clone())));
        let asked = |there: &Elsewhere, request| there.request(request).ok();
        let hosts = || Request::Bridge(BridgeRequest::Hosts);
        let order = NodeOrder::Bridge(BridgeRequest::Hosts);
        assert_eq!(asked(&there, hosts()), Some(Request::Node(NodeRequest::On { node: node.clone(), order })));
        let restart = || Request::RestartTask("checks".into());
        let order = NodeOrder::RestartTask("checks".into());
        assert_eq!(asked(&there, restart()), Some(Request::Node(NodeRequest::On { node, order })));
        assert_eq!((asked(&here, hosts()), asked(&here, restart())), (Some(hosts()), Some(restart())));
        assert_eq!(asked(&there, Request::Reload), None);
        let told = there.told(Reply::Node(NodeReply::Bridge(Box::new(BridgeReply::Done))));
        assert!(matches!(told, Reply::Bridge(BridgeReply::Done)));
        assert!(matches!(there.told(Reply::Node(NodeReply::Done)), Reply::Done));
        assert!(matches!(here.told(Reply::Node(NodeReply::Done)), Reply::Node(_)), "an order about nodes themselves");
    }
}
