# Runs one attempt inside its container: POSIX sh and coreutils. The prologue that upload.py writes before it defines the
# functions `create_inputs` (creates the input files) and `command` (execs the program), and sets:
#   mark            what each line for runner begins with
#   dir             a folder of the wrapper; $dir/payload holds this script and the inputs
#   root, workdir   where the program runs: $root/$workdir
#   output          the folder that is sent back
#   limit           the time limit, in hundredths of a second; empty for none
#   grace           time between TERM and KILL, in hundredths of a second
#   newer_than      if not empty: only output files newer than this file are sent
#   max_logged      bytes of stdout and stderr together that are sent
#   output_room     bytes of output files that may still be sent
# The format of the lines is documented in console.py. tree.sh provides `clock`, `tree` and `all`.

put() { # put SIZE MODE PATH: create the file from the next SIZE bytes of stdin; MODE x makes it executable
    mkdir -p "${3%/*}" || return
    if [ "$1" -eq 0 ]; then : >"$3"; else dd bs="$1" count=1 of="$3" 2>/dev/null; fi
    if [ "$2" = x ]; then chmod +x "$3"; fi
}

link() { # link TARGET PATH
    mkdir -p "${2%/*}" && ln -sfn -- "$1" "$2"
}

emit() { printf '\n%s:%s\n' "$mark" "$1"; }

size() { wc -c <"$1" | tr -d ' '; }

send() { # send KIND FILE FROM TO: print these bytes of the file, in lines with their offsets
    tail -c "+$(($3 + 1))" "$2" | head -c "$(($4 - $3))" | base64 -w 4000 | {
        at=$3
        while IFS= read -r line || [ -n "$line" ]; do
            printf '%s:%s:%d:%s\n' "$mark" "$1" "$at" "$line"
            at=$((at + 3000))
        done
    }
}

send_new() { # send what the program has written since the last call, up to $room bytes in all
    new=$(size "$dir/out")
    if [ $((new - out_sent)) -gt "$room" ]; then new=$((out_sent + room)); fi
    if [ "$new" -gt "$out_sent" ]; then
        send o "$dir/out" "$out_sent" "$new"
        room=$((room - new + out_sent)) out_sent=$new
    fi
    new=$(size "$dir/err")
    if [ $((new - err_sent)) -gt "$room" ]; then new=$((err_sent + room)); fi
    if [ "$new" -gt "$err_sent" ]; then
        send e "$dir/err" "$err_sent" "$new"
        room=$((room - new + err_sent)) err_sent=$new
    fi
}

send_rest() { # send_rest KIND FILE SENT SIZE: the unsent rest of a stream; if it is too long, only its last part
    from=$3
    if [ "$whole" = no ] && [ $(($4 - max_logged / 16)) -gt "$from" ]; then from=$(($4 - max_logged / 16)); fi
    if [ "$4" -gt "$from" ]; then send "$1" "$2" "$from" "$4"; fi
}

measure() { # keep the peak of the resident memory of all the program's processes, in KiB
    tree
    kib=0
    for process in $found; do
        while read -r name value _; do
            if [ "$name" = VmHWM: ]; then kib=$((kib + value)) && break; fi
        done <"/proc/$process/status"
    done
    if [ "$kib" -gt "$peak" ]; then peak=$kib; fi
} 2>/dev/null

oom_kills() { # print how many processes of this container the kernel has killed for lack of memory
    for events in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
        if [ -r "$events" ]; then
            while read -r name value; do
                if [ "$name" = oom_kill ]; then echo "$value"; fi
            done <"$events"
            return
        fi
    done
}

encoded() { printf %s "$1" | base64 -w 0; }

fits() { # fits SIZE: succeed if there is room for so many more bytes and the line of the entry
    if [ $(($1 + 300)) -gt "$output_room" ]; then
        omitted=$((omitted + 1))
        return 1
    fi
    output_room=$((output_room - $1 - 300))
}

