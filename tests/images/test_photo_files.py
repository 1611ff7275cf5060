"""Photographs of every kind, read and written."""

import concurrent.futures
import dataclasses
import io
import struct
import threading
import warnings
import zlib

import numpy as np
from PIL import Image
from PIL import ImageCms
from PIL import PngImagePlugin
import pytest

from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.images import photo_files
from z2i_tf.images.formats import pixels as pixels_lib
from z2i_tf.images.formats import png
from z2i_tf.images.formats import tiff
from z2i_tf.images.formats import tiff_fields
from z2i_tf.images.formats.metadata import JpegSettings
from z2i_tf.images.formats.metadata import Metadata

_RNG = np.random.default_rng(0)
_DEEP = _RNG.integers(0, 65536, (12, 17, 4)).astype(np.uint16)
_RGBA = (_DEEP >> 8).astype(np.uint8)
_SRGB = pixels_lib.srgb_profile()
_LOSSLESS = (".png", ".tif", ".webp", ".bmp")


def _photo(is_deep=False, is_gray=False, has_alpha=False, **more):
  source = _DEEP if is_deep else _RGBA
  rgb = np.repeat(source[..., :1], 3, axis=2) if is_gray else source[..., :3]
  return photo_files.Photo(rgb=rgb, alpha=source[..., 3] if has_alpha else None, is_gray=is_gray, **more)


def _written(tmp_path, extension, photo):
  """Returns the photo as read again, and the remark of its writing."""
  path = str(tmp_path / ("written" + extension))
  remark = photo_files.write_photo(path, photo)
  return photo_files.read_photo(path), remark


def _resaved(tmp_path, name, out):
  """Reads a file and writes it as another; returns (photo, path of the result, remark)."""
  photo = photo_files.read_photo(str(tmp_path / name))
  return photo, str(tmp_path / out), photo_files.write_photo(str(tmp_path / out), photo)


@pytest.mark.parametrize("has_alpha", [False, True])
@pytest.mark.parametrize("is_gray", [False, True])
@pytest.mark.parametrize("is_deep", [False, True])
@pytest.mark.parametrize("extension", _LOSSLESS)
def test_lossless_formats_keep_every_bit_they_can_hold(tmp_path, extension, is_deep, is_gray, has_alpha):
  photo = _photo(is_deep, is_gray, has_alpha)
  read, remark = _written(tmp_path, extension, photo)
  holds_16_bits = extension in (".png", ".tif")
  for name, levels in (("rgb", photo.rgb), ("alpha", photo.alpha)):
    if name == "alpha" and (extension == ".bmp" or not has_alpha):
      assert read.alpha is None
    else:
      np.testing.assert_array_equal(getattr(read, name), levels if holds_16_bits else photo_files.to_8_bits(levels))
  assert ("16 bits reduced to 8" in remark) == (is_deep and not holds_16_bits)
  assert ("alpha left out" in remark) == (has_alpha and extension == ".bmp")
  # WebP has no gray; TIFF none of 16 bits with alpha that Pillow reads.
  assert read.is_gray == (is_gray and extension != ".webp" and not (extension == ".tif" and is_deep and has_alpha))
  assert [entry.name for entry in tmp_path.iterdir()] == ["written" + extension]


def test_other_programs_read_the_same(tmp_path):
  import cv2

  for extension in (".png", ".tif"):
    path = str(tmp_path / ("a" + extension))
    photo_files.write_photo(path, _photo(is_deep=True, has_alpha=True))
    np.testing.assert_array_equal(cv2.imread(path, cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]], _DEEP)
    for is_gray, has_alpha, mode in (
      (True, True, "LA"),
      (False, True, "RGBA"),
      (True, False, "L"),
      (False, False, "RGB"),
    ):
      photo = _photo(is_gray=is_gray, has_alpha=has_alpha)
      photo_files.write_photo(path, photo)
      image = Image.open(path)
      assert image.mode == mode
      np.testing.assert_array_equal(np.asarray(image.convert("RGB")), photo.rgb)


def test_files_of_several_parts(tmp_path):
  rgb = _RNG.integers(0, 65536, (300, 700, 3)).astype(np.uint16)  # More than a MiB, and it cannot be compressed.
  for extension in (".png", ".tif"):
    read, _ = _written(tmp_path, extension, photo_files.Photo(rgb))
    np.testing.assert_array_equal(read.rgb, rgb)
  kinds = [kind for kind, _ in png.chunks((tmp_path / "written.png").read_bytes())]
  assert kinds == [b"IHDR", b"IDAT", b"IDAT", b"IEND"]
  assert len(Image.open(tmp_path / "written.tif").tag_v2[273]) == 2
  for size in range(1, 9):  # TIFF's directories begin at even places.
    encoded = tiff.encode(_DEEP[:size, :1], Metadata())[0]
    assert encoded[:4] == b"II*\0" and encoded[4] % 2 == 0


