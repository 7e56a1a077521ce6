#!/usr/bin/env python3
"""What one warm command costs over each layer, beside Fabric and Ansible on the same sshd, in one run.

    python3 -m venv VENV && VENV/bin/pip install fabric ansible-core
    VENV/bin/python benches/bridge.py [--commands 200] [--rtt 40]

Needs sshd and ssh-keygen. Everything listens on 127.0.0.1, lives in a directory that is removed, and is stopped by its
own pid. The sshd gives its users an empty home, so that no shell's rc file is measured. `slow` goes through a proxy that
holds every byte back for half of RTT each way. Fabric and Ansible are left out with a word where they are not there.
Prints a Markdown table of medians in milliseconds. *received* is the agent's answer before anything is durable,
*accepted* the one after its journal has the command, *done* the end of the command `true` with everything it wrote.
"""

import argparse, asyncio, json, os, pwd, shutil, signal, statistics, subprocess, sys, tempfile, threading, time

from processes import port, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..")


def write(path, text, mode=0o600):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def slow_proxy(listen, target, half):
    """A line of a given length: every byte arrives `half` seconds later. Nothing is lost or reordered."""
    async def pipe(reader, writer):
        queue = asyncio.Queue()

        async def out():
            while (item := await queue.get()) is not None:
                due, data = item
                await asyncio.sleep(max(0, due - time.monotonic()))
                writer.write(data)
                await writer.drain()
            writer.close()
        task = asyncio.create_task(out())
        try:
            while data := await reader.read(65536):
                queue.put_nowait((time.monotonic() + half, data))
        except OSError:
            pass
        queue.put_nowait(None)
        await asyncio.gather(task, return_exceptions=True)

    async def connection(reader, writer):
        far = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(pipe(reader, far[1]), pipe(far[0], writer), return_exceptions=True)

    async def serve():
        server = await asyncio.start_server(connection, "127.0.0.1", listen)
        async with server:
            await server.serve_forever()
    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()


