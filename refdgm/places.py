"""Where a claim or a derivation is written."""
import os
from functools import lru_cache, partial

from refdgm import ledger


def place(claim_or_derivation):
    """Where it is written, "path:line": the file and line of a Claim's id, or of a Derivation's function; or None."""
    steps = getattr(claim_or_derivation, "steps", None)
    if steps is not None:
        code = steps.__code__
        return f"{_short(code.co_filename)}:{code.co_firstlineno}"
    path = _file_of(claim_or_derivation)
    if not path:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if f'"{claim_or_derivation.id}"' in line:
                    return f"{_short(path)}:{number}"
    except OSError:
        pass
    return _short(path)


@lru_cache(maxsize=1)
def _files():
    return {id: module.__file__ for module, listed in ledger.claims_of_modules() for id in listed}


def _file_of(claim):
    if claim.id in ledger.claims() and ledger.claims()[claim.id] is claim:
        return _files()[claim.id]
    claimed = claim.claimed
    while isinstance(claimed, partial):
        claimed = claimed.func
    return claimed.__code__.co_filename if hasattr(claimed, "__code__") else ""     # a function of NumPy, say


def _short(path):
    parts = os.path.abspath(path).split(os.sep)
    for root in ("refdgm", "derivations"):
        if root in parts[:-1]:
            return "/".join(parts[parts.index(root):]) if root == "derivations" else \
                "/".join(parts[len(parts) - 1 - parts[::-1].index(root):])
    return os.path.relpath(path)
