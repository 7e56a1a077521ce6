#!/usr/bin/env python3
"""Durable ingest beside its anchors, in one run.

    cargo build --release
    ANCHOR_DURABLE=PATH/TO/durable NODE_RED=PATH/TO/red.js benches/ingest.py [--runs 3] [--seconds 4] [--connections 64]

Needs wrk; Debian's `webhook`, node-red and the anchor are left out with a word when they are not there. The anchor is
a program that checks an HMAC, dedupes and commits in groups to SQLite, and nothing else; it is started as
`durable PORT DB full 256 0 0 1 1 2`. node-red answers without checking or keeping anything. Everything listens on 127.0.0.1 and is stopped by its own pid. Prints a
Markdown table of medians and of ratios to the anchor. Quote the ratios: they hold where single figures drift.
"""

import argparse, json, os, shutil, signal, statistics, subprocess, sys, tempfile, time

import deliveries
from processes import peak, port, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
AURORA = os.environ.get("AURORA", os.path.join(HERE, "..", "target", "release", "aurora"))
TICKS = os.sysconf("SC_CLK_TCK")


def aurora(directory, number, provider="github", batch=256, extra=()):
    config = os.path.join(directory, "config.toml")
    secret = os.path.join(directory, "secret")
    with open(secret, "wb") as file:
        file.write(deliveries.SECRET)
    os.chmod(secret, 0o600)
    with open(config, "w") as file:
        file.write(f'[listen]\ningress = "127.0.0.1:{number}"\napi = "off"\n[store]\ncommit_batch = {batch}\n')
        file.write(f'[channels.hub]\nprovider = "{provider}"\npath = "/hook"\nsecrets = ["file:{secret}"]\n')
    return [AURORA, "--config", config, "--state-dir", os.path.join(directory, "state"), "serve", *extra]


def webhook(directory, number):
    rule = {"match": {"type": "payload-hmac-sha256", "secret": deliveries.SECRET.decode(),
                      "parameter": {"source": "header", "name": "X-Hub-Signature-256"}}}
    hooks = os.path.join(directory, "hooks.json")
    with open(hooks, "w") as file:
        json.dump([{"id": "hook", "execute-command": "/bin/true", "include-command-output-in-response": True,
                    "trigger-rule": rule}], file)
    return ["webhook", "-ip", "127.0.0.1", "-port", str(number), "-hooks", hooks, "-urlprefix", ""]


def node_red(directory, number):
    settings = os.path.join(directory, "settings.js")
    with open(settings, "w") as file:
        file.write(f"module.exports={{uiHost:'127.0.0.1',uiPort:{number},httpAdminRoot:false,flowFile:'flows.json',"
                   "logging:{console:{level:'fatal'}},credentialSecret:false,externalModules:{autoInstall:false}}")
    with open(os.path.join(directory, "flows.json"), "w") as file:
        json.dump([{"id": "t", "type": "tab", "label": "t"},
                   {"id": "a", "z": "t", "type": "http in", "url": "/hook", "method": "post", "wires": [["b"]]},
                   {"id": "b", "z": "t", "type": "change", "wires": [["c"]],
                    "rules": [{"t": "set", "p": "payload", "pt": "msg", "to": "ok", "tot": "str"}]},
                   {"id": "c", "z": "t", "type": "http response", "statusCode": "200", "wires": []}], file)
    return ["node", os.environ["NODE_RED"], "-u", directory, "-s", settings]


def targets():
    """name -> (command of (directory, port), whose deliveries it gets)"""
    known = {}
    durable = os.environ.get("ANCHOR_DURABLE")
    if durable:
        anchor = lambda d, p: [durable, str(p), f"{d}/anchor.db", "full", "256", "0", "0", "1", "1", "2"]
        known["durable anchor"] = (anchor, "github")
    else:
        print("left out: the anchor (ANCHOR_DURABLE is not set)", file=sys.stderr)
    known["aurora, ingest alone"] = (lambda d, p: aurora(d, p, extra=["--ingest-only"]), "github")
    known["aurora, projection and search on"] = (aurora, "github")
    for provider in deliveries.PROVIDERS:
        if provider != "github":
            known[f"aurora, {provider}"] = (lambda d, p, provider=provider: aurora(d, p, provider), provider)
    known["aurora, one commit a request"] = (lambda d, p: aurora(d, p, batch=1, extra=["--ingest-only"]), "github")
    if shutil.which("webhook"):
        known["webhook, waiting for /bin/true"] = (webhook, "github")
    else:
        print("left out: webhook (not installed)", file=sys.stderr)
    if os.environ.get("NODE_RED"):
        known["node-red, nothing checked or kept"] = (node_red, "github")
    else:
        print("left out: node-red (NODE_RED is not set)", file=sys.stderr)
    return known


