"""The contract between all nodes: topics, messages, codec, errors. Pure: no I/O, no clock.

::

    table.py    one row a message type        topics.py   build and parse topics
    bodies/     what each body holds          codec.py    bytes <-> Message
    schema.py   how bounds are checked        errors.py   every error a user can meet
    log.py      the one form of a log line      command_line.py  how commands end
    tls.py      a client's side of TLS
"""
