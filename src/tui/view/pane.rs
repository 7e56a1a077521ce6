//! A pane in full: its cells as they are, how large it is and what of it is drawn, and everything that is wrong with it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Block;

use crate::model::{OperatorName, ago, lasting};
use crate::protocol::{HostPanes, PaneLost, PaneRow};
use crate::screen::{self, Glass, PaneScreen};

use super::super::app::App;
use super::super::pane_back::Back;
use super::super::pane_drive::{DriveState, idle_release};
use super::super::pane_open::OpenPane;
use super::super::pane_row::KeptRow;
use super::super::pane_watch::Watch;
use super::super::panes::is_stale;
use super::super::tail::Pattern;
use super::pane_cells::Window;
use super::parts::{fit, marked, outside};

/// Rows beside the pane: how it is called above, how it is below.
const BARS: u16 = 2;
/// Rows of the screen that are not the view's.
const AROUND: u16 = 2;

/// Columns and rows there are for a pane on this screen.
pub(in super::super) fn room(app: &App) -> (u16, u16) {
    (app.size.0, app.size.1.saturating_sub(AROUND + BARS))
}

/// The column and row of a pane that is drawn in the upper left: where somebody moved it, else so that the cursor is seen.
pub(in super::super) fn corner(glass: &Glass, pan: Option<(u16, u16)>, room: (u16, u16)) -> (u16, u16) {
    let (cols, rows) = glass.screen().size();
    let (right, low) = (cols.saturating_sub(room.0), rows.saturating_sub(room.1));
    if let Some((x, y)) = pan {
        return (x.min(right), y.min(low));
    }
    // A program that hides the cursor fills the screen from the top; a shell is at the bottom of what it printed.
    let hidden = (0, if glass.screen().is_alternate() { 0 } else { rows.saturating_sub(1) });
    let (x, y) = glass.screen().cursor().unwrap_or(hidden);
    // Sideways in steps, so that not every letter moves everything.
    let step = (room.0 / 2).max(1);
    let x = if x < room.0 { 0 } else { ((x - room.0) / step + 1) * step };
    (x.min(right), (y + 1).saturating_sub(room.1).min(low))
}

pub(super) fn draw(app: &App, open: &OpenPane, frame: &mut Frame<'_>, area: Rect) {
    let watch = app.panes.watches.get(&open.pane);
    let known = app.panes.row(&open.pane);
    let row = |y: u16| Rect { y: area.y + y, height: 1, ..area }.intersection(area);
    let bottom = area.height.saturating_sub(1);
    let bar = bar(app, open);
    let inside = Rect { y: area.y + 1, height: bottom.saturating_sub(1), ..area }.intersection(area);
    let shown = watch.and_then(|watch| Some((watch, watch.glass.as_ref()?)));
    match shown {
        Some((watch, glass)) => cells(app, open, watch, glass, inside, frame),
        None => {
            let text =
                watch.and_then(|watch| watch.ended.clone()).unwrap_or_else(|| "waiting for its screen".to_owned());
            frame.render_widget(marked(app, outside(&format!("  {text}"), app.look.muted)), inside);
        }
    }
    if watch.is_some_and(|watch| watch.stale.is_some() || watch.ended.is_some())
        && let Some(grey) = app.look.stale.fg
    {
        frame.buffer_mut().set_style(inside, Style::new().fg(grey));
    }
    let title = title(app, open, known, shown.map(|(_, glass)| glass), usize::from(area.width), bar);
    frame.render_widget(Block::new().style(bar.unwrap_or(app.look.text)), row(0));
    frame.render_widget(marked(app, title), row(0));
    if bottom > 0 {
        let told = screen::line(&told(app, open, known, watch).join("   "));
        let told = fit(&app.look, &told, usize::from(area.width));
        frame.render_widget(marked(app, Span::styled(told, bar.unwrap_or(app.look.muted))), row(bottom));
    }
}

/// The style of the bars where somebody at this keyboard types, or did.
fn bar(app: &App, open: &OpenPane) -> Option<Style> {
    let drive = app.panes.drive.as_ref().filter(|drive| drive.pane == open.pane)?;
    Some(match drive.state {
        DriveState::Asking => app.look.selected,
        DriveState::Driving { .. } => app.look.driving(),
        DriveState::Lost(_) => app.look.crit.add_modifier(ratatui::style::Modifier::REVERSED),
    })
}

