"""A file system that only Beam can read: names "kept://..." for the files of a folder."""

import os
import shutil

from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

_START = "kept://"


class KeptFiles(LocalFileSystem):
  """Files of `root`, which a test sets."""

  root = ""

  @classmethod
  def scheme(cls):
    return "kept"

  def split(self, path):
    return os.path.split(path)

  def _list(self, dir_or_prefix):
    for found in super()._list(_local(dir_or_prefix)):
      path = _START + os.path.relpath(found.path, self.root)
      yield FileMetadata(path, found.size_in_bytes, found.last_updated_in_seconds)

  def create(self, path, *options):
    return super().create(_local(path), *options)

  def open(self, path, *options):
    return super().open(_local(path), *options)

  def exists(self, path):
    return super().exists(_local(path))

  def rename(self, source_file_names, destination_file_names):
    assert not any(map(self.exists, destination_file_names))  # As file systems that do not rename over a file.
    super().rename(list(map(_local, source_file_names)), list(map(_local, destination_file_names)))

  def delete(self, paths):
    for path in map(_local, paths):
      shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)

  def mkdirs(self, path):
    super().mkdirs(_local(path))


def _local(path):
  return os.path.join(KeptFiles.root, path.removeprefix(_START))
