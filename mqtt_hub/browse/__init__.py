"""`mqtt-hub browse`: the archive in Datasette, read-only, beside a running hub.

::

    archive.db ── read-only ──────────────┬─▶ site (Datasette) ──▶ http://127.0.0.1:8001
        └─▶ search (full-text, search.db) ┤
    tables (what every column means) ─────┤
    questions (canned queries) ───────────┘
"""
