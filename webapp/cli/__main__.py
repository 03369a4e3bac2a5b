"""``python -m webapp.cli`` is ``lockstep``."""

from webapp.cli import main

main(prog_name="lockstep")
