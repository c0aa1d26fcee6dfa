"""What earlier hunts found: a mutant is not hunted again while nothing that its tests run on has changed."""

import json
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path


def fingerprint(source: str, files: Iterable[Path]) -> str:
    """Of all that decides a mutant's end: its own text, and the files of tests and rules it is run with."""
    parts = [version("hypothesis"), source, *(path.read_text() for path in sorted(files))]
    return sha256("\0".join(parts).encode()).hexdigest()


class Memory:
    """Ends by fingerprint, in a file that may be deleted at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ends: dict[str, bool] = json.loads(path.read_text()) if path.exists() else {}

    def told(self, key: str, find: Callable[[], bool]) -> bool:
        """What is known under the key, else what is found now."""
        if key not in self._ends:
            self._ends[key] = find()
        return self._ends[key]

    def keep(self, keys: Sequence[str]) -> None:
        """Write down those of these that are known; the others are of no use any more."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps({key: self._ends[key] for key in keys if key in self._ends}))
