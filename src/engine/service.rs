//! What a service manager is told, by the protocol of `sd_notify(3)`.

use sd_notify::NotifyState;

/// Something the service manager wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tell {
    /// The engine does its work, and this is how it goes.
    Ready(String),
    /// The configuration is read again.
    Reloading,
    /// That has ended, well or not.
    Reloaded,
    /// The engine stops.
    Stopping,
    /// How it goes, in one line without control characters.
    Status(String),
    /// It has advanced: the watchdog is fed.
    Alive,
}

/// Whether a service manager wants to be told: systemd does, under `Type=notify`.
#[must_use]
pub fn is_managed() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some_and(|path| !path.is_empty())
}

/// Tells the service manager, if there is one that wants to know.
pub async fn tell(what: Tell) {
    if !is_managed() {
        return;
    }
    // Sending waits while the manager's queue is full, so not where the engine works.
    let sent = tokio::task::spawn_blocking(move || sd_notify::notify(&states(&what)?)).await;
    if let Ok(Err(error)) = sent {
        tracing::warn!(%error, "failed to tell the service manager how things are");
    }
}

fn states(what: &Tell) -> std::io::Result<Vec<NotifyState<'_>>> {
    Ok(match what {
        Tell::Ready(status) => vec![NotifyState::Ready, NotifyState::Status(status)],
        // systemd 253 and newer wants the moment too, to tell this reload from the one before.
        Tell::Reloading => vec![NotifyState::Reloading, NotifyState::monotonic_usec_now()?],
        Tell::Reloaded => vec![NotifyState::Ready],
        Tell::Stopping => vec![NotifyState::Stopping],
        Tell::Status(status) => vec![NotifyState::Status(status)],
        Tell::Alive => vec![NotifyState::Watchdog],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_carries_its_moment() {
        let states = states(&Tell::Reloading).expect("a clock");
        let text: Vec<String> = states.iter().map(ToString::to_string).collect();
        assert_eq!(text[0], "RELOADING=1");
        let usec = text[1].strip_prefix("MONOTONIC_USEC=").expect("a moment");
        assert!(usec.parse::<u64>().is_ok_and(|usec| usec > 0));
    }
}
