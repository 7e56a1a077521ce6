#!/bin/sh
# aurora's shim: `aurora agent exec` for a host without the binary, in POSIX sh, awk and the usual tools.
# The journal is a directory a job: `mkdir` accepts it, a link starts it, `mv` ends it. Each happens once.
set -u
umask 077
LC_ALL=C PATH=${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/bin:/bin
export LC_ALL PATH

version=1
keep=1048576 piece=49152
spool=${AURORA_SHIM_SPOOL:-${HOME:-/nonexistent}/.local/state/aurora-shim}

fail() { printf 'aurora shim: %s\n' "$1" >&2; exit 1; }
now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
boot() { cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo unknown; }
# When a process began, so that its number is not taken for another's.
began() { awk '{ sub(/^.*\) /, ""); print $20 }' "/proc/$1/stat" 2>/dev/null || echo 0; }
size() { wc -c <"$1" 2>/dev/null | tr -d ' ' || echo 0; }
# A file in place, whole or not at all; never over another.
put() { cat >"$1.$$" && sync && ln "$1.$$" "$1" 2>/dev/null; put_status=$?; rm -f "$1.$$"; return $put_status; }
say() { printf '%s %s\n' "$mark" "$(printf '%s' "$1" | base64 | tr -d '\n=' | tr '+/' '-_')"; }
state() { say "{\"state\":{\"id\":\"$q_id\",\"journal\":$1}}"; }
refused() { say "{\"refused\":{\"id\":\"$q_id\",\"rule\":\"$1\",\"reason\":\"$2\"}}"; }
trouble() { say "{\"trouble\":{\"id\":null,\"reason\":\"$1\"}}"; }
goodbye() { say "{\"goodbye\":{\"rule\":\"$1\",\"reason\":\"$2\"}}"; exit 0; }

# Reads the letter, and prints what it says as assignments for this shell. Every value stands in single quotes.
read_letter() {
    awk -v planfile="$1" '
    function die() { bad = 1; exit 1 }
    function quoted(s) { gsub(/\047/, "\047\\\047\047", s); return "\047" s "\047" }
    function blank() { while (substr(text, at, 1) ~ /[ \t\r\n]/) at++ }
    function string(   out, c, hex, n) {
        if (substr(text, at, 1) != "\"") die()
        at++; out = ""
        while (1) {
            if (match(substr(text, at, 512), /^[^"\\]+/)) { out = out substr(text, at, RLENGTH); at += RLENGTH }
            c = substr(text, at, 1)
            if (c == "") die()
            if (c == "\"") { at++; return out }
            if (c != "\\") continue
            c = substr(text, at + 1, 1); at += 2
            if (c == "n") out = out "\n"
            else if (c == "t") out = out "\t"
            else if (c == "r") out = out "\r"
            else if (c == "b") out = out "\b"
            else if (c == "f") out = out "\f"
            else if (c == "\"" || c == "\\" || c == "/") out = out c
            else if (c == "u") {
                hex = tolower(substr(text, at, 4)); at += 4
                if (hex !~ /^00[01][0-9a-f]$/ || hex == "0000") die()
                n = 16 * substr(hex, 3, 1) + index("0123456789abcdef", substr(hex, 4, 1)) - 1
                out = out sprintf("%c", n)
            } else die()
        }
    }
    function value(path, depth,   c, i, key, from) {
        if (depth > 12) die()
        blank(); from = at; c = substr(text, at, 1)
        if (c == "{") {
            at++; blank()
            if (substr(text, at, 1) == "}") { at++ } else while (1) {
                blank(); key = string(); blank()
                if (key !~ /^[A-Za-z_][A-Za-z0-9_-]*$/ && path != "1.run.plan.args") die()
                if (substr(text, at, 1) != ":") die()
                at++
                if ((path "." key) in seen) die()
                seen[path "." key] = 1
                value(path "." key, depth + 1); blank()
                c = substr(text, at, 1); at++
                if (c == "}") break
                if (c != ",") die()
            }
            if (path == "1.run.plan") printf "%s", substr(text, from, at - from) > planfile
        } else if (c == "[") {
            at++; i = 0; blank()
            if (substr(text, at, 1) == "]") { at++ } else while (1) {
                value((path == "") ? i : path "." i, depth + 1); i++; blank()
                c = substr(text, at, 1); at++
                if (c == "]") break
                if (c != ",") die()
            }
        } else if (c == "\"") { leaf(path, string()) }
        else if (match(substr(text, at, 40), /^(-?[0-9]+|true|false|null)/)) {
            c = substr(text, at, RLENGTH); at += RLENGTH; leaf(path, c)
        } else die()
    }
    function leaf(path, v,   n) {
        if (path ~ /^0\.hello\./) { sub(/^0\.hello\./, "", path); if (path ~ /^(version|engine|epoch|host)$/) set["hello_" path] = v; return }
        if (path ~ /^1\.run\.plan\.argv\.[0-9]+$/) { argv = argv " " quoted(v); return }
        if (path ~ /^1\.run\.plan\.env\./) { sub(/^1\.run\.plan\.env\./, "", path); if (path ~ /-/) die(); env = env " " quoted(path "=" v); return }
        if (path == "1.run.plan.cwd") { if (v != "null") set["cwd"] = v; return }
        if (path == "1.run.plan.timeout_ms") { set["timeout_ms"] = v; return }
        if (path == "1.run.plan.host") { set["plan_host"] = v; return }
        if (path ~ /^1\.run\.(plan|engine|epoch)/) return
        if (path ~ /^1\.(watch|drive)\./) { set["kind"] = "panes"; return }
        if (path ~ /^1\.(probe|run|query|cancel|fin)\.(nonce|id|hash|not_after|from|follow|grace_ms|epoch)$/) {
            n = split(path, part, "."); set["kind"] = part[2]; set[part[3]] = v; return
        }
        die()
    }
    { text = text $0 }
    END {
        if (bad) exit 1
        at = 1; value("", 0); blank()
        if (bad || at <= length(text)) exit 1
        for (name in set) printf "q_%s=%s\n", name, quoted(set[name])
        printf "q_argv=%s\nq_env=%s\nq_whole=1\n", quoted(argv), quoted(env)
    }'
}

only() { case $2 in '' | *[!$1]*) return 1 ;; esac; }

# How far a job is, by its directory.
journal() {
    if [ ! -d "$dir" ]; then printf '"absent"'
    elif [ -f "$dir/result" ]; then cat "$dir/result"
    elif [ -f "$dir/started" ]; then
        read -r pid start born at <"$dir/started"
        if [ "$born" = "$(boot)" ] && kill -0 "$pid" 2>/dev/null && [ "$start" = "$(began "$pid")" ]; then
            printf '{"started":{"pid":%s,"at":"%s"}}' "$pid" "$at"
        elif [ -f "$dir/result" ]; then cat "$dir/result"
        else printf '{"unknown":{"reason":"it was started, and whoever ran it is gone without a word"}}'
        fi
    else printf '"accepted"'
    fi
}

is_over() { case $1 in '{"started"'* | '"accepted"') return 1 ;; esac; }

# Ends a job that never started.
not_run() { printf '{"not-run":{"rule":"%s","reason":"%s"}}' "$1" "$2" | put "$dir/result"; }

pieces() {
    stream=$1 file=$dir/$1 count=0
    length=$(size "$file")
    while [ $((count * piece)) -lt "${length:-0}" ]; do
        if [ "$seq" -ge "$q_from" ]; then
            bytes=$(dd if="$file" bs=$piece skip=$count count=1 2>/dev/null | base64 | tr -d '\n')
            say "{\"output\":{\"id\":\"$q_id\",\"chunk\":{\"seq\":$seq,\"stream\":\"$stream\",\"bytes\":\"$bytes\"}}}"
        fi
        seq=$((seq + 1)) count=$((count + 1))
    done
}

# What it wrote comes before its end is told.
tell() {
    far=$(journal)
    case $far in '{"done"'*) seq=0; pieces out; pieces err ;; esac
    state "$far"
}

launch() { setsid sh "$self" agent runner "$dir" </dev/null >/dev/null 2>&1 & }

order() {
    only 0-9 "${q_timeout_ms:-}" && only 0-9a-f "${q_hash:-}" && only 'A-Za-z0-9_-' "${q_nonce:-}" && [ -n "$q_argv" ] ||
        { trouble 'an order lacks what it needs'; return; }
    only '0-9TZ:.-' "${q_not_after:-}" || { trouble 'a deadline cannot be read'; return; }
    [ "$q_plan_host" = "$q_hello_host" ] || { refused host 'the plan is for another host'; return; }
    seen=$( (printf 'aurora plan 1\n'; cat "$plan") | sha256sum | cut -d' ' -f1)
    [ "$seen" = "$q_hash" ] || { refused conflict 'the plan is not the one whose hash was sent'; return; }
    if mkdir "$dir" 2>/dev/null || [ -d "$dir" ]; then :; else trouble 'the journal cannot be written'; return; fi
    {
        printf '# %s\nq_timeout_ms=%s\nq_not_after=%s\n' "$q_hash" "$q_timeout_ms" "$q_not_after"
        # The letter is data; what stands here was quoted by this script, and is quoted once more by printf's reader.
        printf 'q_argv=%s\nq_env=%s\nq_cwd=%s\n' "$(requote "$q_argv")" "$(requote "$q_env")" "$(requote "${q_cwd:-}")"
    } | put "$dir/req"
    read -r sharp have <"$dir/req" 2>/dev/null || { trouble 'the journal cannot be written'; return; }
    [ "$sharp$have" = "#$q_hash" ] || { refused conflict 'another plan has this id already'; return; }
    far=$(journal)
    case $far in '"accepted"') launch ;; esac
    tries=0
    while far=$(journal) && [ "$far" = '"accepted"' ] && [ $tries -lt 20 ]; do sleep 0.1 2>/dev/null || sleep 1; tries=$((tries + 1)); done
    # Whoever wants the end asks for it.
    state "$far"
}

