"""Build file of clam_ros (ament_python)."""

from setuptools import find_packages, setup

package_name = "clam_ros"

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
    description=("What CLAM's nodes share: lifecycle node base, QoS profiles, stamps, messages, episode client."),
    license="MIT",
    entry_points={"console_scripts": ["node_watch = clam_ros.executables:node_watch"]},
)
