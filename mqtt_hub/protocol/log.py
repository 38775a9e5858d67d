"""The one form of a log line: ``2025-06-04 07:45:26,123 - AI_Node_1 - INFO - …``."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["LINE", "log_to"]

LOG_FILE_BYTES_MAX = 8 * 1024 * 1024
LOG_FILES_KEPT = 2  # earlier ones, FILE.1 and FILE.2
LINE = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"


def log_to(path: Path | None = None, *, level: int = logging.INFO) -> None:
    """Send this process's log lines to a file, or to standard error; raises `ConfigurationError`.

    A file that reaches `LOG_FILE_BYTES_MAX` becomes FILE.1, that one FILE.2, and FILE.2 is gone.
    """
    try:
        handler: logging.Handler = (
            RotatingFileHandler(path, maxBytes=LOG_FILE_BYTES_MAX, backupCount=LOG_FILES_KEPT)
            if path
            else logging.StreamHandler(sys.stderr)
        )
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", hint="choose another with --log-file") from error
    handler.setFormatter(logging.Formatter(LINE))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("amqtt", "transitions"):  # they tell every state change
        logging.getLogger(chatty).setLevel(logging.WARNING)
