//! Rules by which something is refused or not run, as far as they are read somewhere else than they are made: in another
//! module, or at the other end of a line. The words are on the wire and in stores.

/// Another engine has a higher term.
pub const FENCED: &str = "fenced";
/// It was taken back before it ran.
pub const CANCELLED: &str = "cancelled";
/// A person says that it did not run.
pub const RESOLVED: &str = "resolved";
/// Of what was to be typed into a pane not one character was.
pub const NOT_TYPED: &str = "not-typed";
/// The agent is of another host than the one that is meant.
pub const OTHER_HOST: &str = "host";
/// There is no such pane, or not any more.
pub const UNKNOWN_PANE: &str = "unknown";
/// Its configuration, or that of its host, does not allow it.
pub const POLICY: &str = "policy";
/// As many panes are watched as may be.
pub const TOO_MANY: &str = "too-many";
/// tmux did not do it, or not all of it.
pub const TMUX: &str = "tmux";

/// Whether `rule` says that something may not be: `approval.expired` is a rule of `approval`.
#[must_use]
pub fn is_denial(rule: &str) -> bool {
    matches!(rule.split('.').next(), Some("approval" | "denied" | POLICY | "whitelist"))
}
