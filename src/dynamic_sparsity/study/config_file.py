"""Checks of config.yaml as untrusted text, before any value is built from it.

Snakemake's own reader runs Python code in a file that asks for it (`__use_yte__`,
https://yte-template-engine.github.io), expands aliases without a limit
(https://en.wikipedia.org/wiki/Billion_laughs_attack), follows nesting by recursion, and silently lets the last of two
equal keys win. `check` reads the parser's events first, and builds the values only if these are harmless.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from yaml import events

from dynamic_sparsity.errors import UserError

MAX_BYTES, MAX_NODES, MAX_DEPTH = 2**20, 100_000, 32
"""Far more than any study needs: the default study has some 200 values, at most four levels deep."""
_TEMPLATE_KEY = "__use_yte__"


def check(path: Path) -> None:
    """Raise UserError, naming file, line and remedy, unless the file is a plain YAML mapping of moderate size.

    A plain file has no template, no tags (which name Python objects), no alias inside the value that it refers to, and
    no key twice in one mapping.
    """
    try:
        content = path.read_bytes()
        if len(content) > MAX_BYTES:
            raise UserError(
                f"{path} is {len(content) / 2**20:.1f} MiB large; the limit is {MAX_BYTES / 2**20:.0f} MiB: shorten it"
            )
        text = content.decode()
        _check_events(path, yaml.parse(text, Loader=yaml.SafeLoader))
        yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from None
    except ValueError as error:  # text that looks like a date or a number, but is not a valid one
        raise UserError(f"{path} holds a value that cannot be read ({error}): put it in quotes or correct it") from None
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise UserError(f"{path} is not YAML ({problem}): correct it") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check the path and its permissions") from None


@dataclass
class _Open:
    """A mapping or sequence that has started and not yet ended."""

    anchor: str | None
    is_mapping: bool
    nodes: int = 1
    keys: set[str] = field(default_factory=set)
    key_is_next: bool = True


def _check_events(path: Path, parsed: Iterator[events.Event]) -> None:
    stack: list[_Open] = []
    sizes: dict[str, int] = {}
    documents = 0
    for event in parsed:
        line = f"{path}, line {event.start_mark.line + 1}" if event.start_mark else str(path)
        if isinstance(event, events.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise UserError(f"{line}: a second document starts here: keep only one")
        if isinstance(event, events.NodeEvent):
            _check_node(line, event, stack, sizes)
        if isinstance(event, events.CollectionStartEvent):
            stack.append(_Open(event.anchor, isinstance(event, events.MappingStartEvent)))
            if len(stack) > MAX_DEPTH:
                raise UserError(f"{line}: nested deeper than {MAX_DEPTH} levels: remove some, no study needs that many")
        elif isinstance(event, events.CollectionEndEvent):
            closed = stack.pop()
            _count(line, closed.nodes, closed.anchor, stack, sizes)
        elif isinstance(event, events.ScalarEvent):
            _count(line, 1, event.anchor, stack, sizes)
        elif isinstance(event, events.AliasEvent):
            _count(line, sizes[event.anchor], None, stack, sizes)
    if not documents:
        raise UserError(f"{path} is empty: list tasks, policies and seeds (the project's config.yaml explains every key)")


def _check_node(line: str, event: events.NodeEvent, stack: list[_Open], sizes: dict[str, int]) -> None:
    if not stack and not isinstance(event, events.MappingStartEvent):
        raise UserError(f"{line}: the file must be a mapping of keys such as `tasks:`")
    if tag := getattr(event, "tag", None):
        raise UserError(f"{line}: the tag {tag} is not allowed: write plain text, numbers, lists and mappings")
    if isinstance(event, events.AliasEvent) and event.anchor not in sizes:
        raise UserError(f"{line}: the alias *{event.anchor} refers to nothing, or to a value that contains it: write it out")
    if stack and stack[-1].is_mapping:
        mapping = stack[-1]
        if mapping.key_is_next:
            if not isinstance(event, events.ScalarEvent):
                raise UserError(f"{line}: a key must be text: write a name")
            if event.value == _TEMPLATE_KEY:
                raise UserError(
                    f"{line}: {_TEMPLATE_KEY} would run text in this file as Python: remove it and write the values"
                )
            if event.value in mapping.keys and event.value != "<<":
                raise UserError(f"{line}: {event.value!r} is in this mapping for the second time: keep only one")
            mapping.keys.add(event.value)
        mapping.key_is_next = not mapping.key_is_next


def _count(line: str, nodes: int, anchor: str | None, stack: list[_Open], sizes: dict[str, int]) -> None:
    if anchor:
        sizes[anchor] = nodes
    if stack:
        stack[-1].nodes += nodes
        if stack[-1].nodes > MAX_NODES:
            raise UserError(
                f"{line}: aliases expand to more than {MAX_NODES:,} values: write out the values that are needed"
            )
