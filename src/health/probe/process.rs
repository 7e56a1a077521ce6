//! Processes of this machine.

use std::collections::HashMap;
use std::path::Path;
use std::sync::PoisonError;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use crate::model::{ProcessTarget, Value};

use super::Tools;
use super::failure::Failure;
use super::record::Record;

/// Bytes of a file with a number in it.
const PID_FILE_MAX: u64 = 64;
/// A process may seem to begin this much after it wrote its file: start times are counted in seconds.
const SLACK: Duration = Duration::from_secs(2);

/// The processors' time that processes had used when they were last looked at, by target, number and start.
///
/// Kept here because a system that others refresh too compares times of different moments.
#[derive(Debug, Default)]
pub(super) struct CpuTimes(HashMap<ProcessTarget, (Instant, Times)>);

/// By number and start.
type Times = HashMap<(Pid, u64), Duration>;

impl CpuTimes {
    /// Percent of one processor that processes of `target` used together since the last look; one that was not there
    /// then does not count. `None`: none of them was.
    fn share(&mut self, target: &ProcessTarget, times: Vec<((Pid, u64), Duration)>, now: Instant) -> Option<f64> {
        let times: Times = times.into_iter().collect();
        let (since, before) = self.0.insert(target.clone(), (now, times.clone()))?;
        let passed = now.saturating_duration_since(since);
        let used = times.iter().filter_map(|(process, time)| Some(time.saturating_sub(*before.get(process)?)));
        let used: Vec<Duration> = used.collect();
        let known = !used.is_empty() && !passed.is_zero();
        known.then(|| used.iter().sum::<Duration>().as_secs_f64() / passed.as_secs_f64() * 100.0)
    }
}

/// What is known of the processes that were found.
struct Found {
    count: u32,
    times: Vec<((Pid, u64), Duration)>,
    memory: u64,
    /// Of the one that runs for the shortest time.
    uptime: Option<u64>,
}

/// Time between the two readings that make a share when there is no look to compare with.
const APART: Duration = Duration::from_millis(250);

/// Counts the processes and what they use together.
pub(super) async fn look(target: &ProcessTarget, tools: &Tools, record: &mut Record) -> Result<(), Failure> {
    record.doing("reading the list of processes");
    let mut found = find(target, tools).await?;
    let mut cpu = found.share(target, tools);
    if cpu.is_none() && found.count > 0 {
        record.doing("measuring what the processes use");
        tokio::time::sleep(APART).await;
        found = find(target, tools).await?;
        cpu = found.share(target, tools);
    }
    record.value("count", Value::Number(f64::from(found.count)));
    if let Some(uptime) = found.uptime {
        // They may all have been started again meanwhile.
        if let Some(cpu) = cpu {
            record.value("cpu", Value::Percent(cpu));
        }
        record.value("memory", Value::Bytes(found.memory));
        record.value("uptime", Value::Duration(Duration::from_secs(uptime)));
    }
    record.step(format!("{} processes, {} in memory", found.count, Value::Bytes(found.memory)));
    Ok(())
}

async fn find(target: &ProcessTarget, tools: &Tools) -> Result<Found, Failure> {
    let wanted = target.clone();
    match target {
        ProcessTarget::Name(_) => tools.ask_system(move |system| by_name(system, &wanted)).await?,
        ProcessTarget::PidFile(path) => match tools.ask_files(path, read_number).await?? {
            Some((pid, written)) => tools.ask_system(move |system| by_number(system, pid, written)).await?,
            None => Ok(Found::none()),
        },
    }
}

impl Found {
    fn none() -> Self {
        Self { count: 0, times: Vec::new(), memory: 0, uptime: None }
    }

    /// Percent of one processor since the last reading.
    fn share(&mut self, target: &ProcessTarget, tools: &Tools) -> Option<f64> {
        let times = std::mem::take(&mut self.times);
        tools.cpu_times.lock().unwrap_or_else(PoisonError::into_inner).share(target, times, Instant::now())
    }