def test_16_bits_are_rounded_to_8():
  levels = np.array([0, 128, 129, 257, 65535 - 129, 65535], np.uint16)
  np.testing.assert_array_equal(photo_files.to_8_bits(levels), [0, 0, 1, 1, 254, 255])
  every = np.arange(256, dtype=np.uint16)
  np.testing.assert_array_equal(photo_files.to_8_bits(every * 257), every)


@pytest.mark.parametrize("is_deep", [False, True])
def test_a_coloured_fill_of_a_gray_photo_becomes_gray(tmp_path, is_deep):
  photo = _photo(is_deep, is_gray=True)
  filled = photo.rgb.copy()
  filled[2:4, 2:4] = np.array([200, 100, 50]) * (257 if is_deep else 1)
  read, _ = _written(tmp_path, ".png", dataclasses.replace(photo, rgb=filled))
  luma = round((0.299 * 200 + 0.587 * 100 + 0.114 * 50) * (257 if is_deep else 1))
  assert np.abs(read.rgb[2:4, 2:4].astype(int) - luma).max() <= (20 if is_deep else 0) and read.is_gray
  np.testing.assert_array_equal(read.rgb[4:], photo.rgb[4:])


_PALETTE = Image.fromarray(_RGBA[..., :3]).quantize(32)
# Kind -> (what Pillow writes, extension, options, mode of the result as PNG, remark of reading).
_EIGHT_BIT_KINDS = {
  "palette": (_PALETTE, ".png", {}, "RGB", "palette became RGB"),
  "transparent palette": (_PALETTE, ".png", {"transparency": 3}, "RGBA", "palette became RGBA"),
  "palette BMP": (_PALETTE, ".bmp", {}, "RGB", "palette became RGB"),
  "palette TIFF": (_PALETTE, ".tif", {}, "RGB", "palette became RGB"),
  "1 bit": (Image.fromarray(_RGBA[..., 0] > 99), ".png", {}, "L", "1 bit became 8-bit gray"),
  "1-bit TIFF": (
    Image.fromarray(_RGBA[..., 0] > 99),
    ".tif",
    {"compression": "group4"},
    "L",
    "1 bit became 8-bit gray",
  ),
  "transparent gray": (Image.fromarray(_RGBA[..., 0]), ".png", {"transparency": int(_RGBA[3, 4, 0])}, "LA", ""),
  "transparent colour": (
    Image.fromarray(_RGBA[..., :3]),
    ".png",
    {"transparency": tuple(map(int, _RGBA[3, 4, :3]))},
    "RGBA",
    "",
  ),
  "CMYK TIFF": (
    Image.fromarray(_RGBA[..., :3]).convert("CMYK"),
    ".tif",
    {},
    "RGB",
    "CMYK became RGB without a profile: colours are approximate",
  ),
  "LZW": (Image.fromarray(_RGBA), ".tif", {"compression": "tiff_lzw"}, "RGBA", ""),
  "lossless WebP": (Image.fromarray(_RGBA), ".webp", {"lossless": True, "exact": True}, "RGBA", ""),
}


@pytest.mark.parametrize("kind", _EIGHT_BIT_KINDS)
def test_kinds_of_8_bit_files(tmp_path, kind):
  image, extension, options, mode, remark = _EIGHT_BIT_KINDS[kind]
  image.save(tmp_path / ("in" + extension), **options)
  _, result, said = _resaved(tmp_path, "in" + extension, "out.png")
  written = Image.open(result)
  assert written.mode == mode and said == remark
  with Image.open(tmp_path / ("in" + extension)) as source:
    np.testing.assert_array_equal(np.asarray(written), np.asarray(source.convert(mode)))


def _png(pixels, *chunks):
  """A PNG file with these chunks before the pixels."""
  encoded = png.encode(pixels, Metadata(png_chunks=chunks))[0]
  return encoded


def test_one_transparent_level_of_deep_and_of_shallow_samples(tmp_path):
  key = _DEEP[3, 4]
  for channels in (1, 3):
    (tmp_path / "deep.png").write_bytes(_png(_DEEP[..., :channels], (b"tRNS", key[:channels].astype(">u2").tobytes())))
    photo = photo_files.read_photo(str(tmp_path / "deep.png"))
    np.testing.assert_array_equal(photo.rgb, _DEEP[..., :channels].repeat(3 // channels, axis=2))
    np.testing.assert_array_equal(photo.alpha, 65535 * (_DEEP[..., :channels] != key[:channels]).any(axis=2))
  # Two samples of four bits: 15, which is transparent, and 5.
  head, body = struct.pack(">LLBBBBB", 2, 1, 4, 0, 0, 0, 0), zlib.compress(b"\0\xf5")
  chunks = [(b"IHDR", head), (b"tRNS", b"\0\x0f"), (b"IDAT", body), (b"IEND", b"")]
  (tmp_path / "shallow.png").write_bytes(
    b"\x89PNG\r\n\x1a\n"
    + b"".join(
      struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))
      for kind, content in chunks
    )
  )
  photo = photo_files.read_photo(str(tmp_path / "shallow.png"))
  assert photo.rgb[0, :, 0].tolist() == [255, 85] and photo.alpha.tolist() == [[0, 255]]


