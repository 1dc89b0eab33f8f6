"""Sizes that a session's creation and its console allow, in bytes."""

MAX_REQUEST = 1024 * 1024 - 4096
"""A request: the manager's web server accepts 1 MiB, headers included."""

MAX_PAYLOAD = 750 * 1024
"""What a session is created with, before it is encoded; the rest of the request holds its other fields."""

MAX_LOGGED = 5_600_000
"""stdout and stderr together: the console keeps 10 MB by default, and they are base64 there."""

MAX_OUTPUT = 1024 * 1024
"""Output files that the console carries."""

MAX_CHECKPOINTS = MAX_OUTPUT // 4
"""Output files of earlier attempts that a retry is created with."""

MAX_VARIABLE = 96 * 1024
"""One environment variable: the kernel allows 128 KiB."""

MAX_BOOTSTRAP_SCRIPT = 16 * 1024
"""The bootstrap script, in characters: the size of its column in the manager's database."""
