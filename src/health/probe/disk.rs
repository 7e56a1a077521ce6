//! Space and inodes of a file system.

use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

use crate::model::Value;

use super::Tools;
use super::failure::Failure;
use super::record::Record;

/// Asks the file system that holds `path`.
pub(super) async fn look(path: &Path, tools: &Tools, record: &mut Record) -> Result<(), Failure> {
    record.doing("asking the file system");
    let answer = tools.ask_files(path, |path| statvfs(path)).await?;
    let found = answer.map_err(|error| Failure::io(&path.display().to_string(), &error.into()))?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    // As `df` counts: what only root may use is neither free nor used.
    let taken = found.f_blocks.saturating_sub(found.f_bfree);
    record.value("used", share(taken, taken.saturating_add(found.f_bavail)));
    record.value("free", Value::Bytes(free));
    record.value("size", Value::Bytes(found.f_blocks.saturating_mul(found.f_frsize)));
    // A file system that makes inodes as it needs them says that it has none; it never runs out of them.
    record.value("inodes_used", share(found.f_files.saturating_sub(found.f_ffree), found.f_files));
    record.value("read_only", Value::Bool(found.f_flag.contains(StatVfsMountFlags::RDONLY)));
    record.step(format!("{} has {} free", path.display(), Value::Bytes(free)));
    Ok(())
}

/// The share of `part` in `whole`; none of nothing.
pub(super) fn share(part: u64, whole: u64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "a percentage needs no more than 53 bits")]
    let percent = if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 };
    Value::Percent(percent)
}
