"""A property that is worked out once an object."""

from collections.abc import Callable
from typing import Any


class once:  # noqa: N801
    """What `functools.cached_property` is from Python 3.12 on: without a lock.

    That of Python 3.11 is one lock for the property of all objects: threads wait for
    each other's rows, and a process that is forked meanwhile waits for ever.
    """

    def __init__(self, method: Callable[[Any], Any]):
        self.method = method
        self.__doc__ = method.__doc__

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None) -> Any:
        """Return the value, which hides this property of the object from now on."""
        if instance is None:
            return self
        value = vars(instance)[self.name] = self.method(instance)
        return value
