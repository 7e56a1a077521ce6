//! Which panes a server has.

use std::collections::HashSet;

use crate::model::{PaneFacts, PaneId};

use super::{Server, TmuxError};

/// Most panes that are listed.
const PANES_MAX: usize = 1_000;
/// Most bytes of a text from outside.
const TEXT_MAX: usize = 256;
/// The oldest version with `attach-session -f ignore-size` and `refresh-client -B`.
const OLDEST: (u32, u32) = (3, 2);

/// The panes of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The process id of the server; 0 where none runs.
    pub server: u32,
    /// Its panes, by session, window and number. A pane in several sessions, as those of a group, is listed in each.
    pub panes: Vec<Found>,
    /// Why there are none, or not all, in one line.
    pub why: Option<String>,
}

/// A pane, as tmux lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The number of its session, `$1` without the sign. It stays when the session gets another name.
    pub session_id: u32,
    /// What tmux says of it. Generation, feed and driver are the agent's to add.
    pub facts: PaneFacts,
}

/// 1 where what is typed into a pane goes into others, too.
pub(super) const SYNCHRONIZED: &str = "#{&&:#{pane_synchronized},#{!=:#{window_panes},1}}";

/// What is asked of a pane, between tabs. The name of a session or window and the title hold no control characters:
/// tmux refuses or escapes them. The name of a command is what the program called itself, line feeds included, so what is
/// not plain in it is replaced by tmux itself (`s/…/?/`).
const PANE: &[&str] = &[
    "#{pid}",
    "#{version}",
    "#{pane_id}",
    "#{session_id}",
    "#{window_index}",
    "#{pane_index}",
    "#{pane_pid}",
    "#{pane_width}",
    "#{pane_height}",
    "#{pane_dead}",
    "#{pane_dead_status}",
    "#{pane_mode}",
    "#{alternate_on}",
    SYNCHRONIZED,
    "#{pane_active}#{window_active}",
    "#{s/[^ -~]/?/:pane_current_command}",
    "#{session_name}",
    "#{window_name}",
    "#{pane_title}",
];

