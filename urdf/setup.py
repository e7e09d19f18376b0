"""Build file of clam_description (ament_python)."""

from glob import glob

from setuptools import find_packages, setup

package_name = "clam_description"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(include=[f"{package_name}*"]),
    package_data={package_name: ["py.typed", "urdf/*.xacro", "rviz/*.rviz"]},
    data_files=[  # once more in the share folder, where ROS tools look
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
        (f"share/{package_name}/urdf", glob(f"{package_name}/urdf/*.xacro")),
        (f"share/{package_name}/rviz", glob(f"{package_name}/rviz/*.rviz")),
    ],
    install_requires=["setuptools", "numpy", "xacro"],
    zip_safe=False,
    maintainer="CLAM on ROS 2 maintainers",
    maintainer_email="maintainers@clam.invalid",
    description="Robot descriptions of CLAM on ROS 2: the WidowX 250s arm, its cameras and the toy kitchen.",
    license="MIT",
    entry_points={"console_scripts": ["clam_urdf = clam_description.__main__:main"]},
)
