"""What `refdgm bench` measures: one topic, one file, with a tuple CASES of refdgm.benchmark.Case.

A maker prepares everything (parameters, start, compiling) and returns work(), which does the whole work once, always
from the same start, and comes back when it is done. Peers are imported inside their makers only. They do the same work
in the same precision as refdgm, in the form in which their users would write it for speed.
"""
