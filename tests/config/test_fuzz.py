"""A sample of the campaign `tests.campaigns.fuzz_sweeps`: no mutated sweep file is a bug of runner or takes long."""

from __future__ import annotations

from tests.campaigns.fuzz_sweeps import campaign


def test_mutated_files_are_accepted_or_refused() -> None:
    found = campaign(count=80, seed=2026)
    assert found.faults == []
    assert min(found.codes["exit 0"], found.codes["exit 2"]) > 10  # both kinds of files are among them
