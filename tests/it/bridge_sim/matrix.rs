//! What many runs came to, as a table: where what struck, and how the jobs of those runs ended.

use std::collections::BTreeMap;
use std::fmt;

use aurora::model::Outcome;

use super::fault::{Kind, Point};
use super::world::Run;

#[derive(Default)]
struct Cell {
    done: u64,
    not_run: u64,
    unknown: u64,
}

/// The sums of many runs.
#[derive(Default)]
pub struct Matrix {
    cells: BTreeMap<(Point, Kind), Cell>,
    runs: u64,
    jobs: u64,
    /// What did not hold, with the seed.
    pub broken: Vec<String>,
}

impl Matrix {
    pub fn add(&mut self, seed: u64, run: Run) {
        self.runs += 1;
        self.jobs += run.ends.len() as u64;
        for struck in run.struck {
            let cell = self.cells.entry(struck).or_default();
            for end in &run.ends {
                match end {
                    Outcome::Done(_) => cell.done += 1,
                    Outcome::NotRun { .. } => cell.not_run += 1,
                    Outcome::Unknown { .. } => cell.unknown += 1,
                }
            }
        }
        self.broken.extend(run.broken.into_iter().map(|what| format!("seed {seed}: {what}")));
    }

    /// Places and kinds of faults that came up together.
    pub fn covered(&self) -> usize {
        self.cells.len()
    }
}

/// Markdown: a row a place, a column a fault; *done / not run / unknown* of the jobs of those runs.
impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} runs, {} jobs, {} broken\n", self.runs, self.jobs, self.broken.len())?;
        let heads: Vec<&str> = Kind::ALL.iter().map(|kind| kind.words()).collect();
        writeln!(f, "| struck | {} |", heads.join(" | "))?;
        writeln!(f, "|---|{}", "---|".repeat(heads.len()))?;
        for point in Point::ALL {
            write!(f, "| {} |", point.words())?;
            for kind in Kind::ALL {
                match self.cells.get(&(point, kind)) {
                    Some(cell) => write!(f, " {} / {} / {} |", cell.done, cell.not_run, cell.unknown)?,
                    None => write!(f, " |")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