/// How it is called, what runs there, how large it is and which part of it is drawn.
fn title(
    app: &App,
    open: &OpenPane,
    known: Option<(&HostPanes, &PaneRow)>,
    glass: Option<&Glass>,
    width: usize,
    bar: Option<Style>,
) -> Line<'static> {
    let look = &app.look;
    let mut size = String::new();
    if let Some(glass) = glass {
        let ((cols, rows), room) = (glass.screen().size(), room(app));
        size = format!("{cols}x{rows}");
        if (cols > room.0 || rows > room.1) && open.back.is_none() {
            let (x, y) = corner(glass, open.pan, room);
            let (right, low) = ((x + room.0).min(cols), (y + room.1).min(rows));
            size = format!("{size}, {}-{right} by {}-{low} shown", x + 1, y + 1);
        }
    }
    let name = screen::line(&open.name.to_string());
    let mut said = Vec::new();
    if let Some((_, row)) = known {
        said.push(row.facts.command.clone());
        if row.facts.generation > 1 {
            said.push(format!("generation {}", row.facts.generation));
        }
        if !row.facts.title.is_empty() && row.facts.title != row.facts.command {
            said.push(format!("\"{}\"", row.facts.title));
        }
    }
    let said = screen::line(&said.join("  "));
    let room = width.saturating_sub(screen::width(&name) + 2 + screen::width(&size) + 1);
    let plain = |style: Style| bar.unwrap_or(style);
    Line::from(vec![
        Span::styled(fit(look, &name, screen::width(&name).min(width)), plain(look.title)),
        Span::styled(format!("  {}", fit(look, &said, room)), plain(look.text)),
        Span::styled(format!(" {size}"), plain(look.muted)),
    ])
}

/// Everything there is to say of it, what matters most first. It holds text from outside.
fn told(app: &App, open: &OpenPane, known: Option<(&HostPanes, &PaneRow)>, watch: Option<&Watch>) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(drive) = app.panes.drive.as_ref().filter(|drive| drive.pane == open.pane) {
        match &drive.state {
            DriveState::Asking => told.push("asking to take it over; ctrl-] gives up".to_owned()),
            DriveState::Driving { .. } => {
                told.push("YOU TYPE HERE, ctrl-] gives back".to_owned());
                told.push(idle_release());
            }
            DriveState::Lost(why) => {
                let untyped = drive.untyped().map(|untyped| format!("{untyped}: ")).unwrap_or_default();
                told.push(format!("YOU DO NOT TYPE HERE ANY MORE, ctrl-] goes on: {untyped}{why}"));
            }
        }
    }
    if let Some(find) = &open.find {
        let typed = find.field.lines().first().map_or("", String::as_str);
        told.push(if find.typing { format!("/{typed}_") } else { format!("/{typed}: {}", find.told()) });
    }
    if let (Some(back), Some(live)) = (&open.back, app.live()) {
        told.push(format!("paused, {} new", back.new_lines(live)));
        if let Some(why) = &back.trouble {
            told.push(format!("no older lines: {why}"));
        }
    }
    if let Some(watch) = watch {
        if let Some((since, why)) = &watch.stale {
            told.push(format!("STALE {}: {why}", lasting(*since, app.now)));
        }
        if let Some(why) = watch.ended.as_ref().filter(|_| watch.glass.is_some()) {
            let how = if known.is_some() { "not shown any more, asked for again" } else { "gone" };
            told.push(format!("{how}: {why}"));
        }
    }
    if let Some((host, row)) = known {
        told.extend(facts(app, host, row));
    }
    told.extend(known.map(|(_, row)| lost(row.lost)).unwrap_or_default());
    if told.is_empty() {
        told.push("live".to_owned());
    }
    told
}

/// What of it was not seen, and how often it was not what tmux shows.
pub(super) fn lost(lost: PaneLost) -> Vec<String> {
    // How much was too fast nobody knows.
    let (more, too_fast) = if lost.too_fast > 0 { (" and more", ", too fast to follow") } else { ("", "") };
    let missed = format!("{}{more} missed in {}{too_fast}", size(lost.bytes), gaps(lost.gaps));
    let redrawn = format!("redrawn {}x as tmux showed something else", lost.drift);
    let missed = (lost.bytes > 0 || lost.gaps > 0).then_some(missed);
    missed.into_iter().chain((lost.drift > 0).then_some(redrawn)).collect()
}

/// How often something was missed.
pub(super) fn gaps(gaps: u32) -> String {
    format!("{gaps} gap{}", if gaps == 1 { "" } else { "s" })
}

