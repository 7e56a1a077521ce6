//! Memory, processors and load of this machine.

use std::time::Duration;

use sysinfo::{MINIMUM_CPU_UPDATE_INTERVAL, System};

use crate::model::Value;

use super::Tools;
use super::disk::share;
use super::failure::Failure;
use super::record::Record;

/// How much memory is in use: what is not available to a program that wants more (`MemAvailable`).
pub(super) async fn memory(tools: &Tools, record: &mut Record) -> Result<(), Failure> {
    record.doing("reading memory");
    let (total, available, swap, swap_used) = tools
        .ask_system(|system| {
            system.refresh_memory();
            (system.total_memory(), system.available_memory(), system.total_swap(), system.used_swap())
        })
        .await?;
    if total == 0 {
        return Err(Failure::unknown("the system does not say how much memory it has"));
    }
    record.value("used", share(total.saturating_sub(available), total));
    record.value("available", Value::Bytes(available));
    record.value("size", Value::Bytes(total));
    record.value("swap_used", share(swap_used, swap));
    record.step(format!("{} of {} available", Value::Bytes(available), Value::Bytes(total)));
    Ok(())
}

/// How busy the processors are, and how many tasks want one.
pub(super) async fn load(tools: &Tools, record: &mut Record) -> Result<(), Failure> {
    record.doing("reading the load");
    // Business is measured between two readings; the first is from the look before, or from a moment ago.
    let first = tools
        .ask_system(|system| {
            let is_first = system.cpus().is_empty();
            system.refresh_cpu_usage();
            is_first
        })
        .await?;
    if first {
        tokio::time::sleep(MINIMUM_CPU_UPDATE_INTERVAL + Duration::from_millis(50)).await;
        tools.ask_system(System::refresh_cpu_usage).await?;
    }
    let (cpu, cores) = tools.ask_system(|system| (system.global_cpu_usage(), system.cpus().len())).await?;
    let cores = f64::from(u32::try_from(cores.max(1)).unwrap_or(u32::MAX));
    let load = System::load_average().map_err(|error| Failure::unknown(format!("load: {error}")))?;
    record.value("cpu", Value::Percent(f64::from(cpu)));
    record.value("cores", Value::Number(cores));
    for (name, value) in [("load1", load.one), ("load5", load.five), ("load15", load.fifteen)] {
        record.value(name, Value::Number(value));
        record.value(&format!("{name}_per_core"), Value::Number(value / cores));
    }
    record.step(format!("load {:.2} on {cores} cores, {cpu:.0} % busy", load.one));
    Ok(())
}
