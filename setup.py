"""Package definition: what it needs and the one command it installs."""

import re

from setuptools import find_packages
from setuptools import setup

with open("z2i_tf/__init__.py") as source:
  version = re.search(r'__version__ = "(.+)"', source.read())[1]

with open("README.md", encoding="utf-8") as readme:
  long_description = readme.read()

# Python 3.10 and 3.11 get the original's stack, TensorFlow 2.15 with tensorflow-addons; later ones TensorFlow 2.21 with
# tf_keras, which is Keras 2. Versions of everything, as tested, are in constraints/.
OLD = '; python_version < "3.12"'
NEW = '; python_version >= "3.12"'

tflite = [
  "ai-edge-litert" + NEW,  # TFLite's interpreter; TensorFlow 2.15 still has its own, later ones warn of its end.
  "backports.strenum<1.3" + NEW,  # Of ai-edge-litert; later ones refuse these Pythons, which uv does not look at.
]
onnx = [
  "onnx<1.19" + OLD,  # Later ones need ml_dtypes 0.5, which TensorFlow 2.15 refuses; not all of them say so.
  "onnx" + NEW,
  "onnxruntime",
  "tf2onnx>=1.17",  # Earlier ones need protobuf 3, tensorflow-metadata (on Python 3.11) protobuf 4.
]
serving = ["tensorflow-serving-api>=2.15,<2.16" + OLD, "tensorflow-serving-api>=2.21,<2.22" + NEW]
beam = ["apache-beam>=2.77"]  # z2i beam-inpaint, beam-prepare and beam-evaluate.
notebooks = ["ipykernel", "nbclient"]  # Execute docs/fine_tune.ipynb.
witnesses = ["scikit-image"]  # Its metrics check ours in the tests.
heif = ["pillow-heif"]  # Reads the HEIC files of telephones.
documentation = ["mkdocs-material", "mkdocstrings-python"]  # make docs.
evaluation = ["matplotlib"]  # Draws the charts of the analyses.

setup(
  name="z2i_tf",
  version=version,
  description="Zoom-to-Inpaint in TensorFlow 2: image inpainting with high-frequency details",
  long_description=long_description,
  long_description_content_type="text/markdown",
  license="Apache-2.0",
  packages=find_packages(include=["z2i_tf", "z2i_tf.*"]),
  package_data={
    "z2i_tf": [
      "assets/SHA256SUMS",
      "assets/*/*",
      "inference/foreign/adapter_schema.json",
      "report/page.css",
      "report/page.html",
      "study/page/*",
      "app/static/*",
      "app/openapi.json",
      "web/static/*",
    ]
  },
  python_requires=">=3.10,<3.14",
  install_requires=[
    "absl-py",
    "flask>=3",  # With waitress, the server of z2i app and z2i study.
    "google-crc32c",
    "importlib_resources" + NEW,  # TFDS needs it and does not say so.
    "jinja2>=3.1",  # The page of z2i report.
    "jsonschema>=4.18",  # Adapters of other methods' models.
    "numpy<2" + OLD,
    "numpy>=2" + NEW,
    "opencv-python<4.12" + OLD,  # Later ones need NumPy 2.
    "opencv-python" + NEW,
    "pillow>=11.3",  # Earlier ones know neither the size of turned TIFF nor XMP in JPEG.
    "psutil",  # Free memory on every system.
    "scipy>=1.12",  # Earlier ones call cg's rtol tol. Solves the blend's sparse equations.
    "setuptools<81" + OLD,  # TensorBoard 2.15 imports pkg_resources, which later ones lack.
    "tensorboard>=2.21,<2.22" + NEW,  # tf.summary needs it; TensorFlow 2.21 no longer installs it.
    "tensorflow>=2.15,<2.16" + OLD,  # The last one with Keras 2 inside.
    "tensorflow>=2.21,<2.22" + NEW,
    "tensorflow-addons==0.23.*" + OLD,
    # From 4.9.6 on, TFDS needs packages that it does not name: importlib_resources; for its command, apache_beam.
    "tensorflow-datasets>=4.9.3,<4.9.5" + OLD,
    "tensorflow-datasets>=4.9.10" + NEW,
    "tensorflow-metadata<1.17" + OLD,  # Later ones need protobuf 5.
    "tf_keras>=2.15,<2.16" + OLD,  # Used where the variable TF_USE_LEGACY_KERAS is set.
    "tf_keras>=2.21,<2.22" + NEW,
    "tqdm",
    "waitress>=3",
  ],
  extras_require={
    "beam": beam,
    "development": ["mypy", "ruff", "uv"],  # make lint, make constraints.
    "docs": documentation,
    "evaluation": evaluation,
    "heif": heif,
    "onnx": onnx,
    "serving": serving,
    "tflite": tflite,
    "test": ["pytest", "pytest-xdist", "selenium"]
    + beam
    + documentation
    + evaluation
    + heif
    + notebooks
    + onnx
    + serving
    + tflite
    + witnesses,
  },
  entry_points={"console_scripts": ["z2i = z2i_tf.cli.main:run_and_exit"]},
)
