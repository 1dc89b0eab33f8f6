# Carries out one attempt inside its container: POSIX sh and coreutils. What goes before it in the script that is run
# sets these, and defines the functions `files` (lays out the inputs) and `command` (execs the program):
#   mark      begins each line that is meant for runner
#   dir       our own folder;  output: what is brought back;  root, workdir: where the program runs
#   limit     seconds it may run, or nothing;  grace: seconds between TERM and KILL
#   since     a file: what is older than it is not brought back;  or nothing
#   most      bytes of stdout and stderr together, brought_back: bytes of output, that are sent

put() { # put SIZE MODE PATH: the next SIZE bytes of stdin are that file
    mkdir -p "${3%/*}" || return
    if [ "$1" -eq 0 ]; then : >"$3"; else dd bs="$1" count=1 of="$3" 2>/dev/null; fi
    if [ "$2" = x ]; then chmod +x "$3"; fi
}

link() { # link TARGET PATH
    mkdir -p "${2%/*}" && ln -sfn -- "$1" "$2"
}

say() { printf '\n%s:%s\n' "$mark" "$1"; }

clock() { # now, in hundredths of a second
    if read -r now _ </proc/uptime; then
        now=${now%.*}${now#*.}
        now=${now#0}
    else
        now=$(date +%s)00
    fi
} 2>/dev/null

size() { wc -c <"$1" | tr -d ' '; }

send() { # send LETTER FILE FROM TO: these bytes of the file, in lines that say where they belong
    tail -c "+$(($3 + 1))" "$2" | head -c "$(($4 - $3))" | base64 -w 4000 | {
        at=$3
        while IFS= read -r line || [ -n "$line" ]; do
            printf '%s:%s:%d:%s\n' "$mark" "$1" "$at" "$line"
            at=$((at + 3000))
        done
    }
}

pump() { # send what the program has written, up to ROOM bytes in all
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

rest() { # rest LETTER FILE SENT SIZE: the last part of a stream, of one that was too long only its very end
    from=$3
    if [ "$whole" = no ] && [ $(($4 - most / 16)) -gt "$from" ]; then from=$(($4 - most / 16)); fi
    if [ "$4" -gt "$from" ]; then send "$1" "$2" "$from" "$4"; fi
}

tree() { # the processes below the program, and those of its session: their pids in $found, their peak memory in $kib
    found=" $leader " more=1
    while [ "$more" = 1 ]; do
        more=0
        for stat in /proc/[0-9]*/stat; do
            process=${stat%/stat} process=${process#/proc/}
            case $found in *" $process "*) continue ;; esac
            read -r line <"$stat" || continue
            set -- ${line##*) }
            case $found in *" $2 "*) ;; *) [ "$4" = "$leader" ] || continue ;; esac
            found="$found$process " more=1
        done
    done
} 2>/dev/null

measure() {
    tree
    kib=0
    for process in $found; do
        while read -r name value _; do
            if [ "$name" = VmHWM: ]; then kib=$((kib + value)) && break; fi
        done <"/proc/$process/status"
    done
    if [ "$kib" -gt "$peak" ]; then peak=$kib; fi
} 2>/dev/null

all() { # all SIGNAL: to every process of the program
    tree
    for process in $found; do kill -s "$1" "$process"; done
} 2>/dev/null

killed_for_memory() { # how often the kernel has ended a process of this container for want of memory
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

fits() { # fits SIZE: whether there is room for that many more bytes; each entry has its line besides
    if [ $(($1 + 300)) -gt "$brought_back" ]; then
        left_out=$((left_out + 1))
        return 1
    fi
    brought_back=$((brought_back - $1 - 300))
}

gather() { # gather FOLDER PREFIX UP: send what is below it while there is room; UP leads from it back to $output
    for entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if [ -L "$entry" ]; then
            target=$(readlink "$entry")
            case $target in "$output"/*) target=$3${target#"$output"/} ;; esac
            fits 0 && say "link:$(encoded "$2${entry##*/}"):$(encoded "$target")"
        elif [ -d "$entry" ]; then
            if [ -z "$(ls -A "$entry")" ]; then
                fits 0 && say "dir:$(encoded "$2${entry##*/}")"
            else
                gather "$entry" "$2${entry##*/}/" "../$3"
            fi
        elif [ -f "$entry" ] && ! { [ -n "$since" ] && [ "$since" -nt "$entry" ]; }; then
            new=$(size "$entry")
            fits "$new" || continue
            number=$((number + 1)) mode=-
            if [ -x "$entry" ]; then mode=x; fi
            say "file:$number:$new:$mode:$(encoded "$2${entry##*/}")"
            send "f$number" "$entry" 0 "$new"
        fi
    done
}

launch() {
    cd "$root/$workdir" || exit 126
    command
}

watch() { # run the program to its end, and tell the other process
    launch </dev/null >"$dir/out" 2>"$dir/err" &
    echo $! >"$dir/leader.new" && mv "$dir/leader.new" "$dir/leader"
    wait $!
    code=$?
    times >"$dir/times"
    echo "$code" >"$dir/code.new" && mv "$dir/code.new" "$dir/code"
    kill -s USR1 $$
}

if ! { mkdir -p "$output" "$root" && files; }; then
    say "end:code=126:why=broken:out=0:err=0:ran=0:cpu=:peak=0:oom=0:left=0"
    exit 126
fi
: >"$dir/laid-out"
: >"$dir/out"
: >"$dir/err"
asked=0 why='' deadline='' leader='' peak=0 code='' tick=0.05
out_sent=0 err_sent=0 room=$((most - most / 8)) number=0 left_out=0
before=$(killed_for_memory)
trap : USR1
trap 'asked=$((asked + 1))' INT TERM
say begin
clock
begun=$now
watch &

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
        if [ "$asked" -gt 0 ]; then why=asked; fi
        if [ -n "$why" ]; then
            all TERM
            deadline=$((now + grace))
        fi
    elif [ "$now" -ge "$deadline" ] || [ "$asked" -gt 1 ]; then
        all KILL
        if [ "$now" -ge $((deadline + 1000)) ]; then
            echo 137 >"$dir/code"  # it cannot die: a device or a file system holds it
        fi
    fi
    [ -e "$dir/code" ] || pump
    case $tick in
        0.05) tick=0.1 ;; 0.1) tick=0.2 ;; 0.2) tick=0.5 ;; *) tick=1 ;;
    esac
    if [ -n "$deadline" ]; then tick=0.2; fi
    if [ -n "$limit" ] && [ $((limit - now + begun)) -lt 100 ]; then tick=0.1; fi
done
clock
read -r code <"$dir/code"
out=$(size "$dir/out") err=$(size "$dir/err") whole=yes
if [ $((out - out_sent + err - err_sent)) -gt $((room + most / 8)) ]; then pump && whole=no; fi
rest o "$dir/out" "$out_sent" "$out"
rest e "$dir/err" "$err_sent" "$err"
gather "$output" "" ""
oom=$(($(killed_for_memory) + 0 - ${before:-0}))
cpu=$(tail -n 1 "$dir/times" 2>/dev/null)
say "end:code=$code:why=$why:out=$out:err=$err:ran=$((now - begun)):cpu=$cpu:peak=$peak:oom=$oom:left=$left_out"
exit "$code"
