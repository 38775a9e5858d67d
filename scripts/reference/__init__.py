"""What the documentation says of the code, made from the code: one function a block of a page.

::

    commands      every command of both programs: usage, options, examples      docs/cli.md
    exits         what an exit code means                                       docs/exit-codes.md
    tables        tables, views, columns of a new archive                       docs/schema.md
    settings      config.toml as `mqtt-hub init` writes it; bounds              docs/configuration.md, broker.md, …
    decisions     the titles of docs/decisions/                                 docs/decisions/README.md

`scripts/build_docs` puts each between the marks ``<!-- built: NAME -->`` and ``<!-- end: NAME -->``.
"""
