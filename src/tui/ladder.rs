//! What a terminal can show, read from the environment: how many colours, and whether more than ASCII. Pure.

/// How many colours may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourMode {
    /// None: severity is told by signs and words, focus by bold and reverse.
    None,
    /// The terminal's sixteen.
    Sixteen,
    /// 256: the sixteen, a cube and greys.
    Indexed,
    /// All.
    True,
}

/// Terminals that show all colours and say so by their name only, as `COLORTERM` does not pass through ssh.
const TRUE_BY_NAME: [&str; 6] = ["alacritty", "contour", "foot", "ghostty", "kitty", "wezterm"];

impl ColourMode {
    /// The colours of the terminal that `env` describes. `forced` is what the command line says: always colours, or
    /// never.
    #[must_use]
    pub fn detect(forced: Option<bool>, env: impl Fn(&str) -> String) -> Self {
        let term = env("TERM");
        let shows_none = term == "dumb" || term.starts_with("vt");
        if forced == Some(false) || forced.is_none() && (shows_none || !env("NO_COLOR").is_empty()) {
            return Self::None;
        }
        // GNU screen hands the variable of the terminal around it on, and does not understand such colours.
        let in_screen = !env("STY").is_empty() && env("TMUX").is_empty();
        let says_true = matches!(env("COLORTERM").as_str(), "truecolor" | "24bit") || term.ends_with("-direct");
        if !in_screen && (says_true || TRUE_BY_NAME.iter().any(|name| term.contains(name))) {
            return Self::True;
        }
        if term.contains("256color") { Self::Indexed } else { Self::Sixteen }
    }
}

/// Whether the locale that `env` describes has no UTF-8. One that is not set says nothing: terminals read UTF-8.
#[must_use]
pub fn is_ascii_locale(env: impl Fn(&str) -> String) -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].map(env).into_iter().find(|value| !value.is_empty());
    set.is_some_and(|locale| !locale.to_lowercase().replace('-', "").contains("utf8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Variables<'a> = &'a [(&'a str, &'a str)];

    fn in_env(variables: Variables<'_>) -> impl Fn(&str) -> String + '_ {
        move |name| variables.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value).to_owned()
    }

    #[test]
    fn the_ladder_of_colours() {
        use ColourMode::{Indexed, None as Mono, Sixteen, True};

        let term = |term| ("TERM", term);
        let truecolor = ("COLORTERM", "truecolor");
        let cases: [(Variables<'_>, ColourMode, ColourMode); 15] = [
            // What is set, what comes of it, and with `--color always`.
            (&[], Sixteen, Sixteen),
            (&[term("xterm-256color"), truecolor], True, True),
            (&[term("xterm-256color"), ("COLORTERM", "24bit")], True, True),
            (&[term("xterm-256color"), ("COLORTERM", "yes")], Indexed, Indexed),
            (&[term("xterm-256color")], Indexed, Indexed),
            (&[term("xterm-direct")], True, True),
            (&[term("xterm-kitty")], True, True),
            (&[term("xterm")], Sixteen, Sixteen),
            (&[term("linux")], Sixteen, Sixteen),
            (&[term("tmux-256color"), truecolor, ("TMUX", "/tmp/x"), ("STY", "1.x")], True, True),
            (&[term("screen.xterm-256color"), truecolor, ("STY", "1.x")], Indexed, Indexed),
            (&[term("dumb"), truecolor], Mono, True),
            (&[term("vt220")], Mono, Sixteen),
            (&[term("xterm-256color"), truecolor, ("NO_COLOR", "1")], Mono, True),
            (&[term("xterm-256color"), ("NO_COLOR", "")], Indexed, Indexed),
        ];
        for (variables, auto, always) in cases {
            assert_eq!(ColourMode::detect(None, in_env(variables)), auto, "{variables:?}");
            assert_eq!(ColourMode::detect(Some(true), in_env(variables)), always, "always {variables:?}");
            assert_eq!(ColourMode::detect(Some(false), in_env(variables)), Mono, "never {variables:?}");
        }
    }

    #[test]
    fn a_locale_without_utf_8_is_ascii() {
        let cases: [(Variables<'_>, bool); 7] = [
            (&[], false),
            (&[("LANG", "de_DE.UTF-8")], false),
            (&[("LANG", "C.utf8")], false),
            (&[("LANG", "C")], true),
            (&[("LANG", "de_DE@euro")], true),
            (&[("LC_ALL", "POSIX"), ("LANG", "C.UTF-8")], true),
            (&[("LC_ALL", ""), ("LC_CTYPE", "en_US.UTF-8"), ("LANG", "C")], false),
        ];
        for (variables, ascii) in cases {
            assert_eq!(is_ascii_locale(in_env(variables)), ascii, "{variables:?}");
        }
    }
}
