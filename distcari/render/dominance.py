"""Where one token or channel of a layer outweighs all others, a picture is about that one alone.

Transformers put their largest activations into a few tokens and channels that say nothing of the place (Darcet et al.
2024, "Vision transformers need registers"; Sun et al. 2024, "Massive activations in large language models").
"""

import warnings

from torch import Tensor

from distcari.render.layers import LayerInfo
from distcari.render.measure import positions

MOST = 0.5  # of |t|², above which it is said


def dominant(target: Tensor, layer: LayerInfo) -> str:
    """What holds over half of |t|² of a target's activations (N, …), the mean over images; "" if nothing does.

    The first of a layer's tokens may have been cut. Only of tokens (N, T, C), and of channels of maps (N, C, v, u) or
    (N, v, u, C).
    """
    if target.ndim == 3 and target.shape[1] > 1 and target.shape[2] > 1:
        power = target.square() / target.square().sum((1, 2), keepdim=True).clamp_min(1e-30)
        shares = {"token": power.sum(2).mean(0), "channel": power.sum(1).mean(0)}
    elif target.ndim == 4:
        power = positions(target).square()
        power = power / power.sum((1, 2, 3), keepdim=True).clamp_min(1e-30)
        shares = {"channel": power.sum((1, 2)).mean(0)} if power.shape[-1] > 1 else {}
    else:
        return ""
    for what, share in shares.items():
        if float(share.max()) > MOST:
            i = int(share.argmax()) + (layer.shape[0] - target.shape[1] if what == "token" else 0)
            role = " (a class or register token)" if what == "token" and i < layer.prefix_tokens else ""
            return f"{what} {i}{role} holds {share.max():.0%} of the squared activations"
    return ""


def warn_of_dominance(target: Tensor, layer: LayerInfo) -> None:
    """Warn once for each layer whose picture would be about one token or channel alone."""
    if told := dominant(target, layer):
        warnings.warn(f"layer {layer.name}: {told}; the picture is about little else", stacklevel=3)
