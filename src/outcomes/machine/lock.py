"""One at a time: a lock that the operating system holds, and frees when its holder dies."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from outcomes.errors import ReportError
from outcomes.machine.private_files import open_private_folder


@contextmanager
def hold_lock(private: Path, name: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold a lock by its name, waiting for another run to end.

    Not the file counts, which stays, but the lock that the operating system keeps on it: it ends with its
    holder, however that ends.

    `private` is the private folder; `name` the id of a series, ``index`` or ``ledger``. ReportError says that
    another run holds it (exit code 8), or that the file system keeps no locks (9).
    """
    open_private_folder(private)
    path = open_private_folder(private / "locks") / f"{name}.lock"
    lock, second = (FileLock(path, mode=0o600, fallback_to_soft=False) for _ in range(2))
    try:
        lock.acquire(timeout=wait_seconds)
    except Timeout:
        raise ReportError(f"{name}: another run holds the lock; nothing was done.", exit_code=8) from None
    except (OSError, NotImplementedError):
        raise _refuse_file_system(private) from None
    try:
        _prove_exclusive(second, private)
        yield
    finally:
        lock.release()


def _prove_exclusive(second: FileLock, private: Path) -> None:
    """Try the lock a second time: some network drives answer yes to everybody."""
    try:
        second.acquire(timeout=0)
    except Timeout:
        return
    second.release()
    raise _refuse_file_system(private)


def _refuse_file_system(private: Path) -> ReportError:
    return ReportError(
        f"The file system of {private.name!r} keeps no locks (some network drives do not), so that two runs "
        "could meet; put the project on a local disk.",
        exit_code=9,
    )
