# For packs: has the interpreter that runs runner carry out the task. What goes before this sets:
#   python, entry    it, and what it shall run
#   size             bytes that `plans` in $dir has for each task
# It ends with 0, or with 70 where it broke down on the way. Where this node cannot run it, sh goes on below, and each record says so.

if [ ! -e "$dir/plans" ]; then exit 125; fi
trap '' USR1 USR2 # until it listens; whoever wants an end asks again
"$python" -I -S "$entry" "$dir" "$size" "$SLURM_ARRAY_TASK_ID" 2>/dev/null &
carrier=$!
trap 'kill -s USR1 "$carrier"' USR1
trap 'kill -s USR2 "$carrier"' USR2
trap 'kill -s TERM "$carrier"' TERM
while :; do
    wait "$carrier"
    status=$?
    kill -0 "$carrier" || break
done 2>/dev/null
case $status in
    1 | 2 | 126 | 127) by=sh ;;
    *) exit "$status" ;;
esac
