"""Through the Web API: threads, edits, refusals that say what to do, and no secret anywhere."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from slack_sdk import WebClient

from alerts.condition import Condition, Kind, Notice, Severity
from alerts.delivery import DeliveryError, Receipt
from alerts.links import Links
from alerts.slack import SlackSender
from canary.sandbox.gate import Gate
from canary.sandbox.slack import SlackStandIn

TOKEN = "xoxb-1234-very-secret"
T0 = datetime(2026, 1, 1, tzinfo=UTC)
CONTENT = Condition(
    "lost",
    Severity.PAGE,
    "lost <!channel> 3",
    facts=(("a&b", "<@U123> & <https://evil|click>"),),
    diagram="raw -x-> ``` events",
    commands=("explain 1",),
    ids=("1",),
)
OPENED = Notice("1.1", 1, 1, Kind.OPENED, CONTENT, T0, T0)
STILL = replace(OPENED, id="1.2", sequence=2, kind=Kind.STILL, made_at=T0 + timedelta(hours=4))
RESOLVED = replace(
    OPENED,
    id="1.3",
    sequence=3,
    kind=Kind.RESOLVED,
    made_at=T0 + timedelta(hours=5),
    ended_at=T0 + timedelta(hours=5),
)


@pytest.fixture
def gate() -> Gate:
    """The switch of the stand-in."""
    return Gate()


@pytest.fixture
def slack(gate: Gate) -> Iterator[SlackStandIn]:
    """A Slack that keeps what it got and refuses what the real one would."""
    stand_in = SlackStandIn(gate=gate, token=TOKEN)
    stand_in.start()
    yield stand_in
    stand_in.stop()
    assert stand_in.room.broken == []  # no call went over a documented limit, not even one that was mended


def sender(slack: SlackStandIn, *, token: str = TOKEN, channel: str = "#canary") -> SlackSender:
    """One that posts there."""
    return SlackSender(lambda: token, channel=channel, url=slack.api_url)


def test_one_thread_an_incident(slack: SlackStandIn) -> None:
    """The first message opens it, the others answer in it, and the first is edited to what is true now."""
    one = sender(slack)
    receipt = one.send(OPENED, None)
    one.send(STILL, receipt)
    one.send(RESOLVED, receipt)
    first, second, third = slack.messages
    assert (receipt.channel, receipt.thread) == (first.channel, first.ts)
    assert [first.thread_ts, second.thread_ts, third.thread_ts] == [None, first.ts, first.ts]
    assert first.updates == 2
    assert first.text.startswith("🟢 Resolved after 5 h")
    assert "as of 2026-01-01 05:00:00 UTC" in json.dumps(first.blocks)
    assert second.text.startswith("🔴 Still so after 4 h")


def test_the_blocks_are_taken_and_carry_the_notice_id(slack: SlackStandIn) -> None:
    """Slack accepts the blocks as they are, and the id travels in the metadata."""
    sender(slack).send(OPENED, None)
    (message,) = slack.messages
    assert [block["type"] for block in message.blocks][:2] == ["header", "context"]
    assert message.metadata is not None
    assert message.metadata["event_payload"]["notice"] == "1.1"


def test_nothing_from_outside_acts(slack: SlackStandIn) -> None:
    """No mention, no link and no end of a code block gets through, in the text or in the blocks."""
    sender(slack).send(OPENED, None)
    (message,) = slack.messages
    everything = message.text + json.dumps(message.blocks)
    assert "<" not in everything
    assert "x-&gt; ''' events" in everything


def test_an_edit_that_cannot_be_made_does_not_keep_the_answer_back(slack: SlackStandIn) -> None:
    """Where the first message is gone, the answer comes as a message of its own."""
    sender(slack).send(RESOLVED, Receipt("C0SANDBOX01", "1.000001"))
    (message,) = slack.messages
    assert (message.thread_ts, message.updates) == (None, 0)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("invalid_auth", "does not know this token"),
        ("channel_not_found", "no such channel"),
        ("is_archived", "archived"),
        ("missing_scope", "chat:write"),
    ],
)
def test_what_a_person_must_fix_is_said_and_waits(slack: SlackStandIn, code: str, words: str) -> None:
    """The reason is in plain words with Slack's own, and the message stays owed."""
    slack.refuse(code)
    with pytest.raises(DeliveryError, match=words) as caught:
        sender(slack).send(OPENED, None)
    assert (caught.value.permanent, caught.value.uncertain, caught.value.code) == (False, False, code)
    assert caught.value.retry_after == timedelta(seconds=60)
    (problem,) = sender(slack).check()
    assert words in problem


def test_a_check_of_what_is_right_finds_nothing(slack: SlackStandIn) -> None:
    """With a good token no problem is reported, by channel name or id, and nothing is posted."""
    assert sender(slack).check() == []
    assert sender(slack, channel="C0SANDBOX01").check() == []
    assert slack.messages == []


def test_a_check_finds_a_wrong_channel_and_token(slack: SlackStandIn) -> None:
    """An id that is not there and a token that is not known are told at the start."""
    assert "no such channel" in sender(slack, channel="C0ELSEWHERE").check()[0]
    assert "does not know this token" in sender(slack, token="xoxb-other").check()[0]


def test_a_limit_is_honoured(slack: SlackStandIn, gate: Gate) -> None:
    """429 is certain not to have arrived, and carries the time to wait."""
    gate.set("throttle")
    with pytest.raises(DeliveryError, match="too many") as caught:
        sender(slack).send(OPENED, None)
    assert (caught.value.retry_after, caught.value.uncertain) == (timedelta(seconds=1), False)


