"""One suite for every way out: what a sender promises, on each of them, Alertmanager the real one as well."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.condition import Condition, Kind, Notice, Severity
from alerts.delivery import DeliveryError, Keeper, Receipt
from alerts.payload import moment
from tests.alerts import ways
from tests.alerts.ways import SECRET, Fault, Lab

NOW = datetime.now(UTC)
CONTENT = Condition(
    "lost:raw->events",
    Severity.PAGE,
    "3 lost between raw and events",
    facts=(("sent", "60"), ("lost", "3")),
    diagram="ingress -> raw --X--> events",
    commands=("canary explain 1",),
    count=3,
    ids=("1", "2", "3"),
)
OPENED = Notice("1.1", 1, 1, Kind.OPENED, CONTENT, NOW, NOW)
STILL = replace(OPENED, id="1.2", sequence=2, kind=Kind.STILL)
RESOLVED = replace(OPENED, id="1.3", sequence=3, kind=Kind.RESOLVED, ended_at=NOW + timedelta(seconds=9))
AMENDED = replace(
    RESOLVED, id="1.4", sequence=4, kind=Kind.AMENDED, amended=(("arrived after all", 2),), took=timedelta(1)
)
SUMMARY = replace(OPENED, id="2.1", incident=2, kind=Kind.SUMMARY, covers=((1, Kind.OPENED),))
HOSTILE = "<!channel> <https://evil|click> ``` & \x00\x1b[31m \u202e \ud800 " + "x" * 5000
REPEAT = "you may have had this message before"
LABS = {
    "slack api": ways.slack_api,
    "slack webhook": ways.slack_webhook,
    "webhook": ways.hook,
    "command": ways.command,
    "alertmanager": ways.alertmanager,
    "real alertmanager": ways.real_alertmanager,
}


@pytest.fixture(params=LABS)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Each way out in turn."""
    if request.param == "real alertmanager" and ways.alertmanager_program() is None:
        if ways.under_ci():
            pytest.fail("prometheus-alertmanager is missing: CI must have it")
        pytest.skip("needs Debian's prometheus-alertmanager")
    with LABS[request.param]() as found:
        yield found


def error_of(lab: Lab, fault: Fault, notice: Notice = OPENED) -> DeliveryError:
    """What sending raises under this fault."""
    lab.fault(fault)
    sender = lab.hasty if fault in ("hang", "lost") else lab.sender
    with pytest.raises(DeliveryError) as caught:
        sender.send(notice, None)
    return caught.value


def test_every_kind_is_delivered_in_order(lab: Lab) -> None:
    """Opened, still so, over, and a summary each arrive, the later ones with the receipt of the first."""
    receipt = lab.sender.send(OPENED, None)
    for notice in (STILL, RESOLVED, AMENDED):
        receipt = lab.sender.send(notice, receipt)
    lab.sender.send(SUMMARY, None)
    got = lab.got()
    assert len(got) == 5
    assert all("3 lost between raw and events" in text for text in got)
    said = ["arrived after all" in text for text in got[1:]]  # the first may have been edited to say it too
    assert said == [False, False, True, False]


def test_an_amendment_of_what_is_open_leaves_it_open(lab: Lab) -> None:
    """It tells more of the incident, not its end."""
    receipt = lab.sender.send(OPENED, None)
    lab.sender.send(replace(AMENDED, ended_at=None), receipt)
    assert "esolved" not in lab.got()[-1]
    if isinstance(lab.sender, Keeper):
        assert json.loads(lab.got()[-1])["endsAt"] > moment(datetime.now(UTC))


@pytest.mark.parametrize("receipt", [None, Receipt(), Receipt("elsewhere", "")])
def test_an_end_without_its_opening_stands_by_itself(lab: Lab, receipt: Receipt | None) -> None:
    """Where the opening went another way, or this one has no threads, the end comes all the same."""
    lab.sender.send(RESOLVED, receipt)
    assert len(lab.got()) == 1