# Orientation -> the stored picture's upright form, by the definition of where row 0 and column 0 belong.
_UPRIGHT = {
  1: lambda a: a,
  2: lambda a: a[:, ::-1],
  3: lambda a: a[::-1, ::-1],
  4: lambda a: a[::-1],
  5: lambda a: a.swapaxes(0, 1),
  6: lambda a: a.swapaxes(0, 1)[:, ::-1],
  7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
  8: lambda a: a.swapaxes(0, 1)[::-1],
}


def _exif(orientation, **more):
  exif = Image.Exif()
  exif[0x0112] = orientation
  exif[0x010F] = "Maker"
  exif.get_ifd(0x8825)[1] = "N"
  exif.get_ifd(0x8769).update({0xA002: 17, 0xA003: 12, 0x9003: "2020:01:02 03:04:05", **more})
  return exif.tobytes()


def _turned_file(path, orientation, is_deep):
  """Writes a stored picture with alpha that EXIF calls turned."""
  photo = _photo(is_deep, has_alpha=True, metadata=Metadata(exif=_exif(orientation)[6:]))
  if path.suffix == ".tif":  # There the writer itself says "upright".
    _with_field(path, photo, tiff_fields.ORIENTATION, orientation)
  else:
    photo_files.write_photo(str(path), photo)


@pytest.mark.parametrize("orientation", _UPRIGHT)
@pytest.mark.parametrize(
  "extension, is_deep", [(".png", False), (".png", True), (".tif", False), (".tif", True), (".webp", False)]
)
def test_exif_orientation_is_applied_once_and_reset(tmp_path, extension, is_deep, orientation):
  path = tmp_path / ("in" + extension)
  _turned_file(path, orientation, is_deep)
  photo = photo_files.read_photo(str(path))
  stored = _DEEP if is_deep else _RGBA
  np.testing.assert_array_equal(np.dstack([photo.rgb, photo.alpha]), _UPRIGHT[orientation](stored))
  assert photo.orientation == orientation
  for out in (".png", ".tif") if is_deep else (".png", ".tif", ".webp", ".jpg"):
    result = str(tmp_path / ("out" + out))
    photo_files.write_photo(result, photo)
    again = photo_files.read_photo(result)
    assert again.orientation == 1 and again.rgb.shape == photo.rgb.shape
    if out != ".jpg":
      np.testing.assert_array_equal(again.rgb, photo.rgb)
    with Image.open(result) as image:
      exif = image.getexif()
      assert exif.get(0x0112, 1) == 1 and exif[0x010F] == "Maker"
      fields = exif.get_ifd(0x8769)
      assert exif.get_ifd(0x8825)[1] == "N" and fields[0x9003] == "2020:01:02 03:04:05"
      assert (fields[0xA003], fields[0xA002]) == photo.rgb.shape[:2]


def test_orientation_in_xmp_and_in_imagemagick_s_text_is_reset(tmp_path):
  thumbnail = b"<xmp:Thumbnails><rdf:Alt>\nformer</rdf:Alt></xmp:Thumbnails>"
  xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6" dc:a="b">' + thumbnail + b"</rdf:Description></x:xmpmeta>"
  info = PngImagePlugin.PngInfo()
  info.add_itxt("XML:com.adobe.xmp", xmp.decode())
  Image.fromarray(_RGBA).save(tmp_path / "xmp.png", pnginfo=info)
  digits = _exif(6).hex()
  info = PngImagePlugin.PngInfo()
  info.add_text("Raw profile type exif", f"\nexif\n{len(digits) // 2:8}\n{digits}\n", zip=True)
  Image.fromarray(_RGBA).save(tmp_path / "text.png", pnginfo=info)
  for name in ("xmp.png", "text.png"):
    photo, result, remark = _resaved(tmp_path, name, "out.png")
    assert photo.orientation == 6 and not remark
    again = photo_files.read_photo(result)
    assert again.orientation == 1
    np.testing.assert_array_equal(again.rgb, _UPRIGHT[6](_RGBA)[..., :3])
    assert again.metadata.xmp == (xmp.replace(b"6", b"1").replace(thumbnail, b"") if name == "xmp.png" else None)
    assert (again.metadata.exif is None) == (name == "xmp.png")


