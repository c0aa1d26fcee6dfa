"""The status page: one glance for a person at night, without scripts, everything escaped."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

STYLE = """
:root{color-scheme:light dark;--ok:#1a7f37;--bad:#c62828;--dim:#777}
body{font:16px/1.45 system-ui,sans-serif;margin:1.2rem auto;max-width:60rem;padding:0 1rem}
h1{font-size:1.3rem}h2{font-size:1.05rem;margin-top:1.6rem}
.ok{color:var(--ok)}.bad{color:var(--bad);font-weight:600}.dim{color:var(--dim)}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .8rem .25rem 0;
border-bottom:1px solid #8883;vertical-align:top}pre{overflow-x:auto;background:#8881;padding:.6rem}
.scroll{overflow-x:auto}
"""


def render(status: Mapping[str, Any]) -> str:
    """The whole page as HTML."""
    wrong = status["conditions"]
    head = (
        f'<p class="bad">{len(wrong)} thing{"s" * (len(wrong) != 1)} wrong</p>'
        if wrong
        else '<p class="ok">All that was sent arrived.</p>'
    )
    parts = [
        f"<h1>Ingestion canary: {_e(status['instance'])}</h1>{head}",
        *(_condition(item) for item in wrong),
        "<h2>Stages</h2>",
        _table(
            ("stage", "read", "last read", "partitions with canaries", "consumer lag", "clock skew"),
            map(_stage, status["stages"]),
        ),
        "<h2>Last settled windows</h2>",
        _table(("window", "probe", "sent", "outcomes", "slowest"), map(_window, status["windows"])),
        "<h2>Real traffic</h2>",
        _table(("what", "where", "window", "verdict", "found"), map(_real, status.get("real", ()))),
        "<h2>In flight</h2>",
        _table(("probe", "pending", "overdue", "unread"), map(_flight, status["probes"])),
        f'<p class="dim">{_e(status["now"])}, version {_e(status["version"])}. '
        '<a href="/metrics">metrics</a> <a href="/status">json</a> <a href="/healthz">health</a></p>',
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width,initial-scale=1"><meta http-equiv="refresh" content="5">'
        f"<title>Ingestion canary</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def _condition(item: Mapping[str, Any]) -> str:
    facts = _table(("", ""), ([_e(k), _e(v)] for k, v in item["facts"]))
    ids = "".join(f"<br><code>{_e(one)}</code>" for one in item["ids"])
    diagram = f"<pre>{_e(item['diagram'])}</pre>" if item["diagram"] else ""
    return f'<h2 class="bad">{_e(item["title"])}</h2>{diagram}{facts}<p>{ids}</p>'


def _stage(item: Mapping[str, Any]) -> list[str]:
    blind = f'<span class="bad">blind: {_e(item["blind"])}</span>' if item["blind"] else "yes"
    return [
        _e(item["name"]),
        blind,
        _seconds(item["age_seconds"]),
        _partitions(item),
        _e(item["lag_messages"]),
        _seconds(item["skew_seconds"]),
    ]


def _partitions(item: Mapping[str, Any]) -> str:
    """How many canaries reach, and where none were seen."""
    if item["partitions_visited"] is None:
        return ""
    none = ", ".join(map(str, item["partitions_unvisited"]))
    told = f"{item['partitions_visited']} of {item['partitions']}"
    return _e(f"{told}; none in {none}" if none else told)


def _window(item: Mapping[str, Any]) -> list[str]:
    told = ", ".join(f"{_e(name)} {count}" for name, count in item["outcomes"].items() if count)
    return [_e(item["start"]), _e(item["probe"]), _e(item["sent"]), told, _seconds(item["slowest_seconds"])]


def _real(item: Mapping[str, Any]) -> list[str]:
    found = _e(item["told"])
    if item["trouble"]:
        found += f' <span class="bad">cannot be asked: {_e(item["trouble"])}</span>'
    return [*(_e(item[name]) for name in ("kind", "place", "start", "verdict")), found]


def _flight(item: Mapping[str, Any]) -> list[str]:
    return [_e(item[name]) for name in ("name", "pending", "overdue", "unread")]


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _seconds(value: float | None) -> str:
    return '<span class="dim">unknown</span>' if value is None else f"{value:.3f} s"


def _e(value: object) -> str:
    """Escaped, with its own lines; what else would hide, reorder or break the text is spelled out."""
    if value is None:
        return '<span class="dim">unknown</span>'
    return "<br>".join(escape("".join(map(_spelled, line))) for line in str(value).split("\n"))


def _spelled(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode()
