"""How values stand in columns: times as whole microseconds, ids as 16 bytes, text as UTF-8 can carry it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Dialect, LargeBinary, Text
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LARGEST = 2**63 - 1


def micros(time: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (time - EPOCH) // MICROSECOND


def first_id(time: datetime) -> UUID:
    """The lowest id that can be minted at or after a time: ids begin with their Unix milliseconds."""
    milliseconds = -((EPOCH - time) // timedelta(milliseconds=1))
    return UUID(int=min(max(milliseconds, 0), 2**48 - 1) << 80)


def minted_at(id_: UUID) -> datetime:
    """The time that an id carries."""
    return EPOCH + timedelta(milliseconds=id_.int >> 80)


def readable(text: str) -> str:
    """Text without what a database refuses: NUL and lone surrogates are written as their escapes."""
    if text.isascii():
        return text.replace("\0", "\\x00") if "\0" in text else text
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def whole(number: int | None) -> int | None:
    """A number that 64 bits can hold: the nearest, where they cannot hold this one."""
    return None if number is None else max(min(number, LARGEST), -LARGEST - 1)


def compact(value: Any) -> str | None:
    """A small structure as ASCII JSON."""
    return None if value is None else json.dumps(value, separators=(",", ":"))


def _bind_time(time: datetime | None) -> int | None:
    return None if time is None else (time - EPOCH) // MICROSECOND


def _load_time(value: int | None) -> datetime | None:
    return None if value is None else EPOCH + timedelta(microseconds=value)


def _bind_id(id_: UUID | None) -> bytes | None:
    return None if id_ is None else id_.bytes


def _load_id(value: bytes | None) -> UUID | None:
    return None if value is None else UUID(bytes=bytes(value))


def _bind_words(text: str | None) -> str | None:
    return None if text is None else readable(text)


def _load_json(value: str | None) -> Any:
    return None if value is None else json.loads(value)


class Time(TypeDecorator[datetime]):
    """An instant, as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], int | None]:  # noqa: ARG002
        return _bind_time

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:  # noqa: ARG002
        return _load_time


class Id(TypeDecorator[UUID]):
    """An id as its 16 bytes, which sort as the ids were minted."""

    impl = LargeBinary
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[UUID | None], bytes | None]:  # noqa: ARG002
        return _bind_id

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], UUID | None]:  # noqa: ARG002
        return _load_id


class Words(TypeDecorator[str]):
    """Text that may come from anywhere."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None]:  # noqa: ARG002
        return _bind_words


class Whole(TypeDecorator[int]):
    """A whole number that may come from anywhere: what 64 bits cannot hold becomes the nearest they can."""

    impl = BigInteger
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[int | None], int | None]:  # noqa: ARG002
        return whole


class Json(TypeDecorator[Any]):
    """A small structure, as ASCII JSON."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:  # noqa: ARG002
        return compact

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:  # noqa: ARG002
        return _load_json
