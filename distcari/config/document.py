"""A YAML document as plain values, and the line of every field: read once, with limits, nothing ambiguous let through.

PyYAML's SafeLoader runs no code, but it lets the last of two equal keys win, expands aliases without end and follows
any nesting; here those are refused while the document is parsed, before anything is built from it.
"""

from collections.abc import Iterator
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from distcari.errors import InputError, last_resort

MOST_CHARACTERS = 2**21
MOST_NODES = 100_000  # fields and values, those that aliases repeat counted as often as they stand there
DEEPEST = 40
Place = tuple[Any, ...]


def parse(text: str, where: str) -> tuple[Any, dict[Place, int]]:
    """The values in a YAML text, and the line (from 1) of each by its place, such as `("models", 0, "name")`.

    Raises InputError, with the line, for text that is not YAML, is too large or too deep, gives a key twice, or repeats
    itself by aliases.
    """
    if len(text) > MOST_CHARACTERS:
        raise InputError(where, f"has more than {MOST_CHARACTERS >> 20} million characters", "Give a config file.")
    with last_resort(where, "cannot be read", "See configs/demo.yaml for an example."):
        loader = None
        try:
            loader = _Loader(text)
            root = loader.get_single_node()
            if root is None:
                return None, {}
            _measure(root, {}, set())
            return loader.construct_document(root), dict(_lines(root))
        except yaml.YAMLError as error:
            raise InputError(where, f"not valid YAML: {error}", "Check indentation and quotes there.") from None
        finally:
            if loader is not None:
                loader.dispose()


class _Loader(yaml.SafeLoader):
    """Counts nodes and depth while composing; names the line of a value that cannot be built."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.nodes = self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.nodes += 1
        self.depth += 1
        if self.nodes > MOST_NODES or self.depth > DEEPEST:
            limit = f"more than {MOST_NODES} values" if self.nodes > MOST_NODES else f"nested deeper than {DEEPEST}"
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise ConstructorError(None, None, limit, mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, str):
                value.encode()  # no lone surrogate, which nothing can store
        except (ValueError, OverflowError) as error:
            raise ConstructorError(None, None, f"a value that cannot be read ({error})", node.start_mark) from None
        if isinstance(value, int) and abs(value) >= 2**64:
            raise ConstructorError(None, None, "a whole number of more than 64 bits", node.start_mark)
        return value


def _measure(node: yaml.Node, known: dict[int, tuple[int, int]], within: set[int]) -> tuple[int, int]:
    """Nodes at and below this one, and levels, aliases expanded. Raises for too many, for circles, for equal keys."""
    if id(node) in known:
        return known[id(node)]
    if id(node) in within:
        raise ConstructorError(None, None, "an alias to what it stands in", node.start_mark)
    within.add(id(node))
    below = [_measure(child, known, within) for child in _children(node)]
    within.remove(id(node))
    total, levels = 1 + sum(nodes for nodes, _ in below), 1 + max((levels for _, levels in below), default=0)
    if total > MOST_NODES or levels > DEEPEST:
        raise ConstructorError(
            None, None, f"aliases that stand for more than {MOST_NODES} values or {DEEPEST} levels", node.start_mark
        )
    known[id(node)] = total, levels
    return total, levels


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        first: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConstructorError(None, None, "a key that is no text", key.start_mark)
            if (earlier := first.get((key.tag, key.value))) is not None:
                raise ConstructorError(
                    None, None, f"the key {key.value[:80]!r} a second time (first in line {earlier})", key.start_mark
                )
            first[key.tag, key.value] = key.start_mark.line + 1
            yield value


def _lines(node: yaml.Node, place: Place = ()) -> Iterator[tuple[Place, int]]:
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _lines(value, (*place, key.value))
            yield (*place, key.value), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            yield from _lines(value, (*place, i))
