"""The documentation as a site: sphinx over the Markdown that is also read in the tree.

::

    README.md topics.md CHANGELOG.md CONTRIBUTING.md   ─┐
    docs/*.md docs/decisions/*.md docs/images/          ├─ scripts/build_site ─▶ build/site/index.html
    docs/index.md: the four parts of the navigation    ─┘

The source directory is the tree itself, so that one relative link leads right on the disk, on a forge and on the site.
Every asset comes from the installed packages: nothing is fetched, neither when it is built nor when it is read
(docs/decisions/0025-the-documentation-site.md).
"""

from importlib.metadata import version as installed_version

project = "mqtt-hub"
version = release = installed_version("mqtt-hub")
root_doc = "docs/index"
include_patterns = ["README.md", "topics.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/**"]
exclude_patterns = [".*", "build", "artifacts", "mqtt_hub", "trainers", "tests", "scripts"]

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3  # headings as a forge names them, so that links to them are checked

html_theme = "furo"
html_title = f"mqtt-hub {version}"
html_show_search_summary = False  # it fetches pages, which a browser refuses where they are files
html_copy_source = html_show_sourcelink = html_show_copyright = html_show_sphinx = False
