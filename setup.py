"""Packaging: the package `refdgm`, and `derivations/` installed as `refdgm.derivations`."""
import re
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
version = re.search(r'__version__ = "(.+)"', (here / "refdgm/__init__.py").read_text()).group(1)

setup(
    name="refdgm",
    version=version,
    description="The mathematics of deep generative models, executed and checked: a NumPy reference with autograd",
    long_description=(here / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=[*find_packages(include=["refdgm", "refdgm.*"]), "refdgm.derivations"],
    package_dir={"refdgm": "refdgm", "refdgm.derivations": "derivations"},
    package_data={"refdgm": ["documents/*.toml", "documents/*.json", "datasets/*.npz", "pages/*.css", "cuda/*.cu",
                             "cuda/*.cuh"],
                  "refdgm.derivations": ["*.toml"]},
    install_requires=["numpy>=1.26", "autograd>=1.7", "scipy>=1.11", "numba>=0.60", "matplotlib>=3.8"],
    extras_require={
        "test": ["pytest>=8", "pytest-xdist>=3.6", "hypothesis>=6", "jsonschema>=4", "latex2mathml>=3.77",
                 "pygments>=2.15", "joblib>=1.4", "mpmath>=1.3"],
        "gpu": ["cupy-cuda12x>=14"],
        "jobs": ["joblib>=1.4"],
        "pages": ["latex2mathml>=3.77", "pygments>=2.15"],
    },
    entry_points={"console_scripts": ["refdgm = refdgm.cli:main"], "pytest11": ["refdgm = refdgm.pytest_plugin"]},
)
