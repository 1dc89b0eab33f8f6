# Functions for wrappers that run a program on its node: POSIX sh. $leader is the program's pid.

clock() { # the time since boot in hundredths of a second: $now
    if read -r now _ </proc/uptime; then
        now=${now%.*}${now#*.}
        now=${now#0}
    else
        now=$(date +%s)00
    fi
} 2>/dev/null

tree() { # the program's descendants and the processes of its session: their pids in $found
    found=" $leader " more=1
    table=$(cat /proc/[0-9]*/stat) # `read` makes a system call for each character: seconds on a busy machine
    set -f
    while [ "$more" = 1 ]; do
        more=0
        IFS='
'
        for line in $table; do
            IFS=' '
            process=${line%% *}
            case $found in *" $process "*) continue ;; esac
            set -- ${line##*) }
            case $found in *" $2 "*) ;; *) [ "$4" = "$leader" ] || continue ;; esac
            found="$found$process " more=1
        done
    done
    set +f
    unset IFS
} 2>/dev/null

all() { # all SIGNAL: send it to every process of the program
    tree
    for process in $found; do kill -s "$1" "$process"; done
} 2>/dev/null
