"""Runs the tests of `reconcile` on one mutant after another, each in a process of its own."""

import importlib.abc
import importlib.util
import itertools
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings, strategies

from tests.mutation.memory import Memory, fingerprint
from tests.mutation.mutants import Mutant, mutants

ROOT = Path(__file__).parents[2]
AT_MOST = 6.0
"""Seconds of CPU: a mutant that takes longer has been caught in a loop."""

ROOM = 1 << 30
"""Bytes of memory: such a loop may gather as well."""

EXAMPLES = 15
"""Cases for each property: every mutant gets all of them."""

CAUGHT, SURVIVED = 1, 0


def all_mutants() -> list[Mutant]:
    """Those of every module of `reconcile`."""
    return [one for path in sorted((ROOT / "reconcile").glob("*.py")) for one in mutants(path)]


class _Loader(importlib.abc.Loader):
    def __init__(self, name: str, source: str) -> None:
        self._name, self._source = name, source

    def create_module(self, spec: ModuleSpec) -> None:
        del spec

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, self._name, "exec"), vars(module))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds this source where its module is asked for."""

    def __init__(self, name: str, source: str) -> None:
        self._name, self._source = name, source

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        del path, target
        if fullname != self._name:
            return None
        return importlib.util.spec_from_loader(fullname, _Loader(self._name, self._source))


def test_files(module: str) -> list[Path]:
    """Those that import this module."""
    files = sorted((ROOT / "tests" / "reconcile").glob("test_*.py"))
    return [path for path in files if module in path.read_text()]


def tests(module: str) -> Iterator[Callable[[], object]]:
    """Every test in those files, parameters filled in; examples before properties, which take longer."""
    found: list[tuple[bool, Callable[[], object]]] = []
    for path in test_files(module):
        spec = importlib.util.spec_from_file_location(f"mutation_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise ImportError(str(path))
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = loaded
        spec.loader.exec_module(loaded)
        for name, test in vars(loaded).items():
            if name.startswith("test_") and callable(test):
                found += [(hasattr(test, "hypothesis"), call) for call in _calls(test)]
    return (call for _, call in sorted(found, key=lambda item: item[0]))


def _calls(test: Any) -> Iterator[Callable[[], object]]:
    """One call for each combination of its parameters."""
    given: list[list[dict[str, Any]]] = []
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "parametrize":
            names = mark.args[0] if isinstance(mark.args[0], tuple | list) else mark.args[0].split(",")
            rows = [tuple(getattr(row, "values", row)) if len(names) > 1 else (row,) for row in mark.args[1]]
            given.append([dict(zip(names, row, strict=True)) for row in rows])
    for combination in itertools.product(*given):
        arguments = {name: value for part in combination for name, value in part.items()}
        yield partial(test, **arguments)


def _judged(module: str, source: str) -> None:
    """In a process of its own: exit with whether a test fails where the module has this source."""
    signal.setitimer(signal.ITIMER_PROF, AT_MOST)
    resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - until this process ends
    sys.meta_path.insert(0, _Finder(module, source))
    try:
        for test in tests(module):
            test()
    except BaseException:
        os._exit(CAUGHT)
    os._exit(SURVIVED)


def passes(module: str, source: str) -> bool:
    """Whether every test passes where the module has this source."""
    process = multiprocessing.get_context("fork").Process(target=_judged, args=(module, source))
    process.start()
    process.join()
    return process.exitcode == SURVIVED


def _key(mutant: Mutant, source: str) -> str:
    """Its tests, what they share, all the rules beside it, and this package, which runs them."""
    shared = {
        path for path in (ROOT / "tests" / "reconcile").glob("*.py") if not path.name.startswith("test_")
    }
    rules = set((ROOT / "reconcile").glob("*.py")) - {mutant.path}
    ours = {Path(__file__), Path(__file__).with_name("mutants.py")}
    return fingerprint(source, {*test_files(mutant.module), *shared, *rules, *ours})


def hunted(
    chosen: Sequence[Mutant], memory: Memory | None = None, processes: int = 2
) -> Iterator[tuple[Mutant, bool]]:
    """Each, in its turn, with whether it survives; what the memory knows is not hunted."""
    if any(name.startswith("reconcile") for name in sys.modules):
        raise RuntimeError("reconcile is imported already: its mutants would not be. This is a bug.")
    _prepared()
    for path in sorted({one.path for one in chosen}):
        if not passes(f"{path.parent.name}.{path.stem}", path.read_text()):
            raise RuntimeError(f"{path}: a test fails on the original: no mutant of it could survive")
    sources = [one.source() for one in chosen]  # here: the parser does not bear to be used by two threads
    keys = [_key(one, source) for one, source in zip(chosen, sources, strict=True)] if memory else []

    def survives(number: int) -> bool:
        alive = partial(passes, chosen[number].module, sources[number])
        return memory.told(keys[number], alive) if memory else alive()

    with ThreadPoolExecutor(processes) as pool:
        for number, alive in enumerate(pool.map(survives, range(len(chosen)))):
            yield chosen[number], alive
            if memory and (number % 50 == 0 or number == len(chosen) - 1):
                memory.keep(keys)


def _prepared() -> None:
    """What every process would do again: settings, and a first property, for which much is imported."""
    os.environ["CANARY_EXAMPLES"] = str(EXAMPLES)
    settings.register_profile(
        "mutants",
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")
    given(strategies.lists(strategies.integers()))(lambda _: None)()
