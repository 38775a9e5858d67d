"""The one form of a log line: ``2025-06-04 07:45:26,123 - AI_Node_1 - INFO - …``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["LINE", "log_to"]

LINE = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"


def log_to(path: Path | None = None, *, level: int = logging.INFO) -> None:
    """Send this process's log lines to a file, or to standard error; raises `ConfigurationError`."""
    try:
        handler: logging.Handler = logging.FileHandler(path) if path else logging.StreamHandler(sys.stderr)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", hint="choose another with --log-file") from error
    handler.setFormatter(logging.Formatter(LINE))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("amqtt", "transitions"):  # they tell every state change
        logging.getLogger(chatty).setLevel(logging.WARNING)
