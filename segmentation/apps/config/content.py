"""What a configuration holds, as plain values by dotted path."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from segmentation.apps.config.values import is_text

Content = Mapping[str, Any]
ABSENT = object()


def at(content: Any, path: str) -> Any:
    """What is still to be given (`???`) is as absent as what is not there."""
    for key in path.split("."):
        if not isinstance(content, dict) or key not in content:
            return ABSENT
        content = content[key]
    return ABSENT if content == "???" else content


def shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def nodes(node: Any, path: str) -> Iterator[tuple[str, Content]]:
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from nodes(value, f"{path}.{key}")


def class_names(content: Content) -> list[str]:
    entries = at(content, "dataset.classes")
    if not isinstance(entries, list) or not all(is_text(entry) or is_text(at(entry, "name")) for entry in entries):
        return []
    names = [entry if isinstance(entry, str) else str(entry["name"]) for entry in entries]
    return [name for name in names if name != "void"] if at(content, "dataset.ignore_void") is True else names


def flat(node: Any, path: str = "") -> dict[str, Any]:
    """Nested mappings as one, by dotted name."""
    if not isinstance(node, dict):
        return {path: node}
    return {
        name: value
        for key, item in node.items()
        for name, value in flat(item, f"{path}.{key}" if path else key).items()
    }
