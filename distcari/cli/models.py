"""`distcari models`: the models of a config, looked up."""

from typing import TYPE_CHECKING

import typer

from distcari.cli.options import ConfigFile, Overrides, needs_models, print_table

if TYPE_CHECKING:
    from torch import nn

    from distcari.sources.models import ModelSpec

COLUMNS = ("model", "architecture", "weights", "sha256", "classes", "parameters", "normalization", "input")


def models(config: ConfigFile, overrides: Overrides = None) -> None:
    """List a config's models, looked up.

    Architecture, weights, checksum, classes, parameters, normalization and input size of each. Globs of checkpoints
    are expanded, and every file is read once. `parameters` counts numbers that are learned.

    \b
    Examples:
      distcari models configs/demo.yaml
      distcari models configs/finetune.yaml --set input_size=160
    """
    needs_models()
    from rich.table import Table

    from distcari.config.load import load_experiment

    experiment = load_experiment(config, overrides or ())
    from distcari.sources.models import expand_models

    table = Table(box=None, pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in ("classes", "parameters", "input") else "left")
    specs = expand_models(experiment, config)
    for spec in specs:
        table.add_row(*_row(spec))
    print_table(table)
    typer.echo(f"{len(specs)} model{'s' if len(specs) != 1 else ''}. Their layers: distcari layers {config}")


def _row(spec: "ModelSpec") -> tuple[str, ...]:
    from distcari.sources.architectures import build

    network = build(spec.source, spec.where, spec.num_classes)
    parameters = sum(p.numel() for p in network.parameters())
    return (
        spec.name,
        spec.source.architecture,
        _weights(spec),
        spec.sha256[:8],
        _classes(spec, network),
        f"{parameters:,}",
        _normalization(spec),
        str(spec.input_size),
    )


def _weights(spec: "ModelSpec") -> str:
    """Where the weights come from, as the config says it."""
    source = spec.source
    if source.checkpoint is not None:
        return str(spec.file)
    if source.package is not None:
        return f"package {source.package}"
    if source.weights not in (None, False, "none"):
        return "published" if source.weights is True else f"published {source.weights}"
    return f"random, init_seed {source.init_seed}"


def _classes(spec: "ModelSpec", network: "nn.Module") -> str:
    """Outputs of the last linear layer, where there is one."""
    from torch import nn

    if spec.num_classes is not None:
        return str(spec.num_classes)
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return str(linear[-1].out_features) if linear else "–"


def _normalization(spec: "ModelSpec") -> str:
    from distcari.settings import NORMALIZATIONS

    for name, known in NORMALIZATIONS.items():
        if (spec.mean, spec.std) == known:
            return name
    return "mean {} std {}".format(*(",".join(f"{v:g}" for v in values) for values in (spec.mean, spec.std)))
