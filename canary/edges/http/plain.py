"""The head of an answer as nearly every ingress gives it, read in one go; any other is http.client's to read.

http.client reads each head with the parser for electronic mail, at a third of what a post costs. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_HEAD = re.compile(
    rb"HTTP/1\.1 ([2-5]\d\d) ([!-~](?:[ -~]*[!-~])?)\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[ ]?(?:[!-~](?:[ -~]*[!-~])?)?\r\n)+)\r\n"
)
_LENGTH = re.compile(r"[0-9]{1,7}")
_WITHOUT_BODY = (204, 304)


@dataclass(frozen=True, slots=True)
class Plain:
    """An answer whose head takes `head` bytes, whose body takes `body`, and after which the connection stays.
    Names of headers in lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    head: int
    body: int


def plain(seen: bytes) -> Plain | None:
    """What the first bytes of an answer say; None where they are not a whole head of the plain kind."""
    found = _HEAD.match(seen)
    if found is None:
        return None
    status = int(found[1])
    lines = [line.partition(":") for line in found[3].decode("ascii").split("\r\n")[:-1]]
    headers = {name.lower(): value.removeprefix(" ") for name, _, value in lines}
    length = _LENGTH.fullmatch(headers.get("content-length", ""))
    odd = len(headers) < len(lines) or "transfer-encoding" in headers or status in _WITHOUT_BODY
    if odd or length is None or headers.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    return Plain(status, found[2].decode("ascii"), headers, found.end(), int(length[0]))
