//! The world of a scene: all of it is decided by the scene, the seed, and when it begins.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::{self, Config, ConfigError};
use crate::engine::{Delivery, Scenery};
use crate::model::{Act, LogLevel, LogLine, OperatorName, ProviderKind, Rejection};
use crate::protocol::NodesPanel;

use super::Scene;
use super::chance::Chance;
use super::letter::{self, Done, Letter};
use super::watched::{self, Found};
use super::{fillers, nodes, refused, remote, story};

/// How often checks were looked at before the world began.
const LOOKED_EVERY: Duration = Duration::from_secs(30);
/// For how long.
const LOOKED_FOR: SignedDuration = SignedDuration::from_hours(6);
/// Ids of what arrives later begin here.
const LATER: u64 = 1 << 32;

/// A made-up world.
#[derive(Debug, Clone, Copy)]
pub struct World {
    /// Its scene.
    pub scene: Scene,
    /// What decides everything that chance would.
    pub seed: u64,
    /// When it begins.
    pub began: Timestamp,
}

/// Something that happens after the beginning.
#[derive(Debug)]
pub(super) enum Happening {
    /// Something comes in.
    Delivered(Box<Delivery>),
    /// Something is refused.
    Refused(Rejection),
}

impl World {
    /// What is configured in it.
    ///
    /// # Errors
    /// Never; it is a mistake in this program when it cannot be read.
    pub fn config(&self) -> Result<Config, Box<ConfigError>> {
        let channels = ProviderKind::ALL.map(|provider| {
            let id = letter::channel(provider);
            format!("[channels.{id}]\nprovider = \"{provider}\"\nsecrets = [\"file:secrets/{id}\"]\n")
        });
        let text = format!(
            "[node]\nname = \"DEMO\"\n[listen]\npublic_url = \"https://hub.example.org\"\n\
             tls = {{ cert = \"cert.pem\", key = \"key.pem\" }}\napi = \"off\"\n\
             [contacts]\nvip = [\"@bigcustomer.example\", \"whatsapp:+491700000017\"]\n{}{}",
            channels.concat(),
            watched::configured(self.scene)
        );
        let text = if self.scene == Scene::Busy { text } else { format!("{text}{}", remote::CONFIGURED) };
        config::parse(&text, None)
    }

    /// What it is when it begins.
    #[must_use]
    pub fn scenery(&self) -> Scenery {
        let mut letters = fillers::orders(self.seed);
        letters.extend(story::past());
        letters.sort_by_key(|letter| std::cmp::Reverse(letter.minutes));
        let mut deliveries = Vec::with_capacity(letters.len() + 1);
        let mut marks = Vec::new();
        for (number, letter) in (1..).zip(&letters) {
            let Some(delivery) = letter.delivery(number, self.ago(letter.minutes, number)) else { continue };
            marks.extend(mark(letter, &delivery));
            deliveries.push(delivery);
        }
        deliveries.extend(letter::garbled(self.ago(70, 0)));
        deliveries.sort_by_key(|delivery| delivery.at);
        let (looked_since, script) = (self.began.checked_sub(LOOKED_FOR).unwrap_or(self.began), self.found());
        Scenery {
            deliveries,
            marks,
            rejections: refused::past(self.began),
            script: Arc::new(script),
            looked: (looked_since, self.began, LOOKED_EVERY),
            still: self.scene == Scene::Still,
            remote: if self.scene == Scene::Busy { None } else { remote::at(self.began, self.scene == Scene::Still) },
            nodes: self.nodes(self.began).unwrap_or_default(),
            trouble: Some("cert.pem is gone; the certificate read before stays in use for 5 days".to_owned()),
        }
    }

    /// What aurora has logged before.
    #[must_use]
    pub fn logs(&self) -> Vec<LogLine> {
        let line = |minutes, level, text: &str| LogLine {
            // The sink numbers what it is given.
            n: 0,
            at: self.ago(minutes, 0),
            level,
            target: "aurora".to_owned(),
            text: text.to_owned(),
        };
        vec![
            line(300, LogLevel::Info, "engine started node=DEMO"),
            line(36, LogLevel::Warn, "check is critical check=api cause=connection refused (os error 111)"),
            line(34, LogLevel::Info, "check is ok again check=api"),
            line(4, LogLevel::Warn, "check is critical check=shop cause=status == 200: got 503"),
        ]
    }

