"""Build file of clam_sim (ament_python)."""

from setuptools import find_packages, setup

package_name = "clam_sim"

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
    description=("Simulators behind ROS 2 topics: bridge, scripted operator, rollouts, and the kitchen as hardware."),
    license="MIT",
    entry_points={
        "console_scripts": [
            "sim_bridge = clam_sim.executables:sim_bridge",
            "scripted_operator = clam_sim.executables:scripted_operator",
            "kitchen_world = clam_sim.executables:kitchen_world",
            "rollouts = clam_sim.executables:rollouts",
        ],
    },
)
