"""`distcari similarity`: do networks differ as functions where their pictures differ?"""

from typing import Annotated

import typer

from distcari.cli.options import Layers, OneExperiment, StoreOptions, StorePlace, names, needs_models, study_of


def similarity(
    store: StorePlace,
    experiment: OneExperiment = None,
    models: Annotated[str | None, typer.Option(metavar="A,B", help="Only these models.", show_default=False)] = None,
    metric: Annotated[str, typer.Option(help="Of the pictures' distance: colour or spectrum.")] = "colour",
    layers: Layers = None,
    options: StoreOptions = None,
) -> None:
    """Print linear CKA of the models, layer by layer, beside the distances of their pictures.

    CKA compares the networks themselves, on fixed crops of photographs and the experiment's inputs: 1 is equal up to
    rotation and scale, 0 unrelated. With three models or more, the rank correlation of 1 - CKA and picture distance.
    The models' weights are read again from where the config found them.

    \b
    Examples:
      distcari similarity store
      distcari similarity store --models lite0,lite1 --layers _blocks_4,_blocks_14
    """
    needs_models()
    study = study_of(store, options, experiment)
    from distcari.analysis.similarity import similarity as computed

    frame = computed(study, models=names(models), layers=names(layers), metric=metric)
    typer.echo(frame.to_string(index=False, float_format=lambda v: f"{v:.3f}"))
    typer.echo(f"\n{frame.attrs['probes']} pictures seen by each network; distance: {metric}")
    typer.echo(frame.attrs["agreement"].to_string(index=False, float_format=lambda v: f"{v:.3f}"))
