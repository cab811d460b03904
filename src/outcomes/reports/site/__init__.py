"""The site: one page that lists all pages of all series; it needs no server."""

from outcomes.reports.site.writing import write_released_site, write_site

__all__ = ["write_released_site", "write_site"]
