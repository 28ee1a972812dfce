r"""Directed graphical models: Bayesian networks over discrete variables (kingma2019 Secs. 1.3, 1.5).

    Eq. 1.1   x ~ p(x)                                   drawn node by node, each after its parents
    Eq. 1.2   p(x) close to p*(x) for every x            reached by maximum likelihood where the graph is right
    Eq. 1.6   p(x_1..x_M) = prod_j p(x_j | Pa(x_j))      a root has no parents: its factor is p(x_j)

parents : a tuple of node indices for each node. tables : for each node an array of shape (cardinality of each parent,
own cardinality), a distribution along the last axis. The joint is an array with one axis a node.

Rain (node 0) and a sprinkler (1) wet the grass (2); the probability that it is wet:

>>> import numpy as np
>>> from refdgm.models.bayes_net import joint
>>> wet = np.array([[[1.0, 0.0], [0.1, 0.9]], [[0.2, 0.8], [0.01, 0.99]]])
>>> p = joint(((), (), (0, 1)), [np.array([0.8, 0.2]), np.array([0.7, 0.3]), wet])
>>> round(float(p[:, :, 1].sum()), 4)
0.3874
"""
import itertools
import math

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals


def topological_order(parents):
    """The nodes, each after all of its parents (kingma2019 Sec. 1.5). Raises ValueError if the graph has a cycle.

    >>> topological_order(((2,), (0, 2), ()))
    [2, 0, 1]
    """
    order = []
    while len(order) < len(parents):
        ready = [j for j, own in enumerate(parents) if j not in order and set(own) <= set(order)]
        valid.require(ready, "the graph must be acyclic, but nodes "
                             f"{sorted(set(range(len(parents))) - set(order))} wait for each other.")
        order += ready
    return order


def joint(parents, tables):
    """p(x_1..x_M) = prod_j p(x_j | Pa(x_j)) (kingma2019 Eq. 1.6).  -> an array with one axis a node"""
    validate(parents, tables)
    return product_of_factors(parents, tables)


def product_of_factors(parents, tables):
    """The product of one factor a node, whatever the factors and the graph."""
    return math.prod(factor(table, (*own, j), len(parents)) for j, (own, table) in enumerate(zip(parents, tables)))


def factor(table, nodes, M):
    """A table with one axis for each of `nodes`, in that order, shaped to broadcast over all M nodes."""
    in_order = np.transpose(table, sorted(range(len(nodes)), key=nodes.__getitem__))
    return np.reshape(in_order, [table.shape[nodes.index(i)] if i in nodes else 1 for i in range(M)])


def conditional(p, j, given):
    """p(x_j | x_given) of the joint p, with axes (given..., j).  -> (cardinality of each given, own cardinality)"""
    others = tuple(i for i in range(p.ndim) if i != j and i not in given)
    kept = sorted((*given, j))
    both = onp.transpose(onp.sum(p, axis=others), [kept.index(i) for i in (*given, j)])
    return both / onp.sum(both, axis=-1, keepdims=True)


def sample(parents, tables, uniforms):
    """Ancestral sampling, one x for each row of uniforms (kingma2019 Eq. 1.1).  (n, M) -> integers (n, M)"""
    validate(parents, tables)
    x = onp.zeros(onp.shape(uniforms), dtype=int)
    for j in topological_order(parents):
        upper_ends = onp.cumsum(tables[j], axis=-1)[tuple(x[:, i] for i in parents[j])]
        x[:, j] = onp.sum(uniforms[:, j, None] > upper_ends[..., :-1], axis=-1)
    return x


def fit(parents, p_data):
    """The tables of maximum likelihood for data distributed as p_data: its own conditionals (kingma2019 Eq. 1.2)."""
    return [conditional(p_data, j, own) for j, own in enumerate(parents)]


def validate(parents, tables):
    """Raise ValueError, saying where, unless the graph is acyclic and every table is a conditional of its node."""
    topological_order(parents)
    for j, (own, table) in enumerate(zip(parents, tables)):
        valid.shape(f"the table of node {j}", table, (*(tables[i].shape[-1] for i in own), None))
        valid.distribution(f"the table of node {j}", table)


# ---- claims ---------------------------------------------------------------------------

GRAPH = ((), (), (0, 1), (2, 1))        # two roots, a collider, and a node that reads it and a root


def relabelled(rng, graph=GRAPH):
    """The graph with its nodes renamed at random, and a cardinality of 2 or 3 for each: parents, cards."""
    name = rng.permutation(len(graph))
    parents = [()] * len(graph)
    for j, own in enumerate(graph):
        parents[name[j]] = tuple(int(name[i]) for i in own)
    return tuple(parents), tuple(rng.permutation([2, 3, 2, 3]).tolist())


def random_case(seed):
    rng = onp.random.default_rng(seed)
    parents, cards = relabelled(rng)
    return {"parents": parents,
            "tables": [rng.dirichlet(onp.ones(cards[j]), size=[cards[i] for i in own])
                       for j, own in enumerate(parents)]}


def case_of_sixths(seed):
    """Every probability is a multiple of 1/6, so that the 6 midpoints of a uniform represent it exactly."""
    rng = onp.random.default_rng(seed)
    case = random_case(seed)
    return {**case, "tables": [rng.multinomial(6, onp.full(t.shape[-1], 1 / t.shape[-1]), size=t.shape[:-1]) / 6
                               for t in case["tables"]]}


def well_specified_case(seed):
    case = random_case(seed)
    return {"parents": case["parents"], "p_star": joint(**case)}


