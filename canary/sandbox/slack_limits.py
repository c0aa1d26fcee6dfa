"""Slack's documented limits on a message, as pure checks: what its API would refuse, and in which words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_MAX_TEXT = 40_000
MAX_UPDATE = 4_000
"""chat.update takes less text than chat.postMessage."""
_MAX_BLOCKS = 50
_MAX_ALL_BLOCKS = 13_200
"""Characters of text in all blocks of a message together, as far as is known: Slack names only the error."""
_MAX_ATTACHMENTS = 100
_MAX_METADATA = 8_000
_TEXTS = {"section": 3000, "header": 150}
_ELEMENTS = {"context": 10, "actions": 25}
_KNOWN = frozenset(
    {"section", "header", "divider", "context", "actions", "image", "rich_text", "markdown", "video", "table"}
)

Block = Mapping[str, Any]


def message_error(message: Mapping[str, Any], *, longest: int | None = None) -> str | None:
    """The error code for a whole message, or None; its blocks are checked apart."""
    text, blocks = message.get("text") or "", message.get("blocks") or []
    if not text and not blocks and not message.get("attachments"):
        return "no_text"
    if len(text) > (longest or _MAX_TEXT):
        return "msg_too_long"
    if isinstance(blocks, list) and sum(map(len, _texts(blocks))) > _MAX_ALL_BLOCKS:
        return "msg_blocks_too_long"
    if len(message.get("attachments") or []) > _MAX_ATTACHMENTS:
        return "too_many_attachments"
    return _metadata_error(message.get("metadata"))


def _texts(value: object) -> Iterator[str]:
    """Every text that a reader would see."""
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key == "text" and isinstance(item, str):
                yield item
            else:
                yield from _texts(item)


def _metadata_error(metadata: object) -> str | None:
    if metadata is None:
        return None
    if not isinstance(metadata, Mapping):
        return "invalid_metadata_format"
    if not isinstance(metadata.get("event_type"), str) or not isinstance(
        metadata.get("event_payload"), Mapping
    ):
        return "invalid_metadata_schema"
    return "metadata_too_large" if len(str(metadata)) > _MAX_METADATA else None


def block_errors(blocks: object) -> list[str]:
    """Every limit that these blocks break, each with a pointer to where."""
    if not isinstance(blocks, list):
        return ["must be an array [json-pointer:/blocks]"]
    errors = []
    if len(blocks) > _MAX_BLOCKS:
        errors.append(f"no more than {_MAX_BLOCKS} items allowed [json-pointer:/blocks]")
    ids = [block["block_id"] for block in blocks if isinstance(block, Mapping) and block.get("block_id")]
    errors += ["block_id must be unique [json-pointer:/blocks]"] if len(ids) != len(set(ids)) else []
    for index, block in enumerate(blocks):
        errors += _block(block, f"/blocks/{index}")
    return errors


def _block(block: object, at: str) -> list[str]:
    if not isinstance(block, Mapping) or block.get("type") not in _KNOWN:
        kind = block.get("type") if isinstance(block, Mapping) else block
        return [f"unsupported type: {kind} [json-pointer:{at}/type]"]
    kind = block["type"]
    errors = _length(block.get("block_id"), 255, f"{at}/block_id")
    if kind == "section":
        return errors + _section(block, at)
    if kind == "header":
        return errors + _text(block.get("text"), _TEXTS["header"], at=f"{at}/text", plain=True)
    if kind == "image":
        return errors + _image(block, at)
    if kind in _ELEMENTS:
        return errors + _elements(block, at)
    return errors


def _section(block: Block, at: str) -> list[str]:
    fields = block.get("fields")
    if block.get("text") is None and not fields:
        return [f"must have text or fields [json-pointer:{at}]"]
    errors = _text(block["text"], _TEXTS["section"], at=f"{at}/text") if block.get("text") is not None else []
    if fields is None:
        return errors
    if len(fields) > 10:
        errors.append(f"no more than 10 items allowed [json-pointer:{at}/fields]")
    for index, text in enumerate(fields):
        errors += _text(text, 2000, at=f"{at}/fields/{index}")
    return errors


def _elements(block: Block, at: str) -> list[str]:
    elements: Sequence[Any] = block.get("elements") or []
    most = _ELEMENTS[block["type"]]
    if not 1 <= len(elements) <= most:
        return [f"must have 1 to {most} items (got {len(elements)}) [json-pointer:{at}/elements]"]
    errors = []
    for index, element in enumerate(elements):
        where = f"{at}/elements/{index}"
        if block["type"] == "actions":
            errors += _button(element, where)
        elif element.get("type") == "image":
            errors += _image(element, where)
        else:
            errors += _text(element, 3000, at=where)
    return errors


def _button(element: Block, at: str) -> list[str]:
    if element.get("type") != "button":
        return []
    return [
        *_text(element.get("text"), 75, at=f"{at}/text", plain=True),
        *_length(element.get("value"), 2000, f"{at}/value"),
        *_length(element.get("url"), 3000, f"{at}/url"),
        *_length(element.get("action_id"), 255, f"{at}/action_id"),
    ]


def _image(element: Block, at: str) -> list[str]:
    missing = [f"missing required field: alt_text [json-pointer:{at}]"] if not element.get("alt_text") else []
    return missing + _length(element.get("image_url"), 3000, f"{at}/image_url")


def _text(value: object, most: int, *, at: str, plain: bool = False) -> list[str]:
    if not isinstance(value, Mapping) or value.get("type") not in ("plain_text", "mrkdwn"):
        return [f"must be a text object [json-pointer:{at}]"]
    if plain and value["type"] != "plain_text":
        return [f"must be plain_text [json-pointer:{at}/type]"]
    if not value.get("text"):
        return [f"must be more than 0 characters [json-pointer:{at}/text]"]
    return _length(value["text"], most, f"{at}/text")


def _length(value: object, most: int, at: str) -> list[str]:
    if value is not None and len(str(value)) > most:
        return [f"must be less than {most + 1} characters [json-pointer:{at}]"]
    return []
