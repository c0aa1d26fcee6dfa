"""Secrets: read when they are needed, read again when their file changes, and never shown."""

import os
import secrets
import stat
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

MASK = "***"

_LARGEST = 64 * 1024
"""A secret is a line or a key; anything larger is a wrong path, and not worth reading into memory."""


class SecretError(ValueError):
    """A secret cannot be read now; the message names the file, never its content.

    A ValueError, because the edges, which do not know this package, expect that of what they call.
    """


class Secret:
    """A callable that returns the secret as it is now; `repr` and `str` hide it.

    A file is read again when its time, size or inode changes, so a rotated secret needs no restart.
    """

    __slots__ = ("_lock", "_path", "_seen", "_text")

    def __init__(self, text: str = "", *, path: Path | None = None) -> None:
        self._text = text
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._lock = Lock()

    def __call__(self) -> str:
        return self._text if self._path is None else self._from_file(self._path)

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a Secret is not copied out of the process")

    def __deepcopy__(self, memo: dict[int, Any]) -> "Secret":
        return self

    def __copy__(self) -> "Secret":
        return self

    @property
    def path(self) -> Path | None:
        """The file it stands in; None for one that was given directly."""
        return self._path

    def _from_file(self, path: Path) -> str:
        with self._lock:
            try:
                about = path.stat()
                if not stat.S_ISREG(about.st_mode):
                    raise SecretError(f"{path}: must be a file")
                seen = (about.st_mtime_ns, about.st_size, about.st_ino)
                if seen != self._seen:
                    self._text = _content(path, about.st_size)
                    self._seen = seen
            except FileNotFoundError:
                raise SecretError(f"{path}: no such file") from None
            except PermissionError:
                raise SecretError(f"{path}: we may not read it") from None
            except OSError as error:
                raise SecretError(f"{path}: cannot be read ({error.strerror})") from None
            return self._text

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.is_instance_schema(
            cls, serialization=core_schema.plain_serializer_function_ser_schema(lambda _: MASK)
        )


def _content(path: Path, size: int) -> str:
    if size > _LARGEST:
        raise SecretError(f"{path}: is too large for a secret (got {size} bytes)")
    try:
        text = path.read_bytes().decode("utf-8").strip()
    except UnicodeDecodeError:
        raise SecretError(f"{path}: must be UTF-8 text") from None
    if not text:
        raise SecretError(f"{path}: must not be empty")
    return text


def readable_by_all(path: Path) -> bool:
    """Whether every user of this machine can read the file (what cannot be looked at is not)."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def make_secret_file(path: Path) -> bool:
    """Write a new random secret that only we can read; False when the file is there already.

    The file appears whole or not at all, so that two first starts end up with the same secret.
    """
    if path.exists():
        return False
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        return _made(path, draft)
    except OSError as error:
        raise SecretError(f"{path}: cannot be made ({error.strerror})") from None


def _made(path: Path, draft: Path) -> bool:
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True
