"""Many processes on one database, ended without a word in the middle of their work."""
