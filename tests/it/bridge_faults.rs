//! Random faults between an engine and a host: at most one start, and no report that contradicts what happened.

use crate::bridge_sim::{Kind, Matrix, Mutation, Point, simulate};

fn runs(seeds: std::ops::Range<u64>, mutation: Mutation) -> Matrix {
    let mut matrix = Matrix::default();
    for seed in seeds {
        matrix.add(seed, simulate(seed, mutation));
    }
    matrix
}

#[test]
fn three_hundred_runs_start_nothing_twice_and_report_nothing_wrong() {
    let matrix = runs(0..300, Mutation::None);
    assert!(matrix.broken.is_empty(), "{}", matrix.broken.join("\n"));
    assert!(matrix.covered() > Point::ALL.len() * Kind::ALL.len() * 3 / 4, "too few faults struck:\n{matrix}");
}

#[test]
fn failover_without_asking_first_is_found_out() {
    let broken = runs(0..300, Mutation::NaiveFailover).broken;
    assert!(broken.iter().any(|what| what.contains("ran more than once")), "{broken:?}");
}

#[test]
fn a_journal_that_lets_a_second_copy_in_is_found_out() {
    let broken = runs(0..300, Mutation::ForgetfulJournal).broken;
    assert!(broken.iter().any(|what| what.contains("ran more than once")), "{broken:?}");
}

#[test]
fn an_engine_that_forgets_what_it_has_sent_is_found_out() {
    let broken = runs(0..300, Mutation::ForgetfulEngine).broken;
    assert!(broken.iter().any(|what| what.contains("is not run")), "{broken:?}");
}
