"""The callbacks of scikit-learn, where it has them: version 1.9 and later."""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Without callbacks there is no `set_callbacks`."""

    def with_callbacks(method):
        """Without callbacks there are none to tear down."""
        return method


__all__ = ["CallbackSupportMixin", "FitTasks", "with_callbacks"]


class FitTasks:
    """A fit as a tree of tasks: the fit itself, and under it each round of steps.

    Does nothing where no callback is set.

    Parameters
    ----------
    detector : NCAEDetector
    n_rounds : int
        The most rounds that there may be.
    X, y : array-like
        What the caller fits on, handed on to the callbacks as it is.
    """

    def __init__(self, detector, n_rounds, X, y):
        self._details = {"estimator": detector, "X": X, "y": y}
        self._fit = None
        if hasattr(detector, "_skl_callbacks"):
            self._fit = detector._init_callback_context(max_subtasks=n_rounds)
            self._fit.call_on_fit_task_begin(**self._details)

    def begin_round(self):
        """Tell the callbacks that a round of steps begins."""
        if self._fit is not None:
            self._round = self._fit.subcontext(task_name="steps")
            self._round.call_on_fit_task_begin(**self._details)

    def end_round(self, as_if_ended):
        """Tell them that it has ended, and say whether one wants training to stop.

        `as_if_ended()` returns the attributes of a detector whose training has ended
        here. It is called only if a callback asks for that detector.
        """
        return self._fit is not None and self._round.call_on_fit_task_end(
            **self._details, reconstruction_attributes=as_if_ended
        )

    def end(self):
        """Tell the callbacks that the detector is fitted."""
        if self._fit is not None:
            self._fit.call_on_fit_task_end(
                **self._details, reconstruction_attributes={}
            )
