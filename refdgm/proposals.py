r"""A proposal with a density, and the weight of what it draws, for importance and rejection sampling.

    q = N(m, diag(scale^2)),    Z_q = prod_i sqrt(2 pi) scale_i
    log w(x) = log p(x) - log q(x) = log p(x) + sum_i ((x_i - m_i)/scale_i)^2 / 2 + log Z_q

Both are tuples of parameters that can be called like functions, so that the samplers know what to compile: `run` of
samplers.resampling and samplers.rejection is compiled where the proposal is a Normal and the target has a compiled form
(refdgm.models.targets). p is known up to a constant; of a function its gradient is not asked for.

A wide normal for a narrow one, at its centre:

>>> import numpy as np
>>> from refdgm.models.targets import gaussian
>>> from refdgm.proposals import LogWeight, normal
>>> log_w = LogWeight(gaussian(np.zeros(1), 4 * np.eye(1)), normal([0.0], 2.0))
>>> bool(np.isclose(log_w(np.zeros((1, 1)))[0], np.log(2 * np.sqrt(2 * np.pi))))
True
"""
from typing import Any, NamedTuple

from refdgm import backend
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.models.targets import has_form, log_p_and_score
from refdgm.streams import normals

PROPOSE = 0                         # the draw of a proposal


class Normal(NamedTuple):
    """N(m, diag(scale^2)). Make it with normal()."""
    m: np.ndarray               # (n,)
    scale: np.ndarray           # (n,)
    inverse: np.ndarray         # (n,) 1 / scale
    log_Z: np.ndarray           # (1,) log of prod_i sqrt(2 pi) scale_i

    def __call__(self, stream):
        """A draw for every chain.  -> (C, n)"""
        return self.m + self.scale * normals(stream, len(self.m), PROPOSE, self.m.dtype.type)


class LogWeight(NamedTuple):
    """log p(x) - log q(x)."""
    target: Any                 # a function (C, n) -> (C,), or a tuple of parameters as in refdgm.models.targets
    proposal: Normal

    def __call__(self, x):
        """(C, n) -> (C,)"""
        target, (m, _, inverse, log_Z) = self.target, self.proposal
        log_w = log_p_and_score(target, x)[0] if isinstance(target, tuple) else np.asarray(target(x), x.dtype)
        valid.shape("log_p(x)", log_w, x.shape[:1])
        log_w, half = log_w + log_Z, x.dtype.type(0.5)
        for i in range(x.shape[1]):
            away = (x[:, i] - m[i]) * inverse[i]
            log_w = log_w + half * away * away
        return log_w


def normal(m, scale, real=np.float64):
    """N(m, diag(scale^2)) for chains of type `real`; scale is a positive number, or as many as m has.

    Raises ValueError where m or scale is something else.
    """
    m = np.asarray(m, real)
    valid.real_type(real)
    valid.shape("m", m, (None,))
    valid.finite("m", m)
    scale = np.broadcast_to(np.asarray(scale, float), m.shape)
    valid.require(np.all(scale > 0) and np.all(np.isfinite(scale)), f"scale must be positive, but is {scale}.")
    log_Z = np.sum(np.log(scale)) + len(m) / 2 * np.log(2 * np.pi)
    return Normal(m, scale.astype(real), (1 / scale).astype(real), np.array([log_Z], real))


def compilable(propose, log_weight):
    """Whether a kernel can draw these proposals and weigh them; on a GPU the steps in NumPy's words are run by CuPy."""
    return (isinstance(log_weight, LogWeight) and log_weight.proposal is propose and has_form(log_weight.target)
            and not backend.on_device(propose.m))