    fn of<'a>(processes: impl Iterator<Item = &'a Process>) -> Self {
        let mut found = Self::none();
        for process in processes {
            found.count += 1;
            let time = Duration::from_millis(process.accumulated_cpu_time());
            found.times.push(((process.pid(), process.start_time()), time));
            found.memory = found.memory.saturating_add(process.memory());
            found.uptime = Some(found.uptime.map_or(process.run_time(), |least| least.min(process.run_time())));
        }
        found
    }
}

fn what() -> ProcessRefreshKind {
    ProcessRefreshKind::nothing().with_memory().with_cpu().with_cmd(UpdateKind::OnlyIfNotSet).without_tasks()
}

fn by_name(system: &mut System, target: &ProcessTarget) -> Result<Found, Failure> {
    let ProcessTarget::Name(name) = target else { return Ok(Found::none()) };
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what());
    let found = Found::of(system.processes().values().filter(|process| is_called(process, name)));
    // Where /proc hides the processes of others (`hidepid`), not to see one says nothing.
    if found.count == 0 && system.process(Pid::from_u32(1)).is_none() {
        return Err(Failure::unknown("this system hides the processes of others"));
    }
    Ok(found)
}

/// By what the kernel calls it, which is at most fifteen bytes, or by the last part of what it was started as.
fn is_called(process: &Process, name: &str) -> bool {
    let started_as = process.cmd().first().and_then(|first| Path::new(first).file_name());
    // Some write their title over it: `nginx: master process`.
    let title = started_as.and_then(|file| file.to_str()).map(|file| file.split(':').next().unwrap_or(file));
    process.name() == name || title == Some(name)
}

fn by_number(system: &mut System, pid: Pid, written: SystemTime) -> Result<Found, Failure> {
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what());
    let Some(process) = system.process(pid) else { return Ok(Found::none()) };
    let started = UNIX_EPOCH + Duration::from_secs(process.start_time());
    if started > written + SLACK {
        let name = process.name().to_string_lossy().into_owned();
        return Err(Failure::critical(format!(
            "the number in the file is that of another process now: {pid} is {name}, which began after the file was written"
        )));
    }
    Ok(Found::of(std::iter::once(process)))
}

/// The number in a file and when it was written; `None` when there is no file.
fn read_number(path: &Path) -> Result<Option<(Pid, SystemTime)>, Failure> {
    use std::io::Read;
    let doing = path.display().to_string();
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io(&doing, &error)),
    };
    let written = file.metadata().and_then(|about| about.modified()).map_err(|error| Failure::io(&doing, &error))?;
    let mut text = String::new();
    file.take(PID_FILE_MAX).read_to_string(&mut text).map_err(|error| Failure::io(&doing, &error))?;
    let number = text.trim().parse::<u32>().ok().filter(|number| *number > 0);
    let number = number.ok_or_else(|| Failure::critical(format!("{doing} holds no process number")))?;
    Ok(Some((Pid::from_u32(number), written)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_that_of_the_time_between_two_looks_whoever_else_looked() {
        let (web, db) = (ProcessTarget::Name("web".into()), ProcessTarget::Name("db".into()));
        let (began, mut times) = (Instant::now(), CpuTimes::default());
        let at = |seconds| began + Duration::from_secs(seconds);
        let used = |pid, start, ms| ((Pid::from_u32(pid), start), Duration::from_millis(ms));
        assert_eq!(times.share(&web, vec![used(1, 5, 60_000)], at(0)), None, "there is nothing to compare with");
        assert_eq!(times.share(&db, vec![used(1, 5, 63_900)], at(9)), None);
        assert_eq!(times.share(&web, vec![used(1, 5, 64_000), used(2, 8, 900)], at(10)), Some(40.0));
        assert_eq!(times.share(&web, vec![used(1, 5, 64_000), used(2, 8, 15_900)], at(20)), Some(150.0));
        assert_eq!(times.share(&web, vec![used(1, 25, 100)], at(30)), None, "the number is another process's now");
    }
}
