# Shared by the scripts beside it: packages, processes, ports, and the count of what passed. Read with `.`, not run.
#
# Only processes started here are ended, by their ids. Tools that no Debian package brings go to a folder outside of the
# repository, and are found there the next time.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=${PINSTRIPE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/pinstripe-tools}
scratch=$(mktemp -d)
# Kept in a file, because servers are started in subshells too.
started=$scratch/started
: >"$started"
passed=0
failed=0
PATH=$PATH:$HOME/.cargo/bin

cleanup() {
    local pid
    while read -r pid; do kill -9 "$pid" 2>/dev/null || true; done <"$started"
    rm -rf "$scratch"
}
trap cleanup EXIT

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# need COMMAND PACKAGE...: installs the packages if the command is missing.
need() {
    local command=$1
    shift
    command -v "$command" >/dev/null && return
    echo "installing $*"
    as_root apt-get update -qq
    # A package's own service must not be started: the scripts start servers of their own, on ports of their own.
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# start DIR LOGFILE COMMAND...: starts a server on a free port and waits until it answers. Sets $port and $pid.
start() {
    local dir=$1 log=$2 tries=0
    shift 2
    port=$(free_port)
    mkdir -p "$dir"
    "$@" --port "$port" --dir "$dir" --save "" >>"$log" 2>&1 </dev/null &
    pid=$!
    disown "$pid"
    echo "$pid" >>"$started"
    until [ "$(redis-cli -p "$port" ping 2>/dev/null)" = PONG ]; do
        tries=$((tries + 1))
        if [ "$tries" -gt 600 ] || ! kill -0 "$pid" 2>/dev/null; then
            echo "the server did not start: $*" >&2
            tail -20 "$log" >&2
            return 1
        fi
        sleep 0.1
    done
}

# gone PID: waits until a process that was told to end has ended.
gone() {
    local tries=0
    while kill -0 "$1" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -le 300 ] || return 1
        sleep 0.1
    done
}

# An id is used once: after its process has ended it may become another's.
kill9() {
    kill -9 "$1" && gone "$1"
    sed -i "/^$1\$/d" "$started"
}

# check NAME COMMAND...: runs it; PASS if it ends well, else FAIL and what it said.
check() {
    local name=$1 out=$scratch/check.out
    shift
    # In a subshell with -e, so that the first wrong step of a function ends it; its status is read without `if`, which
    # would switch -e off.
    set +e
    (
        set -e
        "$@"
    ) >"$out" 2>&1
    local status=$?
    set -e
    if [ "$status" = 0 ]; then
        echo "PASS  $name"
        # What a check left out is never passed over in silence.
        grep 'not there:' "$out" | sed 's/^/      /' || true
        passed=$((passed + 1))
    else
        echo "FAIL  $name (exit $status)"
        tail -25 "$out" | sed 's/^/      /'
        failed=$((failed + 1))
    fi
}

# same EXPECTED GOT
same() { [ "$1" = "$2" ] || { echo "expected: $1"; echo "got:      $2"; return 1; }; }

totals() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
