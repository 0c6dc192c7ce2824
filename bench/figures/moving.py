"""Pictures moved a little: shifted and turned about their middle."""
import numpy as np


def moved(windows, shape, right=0, down=0, degrees=0, grain=1, outside=0):
    """Cuts `shape` from the middle of each window (n, H, W), as if the scene
    had moved by `right`, `down` pixels and turned by `degrees` about the
    middle (from the x axis towards larger y). A pixel of the result is the
    mean of grain x grain pixels of the window, each found by bilinear
    interpolation; `outside` is what lies beyond the window."""
    height, width = shape[0] * grain, shape[1] * grain
    y, x = np.mgrid[:height, :width].astype(float)
    y -= (height - 1) / 2 + down * grain
    x -= (width - 1) / 2 + right * grain
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    from_y = c * y - s * x + (windows.shape[1] - 1) / 2
    from_x = s * y + c * x + (windows.shape[2] - 1) / 2
    fine = _sample(windows, from_y, from_x, outside)
    return fine.reshape(len(windows), shape[0], grain, shape[1],
                        grain).mean(axis=(2, 4))


def _sample(windows, y, x, outside):
    """Values (n, ...) at the places y, x of each window."""
    framed = np.pad(np.asarray(windows, float), ((0, 0), (1, 1), (1, 1)),
                    constant_values=outside)
    y = np.clip(y + 1, 0, framed.shape[1] - 1)
    x = np.clip(x + 1, 0, framed.shape[2] - 1)
    top = np.minimum(y.astype(int), framed.shape[1] - 2)
    left = np.minimum(x.astype(int), framed.shape[2] - 2)
    b, a = y - top, x - left
    return ((1 - b) * (1 - a) * framed[:, top, left]
            + (1 - b) * a * framed[:, top, left + 1]
            + b * (1 - a) * framed[:, top + 1, left]
            + b * a * framed[:, top + 1, left + 1])
