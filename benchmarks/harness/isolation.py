"""One case in one child process, so that a crash or a hang is a row, not an end."""

import contextlib
import multiprocessing
import os
import sys
import warnings


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


def send(sender, measure, case, task, options):
    """Send what `measure` gives, from a child that prints nothing."""
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
