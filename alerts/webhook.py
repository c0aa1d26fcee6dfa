"""The way out through a Slack incoming webhook: messages in a row, for it has no threads and no edits."""

from collections.abc import Callable
from typing import Any

from slack_sdk.webhook import WebhookClient

from alerts.blocks import render
from alerts.condition import Notice
from alerts.delivery import DeliveryError, Receipt
from alerts.links import Links
from alerts.posting import FIX_WAIT, is_address, secret
from alerts.slack_errors import DEADLINE, called, refused, silent_logger


class WebhookSender:
    """Posts to a webhook URL, read anew for each message; the URL is the secret."""

    def __init__(
        self, url: Callable[[], str], *, timeout: int = DEADLINE, links: Links | None = None
    ) -> None:
        """`timeout` is in seconds."""
        self._url, self._timeout, self._links = url, timeout, links

    def __repr__(self) -> str:
        return "WebhookSender()"

    def send(self, notice: Notice, thread: Receipt | None) -> Receipt:  # noqa: ARG002
        """One message, with blocks or, where they are not taken, as plain text."""
        message = render(notice, links=self._links)
        try:
            self._post({"text": message.text, "blocks": list(message.blocks)})
        except DeliveryError as error:
            if not error.permanent:
                raise
            self._post({"text": message.text})
        return Receipt()

    def check(self) -> list[str]:
        """Post a message without any text: a good webhook refuses just that, and nobody sees it."""
        try:
            self._post({"unfurl_links": False})
        except DeliveryError as error:
            return [] if error.permanent else [error.reason]
        return []

    def _post(self, body: dict[str, Any]) -> None:
        url = secret(self._url, "slack.webhook_url")
        if not is_address(url):
            raise DeliveryError(
                "slack.webhook_url: is not an http(s) address", retry_after=FIX_WAIT, broken=True
            )
        client = WebhookClient(url, timeout=self._timeout, retry_handlers=[], logger=silent_logger())
        answer = called(lambda: client.send_dict(body))
        if answer.status_code == 200:
            return
        raise refused(answer.body.strip(), status=answer.status_code, headers=answer.headers)
