"""Records kept as JSON: a dataclass written as one object, and read back without keys that are not known."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, TypeVar

R = TypeVar("R")


def encode_record(record: Any, *, sort_keys: bool = False) -> bytes:
    """Return a dataclass as the bytes of its JSON file."""
    content = dataclasses.asdict(record)
    return f"{json.dumps(content, indent=2, ensure_ascii=False, sort_keys=sort_keys)}\n".encode()


def load_record(kind: type[R], path: Path) -> R | None:
    """Read a dataclass from its JSON file; None where there is no file, or none that is whole."""
    known = {entry.name for entry in dataclasses.fields(kind)}  # type: ignore[arg-type]
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return kind(**{key: value for key, value in content.items() if key in known})
    except (OSError, ValueError, TypeError, AttributeError):
        return None
