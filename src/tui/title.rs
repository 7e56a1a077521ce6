//! The title of the terminal's window: `(3!) aurora hub-1`, as long as the screen is open.

use crate::protocol::Severity;
use crate::screen;

use super::app::App;

/// Columns of a node's name.
const NODE: usize = 40;

impl App {
    /// The title: how much is wrong or waits with a VIP, and where. Sanitised, and still while nothing happens.
    pub(super) fn title(&self) -> String {
        let Some(snapshot) = &self.snapshot else { return "aurora".to_owned() };
        let wrong = snapshot.problems(self.now).iter().filter(|problem| problem.severity > Severity::Info).count();
        let vip: u64 = snapshot.channels.iter().map(|channel| channel.unread_vip).sum();
        let count = match wrong as u64 + vip {
            0 => String::new(),
            // The digits of a large number would change with every message.
            count @ 1..=9 => format!("({count}!) "),
            _ => "(9+!) ".to_owned(),
        };
        let node: String = screen::line(&snapshot.node).chars().take(NODE).collect();
        format!("{count}aurora {node}")
    }
}

/// The bytes that set it (OSC 2).
pub(super) fn set(title: &str) -> Vec<u8> {
    // A title holds no control characters already; nothing else could end the sequence early.
    let title: String = title.chars().filter(|c| !c.is_control()).collect();
    format!("\x1b]2;{title}\x07").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_title_ends_it() {
        assert_eq!(set("aurora \x1b]0;x\x07\u{9c}y"), b"\x1b]2;aurora ]0;xy\x07");
    }
}
