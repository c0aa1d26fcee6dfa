"""`[[probes]]`: who sends canaries, where to, how many and over which lanes."""

import json
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from canary.config.fields import (
    MOST_PARTITIONS,
    Count,
    FilePath,
    Flag,
    Name,
    Number,
    SecretPath,
    SecretText,
    Span,
    Table,
    Url,
    wrong,
)
from canary.config.secret import Secret
from canary.config.tls import TlsConfig

HOTTEST = 0.5
"""Events a second that one distinct_id may carry: PostHog moves hotter keys out of the main lane."""


def _lanes(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if value != "auto" and not whole:
        raise wrong('must be "auto" or a number of at least 1')
    if value != "auto" and value > MOST_PARTITIONS:
        raise wrong(f"must be at most {MOST_PARTITIONS}")
    return value


def _json_text(value: Any) -> Any:
    """JSON as text, given as text or as a table; told apart here, so that the edge need not."""
    if not isinstance(value, str):
        return _json(value)
    try:
        json.loads(value)
    except json.JSONDecodeError as error:
        raise wrong(f"must be JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise wrong("is nested too deeply") from None
    return value


def _json(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError):
        raise wrong("must hold only what JSON can say: no dates, nan or inf") from None


def _payload(value: dict[str, Any]) -> dict[str, Any]:
    _json(value)
    return value


JsonText = Annotated[str, BeforeValidator(_json_text)]


class ProbeConfig(Table):
    """One source of canaries."""

    name: Name
    preset: Literal["posthog", "generic"] = "posthog"
    url: Url
    token: SecretText | None = None
    token_file: SecretPath | None = None
    rate: Annotated[Number, Field(gt=0)] = 1.0
    batch: Annotated[Count, Field(ge=1, le=1000)] = 1
    lanes: Annotated[int | Literal["auto"], BeforeValidator(_lanes)] = "auto"
    pool: Annotated[Count, Field(ge=1, le=10_000)] = 4
    person: Flag = False
    payload: Annotated[dict[str, Any], AfterValidator(_payload)] = Field(default_factory=dict)
    payload_file: FilePath | None = None
    body: JsonText | None = None
    batch_body: JsonText | None = None
    headers: dict[str, SecretText] = Field(default_factory=dict)
    headers_file: SecretPath | None = None
    gzip: Flag = False
    timeout: Span = timedelta(seconds=2)
    retries: Annotated[Count, Field(ge=0, le=20)] = 3
    tls: TlsConfig | None = None

    @property
    def api_token(self) -> Secret | None:
        """The project's token; None for an ingress that wants none."""
        return self.token or self.token_file

    def read_headers(self) -> dict[str, str]:
        """The headers as they are now; those of `headers_file` (`Name: value` lines) come first."""
        found = {}
        for line in self.headers_file().splitlines() if self.headers_file else ():
            name, _, value = line.partition(":")
            if name.strip():
                found[name.strip()] = value.strip()
        return found | {name: value() for name, value in self.headers.items()}

    def template(self) -> dict[str, Any]:
        """The user's properties that join in: those of `payload_file`, then those of `payload`."""
        theirs = json.loads(self.payload_file.read_bytes()) if self.payload_file else {}
        return {**theirs, **self.payload}

    def fastest(self, lanes: int) -> float:
        """Canaries a second that this many lanes carry without a hot key."""
        return HOTTEST * lanes * self.pool
