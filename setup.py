"""The packages of the distribution: those found here, and two folders that are installed inside a package."""

from setuptools import find_namespace_packages, setup

OURS = ("ppo", "sweeps", "analysis", "hydra_plugins")
INSTALLED_AS = {"ppo.conf": "conf", "analysis.published": "outputs/published"}  # package -> folder of the checkout

setup(
    packages=[
        *find_namespace_packages(include=[*OURS, *(f"{name}.*" for name in OURS)], exclude=["*__pycache__*"]),
        *INSTALLED_AS,
    ],
    package_dir=INSTALLED_AS,
)
