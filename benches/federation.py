#!/usr/bin/env python3
"""Nodes that know each other, as real processes on 127.0.0.1: nothing lost, how soon, and what it costs to be idle.

    cargo build --release
    benches/federation.py [--seconds 600] [--rate 100] [--apart 3600] [--idle 60] [--sizes 2,5,15] [part ...]

Parts: chaos catchup detection paused idle. All nodes know each other directly, each pair over a line of its own that can be cut
both ways. `chaos`: five nodes, each with RATE deliveries a second for SECONDS, while nodes are killed and lines are cut at
random; then every node must hold the same entries of every log, compared by number and hash, and each delivery that was
acknowledged once. `catchup`: one of two nodes is apart while the other writes as many entries as RATE makes in APART
seconds (they are written at once); how long until it holds them. `detection`: from a kill until each other node says
down, and from the start until it says alive. `paused`: one of five stands still for 10 s every minute, for SECONDS; nobody
may call anybody down. `idle`: processor, bytes and memory of nodes with nothing to tell. A short
run to try it: --seconds 30 --apart 60 --idle 15 --sizes 2,5. Every program is ended by its own pid. Prints a Markdown
table; ends with 1 when something was lost.
"""

import argparse, asyncio, base64, hashlib, hmac, http.client, json, os, random, signal, sqlite3, statistics
import subprocess, sys, tempfile, threading, time

from processes import port, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
AURORA = os.environ.get("AURORA", os.path.join(HERE, "..", "target", "release", "aurora"))
SECRET = os.urandom(32)
ROWS, FAULTS = [], []


def row(figure, value, goal="", note=""):
    ROWS.append(f"| {figure} | {value} | {goal} | {note} |")
    print(ROWS[-1], flush=True)


def fault(what):
    FAULTS.append(what)
    print(f"WRONG: {what}", file=sys.stderr, flush=True)


class Lines:
    """The lines of all pairs: each has a port of its own, counts its bytes, and is cut by name."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.open, self.cuts, self.bytes = {}, set(), 0
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def line(self, name, number, target):
        async def pipe(reader, writer):
            try:
                while data := await reader.read(65536):
                    while name in self.cuts:
                        await asyncio.sleep(0.05)
                    self.bytes += len(data)
                    writer.write(data)
                    await writer.drain()
            except OSError:
                pass
            writer.close()

        async def connection(reader, writer):
            self.open.setdefault(name, set()).add(writer)
            try:
                far = await asyncio.open_connection("127.0.0.1", target)
                await asyncio.gather(pipe(reader, far[1]), pipe(far[0], writer), return_exceptions=True)
            except OSError:
                pass
            finally:
                writer.close()
                self.open[name].discard(writer)
        server = asyncio.start_server(connection, "127.0.0.1", number)
        asyncio.run_coroutine_threadsafe(server, self.loop).result()

    def cut(self, one, two, cut=True):
        for name in ((one, two), (two, one)):
            (self.cuts.add if cut else self.cuts.discard)(name)


class Node:
    def __init__(self, name, directory):
        self.name, self.dir = name, os.path.join(directory, name)
        self.hooks, self.door, self.process = port(), port(), None
        os.makedirs(os.path.join(self.dir, "state"), mode=0o700)
        with open(os.path.join(self.dir, "secret"), "w") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write("whsec_" + base64.b64encode(SECRET).decode())

    def configure(self, peers=""):
        with open(os.path.join(self.dir, "config.toml"), "w") as file:
            file.write(f"""[node]
