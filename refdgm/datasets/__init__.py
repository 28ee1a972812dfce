r"""Small data on which likelihoods are exact: optical digits, the documents' synthetic sets, a user's own.

    digits              1797 images of 8 x 8 pixels (Alpaydin and Kaynak 1998, UCI Machine Learning Repository, CC
                        BY 4.0), as scikit-learn ships them; grey (0..1) or binary (> 1/2); the last fifth is for tests
    bars_and_stripes    every image of s x s pixels whose rows, or whose columns, are each all on or all off
    ring                points near k centres on a circle, the set on which GANs lose modes
    mixture             points of a mixture of Gaussians on the line: yu2020 Sec. 6.1's 0.33 N(-1, 1/16) + 0.67 N(2, 2)
    load                a file of one's own: .npy, .npz or .csv

Each gives a Data; wherever refdgm takes data, an array of one's own (N, D) does as well.
"""
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from refdgm import streams
from refdgm import validation as valid


class Data(NamedTuple):
    """Rows to learn from and rows to be tested on."""
    name: str
    train: np.ndarray           # (N, D)
    test: np.ndarray            # (M, D); no rows where there is nothing to hold out
    image: tuple | None         # (height, width) where a row is an image


@cache
def _digits():
    with np.load(Path(__file__).with_name("digits.npz")) as file:       # arrays only: nothing is unpickled
        return file["images"], file["labels"]


def digits(kind="binary"):
    """The optical digits, "binary" (0. or 1.) or "grey" (0..1): 1438 images to train on and 359 to test."""
    valid.require(kind in ("binary", "grey"), f"the digits are 'binary' or 'grey', not {kind!r}.")
    images = _digits()[0] / 16
    if kind == "binary":
        images = (images > 0.5).astype(float)
    return Data(f"digits ({kind})", images[:1438], images[1438:], (8, 8))


def digit_labels():
    """The digit that each image shows, in the order of `digits`.  -> (1438,), (359,) of 0..9"""
    labels = _digits()[1].astype(int)
    return labels[:1438], labels[1438:]


def bars_and_stripes(side=3):
    """Every bars-and-stripes image, the two plain ones once: 2**(side + 1) - 2 rows of side * side bits."""
    valid.count("side", side, 2)
    valid.enumerable(2**(side + 1), f"bars and stripes of {side} by {side} pixels", side * side)
    rows = (np.arange(2**side)[:, None] >> np.arange(side)) & 1
    stripes = np.repeat(rows[:, :, None], side, axis=2)
    images = np.concatenate([stripes, np.swapaxes(stripes, 1, 2)[1:-1]]).reshape(-1, side * side).astype(float)
    return Data(f"bars and stripes {side}x{side}", images, images[:0], (side, side))


def ring(n=1000, modes=8, radius=2.0, sigma=0.1, seed=0):
    """n points of `modes` equal Gaussians on a circle, and half as many to test on.  (n, 2)"""
    for name, value in (("n", n), ("modes", modes)):
        valid.count(name, value)
    valid.require(radius > 0 and sigma > 0, f"radius and sigma must be positive, but are {radius} and {sigma}.")
    points = _draw(np.full(modes, 1 / modes), ring_centres(modes, radius), np.full(modes, sigma), n + n // 2, seed)
    return Data(f"ring of {modes}", points[:n], points[n:], None)


def ring_centres(modes=8, radius=2.0):
    """Where the Gaussians of `ring` are.  -> (modes, 2)"""
    angle = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def mixture(n=1000, weights=(0.33, 0.67), means=(-1.0, 2.0), sigmas=(0.25, 2.0**0.5), seed=0):
    """n points of a Gaussian mixture in one dimension, and half as many to test on (yu2020 Sec. 6.1).  (n, 1)"""
    valid.count("n", n)
    valid.distribution("weights", np.asarray(weights))
    points = _draw(np.asarray(weights), np.asarray(means)[:, None], np.asarray(sigmas), n + n // 2, seed)
    return Data("mixture", points[:n], points[n:], None)


def load(path):
    """A file of one's own, rows of numbers: .npy (N, D); .npz with `train` and maybe `test`; .csv without names.

    Raises ValueError, in one sentence, for a file that is not there, not readable as numbers, or not finite.
    """
    path = Path(path)
    valid.require(path.suffix in (".npy", ".npz", ".csv"), f"{path.name} must end in .npy, .npz or .csv.")
    try:
        if path.suffix == ".csv":
            parts = {"train": np.loadtxt(path, delimiter=",", ndmin=2)}
        else:
            with np.load(path, allow_pickle=False) if path.suffix == ".npz" else _single(path) as file:
                parts = {name: file[name] for name in file}
    except OSError as reason:
        raise ValueError(f"{path} cannot be read: {reason.strerror or reason}.") from None
    except ValueError as reason:
        raise ValueError(f"{path.name} does not hold plain numbers: {reason}") from None
    valid.require("train" in parts, f"{path.name} must hold an array 'train', but has {', '.join(parts) or 'none'}.")
    train = as_rows(path.name, parts["train"])
    test = as_rows(path.name, parts["test"]) if "test" in parts else train[:0]
    valid.require(test.shape[1] == train.shape[1],
                  f"{path.name}: train has {train.shape[1]} columns, but test has {test.shape[1]}.")
    return Data(path.stem, train, test, None)


def as_rows(name, array):
    """A matrix of finite numbers, one row an example.  -> (N, D) float64"""
    array = np.asarray(array, dtype=float)
    valid.shape(name, array, (None, None))
    valid.require(len(array) > 0, f"{name} must hold at least one row.")
    valid.finite(name, array)
    return array


def _single(path):
    from contextlib import nullcontext
    return nullcontext({"train": np.load(path, allow_pickle=False)})


def _draw(weights, means, sigmas, n, seed):
    """n draws of a mixture of isotropic Gaussians, by address: draw i is the same for every n.  -> (n, D)"""
    s = streams.stream(seed, n)
    which = np.searchsorted(np.cumsum(weights)[:-1], streams.uniforms(s, 1, draw=0)[:, 0], side="right")
    return means[which] + sigmas[which, None] * streams.normals(s, means.shape[1], draw=1)
