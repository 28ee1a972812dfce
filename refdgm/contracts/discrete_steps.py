"""Contracts of block Gibbs and replay buffer steps, their numbers given (bachman2015 Sec. 5.4; yu2020 Sec. 2.2)."""

from refdgm.backend import xp as np
from refdgm.contract import NUMBER, Argument, Case, Contract, Other
from refdgm.models import gaussian_rbm
from refdgm.numerics import sigmoid
from refdgm.samplers import block_gibbs
from refdgm.values import values

V = Argument("v", "(N, D)", "visible units of N chains, 0 or 1", "bits")
W = Argument("W", "(D, H)", "couplings")
B = Argument("b", "(D,)", "visible biases")
C = Argument("c", "(H,)", "hidden biases")
U_H = Argument("u_h", "(N, H)", "uniform numbers for the hidden units")
SHAPES = [(1, 3, 2), (3, 2, 4), (2, 4, 3), (5, 3, 1)]
BELOW = "a unit is on where u is below its probability"


def beside(p, rng):
    """Uniform numbers a little below or above p: a unit with another probability is soon another."""
    below = np.where(rng.uniform(size=p.shape) < 0.5, p > 0.1, p > 0.9)
    return np.where(below, p - 0.05, p + 0.05)


# ---- block Gibbs ------------------------------------------------------------------------

def machine(rng, N, D, H):
    return {"v": rng.integers(0, 2, (N, D)).astype(float), "W": rng.normal(size=(D, H)), "b": rng.normal(size=D),
            "c": rng.normal(size=H)}


def gibbs_cases(seed):
    rng = np.random.default_rng(seed)
    for N, D, H in [*SHAPES, (8, 3, 2)]:
        given = machine(rng, N, D, H)
        p = sigmoid(given["v"] @ given["W"] + given["c"])
        given["u_h"] = beside(p, rng)
        on = sigmoid((given["u_h"] < p) @ given["W"].T + given["b"])
        yield Case(f"{N} chains, {D} visible and {H} hidden units", {**given, "u_v": beside(on, rng)})
    large = {**machine(rng, 2, 3, 2), "u_h": rng.uniform(0.2, 0.8, (2, 2)), "u_v": rng.uniform(0.2, 0.8, (2, 3))}
    yield Case("couplings of 1e4", {**large, "W": 1e4 * large["W"]}, hard=True)


def gibbs_step(v, W, b, c, u_h, u_v):
    return block_gibbs.step({"w": W, "b": b, "c": c}, v, u_h, u_v)


def gibbs_by(up=lambda p, u: (u < p) * 1.0, down=lambda p, u: (u < p) * 1.0, energy=-1.0, hidden=1.0, visible=1.0,
             seen=lambda h, p: h):
    """The step by its parts: how units are drawn, the energy's sign, which biases count, what the layer below sees."""
    def step(v, W, b, c, u_h, u_v):
        p = sigmoid(-energy * (v @ W + hidden * c))
        h = up(p, u_h)
        return down(sigmoid(-energy * (seen(h, p) @ W.T + visible * b)), u_v), h
    return step


def real_cases(seed):
    rng = np.random.default_rng(seed)
    for N, D, H in SHAPES:
        given = {**machine(rng, N, D, H), "sigma": rng.uniform(0.5, 1.8, D)}
        given["v"] = rng.normal(size=(N, D))
        p = sigmoid((given["v"] / given["sigma"]**2) @ given["W"] + given["c"])
        yield Case(f"{N} chains, {D} visible and {H} hidden units",
                   {**given, "u_h": beside(p, rng), "z": rng.normal(size=(N, D))})


def real_step(v, W, b, c, sigma, u_h, z):
    theta = {"w": W, "b": b, "c": c, "sigma": sigma}
    h = (u_h < sigmoid(gaussian_rbm.hidden_logits(theta, v))) * 1.0
    return gaussian_rbm.visible_mean(theta, h) + sigma * z, h


def real_by(seen=lambda sigma: sigma**2, gain=lambda sigma: 1.0, noise=lambda sigma: sigma, fire=np.less, mean=False):
    def step(v, W, b, c, sigma, u_h, z):
        p = sigmoid((v / seen(sigma)) @ W + c)
        h = fire(u_h, p) * 1.0
        return b + gain(sigma) * ((p if mean else h) @ W.T) + noise(sigma) * z, h
    return step


# ---- the replay buffer --------------------------------------------------------------------

