"""Files to text: the mapped columns of one file, each record at its line."""