def read_off(p, parents):
    """What a joint says: its total, and p(x_j | all earlier nodes), of which Eq. 1.6 keeps the parents only."""
    order = topological_order(parents)
    first = [onp.sum(p, axis=tuple(order[n:]), keepdims=True) for n in range(len(order) + 1)]   # of the first n nodes
    return [onp.ravel(first[0])[0]] + [after / before for before, after in zip(first, first[1:])]


def what_the_tables_say(parents, tables):
    """The oracle of read_off: total one, and each conditional the table of its node, in plain Python."""
    order, cards = topological_order(parents), [t.shape[-1] for t in tables]
    said = [1.0]
    for n, j in enumerate(order, 1):
        shape = [cards[i] if i in order[:n] else 1 for i in range(len(parents))]
        said.append(onp.array([tables[j][tuple(x[i] for i in (*parents[j], j))]
                               for x in itertools.product(*map(range, shape))]).reshape(shape))
    return said


def of_joint(build):
    return lambda parents, tables: read_off(build(parents, tables), parents)


def first_root_reads_last_node(parents, tables):
    """A cycle: the first root is given a table of its own that depends on the last node."""
    root, last = topological_order(parents)[0], topological_order(parents)[-1]
    tilt = 1 + onp.add.outer(onp.arange(tables[last].shape[-1]), onp.arange(tables[root].shape[-1]))
    tables = [tilt / tilt.sum(-1, keepdims=True) if j == root else t for j, t in enumerate(tables)]
    return product_of_factors([(last,) if j == root else own for j, own in enumerate(parents)], tables)


def roots_of(build):
    """The joint law of the two roots."""
    def law(parents, tables):
        p = build(parents, tables)
        return onp.sum(p, axis=tuple(j for j, own in enumerate(parents) if own))
    return law


def root_tables(parents, tables):
    first, second = (table for own, table in zip(parents, tables) if not own)
    return onp.array([[a * b for b in second] for a in first])


def with_roots(change):
    return roots_of(lambda parents, tables: product_of_factors(parents, [t if own else change(t)
                                                                         for own, t in zip(parents, tables)]))


def given_last_node(parents, tables):
    """All nodes once the last one is seen to be 0: its causes explain each other away."""
    last = topological_order(parents)[-1]
    seen = onp.take(joint(parents, tables), [0], axis=last)
    return seen / seen.sum()


def sampled_law(draw=sample):
    """The law of an ancestral sample: every combination of midpoints is one row of uniforms, all equally likely."""
    def law(parents, tables):
        midpoints = (onp.array(list(itertools.product(range(6), repeat=len(parents)))) + 0.5) / 6
        p = onp.zeros([t.shape[-1] for t in tables])
        onp.add.at(p, tuple(draw(parents, tables, midpoints).T), 1 / len(midpoints))
        return p
    return law


def in_order_of_names(parents, tables, uniforms):
    """Nodes drawn 0, 1, 2, ..: a child may be drawn from the initial state of its parents."""
    x = onp.zeros(uniforms.shape, dtype=int)
    for j in range(len(parents)):
        upper_ends = onp.cumsum(tables[j], axis=-1)[tuple(x[:, i] for i in parents[j])]
        x[:, j] = onp.sum(uniforms[:, j, None] > upper_ends[..., :-1], axis=-1)
    return x


def by_plain_lookup(parents, tables):
    cards = [t.shape[-1] for t in tables]
    return onp.array([math.prod(tables[j][tuple(x[i] for i in (*own, j))] for j, own in enumerate(parents))
                      for x in itertools.product(*map(range, cards))]).reshape(cards)


def refitted(change_graph=lambda parents: parents, change=lambda table: table):
    return lambda parents, p_star: product_of_factors(
        change_graph(parents), [change(t) for t in fit(change_graph(parents), p_star)])


CLAIMS = [
    Claim("kingma2019.eq1.1", sampled_law(), equals(by_plain_lookup, case_of_sixths),
          {"drawn in the order of the names, parents not yet drawn": sampled_law(in_order_of_names),
           "one uniform for all nodes": sampled_law(lambda parents, tables, u: sample(
              parents, tables, u[:, :1] + 0 * u)),
           "the median, not a draw": sampled_law(lambda parents, tables, u: sample(parents, tables, 0.5 + 0 * u))}),
    Claim("kingma2019.eq1.2", refitted(), equals(lambda parents, p_star: p_star, well_specified_case),
          {"no arrows: every node by its marginal": refitted(lambda parents: ((),) * len(parents)),
           "one arrow missing": refitted(lambda parents: tuple(own[1:] for own in parents)),
           "smoothed towards the uniform law": refitted(change=lambda t: 0.99 * t + 0.01 / t.shape[-1])}),
    Claim("kingma2019.eq1.6", of_joint(joint), equals(what_the_tables_say, random_case),
          {"a cycle: the first root reads the last node": of_joint(first_root_reads_last_node),
           "tables normalised over the first parent": of_joint(lambda parents, tables: product_of_factors(
               parents, [t / t.sum(0) if own else t for own, t in zip(parents, tables)])),
           "the product of the marginals": of_joint(lambda parents, tables: product_of_factors(
               ((),) * len(parents), fit(((),) * len(parents), joint(parents, tables))))}),
    Claim("kingma2019.eq1.6.roots", roots_of(joint), equals(root_tables, random_case),
          {"uniform roots": with_roots(lambda t: onp.full(t.shape, 1 / len(t))),
           "roots given the last node: explaining away": roots_of(given_last_node),
           "a root's factor counted twice": with_roots(lambda t: t**2)}),
]
