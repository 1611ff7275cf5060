"""Image files that are damaged, of formats not read here, or declare what they have not."""

import io
import os
import struct
import subprocess
import sys
import time
import zlib

import cv2
import numpy as np
from PIL import Image
from PIL import ImageCms
from PIL import PngImagePlugin
import pytest

from tests.fuzz import seeds
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.images import photo_files
from z2i_tf.images.formats import codecs
from z2i_tf.images.formats import heif
from z2i_tf.images.formats import png
from z2i_tf.images.formats import tiff_fields
from z2i_tf.images.formats.metadata import Metadata
from z2i_tf.system import input_files

_RGB = np.random.default_rng(0).integers(0, 256, (21, 27, 3), np.uint8)


def _tiff(entries, data=b""):
  """Returns a TIFF file of an RGB image of 4x4, with entries (tag, type, count, content) of its own in addition."""
  fields = {
    256: (4, 1, 4),
    257: (4, 1, 4),
    258: (3, 3, struct.pack("<HHH", 8, 8, 8)),
    259: (3, 1, 1),
    262: (3, 1, 2),
    273: (4, 1, 8),
    277: (3, 1, 3),
    278: (4, 1, 4),
    279: (4, 1, 48),
    **entries,
  }
  fields = {tag: field for tag, field in fields.items() if field is not None}
  pixels = data or bytes(range(48))
  tail_start, tail, table = 8 + len(pixels) + 2 + 12 * len(fields) + 4, b"", b""
  for tag, (kind, count, value) in sorted(fields.items()):
    if isinstance(value, bytes):
      table += struct.pack("<HHLL", tag, kind, count, tail_start + len(tail))
      tail += value
    else:
      table += struct.pack("<HHLL", tag, kind, count, value)
  return b"".join(
    [b"II*\0", struct.pack("<L", 8 + len(pixels)), pixels, struct.pack("<H", len(fields)), table, bytes(4), tail]
  )


def _write(path, content):
  path.write_bytes(content)
  return str(path)


_TILES_OF_2_GB = {
  273: None,
  278: None,
  279: None,
  322: (4, 1, 2**24),
  323: (4, 1, 112),
  324: (4, 1, 8),
  325: (4, 1, 17),
  259: (3, 1, 8),
}


@pytest.mark.parametrize("name", ["a.tif", "a.png"])  # The name does not matter.
@pytest.mark.parametrize(
  "read", [photo_files.read_photo, image_files.read_rgb, image_files.read_header, photo_files.read_size]
)
def test_tiles_far_larger_than_the_image_are_refused_before_they_are_decoded(tmp_path, name, read):
  path = _write(tmp_path / name, _tiff(_TILES_OF_2_GB, zlib.compress(bytes(99)).ljust(48)))
  with pytest.raises(InputError, match=f"{name}: .*tiles of 16777216x112 pixels are far larger than the image"):
    read(path)


@pytest.mark.parametrize("tile", [(2**31 - 1, 16), (16, 2**24), (65536, 65536)])
def test_tiles_of_other_shapes(tmp_path, tile):
  entries = {**_TILES_OF_2_GB, 322: (4, 1, tile[0]), 323: (4, 1, tile[1])}
  with pytest.raises(InputError, match="far larger than the image"):
    photo_files.read_photo(_write(tmp_path / "a.tif", _tiff(entries)))


def test_tiles_somewhat_larger_than_the_image_are_usual(tmp_path):
  tile = np.zeros((512, 512), np.uint8)
  tile[:4, :4] = 200
  data = zlib.compress(tile.tobytes())
  entries = {
    258: (3, 1, 8),
    259: (3, 1, 8),
    262: (3, 1, 1),
    273: None,
    277: (3, 1, 1),
    278: None,
    279: None,
    322: (4, 1, 512),
    323: (4, 1, 512),
    324: (4, 1, 8),
    325: (4, 1, len(data)),
  }
  assert (photo_files.read_photo(_write(tmp_path / "a.tif", _tiff(entries, data))).rgb == 200).all()


