"""How a traced event is printed for a person."""

from datetime import datetime

from rich.console import Console

from canary.cli.words import console, shown
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
    out = console()
    verdict = traced.verdict
    colour = COLOURS.get(verdict.state, "bold red")
    words = verdict.state.value.replace("_", " ").upper()
    out.print(f"[{colour}]{words}[/] {traced.id}: {shown(verdict.why)}")
    if verdict.hop is not None:
        between = f"between {verdict.hop[0]} and {verdict.hop[1]}"
        spanned = (
            f" (or further on: {', '.join(verdict.spanned)} could not be searched)" if verdict.spanned else ""
        )
        out.print(f"  {shown(between + spanned)}")
    last = traced.last_seen
    if last is None:
        out.print("  seen nowhere")
    else:
        out.print(f"  last seen in {shown(last[0].place)}{shown(_where(last[1]))} at {_at(last[1].at)}")
    if traced.around is not None:
        out.print(f"  looked for around {_at(traced.around)}")
    for one in traced.evidence.searched:
        _place(out, one)
    for name, passage in traced.evidence.passages.items():
        out.print(f"  consumer behind {shown(name)}: {shown(passage.words or _drained(passage.drained))}")


def _place(out: Console, one: Searched) -> None:
    head = f"  {one.stage}: {WORDS[one.side]}{one.place}"
    for find in one.finds:
        out.print(f"{shown(head)}{shown(_where(find))}  {_at(find.at)}")
        for what, said in (("reason", find.reason), *find.facts):
            if said:
                out.print(f"      {shown(what)}: {shown(said)}")
        if find.payload is not None:
            out.print(f"      payload: {shown(find.payload)}")
    if not one.finds:
        unit = "rows" if one.side in ("sibling", "warning") else "read"
        why = f"could not be told ({one.gap})" if one.gap else f"not there ({one.read:,} {unit})"
        out.print(f"{shown(head)}: {shown(why)}")
    for note in one.notes:
        out.print(f"      {shown(note)}")


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