@pytest.mark.parametrize("mode", ["down", "freeze"])
def test_a_call_without_an_answer_may_have_arrived(slack: SlackStandIn, gate: Gate, mode: str) -> None:
    """A reset or a silence ends within the deadline, and the next try will be marked as a repeat."""
    gate.set("down" if mode == "down" else "freeze")
    begun = datetime.now(UTC)
    with pytest.raises(DeliveryError) as caught:
        sender(slack).send(OPENED, None)
    assert caught.value.uncertain
    assert datetime.now(UTC) - begun < timedelta(seconds=4)


def test_an_unreachable_slack_has_surely_not_got_it() -> None:
    """A refused connection is no reason to mark a repeat."""
    with pytest.raises(DeliveryError, match="cannot be reached") as caught:
        SlackSender(lambda: TOKEN, channel="#c", url="http://127.0.0.1:9/api/").send(OPENED, None)
    assert not caught.value.uncertain


def test_a_token_that_changes_is_taken_up(slack: SlackStandIn) -> None:
    """The token is asked for at each message, so a new one needs no restart."""
    tokens = ["xoxb-old", TOKEN + "\n"]
    one = SlackSender(lambda: tokens.pop(0), channel="#canary", url=slack.api_url)
    with pytest.raises(DeliveryError):
        one.send(OPENED, None)
    one.send(OPENED, None)
    assert len(slack.messages) == 1


@pytest.mark.parametrize("bad", ["", "xoxb-very secret", "xoxb-very-secret\r\nX: y", "xoxb-sécret"])
def test_a_broken_token_is_named_and_not_shown(slack: SlackStandIn, bad: str) -> None:
    """Its error says what is wrong with it in general terms."""
    with pytest.raises(DeliveryError, match=r"^slack\.token: ") as caught:
        sender(slack, token=bad).send(OPENED, None)
    assert "secret" not in str(caught.value).replace("no secret has", "")


def test_the_token_is_nowhere_to_be_seen(
    slack: SlackStandIn, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in repr, errors or logs, whatever goes wrong and however much is logged."""
    caplog.set_level(logging.DEBUG)
    one = sender(slack)
    shown = [repr(one)]
    for mode in ("open", "throttle", "down"):
        gate.set("open" if mode == "open" else "throttle" if mode == "throttle" else "down")
        slack.refuse("invalid_auth")
        try:
            one.send(OPENED, None)
        except DeliveryError as error:
            shown += [repr(error), str(error), repr(error.__cause__)]
    assert len(shown) == 10
    assert "very-secret" not in "".join(shown) + caplog.text


def test_a_message_whose_answer_was_lost_is_found_by_its_id(slack: SlackStandIn) -> None:
    """First messages and answers in threads alike; what is not there is not found."""
    one = sender(slack)
    receipt = one.send(OPENED, None)
    slack.lose_answers(2)
    for notice, thread in ((replace(OPENED, id="2.1", incident=2), None), (STILL, receipt)):
        with pytest.raises(DeliveryError) as caught:
            one.send(notice, thread)
        assert caught.value.uncertain
        assert one.find(notice, thread) == Receipt(
            "C0SANDBOX01", slack.messages[-1].thread_ts or slack.messages[-1].ts
        )
    assert one.find(replace(STILL, id="1.9"), receipt) is None
    assert one.find(replace(OPENED, made_at=T0 + timedelta(seconds=1)), None) is None


def test_a_lookup_turns_the_page(slack: SlackStandIn) -> None:
    """The message is found however much was said since."""
    one = sender(slack)
    one.send(OPENED, None)
    client = WebClient(TOKEN, base_url=slack.api_url)
    for number in range(250):
        client.chat_postMessage(channel="#canary", text=str(number))
    assert one.find(OPENED, None) is not None


def test_where_we_may_not_look_we_say_so(slack: SlackStandIn) -> None:
    """Without the right, or before the channel's ID is known, nobody can tell; that is no failed try."""
    for one in (sender(slack), sender(slack, channel="C0SANDBOX01")):
        slack.room.scopes.discard("channels:history")
        with pytest.raises(DeliveryError) as caught:
            one.find(OPENED, None)
        assert caught.value.broken


@pytest.mark.parametrize("channel", ["#canary", "canary", "C0SANDBOX01"])
def test_a_check_looks_at_the_channel_by_name_or_id(slack: SlackStandIn, channel: str) -> None:
    """An archived channel is told at the start, however it is named; so is a lost right to post."""
    assert sender(slack, channel=channel).check() == []
    slack.room.archived = True
    assert "archived" in sender(slack, channel=channel).check()[0]
    slack.room.scopes.discard("channels:read")
    assert sender(slack, channel=channel).check() == []
    slack.room.scopes.discard("chat:write")
    assert "chat:write" in sender(slack, channel=channel).check()[0]


def test_a_channel_that_no_page_shows_is_told(slack: SlackStandIn) -> None:
    """A misspelled name is found out before the first page is owed."""
    assert "no such channel" in sender(slack, channel="#canery").check()[0]


def test_links_are_shown(slack: SlackStandIn) -> None:
    """Runbook and dashboard stand at the end of first message and answers."""
    links = Links(runbook="https://runbooks/{kind}")
    one = SlackSender(lambda: TOKEN, channel="#canary", url=slack.api_url, links=links)
    one.send(RESOLVED, one.send(OPENED, None))
    assert all("<https://runbooks/lost|runbook>" in json.dumps(message.blocks) for message in slack.messages)
