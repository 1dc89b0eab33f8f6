# Runs the sessions of one array task, one after the other: POSIX sh and coreutils. The lines above it set:
#   dir              the array's folder
#   count            sessions in the array
#   pack             sessions in one task
#   per_file         tasks whose sessions are described in the same file: `tasks.0`, `tasks.1`, …
#   python, entry    for packs: an interpreter and its program, which run the task instead if they work on this node
#   size             bytes that the file `plans` has for each task
# Session N is described by the function `plan_N`. It sets `stdout`, `stderr`, `workdir`, `limit` (seconds that the session may
# run, or nothing) and `grace` (seconds between TERM and KILL), and defines the function `command`, which execs the program.
#
# Rules that this script and its twin in Python, pack/task.py, keep:
# 1. Session N+1 of a task starts only once session N has a record, the file `N.end`. The record is renamed into place: it is
#    complete as soon as it exists.
# 2. A session with a record runs only again if the record says `why=slurm`: Slurm ended the task and put it back into its queue.
# 3. To end session N, runner creates the mark `N.ask` and then sends USR1, or USR2 to end it without grace. The signal ends
#    session N only if N is running, and no other: where a session of the task is marked but not the running one, nothing
#    happens. Where none is marked, the signal is the user's (`scancel --signal`, `sbatch --signal`): the program gets it.
# 4. A session that is marked before it starts is not started, and is recorded as `why=asked`.
# 5. After TERM, which comes from Slurm, the running session is ended and no other is started.
# 6. sh takes over from Python only if Python has not started anything.

