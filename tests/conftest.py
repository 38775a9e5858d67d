"""What holds for all tests: SIGINT ends the processes that they start.

A shell ignores SIGINT in what it runs in the background, and whoever is started then inherits that.
"""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
