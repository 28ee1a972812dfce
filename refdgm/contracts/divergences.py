r"""Contracts of entropies and of divergences between two tables (ou2018 Notations, Eq. 26; yu2020 Sec. 2.1).

    H[p] = -sum p log p    KL[p||q] = sum p log p/q    JS[p||q] = KL[p||m]/2 + KL[q||m]/2,  m = (p + q)/2
    D_f[p||q] = sum q f(p/q), with the f of f_divergences.F_DIVERGENCES, which has what others write differently

Everything is in nats. A table may have zeros.
"""
import autograd.numpy as np

from refdgm import divergences, numerics
from refdgm.adversarial.variational_bound import f_divergence_of
from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.f_divergences import F_DIVERGENCES, alpha_divergence, weighted_jensen_shannon
from refdgm.values import values

P, Q = (Argument(name, "(..., n)", "probabilities, with sum one over the last axis", "table") for name in "pq")
P_N, Q_N = (Argument(name, "(n,)", f"the law {of}: probabilities, with sum one", "table")
            for name, of in (("p", "of the data"), ("q", "of the model")))
NEARLY_CERTAIN = onp.array([[0.999, 0.0005, 0.0005], [0.3, 0.35, 0.35]])
MASK = "a state of probability zero adds nothing: leave it out of the logarithm"


def law(rng, *shape):
    return rng.dirichlet(onp.full(shape[-1], 1.5), size=shape[:-1])


def table_cases(names, uncovered=False):
    """Tables of several shapes; then zeros in p, in all tables, and, if that is finite or inf, in q alone."""
    def cases(seed):
        rng = onp.random.default_rng(seed)
        for shape in ((2,), (5,), (2, 3), (3, 2, 4)):
            yield Case(f"shape {shape}", {name: law(rng, *shape) for name in names})
        one = law(rng, 3)
        yield Case("the same law", dict.fromkeys(names, one))
        yield Case("p nearly certain", dict(zip(names, NEARLY_CERTAIN)))
        yield Case("one state", {name: onp.ones(1) for name in names}, hard=True)
        yield Case("a state that p never has", dict(zip(names, [onp.array([0.0, 0.4, 0.6]), one])), hard=True)
        yield Case("a state that nobody has", {name: onp.append(law(rng, 2, 3), onp.zeros((2, 1)), 1)
                                               for name in names}, hard=True)
        if uncovered:
            yield Case("a state that q never has", {"p": one, "q": onp.array([0.0, 0.4, 0.6])}, hard=True)
            yield Case("nothing in common", {"p": onp.array([0.0, 1.0]), "q": onp.array([1.0, 0.0])}, hard=True)
    return cases


def pair_cases(parameters=()):
    """Two laws, n of several sizes, and the f's parameter, if it has one; zeros where that is no case of its own."""
    def cases(seed):
        rng = onp.random.default_rng(seed)
        def number(i): return {p.name: CHOICES[p.name][i % len(CHOICES[p.name])] for p in parameters}
        for i, n in enumerate((2, 3, 5, 4)):
            yield Case(f"{n} states", {"p": law(rng, n), "q": law(rng, n), **number(i)})
        yield Case("the same law", {"p": onp.full(3, 1 / 3), "q": onp.full(3, 1 / 3), **number(0)})
        yield Case("p nearly certain", {**dict(zip("pq", NEARLY_CERTAIN)), **number(0)})
        yield Case("laws far apart", {"p": onp.array([1e-6, 1 - 1e-6]), "q": onp.array([1 - 1e-6, 1e-6]), **number(0)},
                   hard=True)
        if not parameters:
            yield Case("one state", {"p": onp.ones(1), "q": onp.ones(1)}, hard=True)
            yield Case("a state that p never has", {"p": onp.array([0.0, 0.4, 0.6]), "q": law(rng, 3)}, hard=True)
            yield Case("a state that nobody has", {"p": onp.append(law(rng, 2), 0), "q": onp.append(law(rng, 2), 0)},
                       hard=True)
    return cases


def laws(function, tables=2):
    """The function of the tables normalised in float64: a table of float32 has the sum one to its own precision."""
    def of_rounded(*given):
        exact = [onp.asarray(table, float) for table in given[:tables]]
        with onp.errstate(divide="ignore"):         # where p = 0 < q some f-divergences are infinite
            return function(*(table / table.sum(axis=-1, keepdims=True) for table in exact), *given[tables:])
    return of_rounded