def test_the_numbers_and_ids_arrive(lab: Lab) -> None:
    """What a person needs stands in each message: figures, diagram, first ids, the command."""
    lab.sender.send(OPENED, None)
    (text,) = lab.got()
    for part in ("sent", "60", "canary explain 1", "ingress"):
        assert part in text


def test_a_message_that_is_refused_is_given_up(lab: Lab) -> None:
    """Trying it again cannot help, and it surely did not arrive."""
    error = error_of(lab, "unfit")
    assert (error.permanent, error.uncertain, lab.got()) == (True, False, [])


def test_a_way_that_a_person_must_put_right_says_so(lab: Lab) -> None:
    """A wrong secret or address is no fault of the message: it stays owed, and nothing is uncertain."""
    error = error_of(lab, "broken")
    assert (error.broken, error.permanent, error.uncertain) == (True, False, False)
    assert lab.sender.check() or lab.name == "webhook"  # a webhook is not asked: its owner would have to act


def test_too_many_messages_are_told_when_to_come_back(lab: Lab) -> None:
    """A limit is no failure of the message, and its time to wait is kept."""
    error = error_of(lab, "again")
    assert (error.permanent, error.broken, error.uncertain) == (False, False, False)
    if lab.edge:
        assert error.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("fault", ["hang", "lost"])
def test_a_lost_answer_is_uncertain_and_the_repeat_is_marked(lab: Lab, fault: Fault) -> None:
    """Within its deadline the sender says that the message may have arrived; the next try says so too."""
    begun = time.monotonic()
    error = error_of(lab, fault)
    assert time.monotonic() - begun < 8
    assert (error.uncertain, error.permanent) == (True, False)
    arrived = len(lab.got())
    lab.fault("none")
    lab.sender.send(replace(OPENED, repeat=True), None)
    # What hung may come in even after the repeat.
    assert any(REPEAT in text or '"repeat":true' in text for text in lab.got()[arrived:])
    assert all(REPEAT not in text and '"repeat":true' not in text for text in lab.got()[:arrived])


def test_hostile_texts_do_no_harm(lab: Lab) -> None:
    """Whatever stands in a message, it arrives: as data unchanged, as markup without any effect."""
    facts = tuple((HOSTILE, HOSTILE) for _ in range(40))
    odd = replace(CONTENT, title=HOSTILE, facts=facts, diagram=HOSTILE, ids=(HOSTILE,) * 30)
    lab.sender.send(replace(OPENED, content=odd), None)
    (text,) = lab.got()
    if lab.json:
        assert "click" in json.dumps(json.loads(text))
    else:
        assert "<!channel>" not in text
        assert "<https://evil" not in text
        assert "\x1b" not in json.loads(text)[0]


def test_no_secret_is_shown(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """Not in the repr, not in any error, not in any log."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.ERROR, "urllib3")  # as `canary run` has it: it quotes whole addresses
    caplog.set_level(logging.ERROR, "canary.sandbox")  # the other side may log what it likes
    shown = [repr(lab.sender)]
    faults: tuple[Fault, ...] = ("unfit", "broken", "again", "hang", "lost")
    for fault in faults:
        error = error_of(lab, fault)
        asked = lab.hasty if fault in ("hang", "lost") else lab.sender
        shown += [str(error), repr(error), repr(error.__cause__), *asked.check()]
    assert len(shown) > 15
    assert SECRET not in "".join(shown) + caplog.text


def test_a_check_finds_nothing_wrong_and_tells_nobody(lab: Lab) -> None:
    """Asking whether it would work sends nothing that anyone sees."""
    assert lab.sender.check() == []
    assert lab.got() == []


def test_nothing_is_left_running(lab: Lab) -> None:
    """A delivery leaves no thread behind, whether it worked or not."""
    before = {thread.name for thread in threading.enumerate() if "connection" not in thread.name}
    lab.sender.send(OPENED, None)
    error_of(lab, "unfit")
    after = {thread.name for thread in threading.enumerate() if "connection" not in thread.name}
    assert after <= before
