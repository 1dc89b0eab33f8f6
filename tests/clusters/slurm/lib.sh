# Sourced by `up` and `down`: where the cluster lives, and the processes that belong to it.
# shellcheck shell=bash
cluster=${RUNNER_SLURM_DIR:-/tmp/runner-slurm} # keep it short: unix sockets lie below it
export SLURM_CONF=$cluster/etc/slurm.conf

# A pid file holds "PID STARTTIME", so that a reused pid is never taken for ours.
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

stop() { # NAME SECONDS [SIGNAL]: ask, and after so many seconds kill it
    local pid started patience=$(($2 * 10))
    if alive "$1"; then
        read -r pid started <"$cluster/run/$1.pid"
        kill -"${3:-TERM}" "$pid"
        while alive "$1" && ((patience-- > 0)); do sleep 0.1; done
        kill -KILL "$pid" 2>/dev/null
    fi
    rm -f "$cluster/run/$1.pid"
}
