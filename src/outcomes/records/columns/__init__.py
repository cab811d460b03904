"""Text to columns: coded once per distinct value, then typed, dated and named."""
