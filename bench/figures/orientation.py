"""The preferred orientation of atoms that are pictures, by the second moment
of their Fourier power.

Each wave vector k votes for the orientation at right angles to it with
weight |k| |F(k)|^2; votes are added as exp(2 i theta), for an orientation is
the same after half a turn. That is the structure tensor computed in the
spectrum, where no difference filter bends angles. A window keeps the patch's
border from voting; one factor |k| stands between the tensor's |k|^2, which
noise disturbs, and the plain power, which slow waves rule.
"""
import numpy as np

PADDED = 4


def orientations(atoms):
    """(n, H, W) -> (n) complex: angle / 2 is the orientation of the stripes,
    counted from the x axis towards larger y; the magnitude is selectivity,
    0 (all alike) to 1 (one orientation alone)."""
    atoms = np.asarray(atoms, float)
    height, width = atoms.shape[1:]
    window = np.sqrt(np.outer(np.hanning(height + 2)[1:-1],
                              np.hanning(width + 2)[1:-1]))
    flat = (atoms - atoms.mean(axis=(1, 2), keepdims=True)) * window
    flat -= flat.mean(axis=(1, 2), keepdims=True)
    side = PADDED * max(height, width)
    power = np.abs(np.fft.fft2(flat, (side, side))) ** 2
    f = np.fft.fftfreq(side)
    k = f[None, :] + 1j * f[:, None]
    length = np.abs(k)
    length[(length > 0.5) | (length == 0)] = np.inf  # corners; no direction
    votes = power * np.where(np.isinf(length), 0, length)
    total = votes.sum(axis=(1, 2))
    # The stripes' own direction is a quarter turn on: exp(2 i 90 deg) = -1.
    turned = -(votes * (k / length) ** 2).sum(axis=(1, 2))
    return np.divide(turned, total, out=np.zeros(len(atoms), complex),
                     where=total > 0)


def difference(a, b):
    """Between orientations as complex numbers: 0 to 90 degrees."""
    return np.degrees(np.abs(np.angle(a * np.conj(b)))) / 2
