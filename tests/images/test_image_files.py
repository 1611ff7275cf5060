import struct

import cv2
import numpy as np
from PIL import Image
import pytest

from z2i_tf.errors import InputError
from z2i_tf.images import image_files

_RGB = np.random.default_rng(0).integers(0, 256, (12, 17, 3), np.uint8)


@pytest.mark.parametrize("extension", [".png", ".bmp", ".tif", ".webp"])
def test_lossless_formats_come_back_bit_for_bit(tmp_path, extension):
  path = str(tmp_path / ("image" + extension))
  image_files.write_rgb(path, _RGB)
  np.testing.assert_array_equal(image_files.read_rgb(path), _RGB)
  assert [entry.name for entry in tmp_path.iterdir()] == ["image" + extension]


def test_jpeg_is_close(tmp_path):
  smooth = np.repeat(np.linspace(0, 255, 64, dtype=np.uint8)[:, None, None], 64, axis=1).repeat(3, axis=2)
  image_files.write_rgb(str(tmp_path / "a.jpg"), smooth)
  assert np.abs(image_files.read_rgb(str(tmp_path / "a.jpg")).astype(int) - smooth).max() <= 3


# EXIF orientation -> the upright picture, by the definition of where row 0 and column 0 belong.
_UPRIGHT = {
  1: _RGB,
  2: _RGB[:, ::-1],
  3: _RGB[::-1, ::-1],
  4: _RGB[::-1],
  5: _RGB.swapaxes(0, 1),
  6: _RGB.swapaxes(0, 1)[:, ::-1],
  7: _RGB.swapaxes(0, 1)[::-1, ::-1],
  8: _RGB.swapaxes(0, 1)[::-1],
}


@pytest.mark.parametrize("extension", [".png", ".tif", ".webp", ".jpg"])
@pytest.mark.parametrize("orientation", _UPRIGHT)
def test_exif_orientation_is_applied(tmp_path, extension, orientation):
  exif = Image.Exif()
  exif[0x0112] = orientation
  options = {".webp": {"lossless": True}, ".jpg": {"quality": 100, "subsampling": 0}}.get(extension, {})
  path = str(tmp_path / ("turned" + extension))
  Image.fromarray(_RGB).save(path, exif=exif, **options)
  upright = _UPRIGHT[orientation]
  assert image_files.read_header(path) == image_files.Header(*upright.shape[:2], "RGB", is_turned=orientation > 1)
  rgb = image_files.read_rgb(path)
  assert rgb.shape == upright.shape
  assert np.abs(rgb.astype(int) - upright).max() <= (12 if extension == ".jpg" else 0)


@pytest.mark.parametrize(
  "error, raised, message",
  [
    (struct.error("of EXIF"), InputError, "a.png: not an image that can be read: of EXIF"),
    (TypeError("of TIFF"), InputError, "a.png: not an image that can be read: of TIFF"),
    (EOFError(), InputError, "a.png: not an image that can be read: EOFError"),
    (MemoryError("no room"), MemoryError, "no room"),  # The file may be sound.
  ],
)
def test_whatever_pillow_raises_is_said_in_one_line(tmp_path, monkeypatch, error, raised, message):
  def broken(*_):
    raise error

  image_files.write_rgb(str(tmp_path / "a.png"), _RGB)
  monkeypatch.setattr(image_files.pixels, "turn_upright", broken)
  with pytest.raises(raised, match=message):
    image_files.read_rgb(str(tmp_path / "a.png"))


