"""One fit in one child process, so that a crash or a hang is a row, not an end."""

import contextlib
import importlib
import multiprocessing
import os
import random
import resource
import sys
import time
import warnings

import numpy as np

from benchmarks.detectors import registry as detectors

FAILED = {"timeout", "crash", "error"}
MISSING = {"missing-data", "missing-package"}


def one_thread():
    """Give this process and its children one thread each for arithmetic."""
    for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA"):
        os.environ[f"{name}_NUM_THREADS"] = "1"


def start_context():
    """Choose how children start: forked from a clean server that has imported."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.harness.preload"])
    return context


def run_isolated(context, name, task, seed, time_limit):
    """Fit and score in a child process.

    Parameters
    ----------
    context : multiprocessing context
    name : str
        The detector.
    task : Task
    seed : int
    time_limit : float
        Seconds for fit and scoring together.

    Returns
    -------
    outcome : dict
        ``status``, ``note`` and, where the status is "ok", ``scores``, the
        outlier score of each scored row, ``fit_s``, ``fit_cpu_s``, ``score_s``
        and ``peak_mb``.
    """
    return in_process(context, time_limit, _child, name, task, seed)


def in_process(context, time_limit, target, *arguments):
    """Run `target(sender, *arguments)` in a process of its own; return what it sends.

    A process that takes longer than `time_limit` seconds (None for no limit), or that
    sends nothing, is an outcome with the status "timeout" or "crash".
    """
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(sender, *arguments))
    process.start()
    sender.close()
    try:
        if not receiver.poll(time_limit):
            return {"status": "timeout", "note": f"over {time_limit:g} s"}
        return receiver.recv()
    except EOFError:
        process.join(10)
        return {"status": "crash", "note": f"exit code {process.exitcode}"}
    finally:
        if process.is_alive():
            process.join(1)
            process.kill()
        process.join()
        receiver.close()


def _child(sender, name, task, seed):
    one_thread()
    spec = detectors.find(name)
    with (
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        warnings.simplefilter("ignore")
        try:
            outcome = measure(spec, task, seed)
        except ImportError as error:
            outcome = {
                "status": "missing-package",
                "note": f"{error}. Run: pip install {spec.requires}",
            }
        except Exception as error:
            outcome = {"status": "error", "note": f"{type(error).__name__}: {error}"}
    sender.send(outcome)
    sender.close()


def measure(spec, task, seed):
    """Fit the detector of `spec` on a task; give scores, seconds and memory."""
    _seed_everything(seed)
    detector = spec.make(seed, task.X_train.shape[1])
    memory, wall, cpu = _peak_mb(), time.perf_counter(), time.process_time()
    # Methods with labels are shown outliers that are known to be some.
    known = (task.X_known,) if getattr(detector, "learns_from_labels", False) else ()
    detector.fit(task.X_train, *known)
    fit_s, fit_cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    wall = time.perf_counter()
    scores = outlier_scores(detector, task.X_score)
    score_s = time.perf_counter() - wall
    if task.X_score is task.X_train:
        # Neighbour-based detectors of PyOD leave a training row out of its own
        # neighbourhood here, and only here.
        scores = getattr(detector, "decision_scores_", scores)
    scores = np.asarray(scores, dtype=np.float64).ravel()
    if len(scores) != len(task.X_score) or not np.isfinite(scores).all():
        raise ValueError(
            f"{len(scores)} scores for {len(task.X_score)} rows, "
            f"{np.count_nonzero(~np.isfinite(scores))} of them not finite"
        )
    return {
        "status": "ok",
        "note": "",
        "scores": scores,
        "fit_s": fit_s,
        "fit_cpu_s": fit_cpu_s,
        "score_s": score_s,
        "peak_mb": _peak_mb() - memory,
    }


def outlier_scores(detector, X):
    """Score rows so that higher is more abnormal, whoever wrote the detector."""
    if hasattr(detector, "score_samples") and not hasattr(detector, "decision_scores_"):
        return -detector.score_samples(X)
    return detector.decision_function(X)


def _seed_everything(seed):
    # This is a process of its own; some baselines know no other seed.
    random.seed(seed)
    np.random.seed(seed)
    with contextlib.suppress(ImportError):
        torch = importlib.import_module("torch")
        torch.manual_seed(seed)
        torch.set_num_threads(1)


def _peak_mb():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