def test_nothing_of_libraries_is_printed_and_what_others_print_is(tmp_path):
  whole = seeds.images()["lzw.tif"]
  _write(tmp_path / "a.tif", whole[:8] + b"\xff" * 60 + whole[68:])
  deep = png.encode(np.zeros((9, 9, 3), np.uint16), Metadata())[0]
  start = deep.index(b"IDAT") - 4
  data = zlib.compress(bytes(99))  # Too little, and its checksum fits.
  _write(
    tmp_path / "b.png",
    deep[:start]
    + struct.pack(">L", len(data))
    + b"IDAT"
    + data
    + struct.pack(">L", zlib.crc32(b"IDAT" + data))
    + deep[-12:],
  )
  script = (
    "import os, sys\nfrom z2i_tf.images import photo_files\nfrom z2i_tf.images.formats import pixels\n"
    "decode = pixels.decode\n"
    "def noisy_decode(*arguments):\n"
    "  os.write(2, b'skipped: b.png\\nTIFFFillStrip: bad\\nZIPDecode: no\\n')\n"
    "  return decode(*arguments)\n"
    "pixels.decode = noisy_decode\n"
    "for path in sys.argv[1:]:\n"
    "  try:\n    photo_files.read_photo(path)\n  except ValueError as error:\n    print(error)\n"
  )
  done = subprocess.run(
    [sys.executable, "-c", script, str(tmp_path / "a.tif"), str(tmp_path / "b.png")],
    capture_output=True,
    text=True,
    check=True,
  )
  assert done.stdout.count("not an image that can be read") == 2 and done.stderr == "skipped: b.png\n" * 2


@pytest.mark.parametrize(
  "tag, field, remark",
  [
    (34675, (3, 1, 257), "ICC profile of a wrong type left out"),
    (34675, (8, 4, b"\1\0\2\0\3\0\4\0"), "ICC profile of a wrong type left out"),
    (700, (4, 3, bytes(12)), "XMP of a wrong type left out"),
    (700, (12, 2, bytes(16)), "XMP of a wrong type left out"),
    (282, (2, 6, b"300/1\0"), "resolution of a wrong type left out"),
    (296, (2, 2, b"2\0\0\0"), "resolution of a wrong type left out"),
    (274, (2, 2, b"6\0\0\0"), "orientation of a wrong type left out"),
    (282, (5, 1, bytes(8)), None),
  ],
)
def test_fields_of_a_wrong_type_do_not_spoil_the_picture(tmp_path, tag, field, remark):
  resolution = (5, 1, struct.pack("<LL", 300, 1))
  entries = {283: resolution, 282: resolution, 296: (3, 1, 3), tag: field}
  path = _write(tmp_path / "a.tif", _tiff(entries))
  photo = photo_files.read_photo(path)
  np.testing.assert_array_equal(photo.rgb.ravel(), range(48))
  np.testing.assert_array_equal(image_files.read_rgb(path).ravel(), range(48))
  assert photo.remarks == ((remark,) if remark else ())
  for extension in (".tif", ".png", ".jpg", ".webp", ".bmp"):
    photo_files.write_photo(str(tmp_path / f"b{extension}"), photo)
  assert photo_files.read_photo(str(tmp_path / "b.tif")).remarks == ()


def test_fields_that_lie_upon_each_other_are_not_copied(tmp_path):
  blob = bytearray(_tiff({}) + bytes(2**20))
  entries = b"".join(struct.pack("<HHLL", 40_000 + number, 1, 2**20, 8) for number in range(4000))
  struct.pack_into("<L", blob, 4, len(blob))
  blob += struct.pack("<H", 4000) + entries + bytes(4)
  with pytest.raises(ValueError, match="fields overlap"):
    tiff_fields.parse(bytes(blob))


@pytest.mark.parametrize("file_format", ["EPS", "PPM", "ICO", "PCX", "TGA", "SGI", "DDS", "PDF", "ICNS"])
@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_other_formats_are_not_even_tried(tmp_path, file_format, name, monkeypatch):
  file = io.BytesIO()
  Image.fromarray(_RGB).resize((64, 64)).save(file, format=file_format)
  path = _write(tmp_path / name, file.getvalue())
  for read in (photo_files.read_photo, image_files.read_rgb, image_files.read_header):
    with pytest.raises(InputError, match=f"{name}: not an image that can be read: unknown format"):
      read(path)


