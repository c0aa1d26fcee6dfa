"""How a table can be audited, by its shape and all that feeds it. Pure; never a guess dressed as a proof."""

from collections.abc import Sequence

from canary.edges.clickhouse.audit_place import Place
from canary.edges.clickhouse.feeders import Feeder, listed, strange, told_apart
from canary.traffic import Method

BY_OFFSET = "rows that no event of this topic stands behind, unless they lie outside of its offsets"
BY_SIBLING = "which offset a row came from: an id in the table counts for every offset that carries it"
BY_COUNT = "which events are missing, copies that hide losses, and anything below the tolerance"


def tells_offsets(place: Place, sources: Sequence[Feeder], topics: Sequence[str]) -> bool:
    """Whether its rows tell which offset of the first of `topics` they came from."""
    return (
        place.has_offsets
        and told_apart(sources, topics[0], by_column=bool(place.topic_column))
        and not strange(sources, topics)
    )


def without_sibling(
    place: Place | None, sources: Sequence[Feeder], topics: Sequence[str], *, table: str
) -> Method | None:
    """By offset, or not at all; None where a table beside it may help."""
    if place is None:
        return _none(f"no id can be found in {table}")
    if strange(sources, topics):
        return _none(f"{listed(sources)}, and none of them reads {topics[0]}")
    return Method("offset", BY_OFFSET, listed(sources)) if tells_offsets(place, sources, topics) else None


def with_sibling(place: Place | None, sibling: Place | None, sources: Sequence[Feeder]) -> Method:
    """By id where a table beside it has offsets, else by counts where nothing else feeds it."""
    why = listed(sources)
    if sibling is not None:
        return Method("sibling", BY_SIBLING, _and(f"offset to id from {sibling.shape.table}", why))
    if place is not None and place.has_offsets:
        return _none(f"{why}, and no column tells their rows apart")
    if place is None or place.kafka_time is None:
        return _none("it has no partitions and no column with the record's time")
    if len({(one.table, topic) for one in sources for topic in one.topics or ("",)}) > 1:
        return _none(f"{why}, and counts cannot tell them apart")
    return Method("count", BY_COUNT, _and("it has no partitions, and no sibling has them", why))


def _none(why: str) -> Method:
    return Method("none", "anything", why)


def _and(first: str, second: str) -> str:
    return f"{first}; {second}" if second else first
