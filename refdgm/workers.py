"""Many independent tasks on some processes, or on a cluster: results as they come, the same however many workers.

    finished(tasks, perform)                         in this process
    finished(tasks, perform, jobs=4)                 on processes of this machine; one that is killed is replaced
    finished(tasks, perform, executor="joblib")      wherever joblib.parallel_config points: Dask, Ray, processes
    finished(tasks, perform, executor=anything)      with submit(), as of concurrent.futures or a Dask client's executor

A task and the function are pickled and sent, and the result comes back: both should be small and plain. No task knows
of another, or how many workers there are, so that results can be merged in any order.
"""
from refdgm import validation as valid

LIVES = 3           # how often in a row a pool may lose a process before it has finished a task


def finished(tasks, perform, jobs=1, executor=None):
    """Yield (task, perform(task)), each as soon as it is there; tasks are hashable and differ.

    Raises ValueError where processes keep dying, or joblib is not installed.
    """
    tasks, by_joblib = list(tasks), isinstance(executor, str) and executor == "joblib"
    valid.require(executor is None or by_joblib or hasattr(executor, "submit"),
                  f"an executor has submit(), or is 'joblib': {executor!r} is not.")
    valid.count("jobs", jobs, least=-1 if by_joblib else 1)
    if by_joblib:
        yield from _by_joblib(tasks, perform, jobs)
    elif executor is not None:
        yield from _as_completed(executor, tasks, perform)
    elif jobs == 1:
        for task in tasks:
            yield task, perform(task)
    else:
        yield from _on_processes(tasks, perform, jobs)


def in_order(tasks, pairs):
    """The (task, result) pairs in the order of `tasks`, each as soon as all before it are there."""
    there = {}
    remaining = iter(tasks)
    task = next(remaining, None)
    for done, result in pairs:
        there[done] = result
        while task in there:
            yield task, there.pop(task)
            task = next(remaining, None)


def _on_processes(tasks, perform, jobs):
    """On a pool; where one of its processes is killed, what was not finished begins again on a new one."""
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    left, lives = dict.fromkeys(tasks), LIVES
    while lives:
        with ProcessPoolExecutor(jobs, initializer=_end_with_parent) as pool:
            try:
                for task, result in _as_completed(pool, list(left), perform):
                    del left[task]
                    lives = LIVES
                    yield task, result
                return
            except BrokenProcessPool:
                lives -= 1
    raise ValueError(f"processes were killed {LIVES} times, with {len(left)} tasks left: is there enough memory for "
                     f"{jobs} of them? What was finished is kept.")


def _as_completed(pool, tasks, perform):
    from concurrent.futures import as_completed
    futures = {pool.submit(perform, task): task for task in tasks}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


def _by_joblib(tasks, perform, jobs):
    try:
        from joblib import Parallel, delayed
    except ImportError as error:
        raise ValueError("this executor needs joblib: pip install 'refdgm[jobs]'.") from error
    run = Parallel(n_jobs=jobs, return_as="generator_unordered")
    yield from run(delayed(_pair)(perform, task) for task in tasks)


def _pair(perform, task):
    return task, perform(task)


def _end_with_parent():
    """A process of the pool ends when the one that began it has been killed, and not when its queue is empty."""
    import os
    from multiprocessing import parent_process
    from multiprocessing.connection import wait
    from threading import Thread
    Thread(target=lambda: (wait([parent_process().sentinel]), os._exit(1)), daemon=True).start()
