#!/usr/bin/env python3
"""Live panes: how soon a byte is there, what twenty of them cost, what one costs a line.

    cargo build --release && benches/panes.py [--marks 200] [--rtt 40] [--seconds 20]

A real tmux with its own sockets, an agent of this machine, and one behind a proxy that delays every byte by half the
round trip. `near` and `far` are times from a write to the pane's terminal to a client of the engine that has it
(`benches/pane_latency.rs`); what a screen adds is the frame, at most 66 ms after the one before. The figures of the
screen are those of `aurora open` attached to the engine, in a terminal that answers no query. Everything lives in a
directory that is removed, and is stopped by its own pid. Prints a Markdown table.
"""

import argparse, json, os, shutil, signal, subprocess, sys, tempfile, time

from bridge import slow_proxy, write
from processes import port, wait_for
from terminal import Terminal, field, tasks

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
AURORA = os.environ.get("AURORA", os.path.abspath(os.path.join(ROOT, "target", "release", "aurora")))
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
FRAME = b"\x1b[?2026h"
TICKING = "i=0; while :; do i=$((i+1)); echo \"$i: compiling something that takes a while\"; sleep 0.25; done"


class Tmux:
    def __init__(self, directory, name):
        self.socket = f"aurora-bench-{os.getpid()}-{name}"
        self.environment = {**os.environ, "TMUX_TMPDIR": directory}

    def run(self, *arguments):
        command = ["tmux", "-L", self.socket, "-f", "/dev/null", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout.strip()

    def session(self, name, command, size=(120, 40)):
        self.run("new-session", "-d", "-s", name, "-x", str(size[0]), "-y", str(size[1]), command)
        return self.run("display", "-p", "-t", name, "#{pane_tty}")

    def close(self):
        # Its own server, by the pid it names itself.
        try:
            os.kill(int(self.run("display", "-p", "#{pid}")), signal.SIGTERM)
        except subprocess.CalledProcessError:
            pass


def processor(pid):
    """Processor seconds of a process and of its children."""
    own = sum(int(field(pid, task, "schedstat").split()[0]) for task in tasks(pid)) / 1e9
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return own + sum(processor(int(child)) for child in file.read().split())


def configure(directory, near, far, agent_port, proxy):
    write(f"{directory}/key", os.urandom(32).hex())
    for place in ("spool", "near", "far"):
        os.mkdir(f"{directory}/{place}", 0o700)
    write(f"{directory}/agent.toml",
          f'[agent]\nname = "far"\nlisten = "127.0.0.1:{agent_port}"\nspool = "{directory}/far/spool"\n'
          f'key = "file:{directory}/key"\npanes = "watch"\n')
    write(f"{directory}/engine.toml",
          f'[node]\nstate_dir = "{directory}/state"\n[listen]\ningress = "127.0.0.1:{port()}"\napi = "off"\n'
          f'[agent]\npanes = "watch"\n'
          f'[hosts.near]\nlayers = ["local"]\ntmux = {{ socket = "{near.socket}" }}\n'
          f'[hosts.far]\nlayers = ["socket"]\ntmux = {{ socket = "{far.socket}" }}\nsocket = {{ addr = "127.0.0.1:{proxy}", key = "file:{directory}/key" }}\n')


def latency(directory, pane, tty, marks):
    program = os.environ.get("PANE_LATENCY")
    command = [*([program] if program else ["cargo", "bench", "--bench", "pane_latency", "--"]), f"{directory}/state/aurora.sock", pane, tty, str(marks)]
    found = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(next(line for line in found.splitlines() if line.startswith("{")))


def listed(base, environment, *panes):
    for _ in range(100):
        found = subprocess.run([*base, "pane", "list"], env=environment, capture_output=True, text=True).stdout
        if all(f"{pane} " in found for pane in panes):
            return
        time.sleep(0.2)
    raise SystemExit(f"these panes are not all listed: {panes}\n{found}")


def screen(base, place, seconds, *, size=(120, 40), more=(), keys="", engine=None):
    """Bytes and frames a second of a screen that shows `place`, and the share of a core of it and of the engine."""
    terminal = Terminal([*base, *more, "open", place], size=size)
    terminal.settle(1, 5)
    for key in keys:
        terminal.keys(key)
        terminal.settle(0.5, 2)
    cost = lambda: (terminal.processor(), processor(engine) if engine else 0)
    began, before, bytes_before = time.monotonic(), cost(), terminal.bytes
    frames = terminal.read(seconds).count(FRAME)
    took, after = time.monotonic() - began, cost()
    shown = terminal.data
    result = ((terminal.bytes - bytes_before) / took, frames / took, *((b - a) / took for a, b in zip(before, after)))
    terminal.close()
    return result, shown


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--marks", type=int, default=200)
    parser.add_argument("--rtt", type=float, default=40, help="milliseconds of the slow line")
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="pan", dir="/tmp")
    near, far = Tmux(directory, "near"), Tmux(directory, "far")
    agent_port, proxy = port(), port()
    environment = {**near.environment}
    environment.pop("AURORA_STATE_DIR", None)
    configure(directory, near, far, agent_port, proxy)
    base = [AURORA, "--config", f"{directory}/engine.toml"]
    processes = []
    row = lambda figure, value, goal: print(f"| {figure} | {value} | {goal} |", flush=True)
    try:
        ttys = {"near": near.session("quiet", "exec cat >/dev/null"), "far": far.session("quiet", "exec cat >/dev/null")}
        processes.append(subprocess.Popen([AURORA, "--config", f"{directory}/agent.toml", "agent"], env=environment, **QUIET))
        wait_for(agent_port, processes[0])
        slow_proxy(proxy, agent_port, options.rtt / 2000)
        engine = subprocess.Popen([*base, "serve"], env=environment, **QUIET)
        processes.append(engine)
        # A command that finds no engine starts one of its own.
        while not os.path.exists(f"{directory}/state/aurora.sock") and engine.poll() is None:
            time.sleep(0.05)
        listed(base, environment, "near:0.0", "far:0.0")
        print("| figure | aurora | goal |\n|---|---|---|")
        for host, goal in (("near", "5 ms"), ("far", f"{options.rtt / 2 + 5:.0f} ms")):
            found = latency(directory, f"{host}:0.0", ttys[host], options.marks)
            row(f"{host}: a byte is with the client, p50 and p95", f"{found['p50']:.1f} and {found['p95']:.1f} ms", goal)
        near.session("ticks", TICKING)
        listed(base, environment, "near:ticks:0.0")
        for name, more, goal in (("live", (), 4200), ("lite", ("--lite",), 1000)):
            (seen, frames, own, _), _ = screen(base, "pane near:ticks:0.0", options.seconds, more=more)
            row(f"one pane that scrolls at 4 Hz, {name}: bytes a second at 120x40", f"{seen:,.0f}", f"{goal:,}")
        near.session("flood", "exec yes 'a line that is printed as fast as can be'")
        listed(base, environment, "near:flood:0.0")
        (seen, frames, own, _), _ = screen(base, "pane near:flood:0.0", options.seconds)
        row("a pane that is flooded: frames a second", f"{frames:.1f}", "15")
        near.run("kill-session", "-t", "flood")
        for number in range(19):
            near.session(f"p{number}", TICKING, size=(60, 18))
        listed(base, environment, *[f"near:p{number}:0.0" for number in range(19)])
        result, shown = screen(base, "bridge panes", options.seconds, size=(330, 110), keys="t", engine=engine.pid)
        row("20 live panes that each scroll at 4 Hz: share of a core, engine and agent", f"{result[3] * 100:.1f} %", "10 %")
        row("the same: share of a core, the screen at 330x110", f"{result[2] * 100:.1f} %", "")
        row("the same: frames a second", f"{result[1]:.1f}", "15")
        with open(os.environ.get("SHOWN", os.devnull), "wb") as file:
            file.write(bytes(shown))
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        near.close()
        far.close()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
