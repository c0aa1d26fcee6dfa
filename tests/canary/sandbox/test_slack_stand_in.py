"""The Slack stand-in, as slack-sdk sees it."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from canary.sandbox.gate import Gate
from canary.sandbox.slack import SlackStandIn
from canary.sandbox.slack_limits import block_errors

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


def test_what_is_posted_is_kept(slack: SlackStandIn, client: WebClient) -> None:
    """Text, blocks and metadata are kept as sent, and the answer names channel and ts."""
    metadata = {"event_type": "canary_notice", "event_payload": {"key": "k1"}}
    answer = client.chat_postMessage(
        channel="#canary", text="lost 3 of 60 🐤", blocks=[section("*lost*")], metadata=metadata
    )
    [message] = slack.messages
    assert (message.ts, message.channel) == (answer["ts"], answer["channel"])
    assert (message.text, message.blocks, message.metadata) == (
        "lost 3 of 60 🐤",
        [section("*lost*")],
        metadata,
    )


def test_updates_change_the_message_and_are_counted(slack: SlackStandIn, client: WebClient) -> None:
    """An update edits in place, by channel id and ts."""
    posted = client.chat_postMessage(channel="#canary", text="open")
    client.chat_update(channel=posted["channel"], ts=posted["ts"], text="resolved")
    [message] = slack.messages
    assert (message.text, message.updates) == ("resolved", 1)


def test_replies_hang_under_their_parent(slack: SlackStandIn, client: WebClient) -> None:
    """A thread is shown by conversations.replies and left out of conversations.history."""
    posted = client.chat_postMessage(channel="#canary", text="parent")
    client.chat_postMessage(channel="#canary", text="child", thread_ts=posted["ts"])
    replies = client.conversations_replies(channel=posted["channel"], ts=posted["ts"])
    history = client.conversations_history(channel=posted["channel"])
    assert [message["text"] for message in replies["messages"]] == ["parent", "child"]
    assert [message["text"] for message in history["messages"]] == ["parent"]
    assert [message.thread_ts for message in slack.messages] == [None, posted["ts"]]


def test_history_is_newest_first_in_pages(client: WebClient) -> None:
    """Pages follow the cursor, and `oldest` cuts off what came before."""
    posted = [client.chat_postMessage(channel="#canary", text=str(number)) for number in range(3)]
    channel = posted[0]["channel"]
    first = client.conversations_history(channel=channel, limit=2)
    second = client.conversations_history(
        channel=channel, limit=2, cursor=first["response_metadata"]["next_cursor"]
    )
    recent = client.conversations_history(channel=channel, oldest=posted[1]["ts"])
    assert [m["text"] for page in (first, second) for m in page["messages"]] == ["2", "1", "0"]
    assert [m["text"] for m in recent["messages"]] == ["2", "1"]


def test_who_am_i_and_what_is_this_channel(client: WebClient) -> None:
    """The two calls that a configuration check makes answer."""
    posted = client.chat_postMessage(channel="#canary", text="hello")
    assert client.auth_test()["ok"]
    assert client.conversations_info(channel=posted["channel"])["channel"]["name"] == "canary"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "#nope", "text": "x"}, "channel_not_found"),
        ({"channel": "#canary", "text": ""}, "no_text"),
        ({"channel": "#canary", "text": "x" * 40_001}, "msg_too_long"),
        ({"channel": "#canary", "text": "x", "blocks": [section("")]}, "invalid_blocks"),
        ({"channel": "#canary", "text": "x", "thread_ts": "1.000001"}, "cannot_reply_to_message"),
        ({"channel": "#canary", "text": "x", "metadata": {"event_type": "a"}}, "invalid_metadata_schema"),
    ],
)
def test_bad_messages_are_refused_as_slack_does(
    slack: SlackStandIn, client: WebClient, arguments: dict[str, Any], error: str
) -> None:
    """Slack's own error codes come back, and nothing is kept."""
    with pytest.raises(SlackApiError) as raised:
        client.api_call("chat.postMessage", json=arguments)
    assert error_of(raised) == error
    assert slack.messages == []


def test_a_wrong_token_is_refused(slack: SlackStandIn) -> None:
    """Nobody posts without the token."""
    with pytest.raises(SlackApiError) as raised:
        WebClient(token="xoxb-other", base_url=slack.api_url).chat_postMessage(channel="#canary", text="x")
    assert error_of(raised) == "invalid_auth"


@pytest.mark.parametrize("error", ["invalid_auth", "is_archived", "missing_scope", "channel_not_found"])
def test_any_refusal_can_be_chosen_and_taken_back(slack: SlackStandIn, client: WebClient, error: str) -> None:
    """A chosen error answers every call until it is taken back."""
    slack.refuse(error)
    with pytest.raises(SlackApiError) as raised:
        client.chat_postMessage(channel="#canary", text="x")
    assert error_of(raised) == error
    slack.refuse(None)
    assert client.chat_postMessage(channel="#canary", text="x")["ok"]


