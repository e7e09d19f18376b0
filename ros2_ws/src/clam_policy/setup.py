"""Build file of clam_policy (ament_python)."""

from setuptools import find_packages, setup

package_name = "clam_policy"

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
    description=("Policy node: runs a CLAM bundle on live observations with action chunks and temporal ensembling."),
    license="MIT",
    entry_points={
        "console_scripts": [
            "policy = clam_policy.executables:policy",
            "measure_latency = clam_policy.executables:measure_latency",
        ],
    },
)
