r"""Contracts of normalising flows: each returns the new point and log |det| of the map (ou2018 Sec. 3.2.1).

    planar      z + u tanh(w'z + b)                             (Rezende & Mohamed 2015)
    IAF         mu(eps_<i) + sigma(eps_<i) eps_i                (kingma2019 Secs. 3.3-3.4)
    coupling    z_a = x_a,  z_b = exp(s(x_a)) x_b + t(x_a)      (kingma2019 Sec. 4.4)

Where a network is needed it is linear in tanh of what it sees, so that anyone can write it.
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.directed import flows, iaf_posterior, inverse_autoregressive_flow
from refdgm.models import invertible
from refdgm.numerics import log_sigmoid, sigmoid
from refdgm.values import values

Z = Argument("z", "(N, n)", "the points before the layer")
EPS = Argument("eps", "(N, n)", "the noise")
IAF_NET = (Argument("M", "(n, n)", "weights of mu; only what is strictly below the diagonal counts"),
           Argument("m", "(n,)", "biases of mu"),
           Argument("S", "(n, n)", "weights of log sigma; only what is strictly below the diagonal counts"),
           Argument("s", "(n,)", "biases of log sigma"))
IMAGE = Argument("x", "(h, w, c)", "an image of an even number of channels")
COUPLING_NET = (Argument("S", "(c/2, c/2)", "weights of s: s = S tanh(x_a) + s0"),
                Argument("s0", "(c/2,)", "its biases"),
                Argument("T", "(c/2, c/2)", "weights of t: t = T tanh(x_a) + t0"),
                Argument("t0", "(c/2,)", "its biases"))
RETURNS = "(N, n), (N,): the points after the layer, log |det| of its Jacobian"


def planar_cases(seed):
    rng = onp.random.default_rng(seed)
    for N, n in ((1, 2), (3, 2), (4, 3)):
        w = rng.normal(size=n)
        u = 0.4 * rng.normal(size=n) + 0.8 * w / (w @ w)        # u'w near 0.8
        yield Case(f"N = {N}, n = {n}", {"z": rng.normal(size=(N, n)), "u": u, "w": w, "b": rng.normal(size=1)})
    w = rng.normal(size=2)
    yield Case("u'w = -3: the determinant is negative", {
        "z": (-0.4 / (w @ w)) * onp.outer([1.0, 1.1], w), "u": -3 * w / (w @ w), "w": w, "b": onp.array([0.4])},
        hard=True)
    yield Case("saturated: w'z of 1e3", {"z": 1e3 * onp.ones((2, 2)), "u": onp.array([0.5, 0.2]),
                                         "w": onp.array([1.0, 0.5]), "b": onp.zeros(1)}, hard=True)


def planar(z, u, w, b):
    layer = {"u": u, "w": w, "b": b[0]}
    return flows.planar(layer, z), flows.planar_log_det(layer, z)


def planar_with(slope=lambda t: 1 - t**2, log=lambda det: np.log(np.abs(det)), product=lambda u, w: np.dot(u, w)):
    def layer(z, u, w, b):
        t = np.tanh(np.dot(z, w) + b[0])
        return z + t[:, None] * u, log(1 + product(u, w) * slope(t))
    return layer


def iaf_cases(seed):
    rng = onp.random.default_rng(seed)
    for N, n in ((1, 2), (3, 4), (5, 3)):
        yield Case(f"N = {N}, n = {n}", {"eps": rng.normal(size=(N, n)), "M": rng.normal(size=(n, n)),
                                         "m": rng.normal(size=n), "S": rng.normal(size=(n, n)) / 2,
                                         "s": rng.normal(size=n)})
    yield Case("one component", {"eps": rng.normal(size=(2, 1)), "M": rng.normal(size=(1, 1)), "m": rng.normal(size=1),
                                 "S": rng.normal(size=(1, 1)), "s": rng.normal(size=1)})


def iaf(eps, M, m, S, s):
    net = {"M": M, "m": m, "S": S, "s": s}
    return inverse_autoregressive_flow.transform(net, eps)[0], inverse_autoregressive_flow.log_det(net, eps)


def iaf_with(mask=lambda A: np.tril(A, -1), sigma=np.exp, log_det=lambda a: np.sum(a, axis=-1)):
    def layer(eps, M, m, S, s):
        seen = np.tanh(eps)
        log_sigma = np.dot(seen, mask(S).T) + s
        return np.dot(seen, mask(M).T) + m + sigma(log_sigma) * eps, log_det(log_sigma)
    return layer


def gate_cases(seed):
    rng = onp.random.default_rng(seed)
    for N, n in ((1, 2), (3, 4), (5, 3)):
        yield Case(f"N = {N}, n = {n}", {name: rng.normal(size=(N, n)) for name in ("z", "m", "s")})
    yield Case("closed and open gates", {"z": rng.normal(size=(2, 2)), "m": rng.normal(size=(2, 2)),
                                         "s": onp.array([[1e3, -1e3], [40.0, -40.0]])}, hard=True)


def gated(z, m, s):
    """refdgm's step has a network for m and s; one without weights gives what its biases are."""
    none = onp.zeros((z.shape[-1],) * 2)
    new, log_sigma = iaf_posterior.gated_step({"M": none, "m": m, "S": none, "s": s}, z)
    return new, np.sum(log_sigma, axis=-1)


