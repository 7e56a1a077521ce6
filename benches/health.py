#!/usr/bin/env python3
"""Health checks beside their anchors, in one run.

    cargo build --release
    ANCHOR_PROBER=PATH/TO/prober benches/health.py [--runs 3] [--seconds 30] [--checks 1000] [--period 10]

Needs nginx; the anchor, prometheus-blackbox-exporter and wrk are left out with a word when they are not there. The
anchor is a program that asks the same address as often, with a new connection each time, and does nothing else; it is
started as `prober URL CHECKS PERIOD SECONDS 0` and prints JSON with `cpu_us_probe`, `maxrss_kb` and `jit_p99_us`.
Everything listens on 127.0.0.1 and is stopped by its own pid. Prints a Markdown table of medians and of ratios to the
anchor, and how long it takes until every check is critical after nginx is stopped.
"""

import argparse, json, os, re, shutil, signal, statistics, subprocess, sys, tempfile, time

from processes import peak, port, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
AURORA = os.environ.get("AURORA", os.path.join(HERE, "..", "target", "release", "aurora"))
TICKS = os.sysconf("SC_CLK_TCK")


def start(command, number):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(number, process)
    return process


def stop(process, how=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(how)
        process.wait(20)


def nginx(directory, number):
    config = os.path.join(directory, "nginx.conf")
    temporary = " ".join(f"{kind}_temp_path {directory}/{kind};"
                         for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(config, "w") as file:
        file.write(f"worker_processes 1; daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log crit;\n"
                   f"events {{ worker_connections 4096; }}\nhttp {{ access_log off; {temporary} server {{ "
                   f"listen 127.0.0.1:{number}; location / {{ return 200 'ok'; }} }} }}\n")
    return start(["nginx", "-c", config], number)


def cpu(pid):
    with open(f"/proc/{pid}/stat") as file:
        return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13])) / TICKS


def aurora(directory, options, target):
    """Looks as often as it should for so long; answers its costs, and how late the last check became critical."""
    number = port()
    config, state = os.path.join(directory, "config.toml"), os.path.join(directory, "state")
    with open(config, "w") as file:
        file.write(f'[listen]\ningress = "127.0.0.1:{number}"\n')
        for n in range(options.checks):
            file.write(f'[[checks]]\nid = "check-{n}"\ntype = "http"\nurl = "http://127.0.0.1:{target["port"]}/?i={n}"\n'
                       f'interval = "{options.period}s"\ntimeout = "{options.period * 0.5}s"\n')
    base = [AURORA, "--config", config, "--state-dir", state]
    process = start([*base, "serve"], number)
    listed = lambda: json.loads(subprocess.check_output([*base, "check", "list", "--json"]))
    try:
        # The first looks come sooner than their turn; only steady work is measured.
        time.sleep(options.period + 1)
        before, began = cpu(process.pid), time.time()
        time.sleep(options.seconds)
        used, passed = cpu(process.pid) - before, time.time() - began
        result = {"cpu": used * 1e6 / (passed * options.checks / options.period), "memory": peak(process.pid)}
        wrong = [check for check in listed() if check["state"] != "ok"]
        if wrong:
            raise SystemExit(f"{len(wrong)} checks are not ok although nginx runs: {wrong[0]}")
        # Killed at once it would leave its workers behind, and they answer.
        stop(target["process"])
        failed = time.time()
        limit = options.period * 3 + 1
        while any(check["state"] != "critical" for check in listed()):
            if time.time() - failed > limit * 2:
                raise SystemExit("not every check became critical")
            time.sleep(0.2)
        result["detection"] = time.time() - failed
        result["limit"] = limit
    finally:
        stop(process)
    logs = os.path.join(state, "logs")
    text = "".join(open(os.path.join(logs, name)).read() for name in os.listdir(logs))
    looks, skipped, lag = re.search(r"looks=(\d+) skipped=(\d+) lag_p99_us=(\d+)", text).groups()
    return {**result, "looks": int(looks), "skipped": int(skipped), "lag": int(lag) / 1000}


