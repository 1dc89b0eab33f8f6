# Sourced by `up` and `down`: the cluster's folder, and functions for its processes.
# shellcheck shell=bash
cluster=${RUNNER_CLUSTER_DIR:-/tmp/runner-backendai}   # must be short: it contains unix sockets
export DOCKER_HOST=unix://$cluster/run/docker.sock

# A pid file holds "PID STARTTIME", so that a reused pid is not mistaken for the process.
starttime() { awk '{sub(/.*\) /, ""); print $20}' "/proc/$1/stat" 2>/dev/null || true; }

alive() { # NAME
    local pid started
    [ -f "$cluster/run/$1.pid" ] && read -r pid started <"$cluster/run/$1.pid" &&
        [ -n "$started" ] && [ "$(starttime "$pid")" = "$started" ]
}

start() { # NAME COMMAND…
    local name=$1
    shift
    ! alive "$name" || return 0
    (cd "$cluster" && exec setsid "$@" >>"$cluster/log/$name.log" 2>&1 </dev/null 9>&-) &
    echo "$! $(starttime $!)" >"$cluster/run/$name.pid"
}

stop() { # NAME SECONDS [SIGNAL]: send the signal (TERM), and after so many seconds kill the process group
    local pid started tries=$(($2 * 10))
    if alive "$1"; then
        read -r pid started <"$cluster/run/$1.pid"
        kill -"${3:-TERM}" "$pid"
        while alive "$1" && ((tries-- > 0)); do sleep 0.1; done
        kill -KILL -- "-$pid" 2>/dev/null
    fi
    rm -f "$cluster/run/$1.pid"
}
