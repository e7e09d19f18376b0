"""Build file of clam_core (ament_python)."""

from setuptools import find_packages, setup

package_name = "clam_core"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(),
    package_data={"clam_core": ["py.typed", "bench/tables/*.json"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    install_requires=[
        "setuptools",
        "einops",
        "numpy",
        "pyyaml",
        "torch",
        "vector-quantize-pytorch",
        "zarr",
    ],  # all of it, pinned: ../requirements.txt
    extras_require={
        "rl": ["sbx-rl"],  # pinned: ../requirements-rl.txt
        "kitchen": ["clam_description"],  # ../urdf: the arm's numbers
    },
    python_requires=">=3.10",
    zip_safe=False,
    maintainer="CLAM on ROS 2 maintainers",
    maintainer_email="maintainers@clam.invalid",
    description="Continuous latent action models without ROS: methods, datasets, environments, deployment.",
    license="MIT",
    entry_points={"console_scripts": ["clam = clam_core.cli:main"]},
)