kl, js = (laws(function) for function in (lambda p, q: numerics.kl(p, q, infinite=True), divergences.js))
entropy = laws(numerics.entropy, 1)
cross_entropy = laws(lambda p, q: numerics.kl(p, q) + numerics.entropy(p))


def bits(reference):
    return Other(lambda *tables: reference(*tables) / np.log(2), "you return bits; refdgm has nats, log 2 a bit")


def whole(reference):
    return Other(lambda *tables: np.sum(reference(*tables)), "sum over the last axis only: one number a row")


def over_states(reference):
    return Other(lambda *tables: reference(*tables) / tables[0].shape[-1],
                 "a sum over the states, not their mean (KLDivLoss: reduction 'sum' or 'batchmean')")


# ---- f-divergences ----------------------------------------------------------------------

CHOICES = {"alpha": (0.4, 1.7, -0.6, 2.5), "weight": (0.3, 0.8)}
ALPHA = Argument("alpha", "", "the order, neither 0 nor 1", "number")
WEIGHT = Argument("weight", "", "the weight of p, between 0 and 1", "number")
SYMMETRIC = ("squared hellinger", "jeffrey", "gan", "total variation")
MADE = {"alpha": alpha_divergence, "weight": weighted_jensen_shannon}


def D(row):
    """D_f[p||q] for a key of F_DIVERGENCES, or of MADE for those with a parameter."""
    if row in MADE:
        return laws(lambda p, q, number: f_divergence_of(MADE[row](number).f, p, q))
    return laws(lambda p, q: divergences.f_divergence(row, p, q))


hellinger, alpha_of = D("squared hellinger"), D("alpha")


def f_contract(name, row, says, mistakes, conventions=None, parameters=(), exchanged=None):
    """The contract of a D_f: what goes wrong with any f, and what with this one.  row: its key in F_DIVERGENCES"""
    reference = D(row)
    def f(u, *number): return (MADE[row](*number) if number else F_DIVERGENCES[row]).f(u)
    generic = {"averaged": Other(lambda p, q, *a: reference(p, q, *a) / len(p), "sum over the states"),
               "not weighed": Other(lambda p, q, *a: np.sum(f(p / q, *a)), "weigh f(p/q) with q")}
    if row != "neyman":         # there the one is Pearson's, and the other Neyman's again
        generic["weighed with p"] = Other(lambda p, q, *a: np.sum(p * f(p / q, *a)), "weigh f(p/q) with q")
        generic["f of q/p"] = Other(lambda p, q, *a: np.sum(q * f(q / p, *a)), "the ratio is p/q, as q is the weight")
    if row not in SYMMETRIC:
        generic[exchanged or "p and q exchanged"] = Other(lambda p, q, *a: reference(q, p, *a),
                                                          "D_f[p||q] weighs f(p/q) with q: the order matters")
    return Contract(name, says, "ou2018 Eq. 26; yu2020 Sec. 2.1", (P_N, Q_N, *parameters), "(): in nats",
                    reference, values(pair_cases(parameters)), {**mistakes, **generic}, conventions or {})


def times(row, factor, what):
    return Other(lambda *tables: factor * D(row)(*tables), what)


def renyi(p, q, alpha):
    return np.log(np.sum(p**alpha * q**(1 - alpha))) / (alpha - 1)


def weighted_with(m_weight, kl_weight):
    """w KL[p||m] + (1 - w) KL[q||m] with another w in the mixture m, or for the two terms."""
    def wrong(p, q, weight):
        a, w = m_weight(weight), kl_weight(weight)
        m = a * p + (1 - a) * q
        return w * kl(p, m) + (1 - w) * kl(q, m)
    return wrong


def same(w): return w
def half(w): return 0.5
def other(w): return 1 - w


