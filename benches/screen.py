#!/usr/bin/env python3
"""The operator's screen beside its anchors, in one run: bytes, wake-ups, processor, time.

    cargo build --release
    TUIFLOOR=PATH/TO/tuifloor BOTTOM=PATH/TO/btm benches/screen.py [--seconds 60] [--filled STATE_DIR] [figure ...]

All of it in a terminal of 120x40 that answers no query. `tuifloor` is a bare ratatui program with a dashboard of the
same kind (`tuifloor 1000 9999 live`); it, htop, bottom and strace are left out with a word when they are not there.
`--filled` is a state directory with many messages and no engine on it; the figures of a start are taken there too.
Figures can be chosen by name: still idle busy keys writes first stopped. Sizes in bytes are exact; times want a quiet
machine. Every program is ended by its own pid. Prints a Markdown table.
"""

import argparse, json, os, re, shutil, statistics, subprocess, sys, tempfile, time

from terminal import Terminal

HERE = os.path.dirname(os.path.abspath(__file__))
AURORA = os.environ.get("AURORA", os.path.join(HERE, "..", "target", "release", "aurora"))
FRAME = b"\x1b[?2026h"
# Control sequences, and strings that end in BEL or ST.
ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*(?:[@-~]|$)|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -Z\\^-~])")
ROWS = []


def row(figure, ours, unit, anchor=None, name="", goal=None):
    ratio = f"{ours / anchor:.2f}" if anchor else ""
    anchor = f"{anchor:,.1f} ({name})" if anchor is not None else ""
    reached = "" if goal is None else f"{goal:,} {'yes' if ours <= goal else '**no**'}"
    ROWS.append(f"| {figure} | {ours:,.1f} {unit} | {anchor} | {ratio} | {reached} |")
    print(ROWS[-1], flush=True)


def missing(what):
    print(f"left out: {what} is not there", file=sys.stderr)


def demo(scene, *more, **environment):
    terminal = Terminal([AURORA, "demo", "--scene", scene, *more], environment=environment)
    terminal.read(20, until=lambda data: b"DEMO" in data)
    return terminal


def watched(terminal, seconds):
    """Bytes, wake-ups and processor seconds per second, once the first frames are out."""
    terminal.settle(1, 8)
    before = (terminal.bytes, terminal.wakes(), terminal.processor(), time.monotonic())
    end = before[3] + seconds
    while (left := end - time.monotonic()) > 0:
        terminal.read(left)
    after = (terminal.bytes, terminal.wakes(), terminal.processor(), time.monotonic())
    length = after[3] - before[3]
    return [(b - a) / length for a, b in zip(before[:3], after[:3])]


def of_program(command, seconds):
    if not shutil.which(command[0]):
        missing(command[0])
        return [None] * 3
    terminal = Terminal(command)
    figures = watched(terminal, seconds)
    terminal.close()
    return figures


def still(arguments):
    for view, key in (("Overview", "1"), ("Inbox", "3"), ("Health", "5")):
        terminal = demo("still")
        terminal.settle()
        terminal.keys(key)
        seen, woken, processor = watched(terminal, arguments.seconds)
        terminal.close()
        row(f"still, {view}: bytes a minute", seen * 60, "B", goal=200)
        row(f"still, {view}: wake-ups a minute", woken * 60, "", goal=70)
        row(f"still, {view}: processor", processor * 1000 * 60, "ms/min", goal=50)


def idle(arguments):
    htop = of_program(["htop"], arguments.seconds)
    with tempfile.TemporaryDirectory() as home:
        terminal = Terminal([AURORA, "--state-dir", os.path.join(home, "state")],
                            environment={"HOME": home, "AURORA_CONFIG": config(home, "")})
        seen, woken, processor = watched(terminal, arguments.seconds)
        terminal.close()
    row("defaults, idle machine: bytes a minute", seen * 60, "B", htop[0] and htop[0] * 60, "htop", goal=2000)
    row("defaults, idle machine: processor", processor * 100, "%", htop[2] and htop[2] * 100, "htop",
        goal=htop[2] and round(htop[2] * 100, 3))
    row("defaults, idle machine: wake-ups a second", woken, "", htop[1], "htop")


def config(home, text):
    path = os.path.join(home, "config.toml")
    with open(path, "w") as file:
        file.write(text)
    return path


def busy(arguments):
    floor = os.environ.get("TUIFLOOR", "tuifloor")
    anchor = of_program([floor, "1000", "9999", "live"], arguments.seconds)[0]
    for name, more, goal in (("busy", (), 1000), ("busy, lite", ("--lite",), 300)):
        if more and "--lite" not in subprocess.run([AURORA, "--help"], capture_output=True, text=True).stdout:
            missing("--lite")
            continue
        terminal = demo("busy", *more)
        terminal.settle(0.2, 3)
        terminal.keys("5")
        terminal.read(1)
        seen, woken, processor = watched(terminal, arguments.seconds)
        row(f"{name}: bytes a second", seen, "B", anchor, "tuifloor", goal)
        row(f"{name}: wake-ups a second", woken, "")
        row(f"{name}: processor", processor * 100, "%")
        terminal.close()


