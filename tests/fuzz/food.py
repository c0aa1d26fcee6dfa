"""What fuzzing feeds on: sound things, and what mutation makes of them."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("CANARY_FUZZ", "100"))
"""How many inputs each reader gets; `make fuzz` gives many more, and fresh ones each time."""

fuzzed: Callable[[Any], Any] = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="CANARY_FUZZ" not in os.environ,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)

FOREIGN = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"NaN",
    b"Infinity",
    b"-1e999",
    b'"',
    b"\\",
    b"{",
    b"\xed\xa0\x80",
    b"null",
    b"true",
    b"\r\n",
)
LARGE = (b"[" * 3000, b"9" * 5000, b"\x1f\x8b\x08", b"0001-01-01T00:00:00+14:00")
ODD = st.sampled_from([*FOREIGN, *LARGE])
TIMES = st.sampled_from(
    [
        "0001-01-01 00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-02-30",
        "+292278994-08-17",
        "now",
        "1e400",
    ]
) | st.text(max_size=30)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | TIMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def mutated(draw: st.DrawFn, sound: bytes) -> bytes:
    """Some cuts, swaps and foreign bytes in something that was right."""
    value = sound
    for _ in range(draw(st.integers(0, 4))):
        at, to = sorted((draw(st.integers(0, len(value))), draw(st.integers(0, len(value)))))
        foreign = draw(ODD | st.binary(max_size=8))
        cut = value[at:to] if draw(st.booleans()) else b""
        value = value[:at] + foreign + cut + value[to:]
    return value


def altered(sound: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The same keys with other values, some of them missing."""
    return st.fixed_dictionaries({}, optional={key: st.just(value) | JSON for key, value in sound.items()})
