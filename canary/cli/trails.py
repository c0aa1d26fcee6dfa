"""How a traced event is printed for a person."""

from datetime import datetime

from rich.console import Console
from rich.markup import escape

from canary.trace import Traced
from canary.trails import Find, Searched
from canary.verdict import State

COLOURS = {
    State.STORED: "green",
    State.WAITING: "yellow",
    State.UNKNOWN: "magenta",
}
WORDS = {
    "": "",
    "alternate": "alternate ",
    "dead_letter": "dead letters ",
    "sibling": "sibling ",
    "warning": "",
}


def text(traced: Traced) -> None:
    """The verdict, then every place in the order of the way."""
    console = Console(highlight=False, soft_wrap=True)
    verdict = traced.verdict
    colour = COLOURS.get(verdict.state, "bold red")
    words = verdict.state.value.replace("_", " ").upper()
    console.print(f"[{colour}]{words}[/] {traced.id}: {escape(verdict.why)}")
    if verdict.hop is not None:
        between = f"between {verdict.hop[0]} and {verdict.hop[1]}"
        spanned = (
            f" (or further on: {', '.join(verdict.spanned)} could not be searched)" if verdict.spanned else ""
        )
        console.print(f"  {escape(between + spanned)}")
    last = traced.last_seen
    if last is None:
        console.print("  seen nowhere")
    else:
        console.print(f"  last seen in {escape(last[0].place)}{escape(_where(last[1]))} at {_at(last[1].at)}")
    if traced.around is not None:
        console.print(f"  looked for around {_at(traced.around)}")
    for one in traced.evidence.searched:
        _place(console, one)
    for name, passage in traced.evidence.passages.items():
        console.print(
            f"  consumer behind {escape(name)}: {escape(passage.words or _drained(passage.drained))}"
        )


def _place(console: Console, one: Searched) -> None:
    head = f"  {one.stage}: {WORDS[one.side]}{one.place}"
    for find in one.finds:
        console.print(f"{escape(head)}{escape(_where(find))}  {_at(find.at)}")
        for what, said in (("reason", find.reason), *find.facts):
            if said:
                console.print(f"      {escape(what)}: {escape(said)}")
        if find.payload is not None:
            console.print(f"      payload: {escape(find.payload)}")
    if not one.finds:
        unit = "rows" if one.side in ("sibling", "warning") else "read"
        why = f"could not be told ({one.gap})" if one.gap else f"not there ({one.read:,} {unit})"
        console.print(f"{escape(head)}: {escape(why)}")
    for note in one.notes:
        console.print(f"      {escape(note)}")


def _where(find: Find) -> str:
    partition = "" if find.partition is None else f" partition {find.partition}"
    where = "" if find.offset is None else f"{partition} offset {find.offset}"
    return f"{where} {find.row}".rstrip() if find.row else where


def _drained(drained: bool | None) -> str:
    if drained is None:
        return "nothing to hold it against"
    return "it has finished with all there is" if drained else "it has more to do"


def _at(at: datetime | None) -> str:
    return "a time that is not known" if at is None else at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"
