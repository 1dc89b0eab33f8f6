"""The line that explains a failure, in what programs really print. The lines of a case are as they print them."""

from __future__ import annotations

import pytest

from runner.results.verdict import explain

WARNING = "/usr/lib/x.py:3: DeprecationWarning: old is deprecated\n  warnings.warn('old')"

PYTEST = """\
________________ test_x ________________
    def test_x():
>       assert add(1, 2) == 4
E       assert 3 == 4

test_x.py:4: AssertionError
=============== short test summary info ===============
FAILED test_x.py::test_x - assert 3 == 4
=============== 1 failed, 2 passed in 0.03s ==============="""

JEST = """\
FAIL src/sum.test.js
  ● sum › adds

    expect(received).toBe(expected)

    Expected: 4
    Received: 3

Tests:       1 failed, 2 passed, 3 total
Time:        0.5 s"""

GO = """\
=== RUN   TestAdd
    add_test.go:7: got 3, want 4
--- FAIL: TestAdd (0.00s)
FAIL
exit status 1
FAIL\texample.com/add\t0.002s"""

RUSTC = """\
   Compiling add v0.1.0
error[E0308]: mismatched types
 --> src/main.rs:2:18
  |
For more information about this error, try `rustc --explain E0308`.
error: could not compile `add` (bin "add") due to 1 previous error"""

CARGO_TEST = """\
running 1 test
test tests::adds ... FAILED
thread 'tests::adds' panicked at src/lib.rs:9:9:
assertion `left == right` failed
  left: 3
 right: 4
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
test result: FAILED. 0 passed; 1 failed; 0 ignored"""

TRACEBACK = """\
Traceback (most recent call last):
  File "/x/train.py", line 3, in <module>
    raise lab.Diverged("at step 7")
lab.Diverged: at step 7
wandb: Synced 5 files"""

CHAINED = """\
Traceback (most recent call last):
  File "a.py", line 2, in <module>
    1 / 0
    ~~^~~
ZeroDivisionError: division by zero

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 4, in <module>
    raise ValueError("bad")
ValueError: bad"""

GCC = """\
main.c: In function 'main':
main.c:3:5: error: 'y' undeclared (first use in this function)
    3 |     y = 1;
      |     ^
main.c:3:5: note: each undeclared identifier is reported only once
make: *** [Makefile:2: all] Error 1"""

LINKER = """\
/usr/bin/ld: /tmp/ccXyZ.o: in function `main': undefined reference to `f'
collect2: error: ld returned 1 exit status"""

NODE = """\
/x/a.js:1
TypeError: x is not a function
    at Object.<anonymous> (/x/a.js:1:1)

Node.js v18.19.0"""

JAVA = """\
Exception in thread "main" java.lang.IllegalStateException: no data
\tat A.main(A.java:3)
Caused by: java.io.FileNotFoundException: data.csv
\t... 1 more"""

SRUN = """\
slurmstepd: error: Detected 1 oom_kill event in StepId=7.0
srun: error: n1: task 0: Exited with exit code 137"""

R = "Error in f(1) : not positive\nCalls: f\nExecution halted"


@pytest.mark.parametrize(
    ("stderr", "stdout", "line"),
    [
        (WARNING, PYTEST, "FAILED test_x.py::test_x - assert 3 == 4"),
        ("", PYTEST, "FAILED test_x.py::test_x - assert 3 == 4"),
        ("DeprecationWarning", "FAILED test_x - AssertionError", "FAILED test_x - AssertionError"),
        (WARNING, JEST, "● sum › adds"),
        (JEST, "", "● sum › adds"),
        ("", GO, "--- FAIL: TestAdd (0.00s)"),
        ("go: downloading x v1.0", GO, "--- FAIL: TestAdd (0.00s)"),
        (RUSTC, "", "error[E0308]: mismatched types"),
        ("", CARGO_TEST, "assertion `left == right` failed"),
        ("error: test failed, to rerun pass `--lib`", CARGO_TEST, "assertion `left == right` failed"),
        (TRACEBACK, "epoch 3: error: 0.25", "lab.Diverged: at step 7"),
        (CHAINED, PYTEST, "ValueError: bad"),
        (GCC, "cc main.c", "main.c:3:5: error: 'y' undeclared (first use in this function)"),
        (LINKER, "", "/usr/bin/ld: /tmp/ccXyZ.o: in function `main': undefined reference to `f'"),
        (NODE, "", "TypeError: x is not a function"),
        (JAVA, "", "Caused by: java.io.FileNotFoundException: data.csv"),
        (SRUN, "", "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0"),
        (R, "", "Error in f(1) : not positive"),
        ("fatal: not a git repository\n" + WARNING, "", "fatal: not a git repository"),
        ("sh: 1: foo: not found", "starting", "sh: 1: foo: not found"),
        (
            "a.sh: line 3:  1234 Killed                  python3 train.py",
            "ok",
            "a.sh: line 3:  1234 Killed                  python3 train.py",
        ),
        (
            "2026-11-30 12:00:01 ERROR root: no data\n 50%|█████     | 5/10",
            "",
            "2026-11-30 12:00:01 ERROR root: no data",
        ),
        ("make: *** [all] Error 1", "", "make: *** [all] Error 1"),
        ("first\nsecond", "error rate: 0.3\nval error: 0.25 acc: 0.9\nmissing values: 3\n0 errors", "second"),
        ("first\nsecond", "third", "second"),
        ("", "first\nsecond", "second"),
        (WARNING, "last words", "last words"),
        ("UserWarning: odd", "", "UserWarning: odd"),
        ("npm notice new version\nnpm warn old", "Error: boom", "Error: boom"),
        (
            "subprocess.CalledProcessError: Command 'x' returned non-zero exit status 1.",
            "error: y",
            "subprocess.CalledProcessError: Command 'x' returned non-zero exit status 1.",
        ),
    ],
)
def test_explaining_line(stderr: str, stdout: str, line: str) -> None:
    found = explain(stderr.split("\n"), stdout.split("\n"))
    assert found is not None
    assert found.line == line
    assert line in {one.strip() for one in (stderr if found.stream == "stderr" else stdout).split("\n")}


def test_blank_logs_explain_nothing() -> None:
    assert explain(["", " "], []) is None