name = "{self.name}"
state_dir = "{self.dir}/state"
[listen]
ingress = "127.0.0.1:{self.hooks}"
federation = "127.0.0.1:{self.door}"
api = "off"
[limits]
ingress_per_minute = 1000000
[federation]
enabled = true
share = ["checks", "counts", "incidents", "messages"]
messages_when = 'channel is known'
[channels.bench]
provider = "standard"
secrets = ["file:{self.dir}/secret"]
[[checks]]
id = "load"
type = "load"
interval = "30s"
{peers}""")

    def start(self):
        command = [AURORA, "--config", f"{self.dir}/config.toml", "serve"]
        log = open(os.path.join(self.dir, "log"), "a")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_for(self.door, self.process)
        wait_for(self.hooks, self.process)
        return self

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(30)

    def ask(self, *words):
        command = [AURORA, "--config", f"{self.dir}/config.toml", *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode not in (0, 3, 4):
            raise OSError(done.stderr.strip())
        return json.loads(done.stdout)

    def states(self):
        """How it sees the other nodes."""
        return {node["name"]: node["state"] for node in self.ask("node", "list", "--json") if not node["own"]}

    def downs(self):
        """How often it has called another node down so far."""
        with open(os.path.join(self.dir, "log")) as file:
            return file.read().count("node is down")

    def key(self):
        return next(node["keys"][0] for node in self.ask("node", "list", "--json") if node["own"])

    def database(self):
        return sqlite3.connect(f"file:{self.dir}/state/aurora.db?mode=ro", uri=True, timeout=10)

    def logs(self):
        """The newest life of each log it holds: node -> (epoch, number of the last entry, its hash)."""
        with self.database() as database:
            rows = database.execute("SELECT node, epoch, high, hash FROM node_log WHERE current").fetchall()
        return {node: (epoch, high, digest) for node, epoch, high, digest in rows}

    def entries(self, logs):
        """Every entry of `logs` up to their ends, as one hash a log over numbers and hashes."""
        sums = {}
        with self.database() as database:
            for node, (epoch, high, _) in logs.items():
                rows = database.execute("SELECT e.seq, e.hash FROM node_entry e JOIN node_log l ON l.n = e.log "
                                        "WHERE l.node = ? AND l.epoch = ? AND e.seq <= ? ORDER BY e.seq", (node, epoch, high))
                total = sums[node] = hashlib.sha256()
                for seq, digest in rows:
                    total.update(b"%d %s\n" % (seq, digest))
        return {node: total.hexdigest() for node, total in sums.items()}

    def messages(self):
        """The messages in its own log."""
        with self.database() as database:
            return database.execute("SELECT count(*), count(DISTINCT e.subject) FROM node_entry e JOIN node_log l "
                                    "ON l.n = e.log WHERE l.own AND l.current AND e.kind = 'message'").fetchone()

    def deliver(self, number, connection):
        body = b'{"type":"note","subject":"%s %d","from":"ann@example.org"}' % (self.name.encode(), number)
        stamp, name = str(int(time.time())), f"{self.name}-{number}"
        signed = hmac.new(SECRET, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
        headers = {"webhook-id": name, "webhook-timestamp": stamp, "content-type": "application/json",
                   "webhook-signature": "v1," + base64.b64encode(signed).decode()}
        connection.request("POST", "/hooks/bench", body, headers)
        answer = connection.getresponse()
        answer.read()
        # 200: it was known already, because the answer before was lost with the node.
        return answer.status in (200, 202, 204)

    def usage(self):
        """Seconds of processor, and MB of memory now."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        with open(f"/proc/{self.process.pid}/status") as file:
            memory = next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), memory


def mesh(directory, count):
    """So many nodes that know each other, each pair over two lines of its own."""
    lines, nodes = Lines(), [Node(f"hub-{number + 1}", directory) for number in range(count)]
    for node in nodes:
        node.configure()
        node.start()
    keys = {node.name: node.key() for node in nodes}
    for node in nodes:
        node.end()
    for node in nodes:
        peers = ""
        for other in nodes:
            if other is not node:
                number = port()
                lines.line((node.name, other.name), number, other.door)
                peers += f'[[nodes]]\nname = "{other.name}"\nurl = "http://127.0.0.1:{number}"\nkey = "{keys[other.name]}"\n'
        node.configure(peers)
    for node in nodes:
        node.start()
    until(60, lambda: all(set(node.states().values()) == {"alive"} for node in nodes), "all are alive")
    return lines, nodes