def keys(arguments):
    terminal = demo("busy")
    terminal.settle(0.2, 3)
    terminal.keys("5")
    terminal.read(2)
    times = []
    for number in range(200):
        terminal.read(0.003)
        begun = time.monotonic()
        terminal.keys("jk"[number // 10 % 2])
        terminal.read(2, until=len)
        times.append((time.monotonic() - begun) * 1000)
        terminal.read(0.03 + number % 17 / 200)
    terminal.close()
    row("busy: key to first byte, p50", statistics.median(times), "ms", goal=16)
    row("busy: key to first byte, p99", sorted(times)[-2], "ms")
    for view, key in (("Inbox", "3"), ("Health", "5"), ("Activity", "8")):
        terminal = demo("still")
        terminal.settle()
        terminal.keys(key)
        terminal.settle()
        sizes = []
        for number in range(20):
            terminal.keys("jk"[number // 10 % 2])
            sizes.append(len(terminal.settle(0.15)))
        terminal.close()
        row(f"{view}: bytes per cursor move, median", statistics.median(sizes), "B", goal=400)
        row(f"{view}: bytes per cursor move, most", max(sizes), "B", goal=400)


def writes(arguments):
    if not shutil.which("strace"):
        return missing("strace")
    with tempfile.TemporaryDirectory() as directory:
        log = os.path.join(directory, "strace")
        command = ["strace", "-f", "-qq", "-e", "trace=write,writev", "-e", "signal=none", "-o", log, "-xx", "-s", "16"]
        terminal = Terminal([*command, AURORA, "demo", "--scene", "busy"])
        terminal.settle(0.5, 10)
        terminal.keys("5")
        frames = terminal.read(3)
        mark = os.path.getsize(log)
        for number in range(20):
            terminal.keys("jk"[number % 2])
            frames += terminal.read(0.25)
        terminal.keys("3")
        terminal.read(1)
        terminal.close()
        with open(log) as file:
            text = file.read()
    written = re.findall(r"writev?\(1, \"((?:\\x[0-9a-f]{2})*)", text)
    begun = [start for start in written if start.startswith("\\x1b\\x5b\\x3f\\x32\\x30\\x32\\x36")]
    row("writes to the terminal", len(written), "")
    row("of which begin a frame", len(begun), "")
    row("other writes: taking and giving back the terminal", len(written) - len(begun), "", goal=4)


def first_frame(command, **environment):
    """Milliseconds from `exec` to the first text. Bottom asks where the cursor is and waits: it is answered at once."""
    terminal = Terminal(command, environment=environment)
    answered = 0

    def drawn(data):
        nonlocal answered
        if data.count(b"\x1b[6n") > answered:
            answered += 1
            terminal.keys("\x1b[1;1R")
        return re.search(rb"\w", ESCAPE.sub(b"", data))

    terminal.read(5, until=drawn)
    took = terminal.last - terminal.started
    terminal.close()
    return took * 1000


def first(arguments):
    bottom = os.environ.get("BOTTOM", "btm")
    anchor = None
    if shutil.which(bottom):
        anchor = statistics.median(first_frame([bottom]) for _ in range(21))
    else:
        missing("bottom")
    with tempfile.TemporaryDirectory() as home:
        def start():
            state = tempfile.mkdtemp(dir=home)
            return first_frame([AURORA, "--state-dir", state], HOME=home, AURORA_CONFIG=config(home, ""))
        row("start, empty: first text", statistics.median(start() for _ in range(21)), "ms", anchor, "bottom",
            anchor and round(anchor, 1))
    row("demo: first text", statistics.median(first_frame([AURORA, "demo"]) for _ in range(21)), "ms")
    if not arguments.filled:
        return missing("--filled STATE_DIR")
    with tempfile.TemporaryDirectory() as home:
        base = [AURORA, "--config", config(home, '[listen]\napi = "off"\n'), "--state-dir", arguments.filled]
        listed = subprocess.run([*base, "inbox", "list", "--limit", "1", "--json"], stdout=subprocess.PIPE, check=True)
        subject = json.loads(listed.stdout)[0]["subject"][:24].encode()
        times = []
        for _ in range(7):
            terminal = Terminal(base)
            terminal.read(10, until=lambda data: subject in data)
            times.append((time.monotonic() - terminal.started) * 1000)
            terminal.close()
        row("start, filled: newest subject readable", statistics.median(times), "ms", goal=100)


def stopped(arguments):
    terminal = demo("busy")
    terminal.settle(0.2, 3)
    terminal.keys("5")
    terminal.read(5)
    before = terminal.memory()
    time.sleep(arguments.seconds)
    grown = terminal.memory() - before
    woken = terminal.read(0.5)
    terminal.close()
    row(f"reader stopped for {arguments.seconds:.0f} s: memory growth", grown, "MB", goal=5)
    # What the kernel held back, then one frame with everything that is new.
    row("afterwards: bytes in half a second", len(woken), "B")
    row("afterwards: frames begun in half a second", woken.count(FRAME), "")


FIGURES = {name: of for name, of in globals().items()
           if name in ("still", "idle", "busy", "keys", "writes", "first", "stopped")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--filled", metavar="STATE_DIR")
    parser.add_argument("figures", nargs="*", metavar="figure", help=" ".join(FIGURES))
    arguments = parser.parse_args()
    print("| figure | aurora | anchor | ratio | goal |\n|---|---|---|---|---|")
    for name in arguments.figures or FIGURES:
        FIGURES[name](arguments)


main()
