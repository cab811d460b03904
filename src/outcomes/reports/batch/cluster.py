"""A Dask cluster as the executor of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from outcomes.errors import ReportError

_CONNECT_SECONDS = 30


@contextmanager
def open_cluster(address: str) -> Iterator[Executor]:
    """Connect to a Dask scheduler and give its executor.

    Its workers need this version of the package, and the project's folder at the same place: pages are
    written by whichever worker makes them. A worker that is lost has its pages made again by another.

    Parameters
    ----------
    address : str
        Such as ``tcp://10.0.0.5:8786``.

    Raises
    ------
    ReportError
        When the extra ``cluster`` is not installed, or nobody answers there (exit code 2).
    """
    try:
        from distributed import Client
    except ImportError:
        raise ReportError(
            "--cluster needs the extra cluster: pip install outcomes[cluster].", exit_code=2
        ) from None
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError):
        raise ReportError("No Dask scheduler answers at the address of --cluster.", exit_code=2) from None
    try:
        yield client.get_executor(pure=False, retries=0)
    finally:
        client.close()
