"""Decodes pixels of any depth and kind to RGB and alpha."""

import dataclasses
import io

import cv2
import numpy as np
from PIL import Image
from PIL import ImageCms
from PIL import ImageFile

from z2i_tf.errors import InputError
from z2i_tf.images.formats import codecs
from z2i_tf.images.formats import png
from z2i_tf.images.formats import tiff_fields

_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0


@dataclasses.dataclass(frozen=True, eq=False)
class Pixels:
  """A decoded upright image.

  Attributes:
    rgb: (H, W, 3) uint8 or uint16.
    alpha: (H, W) of the same type, or None.
    is_gray: whether the file has one colour channel; `rgb` then repeats it.
    orientation: EXIF orientation of the file, 1 to 8; applied already.
    has_damaged_exif: whether EXIF could not be read; the orientation is then 1.
    became_srgb: whether CMYK became sRGB by its ICC profile.
    remarks: changes made by decoding, for the user.
  """

  rgb: np.ndarray
  alpha: np.ndarray | None
  is_gray: bool
  orientation: int
  has_damaged_exif: bool
  became_srgb: bool
  remarks: list[str]


def decode(path: str, encoded: bytes, image: ImageFile.ImageFile) -> Pixels:
  """Decodes an opened image.

  Args:
    path: name of the file in errors.
    encoded: the file.
    image: the file as Pillow opened it, not decoded.

  Raises:
    InputError: the pixels are of a kind that is not read here.
    Exception: Pillow raises errors of every kind on damaged files.
  """
  remarks: list[str] = []
  # Decoding makes Pillow forget how the samples were stored; it also applies and forgets a TIFF's orientation.
  is_deep, samples = codecs.is_deep(image), str(image.tile)
  is_tiff = image.format == "TIFF"
  stored = tiff_fields.tags_of(image).get(tiff_fields.ORIENTATION, 1) if is_tiff else 1
  image.load()
  if not is_tiff:
    stored = codecs.orientation(image)
  has_damaged_exif, became_srgb = stored is None, False
  orientation: int = stored if stored in range(1, 9) else 1

  is_gray = image.mode in ("1", "L", "LA", *codecs.SIXTEEN_BIT_GRAY_MODES)
  if image.mode in codecs.SIXTEEN_BIT_GRAY_MODES:
    levels = deep_gray(path, image)
    rgb = np.repeat(levels[..., np.newaxis], 3, axis=2)
    alpha = _alpha_of_colour(levels, image.info.get("transparency"))
  elif image.mode == "CMYK":
    if is_deep:
      remarks.append("16-bit CMYK reduced to 8 bits")
    converted, became_srgb = cmyk_to_rgb(image, remarks)
    rgb, alpha = np.asarray(converted), None
  elif is_deep:
    rgb, alpha = _deep_colour(path, encoded, image)
    is_gray = "LA;16" in samples
  else:
    rgb, alpha = _eight_bits(image, encoded, remarks)
  if not is_tiff:
    rgb, alpha = turn_upright(rgb, orientation), None if alpha is None else turn_upright(alpha, orientation)
  return Pixels(rgb, alpha, is_gray, orientation, has_damaged_exif, became_srgb, remarks)


def turn_upright(array: np.ndarray, orientation: int) -> np.ndarray:
  """Turns an array (H, W, ...) stored with an EXIF orientation (1 to 8) upright."""
  if codecs.is_swapped(orientation):
    array = array.swapaxes(0, 1)
  if orientation in (3, 4, 7, 8):
    array = array[::-1]
  if orientation in (2, 3, 6, 7):
    array = array[:, ::-1]
  return np.ascontiguousarray(array)


