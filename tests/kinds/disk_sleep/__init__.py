"""When shall an idle disk be stopped? The smallest whole kind: docs/adding-a-kind.md goes through it file by file."""
