"""Build file of clam_bringup (ament_python)."""

from glob import glob

from setuptools import find_packages, setup

package_name = "clam_bringup"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(include=["clam_bringup*"]),
    package_data={package_name: ["graphs/*.yaml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
        (f"share/{package_name}/launch", glob("launch/*.launch.py")),
    ],
    install_requires=["setuptools", "pyyaml"],
    zip_safe=False,
    maintainer="CLAM on ROS 2 maintainers",
    maintainer_email="maintainers@clam.invalid",
    description="Launch files of CLAM on ROS 2, over graphs kept as data, and a runner that needs only pip.",
    license="MIT",
    entry_points={
        "console_scripts": [
            "clam-launch = clam_bringup.executables:clam_launch",
            "clam-call = clam_bringup.executables:clam_call",
        ]
    },
)
