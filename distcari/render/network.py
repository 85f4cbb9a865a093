"""A network made ready for rendering: frozen, folded, channels last, and stopped at the layer asked for.

What is folded is checked: a convolution and the batch norm behind it become one convolution, and the result must agree
with the original, or the original is used. A convolution that is itself asked for stays unfolded. In bfloat16, weights
and activations are bfloat16, what comes out is float32; a layer that this changes too much is computed in float32.
"""

import contextlib
import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from distcari.errors import InputError
from distcari.render.convolution import FrozenConvolutions, packing_works
from distcari.render.layers import LayerInfo, describe_layers, find_layers, nearest_layers
from distcari.render.padding import fold_paddings
from distcari.render.precision import native

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FOLD_TOLERANCE = 1e-3
HALF_TOLERANCE = 0.1  # of a layer's norm, on noise; measured: 0.005 … 0.03


class _Stopped(Exception):
    """Raised in a hook to end the forward pass at the target layer; carries its output."""

    def __init__(self, output: Tensor) -> None:
        self.output = output


class Network:
    """A model that gives the activations of any of its layers for pictures in [0, 1].

    `mean` and `std` are the model's own normalisation, `input_size` the side of its input in pixels. The model is
    evaluated and frozen in place and moved to `device`.
    """

    def __init__(
        self, model: nn.Module, *, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD,
        input_size: int = 224, device: str | torch.device = "cpu", fold: bool = True,
    ) -> None:
        self.device, self.input_size, self._fold = torch.device(device), input_size, fold
        self.model: nn.Module = model.eval().requires_grad_(False).to(self.device).to(memory_format=torch.channels_last)
        self.mean = torch.tensor(mean, device=self.device).view(1, 3, 1, 1)
        self.std = torch.tensor(std, device=self.device).view(1, 3, 1, 1)
        self.layers: list[LayerInfo] = describe_layers(self.model, input_size)
        self._folded: tuple[nn.Module, frozenset[str]] | None = None  # made when first needed
        self._half: nn.Module | None = None
        self._spared: dict[tuple[str, bool], nn.Module] = {}  # folded but for the layer itself
        self._agrees: dict[str, bool] = {}
        self._convolutions = FrozenConvolutions() if self.device.type == "cpu" and packing_works() else None

    def layer(self, name: str) -> LayerInfo:
        """The layer of that name, dots or underscores. Raises InputError with the nearest names."""
        for info in find_layers(self.layers, name):
            if info.name == name.replace(".", "_"):
                return info
        raise InputError(f"layer {name!r}", "the model has no such layer",
                         f"Nearest: {', '.join(nearest_layers(self.layers, name))}.")

    def precision(self, layer: str, wanted: str) -> str:
        """The precision that a layer is computed in, `float32` or `bfloat16`, if `wanted` is that or `auto`.

        It depends on the kind of device and the model alone, so that workers of one kind agree.
        """
        if wanted == "float32" or (wanted == "auto" and not native(self.device)):
            return "float32"
        if layer not in self._agrees:
            self._agrees[layer] = self._survives(layer)
        return "bfloat16" if self._agrees[layer] else "float32"

    def activations(
        self, layer: str, normalize: bool = True, precision: str = "float32"
    ) -> Callable[[Tensor], Tensor]:
        """A function from pictures (N, 3, y, x) in [0, 1], at the input size, to the layer's output (N, …), float32.

        With `normalize=False` it expects pictures that are normalised already. `precision` is as for `precision`.
        """
        info = self.layer(layer)
        half = self.precision(layer, precision) == "bfloat16"
        return self._forward(info, normalize, half)

    def _forward(self, info: LayerInfo, normalize: bool, half: bool) -> Callable[[Tensor], Tensor]:
        model = self._model_for(info, half)
        target = model.get_submodule(info.path)
        dtype = torch.bfloat16 if half else torch.float32

        def forward(pictures: Tensor) -> Tensor:
            x = (pictures - self.mean) / self.std if normalize else pictures
            with self._context():
                x = x.to(dtype).contiguous(memory_format=torch.channels_last)
                return run_to(model, target, info.calls, x).float()

        return forward

    def _context(self) -> AbstractContextManager[object]:
        return self._convolutions or contextlib.nullcontext()

    def _model_for(self, info: LayerInfo, half: bool) -> nn.Module:
        """The fastest form of the model that gives the layer's output: folded, but not at the layer itself."""
        model, changed = self.model, frozenset[str]()
        if self._fold:
            if self._folded is None:
                folded, norms = fold_batch_norms(self.model, self.input_size)
                padded, paddings = fold_paddings(folded, _noise(self.model, self.input_size))
                self._folded = padded, norms | paddings
            model, changed = self._folded
        if half:
            if self._half is None:
                self._half = in_bfloat16(model)
            model = self._half
        if info.path in changed:
            if (info.path, half) not in self._spared:
                own = self.model.get_submodule(info.path)
                self._spared[info.path, half] = _with(model, info.path, in_bfloat16(own) if half else own)
            return self._spared[info.path, half]
        return model

    def _survives(self, layer: str) -> bool:
        """Whether bfloat16 can compute the layer at all, and near enough to float32, on noise."""
        info, noise = self.layer(layer), _noise(self.model, self.input_size)
        with torch.no_grad():
            exact = self._forward(info, False, False)(noise)
            try:
                rounded = self._forward(info, False, True)(noise)
            except RuntimeError:  # a model that mixes types by itself
                return False
        return bool((rounded - exact).norm() <= HALF_TOLERANCE * exact.norm())


