//! What it costs that nodes know of each other, and how soon they notice that one is gone, on a made-up network.
//!
//! `cargo bench --bench federation_sim -- [NODES...]` plays meshes of 2, 5, 15 and 50 nodes and, from 15 on, stars with two
//! relays, the last one of 200, in virtual time with delays of 1 to 20 ms. For each it prints one line of JSON: what a node sends each second
//! while nothing happens (letters are requests and answers; bytes are their JSON, without the heads of HTTP), and in how
//! many seconds each other node calls one down that was killed: the middle, the 99th of 100, and the longest. In a star the
//! nodes far out hear it from a relay.
#![expect(
    clippy::expect_used,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    unreachable_pub,
    dead_code,
    reason = "a benchmark prints figures, and the simulation is shared"
)]

#[path = "../tests/it/federation_sim/mod.rs"]
mod federation_sim;

use std::time::Instant;

use aurora::model::NodeState;
use federation_sim::{Reaching, Setup, World};

/// Milliseconds until everybody knows everybody and heartbeats lie where they belong, and in which it is counted: one
/// in which each node tells the other of all nodes once.
const SETTLED: u64 = 60_000;
const COUNTED: u64 = 60_000;
/// Milliseconds from a death to the next.
const BETWEEN: (u64, u64) = (20_000, 10_000);

fn main() {
    let wanted: Vec<usize> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let wanted = if wanted.is_empty() { vec![2, 5, 15, 50, 200] } else { wanted };
    for nodes in wanted {
        // A mesh grows with its square: one of 200 would take hours to play, and nobody would run it.
        if nodes <= 50 {
            measure(nodes, Reaching::Mesh);
        }
        if nodes >= 15 {
            measure(nodes, Reaching::Star(2));
        }
    }
}

fn measure(nodes: usize, reaching: Reaching) {
    let began = Instant::now();
    let mut world = World::new(nodes as u64, Setup { reaching, weighed: true, ..Setup::mesh(nodes) });
    world.run(SETTLED);
    let before = (world.letters, world.bytes);
    world.run(COUNTED);
    let each_second = (nodes as u64 * COUNTED / 1_000) as f64;
    let letters = (world.letters - before.0) as f64 / each_second;
    let bytes = (world.bytes - before.1) as f64 / each_second;
    let mut seen = deaths(&mut world, if nodes > 50 { 5 } else { 50 });
    seen.sort_unstable();
    let at = |share: usize| seen.get((seen.len() * share).div_ceil(100).max(1) - 1).copied().unwrap_or(0) as f64 / 1e3;
    let shape = if reaching == Reaching::Mesh { "mesh" } else { "star" };
    println!(
        r#"{{"nodes":{nodes},"shape":"{shape}","letters_per_second":{letters:.2},"bytes_per_second":{bytes:.0},"deaths_seen":{},"seen_p50":{:.1},"seen_p99":{:.1},"seen_max":{:.1},"false_downs":{},"real_seconds":{:.1}}}"#,
        seen.len(),
        at(50),
        at(99),
        at(100),
        world.truth.broken.len(),
        began.elapsed().as_secs_f64()
    );
}

/// Kills one after the other, and brings each back. Answers after how many milliseconds each of the others called it down.
fn deaths(world: &mut World, count: usize) -> Vec<u64> {
    let mut seen = Vec::new();
    let relays = if world.nodes.len() > 2 { 2 } else { 0 };
    for round in 0..count {
        // A node that is no relay, and never twice at the same place of its rhythm.
        let node = relays + round * 7 % (world.nodes.len() - relays);
        world.run(137 * round as u64 % 5_000);
        let at = world.now;
        world.kill(node);
        world.run(BETWEEN.0);
        let others = (0..world.nodes.len()).filter(|by| *by != node);
        seen.extend(others.filter_map(|by| world.truth.when(by, node, NodeState::Down, at)).map(|when| when - at));
        world.start(node);
        world.run(BETWEEN.1);
        world.truth.changes.clear();
        world.truth.effects.clear();
    }
    seen
}
