"""Package definition: what it needs and the one command it installs."""

import re

from setuptools import find_packages
from setuptools import setup

with open("z2i_tf/__init__.py") as source:
  version = re.search(r'__version__ = "(.+)"', source.read())[1]

with open("README.md", encoding="utf-8") as readme:
  long_description = readme.read()

onnx = [
    "onnx<1.19",  # Later ones need ml_dtypes 0.5, which TensorFlow 2.15 refuses; not all of them say so.
    "onnxruntime",
    "tf2onnx>=1.17",  # Earlier ones need protobuf 3, tensorflow-metadata (on Python 3.11) protobuf 4.
]
serving = ["tensorflow-serving-api>=2.15,<2.16"]
witnesses = ["scikit-image"]  # What the metrics are compared with.
evaluation = ["matplotlib"]  # Draws the charts of the analyses.

setup(
    name="z2i_tf",
    version=version,
    description="Zoom-to-Inpaint in TensorFlow 2: image inpainting with high-frequency details",
    long_description=long_description,
    long_description_content_type="text/markdown",
    license="Apache-2.0 (the bundled weights have a note of their own in z2i_tf/assets)",
    packages=find_packages(include=["z2i_tf", "z2i_tf.*"]),
    package_data={"z2i_tf": ["assets/SHA256SUMS", "assets/*/*", "reports/report.css", "study/page/*", "app/static/*",
                             "app/openapi.json"]},
    python_requires=">=3.9,<3.12",
    install_requires=[
        "absl-py",
        "flask>=3",  # With waitress, the server of z2i app and z2i study.
        "google-crc32c",
        "numpy<2",
        "opencv-python<4.12",  # Later ones need NumPy 2.
        "pillow>=11.3",  # Earlier ones know neither the size of turned TIFF nor XMP in JPEG.
        "scipy>=1.12",  # Earlier ones call cg's rtol tol. Solves the blend's sparse equations.
        "tensorflow>=2.15,<2.16",  # The last one with Keras 2 inside.
        "tensorflow-addons==0.23.*",
        # From 4.9.6 on, TFDS needs packages that it does not name (importlib_resources; apache_beam for its command).
        "tensorflow-datasets>=4.9.3,<4.9.5",
        "tensorflow-metadata<1.17",  # Later ones need protobuf 5.
        "tqdm",
        "waitress>=3",
    ],
    extras_require={
        "evaluation": evaluation,
        "lpips": ["torch>=2"],  # Reads torchvision's weights; .npz files need nothing.
        "onnx": onnx,
        "serving": serving,
        "test": ["psutil", "pytest", "pytest-xdist", "selenium"] + evaluation + onnx + serving + witnesses,
    },
    entry_points={"console_scripts": ["z2i = z2i_tf.cli.main:run_and_exit"]},
)
