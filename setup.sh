#!/usr/bin/env bash
# Makes the virtual environment: setup.sh PYTHON VENV PACKAGE… (called by `make setup`, which knows when it is due).
# With a system ROS 2 sourced it is built on that; otherwise ROS 2 comes from PyPI.
set -euo pipefail
cd "$(dirname "$0")"
python=$1 venv=$2
shift 2

fail() { echo "setup: $*" >&2; exit 1; }

command -v "$python" >/dev/null || fail "no '$python' on this machine; install Python 3.10, 3.11 or 3.12 or say make setup PYTHON=…"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
constraints=constraints/py$version.txt
[ -f "$constraints" ] || fail "Python $version is not supported; say make setup PYTHON=python3.11 (3.10, 3.11 and 3.12 are)"
"$python" -c 'import venv, ensurepip' 2>/dev/null || fail "Python's venv is missing; apt-get install python$version-venv"

if "$python" -c 'import rclpy.node' 2>/dev/null; then
    ros=system options=(--system-site-packages)
elif [ -n "${ROS_DISTRO:-}" ]; then
    fail "ROS 2 $ROS_DISTRO is sourced but '$python' cannot import rclpy; say make setup PYTHON=/usr/bin/python3"
else
    ros=wheels options=()
fi
flavor="$version $ros"
if [ -d "$venv" ] && [ "$(cat "$venv/.flavor" 2>/dev/null)" != "$flavor" ]; then
    echo "setup: $venv was made for another Python or ROS 2; making it anew"
    rm -rf "$venv"
fi

echo "setup: Python $version, ROS 2 from $ros, into $venv (a minute or two the first time)"
[ -x "$venv/bin/python" ] || "$python" -m venv "${options[@]}" "$venv"
echo "$flavor" > "$venv/.flavor"
pip=("$venv/bin/python" -m pip --disable-pip-version-check)
"${pip[@]}" install --quiet pip==26.3   # older resolvers take minutes over the ROS wheels
"${pip[@]}" install --quiet --constraint "$constraints" \
    -r requirements.txt -r "requirements-ros-$ros.txt" -r requirements-dev.txt ||
    fail "pip could not install the requirements (Python $version, ROS 2 from $ros); its lines above say why"
if [ $# -gt 0 ]; then
    PYTHONWARNINGS=ignore "${pip[@]}" install --quiet --no-build-isolation --no-deps \
        --config-settings editable_mode=compat "${@/#/--editable=}" ||
        fail "pip could not install this project's packages; its lines above say why"
fi

"$python" -c 'import ctypes.util, sys; sys.exit(not ctypes.util.find_library("EGL"))' ||
    echo "setup: note: no EGL library, so videos and camera images cannot be rendered; apt-get install libegl1"
echo "setup: done"
