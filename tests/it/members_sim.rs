//! Who is there, on a made-up network: nobody that is there is called down, nobody that is gone is missed.

use aurora::federation::MemberEffect;
use aurora::model::NodeState;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::federation_sim::{Reaching, Setup, World};

/// A node that is gone is called down within this time, in milliseconds.
const SEEN_WITHIN: u64 = 15_000;

/// A kind of run. It leaves what must not be in the truth of the world.
type Run = fn(u64, &mut SmallRng) -> World;

const RUNS: [(&str, Run); 13] = [
    ("observers that rest", observers_rest),
    ("a rest soon after the start", early_rest),
    ("a death", a_death),
    ("two deaths at once", two_deaths),
    ("a restart", a_restart),
    ("a partition", a_partition),
    ("a bad line", a_bad_line),
    ("clocks that jump", clocks_jump),
    ("a liar and equal boot ids", a_liar),
    ("relays", relays),
    ("a node without an address", without_address),
    ("a farewell", a_farewell),
    ("all of it", all_of_it),
];

#[test]
fn a_thousand_runs_find_every_death_and_make_up_none() {
    let broken = in_two_halves(0..1_000, |seed| {
        let (name, run) = RUNS[usize::try_from(seed).expect("small") % RUNS.len()];
        let world = run(seed, &mut SmallRng::seed_from_u64(!seed));
        world.truth.broken.into_iter().map(move |what| format!("{name}: {what}")).collect()
    });
    assert!(broken.is_empty(), "{} of 1000 runs:\n{}", broken.len(), broken.join("\n"));
}

/// One in a hundred of these once was wrong: two sides that call at the same moment, and do not come apart.
#[test]
fn who_rests_is_called_down_in_none_of_another_thousand_runs() {
    let broken = in_two_halves(10_000..11_000, |seed| {
        let run = if seed % 4 < 2 { observers_rest } else { early_rest };
        run(seed, &mut SmallRng::seed_from_u64(!seed)).truth.broken
    });
    assert!(broken.is_empty(), "{} of 1000 runs:\n{}", broken.len(), broken.join("\n"));
}

/// What the runs above look for does happen where the numbers are wrong.
#[test]
fn rests_that_are_too_long_and_nodes_that_answer_no_probe_are_found_out() {
    let long = in_two_halves(0..20, |seed| {
        let mut world = World::new(seed, Setup::mesh(4));
        world.run(30_000);
        world.stop(1, 20_000);
        world.run(30_000);
        world.truth.broken
    });
    assert!(long.len() >= 20 && long.iter().all(|what| what.contains("which was there")), "{long:?}");
    let mute = in_two_halves(0..20, |seed| {
        let mut world = World::new(seed, Setup { mute: true, ..Setup::mesh(4) });
        world.run(30_000);
        die(&mut world, &[2]);
        world.truth.broken
    });
    assert!(mute.len() >= 20 && mute.iter().all(|what| what.contains("did not see")), "{mute:?}");
}

fn in_two_halves(seeds: std::ops::Range<u64>, run: impl Fn(u64) -> Vec<String> + Sync) -> Vec<String> {
    let half = |odd: u64| seeds.clone().filter(move |seed| seed % 2 == odd).flat_map(&run).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut broken = half(0);
        broken.extend(other.join().expect("it ends"));
        broken
    })
}

fn mesh(seed: u64, chance: &mut SmallRng, nodes: std::ops::RangeInclusive<usize>) -> World {
    let slowest = [2, 30, 200][chance.random_range(0..3)];
    let setup = Setup { delay: (1, slowest), refuses: chance.random(), ..Setup::mesh(chance.random_range(nodes)) };
    World::new(seed, setup)
}

/// All of these are gone at once, and everybody else has to see it in time.
fn die(world: &mut World, gone: &[usize]) {
    let at = world.now;
    for node in gone {
        world.kill(*node);
    }
    world.run(SEEN_WITHIN);
    for by in 0..world.nodes.len() {
        for of in gone.iter().filter(|_| world.nodes[by].runs) {
            let seen = world.truth.when(by, *of, NodeState::Down, at);
            let stands = world.sees(by, *of);
            world.truth.must(seen.is_some() && stands == NodeState::Down, || {
                format!("hub-{by} did not see within 15 s that hub-{of} is gone: {stands:?}")
            });
        }
    }
}

