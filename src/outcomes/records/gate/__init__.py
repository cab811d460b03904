"""The de-identification gate: what may identify people is refused, counted or replaced."""
