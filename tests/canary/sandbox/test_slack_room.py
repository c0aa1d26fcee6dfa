"""The Slack stand-in's rights, limits and lost answers."""

import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from canary.sandbox.gate import Gate
from canary.sandbox.slack import SlackStandIn

TOKEN = "xoxb-sandbox"


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def slack(gate: Gate) -> Iterator[SlackStandIn]:
    stand_in = SlackStandIn(gate=gate, token=TOKEN)
    stand_in.start()
    yield stand_in
    stand_in.stop()


@pytest.fixture
def client(slack: SlackStandIn) -> WebClient:
    return WebClient(token=TOKEN, base_url=slack.api_url, timeout=5)


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def error_of(raised: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(raised.value.response["error"])


def test_metadata_is_shown_to_who_asks_for_it(client: WebClient) -> None:
    """History and replies leave it out otherwise, as Slack does."""
    metadata = {"event_type": "a", "event_payload": {"b": 1}}
    posted = client.chat_postMessage(channel="#canary", text="x", metadata=metadata)
    for method in ("conversations.history", "conversations.replies"):
        asked = {"channel": posted["channel"], "ts": posted["ts"]}
        bare = client.api_call(method, params=asked)["messages"][0]
        full = client.api_call(method, params={**asked, "include_all_metadata": True})["messages"][0]
        assert "metadata" not in bare
        assert full["metadata"] == metadata


@pytest.mark.parametrize(
    ("scope", "method"),
    [
        ("chat:write", "chat.postMessage"),
        ("chat:write", "chat.update"),
        ("channels:read", "conversations.info"),
        ("channels:read", "conversations.list"),
        ("channels:history", "conversations.history"),
        ("channels:history", "conversations.replies"),
    ],
)
def test_each_method_needs_its_scope(slack: SlackStandIn, client: WebClient, scope: str, method: str) -> None:
    """Without it the answer is missing_scope; the header tells which there are."""
    slack.room.scopes.discard(scope)
    with pytest.raises(SlackApiError) as raised:
        client.api_call(method, json={"channel": "C0SANDBOX01", "text": "x"})
    assert error_of(raised) == "missing_scope"
    assert scope not in raised.value.response.headers["X-OAuth-Scopes"]


def test_an_archived_channel_takes_nothing(slack: SlackStandIn, client: WebClient) -> None:
    """No post, no update, and the webhook says so with its own status."""
    posted = client.chat_postMessage(channel="#canary", text="x")
    slack.room.archived = True
    for method in ("chat.postMessage", "chat.update"):
        with pytest.raises(SlackApiError) as raised:
            client.api_call(method, json={"channel": posted["channel"], "ts": posted["ts"], "text": "y"})
        assert error_of(raised) == "is_archived"
    assert WebhookClient(slack.webhook_url).send(text="y").status_code == 410
    assert len(slack.messages) == 1


def test_more_than_a_message_a_second_is_refused_where_limits_are_on(gate: Gate) -> None:
    """After a short burst one message a second goes through, the others get 429."""
    now = [0.0]
    stand_in = SlackStandIn(gate=gate, token=TOKEN, clock=lambda: now[0])
    stand_in.room.limits = True
    stand_in.start()
    hook = WebhookClient(stand_in.webhook_url)
    assert [hook.send(text="x").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    now[0] += 1
    assert [hook.send(text="x").status_code for _ in range(2)] == [200, 429]
    stand_in.stop()


def test_a_lost_answer_leaves_the_message_there(slack: SlackStandIn) -> None:
    """The caller sees a reset, the channel the message."""
    impatient = WebClient(token=TOKEN, base_url=slack.api_url, timeout=1, retry_handlers=[])
    slack.lose_answers(1)
    with pytest.raises((ConnectionError, urllib.error.URLError)):
        impatient.chat_postMessage(channel="#canary", text="x")
    assert [message.text for message in slack.messages] == ["x"]


def test_every_call_over_a_limit_is_remembered(slack: SlackStandIn, client: WebClient) -> None:
    """Even where the caller mends it at once, so that a test can fail for it."""
    many = [section("x" * 2900) for _ in range(5)]
    large = {"event_type": "a", "event_payload": {"b": "c" * 9000}}
    for arguments, error in (
        ({"text": "x", "blocks": [section("")]}, "invalid_blocks"),
        ({"text": "x", "blocks": many}, "msg_blocks_too_long"),
        (
            {"text": "x", "metadata": large},
            "metadata_too_large",
        ),
    ):
        with pytest.raises(SlackApiError) as raised:
            client.api_call("chat.postMessage", json={"channel": "#canary", **arguments})
        assert error_of(raised) == error
    posted = client.chat_postMessage(channel="#canary", text="x")
    with pytest.raises(SlackApiError):
        client.chat_update(channel=posted["channel"], ts=posted["ts"], text="x" * 4001)
    assert [broken.split()[0] for broken in slack.room.broken] == [
        "invalid_blocks",
        "msg_blocks_too_long",
        "metadata_too_large",
        "msg_too_long",
    ]
