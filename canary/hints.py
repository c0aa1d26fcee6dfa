"""Hints that need more than one canary: what a pattern of losses looks like, with its evidence."""

from collections.abc import Iterator, Sequence

from canary.book import Entry
from canary.config.models import Config
from canary.config.secret import SecretError
from canary.scene import Scene
from reconcile.outcome import INGRESS, Outcome


def of_losses(scene: Scene, hop: tuple[str, str], entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """A token whose every accepted event is gone, while another's arrive, was turned away in silence."""
    if hop[0] != INGRESS:
        return
    arriving = {scene.accounts.get(name) for name, r in scene.latest.items() if r.outcomes[Outcome.ON_TIME]}
    for probe in sorted({entry.owed.probe for entry in entries}):
        account, report = scene.accounts.get(probe), scene.latest.get(probe)
        if account is None or report is None or account in arriving:
            continue
        gone = report.outcomes[Outcome.LOST]
        others = sorted(name for name in scene.latest if scene.accounts.get(name) in arriving)
        if gone and gone == report.sent and others:
            yield (
                "hint",
                f"all {gone} of {probe} are gone after a good answer, while those of {', '.join(others)} "
                "arrive: a quota, a restriction or a policy of its token?",
            )


def accounts(config: Config) -> dict[str, int]:
    """Which probes send with one token to one ingress; a token that cannot be read now is its own."""
    found: dict[str, int] = {}
    known: dict[tuple[str, str], int] = {}
    for number, probe in enumerate(config.probes):
        try:
            token = probe.api_token() if probe.api_token else ""
        except SecretError:
            token = f"?{number}"
        found[probe.name] = known.setdefault((probe.url, token), number)
    return found
