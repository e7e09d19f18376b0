"""Build file of clam_eval (ament_python)."""

from setuptools import find_packages, setup

package_name = "clam_eval"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["page/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    install_requires=["setuptools", "numpy", "imageio", "imageio-ffmpeg", "opencv-python-headless"],
    zip_safe=False,
    maintainer="CLAM on ROS 2 maintainers",
    maintainer_email="maintainers@clam.invalid",
    description="Scored rollouts on a robot: blind comparison of bundles, results file, report and operator's page.",
    license="MIT",
    entry_points={
        "console_scripts": [
            "correct = clam_eval.executables:correct",
            "evaluator = clam_eval.executables:evaluator",
            "keys = clam_eval.executables:keys",
            "report = clam_eval.executables:report",
        ],
    },
)