    /// What happens as the `number`th thing after the beginning; nothing unless it
    /// is lively.
    pub(super) fn next(&self, number: u64, at: Timestamp) -> Option<Happening> {
        if self.scene != Scene::Lively {
            return None;
        }
        if number % 7 == 6 {
            return Some(Happening::Refused(refused::again(at)));
        }
        let letter = story::news(usize::try_from(number).unwrap_or_default());
        letter.delivery(LATER + number, at).map(|delivery| Happening::Delivered(Box::new(delivery)))
    }

    /// The other nodes at `now`, where there are any.
    pub(super) fn nodes(&self, now: Timestamp) -> Option<NodesPanel> {
        nodes::at(self.scene, self.began, now)
    }

    /// How long after the `number`th thing the next one happens.
    pub(super) fn pause(&self, number: u64) -> Duration {
        let mut chance = Chance::new(self.seed ^ number, "pauses");
        Duration::from_secs(20 + chance.below(40))
    }

    fn found(&self) -> Found {
        Found { scene: self.scene, seed: self.seed, began: self.began }
    }

    /// So many minutes before the beginning, and some seconds that `number` decides.
    fn ago(&self, minutes: i64, number: u64) -> Timestamp {
        let seconds = Chance::new(self.seed ^ number, "seconds").below(40);
        let length = SignedDuration::from_mins(minutes) + SignedDuration::from_secs(seconds.cast_signed());
        self.began.checked_sub(length).unwrap_or(self.began)
    }
}

/// The mark that was put on the message of `delivery`.
fn mark(letter: &Letter, delivery: &Delivery) -> Option<(crate::model::EventId, Act, OperatorName, Timestamp)> {
    let (mark, who) = match letter.done {
        Done::Unread => return None,
        Done::Read => (Act::Read, "anna"),
        Done::By(who) => (Act::Ack, who),
    };
    let at = delivery.at.checked_add(SignedDuration::from_mins(1)).ok()?;
    Some((delivery.id, mark, who.parse().ok()?, at))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::provider::{self, Options};

    use super::*;

    fn world(seed: u64) -> World {
        World { scene: Scene::Lively, seed, began: Timestamp::from_second(1_800_000_000).expect("in range") }
    }

    fn bodies(seed: u64) -> Vec<(Timestamp, Vec<u8>)> {
        world(seed).scenery().deliveries.iter().map(|one| (one.at, one.request.body.to_vec())).collect()
    }

    #[test]
    fn a_seed_always_makes_the_same_world() {
        assert_eq!(bodies(1), bodies(1));
        assert_ne!(bodies(1), bodies(2));
    }

    #[test]
    fn providers_understand_everything_but_one_delivery() {
        let world = world(3);
        let mut deliveries = world.scenery().deliveries;
        deliveries.extend((0..20).filter_map(|number| match world.next(number, world.began)? {
            Happening::Delivered(delivery) => Some(*delivery),
            Happening::Refused(_) => None,
        }));
        assert!(deliveries.len() > 80);
        let ids: BTreeSet<_> = deliveries.iter().map(|delivery| delivery.id.to_string()).collect();
        assert_eq!(ids.len(), deliveries.len(), "no two are the same event");
        let mut dead = 0;
        for delivery in deliveries {
            let kind = ProviderKind::ALL.into_iter().find(|kind| letter::channel(*kind) == delivery.channel.as_str());
            let provider = provider::build(kind.expect("a channel"), Options::default());
            let envelopes = provider.identify(&delivery.request, &delivery.verified);
            assert_eq!(envelopes.len(), 1);
            dead += envelopes.iter().filter(|envelope| envelope.dead.is_some()).count();
        }
        assert_eq!(dead, 1);
    }

    #[test]
    fn only_example_addresses_are_in_it() {
        let text = bodies(1).into_iter().map(|(_, body)| String::from_utf8(body).expect("text")).collect::<String>();
        for address in
            text.split(|c: char| c.is_whitespace() || "<>\"&=\\:".contains(c)).filter(|word| word.contains('@'))
        {
            let domain = address.rsplit('@').next().unwrap_or_default().trim_end_matches(['.', ',']);
            let reserved = [".example", ".example.org", ".example.com", ".invalid", "example.org", "example.com"];
            assert!(reserved.iter().any(|end| domain.ends_with(end)), "{address}");
        }
    }

    #[test]
    fn every_scene_is_configured() {
        for scene in Scene::ALL {
            let config = World { scene, ..world(1) }.config().unwrap_or_else(|error| panic!("{scene}: {error}"));
            assert_eq!((config.node.as_str(), config.api), ("DEMO", None));
            assert_eq!(config.channels.len(), ProviderKind::ALL.len());
        }
    }
}
