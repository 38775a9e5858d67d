# Sourced by the scripts beside it: makes .venv once and brings it up to date when what is locked changes.
#
#   environment EXTRAS      e.g. environment hub,trainer
#
# Every package comes in the version and with the hash that requirements.lock names (requirements-all.lock for `all`).
# UNLOCKED=1 takes what pyproject.toml allows instead: for a platform on which a locked version cannot be had.

environment() {
    local extras="$1" lock=requirements.lock python candidate stamp
    local pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check)
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
    [ "$extras" != all ] || lock=requirements-all.lock
    stamp=".venv/installed-${extras//,/-}"
    if [ ! -e "$stamp" ] || ! cat pyproject.toml "$lock" | cmp -s - "$stamp"; then
        echo "setting up .venv with $extras ..." >&2
        if [ -n "${UNLOCKED:-}" ]; then
            "${pip[@]}" --editable ".[$extras]" >&2
        else
            "${pip[@]}" --require-hashes --requirement "$lock" >&2
            # The build backend warns of what an editable installation is: that is meant.
            PYTHONWARNINGS=ignore "${pip[@]}" --no-deps --no-build-isolation --editable . >&2
        fi
        cat pyproject.toml "$lock" >"$stamp"
    fi
    export PATH="$PWD/.venv/bin:$PATH"
}
