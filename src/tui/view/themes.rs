//! The picker of themes. The whole screen behind it is the preview; a row of states is its sample.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::model::{CheckState, Marks};
use crate::screen;

use super::super::app::App;
use super::super::theme_picker::ThemePicker;
use super::parts::{fit, list, marked, overlay};

/// Columns of a name.
const NAME: usize = 16;

pub(super) fn draw(app: &App, picker: &ThemePicker, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let rows = u16::try_from(picker.offers.len()).unwrap_or(u16::MAX).saturating_add(4);
    let inside = overlay(app, "Themes, enter keeps it", (76, rows), frame, area);
    let [names, sample] = Layout::vertical([Constraint::Min(0), Constraint::Length(2)]).areas(inside);
    list(app, &picker.offers, picker.selected, frame, names, |offer, width| {
        let name = offer.name.as_deref().unwrap_or("as configured");
        let style = if offer.look.is_ok() { look.text } else { look.warn };
        Line::from(vec![
            Span::styled(fit(look, name, NAME), look.key),
            Span::styled(fit(look, &screen::line(&offer.about), width.saturating_sub(NAME)), style),
        ])
    });
    let states = [CheckState::Ok, CheckState::Warn, CheckState::Critical, CheckState::Unknown, CheckState::Stale];
    let mut spans: Vec<Span<'_>> = states
        .iter()
        .map(|state| Span::styled(format!("{} {}  ", look.sign(state), state.as_str()), look.check(*state)))
        .collect();
    spans.push(Span::styled(format!("{} new  ", look.sign(&Marks::default())), look.title));
    spans.push(Span::styled("VIP  ", look.vip));
    spans.push(Span::styled("taken  ", look.acked));
    spans.push(Span::styled("muted", look.muted));
    frame.render_widget(marked(app, vec![Line::default(), Line::from(spans)]), sample);
}
