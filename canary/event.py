"""What a canary carries: values that break pipelines, made from its id alone, so they can be made again.

Property names are a small fixed set, lest they fill up a property catalogue; only values vary.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from canary.identity import keyed, time_of
from canary.values import Event

CONTENT_VERSION = 1
"""Grows with every change of what `Payload` makes: canaries in flight are compared with what they were."""

EVENT_NAME = "ingestion_canary"

RECENT = 1024
"""Contents kept in mind: each is wanted once to be sent and once at every stage, mostly within seconds."""

_WORDS = (
    "Grüße aus Köln",
    "データの整合性",
    "cafe\u0301 n\u0303 A\u030a",  # combining characters: a pipeline that normalises changes them
    "👩‍🚀 🏳️‍🌈 🇺🇳 🐤",
    "שלום עולם مرحبا",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ﬁ ½ K",
)
_QUOTES = (
    '"double" \'single\' `back` \\slash\\ \\n \\u0041 \\"',
    "</script><!-- & &amp; %s %00 ${x} {{y}} {0}",
    "'; DROP TABLE events; -- \\' \\\\'",
)
_CONTROLS = (
    "tab\tnewline\nreturn\r",
    "bell\u0007 escape\u001b delete\u007f",
    "line\u2028 joiner\u200d bom\ufeff",
)
_DATES = (
    "1969-12-31T23:59:59.999Z",
    "2000-02-29T23:59:59.999999Z",
    "2038-01-19T03:14:08Z",
    "2106-02-07T06:28:16.000Z",
    "2026-03-29T01:30:00+01:00",
    "9999-12-31T23:59:59Z",
)


class Payload:
    """The content of one probe's canaries.

    `template` is the user's own properties (JSON); in its strings `{id}`, `{probe}` and `{time}` are filled
    in. `hash` names template and shape: content with another hash cannot be made again, nor compared.
    """

    def __init__(
        self, secret: bytes, probe: str, *, person: bool = False, template: Mapping[str, Any] | None = None
    ) -> None:
        self._keyed = keyed(secret, b"content", probe)
        self._probe = probe
        self._person = person
        self._template, text = _checked(template or {})
        self._made = lru_cache(maxsize=RECENT)(self.expected)
        self.hash = hashlib.sha256(f"{CONTENT_VERSION}\0{person}\0{text}".encode()).hexdigest()[:16]

    def expected(self, id: UUID) -> dict[str, Any]:  # noqa: A002 - the word everybody uses
        """The properties of this canary, the same whenever they are asked for."""
        mac = self._keyed.copy()
        mac.update(id.bytes)
        properties = _content(str(id), self._probe, mac.digest())
        if not self._person:
            properties["$process_person_profile"] = False
        if self._template:
            facts = {"{id}": str(id), "{probe}": self._probe, "{time}": time_of(id).isoformat()}
            properties.update({name: _filled(value, facts) for name, value in self._template.items()})
        return properties

    def event(self, id: UUID, *, distinct_id: str, sent_at: datetime) -> Event:  # noqa: A002
        """The whole event, as it is posted and as it should be found; nobody changes its properties."""
        return Event(id, EVENT_NAME, distinct_id, sent_at, self._made(id))


def _content(id_text: str, probe: str, seed: bytes) -> dict[str, Any]:
    """Everything below is a function of the id's 32 bytes of seed; see CONTENT_VERSION before a change."""
    big, mantissa, safe = struct.unpack(">qQQ", seed[:24])
    pick, word = seed[24], seed[25:].hex()
    return {
        "canary_id": id_text,
        "canary_probe": probe,
        "canary_version": CONTENT_VERSION,
        "canary_text": f"{_WORDS[pick % len(_WORDS)]} {word}",
        "canary_quotes": _QUOTES[pick % len(_QUOTES)],
        "canary_control": _CONTROLS[pick // 3 % len(_CONTROLS)],
        "canary_digits": f"00{pick}",
        "canary_int": big,
        "canary_float": _float(mantissa),
        "canary_date": _DATES[pick % len(_DATES)],
        "canary_true": True,
        "canary_false": False,
        "canary_null": None,
        "canary_empty": "",
        "canary_nested": {
            "list": [pick, word, None, [], {"deep": [[pick]]}],
            "safe_int": (safe >> 11) * (1 if pick & 1 else -1),
            "empty": {},
            "text": _WORDS[(pick + 1) % len(_WORDS)],
        },
    }


def _float(bits: int) -> float:
    """A float between 1 and 2 that no fewer than 17 digits name."""
    while True:
        value = 1.0 + (bits >> 12) * 2.0**-52
        if float(f"{value:.15e}") != value:
            return value
        bits = bits * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1


def _checked(template: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    taken = [name for name in template if str(name).startswith("canary_")]
    if taken:
        raise ValueError(f'probes.payload: names must not begin with "canary_" (got {taken[0]!r})')
    try:
        text = json.dumps(dict(template), sort_keys=True, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"probes.payload: must be JSON ({error})") from error
    read_back: dict[str, Any] = json.loads(text)
    return read_back, text


def _filled(value: Any, facts: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for placeholder, fact in facts.items():
            value = value.replace(placeholder, fact)
        return value
    if isinstance(value, dict):
        return {name: _filled(inner, facts) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, facts) for inner in value]
    return value
