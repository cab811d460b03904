"""From anonymised treatment records to a defensible answer about therapies."""
