//! `aurora theme`: which themes there are, and what is wrong with their colours.

use std::path::Path;

use serde::Serialize;

use crate::config::{Config, Role, Theme, ThemeLint, ThemeOrigin, Vision, read_theme};

use super::args::ThemeCommand;
use super::exit::{Exit, Failure, Outcome};
use super::output;

pub(super) fn run(command: &ThemeCommand, config: &Config) -> Outcome {
    match command {
        ThemeCommand::List(json) => list(config, json.json),
        ThemeCommand::Lint { name, json } => lint(config, name.as_deref(), json.json),
    }
}

#[derive(Serialize)]
struct Listed {
    name: String,
    from: String,
    about: Option<String>,
    vision: Option<Vision>,
    error: Option<String>,
    roles: Vec<Painted>,
}

#[derive(Serialize)]
struct Painted {
    role: Role,
    paints: &'static str,
    colour: String,
    sixteen: String,
}

fn list(config: &Config, json: bool) -> Outcome {
    let listed: Vec<Listed> = config
        .themes
        .names()
        .into_iter()
        .map(|name| {
            let from = config.themes.origin(&name).unwrap_or(ThemeOrigin::BuiltIn).to_string();
            let (theme, error) = match config.themes.theme(&name) {
                Ok(theme) => (Some(theme), None),
                Err(error) => (None, Some(error.in_one_line())),
            };
            let roles = theme.as_ref().map(painted).unwrap_or_default();
            let vision = theme.as_ref().and_then(|theme| theme.vision);
            Listed { name, from, about: theme.and_then(|theme| theme.about), vision, error, roles }
        })
        .collect();
    if json {
        output::json(&listed)?;
        return Ok(Exit::Fine);
    }
    let rows = listed.into_iter().map(|theme| {
        let about = theme.error.or(theme.about).unwrap_or_default();
        [theme.name, theme.from, about]
    });
    output::table(["NAME", "FROM", "ABOUT"], rows)?;
    output::line("")?;
    output::line(&format!("In use: {}. Themes of your own: [tui.themes.NAME] in the configuration", config.theme))?;
    if let Some(dir) = config.themes.dir() {
        output::line(&format!("or {}", dir.join("NAME.toml").display()))?;
    }
    Ok(Exit::Fine)
}

fn painted(theme: &Theme) -> Vec<Painted> {
    let paint = |role: Role| Painted {
        role,
        paints: role.paints(),
        colour: theme.colour(role).to_string(),
        sixteen: theme.in_sixteen(role).to_string(),
    };
    Role::ALL.into_iter().map(paint).collect()
}

#[derive(Serialize)]
struct Linted {
    name: String,
    fine: bool,
    error: Option<String>,
    #[serde(flatten)]
    lint: Option<ThemeLint>,
}

/// Looks at one theme, or at all. A name with a slash or an ending is a file.
fn lint(config: &Config, name: Option<&str>, json: bool) -> Outcome {
    let names = name.map_or_else(|| config.themes.names(), |name| vec![name.to_owned()]);
    let linted: Vec<Linted> = names
        .into_iter()
        .map(|name| {
            let is_file = name.contains('/') || Path::new(&name).extension().is_some_and(|ending| ending == "toml");
            let theme = if is_file { read_theme(Path::new(&name)) } else { config.themes.theme(&name) };
            match theme {
                Ok(theme) => {
                    let lint = ThemeLint::new(&theme);
                    Linted { name, fine: lint.is_fine(), error: None, lint: Some(lint) }
                }
                Err(error) => {
                    let error = if json { error.in_one_line() } else { error.to_string() };
                    Linted { name, fine: false, error: Some(error), lint: None }
                }
            }
        })
        .collect();
    if json {
        output::json(&linted)?;
    } else {
        for theme in &linted {
            output::lines(&told(theme))?;
        }
    }
    if linted.iter().all(|theme| theme.fine) {
        return Ok(Exit::Fine);
    }
    let wrong = linted.iter().filter(|theme| !theme.fine).map(|theme| theme.name.as_str()).collect::<Vec<_>>();
    Err(Failure::new(Exit::Failed, format!("not as it should be: {}", wrong.join(", "))))
}

/// What was found about a theme, a line each.
fn told(theme: &Linted) -> String {
    let mut lines = vec![format!("{}: {}", theme.name, if theme.fine { "fine" } else { "not as it should be" })];
    lines.extend(theme.error.clone());
    let Some(lint) = &theme.lint else { return lines.join("\n") };
    lines.extend(lint.low().map(|low| {
        let ratio = low.ratio.unwrap_or_default();
        format!("  {}: contrast {ratio:.2}, at least {:.1}: {}", low.role.name(), low.least, low.role.paints())
    }));
    let lowest = lint.contrasts.iter().filter_map(|contrast| Some((contrast.ratio?, contrast.role)));
    if let Some((ratio, role)) = lowest.min_by(|(a, _), (b, _)| a.total_cmp(b)) {
        lines.push(format!("  lowest contrast: {ratio:.2} ({})", role.name()));
    }
    if lint.not_known() > 0 {
        let all = lint.contrasts.len();
        lines.push(format!(
            "  {} of {all} contrasts cannot be known: those colours are the terminal's own",
            lint.not_known()
        ));
    }
    lines.extend(lint.alike.iter().map(|alike| {
        let whom = alike.vision.map_or("everybody".to_owned(), |vision| format!("{vision:?}").to_lowercase());
        let weight = if alike.claimed { "" } else { "note: " };
        let (one, other) = (alike.one.name(), alike.other.name());
        format!("  {weight}{one} and {other} look alike for {whom} (distance {:.0}, at least 20)", alike.distance)
    }));
    lines.join("\n")
}
