"""`remember`: what was computed from frozen records or a frozen cohort is kept for as long as these exist."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary

Whole = TypeVar("Whole")
Rest = ParamSpec("Rest")
Value = TypeVar("Value")

#: So many answers are kept of one object; the oldest goes first.
_KEPT = 6


def remember(
    function: Callable[Concatenate[Whole, Rest], Value],
) -> Callable[Concatenate[Whole, Rest], Value]:
    """Make a function keep its answers for its first argument, which must never change.

    Other arguments are hashable. The answer must not hold on to the object, or neither would ever go.

    >>> class Box: pass
    >>> asked = []
    >>> @remember
    ... def weigh(box, unit):
    ...     asked.append(unit)
    ...     return 3.0
    >>> box = Box()
    >>> weigh(box, "kg"), weigh(box, "kg"), asked
    (3.0, 3.0, ['kg'])
    """
    answers: WeakKeyDictionary[Any, dict[Any, Value]] = WeakKeyDictionary()

    @wraps(function)
    def answer(whole: Whole, *args: Rest.args, **named: Rest.kwargs) -> Value:
        kept = answers.setdefault(whole, {})
        key = (args, tuple(sorted(named.items())))
        if key not in kept:
            while len(kept) >= _KEPT:
                del kept[next(iter(kept))]
            kept[key] = function(whole, *args, **named)
        return kept[key]

    return cast("Callable[Concatenate[Whole, Rest], Value]", answer)
