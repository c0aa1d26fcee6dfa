"""The way out to any program that takes a signed post, with the headers of Standard Webhooks."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable

from alerts.condition import Notice
from alerts.delivery import DeliveryError, Receipt
from alerts.links import Links
from alerts.payload import encoded, message_id
from alerts.posting import FIX_WAIT, Call, is_address, refused, secret

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a key, as Standard Webhooks has them."""


class HookSender:
    """Posts each notice as JSON; the receiver knows a repeat by `webhook-id`, which never changes."""

    def __init__(
        self,
        url: Callable[[], str],
        *,
        keys: Callable[[], str],
        call: Call,
        links: Links | None = None,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        """`keys`: one `whsec_...`, or several with spaces between while they are being changed."""
        self._url, self._keys, self._call = url, keys, call
        self._links, self._seconds = links or Links(), seconds

    def __repr__(self) -> str:
        return "HookSender()"

    def send(self, notice: Notice, thread: Receipt | None) -> Receipt:  # noqa: ARG002
        """One post; every notice stands by itself."""
        url = secret(self._url, f"{self._call.name}.url")
        body, number = encoded(notice, self._links), message_id(notice)
        moment = str(int(self._seconds()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": number,
            "webhook-timestamp": moment,
            "webhook-signature": " ".join(signature(key, number, moment, body) for key in self._read_keys()),
        }
        answer = self._call.post(url, body, headers)
        if answer.taken:
            return Receipt()
        raise refused(self._call.name, answer)

    def check(self) -> list[str]:
        """Look at address and keys; nothing is posted, for the other side would have to act on it."""
        try:
            if not is_address(secret(self._url, f"{self._call.name}.url")):
                return [f"{self._call.name}.url: is not an http(s) address"]
            self._read_keys()
        except DeliveryError as error:
            return [error.reason]
        return []

    def _read_keys(self) -> list[bytes]:
        what = f"{self._call.name}.secret"
        try:
            words = self._keys().split()
        except (OSError, ValueError) as error:
            raise _unusable(f"{what}: cannot be read ({type(error).__name__})") from None
        keys = [_key(word) for word in words]
        if not keys or not all(SHORTEST <= len(key) <= LONGEST for key in keys):
            raise _unusable(f'{what}: must be "whsec_" and base64 of {SHORTEST} to {LONGEST} bytes')
        return keys


def signature(key: bytes, number: str, moment: str, body: bytes) -> str:
    """Version 1 of the scheme: HMAC-SHA256 over id, time and body."""
    signed = b".".join((number.encode(), moment.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _key(word: str) -> bytes:
    try:
        return base64.b64decode(word.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _unusable(reason: str) -> DeliveryError:
    return DeliveryError(reason, retry_after=FIX_WAIT, broken=True)
