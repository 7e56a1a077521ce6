"""A program in a pseudo terminal of its own: the bytes it writes, the time they take, and what it costs meanwhile."""

import fcntl, os, pty, select, signal, struct, termios, time


class Terminal:
    """Runs `command` in a terminal that answers no query. `environment` comes on top of a plain one."""

    def __init__(self, command, size=(120, 40), environment=None):
        self.started, self.bytes, self.first = time.monotonic(), 0, None
        self.data = bytearray()
        variables = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "TERM": "xterm-256color",
                     "COLORTERM": "truecolor", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **(environment or {})}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
            os.execvpe(command[0], command, variables)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    def read(self, seconds, until=None):
        """Reads for so long, or until `until(data)` holds; answers what came."""
        end, data = time.monotonic() + seconds, bytearray()
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.fd], [], [], left)[0]:
                break
            try:
                chunk = os.read(self.fd, 65536)
            except OSError:
                raise SystemExit(f"the program ended:\n{bytes(self.data[-2000:]).decode(errors='replace')}")
            if not chunk:
                break
            self.first = self.first or time.monotonic()
            self.last = time.monotonic()
            self.bytes += len(chunk)
            data += chunk
            self.data = (self.data + chunk)[-65536:]
            if until and until(data):
                break
        return bytes(data)

    def settle(self, quiet=0.3, most=10):
        """Reads until nothing comes for `quiet` seconds; answers what came."""
        end, data = time.monotonic() + most, b""
        while time.monotonic() < end:
            more = self.read(quiet)
            if not more:
                break
            data += more
        return data

    def keys(self, text):
        os.write(self.fd, text.encode())

    def processor(self):
        """Processor seconds of all its threads."""
        return sum(int(field(self.pid, task, "schedstat").split()[0]) for task in tasks(self.pid)) / 1e9

    def wakes(self):
        """How often its threads waited for something and went on."""
        status = (field(self.pid, task, "status") for task in tasks(self.pid))
        return sum(int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0]) for text in status)

    def memory(self):
        """Resident memory in MB."""
        with open(f"/proc/{self.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

    def close(self):
        """Ends it by its own pid."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                break
            for _ in range(200):
                # Who ends may want to say so; a terminal that does not read would hold it up.
                if select.select([self.fd], [], [], 0)[0]:
                    try:
                        os.read(self.fd, 65536)
                    except OSError:
                        pass
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    os.close(self.fd)
                    return
                time.sleep(0.01)


def tasks(pid):
    return os.listdir(f"/proc/{pid}/task")


def field(pid, task, name):
    try:
        with open(f"/proc/{pid}/task/{task}/{name}") as file:
            return file.read()
    except OSError:
        return "0 0 0\nvoluntary_ctxt_switches: 0"
