#!/bin/sh
# make.sh CHECKOUT OUT.sql: run a sweep with the runner of a checkout (PYTHON: its interpreter), and dump the journal.
# Before `VERSION` in runner/state/schema.py is raised: `git worktree add /tmp/before HEAD`, then make.sh /tmp/before N.sql
# with N the version of before. The sweep has all outcomes that one machine can make, builds, metrics, repeats and retries;
# one apply is ended by SIGTERM, two are killed, and the last one leaves open attempts.
set -eu
checkout=$(realpath "$1") out=$(realpath "$2") here=$(dirname "$(realpath "$0")") python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/sample.yaml" "$work"
cd "$work"
echo input >in.txt
apply() { PYTHONPATH=$checkout STUCK=60 "$python" -m runner apply sample.yaml "$@" >/dev/null 2>&1; }
interrupt() { # SIGNAL: end an apply once both stuck sessions run
  rm -f .runner/sample/output/*/begun
  PYTHONPATH=$checkout STUCK=60 "$python" -m runner apply sample.yaml --select kind=stuck >/dev/null 2>&1 & pid=$!
  until [ "$(ls .runner/sample/output/*/begun 2>/dev/null | wc -l)" = 2 ]; do sleep 0.1; done
  sleep 0.5
  kill "-$1" $pid
  wait $pid || true
}
interrupt TERM
apply || true
interrupt KILL
apply --select kind=bad || true
interrupt KILL
sleep 2 # the supervisor ends what still runs
"$python" - .runner/sample/journal.db "$out" "$(git -C "$checkout" rev-parse --short HEAD)" <<'END'
import sqlite3
import sys

journal, out, commit = sys.argv[1:]
connection = sqlite3.connect(journal)
(version,) = connection.execute("PRAGMA user_version").fetchone()
(application,) = connection.execute("PRAGMA application_id").fetchone()
with open(out, "w", encoding="utf-8") as file:
    print(f"-- Journal version {version}, written by commit {commit}; see make.sh", file=file)
    for name, value in (("page_size", 2048), ("auto_vacuum", 2), ("application_id", application), ("user_version", version)):
        print(f"PRAGMA {name} = {value};", file=file)
    print(*connection.iterdump(), sep="\n", file=file)
END