impl Server {
    /// All panes. That no server runs is a listing without panes that says so.
    ///
    /// # Errors
    /// When tmux is not installed, too old, or does not answer.
    pub async fn list(&self) -> Result<Listing, TmuxError> {
        // Each line begins with a word nobody can know, so no text can pass for a line.
        let key = format!("{:032x}", rand::random::<u128>());
        let clients = format!("{key}c\t#{{client_control_mode}}\t#{{session_id}}");
        let panes = format!("{key}p\t{}", PANE.join("\t"));
        let answer = self.ask(&["list-clients", "-F", &clients, ";", "list-panes", "-a", "-F", &panes]).await;
        match answer {
            Ok(answer) => read(&answer, &key),
            Err(TmuxError::NoServer) => {
                Ok(Listing { why: Some(TmuxError::NoServer.to_string()), ..Listing::default() })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the session of this number is there. One of another server than the meant one is not.
    pub(super) async fn has_session(&self, session: u32) -> Result<(), TmuxError> {
        let answer = self.ask(&["list-sessions", "-F", "#{pid} #{session_id}"]).await?;
        let answer = String::from_utf8_lossy(&answer);
        let mut found = answer.lines().filter_map(|line| line.split_once(" $"));
        let is_meant = |pid: &str| self.only.is_none_or(|only| pid.parse() == Ok(only));
        let is_there = found.any(|(pid, number)| is_meant(pid) && number.parse() == Ok(session));
        is_there.then_some(()).ok_or(TmuxError::NoSession)
    }
}

fn read(answer: &[u8], key: &str) -> Result<Listing, TmuxError> {
    let answer = String::from_utf8_lossy(answer);
    let mut people: Vec<&str> = Vec::new();
    let mut listing = Listing::default();
    let mut seen = HashSet::new();
    let mut strange = 0_usize;
    for line in answer.lines().filter_map(|line| line.strip_prefix(key)) {
        let fields: Vec<&str> = line.split('\t').collect();
        match *fields {
            ["c", control, of] => {
                if control != "1" {
                    people.push(of);
                }
            }
            ["p", server, version, ref rest @ ..] => {
                if is_too_old(version) {
                    return Err(TmuxError::TooOld(short(version)));
                }
                listing.server = server.parse().map_err(|_| TmuxError::Strange("a server without a process id"))?;
                match found(listing.server, rest, &people) {
                    Some(pane) if seen.insert((pane.facts.id, pane.session_id)) => listing.panes.push(pane),
                    Some(_) => {}
                    None => strange += 1,
                }
            }
            _ => strange += 1,
        }
    }
    listing.panes.sort_by(|a, b| a.facts.place().cmp(&b.facts.place()));
    listing.why = if listing.panes.len() > PANES_MAX {
        let left_out = listing.panes.split_off(PANES_MAX).len();
        Some(format!("{left_out} panes more than are listed"))
    } else if strange > 0 {
        Some(format!("{strange} panes that could not be read"))
    } else if listing.panes.is_empty() {
        Some("tmux has no panes".to_owned())
    } else {
        None
    };
    Ok(listing)
}

fn found(server: u32, fields: &[&str], people: &[&str]) -> Option<Found> {
    let &[
        number,
        session_id,
        window,
        index,
        pid,
        cols,
        rows,
        dead,
        status,
        mode,
        alternate,
        synchronized,
        active,
        command,
        session,
        window_name,
        title,
    ] = fields
    else {
        return None;
    };
    let attached = people.iter().filter(|of| **of == session_id).count();
    let facts = PaneFacts {
        id: PaneId { server, number: number.strip_prefix('%')?.parse().ok()? },
        session: session.to_owned(),
        window: window.parse().ok()?,
        window_name: short(window_name),
        index: index.parse().ok()?,
        generation: 1,
        command: short(command),
        title: short(title),
        pid: pid.parse().ok()?,
        cols: cols.parse().ok()?,
        rows: rows.parse().ok()?,
        dead: (dead == "1").then(|| status.parse().ok()),
        mode: (!mode.is_empty()).then(|| short(mode)),
        alternate: alternate == "1",
        synchronized: synchronized == "1",
        active: active == "11",
        attached: u32::try_from(attached).ok()?,
        feed: None,
        driver: None,
    };
    Some(Found { session_id: session_id.strip_prefix('$')?.parse().ok()?, facts })
}

fn short(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_MAX)].to_owned()
}

/// `3.3a`, `next-3.6`, `openbsd-7.4`: what is not known to be old is tried.
fn is_too_old(version: &str) -> bool {
    let numbers = version.strip_prefix("next-").unwrap_or(version);
    let Some((major, minor)) = numbers.split_once('.') else { return false };
    let minor: String = minor.chars().take_while(char::is_ascii_digit).collect();
    match (major.parse::<u32>(), minor.parse::<u32>()) {
        (Ok(major), Ok(minor)) => (major, minor) < OLDEST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "p\t77\t3.3a\t%4\t$1\t2\t0\t4711\t80\t24\t0\t\t\t1\t0\t11\tvim\twork\tedit\ta: b # c";

    fn listing(lines: &[String]) -> Listing {
        read(lines.join("\n").as_bytes(), "KEY").expect("a listing")
    }

    #[test]
    fn a_pane_is_read_with_the_people_at_its_session() {
        let clients = ["KEYc\t0\t$1", "KEYc\t1\t$1", "KEYc\t0\t$2", "KEYc\t0\t$1"].map(str::to_owned);
        let mut lines = clients.to_vec();
        lines.push(format!("KEY{LINE}"));
        let listing = listing(&lines);
        assert_eq!((listing.server, listing.why), (77, None));
        let pane = &listing.panes[0].facts;
        assert_eq!((pane.id, pane.window, pane.index, pane.attached), (PaneId { server: 77, number: 4 }, 2, 0, 2));
        assert_eq!((pane.session.as_str(), pane.title.as_str()), ("work", "a: b # c"));
        assert!(pane.alternate && !pane.synchronized && pane.active && pane.dead.is_none() && pane.mode.is_none());
    }

    #[test]
    fn no_text_passes_for_a_line_and_no_pane_is_twice_in_a_session() {
        let group = LINE.replace("%4\t$1", "%4\t$2").replace("\twork\t", "\tandré\t");
        let mut lines = [LINE, LINE, &group].map(|line| format!("KEY{line}")).to_vec();
        lines.extend([LINE.to_owned(), "KEYp\t77\t3.3a\tx".to_owned()]);
        let listing = listing(&lines);
        let sessions: Vec<_> =
            listing.panes.iter().map(|pane| (pane.facts.session.as_str(), pane.session_id)).collect();
        assert_eq!(sessions, [("andré", 2), ("work", 1)]);
        assert_eq!(listing.why.as_deref(), Some("1 panes that could not be read"));
    }

    #[test]
    fn dead_panes_have_their_status() {
        let dead = |status: &str| LINE.replace("24\t0\t\t", &format!("24\t1\t{status}\t"));
        assert_eq!(listing(&[format!("KEY{}", dead("3"))]).panes[0].facts.dead, Some(Some(3)));
        assert_eq!(listing(&[format!("KEY{}", dead(""))]).panes[0].facts.dead, Some(None));
    }

    #[test]
    fn old_versions_are_refused_and_unknown_ones_tried() {
        for (version, old) in [
            ("3.3a", false),
            ("3.2", false),
            ("3.1c", true),
            ("2.9", true),
            ("next-3.6", false),
            ("openbsd-7.4", false),
        ] {
            assert_eq!(is_too_old(version), old, "{version}");
        }
        let line = format!("KEY{}", LINE.replace("3.3a", "3.1c"));
        assert!(matches!(read(line.as_bytes(), "KEY"), Err(TmuxError::TooOld(_))));
    }
}
