"""Derivatives in a whole tree of parameters, without the nodes that autograd makes for the tree itself.

Under autograd.grad a dict of dicts is one variable: each leaf that is taken out costs, on the way back, a tree of zeros
to put its derivative into. Here every leaf is a variable of its own.
"""
from autograd.core import add_outgrads, vspace
from autograd.extend import VJPNode
from autograd.tracer import isbox, new_box, toposort, trace_stack

from refdgm import trees
from refdgm import validation as valid
from refdgm.backend import xp as np


def vjp(function, tree):
    """function(tree), an array, and back(g): the derivative of its inner product with g, as a tree of the same form.

    >>> value, back = vjp(lambda p: p["a"] * p["b"][0], {"a": 3.0, "b": (np.array([2.0, 7.0]), 5.0)})
    >>> slope = back(np.array([1.0, 10.0]))
    >>> value.tolist(), float(slope["a"]), slope["b"][0].tolist(), float(slope["b"][1])
    ([6.0, 21.0], 72.0, [3.0, 30.0], 0.0)
    """
    arrays = [np.asarray(leaf) for _, leaf in trees.leaves(tree)]
    roots = [VJPNode.new_root() for _ in arrays]
    with trace_stack.new_trace() as trace:
        boxes = iter([new_box(array, trace, root) for array, root in zip(arrays, roots)])
        end = function(trees.tree_map(lambda leaf: next(boxes), tree))
        depends = isbox(end) and end._trace == trace
    value = end._value if depends else end

    def back(g):
        g = np.asarray(g, vspace(value).dtype)
        valid.shape("g", g, np.shape(value))
        grown, slopes = {end._node: (g, False)} if depends else {}, {}
        for node in toposort(end._node) if depends else ():
            slope = grown.pop(node)[0]
            if not node.parents:
                slopes[node] = slope
            for parent, part in zip(node.parents, node.vjp(slope)):
                grown[parent] = add_outgrads(grown.get(parent), part)
        found = iter([slopes[root] if root in slopes else np.zeros_like(array) for array, root in zip(arrays, roots)])
        return trees.tree_map(lambda leaf: next(found), tree)
    return value, back
