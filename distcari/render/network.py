"""A network made ready for rendering: frozen, folded, channels last, and stopped at the layer asked for.

What is folded is checked at every layer (folding.py), and a layer whose own output folding would change is computed
without. In bfloat16 and float16, weights and activations are of that type, what comes out is float32; a layer that this
changes too much is computed in float32 (precision.py).
"""

import contextlib
import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from distcari.errors import InputError
from distcari.render.convolution import FrozenConvolutions, packing_works
from distcari.render.devices import float32_as_named
from distcari.render.folding import Folded, fold
from distcari.render.layers import LayerInfo, describe, find_layers, nearest_layers
from distcari.render.passes import noise, run_through
from distcari.render.precision import decide
from distcari.render.replica import replica
from distcari.render.scaling import Scaling

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}  # of weights and activations; else float32
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as PIL's and torchvision's grey: what grey data sets are made with


class Network:
    """A model that gives the activations of any of its layers for pictures in [0, 1].

    `mean` and `std` are the model's own normalisation (three values, or one), `input_size` the side of its input in
    pixels. The model itself stays as it is; this is a frozen copy on `device` that may share its weights, so do not
    train on meanwhile. A model of one channel sees the normalised picture's luminance. Raises InputError for a model
    that cannot be rendered.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        input_size: int = 224,
        device: str | torch.device = "cpu",
        fold: bool = True,
    ) -> None:
        self.device, self.input_size, self._fold = torch.device(device), input_size, fold
        with torch.inference_mode(False):
            self.model: nn.Module = replica(model, self.device)
            self.mean, self.std = (_of_channels(values, self.device) for values in (mean, std))
            self._weights = _of_channels(LUMINANCE, self.device)
        found = describe(self.model, input_size)
        self.layers: list[LayerInfo] = found.layers
        self.channels, self._unusable = found.channels, found.unusable
        self._folded: Folded | None = None  # made when first needed
        self._cast: dict[torch.dtype, nn.Module] = {}  # the folded form in another type
        self._spared: dict[tuple[str, torch.dtype], nn.Module] = {}  # folded but for the layer itself
        self._decided: dict[tuple[str, str], str] = {}
        self._convolutions = FrozenConvolutions(()) if self.device.type == "cpu" and packing_works() else None

    @property
    def grey(self) -> bool:
        """Whether the model sees one channel alone."""
        return self.channels == 1

    def layer(self, name: str) -> LayerInfo:
        """The layer of that name, dots or underscores. Raises InputError with the reason or the nearest names."""
        label = name.replace(".", "_")
        for info in find_layers(self.layers, name):
            if info.name == label:
                return info
        raise InputError(
            f"layer {name!r}",
            self._unusable.get(label, "the model has no such layer"),
            f"Nearest: {', '.join(nearest_layers(self.layers, name))}.",
        )

    def precision(self, layer: str, wanted: str) -> str:
        """The precision that a layer is computed in if `wanted` is asked for; decided once, see precision.decide."""
        name = self.layer(layer).name
        if (name, wanted) not in self._decided:
            found = self._decided[name, wanted] = decide(self, layer, wanted)
            if wanted == "auto":  # which asks for all that the precision's own name does, and more
                self._decided.setdefault((name, found), found)
        return self._decided[name, wanted]

    def settle(self, layer: str, precision: str) -> None:
        """Take over what was decided elsewhere, for all of a run: nothing is tried here."""
        wanted = ("auto", "tf32", "bfloat16", "float16")
        self._decided |= {(self.layer(layer).name, name): precision for name in wanted}

    def activations(self, layer: str, normalize: bool = True, precision: str = "float32") -> Callable[[Tensor], Tensor]:
        """A function from pictures (N, 3, y, x) in [0, 1], at the input size, to the layer's output (N, …), float32.

        With `normalize=False` it expects pictures that are normalised already. `precision` is as for `precision`.
        """
        return self.forward(layer, self.precision(layer, precision), normalize)

    def forward(self, layer: str, precision: str, normalize: bool = True) -> Callable[[Tensor], Tensor]:
        """As `activations`, in a precision by name, whatever is decided."""
        through = self._through([layer], layer, precision, normalize)
        return lambda pictures: through(pictures)[0]

    def earlier(self, layer: str, names: Sequence[str], precision: str) -> Callable[[Tensor], list[Tensor]]:
        """As `forward`, of several layers that lie before `layer`, by one pass of the form that gives `layer`."""
        return self._through(names, layer, precision)

    def _through(
        self, names: Sequence[str], layer: str, precision: str, normalize: bool = True
    ) -> Callable[[Tensor], list[Tensor]]:
        """The outputs of layers, of one pass of the form of the model that gives `layer`."""
        infos, model = [self.layer(name) for name in names], self.model_for(self.layer(layer), precision)
        if self._convolutions is not None:
            self._convolutions.also(model)
        targets = [(model.get_submodule(info.path), info.calls) for info in infos]
        dtype = DTYPES.get(precision, torch.float32)

        def forward(pictures: Tensor) -> list[Tensor]:
            x = (pictures - self.mean) / self.std if normalize else pictures
            if self.grey:
                x = _luminance(x, self._weights)
            scaling = Scaling() if dtype == torch.float16 and torch.is_grad_enabled() else None
            if scaling is not None:
                x = scaling.leaves(x)
            with self._context(precision):
                x = x.to(dtype).contiguous(memory_format=torch.channels_last)
                outputs = [output.float() for output in run_through(model, targets, x)]
            return outputs if scaling is None else [scaling.enters(output) for output in outputs]

        return forward

    def _context(self, precision: str) -> AbstractContextManager[object]:
        if precision == "tf32":
            return float32_as_named(self.device, tf32=True)
        return self._convolutions or contextlib.nullcontext()

    def folded(self) -> Folded:
        """The model's folded form on this device."""
        if self._folded is None:
            self._folded = self._fold_on_cpu() if self._fold else Folded(self.model)
        return self._folded

    def _fold_on_cpu(self) -> Folded:
        x = noise(self.input_size, self.channels)
        if self.device.type == "cpu":
            return fold(self.model, x)
        made = fold(replica(self.model, "cpu"), x)
        return Folded(made.model.to(self.device), made.changed)

    def model_for(self, info: LayerInfo, precision: str) -> nn.Module:
        """The fastest form of the model that gives the layer's output: folded, but not at the layer itself."""
        model, changed = self.folded().model, self.folded().changed
        dtype = DTYPES.get(precision, torch.float32)
        if dtype != torch.float32:
            if dtype not in self._cast:
                self._cast[dtype] = cast(model, dtype)
            model = self._cast[dtype]
        if info.path in changed:
            path = changed[info.path]
            if (path, dtype) not in self._spared:
                own = self.model.get_submodule(path)
                self._spared[path, dtype] = _with(model, path, own if dtype == torch.float32 else cast(own, dtype))
            model = self._spared[path, dtype]
        return model