def sshd(directory, number):
    home = os.path.join(directory, "home")
    os.mkdir(home)
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", f"{directory}/{name}"], check=True)
    shutil.copy(f"{directory}/key.pub", f"{directory}/authorized_keys")
    write(f"{directory}/sshd_config",
          f"Port {number}\nListenAddress 127.0.0.1\nHostKey {directory}/host\nAuthorizedKeysFile {directory}/authorized_keys\n"
          f"PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
          f"SetEnv HOME={home}\n")
    with open(f"{directory}/host.pub") as file:
        write(f"{directory}/known_hosts", f"[127.0.0.1]:* {file.read()}")
    return subprocess.Popen([shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-f", f"{directory}/sshd_config"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ours(directory, aurora, direct, slow, agent_port, commands):
    for place in ("trigger", "spool", "spool-ssh", "spool-trigger"):
        os.mkdir(f"{directory}/{place}", 0o700)
    write(f"{directory}/secret", os.urandom(32).hex())
    command = '[commands.nothing]\nhosts = ["@all"]\nargv = ["/bin/true"]\n'
    agent = lambda name, spool, more="": (f'[agent]\nname = "{name}"\nspool = "{directory}/{spool}"\n'
                                          f'key = "file:{directory}/secret"\n{more}{command}')
    write(f"{directory}/socket.toml", agent("socket", "spool", f'listen = "127.0.0.1:{agent_port}"\n'))
    write(f"{directory}/ssh.toml", agent("ssh", "spool-ssh", f'listen = "127.0.0.1:{port()}"\n'))
    write(f"{directory}/ssh-slow.toml", agent("ssh-slow", "spool-ssh", f'listen = "127.0.0.1:{port()}"\n'))
    write(f"{directory}/exec.toml", agent("exec", "spool-ssh", f'listen = "127.0.0.1:{port()}"\n'))
    write(f"{directory}/trigger.toml", agent("trigger", "spool-trigger", f'trigger = "{directory}/trigger"\n'))
    user = pwd.getpwuid(os.getuid()).pw_name
    ssh = lambda number, name: (f'ssh = {{ target = "{user}@127.0.0.1", port = {number}, identity = "{directory}/key", '
                                f'known_hosts = "{directory}/known_hosts", agent = "{aurora}", agent_config = "{directory}/{name}.toml" }}\n')
    host = lambda name, layer, more: f'[hosts.{name}]\nlabels = ["all"]\nlayers = ["{layer}"]\n{more}'
    write(f"{directory}/engine.toml", f'[node]\nstate_dir = "{directory}/state"\n{command}'
          + host("socket", "socket", f'socket = {{ addr = "127.0.0.1:{agent_port}", key = "file:{directory}/secret" }}\n')
          + host("trigger", "trigger", f'trigger = {{ dir = "{directory}/trigger" }}\n'
                 f'socket = {{ addr = "127.0.0.1:{agent_port}", key = "file:{directory}/secret" }}\n')
          + host("ssh", "tmux", ssh(direct, "ssh")) + host("ssh-slow", "tmux", ssh(slow, "ssh-slow"))
          + host("exec", "exec", ssh(direct, "exec")))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    agents = [subprocess.Popen([aurora, "--config", f"{directory}/{name}.toml", "agent", "--only", name], **quiet)
              for name in ("socket", "trigger")]
    try:
        wait_for(agent_port, agents[0])
        run = subprocess.run(["cargo", "bench", "--bench", "bridge_latency", "--", f"{directory}/engine.toml", str(commands)],
                             cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        return {line["host"]: line for line in map(json.loads, filter(lambda l: l.startswith("{"), run.stdout.splitlines()))}
    finally:
        for process in agents:
            process.terminate()
            process.wait(10)


def timed(work, count):
    times = []
    for _ in range(count):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1000)
    return {"p50": statistics.median(times), "p95": sorted(times)[int(0.95 * (len(times) - 1))], "n": count}


def fabric(directory, number, count):
    try:
        import fabric as library
    except ImportError:
        print("left out: Fabric (not installed)", file=sys.stderr)
        return None
    connection = library.Connection("127.0.0.1", user=pwd.getpwuid(os.getuid()).pw_name, port=number,
                                    connect_kwargs={"key_filename": f"{directory}/key", "allow_agent": False, "look_for_keys": False})
    with connection:
        connection.run("true", hide=True)
        return timed(lambda: connection.run("true", hide=True), count)


def ansible(directory, number, count):
    program = os.path.join(os.path.dirname(sys.executable), "ansible")
    if not os.path.exists(program):
        print("left out: Ansible (not installed beside this python)", file=sys.stderr)
        return None
    write(f"{directory}/inventory", f"web ansible_host=127.0.0.1 ansible_port={number} ansible_ssh_private_key_file={directory}/key\n")
    environment = dict(os.environ, ANSIBLE_SSH_ARGS=f"-o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile={directory}/known_hosts",
                       ANSIBLE_SSH_CONTROL_PATH_DIR=f"{directory}/cp", ANSIBLE_LOCALHOST_WARNING="false", HOME=directory)
    work = lambda: subprocess.run([program, "-i", f"{directory}/inventory", "web", "-m", "raw", "-a", "true"],
                                  env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    work()
    return timed(work, count)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commands", type=int, default=200)
    parser.add_argument("--rtt", type=float, default=40, help="milliseconds of the slow line")
    options = parser.parse_args()
    aurora = os.environ.get("AURORA", os.path.abspath(os.path.join(ROOT, "target", "release", "aurora")))
    with tempfile.TemporaryDirectory() as directory:
        direct, slow = port(), port()
        daemon = sshd(directory, direct)
        try:
            wait_for(direct, daemon)
            slow_proxy(slow, direct, options.rtt / 2000)
            few = max(5, options.commands // 20)
            theirs = {
                ("Fabric API, pooled", "direct"): fabric(directory, direct, options.commands // 2),
                ("Fabric API, pooled", "slow"): fabric(directory, slow, few * 2),
                ("Ansible ad-hoc raw, ControlPersist", "direct"): ansible(directory, direct, few),
                ("Ansible ad-hoc raw, ControlPersist", "slow"): ansible(directory, slow, few),
            }
            found = ours(directory, aurora, direct, slow, port(), options.commands)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(10)
    print(f"\nOne warm command (`true`), {options.commands} of ours; slow is a line of {options.rtt:.0f} ms RTT; milliseconds, p50 (p95)\n")
    print("| | line | received | accepted | done |\n|---|---|---|---|---|")
    cell = lambda figure: f"{figure['p50']:.2f} ({figure['p95']:.1f})" if figure else "-"
    for host, line in (("socket", "direct"), ("ssh", "direct"), ("ssh-slow", "slow"), ("trigger", "files"), ("exec", "direct")):
        row = found.get(host, {})
        print(f"| aurora, {row.get('layer')} | {line} | {cell(row.get('received'))} | {cell(row.get('accepted'))} | {cell(row.get('done'))} |")
    for (name, line), figure in theirs.items():
        print(f"| {name} | {line} | - | - | {cell(figure)} |")
    for line, host in (("direct", "ssh"), ("slow", "ssh-slow")):
        for name in ("Fabric API, pooled", "Ansible ad-hoc raw, ControlPersist"):
            figure = theirs[name, line]
            if figure and host in found:
                ratio = figure["p50"] / found[host]["done"]["p50"]
                print(f"\n{name} takes {ratio:.0f} times as long as ours over ssh ({line}, to the end of the command).")


if __name__ == "__main__":
    main()
