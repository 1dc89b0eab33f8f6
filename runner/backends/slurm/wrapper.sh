# Carries out the sessions of one array task, one after the other: POSIX sh and coreutils. What goes before it sets these:
#   dir              the array's folder
#   count            sessions in it
#   pack             sessions in one task
#   per_file         tasks whose sessions have their blocks in the same file, `tasks.0` and so on there
# The block of session N defines the function `plan_N`, which sets `stdout`, `stderr`, `workdir`, `limit` (seconds it may run,
# or nothing) and `grace` (seconds between TERM and KILL), and defines the function `command` (execs the program).
#
# A session that shall end is marked by a file `N.ask`, and then this script is sent USR1; USR2 hurries it. Unmarked, both are
# passed on. How a session ended is in `N.end`, from the moment that this file exists.

counters() { # where the kernel counts this job's memory: $events and $peaks, nothing where it cannot be told
    events='' peaks=''
    while IFS=: read -r _ controllers path; do
        case ,$controllers, in
            *,memory,*) events=/sys/fs/cgroup/memory$path/memory.oom_control peaks=/sys/fs/cgroup/memory$path/memory.max_usage_in_bytes ;;
            ,,) [ -n "$events" ] || events=/sys/fs/cgroup$path/memory.events peaks=/sys/fs/cgroup$path/memory.peak ;;
        esac
    done </proc/self/cgroup
    [ -r "$events" ] || events=''
    [ -r "$peaks" ] || peaks=''
} 2>/dev/null

killed() { # how often the kernel has ended a process of this job for want of memory: $oom
    oom=''
    [ -n "$events" ] || return 0
    while read -r name value; do
        if [ "$name" = oom_kill ]; then oom=$value; fi
    done <"$events"
} 2>/dev/null

processor() { # the ticks that ended children have used: $ticks
    ticks=''
    read -r line </proc/$$/stat || return 0
    set -- ${line##*) }
    shift 13
    ticks=$(($1 + $2))
} 2>/dev/null

afresh() { # have an NFS client ask for what is in the folder: opening it does that, looking for a mark may not for a minute
    true <"$dir"
} 2>/dev/null

meant() { # whether a session of this task is to end: then it is runner that signals, and not for this one
    at=$((SLURM_ARRAY_TASK_ID * pack))
    while [ "$at" -lt "$end" ]; do
        if [ -e "$dir/$at.ask" ]; then return 0; fi
        at=$((at + 1))
    done
    return 1
}

ask() { # ask WHY: TERM, and after the grace KILL
    signalled=1
    afresh
    if [ "$1" = asked ] && [ ! -e "$dir/$index.ask" ]; then
        if [ -n "$leader" ] && ! meant; then all USR1; fi # not ours: a checkpoint, `sbatch --signal=USR1`
        return 0
    fi
    if [ -n "$why" ]; then return 0; fi
    if [ -e "$dir/$index.ask" ]; then why=asked; else why=$1; fi
    if [ -z "$leader" ]; then return 0; fi
    all TERM
    later "$grace" USR2 &
    kills=$!
}

hurry() {
    signalled=1
    afresh
    if [ -z "$why" ] && [ -e "$dir/$index.ask" ]; then why=asked; fi
    if [ -z "$leader" ]; then return 0; fi
    if [ -n "$why" ]; then all KILL; elif ! meant; then all USR2; fi
}

later() { # later SECONDS SIGNAL: send it to this script, and again until it is heard
    trap '' USR1 USR2 # whoever signals all that belongs to the job shall not stop the clock
    trap 'kill "$nap"; exit' VTALRM
    sleep "$1" &
    nap=$!
    wait "$nap"
    while kill -s "$2" $$; do
        sleep 1 &
        nap=$!
        wait "$nap"
    done
} 2>/dev/null

record() { # record CODE WHY
    if [ "$2" = slurm ] && [ -e "$dir/$index.end" ]; then return; fi # begun anew on another node, which has been faster
    killed
    peak=''
    if [ -n "$peaks" ] && [ "$pack" -eq 1 ]; then read -r peak <"$peaks"; fi
    after=${ticks:-0}
    processor
    clock
    printf 'code=%s why=%s ran=%s cpu=%s peak=%s oom=%s host=%s job=%s by=%s\n' "$1" "$2" "$((now - begun))" \
        "${ticks:+$((ticks - after))}" "$peak" "${oom:+$((oom - before))}" "${SLURMD_NODENAME:-}" \
        "$SLURM_ARRAY_JOB_ID" "${by:-}" >"$dir/$index.new" && mv -f "$dir/$index.new" "$dir/$index.end"
}

launch() {
    cd "$workdir" || exit 126
    command
}

session() { # its exit code in $code
    "plan_$index"
    why='' leader='' kills='' timer='' code=''
    clock
    begun=$now before=0
    if [ "$pack" -gt 1 ]; then # else nothing has been counted yet
        killed
        before=${oom:-0}
        processor
    fi
    if [ -e "$dir/$index.ask" ]; then
        record '' asked
        return
    fi
    if ! { true >"$stdout" && true >"$stderr"; } 2>/dev/null; then
        code=126
        record $code broken
        return
    fi
    launch </dev/null >"$stdout" 2>"$stderr" &
    leader=$!
    if [ -n "$limit" ]; then
        later "$limit" ALRM &
        timer=$!
    fi
    while :; do
        signalled='' last=$code
        wait "$leader"
        code=$?
        # Asked again for what it has told already, it knows no more.
        if [ "$code" = 127 ] && [ -n "$last" ]; then code=$last; fi
        [ -n "$signalled" ] || break
    done
    leader=''
    # VTALRM, because this script has no trap for it, as such a signal is lost on a child that is still being forked, and
    # because nobody ignores it, as `nohup` does HUP, which no trap can undo. None of them is alive when the next session begins,
    # which would get their signals.
    for pid in $timer $kills; do kill -s VTALRM "$pid" && wait "$pid"; done 2>/dev/null
    record "$code" "$why"
}

ticks=0
index=$((SLURM_ARRAY_TASK_ID * pack)) end=$((SLURM_ARRAY_TASK_ID * pack + pack)) why='' leader=''
if [ "$end" -gt "$count" ]; then end=$count; fi
trap 'ask asked' USR1
trap hurry USR2
trap 'ask timeout' ALRM
trap 'ask slurm' TERM
tasks=$dir/tasks.$((SLURM_ARRAY_TASK_ID / per_file))
if [ ! -r "$tasks" ]; then exit 125; fi
. "$tasks"
default=''
knows=$dir/env.${SLURMD_NODENAME:-} # what the first task on a node has found out, the others need not
if [ -e "$knows" ] || { env --default-signal=INT true && true >"$knows"; } 2>/dev/null; then
    default=--default-signal=INT,QUIT
fi
setsid=''
if type setsid >/dev/null 2>&1; then setsid=setsid; fi
counters
while [ "$index" -lt "$end" ] && [ "$why" != slurm ]; do
    # Put back into the queue, a task goes on where it was ended.
    if [ ! -e "$dir/$index.end" ]; then
        session
    elif grep -q why=slurm "$dir/$index.end"; then
        rm -f "$dir/$index.end"
        session
    fi
    index=$((index + 1))
done
if [ "$pack" -gt 1 ]; then exit 0; fi
exit "${code:-0}"
