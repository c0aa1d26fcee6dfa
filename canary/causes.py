"""What explains what: a fault is told at its cause, and what only follows from it is told there too."""

from collections.abc import Iterator

from canary.scene import Scene

OF_ITS_OWN = (
    "lost:",
    "corrupt:",
    "duplicated:",
    "out_of_order:",
    "detoured:",
    "stored_after_refusal",
    "ledger",
)
"""These are told whatever else is wrong: each is a fault of events that nothing else puts right."""


def causes(key: str, scene: Scene) -> tuple[str, ...]:
    """Keys of the conditions that would explain this one; one that ends in ":" is a family."""
    return () if key.startswith(OF_ITS_OWN) else tuple(_causes(key, scene))


def _causes(key: str, scene: Scene) -> Iterator[str]:
    kind, _, of = key.partition(":")
    first = f"blind:{scene.names[1]}"  # an ingress whose topic is gone has nowhere to put events
    if kind == "blind":
        yield from _same_system(of, scene)
    elif kind == "behind":  # who cannot see a place cannot tell how far a queue before or behind it is
        yield from (f"blind:{name}" for name in of.split("->") if name in scene.names[1:])
    elif kind in ("rejected", "undelivered"):
        yield first
    elif kind == "audit_late":
        yield from ("behind:", "late:")
    elif kind == "audit_blind":
        yield from (f"blind:{name}" for name in of.rpartition(":")[2].split("->") if name in scene.names[1:])
    elif kind == "late":
        yield "behind:"
    elif kind == "not_sending":
        yield "ledger"
    elif kind == "down":
        yield from (f"rejected:{of}", f"undelivered:{of}", "behind:", "lost:", first)
    elif kind == "burn":
        yield from ("down:", "lost:", "behind:", "rejected:", "undelivered:", "late:")


def _same_system(stage: str, scene: Scene) -> Iterator[str]:
    """The stages before this one that are part of the same cluster or server."""
    system = next((spec.system for spec in scene.book.stages if spec.name == stage), "")
    for spec in scene.book.stages:
        if spec.name == stage:
            return
        if system and spec.system == system:
            yield f"blind:{spec.name}"
