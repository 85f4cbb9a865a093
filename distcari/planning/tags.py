"""What is written about an experiment's models beside its pictures: checksums, sizes, and their tags."""

from collections.abc import Mapping
from typing import Any

from distcari.config.experiment import Experiment
from distcari.config.tags import joined, tags_from
from distcari.planning.differences import Difference
from distcari.sources.models import ModelSpec

Row = dict[str, Any]


def model_rows(
    experiment: Experiment, models: Mapping[str, ModelSpec], differences: Mapping[str, Difference], where: str
) -> list[Row]:
    """A row for each label on the model axis. Raises InputError where a source of tags says nothing of any model."""
    names = [*models, *differences]
    found = joined(
        tags_from(experiment.tags_from, names, where), {name: dict(spec.source.tags) for name, spec in models.items()}
    )
    known = {name: (spec.sha256, spec.parameters, spec.num_classes) for name, spec in models.items()}
    known |= {name: (pair.sha256, None, None) for name, pair in differences.items()}
    return [
        {
            "experiment": experiment.name,
            "model": name,
            **dict(zip(("checksum", "parameters", "classes"), known[name], strict=True)),
            **found.get(name, {}),
        }
        for name in names
    ]