def test_the_thumbnail_of_what_was_there_is_gone_and_makers_notes_stay(tmp_path):
  thumbnail = b"\xff\xd8 the former content \xff\xd9"
  note = b"a maker's note, with offsets"
  exif_fields = {
    tiff_fields.ORIENTATION: tiff_fields.numbers_field("<", tiff_fields.SHORT, 3),
    tiff_fields.EXIF_DIRECTORY: {0x927C: tiff_fields.Field(tiff_fields.UNDEFINED, note)},
  }
  first = tiff_fields.header("<") + tiff_fields.serialize("<", exif_fields)
  second_at = len(first)
  second = tiff_fields.serialize(
    "<",
    {
      513: tiff_fields.numbers_field("<", tiff_fields.LONG, second_at + 30),
      514: tiff_fields.numbers_field("<", tiff_fields.LONG, len(thumbnail)),
    },
    second_at,
  )
  link = 8 + 2 + 12 * len(exif_fields)
  blob = first[:link] + struct.pack("<L", second_at) + first[link + 4 :] + second + thumbnail
  assert blob[second_at + 30 :] == thumbnail
  Image.fromarray(_RGBA[..., :3]).save(tmp_path / "in.jpg", exif=b"Exif\0\0" + blob)
  _, result, _ = _resaved(tmp_path, "in.jpg", "out.jpg")
  written = Image.open(result).info["exif"][6:]
  assert len(written) == len(blob) and b"former" not in written
  assert written.index(note) == blob.index(note)
  assert struct.unpack_from("<L", written, link) == (0,)


def test_a_thumbnail_that_would_blank_the_directories_is_damage(tmp_path):
  directory = {0x010F: tiff_fields.Field(2, b"Maker\0")}
  first = tiff_fields.header("<") + tiff_fields.serialize("<", directory)
  second = tiff_fields.serialize(
    "<",
    {
      513: tiff_fields.numbers_field("<", tiff_fields.LONG, 0),
      514: tiff_fields.numbers_field("<", tiff_fields.LONG, 20),
    },
    len(first),
  )
  blob = first[:22] + struct.pack("<L", len(first)) + first[26:] + second
  Image.fromarray(_RGBA).save(tmp_path / "in.png", exif=b"Exif\0\0" + blob)
  assert _resaved(tmp_path, "in.png", "out.tif")[2] == "damaged EXIF left out"


def test_damaged_exif_costs_only_itself(tmp_path, recwarn):
  for number, blob in enumerate((b"garbage", b"II*\0\xff\xff\xff\x7f", b"II*\0\x08\0\0\0\xff\xff")):
    Image.fromarray(_RGBA).save(tmp_path / "in.png", exif=b"Exif\0\0" + blob)
    photo, result, remark = _resaved(tmp_path, "in.png", "out.png")
    assert remark == "damaged EXIF left out", number
    np.testing.assert_array_equal(photo.rgb, _RGBA[..., :3])
    assert "exif" not in Image.open(result).info
  assert not [warning for warning in recwarn.list if warning.category is UserWarning]


@pytest.mark.parametrize("is_deep", [False, True])
def test_profile_resolution_and_text_are_kept(tmp_path, is_deep):
  chunks = (
    (b"gAMA", struct.pack(">L", 45455)),
    (b"tEXt", b"Author\0Somebody"),
    (b"zTXt", b"A\0\0" + zlib.compress(b"B")),
    (b"iTXt", b"Title\0\0\0en\0\0Gr\xc3\xbc\xc3\x9fe"),
  )
  photo = _photo(
    is_deep, metadata=Metadata(icc_profile=_SRGB, exif=_exif(1)[6:], xmp=b"<x/>", dpi=(300.0, 150.0), png_chunks=chunks)
  )
  read, remark = _written(tmp_path, ".png", photo)
  assert not remark and set(chunks) < set(read.metadata.png_chunks)
  image = Image.open(tmp_path / "written.png")
  image.load()
  assert image.text["Author"] == "Somebody" and image.text["Title"] == "Grüße" and image.text["A"] == "B"
  for extension in (".png", ".tif", ".jpg", ".webp"):
    result, said = _written(tmp_path, extension, read)
    assert (result.metadata.icc_profile, result.metadata.xmp) == (_SRGB, b"<x/>"), extension
    assert b"Maker" in result.metadata.exif
    if extension != ".webp":
      np.testing.assert_allclose(result.metadata.dpi, (300, 150), atol=0.02)
    assert ("PNG text" in said) == (extension != ".png") and ("resolution" in said) == (extension == ".webp")
  _, said = _written(tmp_path, ".bmp", read)
  assert "ICC profile, EXIF, XMP, PNG text left out" in said


@pytest.mark.parametrize("extension", [".jpg", ".png", ".tif"])
def test_resolution_is_turned_with_the_image(tmp_path, extension):
  for name in ("in.jpg", "in.png"):
    Image.fromarray(_RGBA[..., :3]).save(tmp_path / name, exif=_exif(6), dpi=(300, 150))
    _, result, _ = _resaved(tmp_path, name, "out" + extension)
    np.testing.assert_allclose(tuple(map(float, Image.open(result).info["dpi"])), (150, 300), atol=0.02)