def test_a_video_is_no_photograph(tmp_path, monkeypatch):
  """It shares its container with HEIC; installing pillow-heif would not help."""
  monkeypatch.setitem(sys.modules, "pillow_heif", None)
  path = _write(tmp_path / "a.heic", b"\0\0\0\x18ftypisom\0\0\2\0isommp41" + bytes(99))
  with pytest.raises(InputError, match="a.heic: not an image that can be read: unknown format"):
    photo_files.read_photo(path)


_LONG_TEXT = PngImagePlugin.PngInfo()
_LONG_TEXT.add_text("Comment", "x" * 2_000_000, zip=True)
_BAD_EXIF = PngImagePlugin.PngInfo()
_BAD_EXIF.add_text("Raw profile type exif", "\nexif\n   12\nnot hexadecimal")


@pytest.mark.parametrize("text, remark", [(_LONG_TEXT, "too long zTXt left out"), (_BAD_EXIF, "damaged EXIF left out")])
def test_damaged_text_in_png_does_not_spoil_the_picture(tmp_path, text, remark):
  path = str(tmp_path / "a.png")
  Image.fromarray(_RGB).save(path, pnginfo=text)
  np.testing.assert_array_equal(image_files.read_rgb(path), _RGB)  # For training.
  assert image_files.read_header(path) == image_files.Header(21, 27, "RGB", False)
  photo = photo_files.read_photo(path)
  np.testing.assert_array_equal(photo.rgb, _RGB)
  assert remark in photo.remarks


@pytest.mark.parametrize(
  "kind, content, breaks_checksum",
  [
    (b"pHYs", b"\0\0", False),
    (b"gAMA", b"", False),
    (b"tEXt", b"a\0b", True),
    (b"iCCP", b"a\0\0no zlib", False),
    (b"iCCP", b"", False),
    (b"zTXt", b"a\0\0" + zlib.compress(b"x" * 99)[:-9], False),
    (b"iTXt", b"a", False),
    (b"eXIf", b"MM\0*\0\0\0\x08\xff\xff", False),
  ],
)
def test_damaged_chunks_in_png_do_not_spoil_the_picture(tmp_path, kind, content, breaks_checksum):
  encoded = png.encode(_RGB, Metadata())[0]
  checksum = struct.pack(">L", zlib.crc32(kind + content) ^ breaks_checksum)
  chunk = struct.pack(">L", len(content)) + kind + content + checksum
  path = _write(tmp_path / "a.png", encoded[:33] + chunk + encoded[33:])
  np.testing.assert_array_equal(photo_files.read_photo(path).rgb, _RGB)
  np.testing.assert_array_equal(image_files.read_rgb(path), _RGB)
  assert image_files.read_header(path).height == 21
  assert photo_files.write_photo(str(tmp_path / "b.png"), photo_files.read_photo(path)).startswith("damaged ")


_LONG = 1_300_000
_RANDOM = np.random.default_rng(0).bytes(_LONG)  # A profile that cannot be compressed.


@pytest.mark.parametrize(
  "metadata, remark",
  [
    (Metadata(xmp=b"x" * _LONG), ""),
    (Metadata(png_chunks=((b"tEXt", b"Comment\0" + b"x" * _LONG),)), ""),
    (Metadata(png_chunks=((b"iTXt", b"Comment" + bytes(5) + b"x" * _LONG),)), ""),
    (Metadata(icc_profile=_RANDOM), "too long iCCP left out"),
    (Metadata(icc_profile=_RANDOM[: 2**20]), ""),
  ],
  ids=["XMP", "text", "international text", "profile", "profile of 1 MiB"],
)
def test_long_metadata_of_png(tmp_path, metadata, remark):
  path = _write(tmp_path / "a.png", png.encode(_RGB, metadata)[0])
  photo = photo_files.read_photo(path)
  np.testing.assert_array_equal(photo.rgb, _RGB)
  assert photo_files.write_photo(str(tmp_path / "b.png"), photo) == remark
  if not remark:
    assert photo.metadata == metadata
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "a.png").read_bytes()


