//! What operators do with conversations and messages: what is wanted becomes an order, and what was done is told.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{Act, ActId, Item, Mark, MessageId, NOTE_MAX, OperatorName, Snooze};
use crate::protocol::{ClientId, Notice, Refusal, Reply, RequestId};
use crate::store::{ActOrder, DeskWork, NotUndone};

use super::answers::failed;
use super::driver::Driver;
use super::{ActAnswer, Aftermath, Effect, Engine, Input};

/// Conversations and messages one act is about at most.
const ITEMS: usize = 10_000;

/// The order for what a client wants, or a sentence that says why it cannot be.
pub(super) fn order(
    id: ActId,
    on: Vec<Item>,
    act: Act,
    who: &OperatorName,
    now: Timestamp,
) -> Result<ActOrder, String> {
    if on.len() > ITEMS {
        return Err(format!("an act is about {ITEMS} conversations and messages at most, not {}", on.len()));
    }
    match &act {
        Act::Snooze(Snooze::Until(moment)) if *moment <= now => return Err(format!("{moment} has passed")),
        Act::Note(text) if text.trim().is_empty() => return Err("a note without words says nothing".to_owned()),
        Act::Note(text) if text.len() > NOTE_MAX => {
            return Err(format!("a note has {NOTE_MAX} bytes at most, not {}", text.len()));
        }
        _ => {}
    }
    Ok(ActOrder { id, on, act, who: who.as_str().to_owned() })
}

/// The order for marks on messages.
pub(super) fn marks(ids: Vec<MessageId>, mark: Mark, who: &OperatorName) -> ActOrder {
    let act = match mark {
        Mark::Read => Act::Read,
        Mark::Unread => Act::Unread,
        Mark::Ack => Act::Ack,
        Mark::Unack => Act::Unack,
    };
    let id = ActId::from_uuid(uuid::Uuid::now_v7());
    ActOrder { id, on: ids.into_iter().map(Item::from).collect(), act, who: who.as_str().to_owned() }
}

impl Engine {
    /// Takes in what was done, and tells everybody.
    pub(super) fn desk(&mut self, work: DeskWork) -> Vec<Effect> {
        let DeskWork { change, marks, unread, next_wake } = work;
        if change.conversations.is_empty() && marks.is_empty() {
            return Vec::new();
        }
        self.next_wake = next_wake;
        self.remark(&marks);
        self.panels.unread_changed(&unread);
        vec![Effect::Publish(Notice::Acted(Box::new(change)))]
    }

    /// Takes in which snoozes have ended. What failed is tried again with the next tick.
    pub(super) fn woken(&mut self, work: Option<Box<DeskWork>>, now: Timestamp) -> Vec<Effect> {
        let Some(work) = work else {
            self.next_wake = Some(now);
            return Vec::new();
        };
        self.next_wake = work.next_wake;
        self.desk(*work)
    }

    /// Brings back what is snoozed no longer at `now`, if there is any.
    pub(super) fn wake(&mut self, now: Timestamp) -> Option<Effect> {
        self.next_wake.take_if(|next| *next <= now).map(|_| Effect::Wake)
    }
}

impl Driver {
    /// Carries out an act.
    pub(super) fn act(&self, client: ClientId, id: RequestId, order: ActOrder, answer: ActAnswer) -> Vec<Input> {
        let store = Arc::clone(&self.store);
        self.answer_in_turn(client, id, async move {
            let asked = order.on.len() as u64;
            let done = store.act(order, Timestamp::now()).await.map_err(failed)?;
            let (acted, work) = done.map_err(Refusal::Failed)?;
            if asked > 0 && acted.unknown == asked {
                return Err(Refusal::Unknown("no such conversation or message".to_owned()));
            }
            let reply = match answer {
                ActAnswer::Acted => Reply::Acted(acted),
                ActAnswer::Marks => Reply::Marked(work.marks.clone()),
            };
            Ok((reply, Some(Aftermath::Desk(Box::new(work)))))
        })
    }

    /// Undoes an act.
    pub(super) fn undo(&self, client: ClientId, id: RequestId, act: ActId, who: OperatorName) -> Vec<Input> {
        let store = Arc::clone(&self.store);
        self.answer_in_turn(client, id, async move {
            let by = ActId::from_uuid(uuid::Uuid::now_v7());
            let done = store.undo(act, by, who.as_str().to_owned(), Timestamp::now()).await.map_err(failed)?;
            let (undone, work) = done.map_err(|why| match why {
                NotUndone::Unknown(_) => Refusal::Unknown(why.to_string()),
                NotUndone::SomebodyElses(_) => Refusal::Denied(why.to_string()),
                NotUndone::TooLate => Refusal::Failed(why.to_string()),
            })?;
            Ok((Reply::Undone(undone), Some(Aftermath::Desk(Box::new(work)))))
        })
    }

    /// Brings back what is snoozed no longer.
    pub(super) fn wake(&self) -> Vec<Input> {
        let (store, inputs, projector) = (Arc::clone(&self.store), self.inputs.clone(), Arc::clone(&self.projector));
        tokio::spawn(async move {
            let _turn = projector.turn.lock().await;
            let woken = match store.wake_due(Timestamp::now()).await {
                Ok(work) => Some(Box::new(work)),
                // The store says itself what is wrong with it.
                Err(error) => {
                    tracing::debug!(%error, "failed to end snoozes; it is tried again");
                    None
                }
            };
            // The engine is gone only when everything ends.
            let _ = inputs.send(Input::Woken(woken)).await;
        });
        Vec::new()
    }
}
