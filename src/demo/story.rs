//! What people wrote to a small garden shop in the last days.

use crate::model::ProviderKind;

use super::letter::{Done, Letter};

use Done::{By, Read, Unread};
use ProviderKind::{Github, Mailgun, Secret, Standard, Twilio, Typeform};

/// Minutes ago, provider and kind, name and address, subject, text, thread, what was done.
type Row =
    (i64, (ProviderKind, &'static str), (&'static str, &'static str), &'static str, &'static str, &'static str, Done);

const ANN: (&str, &str) = ("Ann Field", "ann@bigcustomer.example");
const JOERG: (&str, &str) = ("Jörg Wiesner", "joerg.wiesner@kunde.example");
const TANAKA: (&str, &str) = ("田中 花子", "hanako@kyaku.example");
const SOMMER: (&str, &str) = ("Familie Sommer", "whatsapp:+491700000017");
const KIM: (&str, &str) = ("Kim", "whatsapp:+491700000042");
const OCTOCAT: (&str, &str) = ("octocat", "");
const SHOP: (&str, &str) = ("Shop", "shop@garden.example");
const SUPPLY: (&str, &str) = ("Nordic Bulbs", "orders@bulbs.example");

const STORY: [Row; 34] = [
    (
        4_300,
        (Mailgun, ""),
        JOERG,
        "Rechnung 2026-118",
        "Guten Tag,\n\nbitte senden Sie uns die Rechnung 2026-118 noch einmal als PDF zu.\n\nMit freundlichen Grüßen\nJörg Wiesner",
        "invoice118",
        By("ben"),
    ),
    (
        2_900,
        (Mailgun, ""),
        ANN,
        "Order 4711: 40 box trees for the opening",
        "Hello,\n\nwe would like 40 box trees (Buxus, 60 cm) for the opening of our shop on Saturday.\nDelivery to the side entrance, please: the front is still a building site.\n\nAnn Field\nBig Customer Ltd.",
        "order4711",
        By("anna"),
    ),
    (
        2_780,
        (Github, "issues.opened"),
        OCTOCAT,
        "The gate is stuck",
        "It moved last week. Oil did not help; the hinge is bent.",
        "12",
        Read,
    ),
    (
        2_760,
        (Github, "issue_comment.created"),
        ("hubber", ""),
        "The gate is stuck",
        "I have a spare hinge from the shed, will bring it on Monday.",
        "12",
        Read,
    ),
    (
        2_650,
        (Typeform, ""),
        ("Lena Vogt", "lena.vogt@post.example"),
        "Kontakt",
        "Haben Sie im Dezember geöffnet? Wir suchen einen Weihnachtsbaum, etwa 2,20 m.",
        "",
        By("ben"),
    ),
    (1_900, (Twilio, ""), KIM, "", "Hi! Is the greenhouse café open on Sunday?", "", By("anna")),
    (
        1_610,
        (Mailgun, ""),
        SUPPLY,
        "Delivery note 88213",
        "12 crates of tulip bulbs left our warehouse today.\nTracking: NB-88213.\n\nNordic Bulbs",
        "nb88213",
        Read,
    ),
    (
        1_440,
        (Secret, "backup.finished"),
        ("", ""),
        "Backup finished",
        "1.8 GB in 4 min 12 s; 14 of 14 kept.",
        "backup",
        Read,
    ),
    (
        1_390,
        (Mailgun, ""),
        ANN,
        "Re: Order 4711: 40 box trees for the opening",
        "Thank you for the quick confirmation. Friday before noon would be perfect.\n\nAnn",
        "order4711",
        By("anna"),
    ),
    (
        1_180,
        (Github, "pull_request.opened"),
        ("hubber", ""),
        "Water the ferns at night",
        "It is cheaper then, and they like it better.\n\nCloses #9",
        "14",
        Read,
    ),
    (
        1_020,
        (Twilio, ""),
        SOMMER,
        "",
        "Guten Morgen, wir hätten gern eine Hecke für ca. 18 Meter. Was empfehlen Sie?",
        "",
        By("ben"),
    ),
    (980, (Twilio, ""), SOMMER, "", "Am liebsten immergrün 🌿 und nicht höher als 1,80 m.", "", By("ben")),
    (
        760,
        (Mailgun, ""),
        TANAKA,
        "見積もりのお願い",
        "お世話になっております。\n椿の苗木を20本、見積もりをお願いいたします。納期は三月末を希望します。\n\n田中",
        "mitsumori",
        Read,
    ),
    (
        720,
        (Typeform, ""),
        ("Marek Novák", "marek@zahrada.example"),
        "Kontakt",
        "Do you deliver to Czechia? We would take two pallets of planters.",
        "",
        Read,
    ),
    (420, (Github, "push"), OCTOCAT, "", "Oil the gate\n\nIt squeaks no more.", "", Read),
    (
        395,
        (Mailgun, ""),
        ("Bewerbung Gärtnerei", "s.lind@bewerbung.example"),
        "Bewerbung als Gärtnerin (m/w/d)",
        "Sehr geehrte Damen und Herren,\n\nanbei meine Bewerbung. Ich könnte zum 1. Januar anfangen und habe fünf Jahre in einer Baumschule gearbeitet.\n\nViele Grüße\nS. Lind",
        "bewerbung",
        Read,
    ),
    (
        310,
        (Standard, "payment.failed"),
        SHOP,
        "Payment failed: order 4698",
        "The card was declined (insufficient funds). The customer was told; the order waits.",
        "pay4698",
        By("ben"),
    ),
    (262, (Standard, "stock.low"), SHOP, "Low stock: lavender 12 cm", "7 left, 24 a week.", "stock-lavender", Read),
    (232, (Standard, "stock.low"), SHOP, "Low stock: lavender 12 cm", "6 left, 24 a week.", "stock-lavender", Unread),
    (202, (Standard, "stock.low"), SHOP, "Low stock: lavender 12 cm", "5 left, 24 a week.", "stock-lavender", Unread),
    (
        185,
        (Mailgun, ""),
        ("\u{202e}ezirP\u{200b} Office", "winner@lottery.invalid"),
        "\u{1b}]0;owned\u{7}You won \u{1b}[31m1,000,000\u{1b}[0m \u{202e}fdp.exe [red]click[/red]",
        "Click here: \u{1b}]8;;http://198.51.100.1/\u{7}your prize\u{1b}]8;;\u{7}\n\u{1b}]52;c;b3duZWQ=\u{7}\u{1b}[2J\u{1b}[H\u{9b}31mroot@hub.example:~# \n\u{2066}hidden\u{2069}",
        "prize",
        Unread,
    ),
    (172, (Standard, "stock.low"), SHOP, "Low stock: lavender 12 cm", "4 left, 24 a week.", "stock-lavender", Unread),
    (
        118,
        (Typeform, ""),
        ("Oskar Brandt", "oskar.brandt@post.example"),
        "Feedback",
        "Great bulbs, but the parcel was open when it arrived. Three of them are missing.",
        "",
        Unread,
    ),
    (95, (Github, "workflow_run.completed"), OCTOCAT, "CI", "", "", Unread),
    (
        64,
        (Mailgun, ""),
        TANAKA,
        "Re: 見積もりのお願い",
        "早速のお返事をありがとうございます。送料込みの金額を教えていただけますか。\n\n田中",
        "mitsumori",
        Unread,
    ),
    (
        52,
        (Secret, "sensor.frost"),
        ("", ""),
        "Frost warning: greenhouse 2",
        "Inside 1.8 °C at 02:10, falling 0.4 °C an hour.",
        "frost",
        By("anna"),
    ),
    (
        41,
        (Standard, "refund.requested"),
        SHOP,
        "Refund requested: order 4655",
        "Two planters arrived broken. Photos are in the shop. 84.00 EUR.",
        "refund4655",
        Unread,
    ),
    (
        34,
        (Mailgun, ""),
        JOERG,
        "Re: Rechnung 2026-118: falsche Adresse",
        "Guten Tag,\n\ndie Rechnung ist angekommen, danke. Leider steht noch die alte Adresse darauf.\nKönnen Sie sie bitte auf \"Am Hafen 3\" ändern?\n\nMit freundlichen Grüßen\nJörg Wiesner",
        "invoice118",
        Unread,
    ),
    (
        27,
        (Github, "issues.opened"),
        ("hubber", ""),
        "Order form loses umlauts",
        "A customer from Köln became \"KÃ¶ln\". It is the old importer, I think.",
        "17",
        Unread,
    ),
    (21, (Twilio, ""), KIM, "", "And do you still have the big terracotta pots?", "", Unread),
    (
        12,
        (Mailgun, ""),
        ANN,
        "Re: Order 4711: where is it?",
        "Hello,\n\nit was due this morning, and the shop opens tomorrow at nine. Could somebody look where the trees are, please? We have called twice.\n\nAnn Field\nBig Customer Ltd.",
        "order4711",
        Unread,
    ),
    (
        7,
        (Standard, "order.created"),
        SHOP,
        "Order 4719: 3 x fern, 1 x watering can",
        "Paid by card. Pick up on Tuesday.",
        "order4719",
        Unread,
    ),
    (4, (Twilio, ""), SOMMER, "", "Wann kommt die Hecke? Der Gärtner steht schon im Garten 😅", "", Unread),
    (
        2,
        (Typeform, ""),
        ("Ida Holm", "ida@holm.example"),
        "Contact",
        "The web shop says \"service unavailable\" when I want to pay. Is it me?",
        "",
        Unread,
    ),
];

/// What may come while somebody looks.
const NEWS: [Row; 10] = [
    (
        0,
        (Standard, "order.created"),
        SHOP,
        "Order: 2 x rosemary, 1 x basil",
        "Paid by card. Ship to Freiburg.",
        "",
        Unread,
    ),
    (0, (Twilio, ""), KIM, "", "Great, I will take two of them 🙂", "", Unread),
    (
        0,
        (Mailgun, ""),
        ANN,
        "Re: Order 4711: where is it?",
        "The driver has just called: thirty minutes. Thank you!\n\nAnn",
        "order4711",
        Unread,
    ),
    (
        0,
        (Github, "issue_comment.created"),
        OCTOCAT,
        "Order form loses umlauts",
        "Found it: the importer reads Latin-1. I will fix it today.",
        "17",
        Unread,
    ),
    (
        0,
        (Typeform, ""),
        ("Paul Ries", "paul@ries.example"),
        "Contact",
        "Could you hold a Christmas tree for us until the 20th?",
        "",
        Unread,
    ),
    (
        0,
        (Mailgun, ""),
        JOERG,
        "Re: Rechnung 2026-118: falsche Adresse",
        "Vielen Dank, jetzt stimmt alles.\n\nJörg Wiesner",
        "invoice118",
        Unread,
    ),
    (0, (Standard, "stock.low"), SHOP, "Low stock: lavender 12 cm", "3 left, 24 a week.", "stock-lavender", Unread),
    (0, (Twilio, ""), SOMMER, "", "Die Hecke ist da, sie sieht wunderbar aus. Danke!", "", Unread),
    (0, (Secret, "sensor.frost"), ("", ""), "Frost warning is over: greenhouse 2", "Inside 4.1 °C.", "frost", Unread),
    (
        0,
        (Mailgun, ""),
        SUPPLY,
        "Delivery note 88240",
        "4 crates of crocus bulbs left our warehouse today.\nTracking: NB-88240.\n\nNordic Bulbs",
        "nb88240",
        Unread,
    ),
];

/// What was written, oldest first.
pub(super) fn past() -> Vec<Letter> {
    STORY.iter().map(letter).collect()
}

/// What is written next: all of it in turn, for ever.
pub(super) fn news(number: usize) -> Letter {
    letter(&NEWS[number % NEWS.len()])
}

fn letter((minutes, (by, kind), (name, address), subject, text, thread, done): &Row) -> Letter {
    Letter {
        minutes: *minutes,
        by: *by,
        kind,
        name: (*name).to_owned(),
        address: (*address).to_owned(),
        subject: (*subject).to_owned(),
        text: (*text).to_owned(),
        thread: (*thread).to_owned(),
        done: *done,
    }
}
