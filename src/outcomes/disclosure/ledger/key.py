"""The key of the ledger, kept apart from it: without the key, nothing in the ledger identifies a patient."""

import hashlib
import hmac
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from outcomes.errors import DisclosureError
from outcomes.facts import Text
from outcomes.machine.private_files import open_private_folder, write_private_file

#: Environment variable that may name the file of the key, such as one on another disk.
KEY_FILE = "OUTCOMES_LEDGER_KEY_FILE"
KEY_BYTES = 32


def find_key_file(private: Path) -> Path:
    """Return where the key is, or is to be, kept."""
    named = os.environ.get(KEY_FILE)
    return Path(named) if named else private / "keys" / "ledger.key"


def keep_key(private: Path, key: bytes) -> None:
    """Write a key that only its owner may read."""
    path = find_key_file(private)
    if not path.parent.is_dir():
        open_private_folder(path.parent)
    write_private_file(path, f"{key.hex()}\n".encode("ascii"))


def read_key(private: Path) -> bytes:
    """Read the key; refuse a missing or damaged one, and one that others may read."""
    path = find_key_file(private)
    try:
        refuse_open_file(path)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        said = Text.of("errors.ledger.key_missing", file=path.name, variable=KEY_FILE)
        raise DisclosureError(said) from None
    except PermissionError:
        raise DisclosureError(Text.of("errors.ledger.key_closed", file=path.name)) from None
    except (OSError, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise DisclosureError(Text.of("errors.ledger.key_damaged", file=path.name, n=2 * KEY_BYTES))
    return key


def refuse_open_file(path: Path) -> None:
    """Refuse a private file that others than its owner may read or write, where the platform tells."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        raise DisclosureError(Text.of("errors.ledger.key_open", file=path.name, mode=f"{mode:03o}"))


def make_tokens(key: bytes, ids: Iterable[object]) -> list[bytes]:
    """Return the token by which the ledger knows each patient: HMAC-SHA256 of the id.

    Examples
    --------
    >>> one, other = make_tokens(b"0" * 32, ["P1", "P2"])
    >>> len(one), one == other, one == make_tokens(b"1" * 32, ["P1"])[0]
    (32, False, False)
    """
    return [hmac.digest(key, str(id).encode("utf-8"), "sha256") for id in ids]


def mark_recorded(key: bytes, tokens: Iterable[bytes], digests: Iterable[int]) -> np.ndarray:
    """Return a keyed mark (4 bytes) of each patient's records; it changes when these change."""
    found = (
        hmac.digest(key, token + int(digest).to_bytes(8, "little"), "sha256")[:4]
        for token, digest in zip(tokens, digests, strict=True)
    )
    return np.frombuffer(b"".join(found), dtype="<u4").astype("int64")


def sign(key: bytes, *parts: str) -> str:
    """Return a keyed hash over texts, none of which holds a line break."""
    return hmac.digest(key, "\n".join(parts).encode("utf-8"), hashlib.sha256).hex()
