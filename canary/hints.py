"""What a pattern of canaries looks like, with its evidence: told only where the evidence is there."""

from collections import Counter
from collections.abc import Iterator, Sequence
from types import MappingProxyType

from canary.backlog import HINT
from canary.book import Entry
from canary.config.models import Config
from canary.config.secret import SecretError
from canary.described import line
from canary.keeping import replayable
from canary.scene import Scene
from reconcile.outcome import INGRESS, Outcome

MOST_REASONS = 4
ANSWERS = MappingProxyType(
    {
        401: "the token is not accepted: was it rotated, or its project deleted?",
        402: "a limit of its plan or its bill is reached",
        403: "the token may not send: was it restricted, or its project deleted?",
        404: "there is nothing at this path: check the URL, and the proxy before the ingress",
        413: "too large for the ingress or for a proxy before it",
        429: "too many for the ingress: a quota or a rate limit; look for a sender that floods it",
    }
)
LIMITED = "quota limited"
"""What the HTTP edge writes of an answer that takes an event and says that a quota drops it."""


def of_losses(scene: Scene, hop: tuple[str, str], entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Evidence beside the proof, and one hint where some of it points somewhere."""
    letters = Counter(entry.dead_letter for entry in entries if entry.dead_letter is not None)
    limited = Counter(
        entry.answer.detail for entry in entries if entry.answer and LIMITED in entry.answer.detail
    )
    if letters:
        yield "dead letters", f"{letters.total()} of {len(entries)}: {counted(letters)}"
    if limited:
        yield "answers", counted(limited)
    yield from _warnings(scene, hop)
    yield from replayable(scene, hop, entries)
    if limited:
        yield HINT, "the ingress itself says that a quota of this token drops them"
    elif pattern := _one_token(scene, hop, entries):
        yield HINT, pattern
    elif letters.total() == len(entries):
        yield HINT, "they are dead letters: mend what the reasons name, then replay them from there"
    elif any("retention removed it" in entry.judged.reason for entry in entries if entry.judged):
        yield HINT, f"the consumer into {hop[1]} was too far behind: make it faster, or keep the topic longer"
    elif hop[0] == INGRESS:
        yield (
            HINT,
            "answered well and never appended: look at the ingress's producer, and at what it drops by rule",
        )


def of_refusals(scene: Scene, probe: str, entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """What kinds of answers came, and what the commonest of them means."""
    said = Counter(entry.answer.status for entry in entries if entry.answer is not None)
    if not said:
        return
    yield "answers", ", ".join(f"{n} x {status or 'none'}" for status, n in said.most_common(MOST_REASONS))
    status, _ = said.most_common(1)[0]
    hint = ANSWERS.get(status) if status is not None else None
    others = _arriving(scene, probe)
    if hint is not None:
        yield HINT, f"{hint} (those of {', '.join(others)} arrive)" if others else hint


def counted(reasons: Counter[str]) -> str:
    """The commonest reasons with how often each came; as outside text, one line each way."""
    told = [f"{n} x {line(reason, 80)}" for reason, n in reasons.most_common(MOST_REASONS)]
    rest = len(reasons) - len(told)
    return "; ".join(told) + (f"; and {rest} more reasons" if rest else "")


def _warnings(scene: Scene, hop: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """What the pipeline itself wrote down lately, where it is behind the ingress that they went missing."""
    for stage, warned in scene.background.warned.items():
        if warned.counts and hop[0] != INGRESS:
            since = f"{warned.since:%H:%M:%SZ}"
            yield f"ingestion warnings beside {stage}", f"since {since}: {counted(Counter(warned.counts))}"


def _one_token(scene: Scene, hop: tuple[str, str], entries: Sequence[Entry]) -> str:
    """A token whose every accepted event is gone, while another's arrive, was turned away in silence."""
    for probe in sorted({entry.owed.probe for entry in entries}):
        report = scene.latest.get(probe)
        others = _arriving(scene, probe)
        if report is None or not others:
            continue
        gone = report.outcomes[Outcome.LOST]
        if gone and gone == report.sent:
            where = "after a good answer" if hop[0] == INGRESS else f"between {hop[0]} and {hop[1]}"
            return (
                f"all {gone} of {probe} are gone {where}, while those of {', '.join(others)} "
                "arrive: a quota, a restriction or a policy of its token?"
            )
    return ""


def _arriving(scene: Scene, probe: str) -> list[str]:
    """The probes that send with another token and whose canaries arrive."""
    arriving = {scene.accounts.get(name) for name, r in scene.latest.items() if r.outcomes[Outcome.ON_TIME]}
    account = scene.accounts.get(probe)
    if account is None or account in arriving:
        return []
    return sorted(name for name in scene.latest if scene.accounts.get(name) in arriving)


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
