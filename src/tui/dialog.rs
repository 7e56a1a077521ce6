//! Small questions before an act: until when, which label, whose. What is typed narrows the choices, or is one itself.

use jiff::Zoned;
use tui_textarea::TextArea;

use crate::model::{Act, Item, Label, OperatorName, Snooze};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Snooze,
    Label,
    Assign,
}

/// What an act is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About {
    /// What is open or selected, if anything is.
    One(Option<Item>),
    /// What was picked; it is shown before anything is done to it.
    Picked(Vec<Item>),
}

impl About {
    pub(super) fn all(self) -> Vec<Item> {
        match self {
            Self::One(item) => item.into_iter().collect(),
            Self::Picked(items) => items,
        }
    }
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub words: String,
    pub act: Act,
}

/// The question while it is open.
#[derive(Debug)]
pub(super) struct Dialog {
    pub question: Question,
    pub field: TextArea<'static>,
    pub selected: usize,
    /// What was selected when it was asked.
    pub about: About,
    choices: Vec<Choice>,
    /// Labels that what is asked about has already: choosing one takes it off.
    has: Vec<Label>,
    now: Zoned,
}

impl Dialog {
    fn new(question: Question, choices: Vec<Choice>, now: Zoned) -> Self {
        let (field, about) = (TextArea::default(), About::One(None));
        Self { question, field, selected: 0, about, choices, has: Vec::new(), now }
    }

    /// Until when?
    pub(super) fn snooze(now: Zoned) -> Self {
        let times = ["1h", "4h", "tomorrow", "next week"];
        let mut choices: Vec<Choice> = times
            .iter()
            .filter_map(|time| Snooze::parse(time, &now).ok().map(|snooze| (time, snooze)))
            .map(|(time, snooze)| Choice { words: (*time).to_owned(), act: Act::Snooze(snooze) })
            .collect();
        choices.push(Choice { words: "until a reply".to_owned(), act: Act::Snooze(Snooze::Reply) });
        choices.push(Choice { words: "not any more: bring it back".to_owned(), act: Act::Wake });
        Self::new(Question::Snooze, choices, now)
    }

    /// Which label, of what `has` some? The others come with [`Self::know_labels`].
    pub(super) fn label(has: &[Label], now: Zoned) -> Self {
        let mut dialog = Self::new(Question::Label, Vec::new(), now);
        dialog.has = has.to_vec();
        dialog.know_labels(&[]);
        dialog
    }

    /// Whose? `me` is who asks; the others come with [`Self::know_operators`].
    pub(super) fn assign(me: Option<&OperatorName>, now: Zoned) -> Self {
        let mut choices = Vec::new();
        if let Some(me) = me {
            choices.push(Choice { words: format!("me ({me})"), act: Act::Assign(me.clone()) });
        }
        choices.push(Choice { words: "nobody".to_owned(), act: Act::Unassign });
        Self::new(Question::Assign, choices, now)
    }

    /// These labels are in use.
    pub(super) fn know_labels(&mut self, labels: &[Label]) {
        let chosen = self.chosen();
        let others = labels.iter().filter(|label| !self.has.contains(label));
        self.choices = self.has.iter().chain(others).map(|label| self.with_label(label)).collect();
        self.choose(chosen);
    }

    fn chosen(&self) -> Option<Act> {
        self.answers().into_iter().nth(self.selected).map(|answer| answer.act)
    }

    /// More answers are known: the one that was selected stays so.
    fn choose(&mut self, act: Option<Act>) {
        let place = act.and_then(|act| self.answers().iter().position(|answer| answer.act == act));
        self.selected = place.unwrap_or(0);
    }

    fn with_label(&self, label: &Label) -> Choice {
        if self.has.contains(label) {
            Choice { words: format!("{label}   (take it off)"), act: Act::Unlabel(label.clone()) }
        } else {
            Choice { words: label.to_string(), act: Act::Label(label.clone()) }
        }
    }

    /// These operators may be given something.
    pub(super) fn know_operators(&mut self, operators: &[OperatorName]) {
        let chosen = self.chosen();
        for operator in operators {
            let act = Act::Assign(operator.clone());
            if !self.choices.iter().any(|choice| choice.act == act) {
                self.choices.push(Choice { words: operator.to_string(), act });
            }
        }
        self.choose(chosen);
    }