/// Everybody who is there sees everybody else who is as alive.
fn all_is_well(world: &mut World) {
    let there: Vec<usize> = (0..world.nodes.len()).filter(|node| world.nodes[*node].runs).collect();
    for by in &there {
        for of in &there {
            let stands = world.sees(*by, *of);
            let at = world.now;
            world.truth.must(stands == NodeState::Alive, || format!("at {at} hub-{by} sees hub-{of} as {stands:?}"));
        }
    }
}

fn never(world: &mut World, what: &str, wrong: impl Fn(&MemberEffect) -> bool) {
    let effects = std::mem::take(&mut world.truth.effects);
    for (by, effect) in effects.iter().filter(|(_, effect)| wrong(effect)) {
        world.truth.broke(&format!("hub-{by}: {what}: {effect:?}"));
    }
    world.truth.effects = effects;
}

/// One or two nodes stop for ten seconds every minute, each at its own time.
fn observers_rest(seed: u64, chance: &mut SmallRng) -> World {
    let mut world = mesh(seed, chance, 2..=5);
    let (first, second) = (chance.random_range(0..2), chance.random_bool(0.3) && world.nodes.len() > 3);
    world.run(chance.random_range(20_000..30_000));
    for _ in 0..2 {
        world.stop(first, 10_000);
        world.run(chance.random_range(0..20_000));
        if second {
            world.stop(2, 10_000);
        }
        world.run(40_000);
        all_is_well(&mut world);
    }
    world
}

/// A node stops for ten seconds while everybody has only just begun, at the same moment or one after the other.
fn early_rest(seed: u64, chance: &mut SmallRng) -> World {
    let mut world = mesh(seed, chance, 2..=5);
    if chance.random() {
        world.run(chance.random_range(0..10_000));
        let late = chance.random_range(0..world.nodes.len());
        world.kill(late);
        world.run(chance.random_range(0..2_000));
        world.start(late);
    }
    world.run(chance.random_range(0..20_000));
    world.stop(chance.random_range(0..2), 10_000);
    world.run(30_000);
    all_is_well(&mut world);
    world
}

fn a_death(seed: u64, chance: &mut SmallRng) -> World {
    let mut world = mesh(seed, chance, 2..=6);
    world.run(chance.random_range(2_000..60_000));
    all_is_well(&mut world);
    let gone = chance.random_range(0..world.nodes.len());
    die(&mut world, &[gone]);
    all_is_well(&mut world);
    world.run(chance.random_range(0..30_000));
    world.start(gone);
    world.run(6_000);
    all_is_well(&mut world);
    world
}

fn two_deaths(seed: u64, chance: &mut SmallRng) -> World {
    let mut world = mesh(seed, chance, 5..=7);
    world.run(chance.random_range(20_000..60_000));
    let first = chance.random_range(0..world.nodes.len());
    let second = (first + chance.random_range(1..world.nodes.len())) % world.nodes.len();
    die(&mut world, &[first, second]);
    all_is_well(&mut world);
    world
}

/// A process that is back soon was never down, and everybody knows that it is another one.
fn a_restart(seed: u64, chance: &mut SmallRng) -> World {
    let mut world = mesh(seed, chance, 2..=5);
    world.run(chance.random_range(20_000..40_000));
    let node = chance.random_range(0..world.nodes.len());
    world.kill(node);
    world.run(chance.random_range(0..8_000));
    world.start(node);
    world.run(8_000);
    all_is_well(&mut world);
    let restarts = world.truth.effects.iter().filter(|(_, effect)| matches!(effect, MemberEffect::Restarted { .. }));
    let (count, others) = (restarts.count(), world.nodes.len() - 1);
    world.truth.must(count == others, || format!("{count} of {others} noticed the restart"));
    let down = world.truth.changes.iter().any(|change| change.to == NodeState::Down);
    world.truth.must(!down, || "a restart was taken for an outage".to_owned());
    world
}

