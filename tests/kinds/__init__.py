"""A component kind of the tests' own, and what a newcomer's kind must fulfil."""