requote() { printf "'"; printf '%s' "$1" | sed "s/'/'\\\\''/g"; printf "'"; }

cancel() {
    [ -d "$dir" ] || { state '"absent"'; return; }
    printf '0 0 %s %s\n' "$(boot)" "$(now)" | put "$dir/started" && not_run cancelled 'it was cancelled before it started'
    if ! is_over "$(journal)"; then
        : >"$dir/cancelled"
        tries=0
        while [ ! -f "$dir/child" ] && [ $tries -lt 3 ]; do sleep 1; tries=$((tries + 1)); done
        child=$(cat "$dir/child" 2>/dev/null || echo 0)
        stop "$child" "$(((${q_grace_ms:-0} + 999) / 1000))"
        tries=0
        while ! is_over "$(journal)" && [ $tries -lt 5 ]; do sleep 1; tries=$((tries + 1)); done
    fi
    tell
}

# The processes of a group that have not ended.
group() { cat /proc/[0-9]*/stat 2>/dev/null | awk -v group="$1" '{ pid = $1; sub(/^.*\) /, ""); if ($3 == group && $1 != "Z") print pid }'; }

# TERM for the whole process group, and KILL after so many seconds.
stop() {
    [ "$1" -gt 1 ] || return 0
    kill -TERM "-$1" 2>/dev/null
    waited=0
    while [ -n "$(group "$1")" ] && [ $waited -lt "$2" ]; do sleep 1; waited=$((waited + 1)); done
    kill -KILL "-$1" 2>/dev/null
}

