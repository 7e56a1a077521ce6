//! Live pictures of several panes, each in a frame with its name and how it is.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::counted;
use crate::screen::{self, PaneScreen};

use super::super::app::App;
use super::super::mouse::Hit;
use super::super::panes::PaneState;
use super::super::tiles::{Division, Tiles};
use super::pane::{corner, gaps};
use super::pane_cells::Window;
use super::parts::{fit, framed, heading, marked, outside};

/// How the room for tiles is divided on this screen.
pub(in super::super) fn division(app: &App, tiles: &Tiles) -> Division {
    // Header, title and footer.
    Division::of(tiles.panes.len(), (app.size.0, app.size.1.saturating_sub(3)))
}

pub(super) fn draw(app: &App, tiles: &Tiles, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let division = division(app, tiles);
    let (page, pages) = tiles.pages(division);
    let mut spans = vec![Span::styled(counted(tiles.panes.len(), "pane"), look.title)];
    if pages > 1 {
        spans.push(Span::styled(format!("   page {page} of {pages}"), look.muted));
    }
    let area = heading(app, Line::from(spans), frame, area);
    for (place, (index, pane)) in tiles.page(division).enumerate() {
        let tile = division.tile(place, area);
        app.region(tile, Hit::Row(index));
        let focused = index == tiles.focus;
        let known = app.panes.row(pane);
        let state = known.map(|(host, row)| PaneState::of(host, row));
        let watch = app.panes.watches.get(pane);
        let mut told = vec![app.panes.shown_name(pane)];
        if let Some((_, row)) = known {
            told.push(screen::line(&row.facts.command));
        }
        told.extend(state.filter(|state| *state != PaneState::Live).map(|state| state.as_str().to_owned()));
        if watch.is_some_and(|watch| watch.stale.is_some()) && state != Some(PaneState::Stale) {
            told.push("stale".to_owned());
        }
        told.extend(known.and_then(|(_, row)| row.facts.too_fast()).map(str::to_owned));
        if let Some((_, row)) = known.filter(|(_, row)| row.lost.gaps > 0) {
            told.push(gaps(row.lost.gaps));
        }
        let title = format!("{}{}", if focused { look.glyph("▶ ", "> ") } else { "" }, told.join("  "));
        let title = fit(look, &title, screen::width(&title).min(usize::from(tile.width.saturating_sub(4))));
        let style = state.map_or(look.muted, |state| look.pane_state(state));
        let block = framed(look, &title, if focused { look.selected } else { style });
        let block = if focused { block.border_style(look.key) } else { block };
        let inside = block.inner(tile);
        frame.render_widget(block, tile);
        let Some(watch) = watch else { continue };
        let Some(glass) = &watch.glass else {
            let text = watch.ended.as_deref().unwrap_or("waiting for its screen");
            frame.render_widget(marked(app, outside(text, look.muted)), inside);
            continue;
        };
        let (from, y0) = corner(glass, None, (inside.width, inside.height));
        let window = Window { area: inside, from };
        let buffer = frame.buffer_mut();
        for (row, y) in (0..inside.height).zip(y0..glass.screen().size().1) {
            window.live(look, row, glass, y, buffer);
        }
        if let Some((column, y)) = glass.screen().cursor()
            && let Some(row) = y.checked_sub(y0).filter(|row| *row < inside.height)
        {
            window.cursor(row, column, buffer);
        }
        if (watch.stale.is_some() || watch.ended.is_some() || state == Some(PaneState::Stale))
            && let Some(grey) = look.stale.fg
        {
            buffer.set_style(inside, ratatui::style::Style::new().fg(grey));
        }
    }
}
