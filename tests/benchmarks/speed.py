"""How fast runner is beside its peers: `python -m tests.benchmarks.speed [--rounds N] [--sizes A,B] [TABLE…]`.

Prints one table for each TABLE (all, if none is named): `rates` of starting sessions, `scale` up to a million, `idle`.
Contenders take turns; a rate is the slope between two sizes, so that start-up does not count, and what is printed is
the median over the rounds, of ratios likewise. Everything is written to the disk that holds the temporary folder.
"""

from __future__ import annotations

import argparse

from tests.benchmarks import idle, rates, scale

TABLES = {"rates": rates.table, "scale": scale.table, "idle": idle.table}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", choices=[*TABLES, []], help=", ".join(TABLES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", default="2000,10000", help="sessions, the smaller and the larger number")
    parser.add_argument("--million", type=int, default=1_000_000, help="the size of what is as large as a million")
    given = parser.parse_args()
    small, large = map(int, given.sizes.split(","))
    for name in given.tables or TABLES:
        for line in TABLES[name](given.rounds, (small, large), given.million):
            print(line, flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
