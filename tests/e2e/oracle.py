"""What a check has to say, worked out from what the sandbox's faults say they did; no code of the monitor."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERDICTS = {0: "ok", 1: "degraded", 2: "fault", 3: "unknown"}
OUTCOMES = ("rejected", "undelivered", "on_time", "late", "pending", "overdue", "lost", "unread")
ARRIVED = ("on_time", "late")


class Truth:
    """The lines that faults have written since this was made."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "faults.jsonl"
        self._begin = self._file.stat().st_size

    def struck(self) -> frozenset[str]:
        """The ids of all events that a fault acted on."""
        with self._file.open("rb") as file:
            file.seek(self._begin)
            return frozenset(json.loads(line)["uuid"] for line in file)


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be true of a report.

    Parameters
    ----------
    code: the exit code, or several where the machine's speed decides between them.
    faults: the fault kinds that must be named, each with its place ("raw->processed", or a stage).
    may: fault kinds that may be named besides.
    struck, others: the outcomes that canaries may have, those that a fault acted on and the rest.
    flag: the flag that exactly the struck ones carry.
    """

    code: int | tuple[int, ...]
    faults: Sequence[tuple[str, str]] = ()
    may: frozenset[str] = frozenset()
    struck: tuple[str, ...] = ("on_time",)
    others: tuple[str, ...] = ("on_time",)
    flag: str | None = None

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(kind for kind, _ in self.faults)


def complaints(
    report: Mapping[str, Any], *, code: int, sent: int, struck: frozenset[str], expected: Expected
) -> list[str]:
    """Everything in which a report differs from the truth, in words; nothing where it is right."""
    return [
        *_whole(report, code, sent, expected),
        *_faults(report, expected),
        *_canaries(report, struck, expected),
        *_overtaken(report, struck, expected),
        *_ids(report),
    ]


def _whole(report: Mapping[str, Any], code: int, sent: int, expected: Expected) -> Iterator[str]:
    codes = expected.code if isinstance(expected.code, tuple) else (expected.code,)
    if code not in codes:
        yield f"exit code {code}, not {codes}"
    if (report["exit_code"], report["verdict"]) != (code, VERDICTS.get(code)):
        yield f"says {report['verdict']} and {report['exit_code']}, exited with {code}"
    if not report["sent"] == len(report["canaries"]) == sum(report["outcomes"].values()) == sent:
        yield f"sent {report['sent']} of {sent}: {report['outcomes']}"
    if set(report["outcomes"]) != set(OUTCOMES):
        yield f"outcomes {sorted(report['outcomes'])}"


def _faults(report: Mapping[str, Any], expected: Expected) -> Iterator[str]:
    named = {(fault["kind"], place(fault)) for fault in report["faults"]}
    for missing in set(expected.faults) - named:
        yield f"{missing[0]} is not named at {missing[1]}"
    for kind, where in named - set(expected.faults):
        if kind not in expected.may:
            yield f"{kind} is named at {where}"
    for fault in report["faults"]:
        if not fault["hint"]:
            yield f"{fault['kind']} gives no hint"
    lost = sum(fault["count"] for fault in report["faults"] if fault["kind"] == "lost")
    if not lost == report["outcomes"]["lost"] == sum(hop["lost"] for hop in report["hops"]):
        yield f"losses do not add up: {report['hops']}"


def place(fault: Mapping[str, Any]) -> str:
    """Where a report says a fault is: the hop, else the stage."""
    hop = fault["hop"]
    return f"{hop['from']}->{hop['to']}" if hop else fault["stage"] or ""


def _canaries(report: Mapping[str, Any], struck: frozenset[str], expected: Expected) -> Iterator[str]:
    for canary in report["canaries"]:
        hit = canary["id"] in struck
        lawful = expected.struck if hit else expected.others
        if canary["outcome"] not in lawful:
            yield f"{canary['id']} ({'struck' if hit else 'not struck'}) is {canary['outcome']}, not {lawful}"
        flags = set(canary["flags"]) - {"time_unknown"} - expected.may
        if flags != ({expected.flag} if hit and expected.flag else set()):
            yield f"{canary['id']} ({'struck' if hit else 'not struck'}) has the flags {sorted(flags)}"


def _overtaken(report: Mapping[str, Any], struck: frozenset[str], expected: Expected) -> Iterator[str]:
    """Out of order is who overtook: one for each that was held back, and never that one itself."""
    first = {canary["id"] for canary in report["canaries"] if "out_of_order" in canary["flags"]}
    if "out_of_order" in expected.kinds and (len(first) != len(struck) or first & struck):
        yield f"{sorted(struck)} were held back, but {sorted(first)} are out of order"


def _ids(report: Mapping[str, Any]) -> Iterator[str]:
    """The ids under each fault must be those of the canaries with that outcome or flag."""
    by_kind: dict[str, list[str]] = {}
    for fault in report["faults"]:
        by_kind.setdefault(fault["kind"], []).extend(fault["ids"])
        if fault["kind"] != "blind" and fault["count"] != len(fault["ids"]):
            yield f"{fault['kind']} counts {fault['count']} and names {len(fault['ids'])}"
    for kind, ids in by_kind.items():
        true = {c["id"] for c in report["canaries"] if kind == c["outcome"] or kind in c["flags"]}
        if kind not in ("blind", "stored_after_refusal") and (len(ids) != len(set(ids)) or set(ids) != true):
            yield f"{kind} names {sorted(ids)}, but it is true of {sorted(true)}"
