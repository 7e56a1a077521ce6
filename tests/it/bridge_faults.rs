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

/// Whether some run shows what a broken rule leads to; the first that does is enough.
fn is_found_out(mutation: Mutation, by: &str) -> bool {
    (0..3_000).any(|seed| simulate(seed, mutation).broken.iter().any(|what| what.contains(by)))
}

#[test]
fn failover_without_asking_first_is_found_out() {
    assert!(is_found_out(Mutation::NaiveFailover, "ran more than once"));
}

#[test]
fn a_journal_that_lets_a_second_copy_in_is_found_out() {
    assert!(is_found_out(Mutation::ForgetfulJournal, "ran more than once"));
}

/// It takes a crash between sending and the word of the host, and an end that comes before that word: few runs have both.
#[test]
fn an_engine_that_forgets_what_it_has_sent_is_found_out() {
    assert!(is_found_out(Mutation::ForgetfulEngine, "is not run"));
}
