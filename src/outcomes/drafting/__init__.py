"""Drafting a source from a file nobody prepared, and the form that needs no source."""

from outcomes.drafting.draft import Draft, draft_source
from outcomes.drafting.form import write_form

__all__ = ["Draft", "draft_source", "write_form"]