def test_more_text_than_png_readers_take_costs_only_text(tmp_path):
  texts = tuple((b"tEXt", b"%d\0" % number + b"x" * 2**20) for number in range(70))
  others = ((b"gAMA", struct.pack(">L", 100_000)), (b"tEXt", b"Title\0sea"))
  encoded = png.encode(_RGB, Metadata(png_chunks=texts + others, dpi=(300, 300)))[0]
  photo = photo_files.read_photo(_write(tmp_path / "a.png", encoded))
  assert photo.remarks == ("too long tEXt left out",)
  assert {kind for kind, _ in photo.metadata.png_chunks} == {b"tEXt", b"gAMA", b"pHYs"}
  assert others[1] in photo.metadata.png_chunks and photo.metadata.dpi == pytest.approx((300, 300), abs=0.01)


def test_a_png_that_cannot_hold_what_it_declares_is_refused_before_room_is_made(tmp_path):
  encoded = png.encode(_RGB, Metadata())[0]
  head = struct.pack(">LL", 9000, 9000) + encoded[24:29]
  path = _write(tmp_path / "a.png", encoded[:16] + head + struct.pack(">L", zlib.crc32(b"IHDR" + head)) + encoded[33:])
  with pytest.raises(InputError, match="its data cannot hold as many pixels as it declares"):
    photo_files.read_photo(path)
  Image.new("L", (3000, 3000)).save(path)  # Empty pictures shrink most.
  assert photo_files.read_photo(path).rgb.shape == (3000, 3000, 3)


def _jpeg_of_scans(count, side):
  file = io.BytesIO()
  Image.new("L", (side, side)).save(file, format="JPEG", progressive=True)
  encoded = file.getvalue()
  start = encoded.rindex(b"\xff\xda")
  return encoded[:-2] + encoded[start:-2] * count + b"\xff\xd9"


def test_a_jpeg_of_hundreds_of_scans_is_bounded(tmp_path):
  path = _write(tmp_path / "a.jpg", _jpeg_of_scans(300, 6000))
  started = time.process_time()
  with pytest.raises(InputError, match="a progressive JPEG with 30[0-9] scans; save it again"):
    photo_files.read_photo(path)
  assert time.process_time() - started < 2
  assert photo_files.read_photo(_write(tmp_path / "b.jpg", _jpeg_of_scans(30, 64))).rgb.shape == (64, 64, 3)


def test_pages_and_frames_are_not_counted(tmp_path):
  Image.new("L", (8, 8)).save(tmp_path / "a.tif")
  blob = (tmp_path / "a.tif").read_bytes()
  frames = [Image.fromarray(np.full((8, 8), level, np.uint8)) for level in range(250)]
  frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
  gif = (tmp_path / "a.gif").read_bytes()
  start = gif.index(b"\x21\xf9", gif.index(b"\x21\xf9") + 1)
  (tmp_path / "a.gif").write_bytes(gif[:start] + gif[start:-1] * 2000 + b";")  # Half a million frames.
  (directory,) = struct.unpack_from("<L", blob, 4)
  length = 2 + 12 * struct.unpack_from("<H", blob, directory)[0]
  pages = [
    blob[directory : directory + length] + struct.pack("<L", len(blob) + (length + 4) * (number + 1))
    for number in range(20_000)
  ]
  (tmp_path / "a.tif").write_bytes(blob[:4] + struct.pack("<L", len(blob)) + blob[8:] + b"".join(pages))
  for name in ("a.tif", "a.gif"):
    started = time.process_time()
    photo = photo_files.read_photo(str(tmp_path / name))
    assert "only the first of its pictures is kept" in photo.remarks and not photo.rgb.any()
    assert time.process_time() - started < 1