/// What is known of it beside what it shows.
fn facts(app: &App, host: &HostPanes, row: &PaneRow) -> Vec<String> {
    let facts = &row.facts;
    let mut told = Vec::new();
    if let Some((since, why)) = &row.calls {
        told.push(format!("called {}: {why}", ago(*since, app.now)));
    }
    if is_stale(host) {
        let why = host.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        told.push(format!("no road to {} {}{why}", host.host, lasting(host.at, app.now)));
    }
    told.extend(facts.too_fast().map(str::to_owned));
    match facts.dead {
        Some(Some(status)) => told.push(format!("DEAD, exit {status}")),
        Some(None) => told.push("DEAD".to_owned()),
        None => {}
    }
    if let Some(mode) = &facts.mode {
        told.push(format!("in {mode}: keys go to tmux"));
    }
    if facts.synchronized {
        told.push("synchronize-panes: keys would go into other panes, too".to_owned());
    }
    let is_me = |who: &OperatorName| app.identity.as_ref().is_some_and(|me| me.operator == *who);
    if let Some(driver) = facts.driver.as_ref().filter(|driver| app.panes.drive.is_none() || !is_me(&driver.who)) {
        told.push(format!("{} types here, {}", driver.who, lasting(driver.since, app.now)));
    }
    if let Some(program) = &row.program {
        let since = lasting(program.since, app.now);
        told.push(format!(
            "{} {} {since}, {} %: {}",
            program.tool,
            program.doing.as_str(),
            program.confidence,
            program.evidence
        ));
    }
    let others: Vec<String> = row.watchers.iter().filter(|who| !is_me(who)).map(ToString::to_string).collect();
    if !others.is_empty() {
        told.push(format!("{} too", others.join(", ")));
    }
    if facts.attached > 0 {
        told.push(format!("{} at its host", facts.attached));
    }
    if row.recording.is_some() {
        told.push("recorded".to_owned());
    }
    told
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..=1_023 => format!("{bytes} B"),
        1_024..=1_048_575 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

fn cells(app: &App, open: &OpenPane, watch: &Watch, glass: &Glass, area: Rect, frame: &mut Frame<'_>) {
    let look = &app.look;
    let (from, y0) = corner(glass, open.pan, (area.width, area.height));
    let window = Window { area, from };
    let buffer = frame.buffer_mut();
    let rows = u64::from(glass.screen().size().1);
    let top = open.back.as_ref().map_or(watch.first_row + u64::from(y0), |back| back.top);
    for row in 0..area.height {
        let number = top + u64::from(row);
        let on_screen = number.checked_sub(watch.first_row).filter(|y| *y < rows).and_then(|y| u16::try_from(y).ok());
        let kept = open.back.as_ref().and_then(|back| back.line(number));
        match (kept, on_screen) {
            (Some(kept), _) => window.kept(look, row, kept, buffer),
            (None, Some(y)) => window.live(look, row, glass, y, buffer),
            (None, None) if number < watch.first_row => missing(app, open.back.as_ref(), number, row, area, buffer),
            (None, None) => {}
        }
        if let Some(pattern) = open.find.as_ref().and_then(|find| find.pattern.as_ref()) {
            let written = kept.cloned().or_else(|| on_screen.map(|y| KeptRow::of(glass.screen().row(y))));
            let here = open.find.as_ref().is_some_and(|find| find.at == Some(number));
            let style = if here { look.selected } else { look.vip.add_modifier(ratatui::style::Modifier::UNDERLINED) };
            for columns in written.map(|row| lit(&row, pattern)).unwrap_or_default() {
                window.light(row, columns, style, buffer);
            }
        }
    }
    if open.back.is_none()
        && let Some((column, y)) = glass.screen().cursor()
        && let Some(row) = y.checked_sub(y0).filter(|row| *row < area.height)
    {
        window.cursor(row, column, buffer);
    }
}

/// The columns of a row that match.
fn lit(row: &KeptRow, pattern: &Pattern) -> Vec<std::ops::Range<u16>> {
    let (mut text, mut columns) = (String::new(), Vec::new());
    for cell in row.cells() {
        let next = columns.last().map_or(0, |(_, range): &(usize, std::ops::Range<u16>)| range.end);
        for column in next..cell.column {
            columns.push((text.len(), column..column + 1));
            text.push(' ');
        }
        columns.push((text.len(), cell.column..cell.column + cell.width));
        text.push_str(cell.text);
    }
    let found = |place: std::ops::Range<usize>| {
        let mut within = columns.iter().filter(|(at, _)| place.contains(at)).map(|(_, range)| range.clone());
        let first = within.next()?;
        let end = within.next_back().map_or(first.end, |last| last.end);
        Some(first.start..end)
    };
    pattern.places(&text).into_iter().filter_map(found).collect()
}

/// A line that is not here.
fn missing(app: &App, back: Option<&Back>, number: u64, row: u16, area: Rect, buffer: &mut ratatui::buffer::Buffer) {
    let gone = back.is_some_and(|back| back.is_gone(number));
    let text = if gone { "" } else { app.look.glyph("…", "~") };
    buffer.set_stringn(area.x, area.y + row, text, usize::from(area.width), app.look.muted);
}