    pub(super) fn typed(&self) -> &str {
        self.field.lines().first().map_or("", String::as_str).trim()
    }

    /// The choices that fit what was typed. What was typed comes along where it is an answer itself.
    pub(super) fn answers(&self) -> Vec<Choice> {
        let typed = self.typed().to_lowercase();
        let mut answers: Vec<Choice> =
            self.choices.iter().filter(|choice| choice.words.to_lowercase().contains(&typed)).cloned().collect();
        if let Ok(own) = self.own()
            && !answers.iter().any(|answer| answer.act == own.act)
        {
            // A time that is typed is meant; a name may be the beginning of one that is known.
            let at = if self.question == Question::Snooze { 0 } else { answers.len() };
            answers.insert(at, own);
        }
        answers
    }

    /// Why what was typed is no answer, when nothing else is one.
    pub(super) fn mistake(&self) -> Option<String> {
        let typed = !self.typed().is_empty();
        self.own().err().filter(|_| typed && self.answers().is_empty())
    }

    /// What was typed as an answer.
    fn own(&self) -> Result<Choice, String> {
        let typed = self.typed();
        match self.question {
            Question::Snooze => {
                let snooze = Snooze::parse(typed, &self.now).map_err(|error| error.to_string())?;
                Ok(Choice { words: format!("until {typed}"), act: Act::Snooze(snooze) })
            }
            Question::Label => {
                let label: Label =
                    typed.parse().map_err(|error: <Label as std::str::FromStr>::Err| error.to_string())?;
                let known = self.with_label(&label);
                let new = matches!(known.act, Act::Label(_));
                Ok(Choice { words: if new { format!("{label}   (new)") } else { known.words }, act: known.act })
            }
            Question::Assign => Err(format!("no operator is called {typed:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;

    fn now() -> Zoned {
        Timestamp::from_second(1_800_000_000).expect("in range").to_zoned(TimeZone::UTC)
    }

    fn words(dialog: &Dialog) -> Vec<String> {
        dialog.answers().into_iter().map(|choice| choice.words).collect()
    }

    fn label(text: &str) -> Label {
        text.parse().expect("a label")
    }

    #[test]
    fn a_time_may_be_chosen_or_typed() {
        let mut dialog = Dialog::snooze(now());
        assert_eq!(words(&dialog)[..4], ["1h", "4h", "tomorrow", "next week"]);
        dialog.field.insert_str("30m");
        assert_eq!(words(&dialog), ["until 30m"]);
        let half_an_hour = Timestamp::from_second(1_800_001_800).expect("in range");
        assert_eq!(dialog.answers()[0].act, Act::Snooze(Snooze::Until(half_an_hour)));
        dialog.field.insert_str("xyz");
        assert!(dialog.answers().is_empty());
        assert!(dialog.mistake().is_some_and(|mistake| mistake.contains("30mxyz")));
    }

    #[test]
    fn a_label_is_put_on_or_taken_off_and_may_be_new() {
        let mut dialog = Dialog::label(&[label("billing")], now());
        dialog.know_labels(&[label("billing"), label("bugs"), label("vip")]);
        assert_eq!(words(&dialog), ["billing   (take it off)", "bugs", "vip"]);
        dialog.field.insert_str("bi");
        assert_eq!(words(&dialog), ["billing   (take it off)", "bi   (new)"]);
        dialog.field.insert_str("lling");
        assert_eq!(dialog.answers()[0].act, Act::Unlabel(label("billing")));
        assert_eq!(dialog.answers().len(), 1);
        dialog.field.insert_str("!");
        assert!(dialog.mistake().is_some());
    }

    #[test]
    fn only_known_operators_are_given_anything() {
        let anna: OperatorName = "anna".parse().expect("a name");
        let mut dialog = Dialog::assign(Some(&anna), now());
        dialog.know_operators(&[anna, "ben".parse().expect("a name")]);
        assert_eq!(words(&dialog), ["me (anna)", "nobody", "ben"]);
        dialog.field.insert_str("zoe");
        assert_eq!(dialog.mistake().as_deref(), Some("no operator is called \"zoe\""));
    }
}