def _luminance(x: Tensor, weights: Tensor) -> Tensor:
    """(N, 3, y, x) → (N, 1, y, x); the gradient goes to all three alike, so that a grey picture stays grey."""
    mean = x.mean(1, keepdim=True)
    return mean + ((x * weights).sum(1, keepdim=True) - mean).detach()


def _of_channels(values: Sequence[float], device: torch.device) -> Tensor:
    """(1, 3, 1, 1), or (1, 1, 1, 1) of one value."""
    if len(values) not in (1, 3):
        raise InputError("mean and std", f"have {len(values)} values", "Give three, for RGB, or one for grey.")
    return torch.tensor(values, device=device).view(1, -1, 1, 1)


def cast(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy with weights of that type, but for batch norms, whose variances need the range and which take either."""
    copied = copy.deepcopy(model)
    for module in copied.modules():
        if not isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensors in (module._parameters, module._buffers):
                for name, tensor in tensors.items():
                    if tensor is not None and tensor.is_floating_point():
                        own: Any = tensor.detach().to(dtype)
                        tensors[name] = nn.Parameter(own, requires_grad=False) if tensors is module._parameters else own
    return copied


def _with(model: nn.Module, path: str, module: nn.Module) -> nn.Module:
    """A copy that shares all weights, with another module at the path."""
    shared: dict[int, Any] = {id(t): t for t in [*model.parameters(), *model.buffers()]}
    copied = copy.deepcopy(model, shared)
    parent, _, name = path.rpartition(".")
    setattr(copied.get_submodule(parent), name, module)
    return copied
