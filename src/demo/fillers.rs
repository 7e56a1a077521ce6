//! The everyday: orders of three days, as the seed has them.

use crate::model::ProviderKind;

use super::chance::Chance;
use super::letter::{Done, Letter};

/// How far back orders go, in minutes.
const SINCE: u64 = 3 * 24 * 60;
const PLANTS: [&str; 10] = [
    "rosemary",
    "thyme",
    "fern",
    "lavender 12 cm",
    "box tree 40 cm",
    "tulip bulbs, 50",
    "clematis",
    "sage",
    "watering can 8 l",
    "planter, terracotta",
];
const PLACES: [&str; 8] = ["Freiburg", "Köln", "Aarhus", "Graz", "Brno", "Groningen", "Łódź", "Zürich"];

/// Orders from the shop, all read, oldest first.
pub(super) fn orders(seed: u64) -> Vec<Letter> {
    let mut chance = Chance::new(seed, "orders");
    let mut letters = Vec::new();
    let (mut minutes, mut number) = (SINCE, 4_600);
    loop {
        minutes = minutes.saturating_sub(20 + chance.below(90));
        // The last of them is told in the story.
        if minutes < 75 {
            return letters;
        }
        let (count, plant, place) = (1 + chance.below(4), chance.pick(&PLANTS), chance.pick(&PLACES));
        letters.push(Letter {
            minutes: i64::try_from(minutes).unwrap_or(i64::MAX),
            by: ProviderKind::Standard,
            kind: "order.created",
            name: "Shop".to_owned(),
            address: "shop@garden.example".to_owned(),
            subject: format!("Order {number}: {count} x {plant}"),
            text: format!("Paid by card. Ship to {place}."),
            thread: format!("order{number}"),
            done: if chance.below(3) == 0 { Done::By("ben") } else { Done::Read },
        });
        number += 1;
    }
}
