"""The crash matrix in memory: every point, in several of its passings; and random pairs of deaths from seeds.

`python -m tests.chaos.matrix N` plays N passings of each point and prints points by outcomes.
"""

import gc
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chaos.mortal import Deaths, Passing, played
from tests.chaos.points import POINTS

Deadly = tuple[Passing, ...]


def passings() -> Mapping[str, int]:
    """How often each point is passed when nobody dies; raises where that story itself goes wrong."""
    with TemporaryDirectory() as folder:
        deaths = Deaths()
        if wrong := played(Path(folder), deaths):
            raise AssertionError("\n".join(wrong))
    return deaths.passed


def spread(passed: Mapping[str, int], each: int) -> list[Deadly]:
    """One death a play: so many passings of each point, spread evenly over the story."""
    return [
        ((point, number),)
        for point in POINTS
        for number in sorted({1 + passed[point] * part // each for part in range(each)})
        if number <= passed[point]
    ]


def pairs(passed: Mapping[str, int], seeds: range) -> list[Deadly]:
    """Two deaths a play, the second perhaps soon after the first start."""
    chosen = []
    for seed in seeds:
        chance = random.Random(seed)
        points = chance.sample(POINTS, 2)
        # After a death the story is passed a little otherwise, so only the first half of it is sure to come.
        chosen.append(tuple((point, chance.randint(1, max(passed[point] // 2, 1))) for point in points))
    return chosen


def play(deadly: Deadly) -> list[str]:
    """One story with these deaths; what went wrong, each with its deaths."""
    with TemporaryDirectory() as folder:
        try:
            wrong = played(Path(folder), Deaths(deadly))
        except Exception as error:
            wrong = [repr(error)]
    return [f"{deadly}: {text}" for text in wrong]


def play_all(deadly: Sequence[Deadly], processes: int = 2) -> list[list[str]]:
    """Many of them; what was wrong in each."""
    with ProcessPoolExecutor(processes, initializer=gc.set_threshold, initargs=(50_000,)) as workers:
        return list(workers.map(play, deadly, chunksize=4))


def main(each: int) -> int:
    """Print how each point fared; 1 if anything went wrong."""
    deadly = spread(passings(), each)
    plays, wrong = Counter[str](), Counter[str]()
    for one, found in zip(deadly, play_all(deadly), strict=True):
        point = one[0][0]
        plays[point] += 1
        wrong[point] += bool(found)
        sys.stdout.writelines(f"{text}\n" for text in found)
    sys.stdout.writelines(f"{plays[point]:4d} deaths, {wrong[point]} wrong  {point}\n" for point in POINTS)
    return 1 if any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
