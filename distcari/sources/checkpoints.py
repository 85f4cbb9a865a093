"""Weights from files: found in the usual nestings, prefixes stripped, never executed."""

import hashlib
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distcari.errors import InputError, last_resort
from distcari.sources.validation import check_unpacked

SUFFIXES = (".safetensors", ".pth.tar", ".pt.tar", ".pt", ".pth", ".tar", ".ckpt", ".bin")
# Where trainers nest the weights; averaged ones only where there are no others.
_NESTS = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "module",
    "ema",
    "model_ema",
    "state_dict_ema",
    "ema_state_dict",
)
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
State = dict[str, Tensor]


def stem(path: str | Path) -> str:
    """A checkpoint's file name without its ending: `resnet_50_single_camera.pth.tar` → `resnet_50_single_camera`."""
    name = Path(path).name
    return next((name.removesuffix(s) for s in SUFFIXES if name.endswith(s)), name)


def read_state(path: Path, where: str) -> State:
    """The state dict in a checkpoint, memory-mapped, keys without prefixes.

    Raises InputError for a file that is missing, broken, holds no weights, or holds pickled code (it is not executed).
    """
    if not path.is_file():
        raise InputError(where, f"no checkpoint at {path}", "Put the file there, or correct the path.")
    if path.suffix == ".safetensors":
        state = _read_safetensors(path, where)
        check_unpacked(state, path, where)
        return strip_prefixes(state)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except pickle.UnpicklingError as error:
        raise _unpickling_error(path, where, error) from None
    except Exception as error:
        raise _broken(path, where, error) from None
    with last_resort(where, f"{path} cannot be read as a checkpoint", "Save its weights alone."):
        state = find_state(loaded)  # of a file that may hold itself
    if not state:
        raise InputError(where, f"{path} holds no weights", "Save it as torch.save(model.state_dict(), path).")
    check_unpacked(state, path, where)
    return strip_prefixes(state)


def find_state(loaded: Any) -> State:
    """The weights in what a checkpoint holds: nested under `state_dict`, `model` and the like, or the thing itself."""
    if not isinstance(loaded, Mapping):
        return {}
    for nest in _NESTS:
        if isinstance(loaded.get(nest), Mapping) and (found := find_state(loaded[nest])):
            return found
    counter = "n_averaged"  # of torch.optim.swa_utils.AveragedModel, beside the weights
    return {str(name): value for name, value in loaded.items() if isinstance(value, Tensor) and name != counter}


def strip_prefixes(state: State) -> State:
    """Take away prefixes that all keys share (`module.`, `model.` …), as often as they stand there."""
    prefix = _shared_prefix(state)
    return {name.removeprefix(prefix): value for name, value in state.items()}


def align(state: State, expected: Mapping[str, Tensor]) -> State:
    """Stripped weights under the prefix that an architecture's own keys share, as those of a wrapper class do."""
    prefix = _shared_prefix(expected)
    return {prefix + name: value for name, value in state.items()} if prefix else state


def _shared_prefix(state: Mapping[str, Tensor]) -> str:
    shared = ""
    while state:
        prefix = next((p for p in _PREFIXES if all(name.startswith(shared + p) for name in state)), None)
        if prefix is None:
            break
        shared += prefix
    return shared


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) of a state dict's names, types, shapes and bytes."""
    total = hashlib.sha256()
    for name, value in sorted(state.items()):
        plain = value.detach().cpu().contiguous()
        total.update(f"{name} {plain.dtype} {tuple(plain.shape)}".encode())
        total.update(plain.flatten().view(torch.uint8).numpy().tobytes() if plain.numel() else b"")
    return total.hexdigest()


def check_fits(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path | str, where: str) -> None:
    """Raise InputError, naming the first keys that differ, unless the weights fit the architecture."""
    buffers = ("num_batches_tracked",)
    missing = [k for k in expected if k not in state and not k.endswith(buffers)]
    extra = [k for k in state if k not in expected and not k.endswith(buffers)]
    shapes = [
        f"{k}: {tuple(state[k].shape)} in the file, {tuple(expected[k].shape)} in the architecture"
        for k in expected
        if k in state and state[k].shape != expected[k].shape
    ]
    problems = [
        f"{len(keys)} {what}: {', '.join(key[:200] for key in keys[:3])}{' …' if len(keys) > 3 else ''}"
        for keys, what in ((missing, "keys missing"), (extra, "keys unexpected"), (shapes, "shapes differ"))
        if keys
    ]
    if problems:
        raise InputError(
            where,
            f"{path} is a checkpoint of another architecture\n    " + "\n    ".join(problems),
            "Name the architecture that it was trained with, and its options.",
        )


def _read_safetensors(path: Path, where: str) -> State:
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except Exception as error:
        raise _broken(path, where, error) from None


def _is_zip(path: Path) -> bool:
    """Memory-mapping needs the zip format that torch writes since 1.6."""
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _unpickling_error(path: Path, where: str, error: Exception) -> InputError:
    text = str(error)
    with path.open("rb") as file:
        is_pickle = file.read(1) == b"\x80" or _is_zip(path)
    if "Unsupported global" in text or "Unsupported class" in text or is_pickle:
        return InputError(
            where,
            f"{path} holds pickled code, which distcari never executes",
            "If you trust it, save its weights alone, where it was made: torch.save(model.state_dict(), 'weights.pt').",
        )
    return _broken(path, where, error)


def _broken(path: Path, where: str, error: Exception) -> InputError:
    if "TorchScript" in str(error):
        return InputError(
            where,
            f"{path} is a TorchScript archive, which holds code",
            "Save its weights alone: torch.save(torch.jit.load(path).state_dict(), 'weights.pt').",
        )
    line = " ".join(str(error).split())[:160] or ("the file is empty" if not path.stat().st_size else repr(error))
    return InputError(where, f"{path} cannot be read as a checkpoint: {line}", "Copy or download it again.")
