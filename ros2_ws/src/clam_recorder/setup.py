"""Build file of clam_recorder (ament_python)."""

from setuptools import find_packages, setup

package_name = "clam_recorder"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["config/*.yaml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
        (f"share/{package_name}/config", [f"{package_name}/config/qos_overrides.yaml"]),
    ],
    install_requires=["setuptools", "pyyaml", "rosbags"],
    zip_safe=True,
    maintainer="CLAM on ROS 2 maintainers",
    maintainer_email="maintainers@clam.invalid",
    description="Episode recorder: one rosbag2 (MCAP) bag and one episode.yaml per episode.",
    license="MIT",
    entry_points={
        "console_scripts": [
            "recorder = clam_recorder.executables:recorder",
            "measure_recording = clam_recorder.executables:measure_recording",
            "stress_recorder = clam_recorder.executables:stress_recorder",
        ],
    },
)
