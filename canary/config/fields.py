"""The kinds of values a setting can be: durations, paths, rates, URLs, names; each with its own complaint."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from canary.config.secret import MASK, Secret

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_LONGEST = timedelta(days=3650)
_LONGEST_NAME, _LONGEST_PATH = 255, 4095
MOST_PARTITIONS = 100_000
"""More than a topic can have: what is larger is a slip of the finger."""


class Table(BaseModel):
    """What every table of the file has in common: frozen, no unknown keys, no input in errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=True,
        arbitrary_types_allowed=True,
    )


def wrong(what: str) -> PydanticCustomError:
    """A complaint in our own words. `what` must not hold a value: the caller adds it, masked."""
    return PydanticCustomError("setting", "{what}", {"what": what})


def to_duration(value: Any) -> timedelta:
    """`"1h30m"` -> timedelta; a bare number has its unit in somebody's head and is refused."""
    if isinstance(value, timedelta):
        return value
    text = value.replace(" ", "") if isinstance(value, str) else ""
    if text == "0":
        return timedelta(0)
    if not text or _DURATION.sub("", text):
        raise wrong('must be a duration such as "500ms", "60s", "5m", "1h30m" or "2d"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))
    if seconds > _LONGEST.total_seconds():
        raise wrong("must be at most 3650d")
    return timedelta(seconds=seconds)


def from_duration(value: timedelta) -> str:
    """The shortest spelling of one or two units that `to_duration` reads back as the same value."""
    left = round(value / timedelta(milliseconds=1))
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number}{unit}")
    whole = "".join(parts) or "0s"
    seconds = value.total_seconds()
    plain = f"{seconds:.0f}s"
    return plain if 60 <= seconds < 300 and seconds == int(seconds) else whole


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise wrong("must be above 0")
    return value


def below(folder: str | Path, value: str | Path) -> Path:
    """The path of a file as the system can take it; a relative one starts at `folder`.

    Its limits are Linux's (path_resolution(7)): asking for a longer one raises instead of finding nothing.
    """
    if any(ord(letter) < 32 for letter in str(value)):
        raise wrong("must not hold control characters")
    try:
        path = Path(folder) / Path(value).expanduser()
    except RuntimeError:
        raise wrong("begins with a home folder that is not there") from None
    parts = [len(part.encode(errors="surrogateescape")) for part in path.parts]
    if max(parts) > _LONGEST_NAME or sum(parts) + len(parts) > _LONGEST_PATH:
        raise wrong("is too long for the path of a file")
    return path


def _resolve(value: Any, info: ValidationInfo) -> Any:
    folder = (info.context or {}).get("folder")
    if isinstance(value, str) and not value:
        raise wrong("must not be empty")
    return below(folder, value) if isinstance(value, str | Path) and folder is not None else value


def _secret(value: Any, _: ValidationInfo) -> Any:
    if isinstance(value, str):
        value = Secret(value)
    if not isinstance(value, Secret):
        raise wrong("must be a text")
    if value.path is None and not value().strip():
        raise wrong("must not be empty")
    return value


def _secret_file(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, Secret):
        value = value.path
    if not isinstance(value, str | Path):
        raise wrong("must be the path of a file")
    return Secret(path=Path(_resolve(value, info)))


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise wrong("must be 1 to 40 letters, digits, '_' or '-': it becomes a metric's label")
    return value


def _filled(value: str) -> str:
    if not value.strip():
        raise wrong("must not be empty")
    if any(ord(letter) < 32 for letter in value):
        raise wrong("must not hold control characters")
    return value


def _texts(value: Any) -> Any:
    """One text may stand for a list of one; commas part it, as Kafka's own tools allow."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def http_url(value: str) -> str:
    """An http or https address without a user or password in it, since addresses are shown."""
    parts = _split(value)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise wrong('must be an address that begins with "http://" or "https://"')
    if parts.username is not None or parts.password is not None:
        raise wrong("must not hold a user or password: addresses are shown, give them by their own keys")
    return value


def _split(value: str) -> Any:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return None
    return parts


def shown_url(value: str) -> str:
    """The address as it may be shown: user, password and query masked."""
    hidden = re.sub(r"^([^:/@]+://)?.*@", rf"\g<1>{MASK}@", value, flags=re.DOTALL)
    return re.sub(r"\?.+", f"?{MASK}", hidden, flags=re.DOTALL)


def address(value: str) -> str:
    """`host:port`, an IPv6 host in brackets."""
    host, colon, port = value.rpartition(":")
    bare = re.fullmatch(r"\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]@]+", host)
    if not (colon and bare and port.isascii() and port.isdigit() and int(port) <= 65535):
        raise wrong('must be "host:port"')
    return value


Duration = Annotated[timedelta, BeforeValidator(to_duration), PlainSerializer(from_duration)]
Span = Annotated[Duration, AfterValidator(_positive)]
"""A duration above zero."""

FilePath = Annotated[Path, BeforeValidator(_resolve), PlainSerializer(str)]
"""A path; a relative one starts at the folder of the configuration file."""

SecretText = Annotated[Secret, BeforeValidator(_secret)]
SecretPath = Annotated[Secret, BeforeValidator(_secret_file)]

Name = Annotated[str, AfterValidator(_name)]
Text = Annotated[str, AfterValidator(_filled)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_texts)]
Url = Annotated[str, AfterValidator(http_url)]
Address = Annotated[str, AfterValidator(address)]
Addresses = Annotated[tuple[Address, ...], BeforeValidator(_texts), Field(min_length=1)]
Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True)]