_GRAY = _RGB[..., 0]
# What a file may hold -> (its bytes' extension, how it is made, mode of its header, what is read).
_KINDS = {
  "gray": (".png", lambda path: Image.fromarray(_GRAY).save(path), "L", _GRAY[..., None].repeat(3, 2)),
  "gray and alpha": (
    ".png",
    lambda path: Image.merge("LA", [Image.fromarray(_GRAY)] * 2).save(path),
    "LA",
    _GRAY[..., None].repeat(3, 2),
  ),
  "1 bit": (
    ".png",
    lambda path: Image.fromarray(_GRAY > 99).save(path),
    "1",
    np.where(_GRAY > 99, np.uint8(255), np.uint8(0))[..., None].repeat(3, 2),
  ),
  "alpha": (".png", lambda path: Image.fromarray(np.dstack([_RGB, _GRAY])).save(path), "RGBA", _RGB),
  "palette": (".png", lambda path: Image.fromarray(_RGB // 64 * 64).quantize(64).save(path), "P", None),
  "CMYK": (".jpg", lambda path: Image.fromarray(_RGB).convert("CMYK").save(path, quality=100), "CMYK", None),
  "16-bit gray": (
    ".png",
    lambda path: Image.fromarray(_GRAY.astype(np.uint16) * 256 + 200).save(path),
    "L 16-bit",
    _GRAY[..., None].repeat(3, 2),
  ),
  "16-bit gray TIFF": (
    ".tif",
    lambda path: Image.fromarray(_GRAY.astype(np.uint16) * 256 + 9).save(path),
    "L 16-bit",
    _GRAY[..., None].repeat(3, 2),
  ),
  "16-bit gray TIFF, white is zero": (
    ".tif",
    lambda path: Image.fromarray(~(_GRAY.astype(np.uint16) * 256 + 9)).save(path, tiffinfo={262: 0}),
    "L 16-bit",
    _GRAY[..., None].repeat(3, 2),
  ),
  "16-bit colour": (
    ".png",
    lambda path: cv2.imwrite(str(path), _RGB[..., ::-1].astype(np.uint16) * 256 + 77),
    "RGB 16-bit",
    _RGB,
  ),
}


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("from_memory", [False, True])
def test_every_kind_of_image_is_converted_to_rgb(tmp_path, kind, from_memory):
  extension, write, mode, expected = _KINDS[kind]
  path = tmp_path / ("image" + extension)
  write(path)
  arguments = ("somewhere", path.read_bytes()) if from_memory else (str(path),)
  assert image_files.read_header(*arguments) == image_files.Header(12, 17, mode, is_turned=False)
  if expected is None:
    with Image.open(path) as image:
      expected = np.asarray(image.convert("RGB"))
  rgb = image_files.read_rgb(*arguments)
  assert rgb.dtype == np.uint8
  np.testing.assert_array_equal(rgb, expected)


def test_pixels_that_are_no_photograph_s_are_refused(tmp_path):
  Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tif")
  Image.fromarray(np.full((4, 4), 70_000, np.int32)).save(tmp_path / "deep.tif")
  for read in (image_files.read_rgb, image_files.read_header):
    with pytest.raises(InputError, match="float.tif: pixels of a kind that photographs do not have"):
      read(str(tmp_path / "float.tif"))
  with pytest.raises(InputError, match="deep.tif: more than 16 bits"):
    image_files.read_rgb(str(tmp_path / "deep.tif"))
  with pytest.raises(InputError, match="somewhere: not an image that can be read: unknown format"):
    image_files.read_rgb("somewhere", b"nothing")


def test_deep_planes_that_pillow_misreads_are_refused(tmp_path):
  ok, encoded = cv2.imencode(".tif", _RGB.astype(np.uint16), [cv2.IMWRITE_TIFF_COMPRESSION, 1])
  configuration = struct.pack("<HHLH", 284, 3, 1, 1)
  assert ok and configuration in encoded.tobytes()
  (tmp_path / "planes.tif").write_bytes(encoded.tobytes().replace(configuration, struct.pack("<HHLH", 284, 3, 1, 2)))
  for read in (image_files.read_rgb, image_files.read_header):
    with pytest.raises(InputError, match="planes.tif: channels of 16 bits in separate planes"):
      read(str(tmp_path / "planes.tif"))
  Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "one.tif", tiffinfo={284: 2})
  assert image_files.read_header(str(tmp_path / "one.tif")).mode == "L 16-bit"


def test_a_written_mask_is_255_and_0(tmp_path):
  hole = np.eye(9, dtype=np.uint8)
  image_files.write_mask(str(tmp_path / "mask.png"), hole)
  written = Image.open(tmp_path / "mask.png")
  assert written.mode == "L"
  np.testing.assert_array_equal(np.asarray(written), hole * 255)


def test_listing_is_flat_unless_asked(tmp_path):
  (tmp_path / "below").mkdir()
  for path in (tmp_path / "b.png", tmp_path / "a.JPG", tmp_path / "below" / "c.png", tmp_path / "x.txt"):
    path.write_bytes(b"")
  flat, deep = (
    [path[len(str(tmp_path)) + 1 :] for path in image_files.list_images(str(tmp_path), recursive)]
    for recursive in (False, True)
  )
  assert flat == ["a.JPG", "b.png"] and deep == ["a.JPG", "b.png", "below/c.png"]


def test_a_failed_write_leaves_the_former_file(tmp_path):
  from z2i_tf.system.atomic_files import atomic_write

  path = tmp_path / "file"
  path.write_bytes(b"former")
  with pytest.raises(RuntimeError):
    with atomic_write(str(path)) as file:
      file.write(b"half")
      raise RuntimeError
  assert path.read_bytes() == b"former" and [entry.name for entry in tmp_path.iterdir()] == ["file"]
  with atomic_write(str(path)) as file:
    file.write(b"whole")
  assert path.read_bytes() == b"whole" and path.stat().st_mode & 0o400


def test_unreadable_files(tmp_path):
  with pytest.raises(InputError, match="gone.png: no such file"):
    image_files.read_rgb(str(tmp_path / "gone.png"))
  (tmp_path / "text.png").write_text("hello")
  with pytest.raises(InputError, match="text.png: not an image"):
    image_files.read_rgb(str(tmp_path / "text.png"))
  image_files.write_rgb(str(tmp_path / "whole.png"), _RGB)
  (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:200])
  with pytest.raises(InputError, match="cut.png: not an image"):
    image_files.read_rgb(str(tmp_path / "cut.png"))
  with pytest.raises(InputError, match="a folder where a file is needed"):
    image_files.read_rgb(str(tmp_path))


def test_unwritable_places(tmp_path):
  with pytest.raises(InputError, match="no such folder"):
    image_files.check_writable_file(str(tmp_path / "nowhere" / "deeper" / "a.png"))
  with pytest.raises(InputError, match="unknown image extension"):
    image_files.check_writable_file(str(tmp_path / "a.xyz"))
  with pytest.raises(InputError, match="cannot be written"):
    image_files.write_rgb(str(tmp_path / "nowhere" / "a.png"), _RGB)
  with pytest.raises(InputError, match="cannot be written"):  # Too wide for the format.
    image_files.write_rgb(str(tmp_path / "wide.webp"), np.zeros((1, 20_000, 3), np.uint8))
  with pytest.raises(InputError, match="cannot create this folder"):
    image_files.create_folder(str(tmp_path / "nowhere" / "deeper"))
  assert not list(tmp_path.iterdir())


def test_a_folder_that_refuses_files(tmp_path, monkeypatch):
  def refuse(**_):
    raise PermissionError(13, "Permission denied")

  monkeypatch.setattr(image_files.tempfile, "TemporaryFile", refuse)
  with pytest.raises(InputError, match="cannot write here: Permission denied"):
    image_files.check_writable_file(str(tmp_path / "a.png"))


def test_stems_are_composed():
  assert image_files.stem("a/b/Gru\u0308\u00dfe.tar.png") == "Gr\u00fc\u00dfe.tar"
