"""The picture of a spectrum is defined on every device, and a step copies nothing to one."""

import pytest
import torch

from distcari.render.parametrization import colour_basis, frequency_scale, generators, pictures, starts
from distcari.render.spectrum import inverse


@pytest.mark.parametrize("size", [16, 97, 128, 224])
def test_value_and_gradient_are_the_bits_of_irfft2_on_a_cpu(size):
    draw = torch.Generator().manual_seed(0)
    parts = torch.randn(2, 3, size, size // 2 + 1, 2, generator=draw).requires_grad_(True)
    weights = torch.randn(2, 3, size, size, generator=draw)
    ours, theirs = (
        inverse(torch.view_as_complex(parts), size),
        torch.fft.irfft2(torch.view_as_complex(parts), s=(size, size), norm="ortho"),
    )
    assert torch.equal(ours, theirs)
    grads = [torch.autograd.grad((picture * weights).sum(), parts)[0] for picture in (ours, theirs)]
    assert torch.equal(*grads)


@pytest.mark.parametrize("size", [8, 9])
def test_the_part_that_no_real_picture_has_reaches_no_transform(size, monkeypatch):
    """What cuFFT is given is Hermitian, so that it has one answer."""
    given = []
    real = torch.fft.irfft
    monkeypatch.setattr(torch.fft, "irfft", lambda x, **options: given.append(x.clone()) or real(x, **options))
    spectrum = torch.randn(size, size // 2 + 1, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    inverse(spectrum, size)
    assert (given[0].imag[:, 0] == 0).all() and (given[0].imag[:, 1] != 0).all()
    assert bool((given[0].imag[:, -1] == 0).all()) == (size % 2 == 0)


def test_no_tensor_of_another_device_takes_part_in_a_picture():
    """The meta device refuses to mix with the CPU."""
    spectra = starts(generators([0]), 16).to("meta").requires_grad_(True)
    shown = pictures(spectra, frequency_scale(16).to("meta"), 16, colour_basis().to("meta"))
    (gradient,) = torch.autograd.grad(shown.sum(), spectra)
    assert shown.is_meta and gradient.shape == spectra.shape


def test_grey_pictures_have_the_brightness_of_coloured_ones():
    spectra = starts(generators([0]), 16) * 100
    grey, coloured = (pictures(spectra, frequency_scale(16), 16, colour_basis(grey)) for grey in (True, False))
    assert torch.equal(grey[:, 0], grey[:, 1]) and torch.equal(grey[:, 0], grey[:, 2])
    assert torch.corrcoef(torch.stack([grey.mean(1).flatten(), coloured.mean(1).flatten()]))[0, 1] > 0.95
