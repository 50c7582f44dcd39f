"""A fit is one run of its name, where MLflow logs fits by itself.

`mlflow.sklearn.autolog` watches the classes of scikit-learn, and a detector is none.
"""

import sys
from contextlib import contextmanager
from typing import Any

from skncae._surroundings import warn_caller


@contextmanager
def logged_fit(detector):
    """Log the fit inside as a run, unless it is part of one.

    What MLflow raises is no reason to lose the fit.

    Parameters
    ----------
    detector : NCAEDetector
    """
    mlflow: Any = sys.modules.get("mlflow")
    is_logged = mlflow is not None and _logs_by_itself(mlflow)
    if not is_logged or _tried(_begun, mlflow, detector) is None:
        yield
        return
    try:
        yield
    except BaseException:
        _tried(mlflow.end_run, "FAILED")
        raise
    _tried(mlflow.log_metric, "contamination", detector.contamination_)
    _tried(mlflow.end_run)


def _logs_by_itself(mlflow):
    """Say whether autologging is on, and this fit is not part of a run already."""
    if "mlflow.sklearn" not in sys.modules:
        return False
    utils = mlflow.utils.autologging_utils
    return not utils.autologging_is_disabled("sklearn") and mlflow.active_run() is None


def _begun(mlflow, detector):
    """Begin a run, with the tags and parameters that those of scikit-learn have."""
    kind = type(detector)
    run = mlflow.start_run(run_name=kind.__name__)
    try:
        mlflow.set_tags(
            {
                "estimator_name": kind.__name__,
                "estimator_class": f"{kind.__module__}.{kind.__name__}",
            }
        )
        mlflow.log_params(detector.get_params(deep=False))
    except BaseException:
        mlflow.end_run("FAILED")
        raise
    return run


def _tried(call, *arguments):
    """Call a function of MLflow; what it raises is a warning, as in its own autolog."""
    try:
        return call(*arguments)
    except Exception as error:
        warn_caller(f"MLflow did not log this fit: {error!r}")
        return None
