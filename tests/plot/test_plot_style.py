import numpy as np
import pytest
from matplotlib.colors import to_rgb

from jaxmaxent import plot
from jaxmaxent.ensembles import BINARY, DNA, PROTEIN, RNA
from jaxmaxent.plot import _style as style

ALPHABETS = [DNA.letters, RNA.letters, PROTEIN.letters, BINARY.letters, "αβγδεζη"]

# Machado, Oliveira & Fernandes (2009), IEEE Trans. Visualization and Computer Graphics 15:1291, severity 1.
DICHROMACY = {
    "protan": (0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998),
    "deutan": (0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881),
    "tritan": (1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900),
    "none": np.eye(3),
}


def lab(color, matrix):
    """CIE 1976 L*a*b* (D65) of an sRGB colour as seen through `matrix` in linear RGB."""
    srgb = np.array(to_rgb(color))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.reshape(matrix, (3, 3)) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ seen / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("kind", DICHROMACY)
@pytest.mark.parametrize("letters", ALPHABETS)
def test_colours_stay_apart_for_every_kind_of_colour_vision(kind, letters):
    seen = [lab(color, DICHROMACY[kind]) for color in set(plot.colors(letters).values())]
    apart = min(np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i])
    assert apart > 20  # about ten times the difference that is just noticeable


def test_every_alphabet_has_a_colour_for_every_letter():
    assert plot.colors("UGCA") == {"U": style.RED, "G": style.ORANGE, "C": style.BLUE, "A": style.GREEN}
    assert plot.colors("ACGT-")["-"] == style.GRAY
    assert plot.colors(PROTEIN.letters)["K"] == style.BLUE
    for letters in ALPHABETS:
        assert list(plot.colors(letters)) == list(letters)
