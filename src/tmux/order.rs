//! What a control client is told. Every order is made of fixed words and numbers, so nothing from outside can end a line,
//! begin another order, or leave a line empty, which would detach the client.

use super::rebuild::STATE;
use super::shot::start;

/// What is heard of every pane of the session, at most once a second. The name of the command is what the program called
/// itself, so what is not plain in it is replaced.
const FACTS: &str = "#{pane_dead} #{pane_width} #{pane_height} #{alternate_on} #{?pane_mode,#{pane_mode},-} \
    #{s/[^ -~]/?/:pane_current_command}";

/// The word answers to our orders begin with.
pub(super) const MARK: &str = "aurora-mark";

/// An order. There is none that resizes, runs, ends or types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Tell of [`FACTS`].
    Subscribe,
    /// Say this number.
    Mark(u64),
    /// Say this number with the pane's state, and put what it shows into buffers, all in one moment.
    Capture { number: u64, pane: u32, history: u32, key: u128 },
}

impl Order {
    /// How many answers it has when all of it is done; the first that fails is the last.
    pub(super) fn answers(self) -> u32 {
        match self {
            Self::Subscribe | Self::Mark(_) => 1,
            Self::Capture { .. } => 7,
        }
    }

    /// Its line, without the end.
    pub(super) fn line(self) -> String {
        match self {
            Self::Subscribe => format!("refresh-client -B 'aurora:%*:{FACTS}'"),
            Self::Mark(number) => format!("display-message -p '{MARK} {number}'"),
            Self::Capture { number, pane, history, key } => {
                let buffer = |part| buffer(key, part);
                let [pending, rows, below, joined] = std::array::from_fn(buffer);
                let start = start(history);
                // tmux keeps no empty buffer, so what may be empty gets a mark at its end.
                format!(
                    "display-message -p -t %{pane} '{MARK} {number} {STATE}' ; \
                     capture-pane -P -C -b {pending} -t %{pane} ; set-buffer -a -b {pending} . ; \
                     capture-pane -e -N -S {start} -b {rows} -t %{pane} ; \
                     capture-pane -a -q -e -N -b {below} -t %{pane} ; set-buffer -a -b {below} . ; \
                     capture-pane -e -J -S {start} -b {joined} -t %{pane}"
                )
            }
        }
    }
}

/// The buffer that a part of a capture is put into.
pub(super) fn buffer(key: u128, part: usize) -> String {
    format!("aurora-{key:032x}-{part}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_one_line_and_never_an_empty_one() {
        let capture = Order::Capture { number: u64::MAX, pane: u32::MAX, history: u32::MAX, key: u128::MAX };
        for order in [Order::Subscribe, Order::Mark(7), capture] {
            let line = order.line();
            assert!(!line.trim().is_empty());
            assert!(!line.contains(['\n', '\r', '\0']), "{line}");
            for forbidden in ["refresh-client -C", "run-shell", "kill-", "send-keys", "resize", "#("] {
                assert!(!line.contains(forbidden), "{line}");
            }
            assert_eq!(u32::try_from(line.split(" ; ").count()), Ok(order.answers()), "{line}");
        }
    }
}
