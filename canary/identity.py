"""The ids of canaries: time-ordered UUIDs that nobody without the secret can make."""

import hmac
import secrets
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

MIN_SECRET = 16
"""A shorter secret could be guessed from a few ids."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_COUNTERS = 1 << 12
_PROOF_MASK = (1 << 62) - 1
_VERSION_AND_VARIANT = (7 << 76) | (0b10 << 62)
_VERSION_AND_VARIANT_MASK = (0xF << 76) | (0b11 << 62)


class Mint:
    """Makes the ids of one probe, each greater than the one before. Any thread may ask."""

    def __init__(self, secret: bytes, probe: str) -> None:
        self._keyed = keyed(secret, b"id", probe)
        self._lock = threading.Lock()
        self._ms = -1
        self._counter = 0

    def mint(self, at: datetime) -> UUID:
        """A new id for this instant; a little later when that millisecond has none left."""
        ms = (at - _EPOCH) // _MILLISECOND
        if ms < 0:
            raise ValueError(f"identity.at: must not be before 1970 (got {at.isoformat()})")
        with self._lock:
            if ms <= self._ms and self._counter + 1 < _COUNTERS:
                self._counter += 1
            else:
                self._ms = max(ms, self._ms + 1)
                self._counter = secrets.randbits(11)  # the upper half stays free, for a busy millisecond
            stem = self._ms << 12 | self._counter
        proof = _proof(self._keyed, stem)
        ms, counter = stem >> 12, stem & (_COUNTERS - 1)
        return UUID(int=ms << 80 | counter << 64 | proof | _VERSION_AND_VARIANT)


class Verifier:
    """Tells which of our probes made an id, if any did. It holds the secret and never shows it."""

    def __init__(self, secret: bytes, probes: Iterable[str]) -> None:
        self._keyed = tuple((probe, keyed(secret, b"id", probe)) for probe in probes)

    def probe_of(self, id: UUID) -> str | None:  # noqa: A002 - the word everybody uses
        """The probe that made it; None for an id that is not ours."""
        number = id.int
        if number & _VERSION_AND_VARIANT_MASK != _VERSION_AND_VARIANT:
            return None
        stem = number >> 80 << 12 | number >> 64 & (_COUNTERS - 1)
        found = (number & _PROOF_MASK).to_bytes(8, "big")
        for probe, ours in self._keyed:
            if hmac.compare_digest(_proof(ours, stem).to_bytes(8, "big"), found):
                return probe
        return None

    def recognises(self, id: UUID) -> bool:  # noqa: A002
        """Whether one of our probes made it."""
        return self.probe_of(id) is not None


def time_of(id: UUID) -> datetime:  # noqa: A002
    """The canary's own time, to the millisecond. Of an id that is not ours it says nothing."""
    try:
        return _EPOCH + timedelta(milliseconds=id.int >> 80)
    except OverflowError:  # 48 bits reach past the year 9999; only a foreign id does
        return datetime.max.replace(tzinfo=UTC)


def keyed(secret: bytes, purpose: bytes, probe: str) -> hmac.HMAC:
    """An HMAC to copy from: keyed, and fed with what it is for (a proof never doubles as anything else)."""
    if len(secret) < MIN_SECRET:
        raise ValueError(f"identity.secret: must be at least {MIN_SECRET} bytes (got {len(secret)})")
    if not probe:
        raise ValueError('identity.probe: must not be empty (got "")')
    return hmac.new(secret, purpose + b"\0" + probe.encode(), "sha256")


def _proof(ours: hmac.HMAC, stem: int) -> int:
    """62 bits over the probe's name and the time and counter, whose 8 bytes always stand last."""
    mac = ours.copy()
    mac.update(stem.to_bytes(8, "big"))
    return int.from_bytes(mac.digest()[:8], "big") >> 2
