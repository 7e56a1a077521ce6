//! `aurora inbox export`

use crate::config::Config;
use crate::model::InboxFilter;
use crate::protocol::{Reply, Request};

use super::args::Global;
use super::exit::Failure;
use super::output;
use super::session::{Session, unexpected};

/// Rows asked for at once.
const PAGE: usize = 1_000;
/// Whole messages asked for at once: a far engine is not waited for once a message.
const AT_ONCE: usize = 16;

/// Prints every matching message in full, one a line, newest first.
pub(super) async fn run(config: &Config, global: &Global, filter: &InboxFilter) -> Result<(), Failure> {
    let mut session = Session::open(config, global).await?;
    let done = pages(&mut session, filter).await;
    session.close().await;
    done
}

async fn pages(session: &mut Session, filter: &InboxFilter) -> Result<(), Failure> {
    let mut before = None;
    loop {
        let request = Request::Inbox { filter: filter.clone(), before, limit: PAGE };
        let page = match session.ask(request).await? {
            Reply::Page(page) => page,
            reply => return Err(unexpected(&reply)),
        };
        for rows in page.rows.chunks(AT_ONCE).take_while(|_| output::is_read()) {
            for reply in session.ask_all(rows.iter().map(|row| Request::Message(row.id)).collect()).await? {
                match reply {
                    Reply::Message(Some(message)) => output::json_line(&message)?,
                    // It went meanwhile.
                    Reply::Message(None) => {}
                    reply => return Err(unexpected(&reply)),
                }
            }
        }
        if page.next.is_none() || !output::is_read() {
            return Ok(());
        }
        before = page.next;
    }
}
