"""The archive: the only writer of what was sent (``writer``), its history (``schema``), its questions (``queries``)."""