CONTRACTS = [
    Contract("entropy", "H[p] = -sum p log p, where 0 log 0 = 0", "ou2018 Notations", (P,), "(...): in nats", entropy,
             values(table_cases(("p",))),
             {"not weighed": Other(lambda p: -np.sum(np.log(p), axis=-1), "weigh log p with p"),
              "averaged over the states": over_states(entropy), "one number for the batch": whole(entropy),
              "0 log 0 is NaN": Other(lambda p: -np.sum(p * np.log(p), axis=-1), MASK)},
             {"in bits": bits(entropy)}),
    Contract("cross_entropy", "-sum p log q, where 0 log q = 0", "kingma2019 Sec. 1.6.1; yu2020 Eq. 6", (P, Q),
             "(...): in nats", cross_entropy, values(table_cases(("p", "q"))),
             {"p and q exchanged": Other(lambda p, q: cross_entropy(q, p), "the logarithm is of q, the model"),
              "the KL divergence": Other(kl, "do not subtract the entropy of p"),
              "of two binary variables a state": Other(
                  lambda p, q: -np.sum(p * np.log(q) + (1 - p) * np.log(1 - q), axis=-1),
                  "the states exclude each other: no (1 - p) log(1 - q)"),
              "averaged over the states": over_states(cross_entropy), "one number for the batch": whole(cross_entropy),
              "0 log 0 is NaN": Other(lambda p, q: -np.sum(p * np.log(q), axis=-1), MASK)},
             {"in bits": bits(cross_entropy)}),
    Contract("kl_divergence", "KL[p||q] = sum p log p/q, where 0 log 0 = 0; inf where q = 0 < p", "ou2018 Notations",
             (P, Q), "(...): in nats", kl, values(table_cases(("p", "q"), uncovered=True)),
             {"p and q exchanged": Other(lambda p, q: kl(q, p), "KL[p||q] averages under p; torch's kl_div(log q, p) "
                                                                "has them the other way round"),
              "0 log 0 is NaN for q only": Other(lambda p, q: -entropy(p) - np.sum(p * np.log(q), axis=-1),
                                                 MASK + "; torch's kl_div leaves it in"),
              "the cross-entropy": Other(cross_entropy, "subtract the entropy of p"),
              "not weighed": Other(lambda p, q: np.sum(np.log(p / q), axis=-1), "weigh with p"),
              "averaged over the states": over_states(kl), "one number for the batch": whole(kl),
              "0 log 0 is NaN": Other(lambda p, q: np.sum(p * np.log(p / q), axis=-1), MASK)},
             {"in bits": bits(kl)}),
    Contract("js_divergence", "JS[p||q] = KL[p||m]/2 + KL[q||m]/2 with m = (p + q)/2, at most log 2",
             "ou2018 Notations", (P, Q), "(...): in nats", js, values(table_cases(("p", "q"), uncovered=True)),
             {"KL from the mixture": Other(lambda p, q: (kl((p + q) / 2, p) + kl((p + q) / 2, q)) / 2,
                                           "the mixture stands on the right: KL[p||m]"),
              "one half only": Other(lambda p, q: kl(p, (p + q) / 2) / 2, "add KL[q||m]/2"),
              "one KL only": Other(lambda p, q: kl(p, (p + q) / 2), "average KL[p||m] and KL[q||m]"),
              "the mixture is p + q": Other(lambda p, q: js(p, q) - np.log(2), "m = (p + q)/2 sums to one"),
              "averaged over the states": over_states(js), "one number for the batch": whole(js),
              "0 log 0 is NaN": Other(lambda p, q: np.sum(p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q)),
                                                          axis=-1) / 2, MASK)},
             {"2 JS": Other(lambda p, q: 2 * js(p, q), "without the factor 1/2, as in the f-GAN paper"),
              "2 JS - 2 log 2": Other(lambda p, q: 2 * js(p, q) - 2 * np.log(2),
                                      "the GAN's f, with f(1) = -log 4: not zero where p = q"),
              "its square root": Other(lambda p, q: np.sqrt(np.maximum(js(p, q), 0.0)),
                                       "you return the distance, as SciPy does; the divergence is its square"),
              "in bits": bits(js)}),
    f_contract("reverse_kl_divergence", "reverse kl", "KL[q||p] = sum q log q/p, the D_f of f(u) = -log u", {},
               {"in bits": bits(lambda p, q: kl(q, p))}, exchanged="the forward KL: p and q exchanged"),
    f_contract("squared_hellinger_distance", "squared hellinger", "sum (sqrt p - sqrt q)^2",
               {"no square roots": Other(lambda p, q: np.sum((p - q)**2), "take the square roots first"),
                "the Bhattacharyya coefficient": Other(lambda p, q: np.sum(np.sqrt(p * q)), "2 - 2 sum sqrt(p q)")},
               {"with the factor 1/2": times("squared hellinger", 0.5, "you divide by 2, so that it is at most one"),
                "the distance, with 1/2": Other(lambda p, q: np.sqrt(np.maximum(hellinger(p, q), 0.0) / 2),
                                                "you return the distance; the divergence is 2 times its square"),
                "the distance, without 1/2": Other(lambda p, q: np.sqrt(np.maximum(hellinger(p, q), 0.0)),
                                                   "you return the distance; the divergence is its square")}),
    f_contract("pearson_chi_squared", "pearson", "sum (p - q)^2 / q",
               {"not divided": Other(lambda p, q: np.sum((p - q)**2), "divide by q"),
                "without - 1": Other(lambda p, q: np.sum(p**2 / q), "sum p^2/q is one where p = q: subtract 1")},
               {"with the factor 1/2": times("pearson", 0.5, "you divide by 2: the alpha-divergence of order 2")},
               exchanged="Neyman's: divided by p"),
    f_contract("neyman_chi_squared", "neyman", "sum (p - q)^2 / p",
               {"not divided": Other(lambda p, q: np.sum((p - q)**2), "divide by p"),
                "without - 1": Other(lambda p, q: np.sum(q**2 / p), "sum q^2/p is one where p = q: subtract 1")},
               {"with the factor 1/2": times("neyman", 0.5, "you divide by 2: the alpha-divergence of order -1")},
               exchanged="Pearson's: divided by q"),
    f_contract("jeffreys_divergence", "jeffrey", "KL[p||q] + KL[q||p] = sum (p - q) log p/q",
               {"KL[p||q] alone": Other(kl, "add KL[q||p]"),
                "KL[q||p] alone": Other(lambda p, q: kl(q, p), "add KL[p||q]")},
               {"with the factor 1/2": times("jeffrey", 0.5,
                                             "you return the symmetric KL, the mean of the two directions"),
                "in bits": bits(lambda p, q: kl(p, q) + kl(q, p))}),
    f_contract("total_variation", "total variation", "sum |p - q| / 2, the largest difference that an event shows",
               {"the largest difference of a state": Other(lambda p, q: np.max(np.abs(p - q)),
                                                           "of an event, not of a state: sum, and halve"),
                "squared": Other(lambda p, q: np.sum((p - q)**2) / 2, "absolute values")},
               {"without the factor 1/2": times("total variation", 2.0, "you return the L1 distance, at most 2")}),
    f_contract("gan_divergence", "gan", "2 JS[p||q] - log 4, what the best discriminator leaves a GAN",
               {"the factor 2 forgotten": Other(lambda p, q: js(p, q) - np.log(4), "twice JS[p||q]"),
                "log 2 for log 4": Other(lambda p, q: 2 * js(p, q) - np.log(2), "at p = q it is -log 4"),
                "+ log 4": Other(lambda p, q: 2 * js(p, q) + np.log(4), "subtract log 4")},
               {"2 JS": Other(lambda p, q: 2 * js(p, q), "with f(1) = 0: zero where p = q"),
                "JS": Other(lambda p, q: js(p, q), "with f(1) = 0, and halved")}),
    f_contract("weighted_js_divergence", "weight",
               "w KL[p||m] + (1 - w) KL[q||m] with m = w p + (1 - w) q, w the weight of p",
               {"the mixture is (p + q)/2": Other(weighted_with(half, same), "the weight is that of m, too"),
                "both KLs with 1/2": Other(weighted_with(same, half), "weigh the two KLs with w and 1 - w"),
                "the weights of the KLs exchanged": Other(weighted_with(same, other), "w belongs to KL[p||m]"),
                "the weights of the mixture exchanged": Other(weighted_with(other, same), "m = w p + (1 - w) q")},
               parameters=(WEIGHT,)),
    f_contract("alpha_divergence", "alpha",
               "(sum p^alpha q^(1 - alpha) - 1) / (alpha (alpha - 1)); to 0 and 1 it tends to KL[q||p] and KL[p||q]",
               {"the Renyi divergence": Other(renyi, "no logarithm: this one is a monotone function of Renyi's"),
                "not divided": Other(lambda p, q, a: a * (a - 1) * alpha_of(p, q, a),
                                     "divide by alpha (alpha - 1), which is negative between 0 and 1")},
               {"Tsallis": Other(lambda p, q, a: a * alpha_of(p, q, a), "you divide by alpha - 1 alone"),
                "Amari's alpha, (1 - alpha)/2 here": Other(lambda p, q, a: alpha_of(p, q, (1 - a) / 2),
                                                           "4/(1 - a^2) (1 - sum p^((1-a)/2) q^((1+a)/2))"),
                "Amari's alpha, (1 + alpha)/2 here": Other(lambda p, q, a: alpha_of(p, q, (1 + a) / 2),
                                                           "4/(1 - a^2) (1 - sum p^((1+a)/2) q^((1-a)/2))")},
               parameters=(ALPHA,)),
]