def restart_cases(seed):
    rng = np.random.default_rng(seed)
    for N, d, rho in ((3, 2, 0.3), (5, 3, 0.5), (1, 4, 0.7), (8, 1, 0.4)):
        new = np.resize([True, False, False], N)
        u = np.where(new, rng.uniform(0.1, 0.8, N) * rho, rho + (1 - rho) * rng.uniform(0.2, 0.9, N))
        yield Case(f"{N} slots in {d} dimensions, rho = {rho}",
                   {"x": rng.normal(size=(N, d)), "fresh": rng.uniform(-1, 1, (N, d)), "u": u, "rho": rho})


CONTRACTS = [
    Contract("rbm_gibbs_step", "a step of block Gibbs sampling of an RBM, v -> h -> v'", "bachman2015 Sec. 5.4",
             (V, W, B, C, U_H, Argument("u_v", "(N, D)", "uniform numbers for the visible units")),
             "two arrays: v' (N, D) and h (N, H), of 0 and 1", gibbs_step, values(gibbs_cases),
             {"on where u is above": Other(gibbs_by(lambda p, u: (u >= p) * 1.0, lambda p, u: (u >= p) * 1.0), BELOW),
              "probabilities in place of hidden units": Other(gibbs_by(up=lambda p, u: p), "h is drawn: " + BELOW),
              "v' made from the hidden probabilities": Other(gibbs_by(seen=lambda h, p: p), "draw h first"),
              "probabilities in place of visible units": Other(gibbs_by(down=lambda p, u: p), "v' is drawn: " + BELOW),
              "no randomness: on where p is above 1/2": Other(
                  gibbs_by(lambda p, u: (p > 0.5) * 1.0, lambda p, u: (p > 0.5) * 1.0), BELOW),
              "the energy printed with +": Other(gibbs_by(energy=1.0), "E = -v'Wh - b'v - c'h"),
              "no hidden biases": Other(gibbs_by(hidden=0.0), "add c to v'W"),
              "no visible biases": Other(gibbs_by(visible=0.0), "add b to Wh"),
              "h and v' exchanged": Other(lambda *given: gibbs_step(*given)[::-1], "return v', then h")}),
    Contract("gaussian_rbm_gibbs_step", "a step of block Gibbs sampling of a Gaussian RBM, v -> h -> v'",
             "bachman2015 Sec. 5.4; ou2018 Sec. 4",
             (V._replace(says="visible units of N chains", kind="real"), W, B, C,
              Argument("sigma", "(D,)", "standard deviations of the visible units"), U_H,
              Argument("z", "(N, D)", "standard normal numbers")),
             "two arrays: v' (N, D), and h (N, H) of 0 and 1", real_step, values(real_cases),
             {"the mean in place of a draw": Other(real_by(noise=lambda sigma: 0.0), "v' = b + W h + sigma z"),
              "noise of the size 1": Other(real_by(noise=lambda sigma: 1.0), "multiply the noise by sigma"),
              "noise sigma^2": Other(real_by(noise=np.square), "sigma^2 is the variance: multiply by sigma"),
              "v not divided by sigma^2": Other(real_by(seen=lambda sigma: 1.0), "logits c + (v / sigma^2)'W"),
              "v divided by sigma": Other(real_by(seen=lambda sigma: sigma), "logits c + (v / sigma^2)'W"),
              "on where u is above": Other(real_by(fire=np.greater_equal), BELOW),
              "v' made from the hidden probabilities": Other(real_by(mean=True), "draw h first")},
             {"W in units of sigma": Other(real_by(lambda sigma: sigma, lambda sigma: sigma),
                                           "the energy -sum v_i W_ij h_j / sigma_i of Hinton (2012)"),
              "W in units of 1/sigma^2": Other(real_by(lambda sigma: 1.0, lambda sigma: sigma**2),
                                               "the energy -v'Wh, not divided by sigma^2")}),
    Contract("replay_restart", "where the chains of a replay buffer begin: afresh where u is below rho",
             "yu2020 Sec. 2.2",
             (Argument("x", "(N, d)", "the chains of the buffer"), Argument("fresh", "(N, d)", "a new start for each"),
              Argument("u", "(N,)", "uniform numbers"), Argument("rho", "", "the share that restarts", NUMBER)),
             "(N, d)", lambda x, fresh, u, rho: np.where(u[:, None] < rho, fresh, x), values(restart_cases),
             {"kept where u is below rho": Other(lambda x, fresh, u, rho: np.where(u[:, None] < rho, x, fresh),
                                                 "rho is the share that restarts, 0.05 in Du and Mordatch"),
              "all restart together": Other(lambda x, fresh, u, rho: fresh if u[0] < rho else x,
                                            "each chain has its own u"),
              "none restarts": Other(lambda x, fresh, u, rho: x, "restart where u is below rho"),
              "a mixture of both": Other(lambda x, fresh, u, rho: rho * fresh + (1 - rho) * x,
                                         "a chain either restarts or goes on")}),
]
