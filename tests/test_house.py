"""The house rules that a machine can hold: file size, and texts that are made from the code."""

import subprocess
from dataclasses import replace
from pathlib import Path

from bench.figures import from_json, into, joined, markdown, plain
from canary.metrics import CATALOGUE, table

ROOT = Path(__file__).parent.parent
BUDGET = 300


def tracked(pattern: str) -> list[Path]:
    """The files git tracks, or would."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).exists()]


def test_no_file_grows_over_the_budget() -> None:
    """Every Python file has at most 300 lines: a longer one holds two ideas."""
    long = {
        str(f.relative_to(ROOT)): n
        for f in tracked("*.py")
        if (n := len(f.read_text().splitlines())) > BUDGET
    }

    assert long == {}


def test_the_readme_shows_the_metrics_as_they_are() -> None:
    """The README's table is the catalogue, word for word."""
    assert table() in (ROOT / "README.md").read_text()


def test_the_readme_quotes_the_figures_as_they_were_measured() -> None:
    """`make bench` writes all three: nobody edits a figure by hand."""
    figures, where = from_json((ROOT / "docs/bench.json").read_text())
    readme = (ROOT / "README.md").read_text()

    assert (ROOT / "docs/bench.md").read_text() == markdown(figures, where)
    assert into(readme, figures, where) == readme


def test_figures_measured_apart_take_the_place_of_their_kind_alone() -> None:
    """`make bench`'s `--only`: the other rows stand as they were, in their order."""
    kinds = ("first", "second", "third")
    before = [replace(plain(what, 1, unit="s"), kind=what) for what in kinds]
    anew = [replace(plain(what, 2, unit="s"), kind="second") for what in ("second a", "second b")]

    assert joined(anew, before, kinds) == [before[0], *anew, before[2]]


def test_every_metric_is_named_once() -> None:
    """No two metrics share a name, and counters end in _total."""
    names = [spec.name for spec in CATALOGUE]

    assert len(names) == len(set(names))
    assert all(spec.name.endswith("_total") == (spec.kind == "counter") for spec in CATALOGUE)