def test_impossible_resolutions_are_no_error(tmp_path):
  for numbers in ((2**32 - 1, 2**32 - 1), (0, 9)):
    (tmp_path / "in.png").write_bytes(_png(_RGBA, (b"pHYs", struct.pack(">LLB", *numbers, 1))))
    for extension in (".jpg", ".tif", ".bmp"):
      photo, result, _ = _resaved(tmp_path, "in.png", "out" + extension)
      assert photo.metadata.dpi is None
      assert photo_files.read_photo(result).metadata.dpi is None or extension == ".bmp"


@pytest.mark.parametrize("is_srgb", [False, True])
def test_colour_chunks_stay_in_png(tmp_path, is_srgb):
  chunks = [(b"gAMA", struct.pack(">L", 100_000)), (b"cHRM", bytes(range(32)))] + [(b"sRGB", b"\0")] * is_srgb
  (tmp_path / "in.png").write_bytes(_png(_RGBA, *chunks, (b"bKGD", bytes(6))))
  _, result, _ = _resaved(tmp_path, "in.png", "out.png")
  with open(result, "rb") as file:
    assert [chunk for chunk in png.chunks(file.read()) if chunk[0][0:1].islower()] == chunks
  _, _, remark = _resaved(tmp_path, "in.png", "out.webp")
  assert remark == ("" if is_srgb else "PNG gamma left out: WebP is written without")


def test_a_gray_profile_is_not_given_to_colours(tmp_path):
  gray_profile = _SRGB[:16] + b"GRAY" + _SRGB[20:]
  photo = _photo(is_gray=True, metadata=Metadata(icc_profile=gray_profile))
  for extension, keeps in ((".png", True), (".jpg", True), (".tif", True), (".webp", False)):
    read, remark = _written(tmp_path, extension, photo)
    assert (read.metadata.icc_profile == gray_profile) == keeps
    assert ("gray ICC profile left out" in remark) != keeps


def _smooth(height=48, width=64):
  """A picture that JPEG can encode well, with some texture."""
  ramps = np.add.outer(np.linspace(0, 120, height), np.linspace(0, 90, width))[..., None] + [0, 20, 40]
  return np.clip(ramps + _RNG.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)


def _rms(first, second):
  return np.sqrt(np.mean((first.astype(float) - second) ** 2))


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [1, 60, 98])
def test_jpeg_of_jpeg_is_no_coarser(tmp_path, quality, subsampling, orientation):
  Image.fromarray(_smooth()).save(
    tmp_path / "in.jpg", quality=quality, subsampling=subsampling, exif=_exif(orientation), comment=b"said"
  )
  photo, result, remark = _resaved(tmp_path, "in.jpg", "out.jpg")
  source, written = Image.open(tmp_path / "in.jpg"), Image.open(result)
  for number, table in source.quantization.items():
    table = np.reshape(table, (8, 8))
    np.testing.assert_array_equal(
      np.reshape(written.quantization[number], (8, 8)), table.T if orientation == 6 else table
    )
  # Subsampling of the other direction cannot be written.
  expected = "4:4:4" if orientation == 6 and subsampling == "4:2:2" else subsampling
  assert remark == f"JPEG encoded with the input's quantization tables, {expected}"
  assert photo_files.read_photo(result).metadata.jpeg.subsampling == expected
  assert written.info["comment"] == b"said"
  # Once more costs far less than the first time did.
  stored = _UPRIGHT[orientation](np.asarray(source))
  assert _rms(np.asarray(written), stored) < (2.5 if quality < 98 else 1.5)


