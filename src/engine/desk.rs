//! What operators do with conversations and messages: what is wanted becomes an order, and what was done is told.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{Act, ActId, NOTE_MAX, OperatorName, Snooze};
use crate::protocol::{BridgeNotice, ClientId, Notice, Refusal, Reply, RequestId};
use crate::store::{ActOrder, DeskWork, NotSaid, NotUndone, PersonOrder};

use super::answers::failed;
use super::bridge::Bridges;
use super::driver::Driver;
use super::{Aftermath, Effect, Engine, Input};

/// Conversations and messages one act is about at most.
const ITEMS: usize = 10_000;

/// Why an order cannot be carried out, whatever the store holds.
pub(super) fn fault(order: &ActOrder, now: Timestamp) -> Option<String> {
    if order.on.len() > ITEMS {
        return Some(format!("an act is about {ITEMS} conversations and messages at most, not {}", order.on.len()));
    }
    match &order.act {
        Act::Snooze(Snooze::Until(moment)) if *moment <= now => Some(format!("{moment} has passed")),
        Act::Note(text) if text.trim().is_empty() => Some("a note without words says nothing".to_owned()),
        Act::Note(text) if text.len() > NOTE_MAX => {
            Some(format!("a note has {NOTE_MAX} bytes at most, not {}", text.len()))
        }
        _ => None,
    }
}

impl Engine {
    /// Takes in what was done, and tells everybody.
    pub(super) fn desk(&mut self, work: DeskWork) -> Vec<Effect> {
        let DeskWork { change, marks, unread, vips, next_wake, .. } = work;
        let has_acted = !change.conversations.is_empty() || !marks.is_empty();
        if !has_acted && vips.is_empty() {
            return Vec::new();
        }
        self.next_wake = next_wake;
        self.remark(&marks);
        self.panels.unread_changed(&unread);
        let mut effects = Vec::new();
        for (contact, vip) in vips {
            self.turn_vip(contact, vip);
            effects.push(Effect::Publish(Notice::Vip { contact, vip }));
        }
        effects.extend(has_acted.then(|| Effect::Publish(Notice::Acted(Box::new(change)))));
        effects
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

/// Tells whoever looks at the audit log what was written into it.
async fn tell_audited(bridges: &Bridges, work: &mut DeskWork) {
    let entries = std::mem::take(&mut work.audited);
    if !entries.is_empty() {
        bridges.tell_all(BridgeNotice::Audited(entries)).await;
    }
}

impl Driver {
    /// Carries out an act.
    pub(super) fn act(&self, client: ClientId, id: RequestId, order: ActOrder) -> Vec<Input> {
        let store = Arc::clone(&self.store);
        self.answer_in_turn(client, id, async move {
            let asked = order.on.len() as u64;
            let done = store.act(order, Timestamp::now()).await.map_err(failed)?;
            let (acted, work) = done.map_err(Refusal::Failed)?;
            if asked > 0 && acted.unknown == asked {
                return Err(Refusal::Unknown("no such conversation or message".to_owned()));
            }
            Ok((Reply::Acted(acted), Some(Aftermath::Desk(Box::new(work)))))
        })
    }

    /// Says which contacts are one person.
    pub(super) fn say_person(&self, client: ClientId, id: RequestId, order: PersonOrder) -> Vec<Input> {
        let (store, bridges) = (Arc::clone(&self.store), Arc::clone(&self.bridges));
        self.answer_in_turn(client, id, async move {
            let said = store.say_person(order, Timestamp::now()).await.map_err(failed)?;
            let (acted, mut work) = said.map_err(|why| match why {
                NotSaid::Unknown(_) => Refusal::Unknown(why.to_string()),
                NotSaid::Itself(_) | NotSaid::Many(_) => Refusal::Failed(why.to_string()),
            })?;
            tell_audited(&bridges, &mut work).await;
            Ok((Reply::Person(Box::new(acted)), Some(Aftermath::Desk(Box::new(work)))))
        })
    }

    /// Undoes an act.
    pub(super) fn undo(&self, client: ClientId, id: RequestId, act: ActId, who: OperatorName) -> Vec<Input> {
        let (store, bridges) = (Arc::clone(&self.store), Arc::clone(&self.bridges));
        self.answer_in_turn(client, id, async move {
            let by = ActId::from_uuid(uuid::Uuid::now_v7());
            let done = store.undo(act, by, who.as_str().to_owned(), Timestamp::now()).await.map_err(failed)?;
            let (undone, mut work) = done.map_err(|why| match why {
                NotUndone::Unknown(_) => Refusal::Unknown(why.to_string()),
                NotUndone::SomebodyElses(_) => Refusal::Denied(why.to_string()),
                NotUndone::TooLate => Refusal::Failed(why.to_string()),
            })?;
            tell_audited(&bridges, &mut work).await;
            Ok((Reply::Undone(undone), Some(Aftermath::Desk(Box::new(work)))))
        })
    }

    /// Brings back what is snoozed no longer.
    pub(super) fn wake(&self) -> Vec<Input> {
        let store = Arc::clone(&self.store);
        self.in_turn.put(async move {
            let woken = match store.wake_due(Timestamp::now()).await {
                Ok(work) => Some(Box::new(work)),
                // The store says itself what is wrong with it.
                Err(error) => {
                    tracing::debug!(%error, "failed to end snoozes; it is tried again");
                    None
                }
            };
            Input::Woken(woken)
        });
        Vec::new()
    }
}
