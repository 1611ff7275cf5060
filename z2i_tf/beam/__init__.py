"""Pipelines of Apache Beam, for data beyond one machine: inpainting, preparation of data sets, evaluation."""