send_outputs() { # send_outputs FOLDER PREFIX UP: send all below it that fits; UP is the relative path to $output
    for entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if [ -L "$entry" ]; then
            target=$(readlink "$entry")
            case $target in "$output"/*) target=$3${target#"$output"/} ;; esac
            fits 0 && emit "link:$(encoded "$2${entry##*/}"):$(encoded "$target")"
        elif [ -d "$entry" ]; then
            if [ -z "$(ls -A "$entry")" ]; then
                fits 0 && emit "dir:$(encoded "$2${entry##*/}")"
            else
                send_outputs "$entry" "$2${entry##*/}/" "../$3"
            fi
        elif [ -f "$entry" ] && ! { [ -n "$newer_than" ] && [ "$newer_than" -nt "$entry" ]; }; then
            new=$(size "$entry")
            fits "$new" || continue
            number=$((number + 1)) mode=-
            if [ -x "$entry" ]; then mode=x; fi
            emit "file:$number:$new:$mode:$(encoded "$2${entry##*/}")"
            send "f$number" "$entry" 0 "$new"
        fi
    done
}

launch() {
    cd "$root/$workdir" || exit 126
    command
}

run_program() { # run the program to its end in a child of the wrapper, and wake the wrapper
    launch </dev/null >"$dir/out" 2>"$dir/err" &
    echo $! >"$dir/leader.new" && mv "$dir/leader.new" "$dir/leader"
    wait $!
    code=$?
    times >"$dir/times"
    echo "$code" >"$dir/code.new" && mv "$dir/code.new" "$dir/code"
    kill -s USR1 $$
}

if ! { mkdir -p "$output" "$root" && create_inputs; }; then
    emit "end:code=126:why=broken:out=0:err=0:ran=0:cpu=:peak=0:oom=0:left=0"
    exit 126
fi
: >"$dir/inputs-created"
: >"$dir/out"
: >"$dir/err"
interrupts=0 why='' deadline='' leader='' peak=0 code='' tick=0.05
out_sent=0 err_sent=0 room=$((max_logged - max_logged / 8)) number=0 omitted=0
before=$(oom_kills)
trap : USR1
trap 'interrupts=$((interrupts + 1))' INT TERM
emit begin
clock
begun=$now
run_program &

while [ ! -e "$dir/code" ]; do
    sleep "$tick" &
    nap=$!
    wait "$nap"
    kill "$nap" 2>/dev/null
    if [ -z "$leader" ]; then
        if [ -e "$dir/leader" ]; then read -r leader <"$dir/leader"; else continue; fi
    fi
    clock
    measure
    if [ -z "$deadline" ]; then
        if [ -n "$limit" ] && [ $((now - begun)) -ge "$limit" ]; then why=timeout; fi
        if [ "$interrupts" -gt 0 ]; then why=asked; fi
        if [ -n "$why" ]; then
            all TERM
            deadline=$((now + grace))
        fi
    elif [ "$now" -ge "$deadline" ] || [ "$interrupts" -gt 1 ]; then
        all KILL
        if [ "$now" -ge $((deadline + 1000)) ]; then
            echo 137 >"$dir/code"  # it cannot be killed: it waits for a device or a file system
        fi
    fi
    [ -e "$dir/code" ] || send_new
    case $tick in
        0.05) tick=0.1 ;; 0.1) tick=0.2 ;; 0.2) tick=0.5 ;; *) tick=1 ;;
    esac
    if [ -n "$deadline" ]; then tick=0.2; fi
    if [ -n "$limit" ] && [ $((limit - now + begun)) -lt 100 ]; then tick=0.1; fi
done
clock
read -r code <"$dir/code"
out=$(size "$dir/out") err=$(size "$dir/err") whole=yes
if [ $((out - out_sent + err - err_sent)) -gt $((room + max_logged / 8)) ]; then send_new && whole=no; fi
send_rest o "$dir/out" "$out_sent" "$out"
send_rest e "$dir/err" "$err_sent" "$err"
send_outputs "$output" "" ""
oom=$(($(oom_kills) + 0 - ${before:-0}))
cpu=$(tail -n 1 "$dir/times" 2>/dev/null)
emit "end:code=$code:why=$why:out=$out:err=$err:ran=$((now - begun)):cpu=$cpu:peak=$peak:oom=$oom:left=$omitted"
exit "$code"
