//! `aurora task`

use jiff::Timestamp;

use crate::config::Config;
use crate::model::age;
use crate::protocol::{Reply, Request};

use super::args::{Global, TaskCommand};
use super::exit::{Exit, Outcome};
use super::output;
use super::session::{ask, unexpected};
use super::status;

pub(super) async fn run(command: TaskCommand, config: &Config, global: &Global) -> Outcome {
    match command {
        TaskCommand::List(json) => {
            let snapshot = status::snapshot(config).await?;
            if json.json {
                output::json(&snapshot.tasks)?;
            } else {
                let now = Timestamp::now();
                let rows = snapshot.tasks.into_iter().map(|task| {
                    let error = task.error().unwrap_or_default().to_owned();
                    [task.name, task.state.as_str().to_owned(), age(task.since, now), task.restarts.to_string(), error]
                });
                output::table(["TASK", "STATE", "SINCE", "RESTARTS", "LAST ERROR"], rows)?;
            }
        }
        TaskCommand::Restart { name } => match ask(config, global, Request::RestartTask(name.clone())).await? {
            Reply::Done => output::line(&format!("{name} is started again"))?,
            reply => return Err(unexpected(&reply)),
        },
    }
    Ok(Exit::Fine)
}