def gated_with(new=lambda z, m, g: g * z + (1 - g) * m, log_det=lambda z, m, s: np.sum(log_sigmoid(s), axis=-1)):
    return lambda z, m, s: (new(z, m, sigmoid(s)), log_det(z, m, s))


def image_cases(seed):
    rng = onp.random.default_rng(seed)
    for h, w, c in ((1, 1, 2), (1, 3, 4), (2, 3, 4)):
        k = c // 2
        yield Case(f"{h} x {w} pixels, {c} channels", {
            "x": rng.normal(size=(h, w, c)), "S": rng.normal(size=(k, k)) / 2, "s0": rng.normal(size=k),
            "T": rng.normal(size=(k, k)), "t0": rng.normal(size=k)})


def coupling(x, S, s0, T, t0):
    return invertible.couple({"S": S, "s": s0, "T": T, "t": t0}, x)


def uncoupling(z, S, s0, T, t0):
    return invertible.uncouple({"S": S, "s": s0, "T": T, "t": t0}, z)


def inverse_cases(seed):
    for case in image_cases(seed):
        yield Case(case.label, {"z": case.arguments["x"], **{n: v for n, v in case.arguments.items() if n != "x"}})


def coupling_with(new=lambda b, s, t: np.exp(s) * b + t, log_det=np.sum, sees="a", swapped=False):
    def layer(x, S, s0, T, t0):
        a, b = invertible.halves(x)[::-1 if swapped else 1]
        s, t = invertible.shift_and_scale({"S": S, "s": s0, "T": T, "t": t0}, a if sees == "a" else b)
        parts = [a, new(b, s, t)]
        return np.concatenate(parts[::-1] if swapped else parts, axis=-1), log_det(s)
    return layer


def convolution_cases(seed):
    rng = onp.random.default_rng(seed)
    for sign, (h, w, c) in ((1, (1, 2, 2)), (-1, (2, 3, 3)), (1, (3, 1, 4))):
        W = rng.normal(size=(c, c)) + 2 * onp.eye(c)
        W[0] *= sign * onp.sign(onp.linalg.det(W))
        yield Case(f"{h} x {w} pixels, {c} channels, det {'>' if sign > 0 else '<'} 0",
                   {"x": rng.normal(size=(h, w, c)), "W": W})


def convolution(x, W):
    return invertible.convolve({"W": W}, x)


def convolution_with(pixels=lambda x: x.shape[0] * x.shape[1], log_det=lambda W: np.linalg.slogdet(W)[1]):
    return lambda x, W: (np.dot(x, W.T), pixels(x) * log_det(W))


def first(layer):
    return lambda *arguments: layer(*arguments)[0]


def minus_log_det(layer):
    return lambda *arguments: (layer(*arguments)[0], -layer(*arguments)[1])


