"""``python -m trainers`` is ``kernel-trainer``."""

from trainers.cli import main

main(prog_name="kernel-trainer")
