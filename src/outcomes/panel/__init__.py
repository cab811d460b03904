"""The clinician's panel in JupyterLab."""
