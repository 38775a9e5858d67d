# Sourced by the scripts beside it: makes .venv once and brings it up to date when pyproject.toml changes.
#
#   environment EXTRAS      e.g. environment hub,trainer

environment() {
    local extras="$1" python candidate stamp
    for candidate in python3 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            python="$candidate"
            break
        fi
    done
    if [ -z "${python:-}" ]; then
        echo "Error: Python 3.11 or newer is needed (https://www.python.org, or your system's packages)" >&2
        exit 2
    fi
    if [ ! -x .venv/bin/python ]; then
        if ! "$python" -m venv .venv 2>.venv.log; then
            cat .venv.log >&2
            echo "Error: $python cannot make a virtual environment (Debian: apt install python3-venv)" >&2
            rm -rf .venv .venv.log
            exit 2
        fi
        rm -f .venv.log
    fi
    stamp=".venv/installed-${extras//,/-}"
    if [ ! -e "$stamp" ] || ! cmp -s pyproject.toml "$stamp"; then
        echo "setting up .venv with $extras ..." >&2
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$extras]" >&2
        cp pyproject.toml "$stamp"
    fi
    export PATH="$PWD/.venv/bin:$PATH"
}
