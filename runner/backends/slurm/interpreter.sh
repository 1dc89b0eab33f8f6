# For packs: has the interpreter that runs runner carry out the task, where this node can run it. What goes before it sets these:
#   python, entry    it, and what it shall run
#   size             bytes that `plans` in $dir has for each task
# Else this goes on below, and says so in each record.
knows=$dir/python.${SLURMD_NODENAME:-} # what the first task on a node has found out, the others need not
if [ ! -e "$dir/plans" ]; then exit 125; fi
if [ -e "$knows" ] || { "$python" -I -S "$entry" && true >"$knows"; } >/dev/null 2>&1; then
    trap '' USR1 USR2 # until it listens; whoever wants an end asks again
    exec "$python" -I -S "$entry" "$dir" "$size" "$SLURM_ARRAY_TASK_ID"
fi
by=sh