# Runs one job, in a session of its own.
runner() {
    dir=$1
    . "$dir/req" || exit 1
    # The second of the deadline itself is too late already.
    if awk -v now="$(now)" -v end="$q_not_after" 'BEGIN { exit !(substr(now, 1, 19) >= substr(end, 1, 19)) }'; then
        printf '0 0 %s %s\n' "$(boot)" "$(now)" | put "$dir/started" && not_run expired 'its deadline had passed when its turn came'
        exit
    fi
    started=$(now)
    printf '%s %s %s %s\n' "$$" "$(began $$)" "$(boot)" "$started" | put "$dir/started" || exit 0
    mkfifo "$dir/out.pipe" "$dir/err.pipe" || exit 1
    for stream in out err; do
        { head -c $keep >"$dir/$stream"; wc -c | tr -d ' ' >"$dir/$stream.more"; } <"$dir/$stream.pipe" &
        eval "reader_$stream=$!"
    done
    eval "set -- $q_argv"
    eval "set -- env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=\"\${HOME:-/}\" LANG=C.UTF-8 $q_env \"\$@\""
    if [ -n "$q_cwd" ]; then cd -- "$q_cwd" 2>/dev/null || { cd / && set -- sh -c 'echo "aurora shim: no such directory" >&2; exit 127'; }
    elif ! cd -- "${HOME:-/}" 2>/dev/null; then cd / || exit 1; fi
    setsid "$@" </dev/null >"$dir/out.pipe" 2>"$dir/err.pipe" &
    child=$!
    echo "$child" >"$dir/child.tmp" && mv "$dir/child.tmp" "$dir/child"
    (
        trap 'kill "$nap"; exit' TERM
        sleep $(((q_timeout_ms + 999) / 1000)) &
        nap=$!
        wait "$nap"
        : >"$dir/late"
        stop "$child" 2
    ) &
    watch=$!
    wait "$child"
    status=$?
    [ -f "$dir/late" ] || [ -f "$dir/cancelled" ] || kill "$watch" 2>/dev/null
    # A process that goes on may hold its output open for ever.
    tries=0
    while { kill -0 "$reader_out" || kill -0 "$reader_err"; } 2>/dev/null && [ $tries -lt 2 ]; do sleep 1; tries=$((tries + 1)); done
    short=null
    [ ! -f "$dir/late" ] || short='"its time was over"'
    [ ! -f "$dir/cancelled" ] || { short='"it was cancelled"'; stop "$child" 0; }
    [ ! -f "$dir/late" ] || stop "$child" 0
    left=$(group "$child" | tr '\n' ',')
    end="{\"exit\":$status}"
    [ $status -le 128 ] || end="{\"signal\":$((status - 128))}"
    out_more=$(cat "$dir/out.more" 2>/dev/null) err_more=$(cat "$dir/err.more" 2>/dev/null)
    cut=$((${out_more:-0} + ${err_more:-0}))
    sum=$(cat "$dir/out" "$dir/err" | sha256sum | cut -d' ' -f1)
    printf '{"done":{"end":%s,"started":"%s","ended":"%s","output":{"out":%s,"err":%s,"cut":%s},"sha256":"%s","cut_short":%s,"left":[%s]}}' \
        "$end" "$started" "$(now)" $(($(size "$dir/out") + ${out_more:-0})) $(($(size "$dir/err") + ${err_more:-0})) \
        "$cut" "$sum" "$short" "${left%,}" >"$dir/result.tmp"
    sync
    mv "$dir/result.tmp" "$dir/result"
    sync
    rm -f "$dir/out.pipe" "$dir/err.pipe"
}