def until(patience, holds, what):
    started = time.monotonic()
    while time.monotonic() - started < patience:
        try:
            if holds():
                return time.monotonic() - started
        except (OSError, ValueError, sqlite3.Error):
            pass
        time.sleep(0.1)
    fault(f"{what}: not within {patience} s")
    return None


def equal(nodes):
    """Whether all hold the same: compared by the end of each log, which is chained over all of it."""
    held = [node.logs() for node in nodes]
    return all(logs == held[0] for logs in held) and len(held[0]) == len(nodes)


class Sender(threading.Thread):
    """RATE deliveries a second to one node, for as long as it is told; what is not acknowledged comes again."""

    def __init__(self, node, rate, count=None):
        super().__init__(daemon=True)
        self.node, self.rate, self.count, self.sent, self.over = node, rate, count, 0, False

    def run(self):
        connection, started, pauses = None, time.monotonic(), 0.0
        while not self.over and self.sent != self.count:
            wait = started + pauses + self.sent / self.rate - time.monotonic() if self.rate else 0
            if wait > 0:
                time.sleep(wait)
            elif wait < -1:
                pauses -= wait
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.node.hooks, timeout=10)
                self.sent += self.node.deliver(self.sent, connection)
            except (OSError, http.client.HTTPException):
                connection = None
                time.sleep(0.1)


def chaos(options):
    with tempfile.TemporaryDirectory(prefix="federation-") as directory:
        lines, nodes = mesh(directory, 5)
        try:
            senders = [Sender(node, options.rate) for node in nodes]
            for sender in senders:
                sender.start()
            end, kills, cuts = time.monotonic() + options.seconds, 0, 0
            while time.monotonic() < end:
                time.sleep(random.uniform(1, 5))
                if random.random() < 0.4:
                    node = random.choice(nodes)
                    node.end(signal.SIGKILL)
                    kills += 1
                    time.sleep(random.uniform(0, 10))
                    node.start()
                else:
                    alone = set(random.sample(nodes, random.randint(1, 2)))
                    pairs = [(a.name, b.name) for a in alone for b in nodes if b not in alone]
                    for pair in pairs:
                        lines.cut(*pair)
                    cuts += 1
                    time.sleep(random.uniform(1, 20))
                    for pair in pairs:
                        lines.cut(*pair, cut=False)
            for sender in senders:
                sender.over = True
            for sender in senders:
                sender.join()
            over = time.monotonic()
            sent = sum(sender.sent for sender in senders)
            counts = lambda: [node.messages() for node in nodes]
            until(60, lambda: all(count >= sender.sent for (count, _), sender in zip(counts(), senders)), "all is shared")
            settled = until(120, lambda: equal(nodes), "all logs are equal")
            if settled is not None:
                settled = time.monotonic() - over
            # Nodes go on to write figures of their own, so what is compared has an end that all have reached.
            ends = nodes[0].logs()
            until(60, lambda: all(node.logs()[name][1] >= end[1] for node in nodes for name, end in ends.items()), "all are there")
            sums = [node.entries(ends) for node in nodes]
            for node, total in zip(nodes, sums):
                if other := [name for name in ends if total[name] != sums[0][name]]:
                    fault(f"{node.name} holds other entries of {other} than {nodes[0].name}: {node.logs()}")
            doubled = sum(count - distinct for count, distinct in counts())
            # An answer that was lost with its node was no acknowledgement, so one more a kill may be there.
            more = sum(distinct for _, distinct in counts()) - sent
            if doubled or not 0 <= more <= kills:
                fault(f"{doubled} entries doubled, {more} more messages than were acknowledged after {kills} kills")
            row("5 nodes, messages", sent, "", f"{options.rate}/s each, {kills} kills, {cuts} partitions")
            row("entries lost or doubled", 0 if not FAULTS else "**some**", "0", "by number and hash of every entry")
            row("all equal after the end", f"{settled:.1f} s" if settled is not None else "**no**")
        finally:
            stop(nodes)


