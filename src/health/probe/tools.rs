//! What looks share, so that each costs little.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sysinfo::System;
use tokio::sync::Semaphore;

use crate::net::{ProbeTls, probe_tls};

use super::failure::Failure;
use super::lookup::Lookups;
use super::process::CpuTimes;

/// How long trusted roots are kept before they are read again.
const ROOTS_AGE: Duration = Duration::from_hours(1);

type Roots = HashMap<Vec<PathBuf>, (Instant, Arc<ProbeTls>)>;

/// What looks share: trusted roots, the limit of lookups, what was last seen of this machine. One for all checks.
#[derive(Debug, Default)]
pub struct Tools {
    roots: tokio::sync::Mutex<Roots>,
    pub(super) lookups: Lookups,
    system: Arc<Mutex<Option<System>>>,
    pub(super) cpu_times: Mutex<CpuTimes>,
    /// One question at a time for each path.
    files: Mutex<HashMap<PathBuf, Arc<Semaphore>>>,
}

impl Tools {
    /// TLS that trusts the platform's roots and those in `extra` PEM files. They are read again after an hour.
    pub(super) async fn tls(&self, extra: &[PathBuf]) -> Result<Arc<ProbeTls>, Failure> {
        let mut roots = self.roots.lock().await;
        if let Some((since, tls)) = roots.get(extra)
            && since.elapsed() < ROOTS_AGE
        {
            return Ok(Arc::clone(tls));
        }
        let files = extra.to_vec();
        // Reading some hundred roots takes long enough to be in the way of others.
        let built = blocking(move || probe_tls(&files)).await?;
        let tls = Arc::new(built.map_err(|error| Failure::unknown(format!("trusted roots: {error}")))?);
        roots.insert(extra.to_vec(), (Instant::now(), Arc::clone(&tls)));
        Ok(tls)
    }

    /// Asks about this machine, beside the runtime.
    pub(super) async fn ask_system<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut System) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let system = Arc::clone(&self.system);
        blocking(move || {
            let mut system = system.lock().unwrap_or_else(PoisonError::into_inner);
            let system = match &mut *system {
                Some(system) => system,
                none => {
                    let new = System::new().map_err(|error| Failure::unknown(format!("this machine: {error}")))?;
                    none.insert(new)
                }
            };
            Ok(ask(system))
        })
        .await?
    }

    /// Asks the file system at `path`, beside the runtime.
    ///
    /// A network file system whose server is gone blocks whoever asks, for ever. One thread for each path is enough to
    /// wait for it; whoever comes later waits here, until its time runs out.
    pub(super) async fn ask_files<T: Send + 'static>(
        &self,
        path: &Path,
        ask: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(files.entry(path.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(1))))
        };
        let permit = turn.acquire_owned().await;
        let path = path.to_owned();
        blocking(move || {
            let _permit = permit;
            ask(&path)
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    // It fails only when the work panicked or the runtime ends.
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::unknown(format!("the look broke off: {error}")))
}
