//! Work whose end somebody waits for: a panic in it is a failure like any other.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

/// Work that ended in a panic.
#[derive(Debug, thiserror::Error)]
#[error("it ended in a panic: a defect, its log line says more")]
pub(super) struct Panicked;

/// Waits for `work`: whoever waits for the end of what panicked would wait for ever.
pub(super) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_| Panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_failure_like_any_other() {
        let why = caught::<()>(async { panic!("a defect") }).await.expect_err("it panicked");
        assert!(why.to_string().contains("a panic"), "{why}");
        assert_eq!(caught(async { 7 }).await.ok(), Some(7));
    }
}
