#!/usr/bin/env python3
"""Records what programs print in a terminal of 80x24: one file NAME.stream each, beside this script.

    tests/streams/record.py [NAME ...]

Needs bash, coreutils, git, less, vim, top, python3 and node. Everything runs in a temporary directory as `dev`.
"""
import fcntl, os, pty, select, struct, subprocess, sys, tempfile, termios, time

HERE = os.path.dirname(os.path.abspath(__file__))
COLUMNS, ROWS = 80, 24
BUILD = r"""
for i in $(seq 1 40); do printf '\033[1m\033[32m   Compiling\033[0m part-%d v0.%d.1\r\n' $i $((i % 7))
printf '\033[1m\033[36m    Building\033[0m [%-20s] %d/40: part-%d\r' "$(printf '=%.0s' $(seq 1 $((i / 2 + 1))))>" $i $i; done
printf '\033[K\033[1m\033[33mwarning\033[0m\033[1m: unused variable: `x`\033[0m\r\n'
printf '  \033[1m\033[34m--> \033[0msrc/main.rs:3:9\r\n\033[1m\033[32m    Finished\033[0m `dev` profile in 12.34s\r\n'
"""
PROGRESS = r"""
for p in $(seq 0 5 100); do printf '\r%3d%%[%-50s] %6d  --.-KB/s' $p "$(printf '=%.0s' $(seq 1 $((p / 2 + 1))))>" $((p * 173)); done; echo
for n in 1 2 3; do echo "layer $n: waiting"; done
for p in 10 40 90; do printf '\033[3A'; for n in 1 2 3; do printf '\033[2K\rlayer %d: %d%%\r\n' $n $((p + n)); done; done
printf '\0337\033[1;23r\0338\033[1A'; for i in $(seq 1 30); do echo "Unpacking package-$i (1.$i) ..."
printf '\0337\033[24;0f\033[42m\033[30mProgress: [%3d%%]\033[49m\033[39m [%-40s] \0338' $((i * 3)) "$(printf '#%.0s' $(seq 1 $i))"; done
printf '\0337\033[1;24r\0338\033[1A\033[J'; echo done
"""
SPINNER = r"""
printf '\033[?25l'; for i in $(seq 1 30); do for f in ⠋ ⠙ ⠹ ⠸; do printf '\r\033[36m%s\033[39m resolving \033[2m(%d of 30)\033[22m\033[K' $f $i; done; done
printf '\r\033[32m✔\033[39m resolved 30 packages\033[K\033[?25h\n'
"""
SETUP = r"""
mkdir -p work/src work/docs work/bin && cd work && ln -s src link && echo '#!/bin/sh' > bin/run && chmod +x bin/run
for i in $(seq 1 60); do echo "line $i of a text with some words, and one that is longer than the screen is wide because less wraps it"; done > docs/long.txt
printf 'int main(void)\n{\n\treturn 0; /* comment */\n}\n' > src/main.c; touch src/größe.txt 'docs/日本語.md' a.tar.gz pic.png
git init -q -b main . && git add -A && git commit -qm 'The beginning' && git checkout -qb side && echo x > side && git add -A &&
git commit -qm 'On the side' && git checkout -q main && echo y > y && git add -A && git commit -qm 'Größe und 日本語' && git merge -q --no-edit side && git tag v1
"""
# The program, and what is typed into it, piece by piece.
STREAMS = {
    "ls": ("ls --color=always -la . src docs", []),
    "ls-columns": ("ls --color=always -C /usr/bin | head -60", []),
    "grep": ("grep --color=always -rn 'line 1' docs", []),
    "git-log": ("git -c color.ui=always log --graph --oneline --decorate --all", []),
    "git-log-pager": ("git -c color.ui=always -c core.pager='less -R' log --stat", ["G", "g", "q"]),
    "git-diff": ("git -c color.ui=always --no-pager diff v1~2 v1", []),
    "build": (BUILD, []),
    "progress": (PROGRESS, []),
    "spinner": (SPINNER, []),
    "less": ("less docs/long.txt", [" ", "/line 4\r", "n", "b", "G", "g", "jjj", "q"]),
    "less-open": ("less docs/long.txt", [" ", "j", "/of\r"]),
    "vim": ("vim -u NONE -N src/main.c", ["oputs(\"hi\");\x1b", "ggO// top\x1b", "yyp", "dd", "u", ":q!\r"]),
    "vim-open": ("vim -u NONE -N -c 'set nu hls' docs/long.txt", ["/line 2\r", "\x06", "5dd", ":split\r", "\x17j", "G"]),
    "vim-colours": ("vim -u NONE -N -c 'syntax on' -c 'set ls=2 cursorline' src/main.c", ["Go/* 日本 */\x1b", "V2k"]),
    "top": ("sleep 99 & top -d 0.4 -p $!", ["z"]),
    "python": ("python3 -q", ["1+1\r", "for i in range(30):\rprint('row', i)\r\r", "impo\x08\x08port sys\r", "'a'*100\r", "\x1b[A"]),
    "node": ("node", ["1+1\r", "[1,2,{a:'x'}]\r", "'ab'.\t", "\x15({}).x\r"]),
    "bash": ("PS1='\\[\\e[1;32m\\]dev\\[\\e[0m\\]:\\w$ ' bash --norc --noprofile -i",
             ["echo hello\r", "ls\r", "echo " + "long " * 20, "\x01\x0b", "clear\r", "echo 'größe 日本'\x08\x08\x08x'\r", "ls d\t\t"]),
    "man": ("MANPAGER='less -R' man ls 2>/dev/null || ls --help", ["q"]),
    "yes": ("yes 'a line that is printed again and again' | head -300", []),
}


def record(name, home):
    command, keys = STREAMS[name]
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(os.path.join(home, "work"))
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8", "TERM": "screen-256color", "PS1": "$ ",
               "LESSHISTFILE": "-", "NODE_REPL_HISTORY": "", "PYTHON_HISTORY": "/dev/null", "SHELL": "/bin/bash"}
        os.execvpe("bash", ["bash", "--norc", "-c", command], env)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    out = bytearray()

    def drain(seconds):
        until = time.time() + seconds
        while time.time() < until:
            if select.select([master], [], [], 0.05)[0]:
                try:
                    data = os.read(master, 65536)
                except OSError:
                    return
                if not data:
                    return
                out.extend(data)

    drain(1.0 if keys else 3.0)
    for piece in keys:
        os.write(master, piece.encode())
        drain(0.7)
    os.kill(pid, 9)
    os.close(master)
    os.waitpid(pid, 0)
    with open(os.path.join(HERE, name + ".stream"), "wb") as file:
        file.write(bytes(out[: 24 * 1024]))
    print(f"{name}: {len(out)} bytes")


def main():
    with tempfile.TemporaryDirectory(prefix="dev") as home:
        env = dict(os.environ, HOME=home, GIT_AUTHOR_NAME="Dev", GIT_AUTHOR_EMAIL="dev@example.com", GIT_COMMITTER_NAME="Dev",
                   GIT_COMMITTER_EMAIL="dev@example.com", GIT_AUTHOR_DATE="2026-01-02T03:04:05Z", GIT_COMMITTER_DATE="2026-01-02T03:04:05Z")
        subprocess.run(["bash", "-c", SETUP], cwd=home, env=env, check=True)
        for name in sys.argv[1:] or STREAMS:
            record(name, home)


main()