def jacobian_of(name, step=1e-3):
    """The property that log |det| is that of the map itself, whose Jacobian is taken by differences."""
    def error(call, case):
        at = case[name]
        moves = step * onp.eye(at.size).reshape(-1, *at.shape)
        slopes = [(call(**{**case, name: at + d})[0] - call(**{**case, name: at - d})[0]) / (2 * step) for d in moves]
        off = abs(onp.linalg.slogdet(onp.reshape(slopes, (at.size, -1)))[1] - onp.sum(call(**case)[1]))
        return 0.0 if off < 1e-2 else off
    return {"log |det| is that of the map itself": error}


INVERSE = "log |det| of the map itself, from the argument to the result; its inverse has minus that"

CONTRACTS = [
    Contract("planar_flow", "a planar layer z + u tanh(w'z + b), and log |1 + u'w (1 - tanh^2(w'z + b))|",
             "ou2018 Sec. 3.2.1; Rezende & Mohamed 2015",
             (Z, Argument("u", "(n,)", "the direction"), Argument("w", "(n,)", "the normal"),
              Argument("b", "(1,)", "the bias")), RETURNS, planar, values(planar_cases, gradients=("u", "w")),
             {"minus log |det|": Other(minus_log_det(planar), INVERSE),
              "tanh' = 1 - tanh": Other(planar_with(lambda t: 1 - t), "the derivative of tanh is 1 - tanh^2"),
              "tanh for tanh'": Other(planar_with(lambda t: t), "the derivative of tanh is 1 - tanh^2"),
              "no logarithm": Other(planar_with(log=np.abs), "take the logarithm"),
              "w'w for u'w": Other(planar_with(product=lambda u, w: np.dot(w, w)), "det = 1 + u'w tanh'"),
              "no bias": Other(lambda z, u, w, b: planar(z, u, w, 0 * b), "add b"),
              "u and w exchanged": Other(lambda z, u, w, b: planar(z, w, u, b), "tanh(w'z + b) goes along u"),
              "no absolute value": Other(planar_with(log=np.log), "log |det|: it is negative where u'w < -1")},
             properties=jacobian_of("z")),
    Contract("inverse_autoregressive_flow", "z_i = mu_i + sigma_i eps_i with mu = M tanh(eps) + m and log sigma = "
             "S tanh(eps) + s, component i from those before it, and log |det| = sum log sigma",
             "ou2018 Sec. 3.2.1; kingma2019 Sec. 3.3", (EPS, *IAF_NET), RETURNS, iaf,
             values(iaf_cases, gradients=("M", "S")),
             {"minus log |det|": Other(minus_log_det(iaf), INVERSE),
              "mu_i and sigma_i see eps_i": Other(iaf_with(np.tril), "mask the diagonal as well"),
              "the mask transposed": Other(iaf_with(lambda A: np.triu(A, 1)), "component i sees those before it"),
              "no mask": Other(iaf_with(lambda A: A), "mask all but what is strictly below the diagonal"),
              "log |det| = sum sigma": Other(iaf_with(log_det=lambda a: np.sum(np.exp(a), axis=-1)),
                                             "sum the logarithms of sigma"),
              "s taken for log sigma^2": Other(iaf_with(sigma=lambda a: np.exp(a / 2)), "sigma = exp(s)"),
              "s taken for log sigma^2, in log |det| as well": Other(
                  iaf_with(sigma=lambda a: np.exp(a / 2), log_det=lambda a: np.sum(a, axis=-1) / 2), "sigma = exp(s)"),
              "log |det| summed over the batch": Other(iaf_with(log_det=np.sum), "one number a row")},
             properties=jacobian_of("eps")),
    Contract("iaf_gated_step", "the gated step z' = sigma z + (1 - sigma) m, sigma = sigmoid(s), and log |det|",
             "kingma2019 Sec. 3.4",
             (Z, Argument("m", "(N, n)", "the network's first output"),
              Argument("s", "(N, n)", "the network's second output")), RETURNS, gated,
             values(gate_cases, gradients=("z", "s")),
             {"minus log |det|": Other(minus_log_det(gated), INVERSE),
              "the gates exchanged": Other(gated_with(lambda z, m, g: (1 - g) * z + g * m), "sigma is for z"),
              "m not gated": Other(gated_with(lambda z, m, g: g * z + m), "multiply m by 1 - sigma"),
              "log |det| of 1 - sigma": Other(gated_with(log_det=lambda z, m, s: np.sum(log_sigmoid(-s), axis=-1)),
                                              "z is multiplied by sigma"),
              "log |det| = sum sigma": Other(gated_with(log_det=lambda z, m, s: np.sum(sigmoid(s), axis=-1)),
                                             "sum log sigma"),
              "log |det| = sum s": Other(gated_with(log_det=lambda z, m, s: np.sum(s, axis=-1)), "sum log sigmoid(s)"),
              "the logarithm of a sigmoid that has underflowed": Other(
                  gated_with(log_det=lambda z, m, s: np.sum(np.log(sigmoid(s)), axis=-1)), "use a log-sigmoid")},
             properties=jacobian_of("z")),
    Contract("coupling_layer", "an affine coupling: the first half of the channels scales and shifts the second, "
             "and log |det| = sum of s over all pixels", "kingma2019 Sec. 4.4", (IMAGE, *COUPLING_NET),
             "(h, w, c), (): the new image, log |det|", coupling, values(image_cases, gradients=("x", "S")),
             {"minus log |det|": Other(minus_log_det(coupling), INVERSE),
              "s not exponentiated": Other(coupling_with(lambda b, s, t: s * b + t), "multiply by exp(s)"),
              "shifted before it is scaled": Other(coupling_with(lambda b, s, t: np.exp(s) * (b + t)), "scale first"),
              "log |det| of the mean pixel": Other(
                  coupling_with(log_det=lambda s: np.sum(np.mean(s, axis=(0, 1)))), "sum s over the pixels"),
              "log |det| = sum exp(s)": Other(coupling_with(log_det=lambda s: np.sum(np.exp(s))), "sum s itself"),
              "s and t from the half that they change": Other(coupling_with(sees="b"), "they see x_a alone")},
             {"the halves exchanged": Other(coupling_with(swapped=True), "the second half transforms the first")},
             jacobian_of("x")),
    Contract("coupling_inverse", "the inverse of coupling_layer", "kingma2019 Sec. 4.4",
             (IMAGE._replace(name="z"), *COUPLING_NET), "(h, w, c): the image before the layer", uncoupling,
             values(inverse_cases),
             {"the layer itself": Other(first(coupling), "subtract t, then divide by exp(s)"),
              "divided first, then shifted": Other(first(coupling_with(lambda b, s, t: np.exp(-s) * b - t)),
                                                   "subtract t first"),
              "multiplied by exp(s)": Other(first(coupling_with(lambda b, s, t: np.exp(s) * (b - t))),
                                            "divide by exp(s)"),
              "s and t from the half that they change": Other(
                  first(coupling_with(lambda b, s, t: np.exp(-s) * (b - t), sees="b")), "they see z_a alone")},
             {"the halves exchanged": Other(first(coupling_with(
                 lambda b, s, t: np.exp(-s) * (b - t), swapped=True)), "the second half transforms the first")}),
    Contract("invertible_convolution", "a 1x1 convolution z[i, j] = W x[i, j], and log |det| = h w log |det W|",
             "kingma2019 Sec. 4.4", (IMAGE._replace(says="an image"), Argument("W", "(c, c)", "the weights")),
             "(h, w, c), (): the new image, log |det|", convolution, values(convolution_cases, gradients=("W",)),
             {"minus log |det|": Other(minus_log_det(convolution), INVERSE),
              "one pixel's log |det|": Other(convolution_with(lambda x: 1), "multiply by the number of pixels"),
              "times the height alone": Other(convolution_with(lambda x: x.shape[0]), "h w pixels"),
              "W transposed": Other(lambda x, W: convolution(x, W.T), "z = W x at each pixel"),
              "no absolute value": Other(convolution_with(log_det=lambda W: np.log(np.linalg.det(W))), "log |det W|")},
             properties=jacobian_of("x")),
]
