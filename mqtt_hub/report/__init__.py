"""`mqtt-hub report`: one HTML file about a run, from its archive, during it or after.

::

    archive.db ─▶ facts ──┬──────────────────▶ --json
    experiment ─▶         ├─▶ figures (matplotlib) ─▶ SVG, PNG          --figures DIR
    config, accounts ─▶   └─▶ page (jinja2) ─▶ one HTML file            --out FILE

`wins` is also the demo's table, `exchange` who gave what to whom. Only `figures` wants the extra ``report``.
"""
