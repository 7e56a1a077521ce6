//! When a pane calls a person: the small dialog that is filled in.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent};
use tui_textarea::{CursorMove, TextArea};

use crate::model::PaneAddress;
use crate::protocol::{PaneMark, PaneRequest};
use crate::screen;

use super::app::App;
use super::keying::type_into;
use super::msg::{Cmd, Overlay};
use super::pane_asks::{PanePurpose, ask};

/// Longest silence.
const SILENCE_MAX: Duration = Duration::from_hours(24);

/// The dialog.
#[derive(Debug)]
pub(super) struct MarkDialog {
    pub pane: PaneAddress,
    /// How it is called, for a screen.
    pub name: String,
    pub activity: bool,
    pub silence: TextArea<'static>,
    pub pattern: TextArea<'static>,
    /// Which line has the focus: activity, silence, pattern.
    pub at: usize,
    /// Why it was not taken.
    pub mistake: Option<String>,
}

fn field(text: String) -> TextArea<'static> {
    let mut field = TextArea::new(vec![text]);
    field.move_cursor(CursorMove::End);
    field
}

fn typed<'a>(field: &'a TextArea<'static>) -> &'a str {
    field.lines().first().map_or("", |line| line.trim())
}

impl MarkDialog {
    pub(super) fn new(pane: PaneAddress, name: String, mark: &PaneMark) -> Self {
        Self {
            pane,
            name,
            activity: mark.activity,
            silence: field(mark.silence.map(written).unwrap_or_default()),
            pattern: field(mark.pattern.clone().unwrap_or_default()),
            at: 0,
            mistake: None,
        }
    }

    /// The field that is typed into.
    pub(super) fn typing(&mut self) -> Option<&mut TextArea<'static>> {
        match self.at {
            0 => None,
            1 => Some(&mut self.silence),
            _ => Some(&mut self.pattern),
        }
    }

    /// What was filled in.
    fn mark(&self) -> Result<PaneMark, String> {
        let silence = match typed(&self.silence) {
            "" => None,
            text => Some(duration(text).ok_or_else(|| format!("{text:?} is no time; 30s, 5m, 2h, at most 24h"))?),
        };
        let pattern = match typed(&self.pattern) {
            "" => None,
            text => {
                screen::pattern(text).map_err(|error| error.to_string())?;
                Some(text.to_owned())
            }
        };
        Ok(PaneMark { activity: self.activity, silence, pattern })
    }
}

/// A time as a number and a unit.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..unit].parse().ok()?;
    let seconds = match &text[unit..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return None,
    };
    let duration = Duration::from_secs(number.checked_mul(seconds)?);
    (!duration.is_zero() && duration <= SILENCE_MAX).then_some(duration)
}

/// A time as it is typed, in the largest unit that says it exactly.
fn written(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        seconds if seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

impl App {
    pub(super) fn key_in_mark(&mut self, key: KeyEvent, mut dialog: Box<MarkDialog>) -> Vec<Cmd> {
        match key.code {
            KeyCode::Esc => return Vec::new(),
            KeyCode::Down | KeyCode::Tab => dialog.at = (dialog.at + 1) % 3,
            KeyCode::Up | KeyCode::BackTab => dialog.at = (dialog.at + 2) % 3,
            KeyCode::Enter => match dialog.mark() {
                Ok(mark) => {
                    let pane = dialog.pane.clone();
                    let purpose = PanePurpose::Mark { calls: mark != PaneMark::default() };
                    return vec![ask(purpose, PaneRequest::Mark { pane, mark })];
                }
                Err(why) => dialog.mistake = Some(why),
            },
            KeyCode::Char(' ' | 'x') if dialog.at == 0 => dialog.activity = !dialog.activity,
            _ => {
                if let Some(field) = dialog.typing() {
                    type_into(field, key);
                    dialog.mistake = None;
                }
            }
        }
        self.overlay = Some(Overlay::Mark(dialog));
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use crate::model::PaneId;

    use super::*;

    #[test]
    fn what_is_filled_in_is_a_mark_or_says_what_is_wrong() {
        let pane = PaneAddress { host: "web-1".parse().expect("a name"), pane: PaneId { server: 1, number: 0 } };
        let of = |silence: &str, pattern: &str| {
            let mut dialog = MarkDialog::new(pane.clone(), "web-1:0.0".into(), &PaneMark::default());
            dialog.silence.insert_str(silence);
            dialog.pattern.insert_str(pattern);
            dialog.mark()
        };
        let mark =
            PaneMark { activity: false, silence: Some(Duration::from_mins(5)), pattern: Some("err(or)?".into()) };
        assert_eq!(of("5m", "err(or)?"), Ok(mark.clone()));
        assert_eq!(of("", ""), Ok(PaneMark::default()));
        for bad in ["5", "m", "0s", "25h", "-1m", "99999999999999999999h"] {
            assert!(of(bad, "").is_err(), "{bad}");
        }
        assert!(of("", "(").is_err());
        let again = MarkDialog::new(pane.clone(), String::new(), &mark);
        assert_eq!(again.mark(), Ok(mark), "what is set is shown as it is typed");
    }
}