def deep_gray(path: str, image: Image.Image) -> np.ndarray:
  """Returns the levels, (H, W) uint16, of a decoded image of `codecs.SIXTEEN_BIT_GRAY_MODES`; greater is brighter.

  Raises:
    InputError: a level needs more than 16 bits.
  """
  levels = np.asarray(image)
  if levels.min() < 0 or levels.max() >= 2**16:
    raise InputError(f"{path}: more than 16 bits per channel; convert it to 16 or 8 bits")
  levels = levels.astype(np.uint16)
  # Pillow inverts only levels of 8 bits.
  is_white_zero = image.format == "TIFF" and tiff_fields.tags_of(image).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
  return np.iinfo(np.uint16).max - levels if is_white_zero else levels


def _deep_colour(path: str, encoded: bytes, image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
  """Returns ((H, W, 3) uint16, alpha or None); `image` is decoded by Pillow, which keeps the upper bytes only."""
  if image.format == "PNG":
    encoded = png.only_pixels(encoded)
  pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
  if pixels is not None and pixels.dtype == np.uint16 and pixels.ndim == 3 and pixels.shape[2] >= 3:
    rgb = np.ascontiguousarray(pixels[..., 2::-1])
    # OpenCV and Pillow must agree on the orientation, the order of channels and the meaning of alpha.
    if np.array_equal(rgb >> 8, np.asarray(image)[..., :3]):
      has_alpha = image.mode == "RGBA" or "transparency" in image.info
      return rgb, np.ascontiguousarray(pixels[..., 3]) if has_alpha else None
  raise InputError(f"{path}: 16-bit pixels stored in a way that is not read here; convert the file to PNG")


def _eight_bits(image: Image.Image, encoded: bytes, remarks: list[str]) -> tuple[np.ndarray, np.ndarray | None]:
  """Returns ((H, W, 3) uint8, alpha or None); adds to the remarks."""
  key = image.info.get("transparency")
  if image.mode in ("P", "PA"):
    image = image.convert("RGB" if key is None and image.mode == "P" else "RGBA")
    remarks.append(f"palette became {image.mode}")
  elif image.mode == "1":
    remarks.append("1 bit became 8-bit gray")
  if image.mode in ("RGBA", "LA"):
    return np.asarray(image.convert("RGB")), np.asarray(image.getchannel("A"))
  rgb = np.asarray(image.convert("RGB"))
  if image.mode in ("1", "L") and key is not None:
    if image.format == "PNG":  # The key is a stored sample, but Pillow has stretched samples of less than 8 bits.
      key = key * 255 // (2 ** min(8, png.bit_depth(encoded)) - 1)
    return rgb, _alpha_of_colour(rgb[..., 0], key)
  return rgb, _alpha_of_colour(rgb, key) if image.mode == "RGB" else None


def _alpha_of_colour(levels: np.ndarray, key: int | tuple[int, ...] | None) -> np.ndarray | None:
  """Returns the alpha of an image in which the colour `key` is transparent, or None if `key` is None."""
  if key is None:
    return None
  differs = levels != np.array(key, levels.dtype)
  return (differs if levels.ndim == 2 else differs.any(axis=2)) * levels.dtype.type(np.iinfo(levels.dtype).max)


def cmyk_to_rgb(image: Image.Image, remarks: list[str]) -> tuple[Image.Image, bool]:
  """Converts CMYK to sRGB by its ICC profile, or to RGB by plain complement if it has no usable one; adds a remark.

  Returns:
    The converted image, and whether it is sRGB.
  """
  profile = image.info.get("icc_profile")
  if profile:
    try:
      converted = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.PERCEPTUAL,
        outputMode="RGB",
      )
      assert converted is not None  # None is for `inPlace`.
      remarks.append("CMYK became sRGB by its ICC profile")
      return converted, True
    except (ImageCms.PyCMSError, OSError):
      pass
  remarks.append(
    f"CMYK became RGB {'by no profile, its own is damaged' if profile else 'without a profile'}: colours "
    "are approximate"
  )
  return image.convert("RGB"), False


def srgb_profile() -> bytes:
  """Returns an ICC profile of sRGB."""
  return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
