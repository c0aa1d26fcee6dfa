"""`python -m bench`: measure, print each figure beside its aim, write docs/bench.md and the README.

Memory takes an hour by itself. `--only` measures some kinds anew and leaves the other figures as they stand,
where they came from the same versions.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench import measures
from bench.figures import Figure, Setting, as_json, from_json, into, joined, markdown, say, setting, text
from bench.lookup import lookups
from bench.running import Load, NotUpError
from canary.sandbox.handle import Handle, start

ROOT = Path(__file__).parent.parent
DOCS, README = ROOT / "docs", ROOT / "README.md"
BENCH = DOCS / "bench.json"
KINDS = ("cpu-1", "cpu-10", "cpu-160", "sustained", "memory", "verdict", "frozen", "lookup")

FREE = ("max_events_per_day", "50000000")
SLOW = Load("cpu-1", rate=1, lanes=64, pool=3)
TEN = Load("cpu-10", rate=10, lanes=16, pool=3)
MANY = Load("cpu-160", rate=160, lanes=16, pool=24, batch=16, lines=(FREE,))
MOST = Load("sustained", rate=320, lanes=16, pool=48, batch=16, lines=(FREE,))
HOUR = Load("memory", rate=10, lanes=16, pool=3)
ONE = Load("verdict", rate=2, lanes=4, pool=3)
FROZEN = Load("frozen", rate=10, lanes=4, pool=6)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter, coarser; writes nothing")
    parser.add_argument(
        "--only", nargs="+", choices=KINDS, default=KINDS, metavar="KIND", help=", ".join(KINDS)
    )
    parser.add_argument("--broker", default="tansu", help="as of the sandbox: tansu, kafka or HOST:PORT")
    told = parser.parse_args()
    found: list[Figure] = []
    failed: list[str] = []
    lengths = measures.QUICK if told.quick else measures.Lengths()
    for figure in _measured(told.only, told.broker, lengths, failed):
        found.append(figure)
        say(text([figure]).partition("\n")[2])
    where = setting(
        f"The daemon runs in a process of its own against the sandbox (broker: {told.broker}; windows of 5 s)"
        ", which shares the machine. CPU is the process's own, user and system, over a steady interval."
    )
    say("\n" + text(found) + f"\n\n{where.machine}\n{where.versions}")
    if not told.quick and not failed:
        _write(found, where)
    sys.exit(1 if failed else 0)


def _write(found: Sequence[Figure], where: Setting) -> None:
    """Beside the figures that were not measured again; those of other versions are not mixed with these."""
    before, then = from_json(BENCH.read_text())
    whole = joined(found, before, KINDS)
    if len(whole) > len(found) and then.versions != where.versions:
        say(f"not written: the other figures are of other versions ({then.versions})")
        return
    (DOCS / "bench.md").write_text(markdown(whole, where))
    BENCH.write_text(as_json(whole, where))
    README.write_text(into(README.read_text(), whole, where))


def _measured(
    only: Sequence[str], broker: str, lengths: measures.Lengths, failed: list[str]
) -> Iterator[Figure]:
    plans: tuple[tuple[int, dict[str, Callable[[Handle], Sequence[Figure]]]], ...] = (
        (64, {"cpu-1": lambda at: [measures.cpu(at, SLOW, lengths, aim=None)]}),
        (
            16,
            {
                "cpu-10": lambda at: [measures.cpu(at, TEN, lengths, aim=2.6)],
                "cpu-160": lambda at: [measures.cpu(at, MANY, lengths, aim=0.3)],
                "sustained": lambda at: [measures.sustained(at, MOST, lengths, aim=300)],
                "memory": lambda at: measures.memory(at, HOUR, lengths, aim=120),
            },
        ),
        (
            4,
            {
                "verdict": lambda at: [measures.proof_to_verdict(at, ONE, aim=2)],
                "frozen": lambda at: [measures.frozen_metrics(at, FROZEN, aim=50)],
            },
        ),
    )
    for partitions, kinds in plans:
        chosen = {kind: measure for kind, measure in kinds.items() if kind in only}
        if chosen:
            yield from _on_sandbox(partitions, broker, chosen, failed)
    if "lookup" in only:
        for figure in lookups(1_000_000 if lengths is measures.QUICK else 20_000_000):
            yield replace(figure, kind="lookup")


def _on_sandbox(
    partitions: int,
    broker: str,
    chosen: dict[str, Callable[[Handle], Sequence[Figure]]],
    failed: list[str],
) -> Iterator[Figure]:
    """One after the other; one that cannot be measured does not keep the others from it."""
    with (
        tempfile.TemporaryDirectory(prefix="canary-bench-") as folder,
        start(Path(folder), broker=broker, partitions=partitions) as sandbox,
    ):
        for kind, measure in chosen.items():
            try:
                for figure in measure(sandbox):
                    yield replace(figure, kind=kind)
            except NotUpError as error:
                failed.append(str(error))
                say(f"not measured: {error}")


if __name__ == "__main__":
    main()
