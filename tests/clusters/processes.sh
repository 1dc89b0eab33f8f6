# Sourced by the scripts of a cluster, which set $cluster: starts and stops daemons, and keeps their pids in $cluster/run.
# shellcheck shell=bash

# A pid file holds "PID STARTTIME", so that a reused pid does not count as the daemon.
starttime() { awk '{sub(/.*\) /, ""); print $20}' "/proc/$1/stat" 2>/dev/null || true; }

alive() { # NAME
    local pid started
    [ -f "$cluster/run/$1.pid" ] && read -r pid started <"$cluster/run/$1.pid" &&
        [ -n "$started" ] && [ "$(starttime "$pid")" = "$started" ]
}

start() { # NAME COMMAND…: starts it unless it runs
    local name=$1
    shift
    ! alive "$name" || return 0
    (cd "$cluster" && exec setsid "$@" >>"$cluster/log/$name.log" 2>&1 </dev/null 9>&-) &
    echo "$! $(starttime $!)" >"$cluster/run/$name.pid"
}

stop() { # NAME SECONDS [SIGNAL]: sends the signal, and after so many seconds kills the daemon's process group
    local pid started tenths=$(($2 * 10))
    if alive "$1"; then
        read -r pid started <"$cluster/run/$1.pid"
        kill -"${3:-TERM}" "$pid"
        while alive "$1" && ((tenths-- > 0)); do sleep 0.1; done
        kill -KILL -- "-$pid" 2>/dev/null
    fi
    rm -f "$cluster/run/$1.pid"
}
