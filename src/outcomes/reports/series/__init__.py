"""Series: reports that are declared once in ``reports/reports.toml`` and made when they are due."""