def catchup(options):
    with tempfile.TemporaryDirectory(prefix="federation-") as directory:
        lines, (one, two) = mesh(directory, 2)
        try:
            count = int(options.rate * options.apart)
            lines.cut(one.name, two.name)
            senders = [Sender(one, 0, count // 8) for _ in range(8)]
            for number, sender in enumerate(senders):
                sender.sent, sender.count = number * (count // 8), (number + 1) * (count // 8)
                sender.start()
            for sender in senders:
                sender.join()
            wanted = count // 8 * 8
            until(600, lambda: one.messages()[0] >= wanted, "all is in the own log")
            lines.cut(one.name, two.name, cut=False)
            took = until(300, lambda: equal([one, two]), "it has caught up")
            if took is not None:
                row(f"catching up on {wanted:,} entries", f"{took:.1f} s", "60 s", f"{wanted / took:,.0f}/s")
        finally:
            stop([one, two])


def detection(options):
    with tempfile.TemporaryDirectory(prefix="federation-") as directory:
        _, nodes = mesh(directory, 5)
        try:
            time.sleep(30)
            down, back = [], []
            for victim in nodes[:3]:
                others = [node for node in nodes if node is not victim]
                victim.end(signal.SIGKILL)
                down.append(until(60, lambda: all(node.states()[victim.name] == "down" for node in others), "all say down"))
                started = time.monotonic()
                victim.start()
                until(60, lambda: all(node.states()[victim.name] == "alive" for node in others), "all say alive")
                back.append(time.monotonic() - started)
                time.sleep(10)
            seconds = lambda times: " ".join(f"{t:.1f}" for t in times if t is not None) + " s"
            row("killed until all others say down", seconds(down), "15 s")
            row("started until all others say alive", seconds(back))
        finally:
            stop(nodes)


def paused(options):
    with tempfile.TemporaryDirectory(prefix="federation-") as directory:
        _, nodes = mesh(directory, 5)
        try:
            before, end, stops = sum(node.downs() for node in nodes), time.monotonic() + options.seconds, 0
            while time.monotonic() < end:
                time.sleep(50)
                nodes[0].process.send_signal(signal.SIGSTOP)
                time.sleep(10)
                nodes[0].process.send_signal(signal.SIGCONT)
                stops += 1
            time.sleep(20)
            downs = sum(node.downs() for node in nodes) - before
            if downs:
                fault(f"nodes that live were called down {downs} times")
            row("false downs, one of 5 nodes stopped 10 s every minute", downs, "0", f"{stops} stops")
        finally:
            stop(nodes)


def idle(options):
    for size in options.sizes:
        with tempfile.TemporaryDirectory(prefix="federation-") as directory:
            lines, nodes = mesh(directory, size)
            try:
                time.sleep(20)
                before, bytes_before = [node.usage() for node in nodes], lines.bytes
                time.sleep(options.idle)
                after, transferred = [node.usage() for node in nodes], lines.bytes - bytes_before
                cpu = statistics.mean(b[0] - a[0] for a, b in zip(before, after)) / options.idle
                memory = statistics.mean(usage[1] for usage in after)
                per_peer = transferred / options.idle / (size * (size - 1))
                row(f"idle, {size} nodes: processor a node", f"{cpu * 100:.2f} %", "", f"{cpu * 1000 / (size - 1):.2f} ms/s a peer")
                row(f"idle, {size} nodes: bytes a node and peer", f"{per_peer:,.0f} B/s", "", "both ways")
                row(f"idle, {size} nodes: memory a node", f"{memory:.0f} MB")
            finally:
                stop(nodes)


def stop(nodes):
    for node in nodes:
        if node.process and node.process.poll() is None:
            node.end()


PARTS = {"chaos": chaos, "catchup": catchup, "detection": detection, "paused": paused, "idle": idle}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--apart", type=float, default=3600)
    parser.add_argument("--idle", type=float, default=60)
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=[2, 5, 15])
    parser.add_argument("part", nargs="*", choices=[[], *PARTS])
    options = parser.parse_args()
    print("| figure | measured | goal | |\n|---|---|---|---|", flush=True)
    for part in options.part or PARTS:
        PARTS[part](options)
    sys.exit(1 if FAULTS else 0)
