"""From a source to checked records."""

from outcomes.records.reader import read_records
from outcomes.records.tables import Records

__all__ = ["Records", "read_records"]
