#!/usr/bin/env bash
# Makes the virtual environment: setup.sh PYTHON VENV PACKAGE… (called by `make setup`, which knows when it is due).
# With a system ROS 2 sourced it is built on that; otherwise ROS 2 comes from PyPI.
#   setup.sh --check PYTHON VENV   takes VENV/.ready away where Python or ROS 2 are others now
#   setup.sh --extra NAME VENV     installs requirements-NAME.txt
# An empty PYTHON is that of VENV, or python3.
set -euo pipefail
cd "$(dirname "$0")"
fail() { echo "setup: $*" >&2; exit 1; }

if [ "$1" = --extra ]; then
    extra=$2 venv=$3
    read -r version ros < "$venv/.flavor"
    if [ "$extra $ros" = "rl system" ] && [ "$version" != 3.10 ]; then
        fail "JAX for Python $version needs NumPy 2, on which the compiled packages of a system ROS 2 break;" \
            "train the agents in an environment of their own, without ROS 2: the dataset folder is all that travels"
    fi
    exec "$venv/bin/python" -m pip --disable-pip-version-check install --quiet \
        -r "requirements-$extra.txt" -r "requirements-ros-$ros.txt" -c "constraints/py$version.txt"
fi
check=no
if [ "$1" = --check ]; then
    check=yes
    shift
fi
python=$1 venv=$2
shift 2

# The interpreter that the environment was made of, also where it is the environment's own: that one knows ROS 2 from PyPI.
base() {
    "$1" -c 'import os, sys
inside = os.path.realpath(sys.prefix) == os.path.realpath(sys.argv[1])
print(sys._base_executable if inside else sys.argv[2])' "$venv" "$1" 2>/dev/null
}
if [ -z "$python" ]; then
    python=$(base "$venv/bin/python") || python=python3
fi
if found=$(base "$python"); then python=$found; fi
if [ $check = yes ]; then
    [ -f "$venv/.ready" ] || exit 0
    flavor=$("$python" - <<'END'
import sys
try:
    import rclpy.node
    ros = "system"
except Exception:
    ros = "wheels"
print("%d.%d" % sys.version_info[:2], ros)
END
    ) || flavor=unknown
    was=$(cat "$venv/.flavor" 2>/dev/null || true)
    [ "$flavor" = "$was" ] && [ -x "$venv/bin/python" ] && exit 0
    if [ "$was" = "${flavor% *} system" ]; then
        fail "$venv was made on a system ROS 2, which is not sourced in this terminal; source it (/opt/ros/…/setup.bash)," \
            "or remove $venv for ROS 2 from PyPI"
    fi
    rm -f "$venv/.ready"
    exit 0
fi

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
