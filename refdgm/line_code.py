"""The code of each line of a derivation: what stands between the line above and it."""
import ast
import inspect
import textwrap


def codes(derivation):
    """For every line that the derivation yields, in order, the source that makes it.  -> list of str

    The generator says at which line of its file it stands; the statement there, and what prepares it since the
    statement before, is the code. A yield in a loop appears with the whole loop.
    """
    source, first = inspect.getsourcelines(derivation.steps)
    function = next(node for node in ast.walk(ast.parse(textwrap.dedent("".join(source))))
                    if isinstance(node, ast.FunctionDef))
    spans = _spans(function, len(source))
    return ["".join(source[a:b]) for at in _stands(derivation) for a, b in [_holding(spans, at - first)]]


def _stands(derivation):
    steps = derivation.steps(**derivation.case(0))
    for _ in steps:
        yield steps.gi_frame.f_lineno


def _spans(function, length):
    """(from, to) in lines of the source for each statement of the body that yields, with what stands before it."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    start, spans = body[0].lineno - 1, []
    for statement in body:
        if any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in ast.walk(statement)):
            spans.append((start, statement.end_lineno))
            start = statement.end_lineno
    return spans or [(0, length)]


def _holding(spans, at):
    return next((span for span in spans if span[0] <= at < span[1]), spans[-1])


def dedented(source):
    return textwrap.dedent(source).strip("\n")
