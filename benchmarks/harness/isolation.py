"""One case in one child process, so that a crash or a hang is a row, not an end."""

import contextlib
import math
import multiprocessing
import os
import resource
import signal
import sys
import warnings

# On a busy machine a process waits for most of its time; one that sleeps does so, too.
PATIENCE = 30


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


def in_process(context, time_limit, measure, case, task, options):
    """Measure in a process of its own, and return its outcome.

    A process that takes more than `time_limit` CPU seconds, or `PATIENCE` times as many
    on the clock, or that sends nothing, is an outcome too: "timeout" or "crash".
    """
    receiver, sender = context.Pipe(duplex=False)
    arguments = (sender, time_limit, measure, case, task, options)
    process = context.Process(target=send, args=arguments)
    process.start()
    sender.close()
    late = {"status": "timeout", "note": f"over {time_limit:g} CPU seconds"}
    try:
        if receiver.poll(PATIENCE * time_limit):
            return receiver.recv()
        return late | {"note": f"over {PATIENCE * time_limit:g} s"}
    except EOFError:
        process.join(10)
        if process.exitcode == -signal.SIGXCPU:
            return late
        return {"status": "crash", "note": f"exit code {process.exitcode}"}
    finally:
        if process.is_alive():
            process.join(1)
            process.kill()
        process.join()
        receiver.close()


def send(sender, time_limit, measure, case, task, options):
    """Send what `measure` gives, from a child that prints nothing."""
    # Whole seconds; beyond them the system ends the process.
    seconds = max(1, math.ceil(time_limit))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    one_thread()
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)
    with (
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        outcome = outcome_of(measure, case, task, options)
    sender.send(outcome)
    sender.close()


def outcome_of(measure, case, task, options):
    """Give ``status``, ``note`` and, where the status is "ok", the ``rows``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            rows = measure(case, task, options)
            # Those of a generator are made here.
            rows = [rows] if isinstance(rows, dict) else list(rows)
        except ImportError as error:
            return {"status": "missing-package", "note": str(error)}
        except Exception as error:
            return {"status": "error", "note": f"{type(error).__name__}: {error}"}
    return {"status": "ok", "note": "", "rows": rows}