self=$0
case $self in */*) ;; *) self=$(command -v -- "$self") || fail 'it does not find itself' ;; esac
[ "${1:-}" != --config ] || shift 2
[ "${1:-}" = agent ] || fail 'this is the shim; it knows `agent exec` only, so use the layer `exec`'
shift
case ${1:-} in
runner) runner "$2"; exit ;;
exec) shift ;;
*) fail 'this is the shim; it knows `agent exec` only, so use the layer `exec`' ;;
esac
b64= mark= id=
while [ $# -ge 2 ]; do
    case $1 in
    --id) id=$2 ;;
    --b64) b64=$2 ;;
    --mark) mark=$2 ;;
    *) fail "it does not know the option $1" ;;
    esac
    shift 2
done
only 0-9a-f "$id" && only a-z0-9 "$mark" && only 'A-Za-z0-9_=-' "$b64" || fail 'expected --id HEX --b64 LETTER --mark WORD'
echo

for tool in awk base64 sha256sum setsid mkfifo dd head ln sync date; do
    command -v $tool >/dev/null 2>&1 || goodbye tools "the host has no $tool"
done
for other in /var/lib/aurora/spool "${HOME:-/nonexistent}/.local/state/aurora/spool"; do
    [ ! -e "$other/SPOOL_ID" ] || goodbye spool 'this host has the journal of an agent; a job could be started in both, so use its agent'
done
mkdir -p "$spool/jobs" 2>/dev/null || [ -w "$spool/jobs" ] || goodbye spool 'the journal cannot be written'
if [ ! -f "$spool/SPOOL_ID" ]; then
    printf 'spl_%s\n' "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" | put "$spool/SPOOL_ID"
fi
read -r spool_id <"$spool/SPOOL_ID"

plan=$spool/plan.$$
trap 'rm -f "$plan"' EXIT
q_whole=0 q_kind= q_id= q_from=0 q_follow=false q_argv= q_env= q_hello_version= q_hello_host= q_hello_epoch=0 q_plan_host=
pad=$b64
while [ $((${#pad} % 4)) -ne 0 ]; do pad=$pad=; done
letter=$(printf '%s' "$pad" | tr -- '-_' '+/' | base64 -d 2>/dev/null | read_letter "$plan") && eval "$letter"
[ "$q_whole" = 1 ] || goodbye letter 'the letter cannot be read'
[ "$q_hello_version" = "$version" ] || goodbye version "the shim speaks version $version; send it anew with: aurora host install --shim"
only 0-9 "$q_hello_epoch" && only 0-9 "$q_from" || goodbye letter 'the letter cannot be read'

load=$(awk '{ printf "%d", $1 * 100 }' /proc/loadavg 2>/dev/null)
say "{\"welcome\":{\"version\":$version,\"aurora\":\"shim 1\",\"spool\":\"$spool_id\",\"boot\":\"$(boot)\",\"clock\":\"$(now)\",\"epoch\":0,\"lost\":[\"no whitelist of its own: what the engine orders runs\",\"no fencing: an engine of an older term is served too\",\"no streaming: output comes when the command is over, the first MiB of each stream\",\"no proof that every process has ended: one that leaves its session goes on\",\"a status above 128 is told as a signal\",\"jobs stay in the journal until somebody removes them\"]}}"
dir=
case $q_id in job_*) only 0-9a-f "${q_id#job_}" && [ ${#q_id} -eq 36 ] && dir=$spool/jobs/${q_id#job_} ;; esac
case $q_kind in
probe)
    only 0-9 "$q_nonce" || q_nonce=0
    running=0
    for started in "$spool"/jobs/*/started; do [ ! -f "$started" ] || [ -f "${started%started}result" ] || running=$((running + 1)); done
    say "{\"alive\":{\"nonce\":$q_nonce,\"clock\":\"$(now)\",\"load_percent\":${load:-null},\"running\":$running}}"
    exit
    ;;
run | query | cancel | fin) [ -n "$dir" ] || goodbye letter 'the letter names no job' ;;
panes) goodbye panes 'panes need the binary on the host: aurora host install' ;;
*) goodbye letter 'the letter asks nothing' ;;
esac
case $q_kind in
run) order ;;
query)
    while [ "$q_follow" = true ] && ! is_over "$(journal)"; do sleep 0.3 2>/dev/null || sleep 1; done
    tell
    ;;
cancel)
    only 0-9 "${q_grace_ms:-}" || q_grace_ms=5000
    cancel
    ;;
fin) ;;
esac