find_counters() { # the files in which the kernel counts this job's memory: $events and $peaks, empty where there are none
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

count_oom_kills() { # processes of this job that the kernel has ended for lack of memory: $oom, empty where it does not count
    oom=''
    [ -n "$events" ] || return 0
    while read -r name value; do
        if [ "$name" = oom_kill ]; then oom=$value; fi
    done <"$events"
} 2>/dev/null

read_cpu_ticks() { # processor time of the children that have ended: $ticks
    ticks=''
    read -r line </proc/$$/stat || return 0
    set -- ${line##*) }
    shift 13
    ticks=$(($1 + $2))
} 2>/dev/null

refresh_folder() { # opening the folder makes an NFS client look for new files; testing for a mark may not, for up to a minute
    true <"$dir"
} 2>/dev/null

task_is_marked() { # whether any session of this task is marked (rule 3)
    at=$((SLURM_ARRAY_TASK_ID * pack))
    while [ "$at" -lt "$end" ]; do
        if [ -e "$dir/$at.ask" ]; then return 0; fi
        at=$((at + 1))
    done
    return 1
}

end_session() { # end_session WHY: send TERM, and after the grace KILL
    signalled=1
    refresh_folder
    if [ "$1" = asked ] && [ ! -e "$dir/$index.ask" ]; then
        if [ -n "$leader" ] && ! task_is_marked; then all USR1; fi
        return 0
    fi
    if [ -n "$why" ]; then return 0; fi
    if [ -e "$dir/$index.ask" ]; then why=asked; else why=$1; fi
    if [ -z "$leader" ]; then return 0; fi
    all TERM
    signal_later "$grace" USR2 &
    kills=$!
}

end_without_grace() {
    signalled=1
    refresh_folder
    if [ -z "$why" ] && [ -e "$dir/$index.ask" ]; then why=asked; fi
    if [ -z "$leader" ]; then return 0; fi
    if [ -n "$why" ]; then all KILL; elif ! task_is_marked; then all USR2; fi
}

signal_later() { # signal_later SECONDS SIGNAL: send it to this script, and repeat it until this process is ended
    trap '' USR1 USR2 # a signal to all processes of the job does not stop the timer
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
    if [ "$2" = slurm ] && [ -e "$dir/$index.end" ]; then return; fi # it was started again on another node, which was faster
    count_oom_kills
    peak=''
    if [ -n "$peaks" ] && [ "$pack" -eq 1 ]; then read -r peak <"$peaks"; fi
    after=${ticks:-0}
    read_cpu_ticks
    clock
    printf 'code=%s why=%s ran=%s cpu=%s peak=%s oom=%s host=%s job=%s by=%s\n' "$1" "$2" "$((now - begun))" \
        "${ticks:+$((ticks - after))}" "$peak" "${oom:+$((oom - before))}" "${SLURMD_NODENAME:-}" \
        "$SLURM_ARRAY_JOB_ID" "${by:-}" >"$dir/$index.new" && mv -f "$dir/$index.new" "$dir/$index.end"
}

launch() {
    cd "$workdir" || exit 126
    command
}

run_session() { # its exit code: $code
    "plan_$index"
    why='' leader='' kills='' timer='' code=''
    clock
    begun=$now before=0
    if [ "$pack" -gt 1 ]; then # else nothing has been counted yet
        count_oom_kills
        before=${oom:-0}
        read_cpu_ticks
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
        signal_later "$limit" ALRM &
        timer=$!
    fi
    while :; do
        signalled='' last=$code
        wait "$leader"
        code=$?
        # After a signal, a second `wait` for a program that has ended returns 127: its code is the one of the first.
        if [ "$code" = 127 ] && [ -n "$last" ]; then code=$last; fi
        [ -n "$signalled" ] || break
    done
    leader=''
    # VTALRM: this script has no trap for it, so that a child that is still being forked does not lose it; and `nohup` does not
    # ignore it, as it does HUP, which no trap can undo. The timers end here, so that the next session does not get their signals.
    for pid in $timer $kills; do kill -s VTALRM "$pid" && wait "$pid"; done 2>/dev/null
    record "$code" "$why"
}

run_by_python() { # exits with the task's exit code, or returns if Python has not started anything (rule 6)
    if [ ! -e "$dir/plans" ]; then exit 125; fi
    trap '' USR1 USR2 # until Python handles them; runner repeats its signals
    "$python" -I -S "$entry" "$dir" "$size" "$SLURM_ARRAY_TASK_ID" 2>/dev/null &
    child=$!
    trap 'kill -s USR1 "$child"' USR1
    trap 'kill -s USR2 "$child"' USR2
    trap 'kill -s TERM "$child"' TERM
    while :; do
        wait "$child"
        status=$?
        kill -0 "$child" || break
    done 2>/dev/null
    case $status in
        1 | 2 | 126 | 127) by=sh ;; # Python did not start, or is too old
        *) exit "$status" ;;        # 0, or 70 for a fault on the way
    esac
}

if [ -n "${python:-}" ]; then run_by_python; fi
ticks=0
index=$((SLURM_ARRAY_TASK_ID * pack)) end=$((SLURM_ARRAY_TASK_ID * pack + pack)) why='' leader=''
if [ "$end" -gt "$count" ]; then end=$count; fi
trap 'end_session asked' USR1
trap end_without_grace USR2
trap 'end_session timeout' ALRM
trap 'end_session slurm' TERM
tasks=$dir/tasks.$((SLURM_ARRAY_TASK_ID / per_file))
if [ ! -r "$tasks" ]; then exit 125; fi
. "$tasks"
default=''
tried=$dir/env.${SLURMD_NODENAME:-} # exists if an earlier task on this node has found that its `env` knows the option
if [ -e "$tried" ] || { env --default-signal=INT true && true >"$tried"; } 2>/dev/null; then
    default=--default-signal=INT,QUIT
fi
setsid=''
if type setsid >/dev/null 2>&1; then setsid=setsid; fi
find_counters
while [ "$index" -lt "$end" ] && [ "$why" != slurm ]; do # rules 1, 2 and 5
    if [ ! -e "$dir/$index.end" ]; then
        run_session
    elif grep -q why=slurm "$dir/$index.end"; then
        rm -f "$dir/$index.end"
        run_session
    fi
    index=$((index + 1))
done
if [ "$pack" -gt 1 ]; then exit 0; fi
exit "${code:-0}"