@pytest.mark.parametrize("extension, tolerance", [(".gif", 40), (".avif", 12), (".jp2", 0), (".heic", 12)])
def test_formats_that_are_only_read(tmp_path, extension, tolerance):
  if extension == ".heic":
    pytest.importorskip("pillow_heif", reason="the extra `heif` is not installed")
    import pillow_heif

    pillow_heif.register_heif_opener()
  smooth = np.add.outer(np.arange(48) * 3, np.arange(64))[..., np.newaxis] + np.array([0, 20, 40])
  smooth = smooth.clip(0, 255).astype(np.uint8)
  path = str(tmp_path / f"a{extension}")
  Image.fromarray(smooth).save(path)
  photo = photo_files.read_photo(path)
  assert np.abs(photo.rgb.astype(int) - smooth).max() <= tolerance and photo.rgb.dtype == np.uint8
  np.testing.assert_array_equal(image_files.read_rgb(path), photo.rgb)
  header = image_files.read_header(path)
  assert (header.height, header.width) == (48, 64) == photo_files.read_size(path)
  assert path in image_files.list_images(str(tmp_path)) and not photo_files.can_be_written(path)


def test_bits_that_are_not_kept_are_said(tmp_path):
  deep = (np.arange(64 * 64 * 3).reshape(64, 64, 3) * 5).astype(np.uint16)
  path = _write(tmp_path / "a.jp2", cv2.imencode(".jp2", deep)[1].tobytes())
  assert photo_files.read_photo(path).remarks == ("16 bits reduced to 8: JPEG2000",)
  Image.fromarray(deep[..., 0]).save(path)  # Gray is kept.
  photo = photo_files.read_photo(path)
  assert not photo.remarks and (photo.rgb[..., 0] == deep[..., 0]).all()
  Image.fromarray(_RGB).save(tmp_path / "a.avif")
  encoded = bytearray((tmp_path / "a.avif").read_bytes())
  encoded[encoded.index(b"av1C") + 6] |= 0x60  # As of 12 bits.
  with Image.open(tmp_path / "a.avif") as image:
    assert heif.AVIF.bits_per_sample(image, bytes(encoded)) == 12
    assert heif.AVIF.bits_per_sample(image, (tmp_path / "a.avif").read_bytes()) == 8


def test_avif_in_a_file_that_calls_itself_heic(tmp_path):
  Image.fromarray(_RGB).save(tmp_path / "a.avif", quality=100)
  encoded = (tmp_path / "a.avif").read_bytes()
  path = _write(tmp_path / "a.heic", encoded[:8] + b"heic" + encoded[12:])
  np.testing.assert_array_equal(photo_files.read_photo(path).rgb, photo_files.read_photo(str(tmp_path / "a.avif")).rgb)
  assert image_files.read_header(path).height == 21


def test_heic_without_its_package_is_named(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "pillow_heif", None)
  monkeypatch.setattr(image_files, "IMAGE_EXTENSIONS", codecs.extensions())
  path = _write(tmp_path / "IMG_2.HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
  with pytest.raises(InputError, match=r"IMG_2.HEIC: HEIC needs pillow-heif: pip install 'z2i_tf\[heif\]'"):
    photo_files.read_photo(path)
  with pytest.raises(InputError, match=r"left out 1 file that is not read as images: IMG_2.HEIC; HEIC needs"):
    image_files.list_images(str(tmp_path))


def test_headers_are_enough_for_sizes(tmp_path):
  for name, content in seeds.images().items():
    path = _write(tmp_path / name, content)
    assert photo_files.read_size(path) == photo_files.read_photo(path).rgb.shape[:2], name


def test_a_cmyk_profile_that_is_none(tmp_path):
  Image.fromarray(_RGB).convert("CMYK").save(tmp_path / "a.jpg", icc_profile=b"no profile at all")
  photo = photo_files.read_photo(str(tmp_path / "a.jpg"))
  assert any("its own is damaged" in remark for remark in photo.remarks)
  Image.fromarray(_RGB).convert("CMYK").save(
    tmp_path / "b.jpg", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
  )  # A profile of other pixels.
  assert photo_files.read_photo(str(tmp_path / "b.jpg")).rgb.shape == _RGB.shape


def test_pipes_are_no_files(tmp_path):
  os.mkfifo(tmp_path / "a.png")
  for read in (photo_files.read_photo, image_files.read_rgb, image_files.read_header, input_files.read_bytes):
    with pytest.raises(InputError, match="a.png: no such file"):
      read(str(tmp_path / "a.png"))
