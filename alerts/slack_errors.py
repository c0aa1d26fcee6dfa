"""What Slack's answers and failed calls mean: wait, put something right, or give up."""

import logging
import re
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import TypeVar
from urllib.error import URLError

from alerts.delivery import DeliveryError
from alerts.posting import FIX_WAIT, retry_after
from alerts.text import escaped

T = TypeVar("T")

DEADLINE = 2
"""Seconds, as the client library takes it, for connecting and for each wait on the answer."""
CODE = re.compile(r"[a-z_]{1,60}")
LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
BROKEN = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable"})

TO_FIX = {
    "invalid_auth": "Slack does not know this token",
    "not_authed": "no token was given",
    "account_inactive": "the token belongs to a removed user or workspace",
    "token_revoked": "the token was revoked",
    "token_expired": "the token has expired",
    "missing_scope": "the app lacks a scope; chat:write is needed",
    "no_permission": "the token lacks the right to post",
    "not_allowed_token_type": "this kind of token cannot post; a bot token is needed",
    "channel_not_found": "there is no such channel, or the app is not in it",
    "not_in_channel": "the app is not in the channel; invite it",
    "is_archived": "the channel is archived",
    "channel_is_archived": "the channel is archived",
    "restricted_action": "the workspace does not let this app post there",
    "invalid_token": "Slack does not know this webhook URL",
    "no_service": "the webhook was disabled or removed",
    "no_team": "the webhook's workspace is gone",
    "no_active_hooks": "the webhook was disabled",
    "action_prohibited": "an administrator has blocked this webhook",
    "posting_to_general_channel_denied": "the app may not post in the general channel",
}
UNFIT = frozenset(
    {
        "invalid_arguments",
        "invalid_attachments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "invalid_payload",
        "metadata_too_large",
        "missing_text_or_fallback_or_attachments",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "too_many_attachments",
    }
)
"""The message itself is at fault: the same one again would get the same answer."""
KNOWN = frozenset(TO_FIX) | UNFIT | LIMITED | BROKEN
"""All the words of Slack's that have a meaning here."""


def silent_logger() -> logging.Logger:
    """For the client library, whose own lines carry whole URLs, headers and bodies."""
    return logging.Logger("alerts.slack_sdk", level=logging.CRITICAL + 1)


def called(call: Callable[[], T]) -> T:
    """The answer of one HTTP call, with everything that can go wrong on the way as a DeliveryError.

    Always raised `from None`, because the causes may show URL and headers.
    """
    try:
        return call()
    except URLError as error:
        # A reset while sending leaves open what the other side made of it; no connection leaves nothing open.
        broken = isinstance(error.reason, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError))
        reason = f"slack: cannot be reached ({_cause(error.reason)})"
        raise DeliveryError(reason, uncertain=broken) from None
    except TimeoutError:
        raise DeliveryError("slack: gave no answer in time", uncertain=True) from None
    except (OSError, HTTPException) as error:
        raise DeliveryError(f"slack: broke off ({type(error).__name__})", uncertain=True) from None
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        # The library takes apart whatever came back; an answer that is no answer shows up as one of these.
        reason = f"slack: answered something that cannot be understood ({type(error).__name__})"
        raise DeliveryError(reason, uncertain=True) from None


def refused(answer: str, *, status: int, headers: Mapping[str, str]) -> DeliveryError:
    """What an answer other than yes means."""
    # Anything but a bare code is somebody's error page, which may quote the secret address.
    code = answer if CODE.fullmatch(answer) else ""
    shown = code or f"HTTP {status}"
    if status == 429 or code in LIMITED:
        return DeliveryError("slack: too many messages", retry_after=retry_after(headers), code=code)
    if code in TO_FIX or code.startswith("restricted_action"):
        meaning = TO_FIX.get(code, TO_FIX["restricted_action"])
        return DeliveryError(f"slack: {meaning} ({shown})", retry_after=FIX_WAIT, broken=True, code=code)
    if code in UNFIT:
        return DeliveryError(f"slack: does not take this message ({shown})", permanent=True, code=code)
    # Slack says of its own 5xx and fatal errors that part of the work may have been done.
    uncertain = status >= 500 or code in BROKEN
    return DeliveryError(f"slack: refused ({shown})", uncertain=uncertain, code=code)


def _cause(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return "no connection in time"
    if isinstance(reason, OSError) and reason.strerror:
        return escaped(reason.strerror, 200)
    return type(reason).__name__
