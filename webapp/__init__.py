"""The face: pages, REST and command line on one installation."""
