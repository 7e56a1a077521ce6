//! An engine that only takes events in: what needs tasks it does not run is refused, not left waiting.

use std::time::Duration;

use uuid::Uuid;

use crate::config;
use crate::model::JobId;
use crate::protocol::{BridgeRequest, Draft, PaneRequest, Refusal, Reply, Request, RequestId, Update};

use super::{Credential, Doors, Joined, start};

const CONFIG: &str = "[listen]\ningress = \"127.0.0.1:0\"\napi = \"off\"\n\
    [hosts.here]\nlayers = [\"local\"]\n[commands.todo]\nhosts = [\"here\"]\nargv = [\"/bin/true\"]\n";

async fn answer(client: &mut Joined, request: Request) -> Result<Reply, Refusal> {
    client.ask(RequestId(1), request).await;
    let answered = async {
        loop {
            if let Update::Reply { reply, .. } = client.updates.recv().await.expect("the engine runs") {
                return reply;
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), answered).await.expect("it is answered")
}

#[tokio::test]
async fn what_nobody_carries_out_is_refused() {
    let dir = tempfile::tempdir().expect("temp dir");
    let mut config = config::parse(CONFIG, None).expect("a configuration");
    config.move_to(dir.path());
    let running = start(config, Doors::IngestOnly, None, None).await.expect("starts");
    let own = Credential::Local { uid: rustix::process::geteuid().as_raw(), ssh_key: None };
    let mut client = running.handle.join(own, false, false).await.expect("is let in");
    let id = JobId::from_uuid(Uuid::now_v7());
    let draft = Draft { id, ..Draft::sample("here") };
    let probe = Request::Bridge(BridgeRequest::Probe("here".parse().expect("a name")));
    let run = Request::Bridge(BridgeRequest::Run(Box::new(draft)));
    for request in [Request::Pane(PaneRequest::List), probe, run] {
        let refused = answer(&mut client, request.clone()).await.expect_err("nobody is there for it");
        assert!(refused.to_string().contains("this engine"), "{request:?}: {refused}");
    }
    let kept = answer(&mut client, Request::Bridge(BridgeRequest::Job(id))).await.expect("is read");
    assert!(format!("{kept:?}").contains("None"), "what is refused makes no job: {kept:?}");
    drop(client);
    running.handle.stop();
    running.ended().await.expect("ends well");
}
