//! The tests of aurora as a whole: one binary, a module a subject.
//!
//! Servers bind 127.0.0.1 on free ports, live in temporary directories and end by their own pid. A test that
//! needs a part which may be missing is `#[ignore = "needs ..."]`; `tests/run` installs the part and runs it.

#![expect(clippy::expect_used, unreachable_pub, reason = "a test ends where it fails, and support is shared")]

mod support;

mod access;
mod agent;
mod agent_doors;
mod agent_tmux;
mod api;
mod approvals;
mod architecture;
mod attach;
mod audit;
mod batch;
mod beside_tmux;
mod bridge_faults;
mod bridge_sim;
mod bytes;
mod chaos;
mod commands;
mod corpus;
mod crash;
mod deliveries;
mod demo;
mod desk;
mod engines;
mod faults;
mod federation_sim;
mod flood;
mod frames;
mod golden;
mod golden_desk;
mod golden_health;
mod golden_nodes;
mod health;
mod hostile_http;
mod hostile_text;
mod jobs;
mod keys;
mod link;
mod mail;
mod mail_limits;
mod matrix;
mod members_sim;
mod moves;
mod newcomer;
mod nginx;
mod node;
mod nodes;
mod orders;
mod pane_streams;
mod pane_tmux;
mod panes;
mod persons;
mod probes;
mod prompt_tmux;
mod proxy;
mod pty;
mod reload;
mod resume;
mod roads;
mod rollouts;
mod schemathesis;
mod seeds;
mod signers;
mod sizes;
mod ssh;
mod sshd;
mod starting;
mod still;
mod themes;
mod tls;
mod tmux;
mod tour;
mod units;
mod updates;
mod vectors;