def test_further_kinds_of_jpeg(tmp_path):
  smooth = _smooth()
  Image.fromarray(smooth[..., 0]).save(tmp_path / "gray.jpg", quality=60)
  Image.fromarray(smooth).save(tmp_path / "rgb.jpg", keep_rgb=True, quality=60)
  iptc = b"8BIM" + struct.pack(">HBBL", 0x0404, 0, 0, 5) + b"IPTC!\0"
  resources = b"8BIM" + struct.pack(">H", 1036) + b"\x03abc" + struct.pack(">L", 4) + b"tiny" + iptc
  content = b"Photoshop 3.0\0" + resources
  Image.fromarray(smooth).save(
    tmp_path / "progressive.jpg", progressive=True, extra=struct.pack(">BBH", 0xFF, 0xED, len(content) + 2) + content
  )
  Image.fromarray(smooth).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=60)
  results = {}
  for name in ("gray", "rgb", "progressive", "cmyk"):
    photo, result, results[name] = _resaved(tmp_path, f"{name}.jpg", f"{name}_out.jpg")
    with Image.open(tmp_path / f"{name}.jpg") as source, Image.open(result) as written:
      assert _rms(np.asarray(written.convert("RGB")), photo.rgb) < (2.5 if name == "cmyk" else 1.5), name
      finest = np.min([source.quantization[layer[3]] for layer in source.layer], axis=0)
      for layer in written.layer:
        assert name == "progressive" or (np.array(written.quantization[layer[3]]) <= finest).all()
      assert bool(written.info.get("progressive")) == (name == "progressive")
      assert (written.info.get("adobe_transform") == 0) == (name == "rgb")
      assert written.mode == ("L" if name == "gray" else "RGB")
  written = (tmp_path / "progressive_out.jpg").read_bytes()
  assert b"Photoshop 3.0\0" + iptc in written and b"tiny" not in written  # Of what was there before.
  Image.fromarray(smooth).save(tmp_path / "in.tif", tiffinfo={34377: resources, 270: "words"})
  _resaved(tmp_path, "in.tif", "out.tif")
  tags = Image.open(tmp_path / "out.tif").tag_v2
  assert tags[34377] == iptc and tags[270] == "words"
  assert results["gray"].endswith("tables, gray") and results["cmyk"].startswith("CMYK became RGB without a profile")
  _, _, remark = _resaved(tmp_path, "progressive.jpg", "out.png")
  assert remark == "IPTC and other JPEG segments left out: PNG is written without"
  _, remark = _written(tmp_path, ".jpg", _photo(is_deep=True, has_alpha=True))
  assert remark == (
    "alpha left out: JPEG is written without; 16 bits reduced to 8: JPEG; JPEG encoded at quality 95, 4:4:4"
  )


def test_progressive_jpeg_that_pillow_has_no_room_for(tmp_path):
  noise = _RNG.integers(0, 256, (200, 200, 3)).astype(np.uint8)
  settings = JpegSettings(tables=((1,) * 64,) * 3, progressive=True)
  read, _ = _written(tmp_path, ".jpg", photo_files.Photo(noise, metadata=Metadata(jpeg=settings)))
  assert _rms(read.rgb, noise) < 1.5 and read.metadata.jpeg.tables == settings.tables


def _cmyk_profile():
  """A profile in which ink is linear in CIELAB's lightness: 16 corners, none of them coloured."""
  lightness = [255 * max(0.0, 1 - (c + m + y) / 3 - k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
  ramp = bytes(range(256))
  table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + struct.pack(">9l", *(65536 * (i % 4 == 0) for i in range(9)))
  table += ramp * 4 + b"".join(bytes([round(level), 128, 128]) for level in lightness) + ramp * 3
  header = bytearray(128)
  struct.pack_into(">L4sL4s4s4s", header, 0, 128 + 4 + 12 + len(table), b"test", 0x02400000, b"prtr", b"CMYK", b"Lab ")
  header[36:40] = b"acsp"
  struct.pack_into(">3l", header, 68, 63190, 65536, 54061)
  return bytes(header) + struct.pack(">L4sLL", 1, b"A2B0", 128 + 4 + 12, len(table)) + table


def test_cmyk_with_a_profile_becomes_srgb(tmp_path):
  cmyk = np.zeros((8, 16, 4), np.uint8)
  cmyk[:, 8:, 0] = 128
  image = Image.frombytes("CMYK", (16, 8), cmyk.tobytes())
  image.save(tmp_path / "in.tif", icc_profile=_cmyk_profile())
  image.save(tmp_path / "damaged.tif", icc_profile=b"nothing")
  photo, result, remark = _resaved(tmp_path, "in.tif", "out.png")
  assert remark == "CMYK became sRGB by its ICC profile"
  assert photo.rgb[0, 0].tolist() == [255, 255, 255]
  assert np.ptp(photo.rgb[0, 12].astype(int)) <= 2  # A gray by the profile; cyan without.
  profile = ImageCms.ImageCmsProfile(io.BytesIO(Image.open(result).info["icc_profile"]))
  assert "sRGB" in ImageCms.getProfileDescription(profile)
  photo, result, remark = _resaved(tmp_path, "damaged.tif", "out.png")
  assert "damaged: colours are approximate" in remark
  assert photo.rgb[0, 12].tolist() == [127, 255, 255] and "icc_profile" not in Image.open(result).info


def test_fields_beyond_the_end_are_not_written_again(tmp_path):
  blob = bytearray(_exif(1)[6:])
  order, fields = tiff_fields.parse(bytes(blob))
  entry = struct.pack(order + "HHL", 0x010F, 2, len("Maker") + 1)
  struct.pack_into(order + "L", blob, blob.index(entry) + 8, len(blob) - 2)
  assert 0x010F in fields and 0x010F not in tiff_fields.parse(bytes(blob))[1]
  _, remark = _written(tmp_path, ".tif", _photo(metadata=Metadata(exif=bytes(blob))))
  assert not remark and 0x010F not in Image.open(tmp_path / "written.tif").tag_v2


def test_a_missing_end_mark_costs_nothing(tmp_path):
  for is_deep in (False, True):
    photo_files.write_photo(str(tmp_path / "a.png"), _photo(is_deep))
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:-12])
    np.testing.assert_array_equal(photo_files.read_photo(str(tmp_path / "a.png")).rgb, _photo(is_deep).rgb)


