//! What a control client is told. Every order is made of fixed words and numbers, so nothing from outside can end a line,
//! begin another order, or leave a line empty, which would detach the client.

use super::rebuild::STATE;

/// What is heard of every pane of the session, at most once a second. The name of the command is what the program called
/// itself, so what is not plain in it is replaced. The process is among them so that another one is told of
/// (`respawn-pane`): keys for the one before must not go there.
const FACTS: &str = "#{pane_dead} #{pane_width} #{pane_height} #{alternate_on} #{?pane_mode,#{pane_mode},-} #{pane_pid} \
    #{s/[^ -~]/?/:pane_current_command}";

/// The word answers to our orders begin with.
pub(super) const MARK: &str = "aurora-mark";

/// An order. There is none that resizes, runs, ends or types, and none that leaves anything behind in the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Tell of [`FACTS`].
    Subscribe,
    /// Say this number with the pane's state, print the begin of a sequence that is not complete, and then what it shows,
    /// all in one moment. Before each part of that and behind the last stands a word made of `key`, which no pane can know.
    /// Where there is no such pane the second of these fails, and tmux goes no further.
    Capture { number: u64, pane: u32, history: u32, key: u128 },
    /// Tell nothing of this pane until it is asked to go on (tmux 3.2). Not `off`: tmux stops reading a pane that all its
    /// clients have turned off, and so stops the program in it; one that is paused it goes on reading.
    Pause { pane: u32 },
    /// Tell of it again, from what it prints now on.
    Resume { pane: u32 },
}

/// Parts of a capture: the rows, those below the alternate screen, the rows with wrapped ones joined.
pub(super) const PARTS: usize = 3;

impl Order {
    /// Its line, without the end.
    pub(super) fn line(self) -> String {
        match self {
            Self::Subscribe => format!("refresh-client -B 'aurora:%*:{FACTS}'"),
            Self::Pause { pane } => format!("refresh-client -A '%{pane}:pause'"),
            Self::Resume { pane } => format!("refresh-client -A '%{pane}:continue'"),
            Self::Capture { number, pane, history, key } => {
                let next = format!(" ; display-message -p {} ; ", word(key));
                let (pending, parts) = captures(pane, history);
                let parts = parts.join(&next);
                let end = next.trim_end_matches([' ', ';']);
                format!("display-message -p -t %{pane} '{MARK} {number} {STATE}' ; {pending}{next}{parts}{end}")
            }
        }
    }
}

/// What captures a pane: the begin of a sequence that is not complete, then its parts, with so many lines of history. No word
/// holds a space.
pub(super) fn captures(pane: u32, history: u32) -> (String, [String; PARTS]) {
    // tmux counts lines of history from 0 down.
    let start = if history == 0 { "0".to_owned() } else { format!("-{history}") };
    let parts = [
        format!("capture-pane -p -e -N -S {start} -t %{pane}"),
        format!("capture-pane -p -a -q -e -N -t %{pane}"),
        format!("capture-pane -p -e -J -S {start} -t %{pane}"),
    ];
    (format!("capture-pane -p -P -C -t %{pane}"), parts)
}

/// The word between the parts of a capture.
pub(super) fn word(key: u128) -> String {
    format!("aurora-{key:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_one_line_and_never_an_empty_one() {
        let capture = Order::Capture { number: u64::MAX, pane: u32::MAX, history: u32::MAX, key: u128::MAX };
        let (pause, resume) = (Order::Pause { pane: u32::MAX }, Order::Resume { pane: u32::MAX });
        for order in [Order::Subscribe, capture, pause, resume] {
            let line = order.line();
            assert!(!line.trim().is_empty());
            assert!(!line.contains(['\n', '\r', '\0']), "{line}");
            for forbidden in ["refresh-client -C", ":off", "run-shell", "kill-", "send-keys", "resize", "#(", " -b "] {
                assert!(!line.contains(forbidden), "{line}");
            }
            assert!(line.split(" ; ").all(|order| !order.trim().is_empty()), "{line}");
        }
    }
}
