"""`distcari verify`: read a whole store and hold it against its checksums."""

from typing import TYPE_CHECKING, Annotated

import typer

from distcari.cli.options import StoreOptions, StorePlace, store_of
from distcari.errors import InputError

if TYPE_CHECKING:
    from distcari.store import Store
    from distcari.store.check import Finding


def verify(
    store: StorePlace,
    experiment: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this experiment (repeatable).", show_default=False)
    ] = None,
    requeue: Annotated[bool, typer.Option("--requeue", help="Let the next run compute again what is damaged.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Cells read at once.")] = 4,
    options: StoreOptions = None,
) -> None:
    """Hold a whole store against its checksums.

    Every index part, picture, gain curve, match map and input is looked at. With --requeue what is damaged is taken
    out of the index (and damaged parts are put aside), so that the next `distcari submit` computes it again.

    Exit code 0: all is well, or was requeued; 1: damage was found.

    \b
    Examples:
      distcari verify store
      distcari verify s3://lab/caricatures --option endpoint=http://minio:9000 --requeue
    """
    opened = store_of(store, options, writable=requeue)
    if unknown := set(experiment or ()) - set(opened.experiments()):
        raise InputError(
            f"--experiment {sorted(unknown)[0]}",
            "there is none of that name in the store",
            f"There are: {', '.join(opened.experiments())}.",
        )
    findings = _findings(opened, experiment, jobs)
    if findings and requeue:
        from distcari.store.check import requeue as take_out

        typer.echo(
            f"{take_out(opened, findings)} cells taken out of the index; submit the config again to compute "
            "them and what damaged parts held"
        )
    elif findings:
        typer.echo(f"Mend it with: distcari verify {opened.url} --requeue   and then submit the config again.")
        raise typer.Exit(1)


def _findings(store: "Store", experiments: list[str] | None, jobs: int) -> "list[Finding]":
    """What is damaged, said as it is found."""
    from rich.console import Console
    from rich.status import Status

    from distcari.store.check import Finding, check

    findings: list[Finding] = []
    looked = 0
    with Status("verifying", console=Console(stderr=True)) as status:
        for told in check(store, experiments, jobs):
            if isinstance(told, Finding):
                findings.append(told)
                typer.echo(f"DAMAGED {told.where}: {told.what}")
            else:
                looked = told
                status.update(f"verifying: {looked} cells, {len(findings)} findings")
    typer.echo(f"{looked} cells verified, {len(findings)} findings in {store.url}")
    return findings
