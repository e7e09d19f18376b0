"""Build file of clam_description (ament_python)."""

from setuptools import setup

package_name = "clam_description"

setup(
    name=package_name,
    version="0.1.0",
    packages=[],
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    zip_safe=False,
    maintainer="CLAM on ROS 2 maintainers",
    maintainer_email="maintainers@clam.invalid",
    description="Robot descriptions of CLAM on ROS 2: the WidowX arm and its cameras come here.",
    license="MIT",
)
