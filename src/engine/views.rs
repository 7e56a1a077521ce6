//! Saved views: which there are, and how many unread conversations match each.
//!
//! Counting looks at a bounded part of the store, and at nothing when a message arrives: whoever shows the counts asks.
//! What was counted stands for at least a second, and for so long that counting takes a twentieth of the time at most.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::{BUILT_IN_VIEWS, Count, InboxFilter, OperatorName, SavedView, view_name};
use crate::protocol::{ClientId, Refusal, Reply, RequestId};
use crate::store::{Store, StoreError};

use super::answers::failed;
use super::driver::Driver;
use super::projector::blocking;
use super::{Aftermath, Input};

/// The shortest time for which a count stands.
const STANDS: Duration = Duration::from_secs(1);
/// How many times longer than it took a count stands.
const SHARE: u32 = 20;

/// The views as they were counted last, by who asked, and until when that stands.
pub(super) type Counted = Arc<Mutex<HashMap<OperatorName, (Instant, Vec<SavedView>)>>>;

/// Name and query of a view that may be kept, or a sentence that says why not.
pub(super) fn wanted(name: &str, query: &str) -> Result<(String, String), String> {
    let name = view_name(name).map_err(|error| error.to_string())?;
    let filter: InboxFilter = query.parse().map_err(|error| format!("the query cannot be read: {error}"))?;
    Ok((name, filter.to_string()))
}

fn count(store: &Store, node: &str, who: &OperatorName) -> Result<Vec<SavedView>, StoreError> {
    let built_in = BUILT_IN_VIEWS.map(|(name, query)| (name.to_owned(), query.to_owned(), true));
    let own = store.views()?.into_iter().map(|(name, query)| (name, query, false));
    let counted = built_in.into_iter().chain(own).map(|(name, query, builtin)| {
        // One that a newer aurora saved may not be readable, and one of another node has nothing here.
        let filter = query.parse::<InboxFilter>().ok();
        let filter = filter.and_then(|mut filter| filter.answer(node, who).is_ok().then_some(filter));
        let unread = filter.map_or(Ok(Count::default()), |filter| store.unread_conversations(&filter))?;
        Ok(SavedView { name, query, builtin, unread })
    });
    counted.collect()
}

impl Driver {
    /// Tells which views there are, and counts them when the last count no longer stands.
    pub(super) fn views(&self, client: ClientId, id: RequestId, node: String, who: OperatorName) -> Vec<Input> {
        let (store, counted) = (Arc::clone(&self.store), Arc::clone(&self.counted));
        self.answer(client, id, async move {
            let views = blocking(move || {
                // Held while it is counted, so that two who ask at once count once.
                let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
                let began = Instant::now();
                if let Some((until, views)) = counted.get(&who)
                    && began < *until
                {
                    return Ok(views.clone());
                }
                let views = count(&store, &node, &who)?;
                counted.retain(|_, (until, _)| began < *until);
                counted.insert(who, (Instant::now() + STANDS.max(began.elapsed() * SHARE), views.clone()));
                Ok(views)
            });
            Ok((Reply::Views(views.await.map_err(failed)?), None))
        })
    }

    /// Keeps a view, or forgets it.
    pub(super) fn keep_view(&self, client: ClientId, id: RequestId, name: String, query: Option<String>) -> Vec<Input> {
        let (store, counted) = (Arc::clone(&self.store), Arc::clone(&self.counted));
        self.answer_in_turn(client, id, async move {
            let Some(query) = query else {
                // Forgetting twice is forgetting.
                store.delete_view(name).await.map_err(failed)?;
                return Ok(kept(&counted));
            };
            if store.save_view(name, query).await.map_err(failed)? {
                return Ok(kept(&counted));
            }
            Err(Refusal::Failed("there are 50 saved views already; delete one first".to_owned()))
        })
    }
}

/// What is heard of a list of views that is another now; what was counted no longer stands.
fn kept(counted: &Counted) -> (Reply, Option<Aftermath>) {
    counted.lock().unwrap_or_else(PoisonError::into_inner).clear();
    (Reply::Done, Some(Aftermath::Views))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_has_a_name_and_a_query_that_can_be_read() {
        assert_eq!(wanted(" late ", "label:late  unread").map(|(name, _)| name), Ok("late".to_owned()));
        assert!(wanted("mine", "vip").is_err_and(|why| why.contains("always there")));
        assert!(wanted("x", "\"open").is_err_and(|why| why.contains("column 1")));
    }
}
