"""Readings of parts as plain JSON for the ledger, and back; what cannot be understood is forgotten."""

from collections.abc import Mapping
from typing import Any

from alerts.tables import from_micros, to_micros
from canary.described import Description


def to_plain(said: Mapping[str, Description]) -> list[Any]:
    """By server: who, when, what; oldest first. What a log or a warning said is no part of it."""
    return [
        [
            who,
            to_micros(one.at),
            {thing: dict(aspects) for thing, aspects in one.said.items()},
            {thing: to_micros(at) for thing, at in one.dated.items()},
        ]
        for who, one in said.items()
    ]


def from_plain(data: Any) -> dict[str, Description]:
    """As `to_plain` wrote it; nothing where somebody else did."""
    try:
        return {
            str(who): Description(
                at=from_micros(at),
                said={str(thing): _texts(aspects) for thing, aspects in said.items()},
                who=str(who),
                dated={str(thing): from_micros(moment) for thing, moment in dated.items()},
            )
            for who, at, said, dated in data or ()
        }
    except (TypeError, ValueError, AttributeError, OverflowError):
        return {}


def _texts(aspects: Mapping[Any, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in aspects.items()}
