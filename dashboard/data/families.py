"""Which models Compare shows, and in which order: grouped by a tag's values, kept to one value of a tag."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.facets import Facets

MOST_VALUES = 40  # of a tag that are offered as filters


@dataclass(frozen=True)
class Family:
    """The models in their order, and by model its value of the tag that groups them, in the groups' order."""

    models: tuple[str, ...]
    values: Mapping[str, str]

    def grouped(self, grid: Facets, rows: str, cols: str) -> Facets:
        """The grid with its models grouped again; within a group they stay in the order that the grid has."""
        if not self.values or "model" not in (rows, cols):
            return grid
        rank = {value: i for i, value in enumerate(dict.fromkeys(self.values.values()))}
        labels = grid.rows if rows == "model" else grid.cols
        order = sorted(range(len(labels)), key=lambda i: rank[self.values[labels[i]]])
        return grid.taken("rows" if rows == "model" else "cols", order)


def filters(catalog: Catalog, experiments: Sequence[str]) -> list[str]:
    """`tag=value` of every tag that has few enough values, in the tags' orders."""
    tagged = {tag: catalog.tagged(experiments, tag) for tag in catalog.tags(experiments)}
    return [f"{tag}={value}" for tag, of in tagged.items() if 1 < len(of) <= MOST_VALUES for value in of]


def family(catalog: Catalog, experiments: Sequence[str], by: str, only: str) -> Family:
    """The models of these experiments by the tag `by`, of the group `only` (tag=value); what is unknown counts as "".

    >>> family(catalog, ["demo"], by="camera", only="epoch=12")  # doctest: +SKIP
    """
    tags = catalog.tags(experiments)
    models = catalog.labels(experiments, "model")
    tag, _, value = only.partition("=")
    if tag in tags and (members := catalog.tagged(experiments, tag).get(value)):
        models = members
    if by not in tags:
        return Family(tuple(models), {})
    values = {model: value for value, members in catalog.tagged(experiments, by).items() for model in members}
    kept = set(models)
    return Family(tuple(model for model in values if model in kept), values)