/// Both sides go on: within each all are alive; beyond nobody is, or oneself is cut off. Then it heals.
fn a_partition(seed: u64, chance: &mut SmallRng) -> World {
    let mut world = mesh(seed, chance, 3..=6);
    world.run(chance.random_range(20_000..40_000));
    let mut parts: Vec<usize> = world.nodes.iter().map(|_| chance.random_range(0..2)).collect();
    (parts[0], parts[1]) = (0, 1);
    world.cut(&parts);
    world.run(chance.random_range(40_000..60_000));
    for by in 0..parts.len() {
        let alone = parts.iter().filter(|part| **part == parts[by]).count() == 1;
        for of in 0..parts.len() {
            let expected = match (parts[by] == parts[of], alone) {
                (_, true) => NodeState::IsolatedSelf,
                (true, false) => NodeState::Alive,
                (false, false) => NodeState::Down,
            };
            let stands = world.sees(by, of);
            world.truth.must(stands == expected, || format!("{parts:?}: hub-{by} sees hub-{of} as {stands:?}"));
        }
    }
    world.cut(&vec![0; parts.len()]);
    world.run(7_000);
    all_is_well(&mut world);
    world
}

/// Letters are lost and late, and nobody is down.
fn a_bad_line(seed: u64, chance: &mut SmallRng) -> World {
    let setup =
        Setup { delay: (20, 600), loss: chance.random_range(30..=120), ..Setup::mesh(chance.random_range(2..=5)) };
    let mut world = World::new(seed, setup);
    world.run(100_000);
    world
}

/// Clocks are put by up to a day. Nobody is late because of it, and the difference is measured.
fn clocks_jump(seed: u64, chance: &mut SmallRng) -> World {
    let mut world = mesh(seed, chance, 2..=4);
    let node = chance.random_range(0..world.nodes.len());
    world.run(chance.random_range(10_000..30_000));
    let jump = chance.random_range(5_000..86_400_000) * if chance.random() { 1 } else { -1 };
    world.put_clock(node, jump);
    world.run(45_000);
    all_is_well(&mut world);
    for by in (0..world.nodes.len()).filter(|by| *by != node) {
        let (name, ahead) = (world.nodes[node].name.clone(), world.nodes[node].ahead - world.nodes[by].ahead);
        let measured = world.truth.effects.iter().any(|(said_by, effect)| {
            matches!(effect, MemberEffect::Skewed { node, ms, .. }
                if *said_by == by && *node == name && (ms - ahead).abs() <= 200)
        });
        world.truth.must(measured, || format!("hub-{by} did not see that hub-{node} is {ahead} ms ahead"));
    }
    let own = world.truth.effects.iter().filter(|(_, effect)| matches!(effect, MemberEffect::ClockMoved { .. }));
    let own: Vec<usize> = own.map(|(by, _)| *by).collect();
    world.truth.must(own == [node], || format!("the clock of hub-{node} was put, and {own:?} said so"));
    world
}

/// One node says of all others that they are down, with incarnations of its own making, and all have one boot id.
fn a_liar(seed: u64, chance: &mut SmallRng) -> World {
    let setup = Setup { equal_boots: true, ..Setup::mesh(chance.random_range(3..=5)) };
    let mut world = World::new(seed, setup);
    world.nodes[0].lies = true;
    world.run(60_000);
    all_is_well(&mut world);
    never(&mut world, "equal boot ids are no restart", |effect| matches!(effect, MemberEffect::Restarted { .. }));
    let doubted = world.truth.changes.iter().any(|change| matches!(change.to, NodeState::Suspect | NodeState::Down));
    world.truth.must(!doubted, || "a lie was believed".to_owned());
    for node in 1..world.nodes.len() {
        let name = world.nodes[0].name.clone();
        let now = world.now;
        let incarnation = world.nodes[node].beat(&name, now).incarnation;
        world.truth.must(incarnation < now / 1_000, || format!("hub-{node} was led to incarnation {incarnation}"));
    }
    let gone = world.nodes.len() - 1;
    if gone > 2 {
        world.run(chance.random_range(0..5_000));
        die(&mut world, &[gone]);
    }
    world
}