def family(pid):
    """pid and its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry))
            except OSError:
                pass
    found, pending = [], [pid]
    while pending:
        pid = pending.pop()
        found.append(pid)
        pending += children.get(pid, [])
    return found


def cpu(pid):
    """CPU seconds of a family, children that have ended included."""
    total = 0
    for member in family(pid):
        try:
            with open(f"/proc/{member}/stat") as file:
                total += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:15]))
        except OSError:
            pass
    return total / TICKS


def caught_up(command, word):
    """Seconds until every event has its message and every message is in the index."""
    base = command[: command.index("serve")]
    started = time.time()
    while time.time() - started < 60:
        events = int(subprocess.check_output([*base, "events", "count"]))
        messages = int(subprocess.check_output([*base, "inbox", "count"]))
        newest = json.loads(subprocess.check_output([*base, "inbox", "search", word, "--limit", "1", "--json"]))
        top = json.loads(subprocess.check_output([*base, "inbox", "list", "--limit", "1", "--json"]))
        if events == messages and newest and top and newest[0]["id"] == top[0]["id"]:
            return time.time() - started, events
        time.sleep(0.1)
    raise SystemExit("projection or search did not catch up within a minute")


def measure(make, provider, bodies, number, options, directory, first):
    command = make(directory, number)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(number, process)
        time.sleep(0.3)
        before = cpu(process.pid)
        environment = dict(os.environ, BODIES=bodies, FIRST=str(first))
        output = subprocess.run(
            ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "--timeout", "10s", "-s",
             os.path.join(HERE, "post.lua"), f"http://127.0.0.1:{number}/hook"],
            env=environment, capture_output=True, text=True, check=True).stdout
        used = cpu(process.pid) - before
        requests, duration, p50, p99, errors = map(int, next(
            line for line in output.splitlines() if line.startswith("RESULT")).split()[1:])
        lag = caught_up(command, "issues" if provider == "github" else "gate") if "serve" in command and "--ingest-only" not in command else None
        return {"rps": requests / (duration / 1e6), "p50": p50 / 1000, "p99": p99 / 1000, "errors": errors,
                "cpu": used * 1e6 / max(requests, 1), "memory": peak(process.pid), "lag": lag}
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--only", help="only targets whose name holds this")
    options = parser.parse_args()
    known = {name: target for name, target in targets().items() if not options.only or options.only in name}
    with tempfile.TemporaryDirectory() as scratch:
        made = {}
        for provider in {provider for _, provider in known.values()}:
            # The port is part of what Twilio signs, so it is the same in every run.
            made[provider] = (os.path.join(scratch, provider), port())
            os.mkdir(made[provider][0])
            deliveries.write(provider, *made[provider])
        results = {name: [] for name in known}
        first = 0
        for run in range(options.runs):
            # In turn, so that noise of the machine hits all alike.
            for name, (make, provider) in known.items():
                with tempfile.TemporaryDirectory() as directory:
                    result = measure(make, provider, *made[provider], options, directory, first)
                first = (first + 130_000) % deliveries.COUNT
                results[name].append(result)
                print(f"run {run + 1}: {name}: {result}", file=sys.stderr)
    median = lambda name, key: statistics.median(result[key] for result in results[name])
    base = next(iter(known))
    print(f"\n{options.connections} connections, 1 KiB, HMAC checked, {options.runs} runs of {options.seconds} s, medians\n")
    print("| | requests/s | ratio | p50 ms | p99 ms | CPU us/request | ratio | peak MB | not 2xx |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in known:
        print(f"| {name} | {median(name, 'rps'):,.0f} | {median(name, 'rps') / median(base, 'rps'):.2f} "
              f"| {median(name, 'p50'):.2f} | {median(name, 'p99'):.1f} | {median(name, 'cpu'):.1f} "
              f"| {median(name, 'cpu') / median(base, 'cpu'):.2f} | {median(name, 'memory'):.0f} "
              f"| {sum(result['errors'] for result in results[name])} |")
    for name in known:
        lags = [result["lag"] for result in results[name] if result["lag"]]
        if lags:
            print(f"\n{name}: everything projected and indexed {statistics.median(lag for lag, _ in lags):.1f} s "
                  f"after the load ended ({statistics.median(events for _, events in lags):,.0f} events).")


main()
