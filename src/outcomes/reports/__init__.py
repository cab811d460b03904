"""From a notebook with parameters to a page."""
