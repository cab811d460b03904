"""What the machine gives: private files, locks, a line of progress, one thread for linear algebra."""
