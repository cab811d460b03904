"""One thread for linear algebra: matrices are small here, and threads wait for a busy neighbour.

Where numpy is not loaded yet, environment variables say so to it and to every process that is started later.
Where a session loaded numpy first, its threads are held to one while a model is fitted, and given back. A
user who has set one of the variables that numpy's library reads has decided: nothing is changed then, but in
reports, which make the same sums on any number of processors.
"""

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: What numpy's own library of linear algebra reads when it is loaded: by these a user decides.
DECISIVE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: What all libraries of linear algebra read when they are loaded.
THREADS = (*DECISIVE, "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "BLIS_NUM_THREADS")

_DECIDED = any(name in os.environ for name in DECISIVE)
_TOO_LATE = "numpy" in sys.modules and not _DECIDED
if not _DECIDED:
    for _name in THREADS:
        os.environ.setdefault(_name, "1")


def in_one_thread(fit: Callable[P, T]) -> Callable[P, T]:
    """Have a fit use one thread for linear algebra where numpy was loaded before this package."""

    @wraps(fit)
    def run(*args: P.args, **options: P.kwargs) -> T:
        if not _TOO_LATE:
            return fit(*args, **options)
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1, user_api="blas"):
            return fit(*args, **options)

    return run
