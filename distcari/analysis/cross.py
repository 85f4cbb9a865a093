"""Finished pictures, shown to the other models of their experiment.

Each picture is measured in every model at the layer of the same name: does that model see in it what it sees in the
input? One row for each picture and model goes into `cross/<experiment>.parquet` in the store; what is there already is
not measured again. Checkpoints are looked for where the config says, so run it where the config runs.

    frame = pandas.read_parquet("store/cross/demo.parquet")
    frame.pivot_table(index="model", columns="in_model", values="robust_gain")
"""

import io
from collections.abc import Collection, Iterator, Mapping, Sequence

import pandas as pd
import torch

from distcari.config.experiment import Experiment
from distcari.errors import InputError
from distcari.grid import Label, label_text
from distcari.render.augment import see
from distcari.render.contrast import CROSS
from distcari.render.measure import measure
from distcari.render.metric import measured
from distcari.render.network import Network
from distcari.settings import RenderSettings
from distcari.sources.models import ModelSpec, expand_models, load_model
from distcari.store import Store
from distcari.store.arrays import Arrays

BATCH = 16
# How a picture's own figures were taken, which is how other models are to be asked; null is what was before the column.
_AS_IT_WAS = {"arithmetic": "float32", "metric": "plain", "tokens": "all"}
_SAME = ["key", "in_model", "in_sha256"]  # a measurement that need not be repeated


