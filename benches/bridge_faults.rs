//! Random faults between an engine and a host, many of them.
//!
//! `cargo bench --bench bridge_faults -- [RUNS] [FIRST-SEED]` plays as many runs (10,000), prints what struck and how
//! the jobs ended as a Markdown table, and fails with the seeds of those runs where something did not hold.
#![expect(
    clippy::expect_used,
    unreachable_pub,
    reason = "a benchmark ends where it fails, and the simulation is shared"
)]

#[path = "../tests/it/bridge_sim/mod.rs"]
mod bridge_sim;

use std::process::ExitCode;
use std::time::Instant;

use bridge_sim::{Kind, Matrix, Mutation, Point, simulate};

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let (count, first) = (numbers.next().unwrap_or(10_000), numbers.next().unwrap_or(0));
    let began = Instant::now();
    let mut matrix = Matrix::default();
    for seed in first..first + count {
        matrix.add(seed, simulate(seed, Mutation::None));
    }
    let (covered, all) = (matrix.covered(), Point::ALL.len() * Kind::ALL.len());
    println!("{matrix}\n{covered} of {all} places and faults, {:.1} s", began.elapsed().as_secs_f64());
    for what in &matrix.broken {
        println!("{what}");
    }
    if matrix.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
