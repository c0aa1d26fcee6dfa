"""A sample of the mutants of `reconcile` is caught by its tests; `make mutation` hunts all of them."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.hunt import ROOT, all_mutants
from tests.mutation.memory import Memory, fingerprint
from tests.mutation.report import reasons

SAMPLE = 24
HUNT = """
import random, sys
from tests.mutation.hunt import all_mutants, hunted
chosen = random.Random(int(sys.argv[1])).sample(all_mutants(), int(sys.argv[2]))
sys.stdout.write("\\n".join(mutant.name for mutant, alive in hunted(chosen) if alive))
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_sample_of_mutants_is_caught() -> None:
    """But for those that are explained. In a process that has not imported what is to be changed."""
    ran = subprocess.run(
        [sys.executable, "-c", HUNT, "4", str(SAMPLE)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(ran.stdout.splitlines()) <= set(reasons())


def test_every_explained_survivor_is_a_mutant_that_there_is() -> None:
    """A reason that belongs to nothing any more is removed."""
    assert set(reasons()) <= {one.name for one in all_mutants()}


def test_a_mutant_differs_from_its_original_in_one_place() -> None:
    """And is a module that can be compiled."""
    for one in random.Random(1).sample(all_mutants(), 10):
        assert one.before != one.after
        compile(one.source(), one.module, "exec")


def test_an_end_is_remembered_until_something_that_decides_it_changes(tmp_path: Path) -> None:
    """The mutant itself or a file that it is run with; what nobody asks for any more is forgotten."""
    file, kept = tmp_path / "test_it.py", tmp_path / "known" / "ends.json"
    file.write_text("assert one")
    key = fingerprint("a mutant", [file])
    memory = Memory(kept)
    assert memory.told(key, lambda: True)
    memory.keep([key, "never hunted"])
    assert Memory(kept).told(key, lambda: False)
    file.write_text("assert two")
    others = [fingerprint("a mutant", [file]), fingerprint("another", [file])]
    assert len({key, *others}) == 3
    assert not any(Memory(kept).told(other, lambda: False) for other in others)
    memory.keep([])
    assert not Memory(kept).told(key, lambda: False)