def test_metadata_of_bigtiff_is_said_to_be_lost(tmp_path):
  Image.fromarray(_RGBA).save(tmp_path / "in.tif", big_tiff=True, icc_profile=_SRGB)
  photo, _, remark = _resaved(tmp_path, "in.tif", "out.tif")
  assert remark == "EXIF left out: that of BigTIFF is not read" and photo.metadata.icc_profile == _SRGB
  np.testing.assert_array_equal(photo.alpha, _RGBA[..., 3])


def test_of_several_pictures_the_first_is_taken(tmp_path):
  images = [Image.fromarray(_RGBA[..., :3] // share) for share in (1, 2)]
  for name in ("a.tif", "a.png", "a.webp"):
    options = {"lossless": True} if name == "a.webp" else {}
    images[0].save(tmp_path / name, save_all=True, append_images=images[1:], **options)
    photo = photo_files.read_photo(str(tmp_path / name))
    np.testing.assert_array_equal(photo.rgb, _RGBA[..., :3])
    assert photo.remarks == ("only the first of its pictures is kept",)


def _with_field(path, photo, tag, value):
  """Writes a TIFF file, then a number into it."""
  photo_files.write_photo(str(path), photo)
  raw = bytearray(path.read_bytes())
  order, fields = tiff_fields.parse(bytes(raw))
  struct.pack_into(order + "H", raw, fields[tag].position, value)
  path.write_bytes(raw)


def test_premultiplied_deep_colours_are_refused(tmp_path):
  _with_field(tmp_path / "a.tif", _photo(is_deep=True, has_alpha=True), 338, 1)
  with pytest.raises(InputError, match="16-bit pixels stored in a way that is not read here"):
    photo_files.read_photo(str(tmp_path / "a.tif"))


def test_white_is_zero_in_some_tiffs(tmp_path):
  path = tmp_path / "a.tif"
  _with_field(path, _photo(is_deep=True, is_gray=True), 262, 0)
  np.testing.assert_array_equal(photo_files.read_photo(str(path)).rgb[..., 0], 65535 - _DEEP[..., 0])


@pytest.mark.parametrize(
  "max_pixels, limit, refused",
  [
    (None, 203, True),
    (None, 100, True),
    (None, 204, False),
    (203, None, True),
    (204, None, False),
    (204, 50, False),
    (203, 10_000, True),
    (None, None, False),
  ],
)
def test_more_pixels_than_allowed(tmp_path, monkeypatch, recwarn, max_pixels, limit, refused):
  path = str(tmp_path / "a.png")
  photo_files.write_photo(path, _photo())
  monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
  if refused:
    with pytest.raises(InputError, match="a.png: 17x12 are 204 pixels, more than .*`max_pixels`"):
      photo_files.read_photo(path, max_pixels)
  else:
    assert photo_files.read_photo(path, max_pixels).rgb.shape == (12, 17, 3)
  assert Image.MAX_IMAGE_PIXELS == limit and not recwarn.list


def test_a_bomb_is_refused_by_its_header(tmp_path):
  small = png.encode(_RGBA, Metadata())[0]
  head = struct.pack(">LL", 100_000, 100_000) + small[24:29]
  (tmp_path / "bomb.png").write_bytes(small[:16] + head + struct.pack(">L", zlib.crc32(b"IHDR" + head)) + small[33:])
  with pytest.raises(InputError, match="10,000,000,000 pixels, more than 89,478,485"):
    photo_files.read_photo(str(tmp_path / "bomb.png"))


@pytest.mark.parametrize("extension", [".png", ".tif", ".webp", ".bmp", ".jpg"])
def test_truncated_and_other_unreadable_files(tmp_path, extension):
  for is_deep in (False, True):
    path = tmp_path / ("cut" + extension)
    photo_files.write_photo(str(path), _photo(is_deep))
    whole = path.read_bytes()
    for length in (len(whole) * 2 // 3, 40, 4, 0):
      path.write_bytes(whole[:length])
      with pytest.raises(InputError, match="cut.* not an image that can be read") as caught:
        photo_files.read_photo(str(path))
      assert "\n" not in str(caught.value)
  for path, message in ((tmp_path, "a folder"), (tmp_path / "gone", "no such file")):
    with pytest.raises(InputError, match=message):
      photo_files.read_photo(str(path))


def test_every_extension_of_folders_can_be_written_or_is_only_read(tmp_path):
  written = [extension for extension in image_files.IMAGE_EXTENSIONS if photo_files.can_be_written(f"A{extension}")]
  assert set(image_files.IMAGE_EXTENSIONS) - set(written) == {
    ".gif",
    ".avif",
    ".jp2",
    ".j2k",
    ".jpx",
    ".jpf",
    ".heic",
    ".heif",
    ".hif",
  }
  for extension in written:
    for path in (str(tmp_path / ("a" + extension)), str(tmp_path / ("A" + extension.upper()))):
      image_files.check_writable_file(path)
      photo_files.write_photo(path, _photo())
      assert photo_files.read_photo(path).rgb.shape == (12, 17, 3)
  with pytest.raises(TypeError, match="uint8, alpha uint16"):
    photo_files.write_photo(
      str(tmp_path / "b.png"), dataclasses.replace(_photo(True, has_alpha=True), rgb=_RGBA[..., :3])
    )
  assert not (tmp_path / "b.png").exists()


def test_a_write_that_fails_leaves_nothing(tmp_path):
  wide = photo_files.Photo(np.zeros((1, 70_000, 3), np.uint8))
  for name in ("a.webp", "a.jpg", "nowhere/a.png"):
    with pytest.raises(InputError, match="cannot be written") as caught:
      photo_files.write_photo(str(tmp_path / name), wide)
    assert "\n" not in str(caught.value)
  long_exif = {0x010F: tiff_fields.Field(2, b"x" * 70_000)}
  blob = tiff_fields.header("<") + tiff_fields.serialize("<", long_exif)
  assert not list(tmp_path.iterdir())
  _, remark = _written(tmp_path, ".jpg", _photo(metadata=Metadata(exif=blob)))
  assert "EXIF left out: too long for JPEG" in remark


def test_the_transparent_level_of_a_gray_gif(tmp_path):
  levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
  Image.fromarray(levels).save(tmp_path / "a.gif", transparency=10)
  photo = photo_files.read_photo(str(tmp_path / "a.gif"))
  np.testing.assert_array_equal(photo.rgb[..., 0], levels)
  np.testing.assert_array_equal(photo.alpha, np.where(levels == 10, 0, 255))


def test_reading_in_threads_leaves_the_warnings_of_the_process(tmp_path, monkeypatch):
  """The thread that starts first ends first: Pillow's warnings stay ignored until the second ends too."""
  paths = [str(tmp_path / name) for name in ("first.png", "second.png")]
  for path in paths:
    image_files.write_rgb(path, np.zeros((6, 6, 3), np.uint8))
  reading = {path: threading.Event() for path in paths}
  may_end = {path: threading.Event() for path in paths}
  decode = pixels_lib.decode

  def decode_when_allowed(path, *arguments):
    reading[path].set()
    assert may_end[path].wait(20)
    return decode(path, *arguments)

  monkeypatch.setattr(pixels_lib, "decode", decode_when_allowed)
  before = list(warnings.filters)
  with concurrent.futures.ThreadPoolExecutor(2) as pool:
    photos = []
    for path in paths:
      photos.append(pool.submit(photo_files.read_photo, path))
      assert reading[path].wait(20)
    may_end[paths[0]].set()
    photos[0].result()
    while_second_reads = list(warnings.filters)
    may_end[paths[1]].set()
    photos[1].result()
  assert len(while_second_reads) == len(before) + 1 and list(warnings.filters) == before


def test_the_comment_of_a_gif_is_kept(tmp_path):
  for comment in (b"by the sea", b"x" * 70_000):
    Image.fromarray(_RGBA[..., :3]).save(tmp_path / "a.gif", comment=comment)
    photo, path, remark = _resaved(tmp_path, "a.gif", "b.png")
    assert photo.metadata.comment == comment and Image.open(path).text == {"Comment": comment.decode()}
    assert "comment" not in remark
    _, path, remark = _resaved(tmp_path, "a.gif", "b.jpg")
    is_long = len(comment) > 65_533
    assert Image.open(path).info.get("comment") == (None if is_long else comment)
    assert ("comment left out: too long for JPEG" in remark) == is_long


@pytest.mark.parametrize(
  "content, remark",
  [
    (b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + bytes(8) + b"<x/>", "extended XMP left out"),
    (b"FLIR\0a thermal picture", "an unknown APP1 segment left out"),
  ],
)
def test_segments_of_jpeg_that_are_not_kept_are_named(tmp_path, content, remark):
  options = {"exif": _exif(1), "xmp": b"<x:xmpmeta/>"}
  file = io.BytesIO()
  Image.fromarray(_RGBA[..., :3]).save(file, "JPEG", **options)
  segment = b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
  (tmp_path / "a.jpg").write_bytes(file.getvalue()[:2] + segment * 2 + file.getvalue()[2:])
  photo, path, said = _resaved(tmp_path, "a.jpg", "b.jpg")
  assert photo.metadata.exif and photo.metadata.xmp and photo.remarks == (remark,) and remark in said
  assert photo_files.read_photo(path).remarks == ()
