"""The whole path of one canary: what was done to it, and what was said of it."""

from uuid import UUID

from tests.virtual.world import World


def path(world: World, id_: UUID) -> str:
    """One canary's whole path, for a failure."""
    fate = world.pipeline.fates[id_]
    track = world.ledger.find(id_)
    lines = [
        f"canary {id_}: {fate.receipt} at {fate.sent_at:.1f}; {', '.join(fate.done)}",
        f"  really: arrived {fate.arrived_at}, gone {fate.gone_at} {sorted(fate.gone_hops)}",
        *(
            f"  said {item.judged_at:%H:%M:%S}: {item.outcome} final={item.final} {item.hop} "
            f"{sorted(item.flags)} {item.reason}"
            for item in world.said.get(id_, ())
        ),
    ]
    if track is not None:
        lines += [
            f"  seen {s.stage} {s.place} {s.partition}@{s.offset} {s.seen_at:%H:%M:%S}" for s in track.seen
        ]
        lines.append(f"  sent {track.owed.sent_at:%H:%M:%S} window {track.owed.window:%H:%M:%S}")
    return "\n".join(lines)
