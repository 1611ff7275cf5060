# docker build --tag z2i .                                             computes on the CPU
# docker build --tag z2i --build-arg TENSORFLOW_EXTRA=[and-cuda] .     on NVIDIA GPUs; docker run needs --gpus=all
# docker run --rm --volume "$PWD:/work" z2i inpaint photo.png mask.png -o filled.png
FROM python:3.13-slim

# OpenCV needs these two libraries.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
 && rm -rf /var/lib/apt/lists/*

ARG TENSORFLOW_EXTRA=""
WORKDIR /source
COPY setup.py pyproject.toml README.md LICENSE ./
COPY constraints constraints
COPY z2i_tf z2i_tf
RUN pip install --no-cache-dir --constraint constraints/3.13.txt . "tensorflow${TENSORFLOW_EXTRA}"

WORKDIR /work
ENTRYPOINT ["z2i"]
CMD ["--help"]
