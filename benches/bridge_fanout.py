#!/usr/bin/env python3
"""How long one command takes on many hosts, warm: each host an agent process of its own behind a unix socket.

    cargo build --release && benches/bridge_fanout.py [--hosts 200] [--runs 5] [--aurora target/release/aurora]

Everything lives in a directory that is removed, and is stopped by its own pid. The time is that of the whole command
`aurora run @all nothing --all-at-once --json`, from its start to its end: every host was asked, ran `true`, and told its
end, which is durable in its journal and in the store. Prints a Markdown table in milliseconds.
"""

import argparse, json, os, shutil, signal, statistics, subprocess, sys, tempfile, time

from processes import port

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
COMMAND = '[commands.nothing]\nhosts = ["@all"]\nargv = ["/bin/true"]\n'


def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o600)


def configure(directory, hosts):
    write(f"{directory}/key", os.urandom(32).hex())
    engine = f'[listen]\ningress = "127.0.0.1:{port()}"\napi = "off"\n[node]\nstate_dir = "{directory}/state"\n{COMMAND}'
    for name in hosts:
        os.mkdir(f"{directory}/{name}", 0o700)
        write(f"{directory}/{name}/agent.toml",
              f'[agent]\nname = "{name}"\nlisten = "unix:{directory}/{name}/s"\nspool = "{directory}/{name}/spool"\n'
              f'key = "file:{directory}/key"\n{COMMAND}')
        engine += (f'[hosts.{name}]\nlabels = ["all"]\nlayers = ["socket"]\n'
                   f'socket = {{ addr = "unix:{directory}/{name}/s", key = "file:{directory}/key" }}\n')
    write(f"{directory}/engine.toml", engine)


def reached(base, count, patience):
    started = time.monotonic()
    while True:
        listed = subprocess.run([*base, "host", "list", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if listed.returncode == 0 and sum(host["active"] is not None for host in json.loads(listed.stdout)) == count:
            return
        if time.monotonic() - started > patience:
            sys.exit(f"not every host is reached after {patience} s")
        time.sleep(0.2)


def run(base, count):
    started = time.perf_counter()
    done = subprocess.run([*base, "run", "@all", "nothing", "--all-at-once", "--json"], stdout=subprocess.PIPE)
    took = (time.perf_counter() - started) * 1000
    ends = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = [end for end in ends if end["state"] != "done" or end["exit"] != 0]
    if done.returncode != 0 or len(ends) != count or wrong:
        sys.exit(f"ended with {done.returncode}, {len(ends)} of {count} ends, the first wrong one: {wrong[:1]}")
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--aurora", default=os.path.join(ROOT, "target/release/aurora"))
    args = parser.parse_args()
    aurora = os.path.abspath(args.aurora)
    # A unix socket's path has at most 107 bytes.
    directory = tempfile.mkdtemp(prefix="fan", dir="/tmp")
    environment = {name: value for name, value in os.environ.items() if name != "AURORA_STATE_DIR"}
    names = [f"h{number:03}" for number in range(args.hosts)]
    processes = []
    try:
        configure(directory, names)
        for name in names:
            processes.append(subprocess.Popen([aurora, "--config", f"{directory}/{name}/agent.toml", "agent", "--only", "socket"],
                                              env=environment, **QUIET))
        listening = lambda: all(os.path.exists(f"{directory}/{name}/s") for name in names)
        for _ in range(600):
            if listening():
                break
            time.sleep(0.1)
        base = [aurora, "--config", f"{directory}/engine.toml"]
        processes.append(subprocess.Popen([*base, "serve"], env=environment, **QUIET))
        reached(base, len(names), 60 + len(names))
        first = run(base, len(names))
        times = [run(base, len(names)) for _ in range(args.runs)]
        print("| hosts | first | median | slowest | runs |\n|---|---|---|---|---|")
        print(f"| {len(names)} | {first:.0f} | {statistics.median(times):.0f} | {max(times):.0f} | {len(times)} |")
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
