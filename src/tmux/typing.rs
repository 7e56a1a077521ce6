//! Typing into a pane.

use std::fmt::Write as _;

use super::list::SYNCHRONIZED;
use super::{NoKeys, Server, TmuxError};

/// Bytes that are typed with one order. tmux takes 16 KiB of words at once, and a byte is three of them.
const PIECE: usize = 4_000;
/// Keys that were not typed, or not all of them.
#[derive(Debug, thiserror::Error)]
#[error("{why}{}", after(*.typed, .why))]
pub struct NotTyped {
    /// Bytes at the beginning that were typed.
    pub typed: usize,
    /// Why the others were not.
    pub why: TmuxError,
}

fn after(typed: usize, why: &TmuxError) -> String {
    let unsure = if matches!(why, TmuxError::Slow(_)) { "; some more may have been typed" } else { "" };
    match typed {
        0 => unsure.to_owned(),
        _ => format!("; the first {typed} bytes were typed{unsure}"),
    }
}

/// Why a pane takes no keys now; nothing when it does.
fn why_not() -> String {
    let [dead, mode, off, synchronized] =
        [NoKeys::Dead, NoKeys::Mode, NoKeys::Off, NoKeys::Synchronized].map(NoKeys::word);
    let synchronized = format!("#{{?{SYNCHRONIZED},{synchronized},}}");
    format!("#{{?pane_dead,{dead},#{{?pane_in_mode,{mode},#{{?pane_input_off,{off},{synchronized}}}}}}}")
}

impl Server {
    /// Types exactly these bytes, as a terminal would send them.
    ///
    /// # Errors
    /// When the pane is gone, also with its server, or takes no keys. In a mode, as copy-mode, they would be orders to tmux,
    /// and with `synchronize-panes` they would go into other panes too, so nothing is typed then. Of more than 4,000 bytes the first may have been typed, which is said.
    pub async fn type_bytes(&self, pane: u32, bytes: &[u8]) -> Result<(), NotTyped> {
        let mut typed = 0;
        for piece in bytes.chunks(PIECE) {
            // Bytes by number: as text, a `;` at the end and the names of keys would be read by tmux.
            let mut keys = format!("send-keys -t %{pane} -H");
            for byte in piece {
                // Writing into a text does not fail.
                let _ = write!(keys, " {byte:02x}");
            }
            self.if_it_takes_keys(pane, &[], &keys, None).await.map_err(|why| NotTyped { typed, why })?;
            typed += piece.len();
        }
        Ok(())
    }

    /// Pastes a text as one, in brackets where the program asked for those (`CSI ? 2004 h`). Control characters but the
    /// line feed and the tab are left out: with them it could end the brackets and go on as keys.
    ///
    /// # Errors
    /// When the pane is gone or takes no keys; nothing was pasted then. With [`TmuxError::Slow`] it may have been.
    pub async fn paste(&self, pane: u32, text: &str) -> Result<(), TmuxError> {
        let text: String = text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect();
        if text.is_empty() {
            return Ok(());
        }
        let buffer = format!("aurora-{:032x}", rand::random::<u128>());
        let paste = format!("paste-buffer -p -d -r -b {buffer} -t %{pane}");
        // In one go: who ends between the two leaves a text for the next paste of a person.
        let load = ["load-buffer", "-b", &buffer, "-", ";"];
        let pasted = self.if_it_takes_keys(pane, &load, &paste, Some(text.as_bytes())).await;
        if pasted.is_err() {
            // Usually it is still there; after a paste that only did not answer it is not.
            let _ = self.ask(&["delete-buffer", "-b", &buffer]).await;
        }
        pasted
    }

    /// Leaves the mode a pane is in, if it is in one and of this server.
    ///
    /// # Errors
    /// When the pane is gone.
    pub async fn leave_mode(&self, pane: u32) -> Result<(), TmuxError> {
        let target = format!("%{pane}");
        let leave = format!("send-keys -X -t {target} cancel");
        let is_so = match self.only {
            Some(pid) => format!("#{{&&:#{{==:#{{pid}},{pid}}},#{{pane_in_mode}}}}"),
            None => "#{pane_in_mode}".to_owned(),
        };
        self.ask(&["if-shell", "-F", "-t", &target, &is_so, &leave]).await.map(drop)
    }

    /// Does `order` if the pane takes keys, in one go: between a question and the order somebody could scroll back. The
    /// words of `first`, which may read `input`, are done before, whatever the pane takes.
    async fn if_it_takes_keys(
        &self,
        pane: u32,
        first: &[&str],
        order: &str,
        input: Option<&[u8]>,
    ) -> Result<(), TmuxError> {
        let target = format!("%{pane}");
        let why_not = match self.only {
            Some(pid) => format!("#{{?#{{==:#{{pid}},{pid}}},{},{}}}", why_not(), NoKeys::Other.word()),
            None => why_not(),
        };
        let say = format!("display-message -p -t {target} '{why_not}'");
        let words = [first, &["if-shell", "-F", "-t", &target, &why_not, &say, order]].concat();
        let said = self.tell(&words, input).await?;
        match String::from_utf8_lossy(&said).trim() {
            "" => Ok(()),
            why => Err(NoKeys::said(why)
                .map_or(TmuxError::Strange("why a pane takes no keys"), |why| TmuxError::TakesNoKeys { pane, why })),
        }
    }
}
