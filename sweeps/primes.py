"""Counts primes in several processes, and says how long that took."""

import argparse
import json
import time
from multiprocessing import Pool


def count(bounds: tuple[int, int]) -> int:
    return sum(is_prime(number) for number in range(*bounds))


def is_prime(number: int) -> bool:
    if number < 2 or number % 2 == 0:
        return number == 2
    return all(number % divisor for divisor in range(3, int(number**0.5) + 1, 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--below", type=int, default=100_000)
    arguments = parser.parse_args()
    step = arguments.below // 64 or 1
    slices = [(start, min(start + step, arguments.below)) for start in range(0, arguments.below, step)]
    begin = time.perf_counter()
    with Pool(arguments.processes) as pool:
        primes = sum(pool.imap_unordered(count, slices))
    print(json.dumps({"primes": primes, "seconds": round(time.perf_counter() - begin, 4)}))


if __name__ == "__main__":
    main()
