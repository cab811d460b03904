"""The clinician's panel in JupyterLab."""

from outcomes.panel.window import Panel, open_panel

__all__ = ["Panel", "open_panel"]
