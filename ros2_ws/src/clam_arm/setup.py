"""Build file of clam_arm (ament_python)."""

from setuptools import find_packages, setup

package_name = "clam_arm"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    install_requires=["setuptools", "numpy"],
    zip_safe=True,
    maintainer="CLAM on ROS 2 maintainers",
    maintainer_email="maintainers@clam.invalid",
    description=("Driver of a WidowX 250s behind a safety filter, on the real arm (Interbotix) or in MuJoCo."),
    license="MIT",
    entry_points={
        "console_scripts": [
            "arm_driver = clam_arm.executables:arm_driver",
        ],
    },
)