def anchor(program, options, target):
    output = subprocess.check_output([program, f"http://127.0.0.1:{target}/", str(options.checks), str(options.period),
                                      str(options.seconds), "0"], timeout=options.seconds + 60)
    found = json.loads(output)
    if found["fail"]:
        raise SystemExit(f"the anchor failed {found['fail']} times")
    return {"cpu": found["cpu_us_probe"], "memory": found["maxrss_kb"] / 1024, "lag": found["jit_p99_us"] / 1000}


def blackbox(directory, target):
    """CPU a probe at saturation."""
    number, config = port(), os.path.join(directory, "blackbox.yml")
    with open(config, "w") as file:
        file.write("modules:\n  http_2xx:\n    prober: http\n    timeout: 5s\n    http: { preferred_ip_protocol: ip4 }\n")
    process = start(["prometheus-blackbox-exporter", f"--config.file={config}",
                     f"--web.listen-address=127.0.0.1:{number}", "--log.level=error"], number)
    try:
        before = cpu(process.pid)
        url = f"http://127.0.0.1:{number}/probe?module=http_2xx&target=http://127.0.0.1:{target}/"
        output = subprocess.run(["wrk", "-t1", "-c16", "-d5s", url], capture_output=True, text=True, check=True).stdout
        count = int(re.search(r"(\d+) requests in", output).group(1))
        return {"cpu": (cpu(process.pid) - before) * 1e6 / max(count, 1), "memory": peak(process.pid)}
    finally:
        stop(process)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--checks", type=int, default=1000)
    parser.add_argument("--period", type=int, default=10)
    options = parser.parse_args()
    if not shutil.which("nginx"):
        raise SystemExit("nginx is needed: apt-get install nginx-light")
    program = os.environ.get("ANCHOR_PROBER")
    peer = shutil.which("prometheus-blackbox-exporter") and shutil.which("wrk")
    for there, name in ((program, "the anchor (ANCHOR_PROBER is not set)"), (peer, "blackbox exporter (needs wrk too)")):
        if not there:
            print(f"left out: {name}", file=sys.stderr)
    results = {}
    for run in range(options.runs):
        # In turn, so that noise of the machine hits all alike.
        with tempfile.TemporaryDirectory() as directory:
            number = port()
            server = nginx(directory, number)
            try:
                found = {}
                if program:
                    found["bare prober"] = anchor(program, options, number)
                if peer:
                    found["blackbox exporter"] = blackbox(directory, number)
                found["aurora"] = aurora(directory, options, {"port": number, "process": server})
            finally:
                stop(server)
        for name, result in found.items():
            results.setdefault(name, []).append(result)
            print(f"run {run + 1}: {name}: {result}", file=sys.stderr)

    def median(name, key):
        found = [result[key] for result in results[name] if key in result]
        return statistics.median(found) if found else None

    def cell(value, form):
        return "" if value is None else format(value, form)

    print(f"\n{options.checks} HTTP checks every {options.period} s, new connections, {options.runs} runs of "
          f"{options.seconds} s, medians\n")
    print("| | CPU us/look | aurora's part of it | peak MB | lag p99 ms |")
    print("|---|---|---|---|---|")
    for name in results:
        print(f"| {name} | {median(name, 'cpu'):.0f} | {median('aurora', 'cpu') / median(name, 'cpu'):.2f} "
              f"| {median(name, 'memory'):.0f} | {cell(median(name, 'lag'), '.1f')} |")
    print(f"\nEvery check critical {median('aurora', 'detection'):.1f} s after nginx was stopped; three looks and a second "
          f"are {median('aurora', 'limit')} s. Planned looks that were not taken: "
          f"{sum(result['skipped'] for result in results['aurora'])}.")


main()
