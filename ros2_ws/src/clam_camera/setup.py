"""Build file of clam_camera (ament_python)."""

from setuptools import find_packages, setup

package_name = "clam_camera"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["config/*.xml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
        (f"share/{package_name}/config", [f"{package_name}/config/fastdds.xml"]),
    ],
    install_requires=["setuptools", "numpy", "pyyaml"],
    extras_require={"opencv": ["opencv-python-headless"], "realsense": ["pyrealsense2"], "mujoco": ["mujoco"]},
    zip_safe=False,
    maintainer="CLAM on ROS 2 maintainers",
    maintainer_email="maintainers@clam.invalid",
    description="Camera node: RealSense, webcam, video, simulated kitchen; calibration, reconnection, diagnostics.",
    license="MIT",
    entry_points={
        "console_scripts": [
            "camera = clam_camera.executables:camera",
            "measure_transport = clam_camera.executables:measure_transport",
        ],
    },
)
