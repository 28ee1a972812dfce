"""How much faster a sweep is on two processes, and on a Dask cluster of two: `python scripts/measure_sweep.py`.

In turns, so that whatever else the machine does meets all alike; medians count. Nothing is asserted: a machine that is
busy shows it here. What the workers give is compared with what one process gives.
"""
import argparse
import statistics
import time
from contextlib import ExitStack

from refdgm import claim, verification
from refdgm.journal import dumps


def seconds_of(tasks, seeds, **options):
    """How long a sweep takes, and what it finds, as JSON without seconds."""
    begun = time.perf_counter()
    found = [{**record, "seconds": 0} for _, record in verification.run(tasks, seeds, **options)]
    return time.perf_counter() - begun, dumps(found)


def main():
    """Measure, and print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("targets", nargs="*", default=["bachman2015"], help="what is verified (default bachman2015)")
    parser.add_argument("--instances", type=int, default=100, help="seeds (default 100)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default 3)")
    arguments = parser.parse_args()
    tasks = verification.resolve(arguments.targets)
    verification.BLOCK = 50                                     # so that a short sweep has many blocks, too
    ways = {"one process": {}, "two processes": {"jobs": 2}}
    with ExitStack() as stack:
        try:
            import joblib
            from distributed import Client, LocalCluster
            local = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
            stack.enter_context(Client(stack.enter_context(LocalCluster(**local))))
            stack.enter_context(joblib.parallel_config("dask"))
            ways["Dask, two workers"] = {"jobs": -1, "executor": "joblib"}
        except ImportError as error:
            print(f"without Dask: {error}")
        times, same = {way: [] for way in ways}, True
        for n in range(arguments.rounds):                       # other seeds in each round: no truth is known before
            seeds = range((n + 1) * arguments.instances, (n + 2) * arguments.instances)
            results = set()
            for way, options in ways.items():
                claim.prepared.cache_clear()
                seconds, result = seconds_of(tasks, seeds, **options)
                times[way].append(seconds)
                print(f"{way:20s} {seconds:7.1f} s", flush=True)
                results.add(result)
            same &= len(results) == 1
    one = statistics.median(times["one process"])
    for way, measured in times.items():
        median = statistics.median(measured)
        print(f"{way:20s} {median:7.1f} s, the median; {one / median:.2f} times as fast")
    print("the results are the same." if same else "THE RESULTS DIFFER.")


if __name__ == "__main__":
    main()
