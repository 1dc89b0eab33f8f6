"""Sessions a second: runner and each peer that is installed, by turns."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks import measured, peers
from tests.benchmarks.measured import median, row
from tests.benchmarks.peers import PARALLEL, Peer, runner, xargs

PRINTED = "printf %0200d 0"


def table(rounds: int, sizes: tuple[int, int], million: int) -> Iterator[str]:
    with measured.folder() as place:
        true = [xargs("-n1 /bin/true"), peers.c_loop(place, "/bin/true"), peers.gnu_parallel("/bin/true")]
        groups: dict[str, list[Peer | None]] = {
            "`exec: [/bin/true]`": [runner("[/bin/true]"), *true, peers.hyperqueue("/bin/true")],
            "`exec: 'true'`": [runner("'true'"), xargs("-I{} sh -c true")],
            "200 bytes of output": [
                runner(f"[sh, -c, '{PRINTED}']"),
                xargs(f"-I{{}} sh -c '{PRINTED} >out/{{}}'"),
            ],
        }
        yield row(f"sessions, {PARALLEL} at once", "contender", "sessions/s", "runner's rate / its rate")
        yield row("---", "---", "--:", "--:")
        for name, contenders in groups.items():
            yield from _rows(name, [peer for peer in contenders if peer], rounds, sizes)


def _rows(name: str, contenders: list[Peer], rounds: int, sizes: tuple[int, int]) -> Iterator[str]:
    rates: dict[str, list[float]] = {peer.name: [] for peer in contenders}
    for _ in range(rounds):
        for peer in contenders:
            rates[peer.name].append(rate(peer, sizes))
    ours = rates[contenders[0].name]
    for peer in contenders:
        theirs = rates[peer.name]
        ratio = median(mine / other for mine, other in zip(ours, theirs, strict=True))
        yield row(name, f"`{peer.name}`", f"{median(theirs):,.0f}", f"{ratio:.2f}")


def rate(peer: Peer, sizes: tuple[int, int]) -> float:
    """Sessions a second, as the slope between the two sizes."""
    seconds = []
    counts = [max(1, int(size * peer.share)) for size in sizes]
    for count in counts:
        with measured.folder() as place:
            seconds.append(measured.run(peer.command(place, count), place).seconds)
    return (counts[1] - counts[0]) / max(seconds[1] - seconds[0], 1e-6)
