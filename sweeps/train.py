"""Logistic regression on two noisy clouds; writes its metrics to RUNNER_OUTPUT_DIR/metrics.json."""

import argparse
import json
import math
import os
import random
from pathlib import Path

Sample = tuple[float, float, int]


def samples(seed: int, count: int) -> list[Sample]:
    chance = random.Random(seed)
    centres = [(-1.0, -0.5), (1.0, 0.5)]
    return [
        (centres[label][0] + chance.gauss(0, 0.8), centres[label][1] + chance.gauss(0, 0.8), label)
        for label in (chance.randrange(2) for _ in range(count))
    ]


def probability(weights: list[float], sample: Sample) -> float:
    score = weights[0] + weights[1] * sample[0] + weights[2] * sample[1]
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))


def train(data: list[Sample], lr: float, momentum: float, epochs: int) -> list[float]:
    weights, velocity = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    for _ in range(epochs):
        for sample in data:
            error = probability(weights, sample) - sample[2]
            for at, feature in enumerate((1.0, sample[0], sample[1])):
                velocity[at] = momentum * velocity[at] - lr * error * feature
                weights[at] += velocity[at]
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()
    weights = train(samples(arguments.seed, 200), arguments.lr, arguments.momentum, arguments.epochs)
    held_out = samples(arguments.seed + 1000, 200)
    guesses = [(probability(weights, sample), sample[2]) for sample in held_out]
    loss = -sum(math.log(max(1e-12, p if label else 1 - p)) for p, label in guesses) / len(guesses)
    accuracy = sum((p > 0.5) == bool(label) for p, label in guesses) / len(guesses)
    metrics = {"val": {"loss": round(loss, 4), "accuracy": accuracy}}
    Path(os.environ["RUNNER_OUTPUT_DIR"], "metrics.json").write_text(json.dumps(metrics))
    print(f"loss {loss:.4f}, accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
