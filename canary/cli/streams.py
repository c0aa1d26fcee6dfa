"""stdout and stderr of the program: they may be read by nobody, lack our letters, or end on a full disk."""

import io
import sys
from typing import Any, TextIO


class OutputError(Exception):
    """A result cannot be written."""


class _Out(io.FileIO):
    """What is written to a pipe that nobody reads is dropped: no exit code hangs on who reads how far.

    Another error is raised once where it is `told`; what comes after it is dropped too.
    """

    def __init__(self, descriptor: int, *, told: str) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._told = told
        self._broken = False

    def write(self, data: Any, /) -> int:
        if not self._broken:
            try:
                return super().write(data)
            except OSError as error:
                self._broken = True
                if self._told and not isinstance(error, BrokenPipeError):
                    raise OutputError(f"{self._told}: cannot be written ({error.strerror})") from None
        return memoryview(data).nbytes


def lenient(stream: TextIO, *, told: str = "") -> TextIO:
    """A stream in the place of another; letters that its encoding lacks are spelled out.

    With `told`, its name, writing and flushing raise an OutputError where more is wrong than a reader gone;
    without it nothing is raised: a log that cannot be written must not stop the watching.
    """
    raw = _Out(stream.fileno(), told=told)
    lines = stream.isatty() or not told
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=stream.encoding, errors="backslashreplace", line_buffering=lines
    )


def install() -> None:
    """Take the place of this process's own; one that is closed stays so."""
    if sys.stdout is not None:
        sys.stdout = lenient(sys.stdout, told="stdout")
    if sys.stderr is not None:
        sys.stderr = lenient(sys.stderr)
