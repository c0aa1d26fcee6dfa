"""Through an incoming webhook: plain messages, plain refusals, and an address that stays secret."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from alerts.condition import Condition, Kind, Notice, Severity
from alerts.delivery import DeliveryError, Receipt
from alerts.webhook import WebhookSender
from canary.sandbox.gate import Gate
from canary.sandbox.slack import SlackStandIn

T0 = datetime(2026, 1, 1, tzinfo=UTC)
OPENED = Notice("1.1", 1, 1, Kind.OPENED, Condition("lost", Severity.PAGE, "lost <!here>"), T0, T0)
RESOLVED = replace(OPENED, id="1.2", kind=Kind.RESOLVED, ended_at=T0 + timedelta(minutes=2))


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """A Slack with one webhook."""
    stand_in = SlackStandIn(gate=Gate(), token="very-secret")
    stand_in.start()
    yield stand_in
    stand_in.stop()
    assert stand_in.room.broken == []  # no call went over a documented limit, not even one that was mended


@dataclass
class Odd:
    """A server that answers each post with the same bytes, and keeps what was posted."""

    status: int = 200
    body: bytes = b"ok"
    headers: tuple[tuple[str, str], ...] = ()
    posts: list[bytes] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def odd() -> Iterator[Odd]:
    """One that runs; set what it answers before posting."""
    answer = Odd()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer.posts.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    answer.url = f"http://127.0.0.1:{server.server_address[1]}/services/T/B/very-secret"
    yield answer
    server.shutdown()
    server.server_close()
    thread.join()


def test_each_notice_is_a_message_of_its_own(slack: SlackStandIn) -> None:
    """Without threads the end comes as a second message, which says what ended and after how long."""
    one = WebhookSender(lambda: slack.webhook_url)
    assert one.send(OPENED, None) == Receipt()
    one.send(RESOLVED, Receipt())
    assert [message.text for message in slack.messages] == [
        "🔴 lost &lt;!here&gt;",
        "🟢 Resolved after 2 min: lost &lt;!here&gt;",
    ]
    assert all(message.blocks for message in slack.messages)


def test_a_check_posts_nothing(slack: SlackStandIn) -> None:
    """A good webhook refuses a message without text, and that is how it is known to be good."""
    assert WebhookSender(lambda: slack.webhook_url).check() == []
    assert slack.messages == []


@pytest.mark.parametrize(
    ("code", "words"), [("is_archived", "archived"), ("channel_not_found", "no such channel")]
)
def test_a_check_says_what_to_fix(slack: SlackStandIn, code: str, words: str) -> None:
    """What Slack refuses is told in plain words."""
    slack.refuse(code)
    (problem,) = WebhookSender(lambda: slack.webhook_url).check()
    assert words in problem


def test_a_webhook_that_is_gone_is_told(slack: SlackStandIn) -> None:
    """An address that Slack does not know is no reason to give up the message."""
    with pytest.raises(DeliveryError, match="disabled or removed") as caught:
        WebhookSender(lambda: slack.webhook_url + "x").send(OPENED, None)
    assert not caught.value.permanent


def test_blocks_that_are_not_taken_degrade_to_plain_text(odd: Odd) -> None:
    """When Slack refuses the shape of a message, its text is tried alone before giving up."""
    odd.status, odd.body = 400, b"invalid_blocks"
    with pytest.raises(DeliveryError) as caught:
        WebhookSender(lambda: odd.url).send(OPENED, None)
    assert caught.value.permanent
    assert [b"blocks" in post for post in odd.posts] == [True, False]


@pytest.mark.parametrize(
    ("header", "wait"),
    [("30", timedelta(seconds=30)), ("9" * 30, timedelta(minutes=10)), ("soon", timedelta(seconds=1))],
)
def test_retry_after_is_read_with_care(odd: Odd, header: str, wait: timedelta) -> None:
    """The time to wait is taken as it is, within reason, whatever stands there."""
    odd.status, odd.headers = 429, (("Retry-After", header),)
    with pytest.raises(DeliveryError) as caught:
        WebhookSender(lambda: odd.url).send(OPENED, None)
    assert caught.value.retry_after == wait


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"<html>/services/T/B/very-secret</html>", b"x" * 100_000]
)
def test_an_error_page_is_data(odd: Odd, body: bytes) -> None:
    """What a proxy answers is not shown, for it may quote the address; a 5xx may have been delivered."""
    odd.status, odd.body = 502, body
    with pytest.raises(DeliveryError) as caught:
        WebhookSender(lambda: odd.url).send(OPENED, None)
    assert caught.value.uncertain
    assert "very-secret" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("bad", ["", "very-secret", "ftp://very-secret", "http://[very-secret", "http://a b"])
def test_a_broken_address_is_named_and_not_shown(bad: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the error nor the log holds any of it."""
    caplog.set_level(logging.DEBUG)
    one = WebhookSender(lambda: bad)
    with pytest.raises(DeliveryError, match=r"^slack\.webhook_url: ") as caught:
        one.send(OPENED, None)
    assert not caught.value.uncertain
    assert "very-secret" not in str(caught.value) + repr(one) + caplog.text


def test_a_file_that_cannot_be_read_is_told_without_its_path() -> None:
    """A secret whose file went away is something to fix, not a crash."""

    def source() -> str:
        raise FileNotFoundError("hidden")

    with pytest.raises(DeliveryError, match=r"slack\.webhook_url: cannot be read \(FileNotFoundError\)"):
        WebhookSender(source).send(OPENED, None)
