"""What the page shows, as a value, and its one home: the URL's query string. Copy, paste, same view.

    ?view=compare&exp=demo&rows=model&cols=layer&at.image=chelsea&sort_rows=-gain&a.model=lite0&explore.x=gain

Total and forgiving: `parse` never raises. A parameter that is unknown, empty or ill-formed is dropped and its field
keeps its default; of a repeated one the last wins (`exp` collects all, in order). Labels are text, as shown; whether a
label exists is for the view to decide, which falls back to its default.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, quote

VIEWS = ("overview", "findings", "compare", "side", "explore", "table", "cell", "run", "notes")
SLOTS = ("a", "b", "c", "d")
_KEY = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MOST_LENGTH = 16_000  # characters of a query string; what is longer is cut, not refused

Sort = tuple[str, bool]  # a figure's name, and whether it descends
Labels = Mapping[str, str]  # axis -> label


@dataclass(frozen=True)
class State:
    """One view of the store. Empty fields mean "the view's default"."""

    view: str = "overview"
    experiments: tuple[str, ...] = ()
    rows: str = ""
    cols: str = ""
    at: Labels = field(default_factory=dict)  # selectors: the label of each axis that is neither on rows nor on columns
    sort_rows: Sort | None = None
    sort_cols: Sort | None = None
    cell: str = ""
    slots: tuple[Labels, ...] = ()  # side by side: up to four, each axis -> label, `experiment` included
    extra: Labels = field(default_factory=dict)  # of one view alone: `explore.x` -> `gain`

    def search(self) -> str:
        """The query string, with its question mark; `parse` gives the same state back."""
        pairs = [("view", self.view), *(("exp", name) for name in self.experiments)]
        pairs += [("rows", self.rows), ("cols", self.cols)]
        pairs += [(f"at.{axis}", label) for axis, label in self.at.items()]
        pairs += [("sort_rows", _sort_text(self.sort_rows)), ("sort_cols", _sort_text(self.sort_cols))]
        pairs += [("cell", self.cell)]
        for name, slot in zip(SLOTS, self.slots, strict=False):
            pairs += [(f"{name}.{axis}", label) for axis, label in slot.items()]
        pairs += list(self.extra.items())
        return "?" + "&".join(f"{_quoted(k)}={_quoted(v)}" for k, v in pairs if v)

    def with_(self, **changes: object) -> "State":
        """A copy with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def with_extra(self, **changes: str | None) -> "State":
        """A copy with parameters of its view changed, named without the prefix; None or "" takes one away."""
        prefixed = {f"{self.view}.{name}": value for name, value in changes.items()}
        merged = {**self.extra, **prefixed}
        return replace(self, extra={name: value for name, value in merged.items() if value})

    def own(self, name: str, default: str = "") -> str:
        """A parameter of its view, named without the prefix."""
        return self.extra.get(f"{self.view}.{name}", default)


def parse(search: object) -> State:
    """The state of a query string, with or without its question mark."""
    text = search if isinstance(search, str) else ""
    text = text.removeprefix("?")[:MOST_LENGTH].encode("utf-8", "replace").decode()  # half a surrogate pair has none
    pairs = parse_qsl(text, keep_blank_values=False, errors="replace")
    given = dict(pairs)
    slots = _slots(given)
    state = State(
        view=given["view"] if given.get("view") in VIEWS else "overview",
        experiments=tuple(dict.fromkeys(value for name, value in pairs if name == "exp")),
        rows=_axis(given.get("rows")),
        cols=_axis(given.get("cols")),
        at=_under("at", given),
        sort_rows=_sort(given.get("sort_rows")),
        sort_cols=_sort(given.get("sort_cols")),
        cell=given["cell"] if _KEY.fullmatch(given.get("cell", "")) else "",
        slots=slots,
        extra={
            name: value
            for name, value in given.items()
            if name.partition(".")[0] in VIEWS and _NAME.fullmatch(name.partition(".")[2])
        },
    )
    of_grid = any((state.rows, state.cols, state.at, state.sort_rows, state.sort_cols))
    of_grid = of_grid or any(name.startswith("compare.") for name in state.extra)
    return state.with_(view="compare") if of_grid and given.get("view") not in VIEWS else state  # links of old


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _under(prefix: str, given: Mapping[str, str]) -> dict[str, str]:
    """The parameters `prefix.axis` as axis -> label."""
    parts = ((name.partition("."), value) for name, value in given.items())
    return {axis: value for (head, _, axis), value in parts if head == prefix and _NAME.fullmatch(axis)}


def _slots(given: Mapping[str, str]) -> tuple[Labels, ...]:
    """Slots a to d without gaps: the first empty one ends them."""
    slots: list[Labels] = []
    for name in SLOTS:
        slot = _under(name, given)
        if not slot:
            break
        slots.append(slot)
    return tuple(slots)


def _axis(text: str | None) -> str:
    return text if text and _NAME.fullmatch(text) else ""


def _sort(text: str | None) -> Sort | None:
    name = (text or "").removeprefix("-")
    return (name, (text or "").startswith("-")) if _NAME.fullmatch(name) else None


def _sort_text(sort: Sort | None) -> str:
    return "" if sort is None else ("-" if sort[1] else "") + sort[0]