def cross(
    store: Store,
    experiment: str,
    into: Collection[str] = (),
    only: Mapping[str, Collection[Label]] | None = None,
    known: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Gain and cosine, plain and robust, of an experiment's pictures in its models: a row for each picture and model.

    Columns: key, the axes, in_model, in_sha256 (of that model's weights), gain, cosine, robust_gain, robust_cosine
    (units as in the index). `into`: only these models; `only`: pictures with these labels of an axis; `known`: an
    earlier result, whose rows are taken over. A picture's figures in its own model are the index's. Raises InputError
    for an experiment whose models cannot be loaded as they were.
    """
    arrays, models = store.arrays(experiment), _models(store, experiment, into)
    frame = store.table(list(dict.fromkeys(["key", "experiment", *arrays.axes, "model_sha256", *_AS_IT_WAS, *CROSS])))
    frame = _selected(frame[frame["experiment"] == experiment], arrays.axes, only or {})
    wanted = pd.concat([_seen_by(spec, frame, arrays.meta["layers_of"].get(name)) for name, spec in models.items()])
    at_home = (wanted["model"] == wanted["in_model"]) & (wanted["model_sha256"] == wanted["in_sha256"])
    own, others = wanted[at_home], wanted[~at_home].drop(columns=list(CROSS))
    done = others.merge(known[[*_SAME, *CROSS]], on=_SAME) if known is not None else others[:0]
    rest = others[~_names(others).isin(_names(done))]
    parts = [own, done]
    parts += [_measured(arrays, models[str(name)], rows) for name, rows in rest.groupby("in_model", sort=False)]
    order = ["key", *arrays.axes, "in_model", "in_sha256", *CROSS]
    return pd.concat([part[order] for part in parts if len(part)] or [own[order]], ignore_index=True)


def _models(store: Store, experiment: str, into: Collection[str]) -> dict[str, ModelSpec]:
    """The experiment's models as they were when its pictures were made."""
    meta = store.arrays(experiment).meta
    where = f"experiment {experiment}"
    if not meta.get("config"):
        raise InputError(where, "was adopted: its models are not known", "Cross an experiment that distcari computed.")
    config = Experiment.model_validate(meta["config"])
    if config.render.compat == "lucent":
        raise InputError(
            where,
            "was made with compat: lucent, whose figures are of lucent's own frame",
            "Cross an experiment that was made without.",
        )
    specs = {spec.name: spec for spec in expand_models(config, where)}
    if unknown := [name for name in into if name not in specs]:
        raise InputError(f"--in {unknown[0]}", "no such model", f"There are: {', '.join(specs)}.")
    for spec in specs.values():
        if spec.sha256 != meta["models"][spec.name]["sha256"]:
            raise InputError(
                spec.where,
                f"the weights of {spec.name} are not those that its pictures were made with",
                "Put the checkpoint of that time back.",
            )
    return {name: spec for name, spec in specs.items() if not into or name in into}


def _selected(frame: pd.DataFrame, axes: Sequence[str], only: Mapping[str, Collection[Label]]) -> pd.DataFrame:
    for axis, labels in only.items():
        if axis not in axes:
            raise InputError(f"--only {axis}", "no such axis", f"Axes: {', '.join(axes)}. Example: --only layer=conv2")
        frame = frame[frame[axis].map(label_text).isin([str(label) for label in labels])]
    return frame


def _seen_by(spec: ModelSpec, frame: pd.DataFrame, layers: Collection[str] | None) -> pd.DataFrame:
    """The pictures at layers that a model has (None: all)."""
    seen = frame if layers is None else frame[frame["layer"].isin(list(layers))]
    return seen.assign(in_model=spec.name, in_sha256=spec.sha256)


def _names(frame: pd.DataFrame) -> pd.Series:
    return frame[_SAME].agg(" ".join, axis=1) if len(frame) else pd.Series(dtype=str)


def _measured(arrays: Arrays, spec: ModelSpec, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with their figures in one model."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = Network(load_model(spec), mean=spec.mean, std=spec.std, input_size=spec.input_size, device=device)
    found: list[pd.DataFrame] = []
    rows = rows.fillna(_AS_IT_WAS)
    for (layer, image, arithmetic, metric, tokens), group in rows.groupby(["layer", "image", *_AS_IT_WAS], sort=False):
        how = RenderSettings().with_(metric=metric, tokens=tokens)
        forward = measured(network, arrays.description.layer(spec.name, str(layer)), str(arithmetic), how)
        pixels = torch.from_numpy(arrays.input(str(image))).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            target = forward(see(pixels.to(device), None, network.input_size))
        for start in range(0, len(group), BATCH):
            part = group.iloc[start : start + BATCH]
            pictures = torch.stack(list(_pictures(arrays, part))).to(device)
            figures = measure(forward, pictures, target.expand(len(part), *target.shape[1:]), network.input_size)
            found.append(part.assign(**{name: figures[name].double().cpu().numpy() for name in CROSS}))
    return pd.concat(found)


def _pictures(arrays: Arrays, rows: pd.DataFrame) -> Iterator[torch.Tensor]:
    for labels in rows[arrays.axes].itertuples(index=False):
        yield torch.from_numpy(arrays.picture(arrays.place(tuple(labels)))).permute(2, 0, 1)


def path_of(experiment: str) -> str:
    """Where in the store the result lies."""
    return f"cross/{experiment}.parquet"


def update(
    store: Store, experiment: str, into: Collection[str] = (), only: Mapping[str, Collection[Label]] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure what is not yet in the store's table, and put it there; (what was asked for, the whole table).

    Raises InputError if the store has no such experiment.
    """
    if experiment not in store.experiments():
        raise InputError(
            f"experiment {experiment}",
            "there is none of that name in the store",
            f"There are: {', '.join(store.experiments())}.",
        )
    known = _earlier(store, experiment)
    found = cross(store, experiment, into, only, known)
    merged = pd.concat([known, found]) if known is not None else found
    current = merged.drop_duplicates(["key", "in_model"], keep="last", ignore_index=True)
    buffer = io.BytesIO()
    current.to_parquet(buffer, index=False)
    store.files.write(path_of(experiment), buffer.getvalue())
    return found, current


def _earlier(store: Store, experiment: str) -> pd.DataFrame | None:
    try:
        return pd.read_parquet(io.BytesIO(store.files.read(path_of(experiment))))
    except FileNotFoundError:
        return None
