"""Build file of clam_teleop (ament_python)."""

from setuptools import find_packages, setup

package_name = "clam_teleop"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["page/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    install_requires=["setuptools", "numpy", "aiohttp", "cryptography", "segno"],
    extras_require={"browser": ["playwright"]},
    zip_safe=False,
    maintainer="CLAM on ROS 2 maintainers",
    maintainer_email="maintainers@clam.invalid",
    description="Teleoperation of an arm from a WebXR headset, a gamepad or a keyboard: node, web server and page.",
    license="MIT",
    entry_points={
        "console_scripts": [
            "teleop = clam_teleop.executables:teleop",
            "measure_teleop = clam_teleop.executables:measure_teleop",
        ],
    },
)
