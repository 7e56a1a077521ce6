//! Saved views: `aurora inbox views` and `aurora inbox list --view NAME`.

use crate::config::Config;
use crate::model::{InboxFilter, SavedView, nearest};
use crate::protocol::{Reply, Request};

use super::args::Global;
use super::exit::{Exit, Failure};
use super::output;
use super::session::{ask, unexpected};

async fn all(config: &Config, global: &Global) -> Result<Vec<SavedView>, Failure> {
    match ask(config, global, Request::Views).await? {
        Reply::Views(views) => Ok(views),
        reply => Err(unexpected(&reply)),
    }
}

/// Prints the views. A count that was not counted to its end has a `+`.
pub(super) async fn list(config: &Config, global: &Global, json: bool) -> Result<(), Failure> {
    let views = all(config, global).await?;
    if json {
        return Ok(output::json(&views)?);
    }
    let rows = views.into_iter().map(|view| {
        let kind = if view.builtin { "built in" } else { "saved" };
        [view.name, view.unread.to_string(), kind.to_owned(), view.query]
    });
    Ok(output::table(["VIEW", "UNREAD", "KIND", "QUERY"], rows)?)
}

/// What the view `name` shows.
pub(super) async fn filter(config: &Config, global: &Global, name: &str) -> Result<InboxFilter, Failure> {
    let views = all(config, global).await?;
    let wanted = name.trim().to_lowercase();
    let Some(view) = views.iter().find(|view| view.name.to_lowercase() == wanted) else {
        let names = views.iter().map(|view| view.name.as_str());
        let meant = nearest(name, names).map(|near| format!("; did you mean {near:?}")).unwrap_or_default();
        let why = format!("no view is called {name:?}{meant}; `aurora inbox views` lists them");
        return Err(Failure::new(Exit::Failed, why));
    };
    // A newer aurora may have saved it.
    view.query.parse().map_err(|error| Failure::new(Exit::Failed, format!("the view {}: {error}", view.name)))
}