def test_rate_limits_say_when_to_come_back(gate: Gate, client: WebClient) -> None:
    """A throttled call gets 429, `ratelimited` and Retry-After."""
    gate.set("throttle")
    with pytest.raises(SlackApiError) as raised:
        client.chat_postMessage(channel="#canary", text="x")
    assert raised.value.response.status_code == 429
    assert error_of(raised) == "ratelimited"
    assert raised.value.response.headers["Retry-After"] == "1"


def test_down_resets_and_freeze_holds(gate: Gate, slack: SlackStandIn) -> None:
    """Nothing is kept while Slack is down; what a frozen Slack was sent arrives after it thaws."""
    impatient = WebClient(token=TOKEN, base_url=slack.api_url, timeout=1, retry_handlers=[])
    gate.set("down")
    with pytest.raises((ConnectionError, urllib.error.URLError)):
        impatient.chat_postMessage(channel="#canary", text="to nobody")
    gate.set("freeze")
    with pytest.raises(TimeoutError):
        impatient.chat_postMessage(channel="#canary", text="held")
    gate.set("open")
    deadline = time.monotonic() + 5
    while not slack.messages and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [message.text for message in slack.messages] == ["held"]


def test_slow_answers_late(gate: Gate, client: WebClient) -> None:
    """A slow Slack still delivers."""
    gate.set("slow", by=timedelta(milliseconds=200))
    assert client.chat_postMessage(channel="#canary", text="x")["ok"]


def test_webhooks_post_and_refuse(slack: SlackStandIn) -> None:
    """A webhook answers "ok" in plain text, and errors with a status and a word."""
    hook = WebhookClient(slack.webhook_url)
    assert (hook.send(text="hello").status_code, hook.send(text="").body) == (200, "no_text")
    slack.refuse("is_archived")
    assert hook.send(text="x").status_code == 410
    assert WebhookClient(slack.webhook_url + "x").send(text="x").status_code == 404
    assert [(message.text, message.by) for message in slack.messages] == [("hello", "webhook")]


def test_everything_can_be_read_as_json_even_while_slack_is_down(
    gate: Gate, slack: SlackStandIn, client: WebClient
) -> None:
    """For the person who watches, so no fault hides it: as it stands now, and as it was when it came."""
    posted = client.chat_postMessage(channel="#canary", text="seen")
    client.chat_update(channel=posted["channel"], ts=posted["ts"], text="changed")
    gate.set("down")
    for what, text in (("messages", "changed"), ("posted", "seen")):
        with urllib.request.urlopen(f"http://127.0.0.1:{slack.port}/{what}", timeout=20) as answer:
            assert [message["text"] for message in json.load(answer)] == [text]


def test_stop_leaves_no_thread_and_no_port() -> None:
    """Connections that are kept alive or frozen end with the server."""
    before = threading.active_count()
    gate = Gate()
    stand_in = SlackStandIn(gate=gate, token=TOKEN)
    stand_in.start()
    gate.set("freeze")
    caller = threading.Thread(target=_post_and_fail, args=(stand_in.api_url,), daemon=True)
    caller.start()
    stand_in.stop()
    caller.join(5)
    assert threading.active_count() == before
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(stand_in.api_url, timeout=1)


def _post_and_fail(api_url: str) -> None:
    with pytest.raises((ConnectionError, urllib.error.URLError)):
        WebClient(token=TOKEN, base_url=api_url, retry_handlers=[]).chat_postMessage(
            channel="#canary", text="x"
        )


@pytest.mark.parametrize(
    ("block", "where"),
    [
        (section("x" * 3001), "/blocks/0/text/text"),
        ({"type": "section"}, "/blocks/0"),
        ({"type": "header", "text": {"type": "mrkdwn", "text": "x"}}, "/blocks/0/text/type"),
        ({"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}, "/blocks/0/text/text"),
        ({"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}, "/blocks/0/elements"),
        ({"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}, "/blocks/0/fields"),
        ({"type": "image", "image_url": "https://example.com/a.png"}, "/blocks/0"),
        ({"type": "marquee"}, "/blocks/0/type"),
    ],
)
def test_each_limit_on_a_block_points_to_where(block: dict[str, Any], where: str) -> None:
    """One broken limit gives one error with its place."""
    [error] = block_errors([block])
    assert error.endswith(f"[json-pointer:{where}]")


def test_fifty_blocks_are_the_most() -> None:
    """The fifty-first block is one too many."""
    assert block_errors([{"type": "divider"}] * 50) == []
    assert len(block_errors([{"type": "divider"}] * 51)) == 1