/// Nodes that hear of each other over relays only.
fn relays(seed: u64, chance: &mut SmallRng) -> World {
    let nodes = chance.random_range(4..=6);
    let setup = Setup { reaching: Reaching::Star(2), ..Setup::mesh(nodes) };
    let mut world = World::new(seed, setup);
    world.run(chance.random_range(20_000..40_000));
    all_is_well(&mut world);
    // One relay dies, and the other one still tells.
    let relay = chance.random_range(0..2);
    die(&mut world, &[relay]);
    world.run(5_000);
    all_is_well(&mut world);
    // A node far out dies: the relay sees it, and tells.
    let at = world.now;
    world.kill(nodes - 1);
    world.run(SEEN_WITHIN);
    for by in (0..nodes - 1).filter(|by| *by != relay) {
        let seen = world.truth.when(by, nodes - 1, NodeState::Down, at);
        world
            .truth
            .must(seen.is_some(), || format!("hub-{by} did not hear within 15 s that a node behind a relay is down"));
    }
    // It comes back, and is back at once for those that hear it over the relay, too.
    let at = world.now;
    world.start(nodes - 1);
    world.run(2_500);
    for by in (0..nodes - 1).filter(|by| *by != relay) {
        let stands = world.sees(by, nodes - 1);
        world.truth.must(stands == NodeState::Alive, || {
            format!("at {at} a node behind a relay was back, and hub-{by} sees it as {stands:?}")
        });
    }
    // Without a relay nobody knows how the others stand.
    world.kill(1 - relay);
    world.run(40_000);
    let stands = world.sees(2, 3);
    let known = matches!(stands, NodeState::Alive | NodeState::Down) && nodes > 4;
    world.truth.must(!known, || format!("without a relay hub-3 is seen as {stands:?}"));
    world
}

/// A node that nobody can call rests, and dies.
fn without_address(seed: u64, chance: &mut SmallRng) -> World {
    let nodes = chance.random_range(2..=5);
    let setup = Setup { reaching: Reaching::OneInbound, ..Setup::mesh(nodes) };
    let mut world = World::new(seed, setup);
    world.run(chance.random_range(40_000..60_000));
    world.stop(nodes - 1, 10_000);
    world.run(30_000);
    all_is_well(&mut world);
    die(&mut world, &[nodes - 1]);
    world
}

/// A node says that it goes: it is not missed, and it may come back.
fn a_farewell(seed: u64, chance: &mut SmallRng) -> World {
    let mut world = mesh(seed, chance, 2..=5);
    world.run(chance.random_range(10_000..40_000));
    let node = chance.random_range(0..world.nodes.len());
    world.leave(node);
    world.run(40_000);
    for by in (0..world.nodes.len()).filter(|by| *by != node) {
        let stands = world.sees(by, node);
        world.truth.must(stands == NodeState::Left, || format!("hub-{by} sees who left as {stands:?}"));
    }
    world.start(node);
    world.run(6_000);
    all_is_well(&mut world);
    world
}

/// Deaths, rests, cuts and jumps in any order; afterwards all is well again.
fn all_of_it(seed: u64, chance: &mut SmallRng) -> World {
    let mut world = mesh(seed, chance, 3..=6);
    let nodes = world.nodes.len();
    world.run(20_000);
    for _ in 0..6 {
        let node = chance.random_range(0..nodes);
        match chance.random_range(0..5) {
            0 if world.nodes[node].runs => world.kill(node),
            1 if world.nodes[node].listens() => world.stop(node, chance.random_range(100..10_000)),
            2 => {
                let parts: Vec<usize> = (0..nodes).map(|_| chance.random_range(0..2)).collect();
                world.cut(&parts);
            }
            3 => world.cut(&vec![0; nodes]),
            _ if !world.nodes[node].runs => world.start(node),
            _ => world.put_clock(node, chance.random_range(-3_600_000..3_600_000)),
        }
        world.run(chance.random_range(500..20_000));
    }
    world.cut(&vec![0; nodes]);
    for node in 0..nodes {
        if !world.nodes[node].runs {
            world.start(node);
        }
    }
    world.run(30_000);
    all_is_well(&mut world);
    world
}
