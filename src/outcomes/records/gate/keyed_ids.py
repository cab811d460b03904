"""Record numbers replaced at the door by a keyed hash, so that ids in memory are never the source's."""

import hashlib
import hmac
import os
from pathlib import Path

import numpy as np

from outcomes.facts import Source
from outcomes.machine.private_files import open_private_folder, spell_safely
from outcomes.records.episodes.times import Links

_KEY_BYTES = 32
_SHOWN = 16  # hexadecimal digits: 64 bits, so that two of a million ids meet with probability below 1e-7


def rekey_links(links: Links, source: Source, private_folder: Path) -> Links:
    """Replace the ids of episodes and patients, and their order, by keyed hashes; the key stays private."""
    key = _read_key(source.name, private_folder)

    def hide(names: np.ndarray) -> np.ndarray:
        hashes = (hmac.new(key, name.encode("utf-8"), hashlib.sha256).hexdigest() for name in names)
        return np.array([text[:_SHOWN] for text in hashes], dtype=object)

    episodes, patients = hide(links.episodes), hide(links.patients)
    order = np.argsort(episodes.astype(str), kind="stable")
    position = np.append(np.argsort(order), -1).astype(np.int32)
    rows = [position[old] for old in links.rows]
    return Links(episodes[order], patients[order], rows, links.order[order])


def _read_key(source_name: str, private_folder: Path) -> bytes:
    """Return the key of a source, made from the system's random numbers on first use."""
    folder = open_private_folder(open_private_folder(private_folder) / "keys")
    path = folder / f"{spell_safely(source_name)}.key"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(handle, "wb") as stream:
        stream.write(os.urandom(_KEY_BYTES))
    return path.read_bytes()
