"""Build file of clam_training (ament_python)."""

from setuptools import find_packages, setup

package_name = "clam_training"
EXECUTABLES = (
    *("generate", "import_data", "inspect", "train", "train_lam", "train_policy"),
    *("relabel", "evaluate", "summary", "bench"),
)

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(),
    package_data={package_name: ["presets/*.yaml", "presets/*/*.yaml", "*.html.j2"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    zip_safe=False,
    maintainer="CLAM on ROS 2 maintainers",
    maintainer_email="maintainers@clam.invalid",
    description="Executables over clam_core for `ros2 run`, and the presets of every experiment.",
    license="MIT",
    entry_points={
        "console_scripts": [f"{executable} = clam_training.executables:{executable}" for executable in EXECUTABLES],
        "clam.presets": ["clam_training = clam_training.presets"],
    },
)