def in_bfloat16(model: nn.Module) -> nn.Module:
    """A copy with weights in bfloat16, but for batch norms, whose variances need the range and which take either."""
    half = copy.deepcopy(model)
    for module in half.modules():
        if not isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensors in (module._parameters, module._buffers):
                for name, tensor in tensors.items():
                    if tensor is not None and tensor.is_floating_point():
                        cast = tensor.detach().to(torch.bfloat16)
                        own: Any = nn.Parameter(cast, requires_grad=False) if tensors is module._parameters else cast
                        tensors[name] = own
    return half


def _with(model: nn.Module, path: str, module: nn.Module) -> nn.Module:
    """A copy that shares all weights, with another module at the path."""
    shared: dict[int, Any] = {id(t): t for t in [*model.parameters(), *model.buffers()]}
    copied = copy.deepcopy(model, shared)
    parent, _, name = path.rpartition(".")
    setattr(copied.get_submodule(parent), name, module)
    return copied


def run_to(model: nn.Module, target: nn.Module, calls: int, x: Tensor) -> Tensor:
    """The output of a submodule at its n-th call; nothing behind it is computed."""
    count = 0

    def stop(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal count
        count += 1
        if count == calls:
            raise _Stopped(output)

    hook = target.register_forward_hook(stop)
    try:
        model(x)
    except _Stopped as stopped:
        return stopped.output
    finally:
        hook.remove()
    raise RuntimeError("the layer was not reached; does the model's path depend on its input?")


def fold_batch_norms(model: nn.Module, input_size: int) -> tuple[nn.Module, frozenset[str]]:
    """A copy with every convolution and its batch norm made one, and the paths of layers whose own output changed.

    Only a batch norm whose input is exactly a convolution's output is folded, and the copy is used only if the model's
    output on noise stays the same within 1e-3 of its norm (measured: 5e-6 … 1e-4); else the model itself comes back.
    """
    pairs = _conv_norm_pairs(model, input_size)
    if not pairs:
        return model, frozenset()
    folded = copy.deepcopy(model)
    for conv_path, norm_path in pairs:
        conv, norm = folded.get_submodule(conv_path), folded.get_submodule(norm_path)
        fuse: Any = fuse_conv_bn_weights
        conv.weight, conv.bias = fuse(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        parent, _, name = norm_path.rpartition(".")
        setattr(folded.get_submodule(parent), name, nn.Identity())
    folded.requires_grad_(False).to(memory_format=torch.channels_last)
    x = _noise(model, input_size)
    with torch.no_grad():
        before, after = model(x), folded(x)
    if not isinstance(before, Tensor) or (before - after).norm() > FOLD_TOLERANCE * before.norm():
        return model, frozenset()
    return folded, frozenset(conv for conv, _ in pairs)


def _conv_norm_pairs(model: nn.Module, input_size: int) -> list[tuple[str, str]]:
    """(convolution, batch norm) paths where the norm's input is the convolution's very output, each called once."""
    made: dict[int, tuple[str, Tensor]] = {}
    calls: dict[str, int] = {}
    pairs: list[tuple[str, str]] = []

    def record(path: str, module: nn.Module) -> Callable[..., None]:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            calls[path] = calls.get(path, 0) + 1
            if isinstance(module, nn.Conv2d):
                made[id(output)] = (path, output)
            elif id(inputs[0]) in made:
                pairs.append((made[id(inputs[0])][0], path))

        return hook

    hooks = [
        m.register_forward_hook(record(path, m))
        for path, m in model.named_modules() if isinstance(m, nn.Conv2d) or type(m) is nn.BatchNorm2d
    ]
    try:
        with torch.no_grad():
            model(_noise(model, input_size))
    finally:
        for hook in hooks:
            hook.remove()
    return [(c, n) for c, n in pairs if calls[c] == calls[n] == 1]


def _noise(model: nn.Module, input_size: int) -> Tensor:
    device = next(model.parameters()).device
    noise = torch.randn(1, 3, input_size, input_size, generator=torch.Generator().manual_seed(0))
    return noise.to(device).contiguous(memory_format=torch.channels_last)
